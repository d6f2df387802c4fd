//! The data directory: where it is, and that only one member uses it at a time.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::files;

/// Numbers that are tried before giving up.
const NUMBERS: u32 = 1024;

/// A data directory that cannot be used; programs exit with 2.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another member holds the lock of a directory that was asked for.
    #[error(
        "{0}: another running member uses this data directory; stop it, or choose another with --data-dir"
    )]
    Taken(String),
    /// All numbers are taken.
    #[error("{0}: all {NUMBERS} data directories are taken; stop a member, or choose one with --data-dir")]
    AllTaken(String),
    /// The system refused.
    #[error("{path}: {reason}; choose another data directory with --data-dir")]
    Io {
        /// The folder or file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// There is no place for data by default.
    #[error("neither XDG_DATA_HOME nor HOME is set; choose a data directory with --data-dir")]
    NoHome,
}

/// A locked data directory. The lock goes with this value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Locks exactly `path`, creating it if needed.
    ///
    /// # Errors
    /// When it is taken or cannot be used.
    pub fn explicit(path: &Path) -> Result<DataDir, DataDirError> {
        Self::lock(path)?.ok_or_else(|| DataDirError::Taken(path.display().to_string()))
    }

    /// Locks the first free one of `home/GROUP/0`, `home/GROUP/1`, …
    ///
    /// # Errors
    /// When none can be used.
    pub fn numbered(home: &Path, group: &str) -> Result<DataDir, DataDirError> {
        let folder = home.join(folder_name(group));
        for number in 0..NUMBERS {
            if let Some(dir) = Self::lock(&folder.join(number.to_string()))? {
                return Ok(dir);
            }
        }
        Err(DataDirError::AllTaken(folder.display().to_string()))
    }

    /// Where a service of `group` keeps its state: beside the folders of members, which are numbers.
    #[must_use]
    pub fn of_service(home: &Path, group: &str, service: &str) -> PathBuf {
        home.join(folder_name(group)).join(service)
    }

    /// The folders of `group` that exist under `home`, locked or not, in order.
    #[must_use]
    pub fn existing(home: &Path, group: &str) -> Vec<PathBuf> {
        let folder = home.join(folder_name(group));
        (0..NUMBERS).map(|n| folder.join(n.to_string())).take_while(|path| path.is_dir()).collect()
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates and locks `path`; `None` when another member holds it.
    fn lock(path: &Path) -> Result<Option<DataDir>, DataDirError> {
        let io = |path: &Path, e: &std::io::Error| DataDirError::Io {
            path: path.display().to_string(),
            reason: e.to_string(),
        };
        create(path).map_err(|e| io(path, &e))?;
        let file = path.join("lock");
        // Opening a pipe would wait for ever.
        match fs::symlink_metadata(&file).and_then(|meta| files::regular(&meta)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(io(&file, &e)),
            _ => {}
        }
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&file)
            .map_err(|e| io(&file, &e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(DataDir { path: path.to_path_buf(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(io(&file, &e)),
        }
    }
}

/// Where data directories are by default: `$XDG_DATA_HOME/tertulia`, else `$HOME/.local/share/tertulia`. `variable`
/// reads the environment.
///
/// # Errors
/// When neither is set.
pub fn data_home(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, DataDirError> {
    // The XDG specification says that relative paths are to be ignored.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("tertulia"))
        .ok_or(DataDirError::NoHome)
}

/// A folder, and those above it, that only its owner may enter; one that is there stays as it is.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A group's name as the name of a folder: readable, and no two groups share one.
fn folder_name(group: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let safe: String = group.chars().take(40).map(|c| if plain(c) { c } else { '_' }).collect();
    if safe == group && !group.is_empty() {
        return safe;
    }
    let digest = blake3::hash(group.as_bytes());
    // A dot separates: no plain name has one, so no plain name can be mistaken for this.
    format!("{safe}.{}", &digest.to_hex()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_directory_gives_way_to_the_next_number() {
        let home = tempfile::tempdir().unwrap();
        let first = DataDir::numbered(home.path(), "friends").unwrap();
        let second = DataDir::numbered(home.path(), "friends").unwrap();
        assert!(first.path().ends_with("friends/0") && second.path().ends_with("friends/1"));
        assert_eq!(DataDir::existing(home.path(), "friends").len(), 2);
        drop(first);
        assert!(DataDir::numbered(home.path(), "friends").unwrap().path().ends_with("friends/0"));
        let error = DataDir::explicit(second.path()).unwrap_err().to_string();
        assert!(error.contains("another running member"), "{error}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(second.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn group_names_become_safe_folders() {
        assert_eq!(folder_name("friday-people_2"), "friday-people_2");
        let odd = ["..", "a/b", "a_b/", "Ring", "ring ", "", "日本", "a\\b", &"x".repeat(64)];
        let mut names: Vec<String> = odd.iter().map(|name| folder_name(name)).collect();
        for name in &names {
            assert!(!name.contains(['/', '\\', ' ']) && !name.starts_with('.') || name.len() > 3, "{name}");
            assert!(name.len() <= 64 && name.is_ascii());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), odd.len());
    }

    #[test]
    fn the_home_of_data() {
        let home = |vars: &'static [(&str, &str)]| {
            data_home(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into())).ok()
        };
        assert_eq!(home(&[("XDG_DATA_HOME", "/d"), ("HOME", "/h")]), Some("/d/tertulia".into()));
        assert_eq!(home(&[("XDG_DATA_HOME", "d"), ("HOME", "/h")]), Some("/h/.local/share/tertulia".into()));
        assert_eq!(home(&[]), None);
    }

    #[test]
    fn a_file_in_the_way_is_an_error_with_a_remedy() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("x"), "").unwrap();
        let error = DataDir::explicit(&home.path().join("x")).unwrap_err().to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_for_a_lock_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        files::tests::pipe(&home.path().join("lock"));
        let error = DataDir::explicit(home.path()).unwrap_err().to_string();
        assert!(error.contains("lock: this is no regular file; choose another"), "{error}");
    }
}
