//! What a member keeps between runs: its identity, its incarnation, its address book.
//!
//! A [`Store`] keeps a few small named items. `memory` forgets them at the end; `file` keeps each in a file of its own
//! that survives a crash at any moment. [`DataDir`] finds and locks the folder for it.

mod dir;
mod file;
mod items;
mod memory;

use std::path::Path;

pub use dir::{DataDir, DataDirError, data_home};
pub use file::{FileStore, StorePlace};
pub use items::{BOOK_MAX, BookEntry, book, identity, next_incarnation, save_book};
pub use memory::MemoryStore;

/// Names of the stores here.
pub mod kind {
    /// Files in the data directory, the default.
    pub const FILE: &str = "file";
    /// Nothing is kept: a member that is new each time.
    pub const MEMORY: &str = "memory";
}

/// The largest item.
pub const ITEM_MAX: usize = 1 << 20;

/// An item that cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("{path}: {reason}; check the folder's permissions and free space")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Neither the item nor its previous copy can be used.
    #[error("{path}: the file is damaged and no earlier copy will do; {remedy}")]
    Damaged {
        /// The file.
        path: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Longer than any item.
    #[error("{0}: more than {ITEM_MAX} bytes")]
    TooLong(String),
}

/// An item that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What was saved; `None` when nothing ever was.
    pub bytes: Option<Vec<u8>>,
    /// True when the last save was damaged, and the one before it was used.
    pub older: bool,
    /// What a person should know: the last save was damaged and the one before it was used, or others could get at it.
    pub notice: Option<String>,
}

/// Keeps small named items. Calls block for a disk's time: use them at the start, or off the event loop.
pub trait Store: Send + Sync {
    /// The name that it is registered by.
    fn kind(&self) -> &'static str;

    /// The folder of this member alone, when there is one.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Reads `item`.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    fn load(&self, item: &'static str) -> Result<Loaded, StoreError>;

    /// Replaces `item`. When this returns, the item survives a crash of program or machine.
    ///
    /// # Errors
    /// When it could not be made safe; what was saved before is then still there.
    fn save(&self, item: &'static str, bytes: &[u8]) -> Result<(), StoreError>;
}
