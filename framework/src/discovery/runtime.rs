//! The folder through which members of one machine find each other: this user's alone, and checked to be.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::path::{Path, PathBuf};

use super::DiscoveryError;

/// Where it is: `$TERTULIA_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/tertulia`, else a private temporary folder.
/// `variable` reads the environment. Nothing is created.
#[must_use]
pub fn runtime_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // A relative folder that was asked for by name is this process's to decide; XDG's is to be ignored.
    if let Some(own) = variable("TERTULIA_RUNTIME_DIR").filter(|v| !v.is_empty()) {
        return PathBuf::from(own);
    }
    if let Some(session) = absolute("XDG_RUNTIME_DIR") {
        return session.join("tertulia");
    }
    let temporary = absolute("TMPDIR").unwrap_or_else(std::env::temp_dir);
    temporary.join(format!("tertulia-{}", user()))
}

/// Creates `base` and the folder `name` in it if needed, and makes sure that nobody else can put anything there.
pub(super) fn private_folder(base: &Path, name: &str) -> Result<PathBuf, DiscoveryError> {
    if let Some(parent) = base.parent() {
        fs::create_dir_all(parent).map_err(|e| down(parent, &e.to_string()))?;
    }
    // Others may look into the base that a person chose, but not write there; the group's folder is closed.
    ensure(base, 0o022)?;
    let folder = base.join(name);
    ensure(&folder, 0o077)?;
    Ok(folder)
}

/// Creates `path` for its owner alone, or checks the one that is there: no symlink, ours, none of `forbidden` set.
fn ensure(path: &Path, forbidden: u32) -> Result<(), DiscoveryError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(down(path, &e.to_string())),
    }
    let meta = fs::symlink_metadata(path).map_err(|e| down(path, &e.to_string()))?;
    if meta.file_type().is_symlink() {
        return Err(down(path, "this is a symbolic link, which another user may have laid"));
    }
    if !meta.is_dir() {
        return Err(down(path, "this is no folder"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.uid() != user() {
            return Err(down(path, "the folder belongs to another user"));
        }
        if meta.mode() & forbidden != 0 {
            let reason = format!("others may use the folder (its mode is {:o})", meta.mode() & 0o777);
            return Err(down(path, &reason));
        }
    }
    #[cfg(not(unix))]
    let _ = forbidden;
    Ok(())
}

pub(super) fn down(path: &Path, reason: &str) -> DiscoveryError {
    DiscoveryError::Down {
        place: path.display().to_string(),
        reason: reason.to_owned(),
        remedy: "set TERTULIA_RUNTIME_DIR to a folder of your own with mode 700".into(),
    }
}

/// The number of the user whom this process acts for.
#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is() {
        let at = |vars: &'static [(&str, &str)]| {
            runtime_dir(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
        };
        assert_eq!(at(&[("TERTULIA_RUNTIME_DIR", "/a"), ("XDG_RUNTIME_DIR", "/b")]), Path::new("/a"));
        assert_eq!(at(&[("XDG_RUNTIME_DIR", "/b")]), Path::new("/b/tertulia"));
        assert_eq!(at(&[("XDG_RUNTIME_DIR", "b"), ("TMPDIR", "/t")]).parent(), Some(Path::new("/t")));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_could_touch_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("run");
        let folder = private_folder(&base, "g").unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(private_folder(&base, "g").unwrap(), folder);

        let says = |base: &Path, name: &str, part: &str| {
            let error = private_folder(base, name).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("; set TERTULIA_RUNTIME_DIR"), "{error}");
            // It may be a folder of the system.
            assert!(!error.contains("remove"), "{error}");
        };
        symlink(&folder, base.join("link")).unwrap();
        says(&base, "link", "symbolic link");
        symlink(&base, home.path().join("base")).unwrap();
        says(&home.path().join("base"), "g", "symbolic link");
        fs::write(base.join("file"), "").unwrap();
        says(&base, "file", "no folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        says(&base, "g", "others may use the folder (its mode is 750)");
        fs::set_permissions(&base, fs::Permissions::from_mode(0o777)).unwrap();
        says(&base, "h", "others may use");
        if user() == 0 {
            fs::set_permissions(&base, fs::Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::chown(&base, Some(12345), None).unwrap();
            says(&base, "h", "another user");
        }
    }
}
