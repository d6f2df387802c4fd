//! How a node finds its way into a group, lets itself be found, and finds those who have found another one.
//!
//! Discovery is asked again and again until this node is a member: whoever was found first may be leaving, and somebody
//! else may found the group meanwhile. Whom the address book remembers is asked when discovery finds nobody, or when
//! those it found have not let this node in at once. The group is founded, under the guard, when discovery finds
//! nobody and nobody known from before answers; should halves come about all the same, the engine makes them meet: a
//! member goes on asking discovery now and then, for those whom nobody here has ever heard of.

use core::time::Duration;
use std::sync::Arc;

use tertulia_core::engine::api::{Event, Input};
use tertulia_core::peers::Addr;
use tertulia_core::rng::NodeRng;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::crypto::random;
use crate::discovery::{Announcement, Discovery, DiscoveryError, Founding};
use crate::link::Locator;

/// How a node enters its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Be the first member, here and now, asking nobody.
    Found,
    /// Join through any of these addresses.
    Join(Vec<Addr>),
    /// Ask discovery, and whomever the address book remembers; be the first member when nobody answers. Without
    /// discovery, be the first member only when the address book is empty.
    Seek,
}

/// Services that are down are complained about this often.
const COMPLAIN: Duration = Duration::from_secs(5);
/// After so long it is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Discovery is asked this often.
const LOOK: Duration = Duration::from_secs(1);
/// For so long an answer of those known from before is waited for.
const ANSWER: Duration = Duration::from_secs(5);
/// A service that has not answered for so long counts as down.
const LOOKUP: Duration = Duration::from_secs(3);
/// Members ask for others whom they do not know after so long, then after twice as long, and so on up to the longest.
const ROUND: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// The guard may have to be waited for.
const FOUNDING: Duration = Duration::from_secs(15);
const HINT: &str = "repair the service, join through a member with --join, or found the group with --found";

/// What the search has come to.
#[derive(Debug)]
pub(super) enum Finding {
    /// Tell people.
    Trouble(Event),
    /// Join through these as well; through the address book when there are none.
    Join(Vec<Addr>, Vain),
    /// These are members, known or not.
    Members(Vec<Addr>),
    /// Found the group, if nobody answers. The guard is held until this node can be found.
    Found(Founding),
    /// Tell people, and end.
    GiveUp(Event),
}

/// To be told when every address known so far was tried and nobody answers.
pub(super) type Vain = oneshot::Sender<()>;

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
pub(super) struct Search {
    discovery: Arc<dyn Discovery>,
    findings: mpsc::Sender<Finding>,
    /// The address book holds somebody.
    remembered: bool,
    /// Since when anybody is asked to let this node in.
    asking: Option<Instant>,
}

impl Search {
    pub(super) fn new(
        discovery: Arc<dyn Discovery>,
        findings: mpsc::Sender<Finding>,
        remembered: bool,
    ) -> Self {
        Search { discovery, findings, remembered, asking: None }
    }

    /// Searches until nobody wants to know any more, or it is given up.
    pub(super) async fn run(mut self) {
        let start = Instant::now();
        let mut complain = start + COMPLAIN;
        while !self.findings.is_closed() {
            let next = Instant::now() + LOOK;
            let round = self.round(next).await;
            sleep_until(next).await;
            if Instant::now() < complain {
                continue;
            }
            complain += COMPLAIN;
            let Err(error) = round else { continue };
            let reason = error.to_string();
            // Whoever asks to be let in gives up by itself.
            if self.asking.is_none() && Instant::now() >= start + GIVE_UP {
                self.tell(Finding::GiveUp(Event::Refused { code: "discovery", reason, hint: HINT })).await;
                return;
            }
            self.tell(Finding::Trouble(Event::Trouble { code: "discovery", reason, hint: HINT })).await;
        }
    }

    /// One round: join whoever is there, or those known from before, or found under the guard.
    async fn round(&mut self, until: Instant) -> Result<(), DiscoveryError> {
        let found = match in_time(LOOKUP, &*self.discovery, self.discovery.lookup()).await {
            Ok(found) => found,
            Err(error) => {
                if self.remembered {
                    self.join(&[]).await;
                }
                return Err(error);
            }
        };
        if !found.is_empty() {
            let late = self.asking.is_some();
            self.join(&found).await;
            if late && self.remembered {
                self.join(&[]).await;
            }
            return Ok(());
        }
        if (self.remembered || self.asking.is_some()) && !self.in_vain(until).await {
            return Ok(());
        }
        let guard = in_time(FOUNDING, &*self.discovery, self.discovery.founding()).await?;
        // Another program may have founded the group while this one waited for the guard.
        let found = in_time(LOOKUP, &*self.discovery, self.discovery.lookup()).await?;
        if found.is_empty() {
            self.tell(Finding::Found(guard)).await;
        } else {
            self.join(&found).await;
        }
        Ok(())
    }

    /// Asks to be let in by these, or by those in the address book. What it returns ends when nobody answers.
    async fn join(&mut self, found: &[Locator]) -> oneshot::Receiver<()> {
        self.asking.get_or_insert_with(Instant::now);
        let (vain, told) = oneshot::channel();
        self.tell(Finding::Join(addrs(found), vain)).await;
        told
    }

    /// True when nobody known from before answers.
    async fn in_vain(&mut self, until: Instant) -> bool {
        let told = self.join(&[]).await;
        let vain = timeout_at(until, told).await;
        matches!(vain, Ok(Ok(()))) || self.asking.is_some_and(|since| since.elapsed() >= ANSWER)
    }

    async fn tell(&self, finding: Finding) {
        // Without a driver there is nothing to search for.
        let _over = self.findings.send(finding).await;
    }
}

/// What a service answers, if it does so in time.
async fn in_time<T>(
    limit: Duration,
    discovery: &dyn Discovery,
    call: impl Future<Output = Result<T, DiscoveryError>>,
) -> Result<T, DiscoveryError> {
    timeout(limit, call).await.unwrap_or_else(|_| {
        Err(DiscoveryError::Down {
            place: discovery.kind().into(),
            reason: format!("no answer for {} s", limit.as_secs()),
            remedy: "see whether it runs and can be reached".into(),
        })
    })
}

fn addrs(found: &[Locator]) -> Vec<Addr> {
    found.iter().map(|at| at.as_str().into()).collect()
}

/// Asks discovery now and then who else is a member, until nobody wants to know any more.
pub(super) async fn look_around(discovery: Arc<dyn Discovery>, findings: mpsc::Sender<Finding>) {
    // All that it is for is that members do not ask in step.
    let mut rng = NodeRng::new(random().map_or(0, u64::from_le_bytes));
    let mut pause = ROUND.0;
    while !findings.is_closed() {
        sleep(rng.jitter(pause, 0.3)).await;
        pause = (pause * 2).min(ROUND.1);
        match in_time(LOOKUP, &*discovery, discovery.lookup()).await {
            // Without a driver nobody is to be met.
            Ok(found) => drop(findings.send(Finding::Members(addrs(&found))).await),
            Err(error) => tracing::debug!(%error, "not known whether there are other members"),
        }
    }
}

/// Lets this node be found; the guard is let go after that.
pub(super) async fn announce(
    discovery: &dyn Discovery,
    me: Announcement,
    guard: Option<Founding>,
    findings: mpsc::Sender<Finding>,
) {
    if let Err(error) = in_time(LOOKUP, discovery, discovery.announce(&me)).await {
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

    type Answer = Result<Vec<Locator>, ()>;

    /// Answers in turn; the last answer is repeated. Without any it never answers.
    struct Script(Mutex<Vec<Answer>>);

    #[async_trait]
    impl Discovery for Script {
        fn kind(&self) -> &'static str {
            "script"
        }
        async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
            if self.0.lock().is_empty() {
                return std::future::pending().await;
            }
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

    /// What a search says, shortly.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Said {
        Join(&'static str),
        Book,
        Found,
        Trouble,
        GiveUp,
    }
    use Said::*;

    fn somebody() -> Answer {
        Ok(vec!["tcp://127.0.0.1:1".parse().unwrap()])
    }

    /// What a search says until it founds, gives up, or `most` is said, and how long that takes. `silent` says
    /// whether it is never told that nobody is there.
    async fn said(script: Vec<Answer>, remembered: bool, silent: bool, most: usize) -> (Vec<Said>, Duration) {
        let (tx, mut rx) = mpsc::channel(1);
        let start = Instant::now();
        let task = tokio::spawn(Search::new(Arc::new(Script(Mutex::new(script))), tx, remembered).run());
        let (mut all, mut asked) = (Vec::new(), Vec::new());
        while let Some(finding) = rx.recv().await {
            let said = match finding {
                Finding::Trouble(_) => Trouble,
                Finding::GiveUp(Event::Refused { code: "discovery", .. }) => GiveUp,
                Finding::GiveUp(other) => panic!("{other:?}"),
                Finding::Found(_) => Found,
                Finding::Members(_) => panic!("nobody is a member yet"),
                Finding::Join(addrs, vain) => {
                    if silent {
                        asked.push(vain);
                    } else {
                        vain.send(()).ok();
                    }
                    addrs.first().map_or(Book, |a| Join(if &**a == "tcp://127.0.0.1:1" { "1" } else { "?" }))
                }
            };
            all.push(said);
            if all.last() == Some(&Found) || all.len() == most {
                break;
            }
        }
        let took = start.elapsed();
        drop(rx);
        task.await.unwrap();
        (all, took)
    }

    #[tokio::test(start_paused = true)]
    async fn joins_whoever_is_there_and_founds_when_nobody_is() {
        assert_eq!(said(vec![somebody()], false, true, 1).await, (vec![Join("1")], Duration::ZERO));
        assert_eq!(said(vec![Ok(vec![])], false, true, 9).await, (vec![Found], Duration::ZERO));
        let founded_meanwhile = vec![Ok(vec![]), somebody()];
        assert_eq!(said(founded_meanwhile, false, true, 1).await, (vec![Join("1")], Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn looks_again_while_joining() {
        let (all, took) = said(vec![somebody()], false, false, 3).await;
        assert_eq!((all, took), (vec![Join("1"); 3], 2 * LOOK));
        // Whoever was found has left: nobody is there.
        let (all, took) = said(vec![somebody(), Ok(vec![])], false, false, 9).await;
        assert_eq!((all, took), (vec![Join("1"), Book, Found], LOOK));
        // It still is asked.
        let (all, took) = said(vec![somebody(), Ok(vec![])], false, true, 99).await;
        assert_eq!((all.first(), all.last(), took), (Some(&Join("1")), Some(&Found), ANSWER));
    }

    #[tokio::test(start_paused = true)]
    async fn remembered_members_are_asked_before_it_founds() {
        let (all, took) = said(vec![Ok(vec![])], true, false, 9).await;
        assert_eq!((all, took), (vec![Book, Found], Duration::ZERO), "nobody is there");
        let (all, took) = said(vec![Ok(vec![])], true, true, 99).await;
        assert_eq!((all.first(), all.last(), took), (Some(&Book), Some(&Found), ANSWER));
        // Beside those that were found, when they do not let it in at once.
        let (all, took) = said(vec![somebody()], true, true, 3).await;
        assert_eq!((all, took), (vec![Join("1"), Join("1"), Book], LOOK));
        let (all, _) = said(vec![Err(())], true, true, 1).await;
        assert_eq!(all, [Book], "the service is down");
    }

    #[tokio::test(start_paused = true)]
    async fn services_that_are_down_are_told_and_given_up() {
        let (all, took) = said(vec![Err(())], false, true, 99).await;
        assert_eq!(took, GIVE_UP);
        assert_eq!(all, [Trouble, Trouble, Trouble, Trouble, Trouble, GiveUp]);
        let (all, took) = said(vec![Err(()), Ok(vec![])], false, true, 99).await;
        assert_eq!((all, took), (vec![Found], LOOK), "it is back");
        let (all, took) = said(vec![], false, true, 99).await;
        assert_eq!(
            (all.len(), all.last(), took),
            (6, Some(&GiveUp), GIVE_UP),
            "a service that hangs is down"
        );
        // Whoever asks a member is not interrupted by this.
        let (all, _) = said(vec![somebody(), Err(())], false, true, 20).await;
        assert!(!all.contains(&GiveUp) && all.contains(&Trouble));
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
