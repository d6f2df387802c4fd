//! What the framework says to its log, kept for tests that look for reasons.

use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Lines kept at most.
const LINES: usize = 1 << 16;

static LINES_KEPT: LazyLock<Arc<Mutex<Vec<String>>>> = LazyLock::new(|| {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let keeper = Keeper { lines: lines.clone() };
    tracing::subscriber::set_global_default(keeper).expect("another subscriber was there first");
    lines
});

/// Begins to keep what this process logs from now on; once is enough.
pub fn keep() {
    LazyLock::force(&LINES_KEPT);
}

/// How many lines hold all these words.
#[must_use]
pub fn count(words: &[&str]) -> usize {
    LINES_KEPT.lock().iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

struct Keeper {
    lines: Arc<Mutex<Vec<String>>>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // A string takes whatever is written.
        let _written = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _written = write!(self.0, " {}={value}", field.name());
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tertulia")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut lines = self.lines.lock();
        if lines.len() < LINES {
            lines.push(line.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
