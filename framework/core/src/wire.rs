//! Reading and writing bytes of the wire: little-endian, bounds-checked, allocation only after a check.

use bytes::Bytes;

use crate::id::PeerId;

/// Bytes that do not say what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end before the value does.
    #[error("cut short")]
    Short,
    /// More bytes than the value has.
    #[error("bytes left over")]
    Trailing,
    /// A length, count or code outside its range.
    #[error("{0} out of range")]
    Range(&'static str),
}

/// A cursor over received bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

macro_rules! read_int {
    ($(#[$doc:meta])* $name:ident, $t:ty) => {
        $(#[$doc])*
        pub fn $name(&mut self) -> Result<$t, WireError> {
            let (head, rest) = self.0.split_first_chunk().ok_or(WireError::Short)?;
            self.0 = rest;
            Ok(<$t>::from_le_bytes(*head))
        }
    };
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    read_int!(
        /// One byte.
        u8, u8
    );
    read_int!(
        /// Two bytes, little-endian.
        u16, u16
    );
    read_int!(
        /// Four bytes, little-endian.
        u32, u32
    );
    read_int!(
        /// Eight bytes, little-endian.
        u64, u64
    );

    /// An unsigned LEB128 number.
    pub fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Range("varint"))
    }

    /// A count that stands before that many items of at least `least` bytes each, at most `most` of them.
    pub fn count(&mut self, what: &'static str, most: usize, least: usize) -> Result<usize, WireError> {
        let n = usize::try_from(self.varint()?).map_err(|_| WireError::Range(what))?;
        if n > most || n.saturating_mul(least) > self.0.len() { Err(WireError::Range(what)) } else { Ok(n) }
    }

    /// A fixed number of bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A peer id.
    pub fn peer_id(&mut self) -> Result<PeerId, WireError> {
        self.array().map(PeerId)
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        if n > self.0.len() {
            return Err(WireError::Short);
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }

    /// A text of at most `most` bytes behind its length.
    pub fn text(&mut self, what: &'static str, most: usize) -> Result<&'a str, WireError> {
        let n = self.count(what, most, 1)?;
        core::str::from_utf8(self.bytes(n)?).map_err(|_| WireError::Range(what))
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn left(&self) -> &'a [u8] {
        self.0
    }

    /// Succeeds when everything was read.
    pub fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }
}

/// Bytes that a buffer has room for at once: most bodies are shorter.
const USUAL: usize = 64;

/// A growing buffer to write a frame's body into.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Writer(Vec::with_capacity(USUAL))
    }

    /// One byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.0.push(v);
        self
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// An unsigned LEB128 number.
    pub fn varint(&mut self, mut v: u64) -> &mut Self {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.u8(v as u8)
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text behind its length.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.varint(text.len() as u64).raw(text.as_bytes())
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes written, shareable.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_round_trips_and_refuses_overflow() {
        for v in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut w = Writer::new();
            w.varint(v);
            let bytes = w.finish();
            let mut r = Reader::new(&bytes);
            assert_eq!(r.varint(), Ok(v));
            assert_eq!(r.end(), Ok(()));
        }
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(WireError::Range("varint")));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(WireError::Short));
    }

    #[test]
    fn counts_are_bounded_by_what_is_there() {
        let mut w = Writer::new();
        w.varint(1_000_000).raw(&[0; 10]);
        let bytes = w.finish();
        assert_eq!(Reader::new(&bytes).count("items", usize::MAX, 1), Err(WireError::Range("items")));
    }
}
