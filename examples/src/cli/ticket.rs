//! `tertulia ticket`: a private profile as one line, with addresses of members.

use std::sync::Arc;

use clap::Args;
use tertulia::crypto::Identity;
use tertulia::discovery::DiscoveryError;
use tertulia::discovery::service::Access;
use tertulia::link::{HandshakeParams, Locator, admit_epoch};
use tertulia::profile::ticket::{ADDRESSES_MAX, Ticket};
use tertulia::profile::{Profile, address};
use tertulia::registry::Registry;
use tertulia::store::{DataDir, FileStore, book, data_home};
use tertulia_core::id::Incarnation;

use super::{Failure, SourceOptions};

/// Options of `ticket`.
#[derive(Args, Clone, Debug, Default)]
pub struct TicketOptions {
    /// Which profile.
    #[command(flatten)]
    pub source: SourceOptions,
    /// Put this member's address into the ticket, rather than those that are known; may be repeated
    #[arg(long, value_name = "LOCATOR")]
    pub join: Vec<String>,
    /// The data directory whose address book is looked into
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<String>,
}

/// A ticket, and what to know about it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The line to hand over: print it to standard output.
    pub line: String,
    /// For standard error.
    pub notes: Vec<String>,
}

impl TicketOptions {
    /// Makes the ticket. Without `--join` it carries the addresses that the profile lists, those of members that
    /// discovery knows of now, and those of the address book, the ones that others can reach first.
    ///
    /// # Errors
    /// What makes the profile unusable, with status 2.
    pub async fn run(&self, registry: &Registry) -> Result<Invitation, Failure> {
        let mut sources = self.source.sources()?.list("--join", "node.join", &self.join);
        if let Some(folder) = &self.data_dir {
            sources = sources.option("--data-dir", "node.data_dir", folder);
        }
        let profile = Profile::load(&sources)?;
        registry.check(&profile)?;
        let (mut addresses, mut notes) = (Vec::new(), Vec::new());
        if self.join.is_empty() {
            match live(&profile, registry).await? {
                Ok(live) => addresses = live,
                Err(down) => notes.push(format!("{down}: the ticket goes without what it knows")),
            }
            addresses.extend(remembered(&profile));
        }
        addresses.splice(0..0, profile.node.join.iter().cloned());
        let addresses = choose(addresses, &profile.transport.kind);

        if addresses.is_empty() {
            notes.push("no member's address is known: whoever uses this ticket needs --join as well".into());
        } else if addresses.iter().all(|a| address::is_local(a, &profile.transport.kind)) {
            notes.push(
                "all addresses are of this machine: from elsewhere this ticket needs --join as well".into(),
            );
        }
        if profile.secret().is_some_and(tertulia::profile::SecretText::is_demo) {
            notes.push(
                "this is a shipped profile, whose secret everyone knows: `tertulia new` makes a private one"
                    .into(),
            );
        }
        Ok(Invitation { line: Ticket::new(&profile, &addresses)?.to_string(), notes })
    }
}

/// Addresses of members that discovery knows of. Services are asked by nobody in particular, with the group's secret.
async fn live(
    profile: &Profile,
    registry: &Registry,
) -> Result<Result<Vec<String>, DiscoveryError>, Failure> {
    let group = Arc::new(profile.group_key()?);
    let discovery = registry.build_discovery(profile, group.id())?;
    if !discovery.services().is_empty() {
        let identity = Identity::generate().map_err(|e| Failure::new(format!("ticket: {e}; try again")))?;
        let params = HandshakeParams {
            identity: Arc::new(identity),
            group,
            incarnation: Incarnation(1),
            epoch: 0,
            admit: admit_epoch(0),
        };
        let (transport, crypto) =
            (registry.transport.build(profile, &())?, registry.crypto.build(profile, &())?);
        discovery.attach(Access::new(transport, crypto, params));
    }
    let found = discovery.lookup().await;
    Ok(found.map(|found| found.iter().map(Locator::to_string).collect()))
}

/// Addresses of members that were met before.
fn remembered(profile: &Profile) -> Vec<String> {
    let mut addresses = Vec::new();
    let folders = match &profile.node.data_dir {
        Some(folder) => vec![folder.clone()],
        None => data_home(|name| std::env::var_os(name))
            .map(|home| DataDir::existing(&home, &profile.group.name))
            .unwrap_or_default(),
    };
    for folder in folders {
        let (entries, _) = book(&FileStore::new(&folder)).unwrap_or_default();
        addresses.extend(entries.into_iter().map(|entry| entry.addr));
    }
    addresses
}

/// As many as fit, each once, those that can be reached from elsewhere first.
fn choose(addresses: Vec<String>, transport: &str) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    for address in addresses {
        let full = Locator::parse_or(transport, &address).map_or(address, |l| l.to_string());
        if !chosen.contains(&full) {
            chosen.push(full);
        }
    }
    chosen.sort_by_key(|a| address::is_local(a, transport));
    chosen.truncate(ADDRESSES_MAX);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_others_can_reach_come_first() {
        let mut addresses: Vec<String> = (0..9).map(|n| format!("127.0.0.1:{n}")).collect();
        addresses.extend(["tcp://127.0.0.1:1", "192.0.2.1:5", "tcp://192.0.2.1:5"].map(String::from));
        let chosen = choose(addresses, "tcp");
        assert_eq!(chosen.len(), ADDRESSES_MAX);
        assert_eq!(&chosen[..2], ["tcp://192.0.2.1:5", "tcp://127.0.0.1:0"]);
    }
}
