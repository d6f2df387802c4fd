//! Handshakes between members that a manager vouches for, or does not.

use tertulia_core::id::Incarnation;

use super::*;
use crate::crypto::{GroupKey, GroupSecret, Identity, noise};
use crate::link::{Side, VOUCHED, admit_epoch};

/// Who may be met.
struct Town {
    manager: RsaPair,
    group: Arc<GroupKey>,
}

struct Member {
    params: HandshakeParams,
    keyring: Arc<Keyring>,
}

impl Town {
    fn new() -> Town {
        let group = GroupKey::new("g", &GroupSecret::from_bytes([1; 32])).unwrap();
        Town { manager: RsaPair::generate().unwrap(), group: Arc::new(group) }
    }

    /// A member that holds no voucher yet.
    fn member(&self, seed: u8) -> Member {
        let params = HandshakeParams {
            identity: Arc::new(Identity::from_seed([seed; 32]).unwrap()),
            group: self.group.clone(),
            incarnation: Incarnation(1),
            epoch: VOUCHED,
            admit: admit_epoch(VOUCHED),
        };
        let keyring = Keyring::new(RsaPair::generate().unwrap(), self.manager.public());
        Member { params, keyring: Arc::new(keyring) }
    }

    /// The manager's word that `key` is `of`'s.
    fn voucher(&self, of: &Member, key: RsaKey, until_ms: u64) -> Voucher {
        Voucher::sign(&self.manager, &self.group.id(), (of.params.identity.id(), key), until_ms).unwrap()
    }

    /// A member that is vouched for.
    fn vouched(&self, seed: u8) -> Member {
        let member = self.member(seed);
        let key = member.keyring.pair().public();
        member.keyring.hold(self.voucher(&member, key, u64::MAX));
        member
    }
}

impl Member {
    fn handshake(&self, role: Role) -> Box<dyn Handshake> {
        let suite = noise::build(&noise::Config {});
        Vouched::new(suite, self.keyring.clone()).handshake(role, &self.params).unwrap()
    }
}

/// Lets both sides talk; `spoil` sees each message on its way. How it ended for the initiator and for the responder.
fn talk(
    initiator: &mut dyn Handshake,
    responder: &mut dyn Handshake,
    mut spoil: impl FnMut(usize, &mut Vec<u8>),
) -> [Option<Result<PeerId, HandshakeError>>; 2] {
    let mut message = Vec::new();
    initiator.start(&mut message).unwrap();
    let mut ends = [None, None];
    for n in 0..9 {
        if message.is_empty() {
            break;
        }
        spoil(n, &mut message);
        let (side, mut answer) = (usize::from(n % 2 == 0), Vec::new());
        let read = match side {
            1 => responder.read(&message, &mut answer),
            _ => initiator.read(&message, &mut answer),
        };
        ends[side] = match read {
            Ok(Step::Wait) => None,
            Ok(Step::Done(session)) => Some(Ok(session.peer)),
            Err(error) => Some(Err(error)),
        };
        message = answer;
    }
    ends
}

fn meet(one: &Member, two: &Member) -> [Option<Result<PeerId, HandshakeError>>; 2] {
    talk(&mut *one.handshake(Role::Initiator), &mut *two.handshake(Role::Responder), |_, _| {})
}

/// Both sides know why nothing came of it, and which of the two refused.
fn refused(ends: &[Option<Result<PeerId, HandshakeError>>; 2], by: usize, why: Refusal) {
    let side = |i: usize| if i == by { Side::Us } else { Side::Them };
    for (i, end) in ends.iter().enumerate() {
        let Some(Err(error)) = end else { panic!("side {i}: {end:?}") };
        assert_eq!((error.side, error.refusal), (side(i), why), "side {i}");
    }
}

#[test]
fn members_that_are_vouched_for_link() {
    let town = Town::new();
    let (one, two) = (town.vouched(1), town.vouched(2));
    let [first, second] = meet(&one, &two);
    assert_eq!(first, Some(Ok(two.params.identity.id())));
    assert_eq!(second, Some(Ok(one.params.identity.id())));
}

#[test]
fn nobody_else_does() {
    let (town, elsewhere) = (Town::new(), Town::new());
    let good = town.vouched(1);
    let both = |other: &Member, why: Refusal| {
        refused(&meet(other, &good), 1, why);
        refused(&meet(&good, other), 0, why);
    };
    // Without a voucher nothing is proved.
    let without = town.member(2);
    refused(&meet(&without, &good), 0, Refusal::NoVoucher);
    refused(&meet(&good, &without), 1, Refusal::NoVoucher);
    // Another manager's word; a word of the past; and somebody else's word, or a word for somebody else's key.
    let other = elsewhere.member(3);
    other.keyring.hold(elsewhere.voucher(&other, other.keyring.pair().public(), u64::MAX));
    refused(&meet(&other, &good), 1, Refusal::BadVoucher);
    let thief = town.member(4);
    thief.keyring.hold(good.keyring.voucher().unwrap());
    both(&thief, Refusal::BadVoucher);
    thief.keyring.hold(town.voucher(&thief, good.keyring.pair().public(), u64::MAX));
    both(&thief, Refusal::BadVoucher);
    let late = town.member(5);
    late.keyring.hold(town.voucher(&late, late.keyring.pair().public(), unix_ms() - 1));
    refused(&meet(&late, &good), 0, Refusal::NoVoucher);
}

/// Whoever recorded the key manager's answers plays an earlier one.
#[test]
fn an_earlier_voucher_does_not_replace_a_later_one() {
    let (town, now) = (Town::new(), unix_ms());
    let member = town.member(1);
    let voucher = |until| town.voucher(&member, member.keyring.pair().public(), until);
    let [past, earlier, later] = [now - 1, now + 60_000, now + 120_000].map(voucher);
    assert!(member.keyring.hold(earlier.clone()) && member.keyring.hold(later.clone()));
    assert!(member.keyring.hold(later.clone()), "the same again");
    for old in [earlier, past] {
        assert!(!member.keyring.hold(old));
        assert_eq!(member.keyring.voucher().as_ref(), Some(&later));
    }
}

#[test]
fn an_expired_voucher_is_told_apart() {
    let town = Town::new();
    let (good, late) = (town.vouched(1), town.member(2));
    let until = unix_ms() + 50;
    late.keyring.hold(town.voucher(&late, late.keyring.pair().public(), until));
    let (mut one, mut two) = (late.handshake(Role::Initiator), good.handshake(Role::Responder));
    // The proof takes long on its way.
    let ends = talk(&mut *one, &mut *two, |n, _| {
        while n == 4 && unix_ms() <= until {
            std::thread::yield_now();
        }
    });
    refused(&ends, 1, Refusal::VoucherExpired);
}

#[test]
fn who_does_not_authenticate_so_is_told_at_once() {
    let town = Town::new();
    let (good, mut plain) = (town.vouched(1), town.vouched(2));
    (plain.params.epoch, plain.params.admit) = (0, admit_epoch(0));
    let suite = noise::build(&noise::Config {});
    let mut one = suite.handshake(Role::Initiator, &plain.params).unwrap();
    refused(&talk(&mut *one, &mut *good.handshake(Role::Responder), |_, _| {}), 1, Refusal::Keys);
    let mut two = suite.handshake(Role::Responder, &plain.params).unwrap();
    refused(&talk(&mut *good.handshake(Role::Initiator), &mut *two, |_, _| {}), 1, Refusal::Keys);
}

#[test]
fn a_proof_may_not_be_changed_cut_or_used_again() {
    let town = Town::new();
    let (one, two) = (town.vouched(1), town.vouched(2));
    let mut proof = Vec::new();
    let fresh = || (one.handshake(Role::Initiator), two.handshake(Role::Responder));
    let (mut i, mut r) = fresh();
    talk(&mut *i, &mut *r, |n, message| {
        if n == 4 {
            proof.clone_from(message);
        }
    });
    assert_eq!(proof.len(), Vouched::MESSAGE);
    let fails = |n: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let (mut i, mut r) = fresh();
        let ends = talk(&mut *i, &mut *r, |at, message| {
            if at == n {
                change(message);
            }
        });
        assert!(!ends.iter().all(|end| matches!(end, Some(Ok(_)))), "message {n}");
    };
    for n in 4..7 {
        let len = if n == 6 { 1 + TAG } else { proof.len() };
        for at in (0..len).step_by(if n == 6 { 1 } else { 61 }) {
            fails(n, &|message| message[at] ^= 1);
            fails(n, &|message| message.truncate(at));
        }
        fails(n, &|message| message.push(0));
    }
    fails(4, &|message| message.clone_from(&proof));
    fails(5, &|message| message.clone_from(&proof));
}
