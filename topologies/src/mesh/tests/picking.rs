//! The rule of picking by itself. `TERTULIA_SEEDS` says how many meshes are tried.

use std::collections::BTreeSet;

use tertulia_core::id::Peer;
use tertulia_core::rng::NodeRng;
use tertulia_core::time::Instant;

use super::super::pick::Picks;

const DEGREE: usize = 4;

#[expect(clippy::disallowed_methods, reason = "how many runs there are is no input of a run")]
fn seeds(usual: u64) -> u64 {
    std::env::var("TERTULIA_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Everybody but one, as that one's handles: 1 to `n` - 1 stand for those behind it, around.
fn others(n: usize) -> BTreeSet<Peer> {
    (1..n as u32).map(Peer).collect()
}

/// Who is picked by whom, when all pick at once.
fn at_once(rng: &mut NodeRng, n: usize) -> Vec<Vec<usize>> {
    let live = others(n);
    let pick = |who: usize, rng: &mut NodeRng| {
        let picked = Picks::default().fill(rng, &live, DEGREE, Instant::ZERO);
        picked.iter().map(|peer| (who + peer.index()) % n).collect()
    };
    (0..n).map(|who| pick(who, rng)).collect()
}

/// The same when they come one after another. Handles are numbers here, one's own included.
fn in_turn(rng: &mut NodeRng, n: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Picks> = Vec::new();
    for new in 0..n {
        let before: BTreeSet<Peer> = (0..new as u32).map(Peer).collect();
        for picks in &mut all {
            picks.arrive(rng, Peer(new as u32), new, DEGREE, Instant::ZERO);
        }
        let mut own = Picks::default();
        own.fill(rng, &before, DEGREE, Instant::ZERO);
        all.push(own);
    }
    all.iter().map(|picks| picks.iter().map(Peer::index).collect()).collect()
}

/// The links of each, both ways.
fn links(picked: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut links = vec![Vec::new(); picked.len()];
    for (a, picks) in picked.iter().enumerate() {
        for &b in picks {
            links[a].push(b);
            links[b].push(a);
        }
    }
    links
}

fn is_connected(picked: &[Vec<usize>]) -> bool {
    let links = links(picked);
    let (mut seen, mut todo) = (vec![false; picked.len()], vec![0]);
    seen[0] = true;
    while let Some(at) = todo.pop() {
        for &next in &links[at] {
            if !std::mem::replace(&mut seen[next], true) {
                todo.push(next);
            }
        }
    }
    seen.into_iter().all(|s| s)
}

#[test]
fn four_picks_hold_everybody_together_from_the_start() {
    let seeds = seeds(200);
    for seed in 0..seeds {
        let mut rng = NodeRng::new(seed);
        let n = 16 + rng.below(985);
        let picked = at_once(&mut rng, n);
        assert!(picked.iter().all(|picks| picks.len() == DEGREE));
        assert!(is_connected(&picked), "seed {seed}: {n} members");
        let few = 16 + rng.below(49);
        assert!(is_connected(&in_turn(&mut rng, few)), "seed {seed}: {few} members in turn");
    }
    println!("{seeds} meshes at once and in turn");
}

#[test]
fn who_came_early_is_picked_no_more_often() {
    let (n, rounds) = (100, 40);
    let mut early = 0;
    let mut most = 0;
    for seed in 0..rounds {
        let links = links(&in_turn(&mut NodeRng::new(seed), n));
        early += links[..n / 4].iter().map(Vec::len).sum::<usize>();
        most = most.max(links.iter().map(Vec::len).max().unwrap());
    }
    let mean = early as f64 / (rounds as usize * n / 4) as f64;
    println!("links of the first quarter {mean:.2}, at most {most}");
    assert!((mean - 2.0 * DEGREE as f64).abs() < 0.3, "{mean}");
    assert!(most < 24, "{most}");
}

#[test]
fn when_groups_meet_half_of_all_picks_lead_across() {
    let mut rng = NodeRng::new(3);
    let (mut across, mut all) = (0, 0);
    for _ in 0..50 {
        let mut picks = Picks::default();
        let near: BTreeSet<Peer> = (1..50).map(Peer).collect();
        picks.fill(&mut rng, &near, DEGREE, Instant::ZERO);
        (50..100).for_each(|new| {
            picks.arrive(&mut rng, Peer(new), new as usize, DEGREE, Instant::ZERO);
        });
        across += picks.iter().filter(|peer| peer.0 >= 50).count();
        all += picks.iter().count();
    }
    assert_eq!(all, 50 * DEGREE);
    assert!((70..=130).contains(&across), "{across} of {all}");
}
