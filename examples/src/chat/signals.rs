//! Requests of the system to end.

use std::io;

use tokio::sync::mpsc;

/// Requests that may wait to be looked at; more of them say nothing new.
const WAITING: usize = 4;

/// SIGINT and SIGTERM, or Ctrl-C where these do not exist.
#[derive(Debug)]
pub(crate) struct Signals(mpsc::Receiver<()>);

impl Signals {
    /// From now on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// When the system does not allow it.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tx, signals) = Signals::channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    () = tx.closed() => return,
                }
                // When many wait already, one more changes nothing.
                let _full = tx.try_send(());
            }
        });
        Ok(signals)
    }

    /// From now on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// When the system does not allow it.
    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        let (tx, signals) = Signals::channel();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && !tx.is_closed() {
                // When many wait already, one more changes nothing.
                let _full = tx.try_send(());
            }
        });
        Ok(signals)
    }

    /// Requests that come from elsewhere.
    pub(crate) fn channel() -> (mpsc::Sender<()>, Self) {
        let (tx, rx) = mpsc::channel(WAITING);
        (tx, Signals(rx))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
