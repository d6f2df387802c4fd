//! Every task of a node, owned by its driver: when the driver ends they all do, and a panic in one is told like any
//! other end.

use std::collections::BTreeMap;
use std::future::Future;

use tertulia_core::engine::api::{DialFailure, DialId, Down, LinkId};
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::link::{EstablishError, Link};

/// How a task ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// A dial and its handshake.
    Dialled(DialId, Result<Box<Link>, Dialling>),
    /// A handshake with somebody who dialled.
    Accepted(Result<Box<Link>, EstablishError>),
    /// A link's reader, by a panic.
    Reader(LinkId),
    /// A link's writer.
    Writer(LinkId, Down),
    /// What the topology keeps is safe, or could not be kept.
    Kept(Result<(), String>),
    /// A task of which nothing more need be known.
    Other,
}

/// A dial that came to nothing, and the run of another holder of our key when that is why.
#[derive(Debug)]
pub(super) struct Dialling {
    pub(super) failure: DialFailure,
    pub(super) twin: Option<tertulia_core::id::Incarnation>,
}

/// What a task is, for when it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Dial(DialId),
    Handshake,
    Reader(LinkId),
    Writer(LinkId),
    Refuse,
    Accept,
    Seek,
    Keep,
}

/// All tasks of a node.
#[derive(Debug)]
pub(super) struct Tasks {
    set: JoinSet<Ended>,
    jobs: BTreeMap<Id, Job>,
    links: BTreeMap<LinkId, Vec<AbortHandle>>,
    handshakes: usize,
    refusals: usize,
    most: usize,
}

impl Tasks {
    /// No task; at most `most` handshakes with those who dial.
    pub(super) fn new(most: usize) -> Self {
        let (jobs, links) = (BTreeMap::new(), BTreeMap::new());
        Tasks { set: JoinSet::new(), jobs, links, handshakes: 0, refusals: 0, most }
    }

    /// True when another handshake may begin.
    pub(super) fn may_shake_hands(&self) -> bool {
        self.handshakes < self.most
    }

    /// True when there is time to tell another one that this node is busy.
    pub(super) fn may_refuse(&self) -> bool {
        self.refusals < self.most
    }

    /// Starts a task, which the handle can end early.
    pub(super) fn start(
        &mut self,
        job: Job,
        task: impl Future<Output = Ended> + Send + 'static,
    ) -> AbortHandle {
        let handle = self.set.spawn(task);
        self.jobs.insert(handle.id(), job);
        match job {
            Job::Handshake => self.handshakes += 1,
            Job::Refuse => self.refusals += 1,
            Job::Reader(link) | Job::Writer(link) => self.links.entry(link).or_default().push(handle.clone()),
            Job::Dial(_) | Job::Accept | Job::Seek | Job::Keep => {}
        }
        handle
    }

    /// Ends the tasks of a link.
    pub(super) fn abort(&mut self, link: LinkId) {
        self.links.remove(&link).into_iter().flatten().for_each(|task| task.abort());
    }

    /// The next task that ended; `None` when there is none at all.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        let ended = self.set.join_next_with_id().await?;
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let job = self.jobs.remove(&id);
        match job {
            Some(Job::Handshake) => self.handshakes -= 1,
            Some(Job::Refuse) => self.refusals -= 1,
            _ => {}
        }
        Some(match ended {
            Ok((_, ended)) => ended,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(?job, "a task panicked; this is a defect");
                }
                match job {
                    Some(Job::Dial(dial)) => {
                        let failure = DialFailure::Trouble("an internal error".into());
                        Ended::Dialled(dial, Err(Dialling { failure, twin: None }))
                    }
                    Some(Job::Reader(link)) => Ended::Reader(link),
                    Some(Job::Writer(link)) => Ended::Writer(link, Down::Failed),
                    Some(Job::Keep) => Ended::Kept(Err("an internal error".into())),
                    _ => Ended::Other,
                }
            }
        })
    }

    /// Ends all tasks and waits until they are gone.
    pub(super) async fn stop(&mut self) {
        self.set.shutdown().await;
    }
}
