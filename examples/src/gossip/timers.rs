//! The timers of the shipped profile, all together: peers with their liveness messages, the group's own failure detector
//! and the seeds, in virtual time.

mod frozen;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tertulia::bus::Builder;
use tertulia::discovery::service::{News, Running, ServiceEvent};
use tertulia::profile::{Profile, Sources};
use tertulia::registry::Registry;
use tertulia_transports::memory;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::PROFILE;
use super::talk::{PROPAGATED, Plan, Talk};
use crate::chat::beside::Beside;
use crate::chat::overhear;
use crate::cli::{SHIPPED, ServeOptions, registry};
use frozen::Ice;

/// How often neighbours are asked whether they live.
const EVERY: Duration = Duration::from_secs(13);
/// Three questions and their time, the first of them up to 13 s after the silence began.
const THREE: Duration = Duration::from_secs(39);
const FOUR: Duration = Duration::from_secs(52);
/// A seed asks a peer that is reported before it believes that.
const ASKING: Duration = Duration::from_secs(3);

/// The shipped profile, except that all of it is within this process.
fn profile(name: &str) -> Profile {
    let sets = [
        "transport.kind=memory",
        "node.store=memory",
        "discovery.seeds=[\"memory://s0\", \"memory://s1\", \"memory://s2\", \"memory://s3\"]",
        &format!("node.listen=memory://{name}"),
        &format!("node.nick={name}"),
    ];
    let shipped = Sources::new(SHIPPED).profile(PROFILE);
    let sources = sets.iter().try_fold(shipped, |sources, set| sources.set(set)).unwrap();
    let profile = Profile::load(&sources).unwrap();
    assert_eq!(profile.detector.interval.0, EVERY);
    profile
}

/// What somebody told, and when.
type Told = Arc<Mutex<Vec<(Instant, Value)>>>;

struct Peer {
    told: Told,
    ice: Ice,
}

impl Peer {
    /// When it told this of somebody.
    fn said(&self, event: &str, of: &str) -> Vec<Instant> {
        let told = self.told.lock();
        let of = told.iter().filter(|(_, told)| told["event"] == event && told["nick"] == of);
        of.map(|(at, _)| *at).collect()
    }

    /// The nicks on its last list of peers.
    fn list(&self) -> Vec<String> {
        let told = self.told.lock();
        let last = told.iter().rfind(|(_, told)| told["event"] == "peer_list").unwrap();
        let peers = last.1["peers"].as_array().unwrap();
        peers.iter().map(|peer| peer["nick"].as_str().unwrap().to_owned()).collect()
    }
}

/// Four seeds, and peers that found each other through them.
struct Town {
    hub: memory::Hub,
    _seeds: Vec<Running>,
    news: mpsc::Receiver<ServiceEvent>,
    peers: Vec<Peer>,
}

impl Town {
    async fn new() -> Town {
        let (hub, (tell, news)) = (memory::Hub::default(), mpsc::channel(1000));
        let mut town = Town { hub, _seeds: Vec::new(), news, peers: Vec::new() };
        let registry = town.registry(&Ice::default());
        let seeds = ServeOptions::default().start(&profile("seed"), &registry, &tell).await;
        town._seeds = seeds.unwrap();
        town
    }

    /// Peers, one after the other, a second apart; they have asked each other before this is over.
    async fn with(peers: usize) -> Town {
        let mut town = Town::new().await;
        for number in 0..peers {
            let (port, gossip, pause) = (5000 + number as u16, 0, Duration::from_secs(1));
            town.joins(Box::new(Talk::new(Plan { port, gossip, pause, every: EVERY }))).await;
        }
        sleep(EVERY * 3).await;
        town
    }

    fn registry(&self, ice: &Ice) -> Registry {
        let (mut all, hub, ice) = (registry().unwrap(), self.hub.clone(), ice.clone());
        let build = move |config, _: &()| Ok::<_, String>(ice.around(memory::build(&config, &hub)));
        all.transport.add(memory::KIND, memory::Config::default(), build).unwrap();
        all
    }

    /// One more peer: p0, p1 and so on.
    async fn joins(&mut self, beside: Box<dyn Beside>) {
        let (ice, told) = (Ice::default(), Told::default());
        let profile = profile(&format!("p{}", self.peers.len()));
        let builder = Builder::from_profile(&profile, &self.registry(&ice)).unwrap();
        let mut lines = BufReader::new(overhear(builder, PROPAGATED, beside).await).lines();
        let all = told.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                all.lock().push((Instant::now(), serde_json::from_str(&line).unwrap()));
            }
        });
        self.peers.push(Peer { told, ice });
        sleep(Duration::from_secs(1)).await;
    }

    /// Why the seeds took peers off their lists since this was last asked, and when.
    fn removed(&mut self) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        while let Ok(event) = self.news.try_recv() {
            if let News::Removed { reason, .. } = event.news {
                reasons.push(reason);
            }
        }
        reasons
    }
}

const REPORTED: &str = "reported dead, and it does not answer";

/// Whenever a peer falls silent, each of its neighbours asks it three times, reports it and has it off its list, the seeds
/// take it off theirs for that reason, and only then is it dead for the group itself.
async fn a_silent_peer_is_reported(peers: usize) {
    // At whatever moment between two questions.
    for ms in (0..13_000).step_by(3250) {
        let mut town = Town::with(peers).await;
        sleep(Duration::from_millis(ms)).await;
        assert_eq!(town.removed(), [""; 0]);
        let silent = Instant::now();
        town.peers[0].ice.freeze();
        sleep(FOUR + ASKING).await;
        assert_eq!(town.removed(), [REPORTED; 3], "after {ms} ms");
        for peer in &town.peers[1..] {
            let reported = peer.said("reported", "p0");
            assert_eq!(reported.len(), 1, "after {ms} ms");
            let took = reported[0] - silent;
            assert!(took > THREE - ASKING && took < FOUR + ASKING, "after {ms} ms: {took:?}");
            assert_eq!(peer.said("dead", "p0"), []);
        }
        sleep(EVERY * 2).await;
        for peer in &town.peers[1..] {
            assert_eq!(peer.list().len(), peers - 2, "after {ms} ms");
            assert_eq!(peer.said("dead", "p0").len(), 1, "after {ms} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_one_of_two_is_reported_before_anything_else_is_said_of_it() {
    a_silent_peer_is_reported(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_one_of_five_is_reported_before_anything_else_is_said_of_it() {
    a_silent_peer_is_reported(5).await;
}

/// A member run by a program that does not know liveness messages lives all the same, and is reported once it is silent.
#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_answer_is_dead_only_when_it_is_silent() {
    let mut town = Town::with(2).await;
    town.joins(Box::new(())).await;
    sleep(Duration::from_secs(600)).await;
    for peer in &town.peers[..2] {
        assert_eq!(peer.said("reported", "p2"), []);
        assert!(peer.list().contains(&"p2".to_owned()));
    }
    assert_eq!(town.removed(), [""; 0]);
    town.peers[2].ice.freeze();
    sleep(FOUR + EVERY).await;
    assert_eq!(town.removed(), [REPORTED; 3]);
    for peer in &town.peers[..2] {
        assert_eq!(peer.said("reported", "p2").len(), 1);
    }
}
