//! The document's prompts: a name, an address, a port.

use std::io::{self, BufRead, Write};

use tertulia::profile::nick_problem;

/// What was answered; what was left empty is up to the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) nick: Option<String>,
    pub(super) listen: Option<String>,
}

/// The address where one is asked for none.
const HERE: &str = "127.0.0.1";

/// Asks for what the command line did not say.
///
/// # Errors
/// When input or output fail, or the input ends.
pub(super) fn ask(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Answers> {
    let mut question = |text: &str, wrong: &dyn Fn(&str) -> Option<String>| loop {
        write!(output, "{text}")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let line = line.trim();
        match wrong(line).filter(|_| !line.is_empty()) {
            Some(why) => writeln!(output, "{why}")?,
            None => return Ok(line.to_owned()),
        }
    };
    let nick = question("Username: ", &nick_problem)?;
    let own = question("Derive the address on its own? [Y/n] ", &|answer| {
        let known = ["y", "yes", "n", "no"].contains(&answer.to_lowercase().as_str());
        (!known).then(|| "answer y or n".to_owned())
    })?;
    let address = if own.to_lowercase().starts_with('n') {
        question("Address: ", &|address| {
            address.contains([' ', '/']).then(|| "write a host name or an IP address alone".to_owned())
        })?
    } else {
        String::new()
    };
    let port = question("Port: ", &|port| {
        port.parse::<u16>().is_err().then(|| "write a number from 0 to 65535; 0 takes a free one".to_owned())
    })?;
    let filled = |text: &str, or: &str| if text.is_empty() { or.to_owned() } else { text.to_owned() };
    let listen = (!(address.is_empty() && port.is_empty()))
        .then(|| format!("{}:{}", bracketed(&filled(&address, HERE)), filled(&port, "0")));
    Ok(Answers { nick: (!nick.is_empty()).then_some(nick), listen })
}

/// An IPv6 address is told apart from its port by brackets.
fn bracketed(address: &str) -> String {
    if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(typed: &str) -> (io::Result<Answers>, String) {
        let mut shown = Vec::new();
        let answers = ask(&mut typed.as_bytes(), &mut shown);
        (answers, String::from_utf8(shown).unwrap())
    }

    fn answers(nick: Option<&str>, listen: Option<&str>) -> Answers {
        Answers { nick: nick.map(ToOwned::to_owned), listen: listen.map(ToOwned::to_owned) }
    }

    #[test]
    fn what_is_answered_counts() {
        let (all, shown) = asked("ana\ny\n4711\n");
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("127.0.0.1:4711")));
        assert_eq!(shown, "Username: Derive the address on its own? [Y/n] Port: ");
        let (all, shown) = asked("ana\nn\n192.0.2.7\n4711\n");
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("192.0.2.7:4711")));
        assert!(shown.contains("Address: "));
        assert_eq!(asked("ana\nno\n::1\n\n").0.unwrap(), answers(Some("ana"), Some("[::1]:0")));
        assert_eq!(asked("\n\n\n").0.unwrap(), answers(None, None));
    }

    #[test]
    fn what_cannot_be_is_asked_again() {
        let (all, shown) = asked("two words\nana\nperhaps\ny\n99999\n80\n");
        assert_eq!(all.unwrap(), answers(Some("ana"), Some("127.0.0.1:80")));
        assert_eq!(shown.matches("Username: ").count(), 2);
        assert!(shown.contains("answer y or n") && shown.contains("from 0 to 65535"), "{shown}");
        assert!(asked("ana\n").0.is_err(), "the input ended");
    }
}
