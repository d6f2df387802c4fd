//! The gossip chat as its document has it, as real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Mutex;

use serde_json::Value;
use tertulia::profile::Profile;
use tertulia_core::units::Span;
use tertulia_tests::program::group::whole;
use tertulia_tests::program::{Chat, Event, Place, Running, Signal, State};

/// Peers, and gossip messages of each.
const PEERS: usize = 16;
const GOSSIP: u64 = 10;
/// Held by tests that need the machine for themselves.
static ALONE: Mutex<()> = Mutex::new(());

/// Addresses where nobody listens.
fn free(n: usize) -> Vec<String> {
    let held: Vec<TcpListener> = (0..n).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|at| at.local_addr().unwrap().to_string()).collect()
}

struct Town {
    place: Place,
    seeds: Vec<String>,
}

impl Town {
    fn new(seeds: usize) -> Town {
        Town { place: Place::new(), seeds: free(seeds) }
    }

    /// The program, with the profile's own timers.
    fn shipped(&self, name: &str, args: &[&str]) -> Chat {
        self.place.program("gossip-chat", name, args).set(&format!("discovery.seeds={:?}", self.seeds))
    }

    /// The program, with timers that a test can wait for. Many programs on a small machine have time to answer, and seeds
    /// forget nobody by themselves.
    fn run(&self, name: &str, args: &[&str]) -> Chat {
        self.shipped(name, args)
            .set("discovery.update=10s")
            .set("discovery.expire=3h")
            .set("detector.interval=2s")
            .set("detector.timeout=5s")
            .set("detector.suspicion=10s")
    }

    fn seed(&self, args: &[&str]) -> Running {
        self.run("seed", &[&["seed"], args].concat()).start()
    }

    fn peer(&self, nick: &str) -> Running {
        let gossip = GOSSIP.to_string();
        let args = ["--nick", nick, "--gossip", &gossip, "--pause", "20ms"];
        self.run(nick, &args).arg("--data-dir").arg(self.place.data(nick)).start()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path().join(name)).unwrap()
    }
}

/// Waits until so many events of a name came; all of them.
fn many(running: &Running, name: &str, n: usize) -> Vec<Value> {
    running.until(&format!("{n} times {name}"), |state| {
        let all: Vec<Value> = state.named(name).filter_map(|s| s.event.named(name).cloned()).collect();
        (all.len() >= n).then_some(all)
    })
}

/// The seeds that have this peer on their lists, by what they told.
fn lists(state: &State, peer: &str) -> BTreeSet<String> {
    let mut lists = BTreeSet::new();
    for told in state.told.iter().filter_map(|s| match &s.event {
        Event::Other(told) if told["peer"] == *peer => Some(told),
        _ => None,
    }) {
        let at = told["addr"].as_str().unwrap().to_owned();
        match told["event"].as_str() {
            Some("registered") => drop(lists.insert(at)),
            Some("removed") => drop(lists.remove(&at)),
            _ => {}
        }
    }
    lists
}

fn port(peer: &Running) -> String {
    peer.addr().rsplit(':').next().unwrap().to_owned()
}

#[test]
fn peers_gossip_and_watch_each_other() {
    let _alone = ALONE.lock();
    let town = Town::new(4);
    let seed = town.seed(&[]);
    let ready = many(&seed, "ready", 4);
    let mut at: Vec<String> =
        ready.iter().map(|r| r["addr"].as_str().unwrap().replace("tcp://", "")).collect();
    at.sort();
    let mut seeds = town.seeds.clone();
    seeds.sort();
    assert_eq!(at, seeds);
    let peers: Vec<Running> = (0..PEERS).map(|i| town.peer(&format!("p{i}"))).collect();
    // Each with n/2+1 of the four, or one more in place of one that was slow to say so.
    for peer in &peers {
        let peer = peer.peer();
        seed.until("it on three lists", |state| (lists(state, &peer).len() >= 3).then_some(()));
    }

    let mut arrived = 0;
    for peer in &peers {
        let mut counts: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let all = many(peer, "gossip", PEERS * GOSSIP as usize);
        for one in &all {
            let code = one["code"].as_u64().unwrap();
            assert!(code == 1133 || code == 1155, "{one}");
            counts.entry(one["port"].as_u64().unwrap()).or_default().push(one["count"].as_u64().unwrap());
        }
        assert_eq!(counts.len(), PEERS, "one's own included");
        for (port, of) in counts {
            assert_eq!(of, (1..=GOSSIP).collect::<Vec<_>>(), "of {port}");
        }
        arrived += all.iter().filter(|one| one["own"].is_null()).count();
        peer.event("an answer", |e| e.named("liveness").filter(|e| e["code"] == 1144).map(|_| ()));
        peer.event("a question", |e| e.named("liveness").filter(|e| e["code"] == 1122).map(|_| ()));
        peer.event("a list", |e| {
            e.named("peer_list").filter(|e| !e["peers"].as_array().unwrap().is_empty()).map(|_| ())
        });
    }

    assert_eq!(arrived, PEERS * (PEERS - 1) * GOSSIP as usize);

    // Closing a peer without a word: the others tell the seeds, which ask it, and take it off their lists.
    let dead = peers[0].peer();
    peers[0].kill();
    seed.until("it on no list", |state| lists(state, &dead).is_empty().then_some(()));
    let removed = many(&seed, "removed", 3);
    for one in &removed {
        assert_eq!(
            (&one["peer"], &one["service"]),
            (&Value::from(&*dead), &Value::from("seeds")),
            "{removed:?}"
        );
        assert!(one["reason"].as_str().unwrap().starts_with("reported dead"), "{one}");
    }

    // The files say what the terminal said, in the document's words.
    let file = town.file(&format!("output_{}.txt", port(&peers[1])));
    let line = |code: &str| file.lines().filter(|l| l.starts_with(code)).count();
    assert_eq!(line("1133 ") + line("1155 "), PEERS * GOSSIP as usize);
    assert!(line("1122 ") > 0 && line("1144 ") > 0 && line("peer list: tcp://") > 0, "{file}");
    let file = town.file("output_seed.txt");
    assert!(file.lines().filter(|l| l.contains(" is at tcp://")).count() >= 3 * PEERS, "{file}");
    let gone = file.lines().filter(|l| l.contains("is removed: reported dead")).count();
    assert_eq!(gone, removed.len(), "{file}");
    for peer in &peers[1..] {
        peer.leaves();
    }
    seed.event("a goodbye", |e| e.named("removed").filter(|e| e["reason"] == "it left").map(|_| ()));
}

/// The shipped timers, all shorter by the same factor; what takes as long as it takes still has its time.
fn shorter(times: u32) -> Vec<String> {
    let profile = Profile::parse("gossip", include_str!("../../examples/profiles/gossip.toml")).unwrap();
    let seeds = |key: &str| profile.discovery.options[key].as_str().unwrap().parse::<Span>().unwrap();
    let detector = &profile.detector;
    let all = [
        ("discovery.update", seeds("update")),
        ("discovery.expire", seeds("expire")),
        ("detector.interval", detector.interval),
        ("detector.timeout", detector.timeout),
        ("detector.suspicion", detector.suspicion),
    ];
    all.map(|(key, time)| format!("{key}={}ms", (time.0 / times).as_millis())).to_vec()
}

/// A frozen peer, whose connections stay open: whoever hears nothing of it says so when three liveness messages are
/// unanswered, and the seeds take it off their lists for that reason before they would forget it.
#[test]
fn a_frozen_peer_is_reported_dead() {
    const TIMES: u32 = 4;
    let _alone = ALONE.lock();
    let town = Town::new(2);
    let timers = shorter(TIMES);
    let start = |name: &str, args: &[&str]| {
        let chat = town.shipped(name, args).arg("--data-dir").arg(town.place.data(name));
        timers.iter().fold(chat, |chat, timer| chat.set(timer)).start()
    };
    let seed = start("seed", &["seed"]);
    many(&seed, "ready", 2);
    let [ana, ben, tom] = ["ana", "ben", "tom"].map(|nick| start(nick, &["--nick", nick]));
    whole(&[&ana, &ben, &tom]);
    many(&seed, "registered", 6);
    for peer in [&ana, &ben] {
        peer.event("tom's answer", |e| {
            e.named("liveness").filter(|e| e["code"] == 1144 && e["from"] == "tom").map(|_| ())
        });
    }
    let gone = tom.peer();
    tom.signal(Signal::STOP);
    for peer in [&ana, &ben] {
        peer.event("the report", |e| e.named("reported").filter(|e| e["peer"] == *gone).map(|_| ()));
        assert_eq!(peer.state(|state| state.named("dead").count()), 0, "the liveness messages come first");
    }
    for removed in many(&seed, "removed", 2) {
        assert_eq!(removed["peer"], *gone, "{removed}");
        assert!(removed["reason"].as_str().unwrap().starts_with("reported dead"), "{removed}");
    }
    tom.kill();
    for peer in [&ana, &ben] {
        peer.leaves();
    }
}

#[test]
fn seeds_come_back_with_what_they_knew() {
    let town = Town::new(3);
    let seed = town.seed(&[]);
    many(&seed, "ready", 3);
    let ana = town.peer("ana");
    let ben = town.peer("ben");
    many(&seed, "registered", 4);
    // Asked to end, they save what is new; a group that runs needs none of them.
    seed.signal(Signal::TERM);
    assert_eq!(seed.exit(), 0);
    ana.say("still here");
    ben.event("what ana says", |e| match e {
        Event::Message(m) => (&*m.text == "still here").then_some(()),
        _ => None,
    });
    // One each, this time: two of the three.
    let one = town.seed(&["--index", "0"]);
    let two = town.seed(&["--only", "seed-2"]);
    for seed in [&one, &two] {
        assert_eq!(seed.named("ready")["service"], "seeds");
    }
    let eva = town.peer("eva");
    whole(&[&ana, &ben, &eva]);
    eva.leaves();
    // These may have been about to tell the seeds something.
    for peer in [&ana, &ben] {
        peer.has_left();
    }
}

#[test]
fn without_seeds_nobody_founds_a_group_silently() {
    let town = Town::new(2);
    let peer = town.peer("ana");
    let error = peer.named("error");
    let reason = error["reason"].as_str().unwrap();
    assert!(reason.contains("0 of 2 answer"), "{reason}");
    peer.kill();
    let founder = town.run("ben", &["--nick", "ben", "--found"]).start();
    founder.peer();
    founder.kill();
}

#[test]
fn what_cannot_be_served_is_told() {
    let place = Place::new();
    let says = |args: &[&str], text: &str| {
        let output = place.run("tertulia", args, &[]);
        assert_eq!((output.status, &*output.stdout), (2, ""), "{args:?}");
        assert!(output.stderr.contains(text), "{}", output.stderr);
    };
    says(&["serve", "ring"], "discovery `local` has no services to run");
    says(&["serve", "gossip", "--only", "seed-4"], "this profile has no service `seed-4`; ");
    says(&["serve", "gossip", "--only", "seed-0", "--listen", "0.0.0.0:0"], "has the demo secret");
    says(&["serve", "gossip", "--listen", "127.0.0.1:0"], "--only");
    says(&["serve", "gossip", "--set", "discovery.expire=14s"], "expire: write at least twice `update`");
}
