//! What a run did: faults injected by kind, frames and bytes sent by class.

use std::collections::BTreeMap;
use std::fmt;

use tertulia_core::frame::{Frame, FrameKind};

/// Frames as results name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Parcels on their first way.
    Data,
    /// Roster, detector, topology, goodbyes.
    Control,
    /// Announcements of parcels.
    Announce,
    /// Requests for parcels.
    Pull,
    /// Parcels sent on request, and the ends of such answers.
    Repair,
}

impl Class {
    /// All of them, in the order of results.
    pub const ALL: [Class; 5] = [Class::Data, Class::Control, Class::Announce, Class::Pull, Class::Repair];

    /// The class of a frame.
    #[must_use]
    pub fn of(kind: FrameKind) -> Class {
        match kind {
            FrameKind::Repair | FrameKind::PullEnd => Class::Repair,
            FrameKind::Data => Class::Data,
            FrameKind::Announce => Class::Announce,
            FrameKind::Pull => Class::Pull,
            _ => Class::Control,
        }
    }

    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Data => "data",
            Class::Control => "control",
            Class::Announce => "announce",
            Class::Pull => "pull",
            Class::Repair => "repair",
        }
    }
}

/// Counts of one run, or the sum of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    sends: [u64; 5],
    bytes: [u64; 5],
    /// Parcels sent again on request: repairs made.
    pub repairs: u64,
    /// Frames that a full lane dropped.
    pub overflow: u64,
    /// Links closed by an engine because of what came over them.
    pub misbehaved: u64,
    /// Dials that came to nothing.
    pub dial_failures: u64,
    /// Links made.
    pub links: u64,
    /// Events processed.
    pub events: u64,
}

impl Counters {
    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Faults of a kind.
    #[must_use]
    pub fn faults_of(&self, kind: &str) -> u64 {
        self.faults.get(kind).copied().unwrap_or(0)
    }

    pub(crate) fn sent(&mut self, frame: &Frame) {
        let class = Class::of(frame.kind);
        self.sends[class as usize] += 1;
        self.bytes[class as usize] += frame.wire_len() as u64;
        self.repairs += u64::from(frame.kind == FrameKind::Repair);
    }

    /// Frames sent.
    #[must_use]
    pub fn sends(&self, class: Class) -> u64 {
        self.sends[class as usize]
    }

    /// Bytes sent, frame headers included.
    #[must_use]
    pub fn bytes(&self, class: Class) -> u64 {
        self.bytes[class as usize]
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Counters) {
        for (kind, n) in &other.faults {
            *self.faults.entry(kind).or_default() += n;
        }
        for i in 0..self.sends.len() {
            self.sends[i] += other.sends[i];
            self.bytes[i] += other.bytes[i];
        }
        self.repairs += other.repairs;
        self.overflow += other.overflow;
        self.misbehaved += other.misbehaved;
        self.dial_failures += other.dial_failures;
        self.links += other.links;
        self.events += other.events;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults:")?;
        for (kind, n) in &self.faults {
            write!(f, " {kind} {n}")?;
        }
        write!(f, "; repairs: {}; sends:", self.repairs)?;
        for class in Class::ALL {
            write!(f, " {} {}", class.name(), self.sends(class))?;
        }
        write!(f, "; links {}, overflow {}, misbehaved {}", self.links, self.overflow, self.misbehaved)
    }
}
