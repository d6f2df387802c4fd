//! Messages as bytes, the order, and newcomers on their way in.

mod guests;
mod wire;

use tertulia_core::id::{Incarnation, PeerId};

use super::order::Sequence;

#[test]
fn the_order_begins_with_what_is_still_kept() {
    let mut sequence = Sequence::default();
    let (ana, eva) = (PeerId([1; 32]), PeerId([2; 32]));
    sequence.note(eva, Incarnation(1), 7);
    (1..=10).for_each(|run| sequence.note(ana, Incarnation(run), run));
    sequence.note(ana, Incarnation(8), 9);
    let kept = [(ana, 7, 7), (ana, 8, 9), (ana, 9, 9), (ana, 10, 10), (eva, 1, 7)];
    assert_eq!(sequence.base(), kept.map(|(id, run, top)| (id, Incarnation(run), top)));
    sequence.forget(ana);
    assert_eq!(sequence.base(), [(eva, Incarnation(1), 7)]);
}
