//! The documented messages of the gossip chat, and its lists.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tertulia_core::engine::api::{Event, Who};
use tertulia_core::id::PeerId;
use tertulia_core::time::{Instant, earliest};

use super::liveness::{Due, Liveness};
use crate::chat::beside::{Act, Beside, Heard, Now};
use crate::chat::text::clean;
use crate::chat::told::{hex, told};

/// `<1133> <port> <timestamp> <count>`: a gossip message, as its author sent it.
pub(super) const GOSSIP: u16 = 1133;
/// The same, when it came through others.
pub(super) const PROPAGATED: u16 = 1155;
/// `<1122> <timestamp> <port>`: are you there?
pub(super) const LIVENESS: u16 = 1122;
/// `<1144> <timestamp> <asker's port> <port>`: I am.
pub(super) const REPLY: u16 = 1144;

/// What to do, apart from answering.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// This member's port.
    pub(super) port: u16,
    /// Gossip messages to send, and the pause between two.
    pub(super) gossip: u32,
    pub(super) pause: Duration,
    /// How often neighbours are asked whether they live, and the list of peers is told.
    pub(super) every: Duration,
}

/// The documented part of the gossip chat.
pub(super) struct Talk {
    plan: Plan,
    liveness: Liveness,
    neighbours: BTreeMap<PeerId, Who>,
    /// Gossip messages sent, and when the next one is due.
    sent: u32,
    gossips: Option<Instant>,
    lists: Option<Instant>,
}

impl Talk {
    pub(super) fn new(plan: Plan) -> Self {
        let (liveness, neighbours) = (Liveness::new(plan.every), BTreeMap::new());
        Talk { plan, liveness, neighbours, sent: 0, gossips: None, lists: None }
    }

    /// The peers that this one is linked to, without those declared dead.
    fn list(&self) -> Act {
        let peers = self.liveness.alive().filter_map(|peer| self.neighbours.get(peer));
        let peer = |who: &Who| json!({"peer": hex(who.peer), "nick": clean(&who.nick), "addr": addr(who)});
        Act::Tell(told("peer_list", json!({"peers": peers.map(peer).collect::<Vec<_>>()})))
    }

    fn gossip(&mut self, now: Now, acts: &mut Vec<Act>) {
        if self.gossips.is_none_or(|at| at > now.at) {
            return;
        }
        self.sent += 1;
        self.gossips = (self.sent < self.plan.gossip).then(|| now.at + self.plan.pause);
        let (port, ms, count) = (self.plan.port, now.ms, self.sent);
        acts.push(Act::Publish { kind: GOSSIP, text: format!("{port} {ms} {count}") });
        let own = json!({"code": GOSSIP, "port": port, "timestamp": ms, "count": count, "own": true});
        acts.push(Act::Tell(told("gossip", own)));
    }

    fn liveness(&mut self, now: Now, acts: &mut Vec<Act>) {
        for due in self.liveness.due(now.at) {
            match due {
                Due::Ask(to) => {
                    acts.push(Act::Send {
                        to,
                        kind: LIVENESS,
                        text: format!("{} {}", now.ms, self.plan.port),
                    });
                }
                Due::Dead(peer) => {
                    acts.push(Act::Report(peer));
                    if let Some(who) = self.neighbours.get(&peer) {
                        let fields = json!({
                            "peer": hex(peer), "nick": clean(&who.nick), "addr": addr(who),
                            "reason": "three liveness messages unanswered; reported to the seeds",
                        });
                        acts.push(Act::Tell(told("reported", fields)));
                    }
                }
            }
        }
    }
}

fn addr(who: &Who) -> Option<String> {
    who.addr.as_ref().map(|addr| clean(addr))
}

/// The numbers that a message consists of: exactly so many.
fn numbers<const N: usize>(payload: &[u8]) -> Option<[u64; N]> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut words = text.split(' ');
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    words.next().is_none().then_some(numbers)
}

impl Beside for Talk {
    fn on_event(&mut self, now: Now, event: &Event) -> Vec<Act> {
        match event {
            Event::Ready { .. } => {
                self.gossips = (self.plan.gossip > 0).then_some(now.at);
                self.lists = Some(now.at + self.plan.every);
            }
            Event::Neighbours(all) => {
                self.neighbours = all.iter().map(|who| (who.peer, who.clone())).collect();
                self.liveness.neighbours(now.at, all.iter().map(|who| who.peer));
            }
            Event::Suspect(who, _) => self.liveness.suspects(who.peer, true),
            Event::Recovered(who, _) => {
                self.liveness.suspects(who.peer, false);
                self.liveness.lives(now.at, who.peer);
            }
            Event::Dead(who, _) | Event::Left(who, _) => self.liveness.suspects(who.peer, false),
            _ => {}
        }
        Vec::new()
    }

    fn on_message(&mut self, now: Now, heard: &Heard<'_>) -> Vec<Act> {
        let (origin, from) = (hex(heard.from), clean(heard.nick));
        let mut acts = Vec::new();
        match heard.kind {
            GOSSIP => {
                let Some([port, ms, count]) = numbers(heard.payload) else { return acts };
                let code = if heard.hops > 1 { PROPAGATED } else { GOSSIP };
                acts.push(Act::Tell(told(
                    "gossip",
                    json!({
                        "code": code, "port": port, "timestamp": ms, "count": count, "from": from, "origin": origin,
                    }),
                )));
            }
            LIVENESS => {
                let Some([ms, port]) = numbers(heard.payload) else { return acts };
                let mine = self.plan.port;
                acts.push(Act::Tell(told(
                    "liveness",
                    json!({"code": LIVENESS, "timestamp": ms, "port": port, "from": from, "origin": origin}),
                )));
                acts.push(Act::Send { to: heard.from, kind: REPLY, text: format!("{ms} {port} {mine}") });
            }
            REPLY => {
                let Some([ms, asker, port]) = numbers(heard.payload) else { return acts };
                self.liveness.lives(now.at, heard.from);
                let fields = json!({
                    "code": REPLY, "timestamp": ms, "asker": asker, "port": port, "from": from, "origin": origin,
                });
                acts.push(Act::Tell(told("liveness", fields)));
            }
            _ => {}
        }
        acts
    }

    fn next_deadline(&self) -> Option<Instant> {
        earliest(earliest(self.gossips, self.lists), self.liveness.next_deadline())
    }

    fn on_deadline(&mut self, now: Now) -> Vec<Act> {
        let mut acts = Vec::new();
        self.gossip(now, &mut acts);
        self.liveness(now, &mut acts);
        if self.lists.is_some_and(|at| at <= now.at) {
            self.lists = Some(now.at + self.plan.every);
            acts.push(self.list());
        }
        acts
    }

    fn is_busy(&self) -> bool {
        self.gossips.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVA: PeerId = PeerId([2; 32]);

    fn now(seconds: u64) -> Now {
        Now { at: Instant::from_millis(seconds * 1000), ms: 1_700_000_000_000 + seconds * 1000 }
    }

    fn talk(gossip: u32) -> Talk {
        let second = Duration::from_secs(1);
        Talk::new(Plan { port: 5001, gossip, pause: second, every: second * 13 })
    }

    fn eva() -> Who {
        Who { peer: EVA, nick: "eva".into(), addr: Some("tcp://127.0.0.1:5002".into()) }
    }

    fn heard(kind: u16, hops: u8, payload: &[u8]) -> Heard<'_> {
        Heard { from: EVA, nick: "eva", hops, kind, payload }
    }

    /// What is told, as people see it.
    fn lines(acts: &[Act]) -> Vec<String> {
        let mut out = String::new();
        for act in acts {
            if let Act::Tell(told) = act {
                crate::chat::show(told, &mut out);
            }
        }
        out.lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn ten_gossip_messages_are_sent_once_it_is_a_member() {
        let mut talk = talk(10);
        assert_eq!((talk.next_deadline(), talk.is_busy()), (None, false));
        talk.on_event(now(5), &Event::Ready { nick: "ana".into() });
        let mut sent = Vec::new();
        for second in 5..30 {
            assert_eq!(talk.is_busy(), second < 15, "after {second} s");
            let acts = talk.on_deadline(now(second));
            sent.extend(acts.into_iter().filter_map(|act| match act {
                Act::Publish { kind, text } => Some((kind, text)),
                _ => None,
            }));
        }
        assert_eq!(sent.len(), 10);
        assert_eq!(sent[0], (GOSSIP, "5001 1700000005000 1".to_owned()));
        assert_eq!(sent[9], (GOSSIP, "5001 1700000014000 10".to_owned()));
    }

    #[test]
    fn messages_are_shown_with_their_codes() {
        let mut talk = talk(0);
        let gossip = b"5002 1700000000000 7";
        assert_eq!(lines(&talk.on_message(now(1), &heard(GOSSIP, 1, gossip))), ["1133 5002 1700000000000 7"]);
        assert_eq!(lines(&talk.on_message(now(1), &heard(GOSSIP, 2, gossip))), ["1155 5002 1700000000000 7"]);
        let acts = talk.on_message(now(1), &heard(LIVENESS, 1, b"1700000000000 5002"));
        assert_eq!(lines(&acts), ["1122 1700000000000 5002"]);
        let reply = Act::Send { to: EVA, kind: REPLY, text: "1700000000000 5002 5001".into() };
        assert_eq!(acts.last(), Some(&reply));
        let acts = talk.on_message(now(1), &heard(REPLY, 1, b"1700000000000 5001 5002"));
        assert_eq!(lines(&acts), ["1144 1700000000000 5001 5002"]);
        for odd in [&b""[..], b"1", b"1 2 3 4", b"1  2", b"-1 2 3", b"a b c", b"\xff 1 2"] {
            for kind in [GOSSIP, LIVENESS, REPLY, 7] {
                assert!(talk.on_message(now(1), &heard(kind, 1, odd)).is_empty(), "{odd:?}");
            }
        }
    }

    #[test]
    fn a_silent_neighbour_is_reported_and_off_the_list() {
        let mut talk = talk(0);
        talk.on_event(now(0), &Event::Ready { nick: "ana".into() });
        talk.on_event(now(0), &Event::Neighbours(vec![eva()]));
        talk.on_event(now(0), &Event::Suspect(eva(), "no answer"));
        let ask = |at: u64| Act::Send { to: EVA, kind: LIVENESS, text: format!("{} 5001", now(at).ms) };
        assert_eq!(talk.on_deadline(now(0)), [ask(0)]);
        for at in [13, 26] {
            let acts = talk.on_deadline(now(at));
            assert_eq!(acts[0], ask(at));
            assert_eq!(lines(&acts), ["peer list: tcp://127.0.0.1:5002"]);
        }
        assert!(talk.on_deadline(now(38)).is_empty());
        let acts = talk.on_deadline(now(39));
        assert_eq!(acts[0], Act::Report(EVA));
        let said =
            "dead node eva tcp://127.0.0.1:5002: three liveness messages unanswered; reported to the seeds";
        assert_eq!(lines(&acts), [said, "peer list: none"]);
    }

    #[test]
    fn a_neighbour_that_the_node_hears_of_is_not_reported() {
        for clears in [None, Some(Event::Recovered(eva(), "it answers"))] {
            let mut talk = talk(0);
            talk.on_event(now(0), &Event::Ready { nick: "ana".into() });
            talk.on_event(now(0), &Event::Neighbours(vec![eva()]));
            if let Some(clears) = clears {
                talk.on_event(now(1), &Event::Suspect(eva(), "no answer"));
                talk.on_event(now(2), &clears);
            }
            for at in 0..600 {
                let acts = talk.on_deadline(now(at));
                assert!(!acts.contains(&Act::Report(EVA)), "after {at} s");
            }
            assert_eq!(talk.liveness.alive().count(), 1);
        }
    }
}
