//! The compact binary codec.

use postcard::ser_flavors::Flavor;
use postcard::{Deserializer, serialize_with_flavor};

use super::{Bounded, Codec, CodecError, Reader, kind};

/// Payloads in the [postcard format](https://postcard.jamesmunns.com/wire-format): no names, numbers as varints.
///
/// It does not describe itself: both ends must have the same type, and enums may not be `#[serde(tag)]`ged.
#[derive(Clone, Copy, Debug)]
pub struct Postcard {
    limit: usize,
}

impl Postcard {
    /// A codec for payloads of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Postcard { limit }
    }
}

impl Codec for Postcard {
    fn kind(&self) -> &'static str {
        kind::POSTCARD
    }

    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut bounded = Bounded::new(out, self.limit);
        let result = serialize_with_flavor(value, Sink(&mut bounded));
        bounded.finish(result)
    }

    fn decode(&self, bytes: &[u8], read: &mut Reader<'_>) -> Result<(), CodecError> {
        if bytes.len() > self.limit {
            return Err(CodecError::TooLong(self.limit));
        }
        let mut deserializer = Deserializer::from_bytes(bytes);
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut deserializer))
            .map_err(|e| CodecError::Read(e.to_string()))?;
        let rest = deserializer.finalize().map_err(|e| CodecError::Read(e.to_string()))?;
        if rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(rest.len())) }
    }
}

struct Sink<'a, 'b>(&'a mut Bounded<'b>);

impl Flavor for Sink<'_, '_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.0.take(bytes) { Ok(()) } else { Err(postcard::Error::SerializeBufferFull) }
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
