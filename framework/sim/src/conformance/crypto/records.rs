//! Checks of records.

use tertulia::link::{Sealer, Session};

use super::pair::Bench;
use crate::conformance::report::ensure;

const LENGTHS: [usize; 12] = [0, 1, 15, 16, 17, 255, 1000, 16_384, 65_519, 65_536, 131_056, 200_000];

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

fn sealed(sealer: &mut dyn Sealer, seq: u64, aad: &[u8], len: usize) -> Result<Vec<u8>, String> {
    let mut record = text(len);
    record.resize(len + sealer.overhead(), 0);
    sealer.seal(seq, aad, &mut record).map_err(|_| format!("a record of {len} bytes could not be sealed"))?;
    Ok(record)
}

/// The record must open, or must not.
fn opens(session: &mut Session, seq: u64, aad: &[u8], record: &[u8]) -> bool {
    session.opener.open(seq, aad, &mut record.to_vec()).is_ok()
}

pub(super) fn open(bench: &Bench) -> Result<(), String> {
    let (mut a, mut b, _) = bench.linked()?;
    let mut seq = Session::FIRST;
    for len in LENGTHS {
        for aad in [&b""[..], b"head"] {
            for (from, to) in [(&mut a.sealer, &mut b.opener), (&mut b.sealer, &mut a.opener)] {
                let mut record = sealed(&mut **from, seq, aad, len)?;
                let n = to.open(seq, aad, &mut record);
                let n = n.map_err(|_| format!("a record of {len} bytes did not open on the other side"))?;
                ensure(record.get(..n) == Some(&text(len)[..]), || format!("{len} bytes came out changed"))?;
            }
            seq += 1;
        }
    }
    Ok(())
}

pub(super) fn altered(bench: &Bench) -> Result<(), String> {
    for len in [0, 1, 100, 1000] {
        let (mut a, mut b, _) = bench.linked()?;
        let record = sealed(&mut *a.sealer, Session::FIRST, b"", len)?;
        let mut bad = record.clone();
        for at in 0..record.len() {
            bad[at] ^= 1 << (at % 8);
            ensure(!opens(&mut b, Session::FIRST, b"", &bad), || {
                format!("a record of {len} bytes opened after its byte {at} was changed")
            })?;
            bad[at] = record[at];
        }
        for cut in 0..record.len() {
            let good = !opens(&mut b, Session::FIRST, b"", &record[..cut]);
            ensure(good, || format!("a record of {len} bytes opened after it was cut to {cut}"))?;
        }
        bad.push(0);
        ensure(!opens(&mut b, Session::FIRST, b"", &bad), || "a lengthened record opened".into())?;
        ensure(opens(&mut b, Session::FIRST, b"", &record), || {
            "the true record did not open after false ones were refused".into()
        })?;
    }
    Ok(())
}

pub(super) fn displaced(bench: &Bench) -> Result<(), String> {
    let first = Session::FIRST;
    let (mut a, mut b, _) = bench.linked()?;
    let (mut other, mut third, _) = bench.linked()?;
    let one = sealed(&mut *a.sealer, first, b"", 100)?;
    let two = sealed(&mut *a.sealer, first + 1, b"", 100)?;
    let headed = sealed(&mut *a.sealer, first + 2, b"head", 100)?;
    let foreign = sealed(&mut *other.sealer, first, b"", 100)?;
    let refuse = |what: &str, session: &mut Session, seq, aad: &[u8], record: &[u8]| {
        ensure(!opens(session, seq, aad, record), || format!("a record opened {what}"))
    };
    refuse("in the place of the one before", &mut b, first, b"", &two)?;
    refuse("on the side that sealed it", &mut a, first, b"", &one)?;
    refuse("in another session", &mut b, first, b"", &foreign)?;
    refuse("in another session", &mut third, first, b"", &one)?;
    refuse("without its aad", &mut b, first + 2, b"", &headed)?;
    refuse("under another aad", &mut b, first + 2, b"heae", &headed)?;
    ensure(opens(&mut b, first, b"", &one), || "the first record did not open".into())?;
    let mut refuse = |what: &str, record: &[u8]| {
        ensure(!opens(&mut b, first + 1, b"", record), || format!("a record opened {what}"))
    };
    refuse("a second time", &one)?;
    ensure(opens(&mut b, first + 1, b"", &two), || "the second record did not open".into())
}
