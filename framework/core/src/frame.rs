//! Frames: what the engine puts on a link.

use bytes::Bytes;

/// What a frame's body is. The code stands in the first byte of a frame on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A parcel, as signed by its origin.
    Data = 1,
    /// Parcels that the sender holds and the receiver may pull.
    Announce = 2,
    /// A request for parcels.
    Pull = 3,
    /// The end of an answer to a pull.
    PullEnd = 4,
    /// Changes of the replicated roster: members, suspicions, delivery progress.
    Sync = 5,
    /// How far the roster changes of a link have arrived.
    SyncAck = 6,
    /// Failure detector: probe, answer, indirect probe.
    Probe = 7,
    /// A topology's own message.
    Topology = 8,
    /// The sender closes the link, with a reason.
    Bye = 9,
    /// A parcel sent again on request.
    Repair = 10,
}

impl FrameKind {
    /// The kind with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => FrameKind::Data,
            2 => FrameKind::Announce,
            3 => FrameKind::Pull,
            4 => FrameKind::PullEnd,
            5 => FrameKind::Sync,
            6 => FrameKind::SyncAck,
            7 => FrameKind::Probe,
            8 => FrameKind::Topology,
            9 => FrameKind::Bye,
            10 => FrameKind::Repair,
            _ => return None,
        })
    }
}

/// The bounded queues of a link, in order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Membership, detection, topology, announcements.
    Control = 0,
    /// Parcels on their first way.
    Data = 1,
    /// Parcels sent again on request.
    Repair = 2,
}

/// One frame: two header bytes (kind, hops) and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the body is.
    pub kind: FrameKind,
    /// Links that the body has crossed before this one; saturates. Unsigned: for figures and loop limits only.
    pub hops: u8,
    /// The body, shared and never copied on the way through.
    pub body: Bytes,
}

impl Frame {
    /// Bytes of a frame's header on the wire.
    pub const HEADER: usize = 2;

    /// A frame that starts here.
    #[must_use]
    pub fn new(kind: FrameKind, body: Bytes) -> Self {
        Frame { kind, hops: 0, body }
    }

    /// Bytes on the wire, header included.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        Frame::HEADER + self.body.len()
    }

    /// The header as it stands on the wire.
    #[must_use]
    pub fn header(&self) -> [u8; Frame::HEADER] {
        [self.kind as u8, self.hops]
    }

    /// A frame from its bytes on the wire; `None` when the kind is unknown or the header is cut short.
    #[must_use]
    pub fn decode(mut bytes: Bytes) -> Option<Frame> {
        let [kind, hops] = *bytes.first_chunk::<{ Frame::HEADER }>()?;
        let kind = FrameKind::from_code(kind)?;
        Some(Frame { kind, hops, body: bytes.split_off(Frame::HEADER) })
    }
}
