//! The programs, built once for all tests of a process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The profile that programs are built in; without it, the one of the test itself.
const PROFILE: &str = "TERTULIA_TEST_PROFILE";

/// Where the program `name` is.
pub(super) fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

/// Builds all programs beside this test and returns their folder.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/FOLDER/deps/TEST
    let own = test.ancestors().nth(2).unwrap();
    let (folder, profile) = match std::env::var(PROFILE) {
        Ok(profile) => (own.with_file_name(folder_of(&profile)), profile),
        Err(_) => (own.to_owned(), profile_of(own)),
    };
    let target = own.parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells a test about its package is not meant for a build: some build scripts look at it, and would
    // build everything anew, now and at the next build outside of tests.
    for (name, _) in std::env::vars_os() {
        let own = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| own.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
    }
    let built = command
        .args([
            "build",
            "--quiet",
            "-p",
            "tertulia-examples",
            "--bins",
            "--profile",
            &profile,
            "--target-dir",
        ])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    folder
}

fn folder_of(profile: &str) -> &str {
    if matches!(profile, "dev" | "test") { "debug" } else { profile }
}

fn profile_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    if name == "debug" { "dev".into() } else { name.into() }
}
