//! From frames in lanes to sealed records in a batch.

use tertulia_core::frame::{Frame, Lane};

use super::{FRAGMENT_HEAD, ITEM_HEAD, MAX_FRAME, NUMBER, RecordError, item_head};
use crate::link::{Caps, Lanes, RecordSlot, Sealer, Session, TxBatch};

/// Packs frames into records and seals these where they stand: a body is copied once, from where the engine has
/// it into the batch.
pub struct RecordWriter {
    sealer: Box<dyn Sealer>,
    seq: u64,
    /// Bytes of the number before each record: none on a stream.
    number: usize,
    /// Bytes of plain text per record at most.
    room: usize,
    /// Numbers of the long frames that are under way, one per lane.
    numbers: [u32; Lanes::COUNT],
}

/// What goes into the record next.
enum Item {
    Whole,
    Fragment(usize),
    Nothing,
}

impl RecordWriter {
    /// A session seals at most so many records; the link is made again long before a nonce could repeat.
    const LAST: u64 = 1 << 48;
    /// A fragment shorter than this waits for the next record.
    const LEAST_FRAGMENT: usize = 64;

    /// Writes records for a transport with these properties.
    pub fn new(sealer: Box<dyn Sealer>, caps: &Caps) -> Result<Self, RecordError> {
        if caps.max_record < 256 {
            return Err(RecordError::Unsuitable);
        }
        let number = if caps.is_stream() { 0 } else { NUMBER };
        let room = caps.max_record.saturating_sub(number + sealer.overhead());
        if room < ITEM_HEAD + FRAGMENT_HEAD + Self::LEAST_FRAGMENT {
            return Err(RecordError::Unsuitable);
        }
        Ok(RecordWriter { sealer, seq: Session::FIRST, number, room, numbers: [0; Lanes::COUNT] })
    }

    /// Moves frames into records until the lanes are empty or the batch is full. Returns how many left whole.
    ///
    /// After an error the link is unusable.
    pub fn fill(&mut self, lanes: &mut Lanes, batch: &mut TxBatch) -> Result<usize, RecordError> {
        let mut left = 0;
        while batch.has_room() && !lanes.is_empty() {
            left += self.one(lanes, batch)?;
        }
        Ok(left)
    }

    /// Writes one record.
    fn one(&mut self, lanes: &mut Lanes, batch: &mut TxBatch) -> Result<usize, RecordError> {
        if self.seq >= Self::LAST {
            return Err(RecordError::Exhausted);
        }
        let (overhead, number) = (self.sealer.overhead(), self.number);
        let mut slot = batch.open(number + self.room.min(lanes.waiting() + FRAGMENT_HEAD) + overhead);
        slot.put(self.seq.to_le_bytes().get(..number).unwrap_or_default());
        let mut left = 0;
        while let Some(lane) = lanes.turn() {
            let Some((frame, offset)) = lanes.front(lane) else { break };
            let room = self.room + number - slot.len();
            let n = match Self::choose(frame, offset, self.room, room)? {
                Item::Nothing => break,
                Item::Whole => {
                    let len = frame.wire_len();
                    slot.put(&item_head(lane, false, len).ok_or(RecordError::TooLong(len))?);
                    slot.put(&frame.header());
                    slot.put(&frame.body);
                    len
                }
                Item::Fragment(n) => {
                    self.fragment(&mut slot, lane, frame, offset, n)?;
                    n
                }
            };
            left += usize::from(lanes.advance(lane, n));
        }
        slot.zeros(overhead);
        self.sealer.seal(self.seq, &[], slot.bytes().get_mut(number..).unwrap_or_default())?;
        slot.finish();
        self.seq += 1;
        Ok(left)
    }

    fn choose(frame: &Frame, offset: usize, most: usize, room: usize) -> Result<Item, RecordError> {
        let len = frame.wire_len();
        if len > MAX_FRAME {
            return Err(RecordError::TooLong(len));
        }
        if offset == 0 && ITEM_HEAD + len <= room {
            return Ok(Item::Whole);
        }
        if offset == 0 && ITEM_HEAD + len <= most {
            return Ok(Item::Nothing);
        }
        let n = room.saturating_sub(ITEM_HEAD + FRAGMENT_HEAD).min(len - offset);
        if n < Self::LEAST_FRAGMENT && n < len - offset { Ok(Item::Nothing) } else { Ok(Item::Fragment(n)) }
    }

    fn fragment(
        &mut self,
        slot: &mut RecordSlot<'_>,
        lane: Lane,
        frame: &Frame,
        offset: usize,
        n: usize,
    ) -> Result<(), RecordError> {
        let number = &mut self.numbers[lane as usize];
        if offset == 0 {
            *number = number.wrapping_add(1);
        }
        let total = frame.wire_len();
        let int = |v: usize| u32::try_from(v).map(u32::to_le_bytes).map_err(|_| RecordError::TooLong(total));
        slot.put(&item_head(lane, true, FRAGMENT_HEAD + n).ok_or(RecordError::TooLong(total))?);
        slot.put(&number.to_le_bytes());
        slot.put(&int(offset)?);
        slot.put(&int(total)?);
        // The cut may run through the frame's header.
        let header = frame.header();
        let head = header.get(offset..).unwrap_or_default();
        let head = &head[..head.len().min(n)];
        slot.put(head);
        let at = (offset + head.len()).saturating_sub(Frame::HEADER);
        slot.put(frame.body.get(at..at + n - head.len()).unwrap_or_default());
        Ok(())
    }
}

impl std::fmt::Debug for RecordWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordWriter").field("seq", &self.seq).finish_non_exhaustive()
    }
}
