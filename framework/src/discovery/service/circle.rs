//! Several services of one kind that do not know of each other: what a member does with n/2+1 of them, any two such
//! choices have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tertulia_core::rng::NodeRng;
use tertulia_core::wire::WireError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::wire::{FOUND, RELEASE, bare, yes_or_no};
use super::{Access, ServiceError};
use crate::crypto::random;
use crate::discovery::{DiscoveryError, Founding};
use crate::link::Locator;

/// How long another program may found before one stops waiting for it.
const FOUNDING_WAIT: Duration = Duration::from_secs(12);
/// The shortest and the longest pause before founding is asked for again.
const FOUNDING_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
/// The right to found is asked for again this often: services forget it after 10 s.
const RENEW: Duration = Duration::from_secs(3);
/// A service that has not answered for so long is no longer waited for alone.
const SLOW: Duration = Duration::from_millis(800);
/// Services of one kind at most.
const MOST: usize = 64;

/// The services of one kind that a profile lists.
pub(in crate::discovery) struct Circle {
    /// As in the profile.
    pub(in crate::discovery) places: Vec<Locator>,
    /// In an order of this run's own.
    pub(in crate::discovery) order: Vec<Locator>,
    pub(in crate::discovery) rng: Mutex<NodeRng>,
    /// What they are called.
    name: &'static str,
    /// How they are started.
    remedy: &'static str,
    access: OnceLock<Access>,
    /// This member may found at this moment.
    founds: AtomicBool,
}

/// Reads the addresses of services from the option `key`; those without a scheme are `transport`'s.
pub(in crate::discovery) fn places(
    key: &str,
    texts: &[String],
    transport: &str,
) -> Result<Vec<Locator>, String> {
    if texts.is_empty() || texts.len() > MOST {
        return Err(format!("{key}: list 1 to {MOST} addresses"));
    }
    let read = |text: &String| Locator::parse_or(transport, text).map_err(|e| format!("{key}: {e}"));
    let places = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut sorted: Vec<&Locator> = places.iter().collect();
    sorted.sort();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(format!("{key}: one of the addresses is listed twice"));
    }
    Ok(places)
}

impl Circle {
    pub(in crate::discovery) fn new(
        name: &'static str,
        remedy: &'static str,
        places: Vec<Locator>,
    ) -> Result<Self, String> {
        let random = random().map_err(|e| e.to_string())?;
        let mut rng = NodeRng::new(u64::from_le_bytes(random));
        let mut order = places.clone();
        rng.shuffle(&mut order);
        let (access, founds) = (OnceLock::new(), AtomicBool::new(false));
        Ok(Circle { places, order, rng: Mutex::new(rng), name, remedy, access, founds })
    }

    /// A client serves one node: the first access counts.
    pub(in crate::discovery) fn attach(&self, access: Access) {
        let _attached = self.access.set(access);
    }

    pub(in crate::discovery) fn access(&self) -> Result<&Access, DiscoveryError> {
        self.access.get().ok_or_else(|| self.down("there is no member yet that could ask them"))
    }

    /// n/2+1.
    pub(in crate::discovery) fn enough(&self) -> usize {
        self.places.len() / 2 + 1
    }

    /// This member may found at this moment.
    pub(in crate::discovery) fn founds(&self) -> bool {
        self.founds.load(Ordering::Acquire)
    }

    fn place(&self) -> String {
        let all: Vec<&str> = self.places.iter().map(Locator::as_str).collect();
        format!("the {} {}", self.name, all.join(", "))
    }

    pub(in crate::discovery) fn down(&self, reason: impl Into<String>) -> DiscoveryError {
        DiscoveryError::Down { place: self.place(), reason: reason.into(), remedy: self.remedy.into() }
    }

    /// They know a group, and nobody in it to ask.
    pub(in crate::discovery) fn waits(&self, seconds: u64) -> DiscoveryError {
        let reason = format!(
            "there is a group, but none of its members is known to answer; that counts for another {seconds} s"
        );
        let remedy = "wait, or join through a member's address".into();
        DiscoveryError::Down { place: self.place(), reason, remedy }
    }

    /// Too few answered for what they are needed for.
    pub(in crate::discovery) fn few(
        &self,
        answers: usize,
        what: &str,
        wrong: Option<&ServiceError>,
    ) -> DiscoveryError {
        let (all, enough) = (self.places.len(), self.enough());
        let why = wrong.map(|e| format!(" ({e})")).unwrap_or_default();
        self.down(format!("{answers} of {all} answer, and {enough} are needed to {what}{why}"))
    }

    /// Asks all of these at the same time.
    pub(in crate::discovery) async fn ask<T: Send + 'static>(
        &self,
        places: Vec<Locator>,
        request: &[u8],
        read: Read<T>,
    ) -> Vec<(Locator, Result<T, ServiceError>)> {
        let Ok(access) = self.access() else { return Vec::new() };
        let mut asked = JoinSet::new();
        let request = Bytes::copy_from_slice(request);
        for at in places {
            let answer = ask(access.clone(), at.clone(), request.clone(), read);
            asked.spawn(async move { (at, answer.await) });
        }
        asked.join_all().await
    }

    /// Asks n/2+1 services that answer: those of this run's choice, and others in place of those that are down, refuse
    /// or are slow. Returns what was answered, and what was wrong with the last that did not.
    pub(in crate::discovery) async fn gather<T: Send + 'static>(
        &self,
        request: &[u8],
        read: Read<Result<T, String>>,
    ) -> (BTreeMap<Locator, T>, Option<ServiceError>) {
        let (mut answered, mut wrong) = (BTreeMap::new(), None);
        let Ok(access) = self.access() else { return (answered, wrong) };
        let request = Bytes::copy_from_slice(request);
        let (mut asked, mut order) = (JoinSet::new(), self.order.iter());
        // Those that still may be in time.
        let mut hopeful = 0;
        while answered.len() < self.enough() {
            while hopeful + answered.len() < self.enough()
                && let Some(at) = order.next().cloned()
            {
                let answer = ask(access.clone(), at.clone(), request.clone(), read);
                asked.spawn(async move { (at, answer.await) });
                hopeful += 1;
            }
            let Ok(next) = timeout(SLOW, asked.join_next()).await else {
                hopeful = 0;
                continue;
            };
            hopeful = hopeful.saturating_sub(1);
            match next {
                None => break,
                Some(Ok((at, Ok(Ok(answer))))) => drop(answered.insert(at, answer)),
                Some(Ok((at, Ok(Err(why))))) => wrong = Some(ServiceError::refused(&at, &why)),
                Some(Ok((_, Err(error)))) => wrong = Some(error),
                Some(Err(_)) => {}
            }
        }
        (answered, wrong)
    }

    /// Tells all of these something; whoever cannot be told learns it in another way, or not at all.
    pub(in crate::discovery) async fn tell(&self, places: Vec<Locator>, request: &[u8]) {
        for (at, answer) in self.ask(places, request, yes_or_no).await {
            if let Err(error) = answer {
                tracing::debug!(%at, %error, "a service was not told");
            }
        }
    }

    /// Waits for the right to found.
    pub(in crate::discovery) async fn founding(self: &Arc<Self>) -> Result<Founding, DiscoveryError> {
        let deadline = Instant::now() + FOUNDING_WAIT;
        loop {
            if let Some(held) = self.try_found().await? {
                self.founds.store(true, Ordering::Release);
                return Ok(Founding::held(held));
            }
            if Instant::now() >= deadline {
                return Err(DiscoveryError::Busy(self.place()));
            }
            let (least, most) = FOUNDING_PAUSE;
            let pause = least + (most - least).mul_f64(self.rng.lock().unit());
            sleep(pause).await;
        }
    }

    /// Asks the services for the right to found, one after the other in the order of the profile, so that of several
    /// members that start together the first one gets all. `None` while another one has it.
    async fn try_found(self: &Arc<Self>) -> Result<Option<Held>, DiscoveryError> {
        let access = self.access()?;
        let (mut given, mut wrong, mut free) = (Vec::new(), None, true);
        let request = Bytes::from(bare(FOUND));
        for at in &self.places {
            match ask(access.clone(), at.clone(), request.clone(), yes_or_no).await {
                Ok(Ok(())) => given.push(at.clone()),
                Ok(Err(_)) => {
                    free = false;
                    break;
                }
                Err(error) => wrong = Some(error),
            }
        }
        let count = given.len();
        // Dropped, it lets go of what was given.
        let held = Held::new(self, given);
        match free {
            true if count >= self.enough() => Ok(Some(held)),
            true => Err(self.few(count, "found the group", wrong.as_ref())),
            false => Ok(None),
        }
    }
}

/// Reads an answer.
type Read<T> = fn(&[u8]) -> Result<T, WireError>;

async fn ask<T>(access: Access, at: Locator, request: Bytes, read: Read<T>) -> Result<T, ServiceError> {
    let bytes = access.ask(&at, &request).await?;
    read(&bytes).map_err(|_| ServiceError::malformed(&at))
}

/// The right to found: asked for again and again while this lasts, and let go when it ends.
struct Held {
    circle: Arc<Circle>,
    _lasts: oneshot::Sender<()>,
}

impl Held {
    /// These services gave it.
    fn new(circle: &Arc<Circle>, places: Vec<Locator>) -> Self {
        let (lasts, mut over) = oneshot::channel();
        let keeper = circle.clone();
        // Without a runtime the program ends, and the services' own limit does it.
        tokio::spawn(async move {
            while timeout(RENEW, &mut over).await.is_err() {
                keeper.tell(places.clone(), &bare(FOUND)).await;
            }
            keeper.tell(places, &bare(RELEASE)).await;
        });
        Held { circle: circle.clone(), _lasts: lasts }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.circle.founds.store(false, Ordering::Release);
    }
}
