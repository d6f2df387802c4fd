//! The suite for [`Transport`] plug-ins.
//!
//! Transports that promise reliable, ordered records are held to every record. Of those that do not, records come whole
//! or not at all, in any order, perhaps twice; nine in ten have to arrive where nothing disturbs them, and a question
//! is repeated until it is answered.
//!
//! | check | what must hold |
//! |---|---|
//! | `address` | `local()` is concrete, dialable and taken; another transport's locators are refused |
//! | `handshake` | before the handshake is over, messages arrive once and in order on every transport |
//! | `echo` | records of every length from 0 to `max_record` come back unchanged |
//! | `batches` | thousands of small records in large batches arrive once and in order |
//! | `oversize` | a record longer than the receiver takes is an error, not memory |
//! | `back-pressure` | a sender whose receiver does not read has to wait, and goes on when it reads again; on a stream, nothing is lost |
//! | `close` | after a close or a drop the other side reads what was sent and then the end |
//! | `nobody` | dialling where nobody listens is an error |
//! | `listener-gone` | a dropped listener frees its address and leaves its links alone |
//! | `many` | links made at the same time do not mix |

mod checks;
mod io;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tertulia::link::{Locator, Transport};
use tokio::time::timeout;

use super::Report;

/// A fresh transport under test and addresses to use with it.
#[derive(Clone)]
pub struct Subject {
    /// The transport.
    pub transport: Arc<dyn Transport>,
    /// Where to listen: an address that may be asked for again and again, such as one with port 0.
    pub listen: Locator,
    /// Where nobody listens.
    pub nobody: Locator,
}

type Check = (&'static str, for<'a> fn(&'a Subject) -> Running<'a>);
type Running<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

const CHECKS: [Check; 10] = [
    ("address", |s| Box::pin(checks::address(s))),
    ("handshake", |s| Box::pin(checks::handshake(s))),
    ("echo", |s| Box::pin(checks::echo(s))),
    ("batches", |s| Box::pin(checks::batches(s))),
    ("oversize", |s| Box::pin(checks::oversize(s))),
    ("back-pressure", |s| Box::pin(checks::back_pressure(s))),
    ("close", |s| Box::pin(checks::closed(s))),
    ("nobody", |s| Box::pin(checks::nobody(s))),
    ("listener-gone", |s| Box::pin(checks::listener_gone(s))),
    ("many", |s| Box::pin(checks::many(s))),
];

/// Runs all checks, each on a fresh subject and within `limit`.
pub async fn transport(make: impl Fn() -> Subject, limit: Duration) -> Report {
    let mut report = Report::new(make().transport.scheme());
    for (check, run) in CHECKS {
        let subject = make();
        let late = |_| Err(format!("not done within {limit:?}"));
        let outcome = timeout(limit, run(&subject)).await.unwrap_or_else(late);
        report.check(check, outcome.map(|()| String::from("as it should be")));
    }
    report
}
