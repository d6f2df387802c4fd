//! Questions to whoever starts a program in a terminal and says nothing but, perhaps, which profile.

use std::io::{self, BufRead, IsTerminal, StdinLock, StdoutLock, Write};

use super::{ChatOptions, Failure};

/// Asks one question after the other.
pub(crate) struct Prompt<R, W> {
    input: R,
    output: W,
}

/// Where somebody can be asked: the terminal, when there is one and the options leave something to ask.
pub(crate) fn terminal(options: &ChatOptions) -> Option<Prompt<StdinLock<'static>, StdoutLock<'static>>> {
    let (input, output) = (io::stdin(), io::stdout());
    let asks = options.is_bare() && input.is_terminal() && output.is_terminal();
    asks.then(|| Prompt::new(input.lock(), output.lock()))
}

impl<R: BufRead, W: Write> Prompt<R, W> {
    pub(crate) fn new(input: R, output: W) -> Self {
        Prompt { input, output }
    }

    /// The answer, which may be empty. One that is `wrong` is asked for again, and told why.
    ///
    /// # Errors
    /// When input or output fail, or the input ends.
    pub(crate) fn ask(
        &mut self,
        question: &str,
        wrong: impl Fn(&str) -> Option<String>,
    ) -> Result<String, Failure> {
        let failed = |error: io::Error| Failure::new(format!("nothing was answered: {error}"));
        loop {
            write!(self.output, "{question}").and_then(|()| self.output.flush()).map_err(failed)?;
            let mut line = String::new();
            if self.input.read_line(&mut line).map_err(failed)? == 0 {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            let answer = line.trim();
            match wrong(answer).filter(|_| !answer.is_empty()) {
                Some(why) => writeln!(self.output, "{why}").map_err(failed)?,
                None => return Ok(answer.to_owned()),
            }
        }
    }

    /// The port to listen at, which may be left empty.
    ///
    /// # Errors
    /// As of [`ask`](Prompt::ask).
    pub(crate) fn port(&mut self) -> Result<Option<u16>, Failure> {
        let answer = self.ask("Port: ", |port| {
            let wrong = port.parse::<u16>().is_err();
            wrong.then(|| "write a number from 0 to 65535; 0 takes a free one".to_owned())
        })?;
        Ok(answer.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_asked_again() {
        let mut shown = Vec::new();
        let mut prompt = Prompt::new(&b"99999\n-1\n 4711 \n\n"[..], &mut shown);
        assert_eq!(prompt.port().unwrap(), Some(4711));
        assert_eq!(prompt.port().unwrap(), None);
        let failure = prompt.port().unwrap_err();
        assert!(failure.message.starts_with("nothing was answered: "), "the input ended: {failure}");
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown.matches("Port: ").count(), 5, "{shown}");
        assert_eq!(shown.matches("from 0 to 65535").count(), 2, "{shown}");
    }
}
