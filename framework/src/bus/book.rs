//! Keeps the address book, and what else a node remembers between runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tertulia_core::id::{Incarnation, PeerId};
use tertulia_core::peers::Addr;
use tokio::sync::watch;

use crate::store::{BookEntry, Store, StoreError, book, save_book};

/// Members and where they may be reached.
pub(crate) type Book = Vec<(PeerId, Vec<Addr>)>;

/// The last run, and how many parcels it published to the group.
const RUN: &str = "run";
/// The nick of the last run and when it was claimed.
const CLAIM: &str = "claim";
/// What the topology keeps.
const SLOT: &str = "topology";

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The saved address book, one entry per member.
pub(crate) fn load(store: &dyn Store) -> Result<(Book, Option<String>), StoreError> {
    let (entries, notice) = book(store)?;
    let mut members: BTreeMap<PeerId, Vec<Addr>> = BTreeMap::new();
    for entry in entries {
        members.entry(entry.peer).or_default().push(entry.addr.into());
    }
    Ok((members.into_iter().collect(), notice))
}

/// An item that a node can do without: one that is damaged is warned of, and taken for none.
fn unless_damaged(store: &dyn Store, item: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
    let (bytes, notice) = match store.load(item) {
        Ok(loaded) => (loaded.bytes, loaded.notice),
        Err(StoreError::Damaged { path, .. }) => {
            (None, Some(format!("{path} is damaged, and is begun anew")))
        }
        Err(error) => return Err(error),
    };
    notice.inspect(|notice| tracing::warn!("{notice}"));
    Ok(bytes)
}

/// When `nick` was claimed: in an earlier run, when that had the same one, or now.
pub(crate) fn claimed_at(store: &dyn Store, nick: &str) -> Result<u64, StoreError> {
    if let Some(bytes) = unless_damaged(store, CLAIM)?
        && let Some((at, name)) = bytes.split_first_chunk()
        && name == nick.as_bytes()
    {
        return Ok(u64::from_be_bytes(*at));
    }
    let now = now_ms();
    let mut bytes = now.to_be_bytes().to_vec();
    bytes.extend_from_slice(nick.as_bytes());
    store.save(CLAIM, &bytes)?;
    Ok(now)
}

/// The run before this one, and how many parcels it published to the group; zero when it ended without saying.
pub(crate) fn last_run(store: &dyn Store) -> Result<(Incarnation, u64), StoreError> {
    let bytes = unless_damaged(store, RUN)?.unwrap_or_default();
    let word =
        |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok((Incarnation(word(0)), word(8)))
}

/// Saves what [`last_run`] reads.
pub(crate) fn save_run(store: &dyn Store, run: Incarnation, parcels: u64) -> Result<(), StoreError> {
    store.save(RUN, &[run.0.to_be_bytes(), parcels.to_be_bytes()].concat())
}

/// What the topology had kept last, if anything. A damaged copy is no reason to go back to the one before: what was
/// promised on the strength of the last must not be forgotten.
pub(crate) fn slot(store: &dyn Store) -> Result<Option<Bytes>, StoreError> {
    let loaded = store.load(SLOT)?;
    if loaded.older {
        let path = store.folder().unwrap_or(Path::new("")).join(SLOT).display().to_string();
        return Err(StoreError::Damaged { path, remedy: "remove it and its `.old` to begin anew" });
    }
    loaded.notice.inspect(|notice| tracing::warn!("{notice}"));
    Ok(loaded.bytes.map(Bytes::from))
}

/// Keeps what [`slot`] reads.
pub(crate) fn save_slot(store: &dyn Store, slot: &[u8]) -> Result<(), StoreError> {
    store.save(SLOT, slot)
}

/// Saves the address book whenever it changes, off the event loop; the last change is saved before this ends.
pub(crate) async fn keep(store: Arc<dyn Store>, mut changes: watch::Receiver<Book>) {
    while changes.changed().await.is_ok() {
        let members = changes.borrow_and_update().clone();
        let store = store.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let seen_ms = now_ms();
            let entry = |peer, addr: &Addr| BookEntry { peer, addr: addr.to_string(), seen_ms };
            let entries: Vec<_> =
                members.iter().flat_map(|(peer, addrs)| addrs.iter().map(|a| entry(*peer, a))).collect();
            save_book(&*store, &entries)
        });
        match saved.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the address book is not saved"),
            Err(error) => tracing::error!(%error, "the address book is not saved"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FileStore, MemoryStore};

    #[tokio::test]
    async fn the_last_change_is_saved_before_the_end() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let (tx, rx) = watch::channel(Book::new());
        let members: Book = vec![
            (PeerId([1; 32]), vec!["tcp://a:1".into(), "tcp://b:1".into()]),
            (PeerId([2; 32]), vec!["c:1".into()]),
        ];
        tx.send_replace(members.clone());
        drop(tx);
        keep(store.clone(), rx).await;
        assert_eq!(load(&*store).unwrap(), (members, None));
    }

    #[test]
    fn the_last_run_is_known() {
        let store = MemoryStore::default();
        assert_eq!(last_run(&store).unwrap(), (Incarnation(0), 0));
        save_run(&store, Incarnation(7), 9).unwrap();
        assert_eq!(last_run(&store).unwrap(), (Incarnation(7), 9));
    }

    #[test]
    fn what_the_topology_keeps_is_never_an_older_copy() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        assert_eq!(slot(&store).unwrap(), None);
        save_slot(&store, b"first").unwrap();
        save_slot(&store, b"second").unwrap();
        assert_eq!(slot(&store).unwrap().as_deref(), Some(&b"second"[..]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(folder.path().join(SLOT), open).unwrap();
            assert_eq!(slot(&store).unwrap().as_deref(), Some(&b"second"[..]), "told, and no damage");
        }
        std::fs::write(folder.path().join(SLOT), b"x").unwrap();
        assert!(slot(&store).is_err());
    }

    #[test]
    fn a_nick_keeps_its_age() {
        let store = MemoryStore::default();
        let first = claimed_at(&store, "ana").unwrap();
        assert_eq!(claimed_at(&store, "ana").unwrap(), first);
        store.save(CLAIM, b"\0\0\0\0\0\0\0\x07ana").unwrap();
        assert_eq!(claimed_at(&store, "ana").unwrap(), 7);
        assert!(claimed_at(&store, "eva").unwrap() >= first);
    }

    #[test]
    fn a_damaged_claim_or_run_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path());
        for item in [CLAIM, RUN] {
            std::fs::write(folder.path().join(item), "damaged").unwrap();
        }
        let claimed = claimed_at(&store, "ana").unwrap();
        assert!(claimed > 0);
        assert_eq!(claimed_at(&store, "ana").unwrap(), claimed);
        assert_eq!(last_run(&store).unwrap(), (Incarnation(0), 0));
    }
}
