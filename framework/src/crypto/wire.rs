//! What the messages of all handshakes have in common.
//!
//! A message begins with a byte that says which one it is. The first one goes on in the clear with the suite's
//! byte and the protocol's version, so that two sides that do not fit can say so before they share anything. A
//! refusal is two bytes and may come in the place of any message.

use crate::link::{HANDSHAKE_MAX, HandshakeError, PROTOCOL, Refusal};

pub(super) const HELLO: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const FINISH: u8 = 3;
pub(super) const ACCEPT: u8 = 4;
/// Behind the handshake of a suite: a proof of one's RSA key, and that it was taken.
pub(super) const PROVE: u8 = 5;
pub(super) const AGREE: u8 = 6;

/// The first byte of a refusal; its code follows and ends the message.
pub const REFUSE: u8 = 0xff;

/// Suites on the wire.
pub(super) const SUITE_NOISE: u8 = 1;
pub(super) const SUITE_PLAIN: u8 = 2;

/// The clear beginning of the first message.
pub(super) fn hello(suite: u8) -> [u8; 4] {
    let [low, high] = PROTOCOL.to_le_bytes();
    [HELLO, suite, low, high]
}

/// Checks that `message` is the one expected, no refusal and of a plausible length; yields what follows its first byte.
pub(super) fn expect(kind: u8, message: &[u8]) -> Result<&[u8], HandshakeError> {
    match message {
        [REFUSE, code] => Err(HandshakeError::theirs(Refusal::from_byte(*code))),
        [first, rest @ ..] if *first == kind && message.len() <= HANDSHAKE_MAX => Ok(rest),
        _ => Err(HandshakeError::ours(Refusal::Malformed)),
    }
}

/// Checks the clear beginning of the first message; yields what follows it.
pub(super) fn expect_hello(suite: u8, message: &[u8]) -> Result<&[u8], HandshakeError> {
    let [theirs, low, high, rest @ ..] = expect(HELLO, message)? else {
        return Err(HandshakeError::ours(Refusal::Malformed));
    };
    if u16::from_le_bytes([*low, *high]) != PROTOCOL {
        return Err(HandshakeError::ours(Refusal::Version));
    }
    if *theirs != suite {
        return Err(HandshakeError::ours(Refusal::Suite));
    }
    Ok(rest)
}

/// Replaces whatever was written by the refusal that an error of our own stands for.
pub(super) fn refusal(error: HandshakeError, out: &mut Vec<u8>) -> HandshakeError {
    out.clear();
    if error.side == crate::link::Side::Us {
        out.extend([REFUSE, error.refusal.to_byte()]);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_that_do_not_fit_say_why() {
        let judge = |message: &[u8]| {
            let rest = expect_hello(SUITE_NOISE, message);
            rest.map(<[u8]>::len).map_err(|e| (e.side, e.refusal))
        };
        let good = hello(SUITE_NOISE);
        assert_eq!(judge(&good), Ok(0));
        let [low, high] = (PROTOCOL + 1).to_le_bytes();
        let us = |refusal| Err((crate::link::Side::Us, refusal));
        assert_eq!(judge(&[HELLO, SUITE_NOISE, low, high]), us(Refusal::Version));
        assert_eq!(
            judge(&[HELLO, 9, low, high]),
            us(Refusal::Version),
            "a later version may have other suites"
        );
        assert_eq!(judge(&hello(SUITE_PLAIN)), us(Refusal::Suite));
        assert_eq!(judge(&good[..3]), us(Refusal::Malformed));
        assert_eq!(judge(&[]), us(Refusal::Malformed));
        assert_eq!(judge(&[HELLO; HANDSHAKE_MAX + 1]), us(Refusal::Malformed));
        assert_eq!(judge(&[REFUSE, 10]), Err((crate::link::Side::Them, Refusal::Busy)));
        assert_eq!(judge(&[REFUSE, 10, 0]), us(Refusal::Malformed));
    }

    #[test]
    fn only_our_own_refusals_are_told() {
        let mut out = vec![1, 2, 3];
        refusal(HandshakeError::ours(Refusal::Busy), &mut out);
        assert_eq!(out, [REFUSE, Refusal::Busy.to_byte()]);
        refusal(HandshakeError::theirs(Refusal::Busy), &mut out);
        assert!(out.is_empty());
    }
}
