//! The JSON codec.

use std::io::{self, Write};

use super::{Bounded, Codec, CodecError, Reader, kind};

/// Payloads as JSON (RFC 8259), without blanks between tokens.
#[derive(Clone, Copy, Debug)]
pub struct Json {
    limit: usize,
}

impl Json {
    /// A codec for payloads of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Json { limit }
    }
}

impl Codec for Json {
    fn kind(&self) -> &'static str {
        kind::JSON
    }

    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut bounded = Bounded::new(out, self.limit);
        let result = serde_json::to_writer(Sink(&mut bounded), value);
        bounded.finish(result)
    }

    fn decode(&self, bytes: &[u8], read: &mut Reader<'_>) -> Result<(), CodecError> {
        if bytes.len() > self.limit {
            return Err(CodecError::TooLong(self.limit));
        }
        let mut stream = serde_json::Deserializer::from_slice(bytes);
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut stream))
            .map_err(|e| CodecError::Read(e.to_string()))?;
        // The reader's position is not public: what is left is measured only when there is something.
        stream.end().map_err(|_| CodecError::Trailing(rest(bytes)))
    }
}

/// How many bytes follow the first JSON value in `bytes`.
fn rest(bytes: &[u8]) -> usize {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => bytes.len().saturating_sub(values.byte_offset()),
        _ => bytes.len(),
    }
}

struct Sink<'a, 'b>(&'a mut Bounded<'b>);

impl Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.take(bytes) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
