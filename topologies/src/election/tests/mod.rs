//! Single steps of an elector, and its messages as bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use tertulia_core::auth::{Auth, Signature};
use tertulia_core::ballot::{Ballot, Certificate, list_digest, vote_digest};
use tertulia_core::id::{Digest, PeerId, SealKey};
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;
use tertulia_core::wire::Reader;

use super::*;

/// Signs with its own id and a sum of the digest.
struct SumAuth(PeerId);

impl Auth for SumAuth {
    fn me(&self) -> PeerId {
        self.0
    }
    fn seal_key(&self) -> SealKey {
        SealKey::default()
    }
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let bytes = parts.iter().flat_map(|p| p.iter());
        let sum = bytes.fold(7u64, |sum, b| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*b));
        let mut out = [0; 32];
        out[..8].copy_from_slice(&sum.to_le_bytes());
        Digest(out)
    }
    fn sign(&self, digest: &Digest) -> Signature {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&self.0.0);
        out[32..].copy_from_slice(&digest.0);
        out
    }
    fn verify(&self, who: &PeerId, digest: &Digest, signature: &Signature) -> bool {
        *signature == SumAuth(*who).sign(digest)
    }
    fn seal(&self, _: &SealKey, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn open(&self, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn id(n: u8) -> PeerId {
    PeerId([n; 32])
}

fn ballot(term: u64, rank: u32, peer: u8) -> Ballot {
    Ballot { term, rank: [rank, 0, 0, 0], peer: id(peer) }
}

/// An elector of a list of three that granted `kept`.
fn elector(me: u8, kept: Ballot, rule: Rule) -> Election {
    let roll = Roll { tag: tag(), members: vec![id(1), id(2), id(3)] };
    let settings = Settings { rule, ..Settings::default() };
    Election::new(id(me), settings, Some(&Kept { ballot: kept, roll }.encode()))
}

/// What an elector answers to a message at a time.
fn tell(election: &mut Election, at: u64, from: u8, message: Message) -> Vec<Effect> {
    let mut out = Vec::new();
    let (auth, mut rng) = (SumAuth(election.me), NodeRng::new(at));
    let mut io = Io { now: Instant::from_millis(at), rng: &mut rng, auth: &auth, out: &mut out };
    election.on_message(&mut io, id(from), message);
    out
}

/// The list that every [`elector`] begins with.
fn tag() -> Tag {
    Tag { ballot: ballot(1, 0, 1), version: 2 }
}

fn request(ballot: Ballot) -> Message {
    Message::Request { ballot, tag: tag(), list: Digest([5; 32]) }
}

fn voted(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Send(_, Message::Vote { vote: Some(_), .. })))
}

fn certificate(ballot: Ballot, votes: &[u8]) -> Certificate {
    let members = vec![id(1), id(2), id(3)];
    let auth = SumAuth(id(1));
    let digest = vote_digest(&auth, &ballot, &list_digest(&auth, &members));
    let votes: Vec<(PeerId, Signature)> =
        votes.iter().map(|&v| (id(v), SumAuth(id(v)).sign(&digest))).collect();
    Certificate::new(ballot, members, votes.iter().map(|(who, vote)| (who, vote)))
}

#[test]
fn a_vote_is_stored_before_it_is_sent() {
    let mut voter = elector(1, ballot(1, 0, 1), Rule::Ballot);
    let high = ballot(2, 5, 2);
    let effects = tell(&mut voter, 1, 2, request(high));
    let [Effect::Persist(stored), Effect::Send(to, Message::Vote { vote: Some(_), .. })] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!((Kept::decode(stored).unwrap().ballot, *to), (high, id(2)));
    let lower = ballot(2, 4, 3);
    assert!(!voted(&tell(&mut voter, 2, 3, request(lower))), "a lower rank");
    assert!(voted(&tell(&mut voter, 3, 2, request(high))), "the same again");
    assert!(voted(&tell(&mut voter, 4, 3, request(ballot(2, 6, 3)))), "a higher rank");
    assert!(!voted(&tell(&mut voter, 5, 2, request(high))), "the lower one does not come back");
    let mut again = Election::new(id(1), Settings::default(), Some(&voter.kept.encode()));
    assert!(!voted(&tell(&mut again, 6, 2, request(high))), "not after a restart either");
    assert!(!voted(&tell(&mut again, 7, 3, request(ballot(9, 9, 2)))), "with the ballot of another");
}

#[test]
fn one_vote_in_a_term_by_the_plain_rule() {
    let mut voter = elector(1, ballot(1, 0, 1), Rule::Plain);
    assert!(voted(&tell(&mut voter, 1, 2, request(ballot(2, 0, 2)))));
    assert!(!voted(&tell(&mut voter, 2, 3, request(ballot(2, 0, 3)))));
    assert!(voted(&tell(&mut voter, 3, 2, request(ballot(2, 0, 2)))));
    assert!(voted(&tell(&mut voter, 4, 3, request(ballot(3, 0, 3)))));
}

#[test]
fn nobody_with_an_older_list_is_voted_for() {
    let mut voter = elector(1, ballot(1, 0, 1), Rule::Ballot);
    let tag = Tag { version: 1, ..voter.roll().tag };
    let message = Message::Request { ballot: ballot(5, 0, 2), tag, list: Digest::default() };
    assert!(!voted(&tell(&mut voter, 1, 2, message)));
    let pre = Message::Pre { ballot: ballot(5, 0, 2), tag };
    let effects = tell(&mut voter, 1, 2, pre);
    assert!(matches!(effects[..], [Effect::Send(_, Message::PreReply { yes: false, .. })]), "{effects:?}");
}

#[test]
fn a_leader_is_obeyed_for_its_certificate() {
    let mut member = elector(3, ballot(1, 0, 1), Rule::Ballot);
    let won = ballot(2, 9, 2);
    let roll = Roll { tag: Tag { ballot: won, version: 0 }, members: vec![id(1), id(2), id(3)] };
    let lead = |proof| Message::Lead { number: 1, roll: roll.clone(), proof };
    assert_eq!(tell(&mut member, 1, 2, lead(certificate(won, &[2]))), vec![], "a minority");
    let mut forged = certificate(won, &[1, 2]);
    assert_eq!(Certificate::decode(&forged.encode()), Ok(forged.clone()));
    forged.votes[0].1[40] ^= 1;
    assert_eq!(tell(&mut member, 1, 2, lead(forged)), vec![]);
    assert_eq!(tell(&mut member, 1, 1, lead(certificate(won, &[1, 2]))), vec![], "said by another");
    assert_eq!(member.leader(), None);
    tell(&mut member, 1, 2, lead(certificate(won, &[1, 2])));
    assert_eq!((member.leader(), member.ballot()), (Some(id(2)), won));
    // An outdone one is told so and not obeyed.
    let old = ballot(2, 8, 1);
    let late = Message::Lead {
        number: 7,
        roll: Roll { tag: Tag { ballot: old, version: 4 }, ..roll.clone() },
        proof: certificate(old, &[1, 2]),
    };
    let effects = tell(&mut member, 2, 1, late);
    assert!(matches!(effects[..], [Effect::Send(_, Message::Ack { number: 7, seen, .. })] if seen == won));
    assert_eq!(member.leader(), Some(id(2)));
}

#[test]
fn a_pre_vote_looks_at_contact_and_term_and_not_at_rank() {
    let mut voter = elector(1, ballot(2, 9, 2), Rule::Ballot);
    let ask = |voter: &mut Election, at, ballot: Ballot| {
        let tag = voter.roll().tag;
        let effects = tell(voter, at, 3, Message::Pre { ballot, tag });
        matches!(effects[..], [Effect::Send(_, Message::PreReply { yes: true, .. })])
    };
    assert!(ask(&mut voter, 1, ballot(2, 1, 3)), "a lower rank in the same term");
    assert!(!ask(&mut voter, 1, ballot(1, 99, 3)), "an earlier term");
    let won = ballot(3, 0, 2);
    let roll = Roll { tag: Tag { ballot: won, version: 0 }, members: vec![id(1), id(2), id(3)] };
    tell(&mut voter, 1000, 2, Message::Lead { number: 1, roll, proof: certificate(won, &[1, 2]) });
    assert!(!ask(&mut voter, 1999, ballot(4, 0, 3)), "the leader was heard");
    assert!(ask(&mut voter, 2000, ballot(4, 0, 3)), "and is missed");
    assert_eq!(voter.ballot(), won, "nothing was bound");
}

#[test]
fn a_founder_leads_alone_and_takes_members_in_one_by_one() {
    let mut founder = Election::new(id(1), Settings::default(), None);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    founder.found(&mut io);
    assert!(founder.is_leader() && founder.proof().is_some_and(|p| p.verify(&auth)));
    founder.set_members(&mut io, BTreeSet::from([id(2), id(3)]), BTreeSet::new());
    assert_eq!(founder.roll().members, vec![id(1)]);
    // Nobody is on the list before it has answered.
    let (seen, tag) = (founder.ballot(), founder.roll().tag);
    founder.on_message(&mut io, id(2), Message::Ack { number: 1, seen, tag });
    founder.on_message(&mut io, id(3), Message::Ack { number: 2, seen, tag });
    assert_eq!(founder.roll().members, vec![id(1), id(2)], "the next one waits for a majority of these");
    let tag = founder.roll().tag;
    founder.on_message(&mut io, id(2), Message::Ack { number: 3, seen, tag });
    assert_eq!(founder.roll().members, vec![id(1), id(2)], "and until it holds their list");
    founder.on_message(&mut io, id(3), Message::Ack { number: 3, seen, tag });
    assert_eq!(founder.roll().members, vec![id(1), id(2), id(3)]);
    // Without an answer it goes on for a timeout and no longer.
    io.now += Duration::from_millis(999);
    founder.on_deadline(&mut io);
    assert!(founder.is_leader());
    io.now += Duration::from_millis(1);
    founder.on_deadline(&mut io);
    assert!(!founder.is_leader() && founder.leader().is_none());
}

/// Whoever is put on the list hears of it last: its vote counts all the same, or a leader that dies just then leaves nobody
/// who can be elected.
#[test]
fn a_newcomer_votes_for_whoever_has_it_on_the_list() {
    let roll = Roll { tag: tag(), members: vec![id(1), id(2)] };
    let mut newcomer = elector(3, ballot(1, 0, 1), Rule::Ballot);
    newcomer.kept.roll = roll;
    assert!(!newcomer.is_elector());
    let (ballot, tag) = (ballot(2, 0, 2), Tag { version: 3, ..tag() });
    let effects = tell(&mut newcomer, 1, 2, Message::Pre { ballot, tag });
    assert!(matches!(effects[..], [Effect::Send(_, Message::PreReply { yes: true, .. })]), "{effects:?}");
    assert!(voted(&tell(&mut newcomer, 2, 2, Message::Request { ballot, tag, list: Digest([5; 32]) })));
    // Without any list there is no vote: it was given up, or what was stored is lost.
    let mut lost = Election::new(id(3), Settings::default(), None);
    assert!(!voted(&tell(&mut lost, 1, 2, Message::Request { ballot, tag, list: Digest([5; 32]) })));
}

/// Members that said goodbye and came back are on the list and hold none: once they say so, the others need them no more.
#[test]
fn whoever_gave_its_vote_up_is_not_waited_for() {
    let mut member = elector(1, ballot(1, 0, 1), Rule::Ballot);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    member.start(&mut io);
    io.now = Instant::from_millis(2001);
    member.on_deadline(&mut io);
    assert!(member.is_candidate());
    let (other, seen) = (Tag { version: 1, ..tag() }, ballot(1, 0, 1));
    member.on_message(&mut io, id(2), Message::NoVote { tag: other, seen });
    member.on_message(&mut io, id(9), Message::NoVote { tag: tag(), seen });
    member.on_message(&mut io, id(3), Message::NoVote { tag: tag(), seen });
    assert!(!member.is_leader(), "said of another list, and by somebody on none");
    member.on_message(&mut io, id(2), Message::NoVote { tag: tag(), seen });
    assert!(member.is_leader());
    assert_eq!(member.roll().members, vec![id(1)]);
}

/// Its last vote may have made a leader: those that elect without it do so in a later term.
#[test]
fn whoever_votes_no_more_says_how_far_it_voted() {
    for (far, stands) in [(1, true), (2, false)] {
        let mut member = elector(1, ballot(1, 0, 1), Rule::Plain);
        let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
        let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
        member.start(&mut io);
        io.now = Instant::from_millis(2001);
        member.on_deadline(&mut io);
        let yes = Message::PreReply { ballot: ballot(2, 0, 1), yes: true, seen: ballot(1, 0, 1) };
        member.on_message(&mut io, id(3), Message::NoVote { tag: tag(), seen: ballot(far, 0, 3) });
        member.on_message(&mut io, id(2), yes);
        assert_eq!(member.stands_with().is_some(), stands, "after a vote in term {far}");
    }
}

/// A candidate's votes of members that have left are no part of its majority: the others may have one without them.
#[test]
fn votes_of_those_that_left_make_no_leader() {
    let mut member = elector(1, ballot(1, 0, 1), Rule::Ballot);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    member.start(&mut io);
    let mine = ballot(2, 5, 1);
    member.stand(&mut io, mine);
    member.set_members(&mut io, BTreeSet::from([id(3)]), BTreeSet::from([id(2)]));
    let digest = vote_digest(&auth, &mine, &list_digest(&auth, &[id(1), id(2), id(3)]));
    let vote =
        |who: u8| Message::Vote { ballot: mine, vote: Some(SumAuth(id(who)).sign(&digest)), seen: mine };
    member.on_message(&mut io, id(2), vote(2));
    assert!(!member.is_leader());
    member.on_message(&mut io, id(3), vote(3));
    assert!(member.is_leader());
}

/// Others may count without it on every list that names it so far: it begins with one that does not.
#[test]
fn a_vote_given_up_comes_back_with_a_later_list_only() {
    let mut member = elector(3, ballot(1, 0, 1), Rule::Ballot);
    let (auth, mut rng, mut out) = (SumAuth(id(3)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    member.retire(&mut io);
    let won = ballot(2, 9, 2);
    let lead = |number, version, members: &[u8]| Message::Lead {
        number,
        roll: Roll { tag: Tag { ballot: won, version }, members: members.iter().map(|m| id(*m)).collect() },
        proof: certificate(won, &[1, 2]),
    };
    let denied = |effects: Vec<Effect>| match &effects[..] {
        [.., Effect::Send(_, Message::NoVote { tag, .. })] => Some(tag.version),
        [.., Effect::Send(_, Message::Ack { .. })] => None,
        _ => panic!("{effects:?}"),
    };
    assert_eq!(denied(tell(&mut member, 2, 2, lead(1, 5, &[1, 2, 3]))), Some(5));
    assert_eq!((member.leader(), member.is_elector()), (Some(id(2)), false));
    let asked = Message::Pre { ballot: ballot(3, 0, 1), tag: Tag { ballot: won, version: 6 } };
    assert_eq!(denied(tell(&mut member, 3, 1, asked)), Some(6));
    // Late, of before what it said last.
    tell(&mut member, 4, 2, lead(2, 4, &[1, 2]));
    assert!(!member.may_vote());
    assert_eq!(denied(tell(&mut member, 5, 2, lead(3, 7, &[1, 2]))), None);
    assert_eq!(denied(tell(&mut member, 6, 2, lead(4, 8, &[1, 2, 3]))), None);
    assert!(member.is_elector());
}

/// A leader takes whoever came back without its vote off the list, and puts it on again when it holds that.
#[test]
fn a_leader_gives_the_vote_back() {
    let mut founder = Election::new(id(1), Settings::default(), None);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    founder.found(&mut io);
    founder.set_members(&mut io, BTreeSet::from([id(2)]), BTreeSet::new());
    let (seen, ack) = (founder.ballot(), |number, seen, tag| Message::Ack { number, seen, tag });
    for number in [1, 2] {
        let tag = founder.roll().tag;
        founder.on_message(&mut io, id(2), ack(number, seen, tag));
    }
    assert!(founder.has_vote(&id(2)));
    let tag = founder.roll().tag;
    founder.on_message(&mut io, id(2), Message::NoVote { tag, seen });
    assert_eq!((founder.roll().members.clone(), founder.has_vote(&id(2))), (vec![id(1)], false));
    founder.on_message(&mut io, id(2), Message::NoVote { tag, seen });
    for number in [3, 4] {
        assert!(!founder.has_vote(&id(2)));
        let tag = founder.roll().tag;
        founder.on_message(&mut io, id(2), ack(number, seen, tag));
    }
    assert!(founder.has_vote(&id(2)));
}

#[test]
fn a_leader_names_those_that_a_majority_agreed_on() {
    let mut founder = Election::new(id(1), Settings::default(), None);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    founder.found(&mut io);
    founder.set_members(&mut io, BTreeSet::from([id(2)]), BTreeSet::new());
    let (seen, tag) = (founder.ballot(), founder.roll().tag);
    founder.on_message(&mut io, id(2), Message::Ack { number: 1, seen, tag });
    assert_eq!((founder.roll().members.len(), founder.agreed()), (2, vec![id(1)]));
    assert!(!founder.has_vote(&id(2)));
    let tag = founder.roll().tag;
    founder.on_message(&mut io, id(2), Message::Ack { number: 2, seen, tag });
    assert!(founder.has_vote(&id(2)));
    assert_eq!(founder.agreed(), vec![id(1), id(2)]);
    founder.set_members(&mut io, BTreeSet::new(), BTreeSet::from([id(2)]));
    assert_eq!(founder.agreed(), vec![id(1)], "a goodbye counts at once");
}

/// A founder with a newcomer on its list that has died would never be elected again.
#[test]
fn whoever_goes_before_it_holds_the_list_is_struck_at_once() {
    let mut leader = Election::new(id(1), Settings::default(), None);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    leader.found(&mut io);
    let all = BTreeSet::from([id(2), id(3)]);
    leader.set_members(&mut io, all.clone(), BTreeSet::new());
    let seen = leader.ballot();
    let tell = |leader: &mut Election, io: &mut Io<'_>, number, who| {
        let tag = leader.roll().tag;
        leader.on_message(io, id(who), Message::Ack { number, seen, tag });
    };
    tell(&mut leader, &mut io, 1, 2);
    assert_eq!((leader.roll().members.len(), leader.agreed().len()), (2, 1));
    leader.set_members(&mut io, BTreeSet::from([id(3)]), BTreeSet::new());
    assert_eq!((&leader.roll().members, leader.agreed()), (&vec![id(1)], vec![id(1)]));
    assert_eq!(leader.roll().tag.version, 2, "a later list: what the newcomer holds elects nobody");
    // It comes back, and has a vote again when it answers, not before.
    leader.set_members(&mut io, all, BTreeSet::new());
    assert_eq!(leader.roll().members, vec![id(1)]);
    [2, 2, 3].into_iter().for_each(|who| tell(&mut leader, &mut io, 2, who));
    assert_eq!((leader.roll().members.len(), leader.agreed().len()), (3, 2));
    // Whom a majority has agreed on goes only when a majority holds the list as it is.
    leader.set_members(&mut io, BTreeSet::from([id(3)]), BTreeSet::new());
    assert_eq!(leader.roll().members.len(), 3);
    tell(&mut leader, &mut io, 2, 3);
    assert_eq!(leader.roll().members, vec![id(1), id(3)]);
}

/// The follower that holds the latest list is asked to stand, though nobody holds the one that was just written.
#[test]
fn a_leader_that_goes_has_an_heir_while_the_list_changes() {
    let mut leader = Election::new(id(1), Settings::default(), None);
    let (auth, mut rng, mut out) = (SumAuth(id(1)), NodeRng::new(1), Vec::new());
    let mut io = Io { now: Instant::from_millis(1), rng: &mut rng, auth: &auth, out: &mut out };
    leader.found(&mut io);
    leader.set_members(&mut io, BTreeSet::from([id(2), id(3)]), BTreeSet::new());
    let seen = leader.ballot();
    // The third answers last, and is on no list that it holds.
    for (at, number, who) in [(1, 1, 2), (2, 2, 2), (3, 2, 3)] {
        io.now = Instant::from_millis(at);
        let tag = leader.roll().tag;
        leader.on_message(&mut io, id(who), Message::Ack { number, seen, tag });
    }
    assert_eq!((leader.roll().members.len(), leader.agreed().len()), (3, 2));
    io.out.clear();
    leader.retire(&mut io);
    let heir = io.out.iter().find_map(|e| match e {
        Effect::Send(to, Message::Resign { .. }) => Some(*to),
        _ => None,
    });
    assert_eq!(heir, Some(id(2)));
}

fn samples() -> Vec<Message> {
    let (ballot, tag) = (ballot(7, 3, 2), Tag { ballot: ballot(6, 1, 1), version: 9 });
    let roll = Roll { tag, members: vec![id(1), id(2)] };
    vec![
        Message::Pre { ballot, tag },
        Message::PreReply { ballot, yes: true, seen: ballot },
        Message::Request { ballot, tag, list: Digest([4; 32]) },
        Message::Vote { ballot, vote: Some([8; 64]), seen: ballot },
        Message::Vote { ballot, vote: None, seen: ballot },
        Message::Lead { number: 3, roll, proof: certificate(ballot, &[1, 2]) },
        Message::Beat { number: u64::MAX, ballot, tag },
        Message::Ack { number: 1, seen: ballot, tag },
        Message::Resign { ballot },
        Message::NoVote { tag, seen: ballot },
    ]
}

#[test]
fn messages_round_trip_and_end_where_they_end() {
    for message in samples() {
        let bytes = message.encode();
        let mut reader = Reader::new(&bytes);
        assert_eq!(Message::read(&mut reader).as_ref(), Ok(&message));
        assert_eq!(reader.end(), Ok(()));
        for cut in 0..bytes.len() {
            assert!(Message::read(&mut Reader::new(&bytes[..cut])).is_err(), "{message:?} cut at {cut}");
        }
        assert!(Message::CODES.contains(&bytes[0]));
    }
}

#[test]
fn what_makes_no_sense_stored_gives_no_vote() {
    let stored = elector(1, ballot(1, 0, 1), Rule::Ballot).kept.encode();
    assert!(Election::new(id(1), Settings::default(), Some(&stored)).is_elector());
    for cut in 0..stored.len() {
        assert!(!Election::new(id(1), Settings::default(), Some(&stored[..cut])).is_elector());
    }
}
