//! Checks of handshakes.

use std::sync::Arc;

use tertulia::link::{Admission, HANDSHAKE_MAX, HandshakeParams, Refusal, Role, SERVICE, Step, VOUCHED};
use tertulia_core::id::Incarnation;
use tertulia_core::rng::NodeRng;

use super::pair::{Bench, Ended, member};
use crate::conformance::report::ensure;

pub(super) fn completes(bench: &Bench) -> Result<(), String> {
    let (a, b, wire) = bench.linked()?;
    for (session, other) in [(&a, &bench.bob), (&b, &bench.alice)] {
        let found = (session.peer, session.incarnation, session.epoch);
        let expected = (other.identity.id(), other.incarnation, other.epoch);
        ensure(found == expected, || format!("the session names {found:?} instead of {expected:?}"))?;
    }
    let (again, ..) = bench.linked()?;
    ensure(a.transport_key == b.transport_key, || "the two sides' keys for the transport differ".into())?;
    ensure(a.transport_key != again.transport_key && a.transport_key != [0; 32], || {
        "two sessions have the same key for the transport".into()
    })?;
    let longest = wire.iter().map(Vec::len).max().unwrap_or(0);
    ensure(longest <= HANDSHAKE_MAX, || format!("a message has {longest} bytes, more than {HANDSHAKE_MAX}"))
}

pub(super) fn wrong_secret(bench: &Bench) -> Result<(), String> {
    for stranger in [member(3, "group", 8, 3)?, member(3, "other", 7, 3)?] {
        for (from, to) in [(&stranger, &bench.bob), (&bench.alice, &stranger)] {
            let outcome = bench.run(from, to, |_, _| {})?;
            outcome.refused(Refusal::WrongSecret, Role::Responder)?;
            outcome.hides(Role::Initiator, from)?;
            outcome.hides(Role::Responder, to)?;
            ensure(outcome.wire.len() == 2 && outcome.wire[1].1.len() <= 2, || {
                "the stranger got more than a refusal for an answer".into()
            })?;
        }
    }
    Ok(())
}

pub(super) fn epoch(bench: &Bench) -> Result<(), String> {
    let epochs = [0, 2, 4, !(SERVICE | VOUCHED)].map(|epoch| (epoch, Refusal::Epoch));
    // The highest bits say who speaks.
    let speakers = [(SERVICE, Refusal::Service), (VOUCHED, Refusal::Keys)];
    for (epoch, refusal) in epochs.into_iter().chain(speakers) {
        let late = member(3, "group", 7, epoch)?;
        let outcome = bench.run(&late, &bench.bob, |_, _| {})?;
        outcome.refused(refusal, Role::Responder)?;
        outcome.hides(Role::Responder, &bench.bob)?;
        ensure(outcome.wire.len() == 2, || "the epoch was not judged at the first message".into())?;
    }
    Ok(())
}

pub(super) fn admission(bench: &Bench) -> Result<(), String> {
    let except = |banned: &HandshakeParams| -> Admission {
        let banned = banned.identity.id();
        Arc::new(move |peer, _| if peer == Some(&banned) { Err(Refusal::NotAdmitted) } else { Ok(()) })
    };
    let strict = HandshakeParams { admit: except(&bench.alice), ..bench.bob.clone() };
    bench.run(&bench.alice, &strict, |_, _| {})?.refused(Refusal::NotAdmitted, Role::Responder)?;
    let strict = HandshakeParams { admit: except(&bench.bob), ..bench.alice.clone() };
    bench.run(&strict, &bench.bob, |_, _| {})?.refused(Refusal::NotAdmitted, Role::Initiator)
}

pub(super) fn own(bench: &Bench) -> Result<(), String> {
    let outcome = bench.run(&bench.alice, &bench.alice, |_, _| {})?;
    for ended in [&outcome.initiator, &outcome.responder] {
        let good = matches!(ended, Some(Err(e)) if e.refusal == Refusal::Own);
        ensure(good, || format!("expected a refusal `self`, got {ended:?}"))?;
    }
    Ok(())
}

pub(super) fn twin(bench: &Bench) -> Result<(), String> {
    let twin = HandshakeParams { incarnation: Incarnation(77), ..bench.alice.clone() };
    let outcome = bench.run(&bench.alice, &twin, |_, _| {})?;
    for (ended, other) in [(&outcome.initiator, &twin), (&outcome.responder, &bench.alice)] {
        let good = matches!(ended, Some(Err(e))
            if e.refusal == Refusal::IdentityInUse && e.twin == Some(other.incarnation));
        ensure(good, || format!("expected `identity-in-use` with the other's incarnation, got {ended:?}"))?;
    }
    Ok(())
}

/// Who reads message `n` must refuse it.
fn must_refuse(bench: &Bench, n: usize, how: &str, meddle: impl Fn(&mut Vec<u8>)) -> Result<(), String> {
    let outcome = bench.run(&bench.alice, &bench.bob, |i, message| {
        if i == n {
            meddle(message);
        }
    })?;
    let reader: &Ended = if n.is_multiple_of(2) { &outcome.responder } else { &outcome.initiator };
    ensure(matches!(reader, Some(Err(_))), || format!("message {n} was {how}, and its reader got {reader:?}"))
}

pub(super) fn altered(bench: &Bench) -> Result<(), String> {
    let (.., wire) = bench.linked()?;
    for (n, message) in wire.iter().enumerate() {
        for at in 0..message.len() {
            for bit in [0x01, 0x80] {
                must_refuse(bench, n, &format!("changed at byte {at}"), |m| m[at] ^= bit)?;
            }
        }
        for len in (0..message.len()).step_by(7).chain([message.len() - 1]) {
            must_refuse(bench, n, &format!("cut to {len} bytes"), |m| m.truncate(len))?;
        }
        for more in [1, 16, HANDSHAKE_MAX] {
            must_refuse(bench, n, &format!("lengthened by {more}"), |m| m.resize(m.len() + more, 0))?;
        }
    }
    Ok(())
}

pub(super) fn replayed(bench: &Bench) -> Result<(), String> {
    let (.., old) = bench.linked()?;
    for (n, message) in old.iter().enumerate().skip(1) {
        must_refuse(bench, n, "replaced by that of an earlier run", |m| m.clone_from(message))?;
    }
    for (role, skip) in [(Role::Initiator, 1), (Role::Responder, 0)] {
        let params = if role == Role::Initiator { &bench.alice } else { &bench.bob };
        let mut side = bench.side(role, params)?;
        let mut out = Vec::new();
        side.start(&mut out).map_err(|e| e.to_string())?;
        for message in old.iter().skip(skip).step_by(2) {
            match side.read(message, &mut out) {
                Ok(Step::Wait) => {}
                Ok(Step::Done(_)) => {
                    return Err(format!("a recorded run was accepted again by the {role:?}"));
                }
                Err(_) => break,
            }
        }
        let mut side = bench.side(role, params)?;
        let mut sent = Vec::new();
        side.start(&mut sent).map_err(|e| e.to_string())?;
        if role == Role::Responder {
            side.read(&old[0], &mut sent).map_err(|e| e.to_string())?;
        }
        let back = side.read(&sent, &mut Vec::new());
        ensure(back.is_err(), || format!("the {role:?} accepted its own message"))?;
    }
    Ok(())
}

pub(super) fn garbage(bench: &Bench) -> Result<(), String> {
    let mut rng = NodeRng::fork(bench.seed, 1);
    let (mut a, _, wire) = bench.linked()?;
    for round in 0..2_000u64 {
        let n = rng.below(wire.len());
        let keep = rng.below(wire[n].len() + 1);
        let noise: Vec<u8> = (0..rng.below(300)).map(|_| rng.next_u64() as u8).collect();
        // Half of them begin as the true message does.
        let meddle = |m: &mut Vec<u8>| {
            let true_one = m.clone();
            m.truncate(if round.is_multiple_of(2) { keep } else { 0 });
            m.extend(&noise);
            m.push(if m.len() + 1 == true_one.len() { !true_one[m.len()] } else { 1 });
        };
        must_refuse(bench, n, "replaced by random bytes", meddle)?;
        let mut record = noise.clone();
        ensure(a.opener.open(round, &[], &mut record).is_err(), || "random bytes opened as a record".into())?;
    }
    Ok(())
}
