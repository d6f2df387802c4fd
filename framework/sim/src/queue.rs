//! The queue of events: by time, and by insertion where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tertulia_core::time::Instant;

/// A time-ordered queue. The heap moves small keys only; the events stay where they were put.
#[derive(Clone, Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    slots: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Queue { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), sequence: 0 }
    }

    pub(crate) fn push(&mut self, at: Instant, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                (self.slots.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((at, self.sequence, slot)));
        self.sequence += 1;
    }

    /// When the next event is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        Some((at, self.slots[slot as usize].take()?))
    }

    /// Events waiting.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_time_then_insertion() {
        let mut q = Queue::new();
        for (ms, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            q.push(Instant::from_millis(ms), name);
        }
        assert_eq!(q.next(), Some(Instant::from_millis(1)));
        let order: String = std::iter::from_fn(|| q.pop()).map(|(_, c)| c).collect();
        assert_eq!(order, "abcd");
        q.push(Instant::ZERO, 'e');
        assert_eq!((q.len(), q.slots.len()), (1, 4));
    }
}
