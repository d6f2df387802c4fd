//! Keys as a manager hears of them.

use std::sync::OnceLock;

use super::server::State as _;
use super::*;

const EXPIRE: Duration = Duration::from_secs(40);
const GROUP: GroupId = GroupId([1; 32]);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn peer(n: u16) -> PeerId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&n.to_be_bytes());
    PeerId(id)
}

/// Keys take long to make: three for all tests.
fn pair(n: usize) -> Arc<RsaPair> {
    static PAIRS: OnceLock<Vec<Arc<RsaPair>>> = OnceLock::new();
    PAIRS.get_or_init(|| (0..3).map(|_| Arc::new(RsaPair::generate().unwrap())).collect())[n].clone()
}

fn manager() -> State {
    State::new(pair(0), GROUP, EXPIRE)
}

fn register(state: &mut State, now: Instant, n: u16, key: usize) -> Result<Voucher, Problem> {
    let proven = pair(key).sign(&proof(&GROUP, &peer(n))).unwrap();
    state.register(now, (peer(n), "a"), pair(key).public(), &proven).unwrap()
}

/// As if `n` members of this machine had registered, each with a key of its own, which nobody holds.
fn crowd(state: &mut State, n: u16, source: &str) {
    for i in 0..n {
        let mut modulus = [0xff; 256];
        modulus[1..3].copy_from_slice(&i.to_be_bytes());
        modulus[3] = source.len() as u8;
        let key = RsaKey::from_modulus(modulus).unwrap();
        let who = peer(i + 1000 * source.len() as u16);
        let voucher = Voucher::sign(&pair(0), &GROUP, (who, key), u64::MAX).unwrap();
        state.known.insert(who, Known { voucher, source: source.into() });
    }
}

#[test]
fn a_key_is_vouched_for_until_it_expires() {
    let mut keys = manager();
    let voucher = register(&mut keys, at(100), 1, 1).unwrap();
    assert!(voucher.is_by(&pair(0).public(), &GROUP));
    assert_eq!((voucher.key, voucher.until_ms), (pair(1).public(), 140_000));
    assert_eq!(keys.changes(), [Change::Registered(peer(1))]);
    assert_eq!(keys.look_up(at(139), &peer(1)), Ok(voucher));
    assert_eq!(keys.look_up(at(139), &peer(2)), Err(Problem::UnknownPeer));
    // Renewed it counts longer, which is no news.
    assert_eq!(register(&mut keys, at(130), 1, 1).unwrap().until_ms, 170_000);
    keys.tick(at(169));
    assert!(keys.changes().is_empty());
    assert_eq!(keys.look_up(at(170), &peer(1)), Err(Problem::UnknownPeer), "expired");
    keys.tick(at(170));
    assert_eq!(keys.changes(), [Change::Removed(peer(1), "expired")]);
}

#[test]
fn nobody_takes_a_key_or_replaces_one() {
    let mut keys = manager();
    register(&mut keys, at(0), 1, 1).unwrap();
    assert_eq!(register(&mut keys, at(1), 1, 2), Err(Problem::OtherKey));
    assert_eq!(register(&mut keys, at(1), 2, 1), Err(Problem::KeyTaken));
    // The proof of another member, of another key, in another group, or none.
    let key = pair(2).public();
    let proofs = [
        pair(2).sign(&proof(&GROUP, &peer(2))).unwrap(),
        pair(1).sign(&proof(&GROUP, &peer(3))).unwrap(),
        pair(2).sign(&proof(&GroupId([9; 32]), &peer(3))).unwrap(),
        [0; 256],
        [0xff; 256],
    ];
    for proven in proofs {
        assert_eq!(keys.register(at(1), (peer(3), "a"), key, &proven), Some(Err(Problem::BadProof)));
    }
    assert_eq!(keys.changes(), [Change::Registered(peer(1))]);
    // Once it has expired, its owner may have another one.
    assert_eq!(register(&mut keys, at(40), 1, 2).unwrap().key, pair(2).public());
    assert_eq!(keys.changes(), [Change::Registered(peer(1))]);
}

#[test]
fn what_is_known_is_bounded_altogether_and_for_each_source() {
    let mut keys = manager();
    register(&mut keys, at(0), 1, 1).unwrap();
    crowd(&mut keys, SOURCE_MAX as u16 - 1, "a");
    assert_eq!(register(&mut keys, at(1), 2, 2), Err(Problem::Full));
    register(&mut keys, at(1), 1, 1).unwrap();
    let long = "é".repeat(SOURCE_LEN);
    let proven = pair(2).sign(&proof(&GROUP, &peer(2))).unwrap();
    keys.register(at(1), (peer(2), &long), pair(2).public(), &proven).unwrap().unwrap();
    crowd(&mut keys, SOURCE_MAX as u16 - 1, "bb");
    assert_eq!(keys.known.len(), KEYS_MAX);
    let bytes = keys.changed().unwrap();
    assert!(bytes.len() + KEYS_MAX * SOURCE_LEN < crate::store::ITEM_MAX, "{}", bytes.len());
    // Elsewhere there would be room.
    keys.known.remove(&peer(2));
    crowd(&mut keys, 1, "ccc");
    let full = keys.register(at(1), (peer(2), "d"), pair(2).public(), &proven);
    assert_eq!(full, Some(Err(Problem::Full)));
}

#[test]
fn what_is_kept_is_restored() {
    let mut before = manager();
    assert_eq!(before.changed(), None);
    let first = register(&mut before, at(0), 1, 1).unwrap();
    let second = register(&mut before, at(20), 2, 2).unwrap();
    let kept = before.changed().unwrap();
    assert_eq!(before.changed(), None);
    let mut after = manager();
    after.restore(at(30), &kept).unwrap();
    assert_eq!(after.look_up(at(30), &peer(1)), Ok(first));
    assert_eq!(register(&mut after, at(30), 1, 2), Err(Problem::OtherKey));
    // It counts no longer than before.
    let mut late = manager();
    late.restore(at(40), &kept).unwrap();
    assert_eq!(late.look_up(at(40), &peer(1)), Err(Problem::UnknownPeer));
    assert_eq!(late.look_up(at(40), &peer(2)), Ok(second));
    // What another manager signed is not taken over.
    let mut other = State::new(pair(1), GROUP, EXPIRE);
    other.restore(at(0), &kept).unwrap();
    assert!(other.known.is_empty());
    for n in 0..kept.len() {
        // Cut anywhere it is refused, or holds the keys before the cut; it never panics.
        let _cut = manager().restore(at(0), &kept[..n]);
    }
    assert!(manager().restore(at(0), &[9]).is_err());
}
