//! The document's prompts: a name, an address, a port.

use std::io::{BufRead, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use tertulia::profile::{Profile, SecretText, address, nick_problem};

use crate::cli::Failure;
use crate::cli::prompt::Prompt;

/// What was answered; what was left empty is up to the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) nick: Option<String>,
    pub(super) listen: Option<String>,
}

/// What is known of where this member can listen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// This machine, as others reach it.
    derived: IpAddr,
    /// The profile's secret is known to everyone: this machine alone is possible.
    demo: bool,
    /// The profile says where to listen.
    given: bool,
}

impl Place {
    pub(super) fn of(profile: &Profile) -> Place {
        let demo = profile.secret().is_some_and(SecretText::is_demo);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let derived = if demo { here } else { outward().unwrap_or(here) };
        Place { derived, demo, given: profile.is_set("node.listen") }
    }
}

/// The address that this machine has towards others. Connecting a datagram socket sends nothing, it asks the system for
/// the way; to an address for documentation, as any is good that is not here.
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified()).then_some(own)
}

/// Asks for what the command line did not say.
///
/// # Errors
/// When input or output fail, or the input ends.
pub(super) fn ask<R: BufRead, W: Write>(prompt: &mut Prompt<R, W>, place: Place) -> Result<Answers, Failure> {
    let nick = prompt.ask("Username: ", nick_problem)?;
    let question = format!("Derive the address on its own ({})? [Y/n] ", place.derived);
    let own = prompt.ask(&question, |answer| {
        let known = ["y", "yes", "n", "no"].contains(&answer.to_lowercase().as_str());
        (!known).then(|| "answer y or n".to_owned())
    })?;
    let address = if own.to_lowercase().starts_with('n') {
        prompt.ask("Address: ", |address| wrong_address(address, place.demo))?
    } else {
        String::new()
    };
    let port = prompt.port()?;
    let unsaid = own.is_empty() && port.is_none();
    let address = if address.is_empty() { place.derived.to_string() } else { address };
    let listen = (!(unsaid && place.given)).then(|| at(&address, port.unwrap_or_default()));
    Ok(Answers { nick: (!nick.is_empty()).then_some(nick), listen })
}

fn wrong_address(address: &str, demo: bool) -> Option<String> {
    if address.contains([' ', '/']) {
        return Some("write a host name or an IP address alone".to_owned());
    }
    (demo && !address::is_local(&at(address, 0), "")).then(|| {
        "this profile has the demo secret, which everyone knows: only 127.0.0.1 is possible; \
         `tertulia new` makes a private profile"
            .to_owned()
    })
}

/// An IPv6 address is told apart from its port by brackets.
fn at(address: &str, port: u16) -> String {
    if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use tertulia::profile::Sources;

    use super::*;
    use crate::cli::SHIPPED;

    const PRIVATE: Place =
        Place { derived: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), demo: false, given: false };
    const DEMO: Place = Place { derived: IpAddr::V4(Ipv4Addr::LOCALHOST), demo: true, given: false };

    fn asked(typed: &str, place: Place) -> (Result<Answers, Failure>, String) {
        let mut shown = Vec::new();
        let answers = ask(&mut Prompt::new(typed.as_bytes(), &mut shown), place);
        (answers, String::from_utf8(shown).unwrap())
    }

    fn answers(nick: Option<&str>, listen: Option<&str>) -> Answers {
        Answers { nick: nick.map(ToOwned::to_owned), listen: listen.map(ToOwned::to_owned) }
    }

    #[test]
    fn what_is_answered_counts() {
        let (all, shown) = asked("ana\ny\n4711\n", PRIVATE);
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("192.0.2.7:4711")));
        assert_eq!(shown, "Username: Derive the address on its own (192.0.2.7)? [Y/n] Port: ");
        let (all, shown) = asked("ana\nn\n192.0.2.8\n4711\n", PRIVATE);
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("192.0.2.8:4711")));
        assert!(shown.contains("Address: "));
        assert_eq!(asked("ana\nno\n::1\n\n", DEMO).0.unwrap(), answers(Some("ana"), Some("[::1]:0")));
        assert_eq!(asked("\n\n\n", DEMO).0.unwrap(), answers(None, Some("127.0.0.1:0")));
        let given = Place { given: true, ..PRIVATE };
        assert_eq!(asked("\n\n\n", given).0.unwrap(), answers(None, None), "the profile says where");
        assert_eq!(asked("\ny\n\n", given).0.unwrap(), answers(None, Some("192.0.2.7:0")));
    }

    #[test]
    fn what_cannot_be_is_asked_again() {
        let (all, shown) = asked("two words\nana\nperhaps\ny\n99999\n80\n", DEMO);
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("127.0.0.1:80")));
        assert_eq!(shown.matches("Username: ").count(), 2);
        assert!(shown.contains("answer y or n") && shown.contains("from 0 to 65535"), "{shown}");
        assert!(asked("ana\n", DEMO).0.is_err(), "the input ended");
    }

    #[test]
    fn with_the_demo_secret_only_this_machine_is_possible() {
        let (all, shown) = asked("ana\nn\n192.0.2.8\nhost.example\n127.0.0.1\n80\n", DEMO);
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("127.0.0.1:80")));
        assert_eq!(shown.matches("only 127.0.0.1 is possible").count(), 2, "{shown}");
    }

    #[test]
    fn the_profile_says_what_is_possible() {
        let place = |sets: &[&str]| {
            let sources = Sources::new(SHIPPED).profile("leader");
            let sources = sets.iter().try_fold(sources, |sources, set| sources.set(set)).unwrap();
            Place::of(&Profile::load(&sources).unwrap())
        };
        let demo = place(&[]);
        assert!(demo.demo && !demo.given && demo.derived.is_loopback());
        let private = place(&["group.secret=a secret that nobody knows", "node.listen=127.0.0.1:4711"]);
        assert!(!private.demo && private.given);
        // Where there is no way out, this machine is all there is.
        assert_eq!(private.derived, outward().unwrap_or(DEMO.derived));
    }
}
