//! `tertulia new`: a private profile with a fresh secret.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use tertulia::crypto::GroupSecret;
use tertulia::profile::{group_problem, toml_text};

use super::Failure;

/// Options of `new`.
#[derive(Args, Clone, Debug)]
pub struct NewOptions {
    /// The group's name
    #[arg(value_name = "NAME", default_value = "friends")]
    pub name: String,
    /// The file to write [default: NAME.toml]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl NewOptions {
    /// Writes the profile, readable by its owner only, and tells what to do with it.
    ///
    /// # Errors
    /// When the name is unusable or the file exists already.
    pub fn run(&self) -> Result<String, Failure> {
        if let Some(problem) = group_problem(&self.name) {
            return Err(Failure::usage(format!("new: {problem}; give the group another name")));
        }
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", slug(&self.name))));
        let secret = GroupSecret::generate().map_err(|e| Failure::new(format!("new: {e}")))?;
        let text = text(&self.name, &secret);
        let shown = path.display();
        write_new(&path, |file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))?;
        Ok(format!(
            "wrote {shown}, the private profile of the group \"{}\"\n\
             talk:    tertulia chat {shown}\n\
             invite:  tertulia ticket {shown}   (whoever has the ticket is a member)",
            self.name
        ))
    }
}

/// Creates a file that only its owner may read and has `write` fill it; one that cannot be filled is removed.
fn write_new(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), Failure> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => Failure::usage(format!(
            "{shown}: the file exists and is not overwritten; choose another with --output"
        )),
        _ => {
            Failure::usage(format!("{shown}: the file cannot be written: {e}; choose another with --output"))
        }
    })?;
    write(&mut file).map_err(|e| {
        // What is there is of no use, and would be in the way of the next try.
        let rest = match fs::remove_file(path) {
            Ok(()) => String::new(),
            Err(e) => format!(", and what was written cannot be removed: {e}"),
        };
        Failure::new(format!("{shown}: the file cannot be written: {e}{rest}; free some space"))
    })
}

fn text(name: &str, secret: &GroupSecret) -> String {
    let name = toml_text(&name.into());
    format!(
        "# A private profile: whoever has this file is a member. `tertulia profile show reference` lists every key.\n\
         \n\
         [group]\n\
         name = {name}\n\
         secret = \"{}\"\n\
         \n\
         [node]\n\
         # Reachable on this machine only; for others write \"0.0.0.0:4711\" or an address of this machine.\n\
         listen = \"127.0.0.1:0\"\n\
         \n\
         [topology]\n\
         kind = \"redundant-ring\"\n",
        secret.to_text()
    )
}

/// A name as a file name.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "group".into() } else { slug.into() }
}

#[cfg(test)]
mod tests {
    use tertulia::profile::{Profile, Sources};

    use super::*;

    #[test]
    fn a_new_profile_is_private_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        let options = NewOptions { name: "Friday \"people\"".into(), output: Some(path.clone()) };
        assert!(options.run().unwrap().contains("wrote "));
        let load = || Profile::load(&Sources::new(&[]).profile(path.to_str().unwrap())).unwrap();
        let profile = load();
        assert_eq!(profile.group.name, "Friday \"people\"");
        assert!(!profile.secret().unwrap().is_demo());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let again = options.run().unwrap_err();
        assert_eq!(again.status, 2);
        assert!(again.message.contains("exists and is not overwritten"), "{again}");
        assert_eq!(load().secret(), profile.secret());
        let bad = NewOptions { name: " ".into(), output: None }.run().unwrap_err();
        assert_eq!(bad.status, 2);
    }

    #[test]
    fn names_of_files() {
        let names =
            [("Friday people!", "friday-people"), ("../../x", "x"), ("日本", "group"), ("a_b", "a_b")];
        for (name, file) in names {
            assert_eq!(slug(name), file);
        }
    }

    #[test]
    fn what_could_not_be_written_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        let full = |file: &mut File| {
            file.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        };
        assert_eq!(write_new(&path, full).unwrap_err().status, 1);
        assert!(!path.exists());
        write_new(&path, |file| file.write_all(b"whole")).unwrap();
        // What was there before stays.
        assert_eq!(write_new(&path, full).unwrap_err().status, 2);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
}
