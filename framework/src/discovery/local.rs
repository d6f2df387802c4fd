//! `local`: members of one user on one machine find each other through a folder.
//!
//! Each live member has a small file there and holds a lock on it that the system releases when the process ends,
//! however it ends; a file whose lock is free is left over from a dead process and is removed by whoever finds it. The
//! name of such a file is never used again, so removing it cannot hit a live member. A lock on one more file is the
//! founding guard.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use tertulia_core::id::GroupId;

use super::runtime::{down, private_folder};
use super::{Announcement, Discovery, DiscoveryError, Founding, kind};
use crate::link::Locator;

/// Options of `local`: there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalConfig {}

/// The longest file of a member, and the most that are read.
const FILE_MAX: u64 = 8 * 1024;
const MEMBERS_MAX: usize = 4096;

/// How long another program may found before one stops waiting for it, and how often one looks.
const FOUNDING_WAIT: Duration = Duration::from_secs(10);
const FOUNDING_LOOK: Duration = Duration::from_millis(20);

/// Finds members of one group on this machine.
#[derive(Debug)]
pub struct Local {
    place: Arc<Place>,
    wait: Duration,
}

#[derive(Debug)]
struct Place {
    base: PathBuf,
    /// Does not tell the group's id to who can list the folder's parents.
    name: String,
    own: Mutex<Option<Own>>,
}

/// The announced file; the lock goes with it.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    _lock: File,
}

impl Drop for Own {
    fn drop(&mut self) {
        // Best effort: a file that stays is recognised by its free lock.
        let _ = fs::remove_file(&self.path);
    }
}

impl Local {
    /// The members of `group` under the folder `base`; see [`runtime_dir`](super::runtime_dir).
    #[must_use]
    pub fn new(base: &Path, group: &GroupId) -> Self {
        let name = blake3::derive_key("tertulia 2026 local discovery folder", &group.0);
        let name = GroupId(name).to_string()[..24].to_owned();
        let place = Place { base: base.to_path_buf(), name, own: Mutex::new(None) };
        Local { place: Arc::new(place), wait: FOUNDING_WAIT }
    }

    /// Runs file work where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, DiscoveryError> + Send + 'static,
    ) -> Result<T, DiscoveryError> {
        let place = self.place.clone();
        let base = self.place.base.clone();
        let task = tokio::task::spawn_blocking(move || work(&place));
        task.await.map_err(|e| down(&base, &e.to_string()))?
    }
}

#[async_trait]
impl Discovery for Local {
    fn kind(&self) -> &'static str {
        kind::LOCAL
    }

    async fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        self.run(Place::lookup).await
    }

    async fn announce(&self, me: &Announcement) -> Result<(), DiscoveryError> {
        let me = me.clone();
        self.run(move |place| place.announce(&me)).await
    }

    async fn withdraw(&self) {
        // The only failure is that the process is ending, which withdraws as well.
        let _ = self
            .run(|place| {
                place.own().take();
                Ok(())
            })
            .await;
    }

    async fn founding(&self) -> Result<Founding, DiscoveryError> {
        let deadline = tokio::time::Instant::now() + self.wait;
        loop {
            if let Some(lock) = self.run(Place::try_found).await? {
                return Ok(Founding::held(lock));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(DiscoveryError::Busy(self.place.base.display().to_string()));
            }
            tokio::time::sleep(FOUNDING_LOOK).await;
        }
    }
}

impl Place {
    fn folder(&self) -> Result<PathBuf, DiscoveryError> {
        private_folder(&self.base, &self.name)
    }

    fn own(&self) -> std::sync::MutexGuard<'_, Option<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lookup(&self) -> Result<Vec<Locator>, DiscoveryError> {
        let folder = self.folder()?;
        let own = self.own().as_ref().map(|own| own.path.clone());
        let entries = fs::read_dir(&folder).map_err(|e| down(&folder, &e.to_string()))?;
        let mut found = Vec::new();
        for entry in entries.flatten().take(MEMBERS_MAX) {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "member") && own.as_ref() != Some(&path) {
                found.extend(member(&path));
            } else if path.extension().is_some_and(|e| e == "new") && is_old(&path) {
                // Left by a process that died while it wrote; a living one takes no minute to lock it.
                member(&path);
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn announce(&self, me: &Announcement) -> Result<(), DiscoveryError> {
        let folder = self.folder()?;
        let wrong = |e: std::io::Error| down(&folder, &e.to_string());
        let mut random = [0; 8];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| down(&folder, "the system gives no random bytes"))?;
        let name = format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(random));
        let (new, path) = (folder.join(format!("{name}.new")), folder.join(format!("{name}.member")));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut lock = options.open(&new).map_err(wrong)?;
        // Locked and written before it has the name that others look for.
        let mut own = Own { path: new.clone(), _lock: lock.try_clone().map_err(wrong)? };
        lock.lock().map_err(wrong)?;
        let text = serde_json::to_vec(me).map_err(|e| down(&folder, &e.to_string()))?;
        lock.write_all(&text).map_err(wrong)?;
        fs::rename(&new, &path).map_err(wrong)?;
        own.path = path;
        *self.own() = Some(own);
        Ok(())
    }

    /// The founding lock, or `None` while another program holds it.
    fn try_found(&self) -> Result<Option<File>, DiscoveryError> {
        let path = self.folder()?.join("founding");
        let wrong = |e: std::io::Error| down(&path, &e.to_string());
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&path).map_err(wrong)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(wrong(e)),
        }
    }
}

/// True for a file that was not touched for a minute.
fn is_old(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
    age.is_some_and(|age| age > Duration::from_secs(60))
}

/// Where the member with this file can be reached; removes the file when its process is dead.
fn member(path: &Path) -> Vec<Locator> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) => {
            if let Err(e) = fs::remove_file(path)
                && e.kind() != ErrorKind::NotFound
            {
                tracing::debug!(path = %path.display(), error = %e, "a dead member's file stays");
            }
            return Vec::new();
        }
        Err(TryLockError::Error(_)) => return Vec::new(),
    }
    let mut text = Vec::new();
    if file.take(FILE_MAX).read_to_end(&mut text).is_err() {
        return Vec::new();
    }
    serde_json::from_slice::<Announcement>(&text).map(|a| a.addrs).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tertulia_core::id::PeerId;

    use super::*;

    fn local(base: &Path, group: u8) -> Local {
        Local::new(base, &GroupId([group; 32]))
    }

    fn me(n: u8) -> Announcement {
        let addr = format!("tcp://127.0.0.1:{n}").parse().unwrap();
        Announcement { peer: PeerId([n; 32]), nick: format!("n{n}"), addrs: vec![addr] }
    }

    async fn ports(at: &Local) -> Vec<String> {
        at.lookup().await.unwrap().iter().map(|l| l.as_str().rsplit(':').next().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn members_of_one_group_find_each_other() {
        let base = tempfile::tempdir().unwrap();
        let (a, b, other) = (local(base.path(), 1), local(base.path(), 1), local(base.path(), 2));
        assert!(ports(&a).await.is_empty());
        a.announce(&me(1)).await.unwrap();
        assert!(ports(&a).await.is_empty(), "not oneself");
        b.announce(&me(2)).await.unwrap();
        assert_eq!((ports(&a).await, ports(&b).await), (vec!["2".to_owned()], vec!["1".to_owned()]));
        assert!(ports(&other).await.is_empty(), "another group");
        a.announce(&me(3)).await.unwrap();
        assert_eq!(ports(&b).await, ["3"], "the latest announcement counts");
        a.withdraw().await;
        assert!(ports(&b).await.is_empty());
        drop(b);
        assert!(ports(&a).await.is_empty());
    }

    #[tokio::test]
    async fn what_dead_processes_left_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let a = local(base.path(), 1);
        a.announce(&me(1)).await.unwrap();
        let folder = a.place.folder().unwrap();
        // As after a kill: the file is there, and nobody holds its lock.
        let left = folder.join("77-0.member");
        fs::write(&left, serde_json::to_vec(&me(9)).unwrap()).unwrap();
        let b = local(base.path(), 1);
        assert_eq!(ports(&b).await, ["1"]);
        assert!(!left.exists());
        // As after a kill while it was written, a minute ago.
        let half = folder.join("76-0.new");
        let file = File::create(&half).unwrap();
        assert_eq!(ports(&b).await, ["1"]);
        assert!(half.exists(), "it may still be written");
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(120)).unwrap();
        drop(file);
        assert_eq!(ports(&b).await, ["1"]);
        assert!(!half.exists());
        // A live process's file with nonsense in it finds nobody.
        let odd = folder.join("78-0.member");
        fs::write(&odd, "nonsense").unwrap();
        let held = File::open(&odd).unwrap();
        held.lock().unwrap();
        assert_eq!(ports(&b).await, ["1"]);
        assert!(odd.exists());
    }

    #[tokio::test]
    async fn programs_that_start_together_found_one_group() {
        let base = tempfile::tempdir().unwrap();
        let start = |n: u8| {
            let base = base.path().to_path_buf();
            tokio::spawn(async move {
                let at = local(&base, 1);
                let mut founded = false;
                if at.lookup().await.unwrap().is_empty() {
                    let guard = at.founding().await.unwrap();
                    founded = at.lookup().await.unwrap().is_empty();
                    at.announce(&me(n)).await.unwrap();
                    drop(guard);
                }
                (founded, at)
            })
        };
        let started: Vec<_> = (1..=8).map(start).collect();
        let mut founders = 0;
        let mut alive = Vec::new();
        for task in started {
            let (founded, at) = task.await.unwrap();
            founders += u32::from(founded);
            alive.push(at);
        }
        assert_eq!(founders, 1);
    }

    #[tokio::test]
    async fn a_founder_that_hangs_is_told_of() {
        let base = tempfile::tempdir().unwrap();
        let mut waiting = local(base.path(), 1);
        waiting.wait = Duration::from_millis(50);
        let guard = local(base.path(), 1).founding().await.unwrap();
        assert!(matches!(waiting.founding().await, Err(DiscoveryError::Busy(_))));
        drop(guard);
        waiting.founding().await.unwrap();
    }
}
