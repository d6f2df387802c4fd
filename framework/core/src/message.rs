//! Messages as they lie in a parcel's body: a fixed header, the room, the payload.

use bytes::Bytes;

use crate::parcel;
use crate::wire::{Reader, WireError};

/// Bytes of a message's header: kind, planned time, length of the room, length of the payload.
pub const HEADER: usize = 2 + 8 + 1 + 4;
/// Bytes of a payload at most, whatever `limits.message` says: what parcels and links have room for.
pub const PAYLOAD_MAX: usize = 1 << 20;
/// Bytes of a room's name at most.
pub const ROOM_MAX: usize = 48;
/// The room of a message that names none.
pub const LOBBY: &str = "lobby";

/// What an application publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// A label inside the group; every member gets every room.
    pub room: Room,
    /// What the payload is, by the application's own numbering; kinds from `0xff00` are the bus's own.
    pub kind: u16,
    /// When it was meant to be published: microseconds since the Unix epoch.
    pub planned_us: u64,
    /// Bytes that relays never look into.
    pub payload: Bytes,
}

/// A room's name, cheap to copy about: shared with the parcel that it came in.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Room(Bytes);

impl Room {
    /// A room by name; `None` when the name is too long. `lobby` and the empty name are the same room.
    #[must_use]
    pub fn new(name: &str) -> Option<Room> {
        match name {
            "" | LOBBY => Some(Room::default()),
            name if name.len() <= ROOM_MAX => Some(Room(Bytes::copy_from_slice(name.as_bytes()))),
            _ => None,
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match core::str::from_utf8(&self.0) {
            Ok("") | Err(_) => LOBBY,
            Ok(name) => name,
        }
    }
}

impl core::fmt::Debug for Room {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Consecutive messages being gathered for a parcel. There is room before them for the parcel's header, so that
/// signing copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    bytes: Vec<u8>,
    count: u32,
}

impl Default for Draft {
    fn default() -> Self {
        Draft::new(0)
    }
}

impl Draft {
    /// No messages yet, and memory for `body` bytes of them.
    #[must_use]
    pub fn new(body: usize) -> Self {
        let mut bytes = Vec::with_capacity(parcel::HEADER + body + parcel::SIGNATURE);
        bytes.resize(parcel::HEADER, 0);
        Draft { bytes, count: 0 }
    }

    /// `count` messages that were gathered, and sealed, elsewhere.
    #[must_use]
    pub fn sealed(count: u32, body: &[u8]) -> Self {
        let mut draft = Draft::new(body.len());
        draft.bytes.extend_from_slice(body);
        draft.count = count;
        draft
    }

    /// Adds a message.
    pub fn push(&mut self, room: &Room, kind: u16, planned_us: u64, payload: &[u8]) {
        if self.count == 0 {
            self.bytes.reserve_exact(encoded_len(room, payload) + parcel::SIGNATURE);
        }
        encode(&mut self.bytes, room, kind, planned_us, payload);
        self.count += 1;
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - parcel::HEADER
    }

    /// True when there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The messages.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[parcel::HEADER..]
    }

    /// The room for the header, and the messages.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Bytes that a message takes in a parcel's body.
#[must_use]
pub fn encoded_len(room: &Room, payload: &[u8]) -> usize {
    HEADER + room.0.len() + payload.len()
}

/// Appends a message to a parcel's body.
fn encode(out: &mut Vec<u8>, room: &Room, kind: u16, planned_us: u64, payload: &[u8]) {
    out.reserve(encoded_len(room, payload));
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&planned_us.to_le_bytes());
    out.push(room.0.len() as u8);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&room.0);
    out.extend_from_slice(payload);
}

/// Splits the first message off a body.
fn take(body: &mut Bytes) -> Result<Message, WireError> {
    let mut r = Reader::new(body);
    let (kind, planned_us) = (r.u16()?, r.u64()?);
    let room_len = usize::from(r.u8()?);
    let payload_len = r.u32()? as usize;
    if room_len > ROOM_MAX {
        return Err(WireError::Range("room"));
    }
    if room_len + payload_len > r.left().len() {
        return Err(WireError::Short);
    }
    let mut message = body.split_to(HEADER + room_len + payload_len);
    let _ = message.split_to(HEADER);
    let room = message.split_to(room_len);
    core::str::from_utf8(&room).map_err(|_| WireError::Range("room"))?;
    Ok(Message { room: Room(room), kind, planned_us, payload: message })
}

/// Walks the messages of a body that [`check`] accepted.
#[derive(Clone, Debug)]
pub struct Messages(Bytes);

impl Messages {
    /// Walks `body`.
    #[must_use]
    pub fn new(body: Bytes) -> Self {
        Messages(body)
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        if self.0.is_empty() {
            return None;
        }
        let message = take(&mut self.0).ok();
        if message.is_none() {
            self.0.clear();
        }
        message
    }
}

/// Succeeds when `body` is exactly `count` well-formed messages.
pub fn check(body: &[u8], count: u32) -> Result<(), WireError> {
    let mut r = Reader::new(body);
    for _ in 0..count {
        r.bytes(2 + 8)?;
        let room_len = usize::from(r.u8()?);
        let payload_len = r.u32()? as usize;
        if room_len > ROOM_MAX || core::str::from_utf8(r.bytes(room_len)?).is_err() {
            return Err(WireError::Range("room"));
        }
        r.bytes(payload_len)?;
    }
    r.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip() {
        let mut body = Vec::new();
        let tea = Room::new("tea").unwrap();
        encode(&mut body, &Room::default(), 1, 5, b"hello");
        encode(&mut body, &tea, 2, 6, b"");
        assert_eq!(check(&body, 2), Ok(()));
        assert!(check(&body, 1).is_err());
        assert!(check(&body, 3).is_err());
        assert!(check(&body[..body.len() - 1], 2).is_err());
        let got: Vec<_> = Messages::new(Bytes::from(body)).collect();
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].room.as_str(), &got[0].payload[..]), ("lobby", &b"hello"[..]));
        assert_eq!((got[1].room.as_str(), got[1].kind, got[1].planned_us), ("tea", 2, 6));
    }
}
