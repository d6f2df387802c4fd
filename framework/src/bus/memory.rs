//! What a node asks of the allocator.

use std::hint::black_box;
use std::sync::Once;

/// Just under the largest block that glibc learns from.
const LARGE: usize = (32 << 20) - (64 << 10);

/// Lets the process keep memory that is freed, to be used again.
///
/// A node's history drops an old parcel for every new one, for ever. glibc gives what is freed back to the system from a
/// small threshold on, and the system hands it out again page by page, cleared: a tenth of a node's time under
/// large messages. The threshold rises to the largest block that was ever freed (mallopt(3), `M_MMAP_THRESHOLD`), so
/// one such block is taken and freed, untouched. Other allocators do not mind.
pub(super) fn keep_freed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(LARGE))));
}
