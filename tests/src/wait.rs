//! Waiting for what must happen, with a deadline that only a failure meets.

use std::future::Future;
use std::time::Duration;

use tertulia::bus::{Events, Notice};
use tertulia_core::engine::api::Event;

/// Longer than anything takes that happens at all.
pub const PATIENCE: Duration = Duration::from_secs(50);

/// Waits for what must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits for an event.
pub async fn event<T>(events: &mut Events, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    soon(what, async {
        loop {
            match events.next().await {
                Some(Notice::Event(event)) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Some(Notice::Lagged(n)) => panic!("{n} events are missing before {what}"),
                None => panic!("the node ended before {what}"),
            }
        }
    })
    .await
}
