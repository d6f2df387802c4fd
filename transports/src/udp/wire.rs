//! What stands in a datagram.
//!
//! All numbers are little-endian. The first byte says what it is:
//!
//! | kind | fields | |
//! |---|---|---|
//! | 1 knock | `tertulia`, version (2), id of the dialler (8), datagram length (2), zeros up to 64 bytes | asks for a cookie |
//! | 2 cookie | to (8), cookie (20) | answers a knock; nothing is kept |
//! | 3 open | as knock, the cookie before the zeros | asks for a link |
//! | 4 opened | to (8), id of the listener (8), datagram length (2), check (4) | the link's other id; 0 when the lengths differ |
//! | 5 hand | to (8), number (1), message, check (4) | a message of the handshake |
//! | 6 end | to (8), number (1), check (4) | no more messages will follow, nor will a link |
//! | 7 heard | to (8), number (1), check (4) | acknowledges 5 or 6 |
//! | 8 record | to (8), number (8), tag (8), record | |
//! | 9 ping | to (8), number (8), tag (8) | asks for a sign of life |
//! | 10 fin | to (8), number (8), tag (8), gone (1) | the sender sends no more records; 1: and reads none |
//! | 11 ack | to (8), number (8), tag (8), highest (8), delay in µs (4), room (2), which arrived (136) | counts by itself |
//!
//! A check is the start of the BLAKE3 hash of all before it. It proves nothing: it turns a datagram that was damaged on
//! its way, before the two sides share a key, into a lost one, which is sent again. UDP's own check is two bytes, or
//! none. Without it the crypto suite takes damage for another secret.
//!
//! Tags are BLAKE3 under a key of the link and the direction, over all before them and, but for a record, all behind
//! them: a record is sealed already.

use std::net::SocketAddr;

use tertulia::link::{TransportCode, TransportError};

use super::seen::Report;

/// A key of a link in one direction.
pub(super) type Key = [u8; 32];
/// What proves that a dialler receives what is sent to its address.
pub(super) type Cookie = [u8; COOKIE];

pub(super) const COOKIE: usize = 20;
/// Bytes of a dialler's datagrams: no answer to them is longer.
pub(super) const KNOCK: usize = 64;
/// Bytes around the message of a handshake.
pub(super) const AROUND_HAND: usize = 1 + 8 + 1 + CHECK;
const CHECK: usize = 4;
/// Bytes before a record.
pub(super) const HEAD: usize = 1 + 8 + 8 + TAG;
const TAG: usize = 8;
const MAGIC: &[u8; 8] = b"tertulia";
const VERSION: u16 = 1;

const KNOCKS: u8 = 1;
const COOKIES: u8 = 2;
const OPENS: u8 = 3;
const OPENED: u8 = 4;
const HAND: u8 = 5;
const END: u8 = 6;
const HEARD: u8 = 7;
const RECORD: u8 = 8;
const PING: u8 = 9;
const FIN: u8 = 10;
const ACK: u8 = 11;

/// A datagram, not yet believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datagram<'a> {
    Knock { from: u64 },
    Cookie { to: u64, cookie: &'a Cookie },
    Open { from: u64, size: u16, cookie: &'a Cookie },
    Opened { to: u64, from: u64, size: u16 },
    Hand { to: u64, number: u8, message: &'a [u8] },
    End { to: u64, number: u8 },
    Heard { to: u64, number: u8 },
    Session { to: u64 },
}

impl<'a> Datagram<'a> {
    /// Reads a datagram; `None` for anything that is none.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Datagram<'a>> {
        let (&kind, rest) = bytes.split_first()?;
        if matches!(kind, KNOCKS | OPENS) {
            return Self::parse_dialler(kind, bytes, rest);
        }
        let (to, rest) = id(rest)?;
        let rest = if matches!(kind, OPENED | HAND | END | HEARD) { unchecked(bytes, rest)? } else { rest };
        match kind {
            COOKIES => Some(Datagram::Cookie { to, cookie: rest.try_into().ok()? }),
            OPENED => {
                let (from, size) = id(rest)?;
                Some(Datagram::Opened { to, from, size: u16::from_le_bytes(size.try_into().ok()?) })
            }
            HAND => rest.split_first().map(|(&number, message)| Datagram::Hand { to, number, message }),
            END => <[u8; 1]>::try_from(rest).ok().map(|[number]| Datagram::End { to, number }),
            HEARD => <[u8; 1]>::try_from(rest).ok().map(|[number]| Datagram::Heard { to, number }),
            RECORD | PING | FIN | ACK if bytes.len() >= HEAD => Some(Datagram::Session { to }),
            _ => None,
        }
    }

    fn parse_dialler(kind: u8, bytes: &'a [u8], rest: &'a [u8]) -> Option<Datagram<'a>> {
        let rest = rest.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_le_bytes())?;
        let (from, rest) = id(rest)?;
        let (size, rest) = rest.split_first_chunk::<2>()?;
        let (cookie, zeros) = if kind == OPENS { rest.split_at_checked(COOKIE)? } else { (rest, rest) };
        if bytes.len() != KNOCK || zeros.iter().any(|b| *b != 0) {
            return None;
        }
        if kind == KNOCKS {
            return Some(Datagram::Knock { from });
        }
        let size = u16::from_le_bytes(*size);
        Some(Datagram::Open { from, size, cookie: cookie.try_into().ok()? })
    }
}

/// The rest of a datagram without its check; `None` when that does not hold.
fn unchecked<'a>(bytes: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let (before, check) = bytes.split_last_chunk::<CHECK>()?;
    let (rest, _) = rest.split_last_chunk::<CHECK>()?;
    (first(&blake3::hash(before)) == *check).then_some(rest)
}

/// The datagram with its check.
fn checked(mut datagram: Vec<u8>) -> Vec<u8> {
    let check: [u8; CHECK] = first(&blake3::hash(&datagram));
    datagram.extend_from_slice(&check);
    datagram
}

fn id(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk::<8>().map(|(id, rest)| (u64::from_le_bytes(*id), rest))
}

/// A knock, or with a cookie the wish for a link.
pub(super) fn knock(from: u64, size: u16, cookie: Option<&Cookie>) -> Vec<u8> {
    let mut out = vec![if cookie.is_some() { OPENS } else { KNOCKS }];
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&from.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(cookie.map_or(&[], |c| &c[..]));
    out.resize(KNOCK, 0);
    out
}

/// The answer to a knock.
pub(super) fn cookie(to: u64, cookie: &Cookie) -> Vec<u8> {
    [&[COOKIES][..], &to.to_le_bytes(), cookie].concat()
}

/// The answer to the wish for a link.
pub(super) fn opened(to: u64, from: u64, size: u16) -> Vec<u8> {
    checked([&[OPENED][..], &to.to_le_bytes(), &from.to_le_bytes(), &size.to_le_bytes()].concat())
}

/// A message of a handshake; `None` is the end.
pub(super) fn hand(to: u64, number: u8, message: Option<&[u8]>) -> Vec<u8> {
    let kind = if message.is_some() { HAND } else { END };
    checked([&[kind][..], &to.to_le_bytes(), &[number], message.unwrap_or_default()].concat())
}

/// Acknowledges a message of a handshake.
pub(super) fn heard(to: u64, number: u8) -> Vec<u8> {
    checked([&[HEARD][..], &to.to_le_bytes(), &[number]].concat())
}

/// A datagram of a link that is up, as its other end reads it once its tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session<'a> {
    Record(&'a [u8]),
    Ping,
    Fin { gone: bool },
    Ack(Report),
}

impl<'a> Session<'a> {
    /// Reads a datagram of a link and its number; `None` when its tag does not hold or it is malformed.
    pub(super) fn open(key: &Key, bytes: &'a [u8]) -> Option<(u64, Session<'a>)> {
        let (head, body) = bytes.split_at_checked(HEAD)?;
        let (&kind, rest) = head.split_first()?;
        let number = id(rest.get(8..)?)?.0;
        if !holds(&tag(key, head, if kind == RECORD { &[] } else { body }), head.get(HEAD - TAG..)?) {
            return None;
        }
        let session = match (kind, body) {
            (RECORD, _) => Session::Record(body),
            (PING, []) => Session::Ping,
            (FIN, [gone @ (0 | 1)]) => Session::Fin { gone: *gone == 1 },
            (ACK, _) => Session::Ack(Report::read(body)?),
            _ => return None,
        };
        Some((number, session))
    }

    /// Appends the datagram to `out`.
    pub(super) fn write(&self, key: &Key, to: u64, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(match self {
            Session::Record(_) => RECORD,
            Session::Ping => PING,
            Session::Fin { .. } => FIN,
            Session::Ack(_) => ACK,
        });
        out.extend_from_slice(&to.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&[0; TAG]);
        match self {
            Session::Record(record) => out.extend_from_slice(record),
            Session::Ping => {}
            Session::Fin { gone } => out.push(u8::from(*gone)),
            Session::Ack(report) => report.write(out),
        }
        let sealed = matches!(self, Session::Record(_));
        let Some((head, body)) = out.get_mut(start..).and_then(|d| d.split_at_mut_checked(HEAD)) else {
            return;
        };
        let tag = tag(key, head, if sealed { &[] } else { body });
        if let Some(place) = head.get_mut(HEAD - TAG..) {
            place.copy_from_slice(&tag);
        }
    }
}

fn tag(key: &Key, head: &[u8], body: &[u8]) -> [u8; TAG] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(head.get(..HEAD - TAG).unwrap_or_default()).update(body);
    first(&hasher.finalize())
}

fn first<const N: usize>(hash: &blake3::Hash) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(hash.as_bytes()).for_each(|(out, byte)| *out = *byte);
    out
}

/// Compares without a time that depends on the bytes.
fn holds(tag: &[u8], claimed: &[u8]) -> bool {
    tag.len() == claimed.len() && tag.iter().zip(claimed).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

/// The keys of a link's two directions, from its initiator and to it.
pub(super) fn keys(key: &Key) -> (Key, Key) {
    let derive = |label: &[u8]| *blake3::Hasher::new_keyed(key).update(label).finalize().as_bytes();
    (derive(b"udp forth"), derive(b"udp back"))
}

/// A socket's own secret: cookies and ids come from it.
pub(super) struct Secret {
    key: Key,
    ids: std::sync::atomic::AtomicU64,
}

impl Secret {
    /// Seconds for which a cookie is good.
    const LIFE: u32 = 15;

    pub(super) fn new() -> Result<Self, TransportError> {
        use ring::rand::SecureRandom;
        let mut key = [0; 32];
        let filled = ring::rand::SystemRandom::new().fill(&mut key);
        filled.map_err(|_| {
            let why = "the system gives no randomness";
            TransportError::new(TransportCode::Exhausted, "cannot use datagrams", why)
        })?;
        Ok(Secret { key, ids: 0.into() })
    }

    /// An id that nobody can guess, and not 0.
    pub(super) fn id(&self) -> u64 {
        let count = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let hash = blake3::Hasher::new_keyed(&self.key).update(b"id").update(&count.to_le_bytes()).finalize();
        u64::from_le_bytes(first(&hash)).max(1)
    }

    /// The cookie of a dialler, made in second `now` of this socket's life.
    pub(super) fn cookie(&self, at: SocketAddr, from: u64, now: u32) -> Cookie {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"cookie").update(&now.to_le_bytes()).update(&from.to_le_bytes());
        match at.ip() {
            std::net::IpAddr::V4(ip) => hasher.update(&ip.octets()),
            std::net::IpAddr::V6(ip) => hasher.update(&ip.octets()),
        };
        let tag: [u8; COOKIE - 4] = first(&hasher.update(&at.port().to_le_bytes()).finalize());
        let mut cookie = [0; COOKIE];
        let (time, place) = cookie.split_at_mut(4);
        time.copy_from_slice(&now.to_le_bytes());
        place.copy_from_slice(&tag);
        cookie
    }

    /// True for a cookie that this socket made for that dialler a short while ago.
    pub(super) fn is_good(&self, cookie: &Cookie, at: SocketAddr, from: u64, now: u32) -> bool {
        let made = cookie.first_chunk().map_or(0, |t| u32::from_le_bytes(*t));
        now.checked_sub(made).is_some_and(|age| age <= Self::LIFE)
            && holds(&self.cookie(at, from, made), cookie)
    }
}

const _: () = assert!(1 + 8 + COOKIE <= KNOCK && 1 + 8 + 8 + 2 + CHECK <= KNOCK);

#[cfg(test)]
mod tests {
    use tertulia_core::rng::NodeRng;

    use super::super::seen::Seen;
    use super::*;

    fn valid() -> Vec<Vec<u8>> {
        let (key, cookie_of, mut out) = ([7; 32], [9; COOKIE], Vec::new());
        out.extend([knock(5, 1200, None), knock(5, 1200, Some(&cookie_of)), cookie(5, &cookie_of)]);
        out.extend([opened(5, 6, 1200), hand(5, 1, Some(b"hello")), hand(5, 2, None), heard(5, 1)]);
        let mut seen = Seen::new();
        (0..99).filter(|n| n % 7 > 0).for_each(|n| assert!(seen.note(n)));
        let report = Session::Ack(seen.report(99, 5));
        for session in [Session::Record(b"sealed"), Session::Ping, Session::Fin { gone: true }, report] {
            let mut bytes = Vec::new();
            session.write(&key, 5, 77, &mut bytes);
            assert_eq!(Session::open(&key, &bytes), Some((77, session)));
            out.push(bytes);
        }
        out
    }

    #[test]
    fn every_datagram_reads_as_it_was_written() {
        let all = valid();
        let kinds: Vec<u8> = all.iter().map(|d| d[0]).collect();
        assert_eq!(kinds, [1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert!(all.iter().all(|d| Datagram::parse(d).is_some()));
        assert_eq!(Datagram::parse(&all[0]), Some(Datagram::Knock { from: 5 }));
        assert_eq!(Datagram::parse(&all[1]), Some(Datagram::Open { from: 5, size: 1200, cookie: &[9; 20] }));
        assert_eq!(Datagram::parse(&all[4]), Some(Datagram::Hand { to: 5, number: 1, message: b"hello" }));
    }

    #[test]
    fn mutated_datagrams_are_refused_or_read_and_never_panic() {
        let (mut rng, all, key) = (NodeRng::new(1), valid(), [7; 32]);
        let (mut read, mut opened) = (0, 0);
        for _ in 0..200_000 {
            let before = rng.pick(&all).unwrap();
            let mut bytes = before.clone();
            match rng.below(4) {
                0 => bytes.truncate(rng.below(bytes.len())),
                1 => bytes.extend((0..1 + rng.below(40)).map(|n| n as u8)),
                2 => bytes = (0..rng.below(200)).map(|_| rng.next_u64() as u8).collect(),
                _ => {
                    let at = rng.below(bytes.len());
                    bytes[at] ^= 1 << rng.below(8);
                }
            }
            read += u32::from(Datagram::parse(&bytes).is_some());
            // A record's own bytes are protected by its seal alone.
            let record = bytes.first() == Some(&RECORD) && bytes.get(..HEAD) == before.get(..HEAD);
            opened += u32::from(Session::open(&key, &bytes).is_some() && !record && bytes != *before);
        }
        assert!(read > 10_000, "{read}");
        assert_eq!(opened, 0, "altered datagrams of a link were believed");
    }

    #[test]
    fn a_damaged_message_of_a_handshake_is_a_lost_one() {
        for whole in [opened(5, 6, 1200), hand(5, 1, Some(b"hello")), hand(5, 2, None), heard(5, 1)] {
            for bit in 8..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Datagram::parse(&bytes), None, "bit {bit} of {whole:?}");
            }
        }
    }

    #[test]
    fn random_datagrams_get_no_answer() {
        let mut rng = NodeRng::new(2);
        for _ in 0..300_000 {
            let mut bytes: Vec<u8> = (0..rng.below(120)).map(|_| rng.next_u64() as u8).collect();
            if let Some(kind) = bytes.first_mut() {
                *kind %= 13;
            }
            let answered =
                matches!(Datagram::parse(&bytes), Some(Datagram::Knock { .. } | Datagram::Open { .. }));
            assert!(!answered, "{bytes:?}");
        }
    }

    #[test]
    fn a_cookie_is_good_for_one_dialler_at_one_address_for_a_while() {
        let (secret, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let cookie = secret.cookie(here, 5, 100);
        assert!(secret.is_good(&cookie, here, 5, 100) && secret.is_good(&cookie, here, 5, 115));
        assert!(!secret.is_good(&cookie, here, 5, 116) && !secret.is_good(&cookie, here, 5, 99));
        assert!(!secret.is_good(&cookie, there, 5, 100) && !secret.is_good(&cookie, here, 6, 100));
        assert!(!other.is_good(&cookie, here, 5, 100));
        assert!(secret.id() != secret.id());
    }
}
