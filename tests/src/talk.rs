//! Chats that are checked word by word: everything arrives once, in order, as it was said, from whom it was said.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tertulia::bus::{Filter, Node, Subscription};
use tertulia_core::id::PeerId;
use tertulia_core::message::Room;
use tertulia_core::rng::mix;
use tokio::task::JoinSet;

use crate::group::Member;
use crate::wait::soon;

/// Kinds of messages: another one follows, or this was the last.
const MORE: u16 = 1;
const LAST: u16 = 2;

/// What `origin` says as its message `n`: nobody else says the same, and it says it once.
#[must_use]
pub fn words(origin: &PeerId, n: u64, len: usize) -> Vec<u8> {
    let start = origin.0.iter().fold(n, |h, b| mix(h ^ u64::from(*b)));
    let mut text = n.to_le_bytes().to_vec();
    text.extend((1..).map(|i| mix(start ^ i) as u8).take(len.saturating_sub(8)));
    text
}

/// Talks: `burst` messages of `len` bytes every `pause` while `more` says so, then one last message. How many.
pub async fn talk(
    node: &Node,
    (burst, len, pause): (u64, usize, Duration),
    mut more: impl FnMut(u64) -> bool,
) -> u64 {
    let (room, me) = (Room::default(), node.id());
    let mut clock = tokio::time::interval(pause);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut said, mut before) = (0, None);
    while more(said) {
        for _ in 0..burst {
            said += 1;
            let id = soon("room", node.publish(&room, MORE, &words(&me, said, len))).await.unwrap();
            assert_eq!(id.seq, *before.get_or_insert(id.seq - 1) + said);
        }
        clock.tick().await;
    }
    said += 1;
    soon("room", node.publish(&room, LAST, &words(&me, said, len))).await.unwrap();
    said
}

/// What one member hears of each other one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// Messages.
    pub count: u64,
    /// The longest time from one message to the next.
    pub silence: Duration,
    last: Option<Instant>,
    /// The number of its last message in earlier talks. Words are numbered in each talk: a first one that is lost is
    /// missed all the same.
    before: Option<u64>,
    over: bool,
}

/// A member that listens.
pub struct Ear {
    messages: Subscription,
    /// Whom it heard.
    pub heard: BTreeMap<PeerId, Heard>,
}

impl Ear {
    /// Listens from now on, and not to what was said before the node was ready.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        Ear::new(node.subscribe(Filter::all().without_history()))
    }

    /// Listens to a subscription.
    #[must_use]
    pub fn new(messages: Subscription) -> Self {
        Ear { messages, heard: BTreeMap::new() }
    }

    /// Listens until everybody of `who` has said its last. How many messages in all.
    pub async fn hear(&mut self, who: &[PeerId]) -> u64 {
        while who.iter().any(|id| !self.heard.get(id).is_some_and(|h| h.over)) {
            let batch = match tokio::time::timeout(crate::wait::PATIENCE, self.messages.next()).await {
                Ok(batch) => batch.expect("the node ended while others talked"),
                Err(_) => panic!("nothing more is heard after {:?}", self.heard),
            };
            self.take(&batch);
        }
        self.heard.values().map(|h| h.count).sum()
    }

    fn take(&mut self, batch: &tertulia::bus::Batch) {
        let origin = batch.origin();
        let heard = self.heard.entry(origin).or_default();
        let now = Instant::now();
        for message in batch.messages() {
            heard.count += 1;
            assert!(!heard.over, "{origin} says more after its last");
            let before = *heard.before.get_or_insert(message.id.seq - 1);
            assert_eq!(
                (message.id.origin, message.id.seq),
                (origin, before + heard.count),
                "lost, doubled or out of order"
            );
            assert_eq!(
                message.payload[..],
                words(&origin, heard.count, message.payload.len())[..],
                "false words"
            );
            heard.over = message.kind == LAST;
        }
        let silence = heard.last.replace(now).map_or(Duration::ZERO, |last| now - last);
        heard.silence = heard.silence.max(silence);
    }

    /// After its node is over: nothing else must have come.
    pub async fn rest(mut self) {
        let more = soon("the end of a subscription", self.messages.next()).await;
        assert!(more.is_none(), "something came after all had said their last: {more:?}");
    }
}

/// Everybody talks while `more` says so; everybody hears all of it, once and in order. What was said and heard.
pub async fn chat(
    members: &[Member],
    pace: (u64, usize, Duration),
    more: impl Fn(u64) -> bool + Clone + Send + 'static,
) -> (u64, u64) {
    let ids: Vec<PeerId> = members.iter().map(|m| m.node.id()).collect();
    let (mut talks, mut ears) = (JoinSet::new(), JoinSet::new());
    // Everybody listens before anybody speaks.
    let listening: Vec<Ear> = members.iter().map(|m| Ear::of(&m.node)).collect();
    for (member, mut ear) in members.iter().zip(listening) {
        let (node, more) = (member.node.clone(), more.clone());
        talks.spawn(async move { talk(&node, pace, more).await });
        let others: Vec<PeerId> = ids.iter().copied().filter(|id| *id != member.node.id()).collect();
        ears.spawn(async move { ear.hear(&others).await });
    }
    let (mut said, mut heard) = (0, 0);
    while let Some(count) = talks.join_next().await {
        said += count.unwrap();
    }
    while let Some(count) = ears.join_next().await {
        heard += count.unwrap();
    }
    assert_eq!(heard, said * (members.len() as u64 - 1));
    (said, heard)
}
