//! Events to standard output.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::plain;
use super::told::Told;

/// Bytes written at once at most, more or less.
const CHUNK: usize = 64 * 1024;

/// Writes events to standard output, many at once when many came.
pub(super) struct Output {
    json: bool,
    pending: String,
    /// Bytes of it that were written already.
    written: usize,
    stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard output is closed: nobody reads any more.
    closed: bool,
}

impl Output {
    /// JSON objects, or lines for people.
    #[must_use]
    pub(super) fn new(json: bool) -> Self {
        Output::to(json, tokio::io::stdout())
    }

    /// The same to somewhere else.
    #[must_use]
    pub(super) fn to(json: bool, stdout: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Output { json, pending: String::new(), written: 0, stdout: Box::new(stdout), closed: false }
    }

    /// Adds an event to what will be written.
    pub(super) fn tell(&mut self, told: &Told) {
        if self.closed {
            return;
        }
        if self.json {
            told.json(&mut self.pending);
        } else {
            plain::write(told, &mut self.pending);
        }
    }

    /// True when something waits to be written.
    #[must_use]
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// True when it is time to write.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= CHUNK
    }

    /// Writes what was added, and waits until it is taken. Whoever gives up waiting can go on later: nothing is written
    /// twice, and nothing is left out.
    pub(super) async fn flush(&mut self) {
        if self.pending.is_empty() || self.closed {
            return;
        }
        if let Err(error) = self.write().await {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                tracing::error!(%error, "standard output cannot be written");
            }
        }
        self.pending.clear();
        self.written = 0;
    }

    async fn write(&mut self) -> io::Result<()> {
        while let Some(rest) = self.pending.as_bytes().get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stdout.write(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => self.written += n,
            }
        }
        self.stdout.flush().await
    }

    /// True once standard output is closed.
    #[must_use]
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}
