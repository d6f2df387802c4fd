//! A store of small files that survive a crash at any moment.
//!
//! A save writes `item.new`, syncs it, renames `item` to `item.old` and `item.new` to `item`, and syncs the folder. So
//! at every moment at least one whole copy stands under one of the names. Each copy carries a checksum; a damaged one
//! is reported and the one before it used.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{DataDir, DataDirError, ITEM_MAX, Loaded, Store, StoreError, kind};
use crate::files;

const MAGIC: &[u8; 8] = b"tertuli1";
const SUM: usize = 32;

/// Items as files in a folder that belongs to this member alone; see [`DataDir`](super::DataDir).
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    /// Keeps others out while the store lives.
    _dir: Option<DataDir>,
    /// Two saves of one item must not share `item.new`.
    saving: Mutex<()>,
}

/// Where a store may keep things.
#[derive(Clone, Debug, Default)]
pub struct StorePlace {
    /// The data directory that was asked for.
    pub explicit: Option<PathBuf>,
    /// Where data directories are by default; see [`data_home`](super::data_home).
    pub home: Option<PathBuf>,
    /// The group's name.
    pub group: String,
}

enum Copy {
    Whole(Vec<u8>),
    Damaged,
    Missing,
}

impl FileStore {
    /// A store in `folder`, which must exist and be this process's alone.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        FileStore { folder: folder.to_path_buf(), _dir: None, saving: Mutex::new(()) }
    }

    /// A store in a locked data directory: the one asked for, or the first free one of the group.
    ///
    /// # Errors
    /// When it is taken or cannot be used.
    pub fn open(place: &StorePlace) -> Result<Self, DataDirError> {
        let dir = match (&place.explicit, &place.home) {
            (Some(path), _) => DataDir::explicit(path)?,
            (None, Some(home)) => DataDir::numbered(home, &place.group)?,
            (None, None) => return Err(DataDirError::NoHome),
        };
        Ok(FileStore { folder: dir.path().to_path_buf(), _dir: Some(dir), saving: Mutex::new(()) })
    }

    fn path(&self, item: &str, suffix: &str) -> PathBuf {
        self.folder.join(format!("{item}{suffix}"))
    }
}

impl Store for FileStore {
    fn kind(&self) -> &'static str {
        kind::FILE
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    fn load(&self, item: &'static str) -> Result<Loaded, StoreError> {
        let (path, old) = (self.path(item, ""), self.path(item, ".old"));
        let (newest, open) = read(&path)?;
        if let Copy::Whole(bytes) = newest {
            // Not needed, but others shall not get at the copy before it either.
            let before = read(&old).ok().and_then(|(_, open)| open);
            return Ok(Loaded { bytes: Some(bytes), older: false, notice: open.or(before) });
        }
        let (before, open) = read(&old)?;
        match (newest, before) {
            // A crash between the two renames: the save was not finished, so nothing was promised.
            (Copy::Missing, Copy::Whole(bytes)) => {
                Ok(Loaded { bytes: Some(bytes), older: false, notice: open })
            }
            (_, Copy::Whole(bytes)) => {
                let notice =
                    format!("{} is damaged; the copy before it, {}, is used", path.display(), old.display());
                Ok(Loaded { bytes: Some(bytes), older: true, notice: Some(notice) })
            }
            (Copy::Missing, Copy::Missing) => Ok(Loaded::default()),
            _ => Err(StoreError::Damaged {
                path: path.display().to_string(),
                remedy: "restore it from a backup, or remove it to begin anew",
            }),
        }
    }

    fn save(&self, item: &'static str, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > ITEM_MAX {
            return Err(StoreError::TooLong(item.to_owned()));
        }
        let _one_at_a_time = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, new, old) = (self.path(item, ""), self.path(item, ".new"), self.path(item, ".old"));
        let mut whole = MAGIC.to_vec();
        whole.extend_from_slice(&sum(bytes));
        whole.extend_from_slice(bytes);
        write_synced(&new, &whole).map_err(|e| io(&new, &e))?;
        match read(&path)?.0 {
            // Only a whole copy may take the place of the one before it.
            Copy::Whole(_) => fs::rename(&path, &old).map_err(|e| io(&path, &e))?,
            Copy::Damaged | Copy::Missing => {}
        }
        fs::rename(&new, &path).map_err(|e| io(&new, &e))?;
        sync_folder(&self.folder).map_err(|e| io(&self.folder, &e))
    }
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    *blake3::hash(bytes).as_bytes()
}

fn io(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Io { path: path.display().to_string(), reason: error.to_string() }
}

fn read(path: &Path) -> Result<(Copy, Option<String>), StoreError> {
    // Nobody but this program puts anything here: a link is as odd as a pipe, which would wait for ever.
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok((Copy::Missing, None)),
        Err(e) => return Err(io(path, &e)),
    };
    files::regular(&meta).map_err(|e| io(path, &e))?;
    let file = File::open(path).map_err(|e| io(path, &e))?;
    let notice = close(path, &file).map_err(|e| io(path, &e))?;
    let most = MAGIC.len() + SUM + ITEM_MAX;
    let mut whole = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut whole).map_err(|e| io(path, &e))?;
    let body = whole.strip_prefix(MAGIC.as_slice()).and_then(|rest| rest.split_at_checked(SUM));
    let copy = match body {
        Some((check, bytes)) if bytes.len() <= ITEM_MAX && sum(bytes).as_slice() == check => {
            Copy::Whole(bytes.to_vec())
        }
        _ => Copy::Damaged,
    };
    Ok((copy, notice))
}

/// Takes from others what they may do with a file; says so when that was anything.
#[cfg(unix)]
fn close(path: &Path, file: &File) -> std::io::Result<Option<String>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(None);
    }
    file.set_permissions(fs::Permissions::from_mode(mode & 0o700))?;
    Ok(Some(format!(
        "{} was open to other users (mode {mode:o}) and is its owner's alone from now on; if one of them may have \
         read or changed it, remove it to begin anew",
        path.display()
    )))
}

#[cfg(not(unix))]
fn close(_: &Path, _: &File) -> std::io::Result<Option<String>> {
    Ok(None)
}

/// Writes a file that only its owner may read, and waits until it is on the disk.
fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    // A new file each time: permissions are set before anything is in it, and no symlink is followed.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes renames in `folder` survive a power cut. Elsewhere than on Unix folders cannot be synced.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(store: &FileStore) -> Option<Vec<u8>> {
        store.load("item").unwrap().bytes
    }

    #[test]
    fn what_was_saved_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        assert_eq!(store.load("item").unwrap(), Loaded::default());
        for n in 0..3u8 {
            store.save("item", &[n; 9]).unwrap();
            assert_eq!(bytes(&FileStore::new(folder.path())), Some(vec![n; 9]));
        }
        assert!(store.save("item", &vec![0; ITEM_MAX + 1]).is_err());
        assert_eq!(bytes(&store), Some(vec![2; 9]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("item")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_file_is_reported_and_the_one_before_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        store.save("item", b"first").unwrap();
        store.save("item", b"second").unwrap();
        let path = folder.path().join("item");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let loaded = store.load("item").unwrap();
            assert_eq!(loaded.bytes.as_deref(), Some(b"first".as_slice()), "torn at {cut}");
            assert!(loaded.older && loaded.notice.unwrap().contains("is damaged"));
        }
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(
                store.load("item").unwrap().bytes.as_deref(),
                Some(b"first".as_slice()),
                "bit at {at}"
            );
        }
        store.save("item", b"third").unwrap();
        assert_eq!(
            store.load("item").unwrap(),
            Loaded { bytes: Some(b"third".to_vec()), older: false, notice: None }
        );
        fs::write(&path, b"x").unwrap();
        assert_eq!(bytes(&store), Some(b"first".to_vec()), "a damaged copy never replaced the whole one");
    }

    #[test]
    fn a_crash_between_any_two_steps_leaves_a_whole_copy() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        store.save("item", b"first").unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("item.new"), b"half").unwrap();
        assert_eq!(bytes(&store), Some(b"first".to_vec()), "while the new one is written");
        fs::rename(at("item"), at("item.old")).unwrap();
        assert_eq!(bytes(&store), Some(b"first".to_vec()), "between the renames");
        store.save("item", b"second").unwrap();
        assert_eq!(bytes(&store), Some(b"second".to_vec()));
    }

    #[test]
    fn with_nothing_whole_left_it_is_an_error_and_not_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        fs::write(folder.path().join("item"), b"garbage").unwrap();
        let error = store.load("item").unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("remove it to begin anew"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_and_links_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        let path = folder.path().join("item");
        let refused = || {
            let error = store.load("item").unwrap_err().to_string();
            assert!(error.contains("this is no regular file"), "{error}");
            assert!(store.save("item", b"x").is_err());
            fs::remove_file(&path).unwrap();
        };
        files::tests::pipe(&path);
        refused();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        refused();
        store.save("item", b"x").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_was_open_to_others_is_closed_and_told() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        store.save("item", b"first").unwrap();
        store.save("item", b"second").unwrap();
        for name in ["item", "item.old"] {
            let path = folder.path().join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            let loaded = store.load("item").unwrap();
            assert_eq!(loaded.bytes.as_deref(), Some(b"second".as_slice()));
            assert!(!loaded.older && loaded.notice.unwrap().contains("(mode 666)"));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(store.load("item").unwrap().notice, None);
        }
    }
}
