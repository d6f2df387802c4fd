//! Lines from standard input.

use std::io::{BufRead, BufReader, Read};

use tokio::sync::mpsc;

/// Lines that wait to be looked at.
const WAITING: usize = 64;

/// A line, or what was wrong with it.
pub(super) type Typed = Result<String, TooLong>;

/// A line that was not read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Reads lines of at most `limit` bytes on a thread of its own, until the end of input.
///
/// The thread may wait for input for ever; it ends with the process.
#[must_use]
pub(super) fn lines(limit: usize) -> mpsc::Receiver<Typed> {
    let (tx, rx) = mpsc::channel(WAITING);
    let read = move || {
        let mut input = BufReader::new(std::io::stdin());
        while let Some(line) = next(&mut input, limit) {
            if tx.blocking_send(line).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("input".into()).spawn(read) {
        tracing::error!(%error, "standard input is not read");
    }
    rx
}

/// The next line; what does not fit is skipped up to the end of its line.
fn next(input: &mut impl BufRead, limit: usize) -> Option<Typed> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(2);
    let read = input.by_ref().take(most).read_until(b'\n', &mut bytes);
    if !matches!(read, Ok(1..)) {
        return None;
    }
    let whole = bytes.ends_with(b"\n");
    while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.len() <= limit {
        return Some(Ok(String::from_utf8_lossy(&bytes).into_owned()));
    }
    if !whole {
        // An end of input within the line ends the next call as well.
        let _end = input.skip_until(b'\n');
    }
    Some(Err(TooLong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let mut input = &b"one\r\n\n123456\n1234567\n12345678901234567890\nlast"[..];
        let all: Vec<_> = std::iter::from_fn(|| next(&mut input, 6)).collect();
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(all, [ok("one"), ok(""), ok("123456"), Err(TooLong), Err(TooLong), ok("last")]);
        let mut input = &b"\xff\n"[..];
        assert_eq!(next(&mut input, 6), Some(ok("\u{fffd}")));
    }
}
