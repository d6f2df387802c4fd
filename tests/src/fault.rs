//! What a hostile network does to the records of a connection.

use tertulia_core::rng::NodeRng;

/// One thing that is done to a record on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A bit of it is turned.
    Alter,
    /// Its length is given wrongly.
    Length,
    /// The record before it comes again.
    Replay,
    /// It changes places with the next one.
    Swap,
    /// The connection ends in its middle.
    Truncate,
    /// Some of its bytes are left out.
    DropBytes,
    /// It is left out whole.
    DropRecord,
}

/// All of them.
pub const FAULTS: [Fault; 7] = [
    Fault::Alter,
    Fault::Length,
    Fault::Replay,
    Fault::Swap,
    Fault::Truncate,
    Fault::DropBytes,
    Fault::DropRecord,
];

impl Fault {
    /// Any of them.
    pub fn random(rng: &mut NodeRng) -> Fault {
        rng.pick(&FAULTS).copied().unwrap_or(Fault::Alter)
    }

    /// Does it to `record` (its length in front), after which `last` came. What passes now, and what passes behind the
    /// next record.
    pub fn apply(self, rng: &mut NodeRng, mut record: Vec<u8>, last: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let at = 4 + rng.below(record.len() - 4);
        match self {
            Fault::Alter => record[at] ^= 1 << rng.below(8),
            Fault::Length => record[0] = record[0].wrapping_add(1 + rng.below(254) as u8),
            Fault::Replay => record.splice(0..0, last.iter().copied()).for_each(drop),
            Fault::Swap => return (Vec::new(), record),
            Fault::Truncate => record.truncate(at),
            Fault::DropBytes => {
                let end = (at + 1 + rng.below(32)).min(record.len());
                record.drain(at..end);
            }
            Fault::DropRecord => record.clear(),
        }
        (record, Vec::new())
    }
}
