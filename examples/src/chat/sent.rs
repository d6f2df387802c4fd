//! What became of one's own messages: each is reported once.

use std::collections::{BTreeMap, BTreeSet};

use tertulia_core::id::{Incarnation, MessageId, PeerId};

/// Messages that were sent and not yet reported, stream by stream.
#[derive(Debug)]
pub(super) struct Sent {
    me: PeerId,
    incarnation: Incarnation,
    /// Per recipient, or for the group: the numbers that were sent and not reported. Others of the same stream are none
    /// of the conversation's.
    streams: BTreeMap<Option<PeerId>, BTreeSet<u64>>,
    open: u64,
}

impl Sent {
    /// Nothing yet, for this member in this run.
    #[must_use]
    pub(super) fn new(me: PeerId, incarnation: Incarnation) -> Self {
        Sent { me, incarnation, streams: BTreeMap::new(), open: 0 }
    }

    /// A message was sent.
    pub(super) fn add(&mut self, id: &MessageId) {
        self.streams.entry(id.to).or_default().insert(id.seq);
        self.open += 1;
    }

    /// Messages not yet reported.
    #[must_use]
    pub(super) fn open(&self) -> u64 {
        self.open
    }

    /// The messages `from..=upto` are done: those of them that were not reported before.
    pub(super) fn done(&mut self, to: Option<PeerId>, from: u64, upto: u64) -> Vec<MessageId> {
        let Some(open) = self.streams.get_mut(&to) else { return Vec::new() };
        let (origin, incarnation) = (self.me, self.incarnation);
        let mut done = Vec::new();
        while let Some(&seq) = open.range(from..).next().filter(|seq| **seq <= upto) {
            open.remove(&seq);
            done.push(MessageId { origin, incarnation, to, seq });
        }
        self.open -= done.len() as u64;
        if open.is_empty() {
            self.streams.remove(&to);
        }
        done
    }

    /// Whatever was never reported.
    pub(super) fn rest(&mut self) -> Vec<MessageId> {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        streams.into_iter().flat_map(|to| self.done(to, 0, u64::MAX)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_reported_once() {
        let (me, run, eva) = (PeerId([1; 32]), Incarnation(2), Some(PeerId([3; 32])));
        let mut sent = Sent::new(me, run);
        for seq in 1..=5 {
            sent.add(&MessageId { origin: me, incarnation: run, to: None, seq });
        }
        sent.add(&MessageId { origin: me, incarnation: run, to: eva, seq: 1 });
        let seqs = |ids: Vec<MessageId>| ids.into_iter().map(|id| id.seq).collect::<Vec<_>>();
        assert_eq!(seqs(sent.done(None, 1, 2)), [1, 2]);
        assert_eq!(seqs(sent.done(None, 1, 4)), [3, 4]);
        assert_eq!(sent.done(Some(me), 1, 9), []);
        assert_eq!(sent.open(), 2);
        let rest = sent.rest();
        assert_eq!((rest[0].to, rest[0].seq, rest[1].to, rest[1].seq), (None, 5, eva, 1));
        assert_eq!((sent.rest(), sent.open()), (vec![], 0));
    }

    #[test]
    fn messages_of_others_in_the_same_stream_are_not_reported() {
        let (me, run, eva) = (PeerId([1; 32]), Incarnation(2), Some(PeerId([3; 32])));
        let mut sent = Sent::new(me, run);
        sent.add(&MessageId { origin: me, incarnation: run, to: eva, seq: 5 });
        assert_eq!((sent.done(eva, 1, 4), sent.open()), (vec![], 1));
        assert_eq!((sent.done(eva, 4, 9).len(), sent.open()), (1, 0));
    }
}
