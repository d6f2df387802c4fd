//! A crate outside the workspace, of at most 80 lines, adds a topology of its own: it passes the conformance suite, is
//! chosen by name from a profile, and people chat over it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test may fail it"
)]

use std::path::Path;
use std::process::Command;

/// Lines that such a plug-in has at most.
const LINES: usize = 80;

#[test]
fn a_topology_of_ones_own_takes_eighty_lines_and_conforms() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugin = here.join("third-party");
    let mut lines = 0;
    for file in std::fs::read_dir(plugin.join("src")).unwrap() {
        lines += std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count();
    }
    assert!(lines > 0 && lines <= LINES, "{lines} lines");

    // The same versions as everywhere else, so that nothing has to be fetched; and a folder of its own to build in, so
    // that it waits for nobody.
    std::fs::copy(here.join("../Cargo.lock"), plugin.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("third-party");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .args(["test", "--offline", "--", "--nocapture"])
        .current_dir(&plugin)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    println!("{lines} lines\n{out}");
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.contains("flood-star: determinism: ok") && out.contains("2 passed"), "{out}");
}
