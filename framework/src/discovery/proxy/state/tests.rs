//! Elections as a proxy hears of them.

use std::sync::Arc;

use tertulia_core::ballot::{list_digest, vote_digest};

use super::*;
use crate::crypto::{GroupKey, GroupSecret, Identity, LiveAuth};
use crate::discovery::service::server::State as _;

const EXPIRE: Duration = Duration::from_secs(40);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

/// Members of one group, ascending by id.
struct Group(Vec<LiveAuth>);

impl Group {
    fn new(n: u8) -> Self {
        let key = Arc::new(GroupKey::new("test", &GroupSecret::from_bytes([1; 32])).unwrap());
        let auth = |i| LiveAuth::new(Arc::new(Identity::from_seed([i; 32]).unwrap()), key.clone());
        let mut all: Vec<LiveAuth> = (1..=n).map(auth).collect();
        all.sort_by_key(LiveAuth::me);
        Group(all)
    }

    fn id(&self, i: usize) -> PeerId {
        self.0[i].me()
    }

    fn entries(&self, members: &[usize]) -> Vec<Entry> {
        let addr = |i: usize| format!("tcp://10.0.0.{i}:1").parse().unwrap();
        members.iter().map(|i| Entry { peer: self.id(*i), addrs: vec![addr(*i)] }).collect()
    }

    /// `winner` was elected in `term` by `voters` out of `members`.
    fn proof(&self, term: u64, winner: usize, members: &[usize], voters: &[usize]) -> Certificate {
        let mut list: Vec<PeerId> = members.iter().map(|i| self.id(*i)).collect();
        list.sort_unstable();
        let ballot = Ballot { term, rank: [0; 4], peer: self.id(winner) };
        let digest = vote_digest(&self.0[0], &ballot, &list_digest(&self.0[0], &list));
        let votes: Vec<_> = voters.iter().map(|i| (self.id(*i), self.0[*i].sign(&digest))).collect();
        Certificate::new(ballot, list, votes.iter().map(|(who, vote)| (who, vote)))
    }

    fn lead(
        &self,
        state: &mut State,
        now: Instant,
        proof: &Certificate,
        members: &[usize],
    ) -> Result<(), &'static str> {
        state.lead(now, &self.0[0], proof.ballot.peer, proof, self.entries(members))
    }
}

fn proxy() -> State {
    State::new(EXPIRE)
}

/// What a stranger is told.
fn told(state: &State) -> (u64, Vec<Entry>) {
    match state.ask(at(0), &PeerId::default()) {
        Answer::Ask(term, entries) => (term, entries),
        other => panic!("{other:?}"),
    }
}

fn asked(state: &State) -> Vec<PeerId> {
    told(state).1.iter().map(|e| e.peer).collect()
}

#[test]
fn only_a_majority_moves_it() {
    let group = Group::new(5);
    let mut proxy = proxy();
    assert_eq!(told(&proxy), (0, vec![]));
    let all = [0, 1, 2, 3, 4];
    let first = group.proof(3, 1, &all, &[0, 1, 2]);
    group.lead(&mut proxy, at(0), &first, &all).unwrap();
    assert_eq!((told(&proxy).0, asked(&proxy)[0], asked(&proxy).len()), (3, group.id(1), 5));
    let leads = Change::Leads(group.entries(&[1])[0].clone());
    assert_eq!(proxy.changes(), [leads]);

    let too_few = group.proof(4, 2, &all, &[2, 3]);
    let alone = group.proof(9, 4, &[4], &[4]);
    let old = group.proof(2, 2, &all, &[2, 3, 4]);
    let mut forged = group.proof(4, 2, &all, &[2, 3, 4]);
    forged.votes[1].1[0] ^= 1;
    for (proof, why) in
        [(&too_few, "no majority"), (&alone, "no majority"), (&old, "later"), (&forged, "hold")]
    {
        let error = group.lead(&mut proxy, at(1), proof, &all).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    // Somebody else's certificate is of no use.
    let next = group.proof(4, 2, &all, &[2, 3, 4]);
    let error = proxy.lead(at(1), &group.0[0], group.id(3), &next, group.entries(&all)).unwrap_err();
    assert!(error.contains("another member's"), "{error}");
    assert_eq!(asked(&proxy)[0], group.id(1));

    group.lead(&mut proxy, at(1), &next, &all).unwrap();
    assert_eq!((told(&proxy).0, asked(&proxy)[0]), (4, group.id(2)));
    assert!(group.lead(&mut proxy, at(2), &first, &all).is_err(), "the one before is over");
}

#[test]
fn the_next_majority_is_of_the_members_that_the_leader_told_last() {
    let group = Group::new(5);
    let mut proxy = proxy();
    // Founded alone; the others came one by one.
    let founder = group.proof(1, 0, &[0], &[0]);
    group.lead(&mut proxy, at(0), &founder, &[0]).unwrap();
    let next = group.proof(2, 3, &[0, 1, 2, 3, 4], &[1, 3, 4]);
    assert!(group.lead(&mut proxy, at(1), &next, &[1, 3, 4]).is_err(), "nothing is known of these yet");
    group.lead(&mut proxy, at(2), &founder, &[0, 1, 2, 3, 4]).unwrap();
    assert!(proxy.changes().len() == 1, "a sign of life is no news");
    group.lead(&mut proxy, at(3), &next, &[1, 3, 4]).unwrap();
    assert_eq!(asked(&proxy)[0], group.id(3));
}

#[test]
fn a_leader_that_is_cut_off_does_not_keep_the_next_one_out() {
    let group = Group::new(5);
    let mut proxy = proxy();
    let all = [0, 1, 2, 3, 4];
    let cut_off = group.proof(1, 0, &all, &[0, 1, 2]);
    group.lead(&mut proxy, at(0), &cut_off, &all).unwrap();
    group.lead(&mut proxy, at(5), &cut_off, &[0]).unwrap();
    group.lead(&mut proxy, at(6), &group.proof(2, 3, &all, &[2, 3, 4]), &[1, 2, 3, 4]).unwrap();
    assert!(group.lead(&mut proxy, at(7), &cut_off, &[0]).is_err());
    assert_eq!(asked(&proxy)[0], group.id(3));
}

#[test]
fn a_leader_that_says_nothing_counts_no_more() {
    let group = Group::new(3);
    let mut proxy = proxy();
    group.lead(&mut proxy, at(0), &group.proof(9, 0, &[0, 1], &[0, 1]), &[0, 1]).unwrap();
    group.lead(&mut proxy, at(30), &group.proof(9, 0, &[0, 1], &[0, 1]), &[0, 1]).unwrap();
    assert!(proxy.tick(at(69)).is_empty());
    assert_eq!(asked(&proxy).len(), 2);
    assert_eq!(proxy.tick(at(70)), group.entries(&[0, 1]));
    assert_eq!(proxy.changes().last(), Some(&Change::Gone(group.id(0), "no updates")));
    // Who answers is still named: without a majority nobody can tell of the others.
    proxy.checked(at(71), &group.entries(&[0]));
    assert_eq!(asked(&proxy), [group.id(1)]);
    assert!(proxy.tick(at(75)).is_empty());
    assert_eq!(proxy.tick(at(76)), group.entries(&[1]));
    proxy.checked(at(77), &group.entries(&[1]));
    assert_eq!(told(&proxy), (0, vec![]));
    // A group that is founded anew begins at the first term.
    group.lead(&mut proxy, at(78), &group.proof(1, 2, &[2], &[2]), &[2]).unwrap();
}

#[test]
fn a_leader_that_is_silent_too_long_is_in_nobodys_way() {
    let group = Group::new(3);
    let mut proxy = proxy();
    group.lead(&mut proxy, at(0), &group.proof(9, 0, &[0, 1], &[0, 1]), &[0, 1]).unwrap();
    proxy.tick(at(40));
    group.lead(&mut proxy, at(41), &group.proof(1, 2, &[2], &[2]), &[2]).unwrap();
    assert_eq!(asked(&proxy), [group.id(2)]);
}

/// The proxy was not told of the third any more, or the second had left: the votes that it misses are of members that are gone.
#[test]
fn who_is_gone_does_not_keep_the_next_leader_out() {
    let group = Group::new(5);
    let mut proxy = proxy();
    let founder = group.proof(1, 0, &[0], &[0]);
    group.lead(&mut proxy, at(0), &founder, &[0, 1]).unwrap();
    let next = group.proof(2, 1, &[0, 1, 2], &[1, 2]);
    assert_eq!(group.lead(&mut proxy, at(1), &next, &[0, 1, 2]), Err(NO_MAJORITY));
    assert_eq!(proxy.doubt(at(1)), group.entries(&[0, 1]));
    proxy.checked(at(2), &group.entries(&[0]));
    group.lead(&mut proxy, at(2), &next, &[1, 2]).unwrap();

    // Of four one leaves: two of three elect.
    group.lead(&mut proxy, at(3), &next, &[1, 2, 3, 4]).unwrap();
    proxy.resign(&group.id(1));
    group.lead(&mut proxy, at(4), &group.proof(3, 2, &[2, 3, 4], &[2, 3]), &[2, 3, 4]).unwrap();
}

#[test]
fn electors_that_cannot_be_asked_are_waited_for() {
    let group = Group::new(3);
    let mut proxy = proxy();
    let mut entries = group.entries(&[0, 1]);
    entries[1].addrs.clear();
    let proof = group.proof(1, 0, &[0, 1], &[0, 1]);
    proxy.lead(at(0), &group.0[0], group.id(0), &proof, entries).unwrap();
    proxy.resign(&group.id(0));
    assert_eq!(proxy.ask(at(10), &group.id(2)), Answer::Wait(31));
    assert_eq!(proxy.ask(at(10), &group.id(1)), Answer::Ask(1, vec![]), "it waits for nobody else");
    assert!(proxy.tick(at(40)).is_empty());
    assert_eq!(told(&proxy), (0, vec![]));
}

#[test]
fn without_their_leader_the_others_are_asked() {
    let group = Group::new(3);
    let mut proxy = proxy();
    let proof = group.proof(1, 0, &[0, 1, 2], &[0, 1]);
    group.lead(&mut proxy, at(0), &proof, &[0, 1, 2]).unwrap();
    let doubted = proxy.doubt(at(1));
    assert_eq!(doubted.len(), 3);
    assert!(proxy.doubt(at(1)).is_empty(), "they are being asked");
    proxy.checked(at(2), &[]);
    assert_eq!(asked(&proxy).len(), 3);
    assert!(proxy.doubt(at(6)).is_empty() && !proxy.doubt(at(7)).is_empty());
    proxy.checked(at(8), &group.entries(&[0, 2]));
    assert_eq!(asked(&proxy), [group.id(1)]);
    assert_eq!(proxy.changes().last(), Some(&Change::Gone(group.id(0), "it does not answer")));
    // It was only slow.
    group.lead(&mut proxy, at(9), &proof, &[0, 1, 2]).unwrap();
    assert_eq!(asked(&proxy)[0], group.id(0));
    proxy.resign(&group.id(0));
    assert_eq!(asked(&proxy), [group.id(1), group.id(2)]);
    proxy.doubt(at(20));
    proxy.checked(at(21), &group.entries(&[1, 2]));
    assert_eq!(proxy.ask(at(21), &group.id(0)), Answer::Wait(11), "nobody is left who is known");
}

/// It was killed before it heard of more than the leader, which is dead by the time that it is back.
#[test]
fn an_heir_that_it_has_not_heard_of_is_waited_for() {
    let group = Group::new(4);
    let told_of_one = |seconds| {
        let mut before = proxy();
        let founder = group.proof(1, 0, &[0], &[0]);
        group.lead(&mut before, at(0), &founder, &[0]).unwrap();
        let mut after = proxy();
        after.restore(at(seconds), &before.changed().unwrap()).unwrap();
        after
    };
    let nobody = |state: &State, now| state.ask(at(now), &group.id(3)) == Answer::Ask(0, vec![]);
    let mut proxy = told_of_one(5);
    let all_silent = |proxy: &mut State, now| {
        let asked = proxy.doubt(at(now));
        assert_eq!(asked, group.entries(&[0]));
        proxy.checked(at(now), &asked);
    };
    all_silent(&mut proxy, 6);
    assert_eq!(proxy.ask(at(7), &group.id(3)), Answer::Wait(10));
    let heir = group.proof(2, 1, &[0, 1, 2], &[1, 2]);
    group.lead(&mut proxy, at(8), &heir, &[1, 2]).unwrap();
    assert_eq!(asked(&proxy), [group.id(1), group.id(2)]);
    proxy.resign(&group.id(1));
    proxy.resign(&group.id(2));
    assert!(nobody(&proxy, 9), "all have left");

    // A group that died entirely is founded anew, be the proxy killed once more.
    let mut proxy = told_of_one(5);
    all_silent(&mut proxy, 6);
    let kept = proxy.changed().unwrap();
    assert!(proxy.tick(at(15)).is_empty() && !nobody(&proxy, 15));
    assert!(proxy.tick(at(16)).is_empty() && nobody(&proxy, 16) && proxy.changed().is_some());
    let mut again = State::new(EXPIRE);
    again.restore(at(100), &kept).unwrap();
    assert!(!nobody(&again, 109));
    again.tick(at(110));
    assert!(nobody(&again, 110));

    // Its word counts no more by then: an heir has had the time.
    let mut late = told_of_one(5);
    let asked = late.tick(at(45));
    late.checked(at(46), &asked);
    assert!(nobody(&late, 46));
}

#[test]
fn what_is_kept_is_restored() {
    let group = Group::new(3);
    let mut before = proxy();
    let proof = group.proof(1, 0, &[0, 1, 2], &[0, 1]);
    group.lead(&mut before, at(0), &proof, &[0, 1, 2]).unwrap();
    let kept = before.changed().unwrap();
    group.lead(&mut before, at(5), &proof, &[0, 1, 2]).unwrap();
    assert_eq!(before.changed(), None, "nothing new");
    let mut after = proxy();
    after.restore(at(0), &kept).unwrap();
    assert_eq!(told(&after), told(&before));
    assert!(
        group.lead(&mut after, at(1), &group.proof(5, 2, &[2], &[2]), &[2]).is_err(),
        "still no majority"
    );
    assert!(after.lease.take(at(1), group.id(0)) && after.changed().is_some());
    for n in 4..kept.len() {
        assert!(proxy().restore(at(0), &kept[..n]).is_err(), "cut after {n} bytes");
    }
}
