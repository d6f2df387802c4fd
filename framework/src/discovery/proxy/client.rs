//! The member's side of proxies.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tertulia_core::ballot::Certificate;
use tertulia_core::id::PeerId;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::ProxyConfig;
use super::messages::{Answer, MEMBERS_MAX, Request};
use super::server::Proxy as Server;
use crate::discovery::service::circle::{Circle, places};
use crate::discovery::service::server::posts;
use crate::discovery::service::wire::{ADDRS_MAX, Entry, yes_or_no};
use crate::discovery::service::{Access, Service, ServiceError};
use crate::discovery::{Announcement, Discovery, DiscoveryError, Electors, Founding, Leading, kind};
use crate::link::Locator;

/// The shortest and the longest pause before proxies that could not be told are told again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// How long leaving may wait for proxies.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long a founder may take to be its group's leader; announcing may take 3 s in all.
const ELECTION: Duration = Duration::from_millis(2_500);

/// Finds the leader through proxies. See the [module](super).
pub struct Proxy(Arc<Inner>);

struct Inner {
    config: ProxyConfig,
    circle: Arc<Circle>,
    state: Mutex<State>,
    /// A proxy knows that this member leads, or the group needs no founder any more.
    led: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// It is a member.
    member: bool,
    /// It was sent to somebody before it was one.
    sent: bool,
    /// It leads, and tells the proxies so.
    leads: Option<AbortHandle>,
}

impl Proxy {
    /// The client of these proxies; addresses without a scheme are `transport`'s.
    ///
    /// # Errors
    /// The option to correct.
    pub fn build(config: ProxyConfig, transport: &str) -> Result<Arc<Self>, String> {
        config.check()?;
        let places = places("proxies", &config.proxies, transport)?;
        let circle = Circle::new("proxies", "start them (`tertulia serve`, `leader-chat proxy`)", places)?;
        let (circle, led) = (Arc::new(circle), watch::channel(false).0);
        Ok(Arc::new(Proxy(Arc::new(Inner { config, circle, state: Mutex::default(), led }))))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.lead_no_more();
    }
}

#[async_trait]
impl Discovery for Proxy {
    fn kind(&self) -> &'static str {
        kind::PROXY
    }

    fn needs_leader(&self) -> bool {
        true
    }

    fn attach(&self, access: Access) {
        self.0.circle.attach(access);
    }

    fn services(&self) -> Vec<Box<dyn Service>> {
        posts(Server { expire: self.0.config.expire.0 }, &self.0.circle.places)
    }

    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        self.0.lookup().await
    }

    async fn announce(&self, _: &Announcement) -> Result<(), DiscoveryError> {
        self.0.state.lock().member = true;
        if !self.0.circle.founds() {
            return Ok(());
        }
        // Nobody else may found before a proxy knows whom to send them to.
        let mut led = self.0.led.subscribe();
        match timeout(ELECTION, led.wait_for(|led| *led)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.0.circle.down("none could be told of a leader that a majority elected")),
        }
    }

    fn leads(&self, leading: Option<Leading>) {
        self.0.lead_no_more();
        let Some(leading) = leading else { return };
        match Certificate::decode(&leading.proof) {
            Ok(proof) => {
                let task = tokio::spawn(lead(Arc::downgrade(&self.0), proof, leading));
                self.0.state.lock().leads = Some(task.abort_handle());
            }
            Err(error) => tracing::warn!(%error, "this leader has no certificate: no proxy can be moved"),
        }
    }

    async fn withdraw(&self) {
        if self.0.lead_no_more() {
            let all = self.0.circle.places.clone();
            let _slow = timeout(GOODBYE, self.0.circle.tell(all, &Request::Resign.encode())).await;
        }
    }

    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        self.0.circle.founding().await
    }
}

/// Tells the proxies that this member leads: now, whenever its electors have changed, and regularly.
async fn lead(inner: Weak<Inner>, proof: Certificate, mut leading: Leading) {
    let mut again = AGAIN.0;
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let members = entries(leading.electors.borrow_and_update().clone(), &proof.ballot.peer);
        let pause = match inner.tell_of(Request::Lead { proof: proof.clone(), members }).await {
            true => inner.config.update.0,
            false => again.min(inner.config.update.0),
        };
        again = if pause == again { (again * 2).min(AGAIN.1) } else { AGAIN.0 };
        drop(inner);
        tokio::select! {
            () = sleep(pause) => {}
            changed = leading.electors.changed() => if changed.is_err() { return },
        }
    }
}

/// Members as proxies are told of them: the leader first, and as many as an election counts.
fn entries(members: Electors, leader: &PeerId) -> Vec<Entry> {
    let entry = |(peer, mut addrs): (PeerId, Vec<Locator>)| {
        addrs.truncate(ADDRS_MAX);
        Entry { peer, addrs }
    };
    let mut all: Vec<Entry> = members.into_iter().map(entry).collect();
    all.sort_by_key(|m| (m.peer != *leader, m.peer));
    all.truncate(MEMBERS_MAX);
    all
}

impl Inner {
    /// True when it led.
    fn lead_no_more(&self) -> bool {
        self.state.lock().leads.take().is_some_and(|task| {
            task.abort();
            true
        })
    }

    /// Tells every proxy; true when all took it.
    async fn tell_of(&self, request: Request) -> bool {
        let mut reached = 0;
        for (at, answer) in self.circle.ask(self.circle.places.clone(), &request.encode(), yes_or_no).await {
            match answer {
                Ok(Ok(())) => reached += 1,
                Ok(Err(why)) => tracing::info!(%at, %why, "a proxy was not moved"),
                Err(error) => tracing::debug!(%at, %error, "a proxy was not told"),
            }
        }
        if reached > 0 {
            self.led.send_replace(true);
        }
        reached == self.circle.places.len()
    }

    /// Whom the proxies say to ask: what was said of the latest term first, the leader before others.
    async fn lookup(self: &Arc<Self>) -> Result<Vec<Locator>, DiscoveryError> {
        let me = self.circle.access()?.me();
        let (mut known, mut answers, mut waits, mut wrong) = (Vec::new(), 0, None, None);
        let who = Request::Who.encode();
        for (at, answer) in self.circle.ask(self.circle.places.clone(), &who, Answer::decode).await {
            match answer {
                Ok(Answer::Ask(term, entries)) => {
                    answers += 1;
                    known.push((term, entries));
                }
                Ok(Answer::Wait(seconds)) => waits = waits.max(Some(seconds)),
                Ok(_) => wrong = Some(ServiceError::malformed(&at)),
                Err(error) => wrong = Some(error),
            }
        }
        known.sort_by_key(|(term, _)| std::cmp::Reverse(*term));
        let mut once = BTreeSet::new();
        let entries = known.into_iter().flat_map(|(_, entries)| entries).filter(|e| e.peer != me);
        let mut found: Vec<Locator> = entries.flat_map(|e| e.addrs).collect();
        found.retain(|at| once.insert(at.clone()));
        if let Some(seconds) = waits.filter(|_| found.is_empty()) {
            return Err(self.circle.waits(seconds));
        }
        if found.is_empty() && answers < self.circle.enough() {
            return Err(self.circle.few(answers, "know that nobody is there", wrong.as_ref()));
        }
        self.doubt(!found.is_empty());
        Ok(found)
    }

    /// Who looks again was not let in by those that it was sent to.
    fn doubt(self: &Arc<Self>, sent: bool) {
        let mut state = self.state.lock();
        let again = std::mem::replace(&mut state.sent, sent);
        if again && !state.member {
            let inner = self.clone();
            tokio::spawn(async move {
                inner.circle.tell(inner.circle.places.clone(), &Request::Doubt.encode()).await;
            });
        }
    }
}
