//! Records: batches of frames, sealed and written at once.
//!
//! A record's plain text is a row of items. An item is a head of four bytes (little-endian: length in the low 24
//! bits, the lane in bits 24 and 25, bit 26 for a fragment), then a frame as it stands on the wire. A frame that
//! fits a record is never cut. A longer one travels as fragments; these carry twelve more bytes, namely the frame's
//! number in its lane, the fragment's offset and the frame's length, so that fragments that arrive in any order
//! can be put together. On a stream they arrive in order, and anything else is an error. Fragments of different
//! lanes may alternate, so a long parcel does not hold up control.
//!
//! On a stream both sides count records. Over datagrams each begins with its number (eight bytes, little-endian), which
//! is the number that it is sealed under: records open in any order, each once. One whose seal does not hold is then
//! thrown away, as anybody on the way can throw in datagrams; on a stream it ends the link.

mod assembly;
mod reader;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use reader::RecordReader;
pub use writer::RecordWriter;

use tertulia_core::frame::Lane;
use tertulia_core::parcel;

use super::{SealError, Session};

/// The longest frame that a link carries, header included: the longest parcel, and room.
pub const MAX_FRAME: usize = parcel::BODY_MAX + 128 * 1024;

const ITEM_HEAD: usize = 4;
const FRAGMENT_HEAD: usize = 12;
/// Bytes of a record's number, where it is sent.
const NUMBER: usize = 8;
const LENGTH_BITS: u32 = 24;
const FRAGMENT: u32 = 1 << 26;
const KNOWN_BITS: u32 = (1 << 27) - 1;

/// Why a link ends at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Altered, replayed, out of order or not of this link.
    #[error(
        "a record's seal does not hold: the network altered it, or the other side does not follow the protocol"
    )]
    Seal,
    /// Sealed well, but not what a record should be.
    #[error("a record is malformed ({0}): the other side does not follow the protocol")]
    Malformed(&'static str),
    /// A frame longer than a link carries.
    #[error("a frame of {0} bytes is longer than the {max} that a link carries", max = MAX_FRAME)]
    TooLong(usize),
    /// The transport's records are too short to be of use.
    #[error("this transport's records cannot carry frames: they must be of 256 bytes at least")]
    Unsuitable,
    /// As many records as one session may seal.
    #[error("the session is used up: the link has to be made again")]
    Exhausted,
}

impl RecordError {
    /// The stable text for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            RecordError::Seal => "record-seal",
            RecordError::Malformed(_) => "record-malformed",
            RecordError::TooLong(_) => "frame-too-long",
            RecordError::Unsuitable => "transport-unsuitable",
            RecordError::Exhausted => "session-exhausted",
        }
    }
}

impl From<SealError> for RecordError {
    fn from(_: SealError) -> Self {
        RecordError::Seal
    }
}

fn item_head(lane: Lane, fragment: bool, len: usize) -> Option<[u8; ITEM_HEAD]> {
    let len = u32::try_from(len).ok().filter(|len| len >> LENGTH_BITS == 0)?;
    let flag = if fragment { FRAGMENT } else { 0 };
    Some((len | (lane as u32) << LENGTH_BITS | flag).to_le_bytes())
}
