//! Codecs: how an application's payloads become bytes, chosen by the profile's table `codec`.
//!
//! A codec sees payloads as `&dyn erased_serde::Serialize`, so that it can be a trait object; [`read`] brings the type
//! back at the other end. Relays never decode payloads, and headers of the framework are not its business.

mod json;
mod postcard;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use json::Json;
pub use postcard::Postcard;

/// Names of the codecs here.
pub mod kind {
    /// A compact binary format, the default.
    pub const POSTCARD: &str = "postcard";
    /// JSON, where a documented packet format asks for it or a person should read along.
    pub const JSON: &str = "json";
}

/// A payload that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Longer than a message may be.
    #[error("the payload is longer than {0} bytes; raise limits.message or send it in pieces")]
    TooLong(usize),
    /// The type has something that this codec cannot write.
    #[error("the payload cannot be written: {0}")]
    Write(String),
    /// The bytes are not a payload of the expected type.
    #[error("the payload cannot be read: {0}")]
    Read(String),
    /// A payload, and then more.
    #[error("the payload cannot be read: {0} bytes follow its end")]
    Trailing(usize),
}

/// What a codec hands to the callback of [`Codec::decode`].
pub type Reader<'a> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> + 'a;

/// Writes and reads payloads. Both directions are bounded by the limit that the codec was built with.
pub trait Codec: Send + Sync {
    /// The name that it is registered by.
    fn kind(&self) -> &'static str;

    /// Appends `value` to `out`.
    ///
    /// # Errors
    /// When it does not fit the limit or the format; `out` is then as it was.
    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Hands `read` a deserialiser over `bytes`, all of which must be used.
    ///
    /// # Errors
    /// When the bytes are not what `read` expects.
    fn decode(&self, bytes: &[u8], read: &mut Reader<'_>) -> Result<(), CodecError>;
}

/// Writes `value` with `codec`.
///
/// # Errors
/// As [`Codec::encode`].
pub fn write<T: Serialize>(codec: &dyn Codec, value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    codec.encode(value, &mut out)?;
    Ok(out)
}

/// Reads a `T` with `codec`.
///
/// # Errors
/// As [`Codec::decode`].
pub fn read<T: DeserializeOwned>(codec: &dyn Codec, bytes: &[u8]) -> Result<T, CodecError> {
    let mut value = None;
    codec.decode(bytes, &mut |d| {
        value = Some(erased_serde::deserialize(d)?);
        Ok(())
    })?;
    value.ok_or_else(|| CodecError::Read("nothing was read".into()))
}

/// Collects bytes up to a limit; both codecs write through it, so that an endless payload costs no memory.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
    full: bool,
}

impl<'a> Bounded<'a> {
    fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        Bounded { out, start, limit, full: false }
    }

    /// Takes `bytes` if they fit.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.full |= self.out.len() - self.start + bytes.len() > self.limit;
        if !self.full {
            self.out.extend_from_slice(bytes);
        }
        !self.full
    }

    /// The outcome of writing; takes back what was written when it failed.
    fn finish<E: std::fmt::Display>(self, result: Result<(), E>) -> Result<(), CodecError> {
        result.map_err(|e| {
            self.out.truncate(self.start);
            if self.full { CodecError::TooLong(self.limit) } else { CodecError::Write(e.to_string()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Body {
        Text(String),
        Vote { yes: bool, weight: u64 },
        Nothing,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Post {
        body: Vec<Body>,
        tags: BTreeMap<String, Option<i32>>,
        #[serde(with = "serde_raw")]
        raw: Vec<u8>,
    }

    /// Byte strings in one call rather than one per byte.
    mod serde_raw {
        use serde::{Deserializer, Serializer, de};

        pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(bytes)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
            struct Bytes;
            impl<'de> de::Visitor<'de> for Bytes {
                type Value = Vec<u8>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, v: &[u8]) -> Result<Vec<u8>, E> {
                    Ok(v.to_vec())
                }
                fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                    let mut out = Vec::new();
                    while let Some(byte) = seq.next_element()? {
                        out.push(byte);
                    }
                    Ok(out)
                }
            }
            d.deserialize_bytes(Bytes)
        }
    }

    fn codecs(limit: usize) -> [Box<dyn Codec>; 2] {
        [Box::new(Postcard::new(limit)), Box::new(Json::new(limit))]
    }

    fn post() -> Post {
        Post {
            body: vec![Body::Text("olá".into()), Body::Vote { yes: true, weight: u64::MAX }, Body::Nothing],
            tags: [("a".to_owned(), Some(-1)), ("b".to_owned(), None)].into(),
            raw: vec![0, 255, 7],
        }
    }

    #[test]
    fn payloads_round_trip() {
        for codec in codecs(1 << 16) {
            let bytes = write(&*codec, &post()).unwrap();
            assert_eq!(read::<Post>(&*codec, &bytes).unwrap(), post(), "{}", codec.kind());
            assert_eq!(read::<String>(&*codec, &write(&*codec, &"x").unwrap()).unwrap(), "x");
        }
    }

    #[test]
    fn writing_appends_and_stops_at_the_limit() {
        for codec in codecs(64) {
            let mut out = b"head".to_vec();
            codec.encode(&"x".repeat(60), &mut out).unwrap();
            assert!(out.starts_with(b"head") && out.len() > 64);
            let before = out.clone();
            let error = codec.encode(&"x".repeat(65), &mut out).unwrap_err();
            assert!(matches!(error, CodecError::TooLong(64)), "{error}");
            assert_eq!(out, before);
            assert!(matches!(read::<String>(&*codec, &[b' '; 65]), Err(CodecError::TooLong(64))));
        }
    }

    #[test]
    fn foreign_bytes_are_errors() {
        for codec in codecs(1 << 16) {
            let bytes = write(&*codec, &post()).unwrap();
            for cut in 0..bytes.len() {
                assert!(read::<Post>(&*codec, &bytes[..cut]).is_err(), "{} cut at {cut}", codec.kind());
            }
            let mut longer = bytes.clone();
            longer.push(b'1');
            assert!(
                matches!(read::<Post>(&*codec, &longer), Err(CodecError::Trailing(_))),
                "{}",
                codec.kind()
            );
            // A length that promises far more than there is must not be believed.
            let error = read::<Vec<u64>>(&*codec, &[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err();
            assert!(matches!(error, CodecError::Read(_)), "{error}");
            assert!(codec.decode(&bytes, &mut |_| Ok(())).is_err(), "a reader that reads nothing");
        }
    }

    #[test]
    fn json_is_text_and_deep_nesting_is_refused() {
        let codec = Json::new(1 << 20);
        assert_eq!(
            write(&codec, &Body::Vote { yes: true, weight: 1 }).unwrap(),
            br#"{"Vote":{"yes":true,"weight":1}}"#
        );
        let deep = "[".repeat(100_000);
        assert!(read::<serde_json::Value>(&codec, deep.as_bytes()).is_err());
    }
}
