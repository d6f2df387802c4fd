//! Both suites conform, and the conformance suite is able to fail.

use std::sync::Arc;

use tertulia::crypto::{noise, plain};
use tertulia::link::{
    Crypto, CryptoCheck, Handshake, HandshakeError, HandshakeParams, Opener, Role, SealError, Step,
};
use tertulia_sim::conformance::crypto::crypto;

#[test]
fn noise_conforms() {
    let report = crypto(|| noise::build(&noise::Config::default()), 1);
    assert!(report.passed(), "{report}");
}

#[test]
fn plain_conforms() {
    let report = crypto(|| plain::build(&plain::Config::default()), 1);
    assert!(report.passed(), "{report}");
}

#[test]
fn plain_asks_to_be_allowed() {
    let plain = plain::build(&plain::Config::default());
    let refused = plain.check(&CryptoCheck { allow_plaintext: false }).unwrap_err();
    assert!(refused.contains("crypto.allow_plaintext"));
    assert!(plain.check(&CryptoCheck { allow_plaintext: true }).is_ok());
}

/// A planted bug: noise whose opener takes a record as good even when its seal does not hold.
struct Gullible(Arc<dyn Crypto>);
struct GullibleHandshake(Box<dyn Handshake>);
struct GullibleOpener(Box<dyn Opener>);

impl Crypto for Gullible {
    fn kind(&self) -> &'static str {
        "gullible"
    }

    fn check(&self, _profile: &CryptoCheck) -> Result<(), String> {
        Ok(())
    }

    fn handshake(&self, role: Role, params: &HandshakeParams) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(GullibleHandshake(self.0.handshake(role, params)?)))
    }
}

impl Handshake for GullibleHandshake {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), HandshakeError> {
        self.0.start(out)
    }

    fn read(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<Step, HandshakeError> {
        Ok(match self.0.read(message, out)? {
            Step::Done(mut session) => {
                session.opener = Box::new(GullibleOpener(session.opener));
                Step::Done(session)
            }
            step => step,
        })
    }
}

impl Opener for GullibleOpener {
    fn open(&mut self, seq: u64, aad: &[u8], record: &mut [u8]) -> Result<usize, SealError> {
        let len = record.len().checked_sub(16).ok_or(SealError)?;
        Ok(self.0.open(seq, aad, record).unwrap_or(len))
    }
}

#[test]
fn a_suite_that_takes_altered_records_is_caught() {
    let report = crypto(|| Arc::new(Gullible(noise::build(&noise::Config::default()))), 1);
    assert!(report.failures().any(|(name, _)| name == "altered-records"), "{report}");
}
