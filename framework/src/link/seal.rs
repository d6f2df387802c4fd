//! The seam of record protection.

/// A record that could not be sealed or opened. It says no more on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record's seal does not hold")]
pub struct SealError;

/// Seals the records of one direction of one link, in place.
///
/// Each number `seq` is used once per sealer, counted up from [`Session::FIRST`](super::Session::FIRST). On a
/// stream it is not sent: both sides count. Over datagrams it stands before the record.
pub trait Sealer: Send {
    /// Bytes that a seal adds at the end of a record.
    fn overhead(&self) -> usize;

    /// Seals `record`, whose last [`overhead`](Sealer::overhead) bytes are room for the seal.
    fn seal(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<(), SealError>;
}

/// Opens the records of one direction of one link, in place.
pub trait Opener: Send {
    /// Opens `record` and returns the length of the plain text, which stands at its front.
    ///
    /// Fails for a record that was altered, cut, made by someone else or sealed under another number or `aad`;
    /// the bytes are then to be thrown away.
    fn open(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<usize, SealError>;
}
