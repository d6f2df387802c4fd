//! How a node finds its way into a group, and lets itself be found.

use core::time::Duration;
use std::sync::Arc;

use tertulia_core::engine::api::{Event, Input};
use tertulia_core::peers::Addr;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::discovery::{Announcement, Discovery, DiscoveryError, Founding};
use crate::link::Locator;

/// How a node enters its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Be the first member, here and now, asking nobody.
    Found,
    /// Join through any of these addresses.
    Join(Vec<Addr>),
    /// Ask discovery. Without one, join through whomever the address book remembers; be the first member when it
    /// is empty.
    Seek,
}

/// Services that are down are complained about, and asked again, this often.
const COMPLAIN: Duration = Duration::from_secs(5);
/// After so long it is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
const HINT: &str = "repair the service, join through a member with --join, or found the group with --found";

/// What the search has come to.
#[derive(Debug)]
pub(super) enum Finding {
    /// Tell people.
    Trouble(Event),
    /// Enter this way. The guard is held until this node can be found.
    Enter(Input, Option<Founding>),
    /// Tell people, and end.
    GiveUp(Event),
}

/// The way in when nobody has to be asked for it first.
pub(super) fn direct(entry: &Entry, book: bool, discovery: bool) -> Option<Input> {
    match entry {
        Entry::Found => Some(Input::Found),
        Entry::Join(addrs) if !addrs.is_empty() => Some(Input::Join(addrs.clone())),
        _ if discovery => None,
        _ if book => Some(Input::Join(Vec::new())),
        _ => Some(Input::Found),
    }
}

/// Asks discovery for the way in.
pub(super) async fn seek(discovery: Arc<dyn Discovery>, findings: mpsc::Sender<Finding>) {
    let start = Instant::now();
    let mut next = start + COMPLAIN;
    loop {
        let error = match ask(&*discovery).await {
            Ok((input, guard)) => {
                let _over = findings.send(Finding::Enter(input, guard)).await;
                return;
            }
            Err(error) => error,
        };
        let over = next >= start + GIVE_UP;
        sleep_until(next).await;
        next += COMPLAIN;
        let reason = error.to_string();
        let finding = if over {
            Finding::GiveUp(Event::Refused { code: "discovery", reason, hint: HINT })
        } else {
            Finding::Trouble(Event::Trouble { code: "discovery", reason, hint: HINT })
        };
        if findings.send(finding).await.is_err() || over {
            return;
        }
    }
}

/// One round: join whoever is there, or found under the guard.
async fn ask(discovery: &dyn Discovery) -> Result<(Input, Option<Founding>), DiscoveryError> {
    let join = |found: Vec<Locator>| Input::Join(found.iter().map(|at| at.as_str().into()).collect());
    let found = discovery.lookup().await?;
    if !found.is_empty() {
        return Ok((join(found), None));
    }
    let guard = discovery.founding().await?;
    // Another program may have founded the group while this one waited for the guard.
    let found = discovery.lookup().await?;
    Ok(if found.is_empty() { (Input::Found, Some(guard)) } else { (join(found), None) })
}

/// Lets this node be found; the guard is let go after that.
pub(super) async fn announce(
    discovery: Arc<dyn Discovery>,
    me: Announcement,
    guard: Option<Founding>,
    findings: mpsc::Sender<Finding>,
) {
    if let Err(error) = discovery.announce(&me).await {
        let event = Event::Trouble {
            code: "discovery",
            reason: error.to_string(),
            hint: "others of this machine join with --join and this member's address",
        };
        let _over = findings.send(Finding::Trouble(event)).await;
    }
    drop(guard);
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;

    use super::*;

    /// Answers in turn; the last answer is repeated.
    struct Script(Mutex<Vec<Result<Vec<Locator>, ()>>>);

    #[async_trait]
    impl Discovery for Script {
        fn kind(&self) -> &'static str {
            "script"
        }
        async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
            let mut answers = self.0.lock();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            let down =
                |()| DiscoveryError::Down { place: "x".into(), reason: "down".into(), remedy: "wait".into() };
            answer.map_err(down)
        }
        async fn announce(&self, _: &Announcement) -> Result<(), DiscoveryError> {
            Ok(())
        }
        async fn withdraw(&self) {}
        async fn founding(&self) -> Result<Founding, DiscoveryError> {
            Ok(Founding::unguarded())
        }
    }

    async fn findings(answers: Vec<Result<Vec<Locator>, ()>>) -> (Vec<Finding>, Duration) {
        let (tx, mut rx) = mpsc::channel(1);
        let start = Instant::now();
        let task = tokio::spawn(seek(Arc::new(Script(Mutex::new(answers))), tx));
        let mut all = Vec::new();
        while let Some(finding) = rx.recv().await {
            all.push(finding);
        }
        task.await.unwrap();
        (all, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn joins_whoever_is_there_and_founds_when_nobody_is() {
        let somebody = || Ok(vec!["tcp://127.0.0.1:1".parse().unwrap()]);
        let (all, _) = findings(vec![somebody()]).await;
        assert!(matches!(&all[..], [Finding::Enter(Input::Join(a), None)] if &*a[0] == "tcp://127.0.0.1:1"));
        let (all, _) = findings(vec![Ok(vec![]), Ok(vec![])]).await;
        assert!(matches!(&all[..], [Finding::Enter(Input::Found, Some(_))]));
        let (all, _) = findings(vec![Ok(vec![]), somebody()]).await;
        assert!(matches!(&all[..], [Finding::Enter(Input::Join(_), None)]), "it was founded meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn services_that_are_down_are_told_and_given_up() {
        let (all, took) = findings(vec![Err(())]).await;
        assert_eq!(took, GIVE_UP);
        assert_eq!(all.len(), 6);
        assert!(all[..5].iter().all(|f| matches!(f, Finding::Trouble(_))));
        assert!(matches!(&all[5], Finding::GiveUp(Event::Refused { code: "discovery", .. })));
        let (all, took) = findings(vec![Err(()), Ok(vec![])]).await;
        assert_eq!((took, all.len()), (COMPLAIN, 2));
    }

    #[test]
    fn founds_without_asking_only_when_nobody_is_remembered() {
        assert!(matches!(direct(&Entry::Found, true, true), Some(Input::Found)));
        assert!(matches!(direct(&Entry::Seek, false, false), Some(Input::Found)));
        assert!(matches!(direct(&Entry::Seek, true, false), Some(Input::Join(a)) if a.is_empty()));
        assert!(direct(&Entry::Seek, true, true).is_none());
        assert!(matches!(direct(&Entry::Join(vec!["a".into()]), false, true), Some(Input::Join(_))));
        assert!(direct(&Entry::Join(vec![]), false, true).is_none());
    }
}
