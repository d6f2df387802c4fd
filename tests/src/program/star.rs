//! Stars of processes.

use std::time::Instant;

use super::log::PATIENCE;
use super::running::Running;

/// Waits until all of exactly these members name one of them their leader, in the same term. When the last one said so.
pub fn agreed(members: &[&Running]) -> Instant {
    let peers: Vec<String> = members.iter().map(|m| m.peer()).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said: Vec<(u64, String, Instant)> = members.iter().map(|m| leader(m, &peers, deadline)).collect();
        // Whoever is behind will hear of the highest term.
        let (term, leader, _) = said.iter().max().unwrap();
        let behind = said.iter().zip(members).find(|((t, l, _), _)| (t, l) != (term, leader));
        let Some((_, member)) = behind else { return said.iter().map(|s| s.2).max().unwrap() };
        let left = deadline.saturating_duration_since(Instant::now());
        member.within(left, &format!("the leader {leader} of term {term}"), |state| {
            let last = state.named("leader").next_back()?;
            (last.event.named("leader")?["term"].as_u64()? >= *term).then_some(())
        });
    }
}

/// Whom this member follows, as soon as it is one of `peers`: term, leader, and when it said so.
fn leader(member: &Running, peers: &[String], deadline: Instant) -> (u64, String, Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    member.within(left, "a leader that runs", |state| {
        let last = state.named("leader").next_back()?;
        let event = last.event.named("leader")?;
        let peer = event["peer"].as_str()?.to_owned();
        peers.contains(&peer).then_some((event["term"].as_u64()?, peer, last.at))
    })
}
