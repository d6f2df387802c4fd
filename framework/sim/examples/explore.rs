//! Explores small groups: `explore GROUP [EVERY] [PIECE/PIECES] [THREADS]`. `EVERY` 1 is the whole.

mod groups;

use groups::Group;
use tertulia_sim::explore::{Explorer, explore};

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(group) = args.first() else {
        return Err("usage: explore GROUP [EVERY] [PIECE/PIECES] [THREADS]".into());
    };
    let group: Group = group.parse()?;
    let every = args.get(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    let piece = args.get(2).and_then(|s| s.split_once('/'));
    let piece = piece.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?))).unwrap_or((0, 1));
    let threads = args.get(3).and_then(|s| s.parse().ok()).unwrap_or(2);
    let explorer = Explorer { piece, ..group.explorer(every) };
    println!("{}", explore(&explorer, threads, &|seed, _| group.make(seed)));
    Ok(())
}
