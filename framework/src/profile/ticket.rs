//! Tickets: a private profile as one line that can be pasted into a message.
//!
//! `tertulia1:` and base64url of the group's name, its secret (never a passphrase), addresses of several members and what else
//! the profile sets, behind it the first four bytes of BLAKE3 over all of it. Whoever holds a ticket is a member:
//! hand it over as one would a key.

use std::fmt::{self, Write};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use figment::value::Value;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::show::{tables, toml_key, toml_text};
use super::{Profile, ProfileError, address, tables as names};
use crate::crypto::GroupSecret;

const PREFIX: &str = "tertulia1:";
const CHECK: usize = 4;

/// The longest ticket, in characters.
pub const TICKET_MAX: usize = 16 * 1024;

/// Addresses in a ticket at most.
pub const ADDRESSES_MAX: usize = 8;

/// Tables that say something about one member only.
const OWN: [&str; 3] = ["group", "node", "log"];

/// A private profile on its way to a new member.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    group: String,
    secret: String,
    join: Vec<String>,
    /// What else the profile sets, as TOML.
    settings: String,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("group", &self.group).field("join", &self.join).finish_non_exhaustive()
    }
}

/// A line that is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTicket {
    /// Something else.
    #[error("this is no ticket: a ticket begins with `{PREFIX}`")]
    Prefix,
    /// A ticket of another version.
    #[error("a ticket of another version of this program")]
    Version,
    /// Longer than any ticket.
    #[error("longer than any ticket")]
    TooLong,
    /// Cut off or altered.
    #[error("the ticket is damaged or incomplete")]
    Damaged,
}

impl Ticket {
    /// A ticket for the group of `profile`, with addresses of members to join through. A passphrase is stretched
    /// first, so that the ticket does not give the passphrase away.
    ///
    /// # Errors
    /// When the profile has no secret, or is too large for a ticket.
    pub fn new(profile: &Profile, join: &[String]) -> Result<Ticket, ProfileError> {
        let mut settings = String::new();
        for (table, values) in tables(profile, &|_, _| None)? {
            let set: Vec<_> =
                values.iter().filter(|(key, _)| profile.is_set(&format!("{table}.{key}"))).collect();
            if OWN.contains(&table) || set.is_empty() {
                continue;
            }
            let _ = writeln!(settings, "[{table}]");
            for (key, value) in set {
                let _ = writeln!(settings, "{} = {}", toml_key(key), toml_text(value));
            }
        }
        let ticket = Ticket {
            group: profile.group.name.clone(),
            secret: profile.group_secret()?.to_text(),
            join: join.iter().take(ADDRESSES_MAX).cloned().collect(),
            settings,
        };
        if ticket.to_string().len() > TICKET_MAX {
            return Err(profile.error(
                "",
                "the profile is too large for a ticket",
                "hand over the file itself",
            ));
        }
        Ok(ticket)
    }

    /// The group's name.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Addresses of members to join through.
    #[must_use]
    pub fn join(&self) -> &[String] {
        &self.join
    }

    /// The profile that the ticket carries.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let join = Value::from(self.join.clone());
        let name = toml_text(&Value::from(self.group.as_str()));
        format!(
            "[group]\nname = {name}\nsecret = {}\n\n[node]\njoin = {}\n\n{}",
            toml_text(&Value::from(self.secret.as_str())),
            toml_text(&join),
            self.settings
        )
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Zeroizing::new(postcard::to_stdvec(self).map_err(|_| fmt::Error)?);
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes))
    }
}

impl FromStr for Ticket {
    type Err = BadTicket;

    fn from_str(line: &str) -> Result<Self, BadTicket> {
        let line = line.trim();
        if line.len() > TICKET_MAX {
            return Err(BadTicket::TooLong);
        }
        let Some(text) = line.strip_prefix(PREFIX) else {
            let other = line.strip_prefix("tertulia").and_then(|l| l.split_once(':'));
            let version = other.is_some_and(|(n, _)| n.parse::<u32>().is_ok());
            return Err(if version { BadTicket::Version } else { BadTicket::Prefix });
        };
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| BadTicket::Damaged)?);
        let (body, check) = bytes.split_last_chunk::<CHECK>().ok_or(BadTicket::Damaged)?;
        if checksum(body) != *check {
            return Err(BadTicket::Damaged);
        }
        let (ticket, rest) = postcard::take_from_bytes::<Ticket>(body).map_err(|_| BadTicket::Damaged)?;
        let sound = rest.is_empty()
            && names::group_problem(&ticket.group).is_none()
            && GroupSecret::parse("", &ticket.secret).is_ok()
            && ticket.secret.starts_with("base64:")
            && ticket.join.len() <= ADDRESSES_MAX
            && ticket.join.iter().all(|a| address::check(a).is_ok());
        if sound { Ok(ticket) } else { Err(BadTicket::Damaged) }
    }
}

fn checksum(body: &[u8]) -> [u8; CHECK] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(PREFIX.as_bytes()).update(body);
    let mut out = [0; CHECK];
    hasher.finalize_xof().fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    const PRIVATE: &str = "[group]\nname = \"friday \\\"people\\\"\"\nsecret = \"correct horse battery\"\n\
        [node]\nnick = \"me\"\nlisten = \"0.0.0.0:4711\"\n[topology]\nkind = \"redundant-ring\"\nsuccessors = 4\n\
        nested = { a = [1, -2], b = 1.5 }\n[detector]\ninterval = \"1s\"\n";

    #[test]
    fn a_ticket_carries_the_profile_and_not_the_member() {
        let profile = Profile::parse("p.toml", PRIVATE).unwrap();
        let join = ["tcp://192.0.2.1:1".to_owned(), "192.0.2.2:2".to_owned()];
        let line = Ticket::new(&profile, &join).unwrap().to_string();
        assert!(line.starts_with("tertulia1:") && !line.contains(char::is_whitespace), "{line}");
        let there = Profile::load(&Sources::new(&[]).ticket(&format!(" {line}\n")).unwrap()).unwrap();
        assert_eq!(there.group.name, profile.group.name);
        assert_eq!(there.group_key().unwrap().id(), profile.group_key().unwrap().id());
        assert_eq!(there.node.join, join);
        assert_eq!((there.node.nick, there.node.listen.as_str()), (None, "127.0.0.1:0"));
        assert_eq!(there.topology.kind, "redundant-ring");
        assert_eq!(toml_text(&there.topology.options["successors"]), "4");
        assert_eq!(toml_text(&there.topology.options["nested"]), "{ a = [1, -2], b = 1.5 }");
        assert_eq!(there.detector, profile.detector);
    }

    #[test]
    fn every_altered_ticket_is_refused() {
        let profile = Profile::parse("p.toml", PRIVATE).unwrap();
        let line = Ticket::new(&profile, &[]).unwrap().to_string();
        assert!(line.parse::<Ticket>().is_ok());
        for at in PREFIX.len()..line.len() {
            let mut bad = line.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            assert!(String::from_utf8(bad).unwrap().parse::<Ticket>().is_err(), "altered at {at}");
            assert!(line[..at].parse::<Ticket>().is_err(), "cut at {at}");
        }
        assert_eq!("tertulia2:AAAA".parse::<Ticket>(), Err(BadTicket::Version));
        assert_eq!("hello".parse::<Ticket>(), Err(BadTicket::Prefix));
        assert_eq!("x".repeat(TICKET_MAX + 1).parse::<Ticket>(), Err(BadTicket::TooLong));
    }
}
