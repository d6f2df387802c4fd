//! The profiles that are compiled in, so that an installed program finds them by name from anywhere.

use tertulia::profile::Shipped;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../profiles/", $name, ".toml")) }),*]
    };
}

/// All of them.
pub const SHIPPED: &[Shipped] = shipped!["ring", "redundant-ring", "mesh", "leader", "gossip", "reference"];

#[cfg(test)]
mod tests {
    use tertulia::profile::{Profile, Sources, reference};

    use super::super::registry;
    use super::*;

    #[test]
    fn every_shipped_profile_loads_and_keeps_to_itself() {
        for shipped in SHIPPED {
            let profile = Profile::load(&Sources::new(SHIPPED).profile(shipped.name)).unwrap();
            registry().unwrap().check(&profile).unwrap();
            assert_eq!(profile.group.name, shipped.name);
            assert!(profile.secret().unwrap().is_demo());
            let open = Sources::new(SHIPPED).profile(shipped.name).set("node.listen=0.0.0.0:0").unwrap();
            assert!(Profile::load(&open).unwrap_err().reason.contains("demo secret"));
        }
    }

    #[test]
    fn no_profile_file_is_forgotten() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names: Vec<_> = SHIPPED.iter().map(|s| s.name).collect();
        names.sort_unstable();
        assert_eq!(files, names);
    }

    /// Takes out, doubles and swaps pieces of the reference, always the same way.
    #[test]
    fn altered_profiles_load_or_say_why_in_one_line() {
        let text = SHIPPED.iter().find(|s| s.name == "reference").unwrap().text;
        let pieces: Vec<&str> = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).collect();
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut refused = 0;
        for _ in 0..300 {
            let mut altered = pieces.clone();
            for _ in 0..=next(4) {
                let (a, b) = (next(altered.len()), next(altered.len()));
                match next(3) {
                    0 => drop(altered.remove(a)),
                    1 => altered.insert(b, altered[a]),
                    _ => altered.swap(a, b),
                }
            }
            if let Err(e) = Profile::parse("p.toml", &altered.concat()) {
                let line = e.to_string();
                assert!(line.starts_with("p.toml") && line.lines().count() == 1, "{line}");
                assert!(!line.contains("dGVyd"), "the secret is repeated: {line}");
                refused += 1;
            }
        }
        assert!(refused > 50, "only {refused} were refused");
    }

    #[test]
    fn the_reference_agrees_with_the_defaults() {
        let registry = registry().unwrap();
        let text = SHIPPED.iter().find(|s| s.name == "reference").unwrap().text;
        let found = reference::differences(text, &|table, kind| registry.defaults(table, kind)).unwrap();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
