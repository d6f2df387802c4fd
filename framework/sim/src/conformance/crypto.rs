//! The suite for [`Crypto`] plug-ins.
//!
//! | check | what must hold |
//! |---|---|
//! | `completes` | both roles finish, each knowing the other's peer id, incarnation and epoch |
//! | `records` | records of every length open on the other side, in both directions |
//! | `wrong-secret` | another secret or another name: refused on both sides with `wrong-secret`, nobody's id on the wire |
//! | `epoch` | another epoch: refused on both sides with `epoch`, before the responder shows its id |
//! | `admission` | whoever is not admitted is refused on both sides with `not-admitted`, in both roles |
//! | `self` | dialling oneself is refused on both sides with `self` |
//! | `twin` | two runs of one identity: both sides report `identity-in-use` and the other's incarnation |
//! | `altered-handshake` | no message may be changed, cut or lengthened at any byte |
//! | `replayed-handshake` | messages of another run, or one's own sent back, never complete a handshake |
//! | `altered-records` | no sealed record may be changed at any byte, cut or lengthened |
//! | `displaced-records` | a record opens once, under its own number and `aad`, in its own direction and session |
//! | `garbage` | random messages and records are refused, and nothing panics |

mod handshake;
mod pair;
mod records;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tertulia::link::Crypto;

use super::Report;
use pair::Bench;

type Check = (&'static str, fn(&Bench) -> Result<(), String>);

const CHECKS: [Check; 12] = [
    ("completes", handshake::completes),
    ("records", records::open),
    ("wrong-secret", handshake::wrong_secret),
    ("epoch", handshake::epoch),
    ("admission", handshake::admission),
    ("self", handshake::own),
    ("twin", handshake::twin),
    ("altered-handshake", handshake::altered),
    ("replayed-handshake", handshake::replayed),
    ("altered-records", records::altered),
    ("displaced-records", records::displaced),
    ("garbage", handshake::garbage),
];

/// Runs all checks; `seed` chooses the random bytes.
pub fn crypto(make: impl Fn() -> Arc<dyn Crypto>, seed: u64) -> Report {
    let mut report = Report::new(make().kind());
    for (check, run) in CHECKS {
        let outcome = Bench::new(make(), seed).and_then(|bench| {
            // A panic of the plug-in is a finding like any other.
            catch_unwind(AssertUnwindSafe(|| run(&bench))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Err(format!("it panicked: {}", text.unwrap_or_default()))
            })
        });
        report.check(check, outcome.map(|()| String::from("as it should be")));
    }
    report
}
