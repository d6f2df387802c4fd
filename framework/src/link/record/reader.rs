//! From sealed records to frames.

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use tertulia_core::frame::{Frame, Lane};
use tertulia_core::wire::Reader;

use super::assembly::{Assembly, Piece};
use super::window::Window;
use super::{FRAGMENT, FRAGMENT_HEAD, ITEM_HEAD, KNOWN_BITS, LENGTH_BITS, MAX_FRAME, NUMBER, RecordError};
use crate::link::{Caps, Lanes, Opener, Session};

/// Opens records where they stand and yields the frames in them as slices: a body is not copied, unless it came
/// in fragments.
///
/// A slice keeps the memory of its whole receive buffer. What is kept for long should be copied out.
pub struct RecordReader {
    opener: Box<dyn Opener>,
    order: Order,
}

/// What the transport promises, and what is kept for what it does not.
enum Order {
    /// Every record arrives, in order.
    Stream { seq: u64, partial: [Option<Partial>; Lanes::COUNT] },
    /// Records arrive in any order, doubled or not at all.
    Datagrams { window: Box<Window>, assembly: Assembly, forged: u64 },
}

/// A frame of which some fragments have arrived.
#[derive(Debug)]
struct Partial {
    number: u32,
    total: usize,
    bytes: BytesMut,
}

impl RecordReader {
    /// Records whose seals do not hold, after which a link over datagrams is given up. Far below what would weaken
    /// AES-GCM (2³⁶ tries, RFC 9001 B.1).
    const FORGED_MAX: u64 = 1 << 32;

    /// Reads records of a session from its first one, over a transport with these properties.
    #[must_use]
    pub fn new(opener: Box<dyn Opener>, caps: &Caps) -> Self {
        let order = if caps.is_stream() {
            Order::Stream { seq: Session::FIRST, partial: [const { None }; Lanes::COUNT] }
        } else {
            Order::Datagrams { window: Box::new(Window::new()), assembly: Assembly::new(), forged: 0 }
        };
        RecordReader { opener, order }
    }

    /// Tells the time: frames whose missing fragments will not come any more are dropped.
    pub fn tidy(&mut self, now: Instant) {
        if let Order::Datagrams { assembly, .. } = &mut self.order {
            assembly.tidy(now);
        }
    }

    /// Opens one record and passes on its frames in order. After an error the link is unusable; frames passed on
    /// before it are good.
    pub fn read(
        &mut self,
        mut record: BytesMut,
        mut sink: impl FnMut(Lane, Frame),
    ) -> Result<(), RecordError> {
        if !self.open(&mut record)? {
            return Ok(());
        }
        let mut plain = record.freeze();
        while !plain.is_empty() {
            self.item(&mut plain, &mut sink)?;
        }
        Ok(())
    }

    /// Bytes held for frames that have arrived in part.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.order {
            Order::Stream { partial, .. } => partial.iter().flatten().map(|p| p.bytes.len()).sum(),
            Order::Datagrams { assembly, .. } => assembly.held(),
        }
    }

    /// Leaves the plain text in `record`; false for a record that is to be thrown away.
    fn open(&mut self, record: &mut BytesMut) -> Result<bool, RecordError> {
        let len = match &mut self.order {
            Order::Stream { seq, .. } => {
                let len = self.opener.open(*seq, &[], record)?;
                *seq = seq.checked_add(1).ok_or(RecordError::Exhausted)?;
                len
            }
            Order::Datagrams { window, forged, .. } => {
                let number = record.first_chunk::<NUMBER>().map_or(0, |n| u64::from_le_bytes(*n));
                if !window.is_new(number) {
                    return Ok(false);
                }
                record.advance(NUMBER);
                let Ok(len) = self.opener.open(number, &[], record) else {
                    *forged += 1;
                    return if *forged < Self::FORGED_MAX { Ok(false) } else { Err(RecordError::Seal) };
                };
                window.mark(number);
                len
            }
        };
        record.truncate(len);
        Ok(true)
    }

    fn item(&mut self, plain: &mut Bytes, sink: &mut impl FnMut(Lane, Frame)) -> Result<(), RecordError> {
        let head = plain.first_chunk::<ITEM_HEAD>().ok_or(RecordError::Malformed("cut item"))?;
        let head = u32::from_le_bytes(*head);
        if head & !KNOWN_BITS != 0 {
            return Err(RecordError::Malformed("unknown flags"));
        }
        let len = (head & ((1 << LENGTH_BITS) - 1)) as usize;
        let lane = match head >> LENGTH_BITS & 3 {
            0 => Lane::Control,
            1 => Lane::Data,
            2 => Lane::Repair,
            _ => return Err(RecordError::Malformed("unknown lane")),
        };
        if plain.len() - ITEM_HEAD < len {
            return Err(RecordError::Malformed("cut item"));
        }
        let mut item = plain.split_to(ITEM_HEAD + len);
        let item = item.split_off(ITEM_HEAD);
        let whole = match &self.order {
            _ if head & FRAGMENT != 0 => self.fragment(lane, &item)?,
            Order::Stream { partial, .. } if partial[lane as usize].is_some() => {
                return Err(RecordError::Malformed("frame within a frame"));
            }
            _ => Some(item),
        };
        if let Some(bytes) = whole {
            sink(lane, Frame::decode(bytes).ok_or(RecordError::Malformed("unknown frame"))?);
        }
        Ok(())
    }

    fn fragment(&mut self, lane: Lane, item: &Bytes) -> Result<Option<Bytes>, RecordError> {
        let mut r = Reader::new(item.get(..FRAGMENT_HEAD).unwrap_or_default());
        let cut = |_| RecordError::Malformed("cut fragment");
        let number = r.u32().map_err(cut)?;
        let offset = r.u32().map_err(cut)? as usize;
        let total = r.u32().map_err(cut)? as usize;
        let part = item.get(FRAGMENT_HEAD..).unwrap_or_default();
        let partial = match &mut self.order {
            Order::Datagrams { assembly, .. } => {
                return assembly.add(Piece { lane, number, offset, total }, part);
            }
            Order::Stream { partial, .. } => partial,
        };
        if total > MAX_FRAME {
            return Err(RecordError::TooLong(total));
        }
        let slot = &mut partial[lane as usize];
        if offset == 0 && slot.is_some() || part.is_empty() {
            return Err(RecordError::Malformed("fragment out of place"));
        }
        let partial = match slot {
            Some(partial) => partial,
            None => slot.insert(Partial { number, total, bytes: BytesMut::with_capacity(total) }),
        };
        if (partial.number, partial.total, partial.bytes.len()) != (number, total, offset)
            || offset + part.len() > total
        {
            return Err(RecordError::Malformed("fragment out of place"));
        }
        partial.bytes.extend_from_slice(part);
        if partial.bytes.len() < total {
            return Ok(None);
        }
        Ok(slot.take().map(|partial| partial.bytes.freeze()))
    }
}

impl std::fmt::Debug for RecordReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordReader").field("held", &self.held()).finish_non_exhaustive()
    }
}
