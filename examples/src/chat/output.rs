//! Events to standard output.

use std::fs::File;
use std::io::{self, Write as _};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::plain;
use super::told::Told;

/// Bytes written at once at most, more or less.
const CHUNK: usize = 64 * 1024;

/// Writes events to standard output, many at once when many came.
pub(crate) struct Output {
    json: bool,
    pending: String,
    /// Bytes of it that were written already.
    written: usize,
    stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard output is closed: nobody reads any more.
    closed: bool,
    /// Takes the lines for people as well.
    copy: Option<File>,
}

impl Output {
    /// JSON objects, or lines for people.
    #[must_use]
    pub(crate) fn new(json: bool) -> Self {
        Output::to(json, tokio::io::stdout())
    }

    /// The same to somewhere else.
    #[must_use]
    pub(crate) fn to(json: bool, stdout: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        let stdout = Box::new(stdout);
        Output { json, pending: String::new(), written: 0, stdout, closed: false, copy: None }
    }

    /// The same, and lines for people at the end of a file as well.
    #[must_use]
    pub(crate) fn copied(mut self, copy: File) -> Self {
        self.copy = Some(copy);
        self
    }

    /// Adds an event to what will be written.
    pub(crate) fn tell(&mut self, told: &Told) {
        if let Some(copy) = &mut self.copy {
            let mut lines = String::new();
            plain::write(told, &mut lines);
            if let Err(error) = copy.write_all(lines.as_bytes()) {
                tracing::error!(%error, "the output file cannot be written");
                self.copy = None;
            }
        }
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
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// True when it is time to write.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= CHUNK
    }

    /// Writes what was added, and waits until it is taken. Whoever gives up waiting can go on later: nothing is written
    /// twice, and nothing is left out.
    pub(crate) async fn flush(&mut self) {
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
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}
