//! Text from other people, made safe to show.

/// Characters that turn the direction of text, and so can make it read as something else.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without control characters and bidirectional overrides; a tab becomes a blank.
#[must_use]
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => Some(' '),
        c if c.is_control() || turns_direction(c) => None,
        // Line and paragraph separators break lines as control characters do.
        '\u{2028}' | '\u{2029}' => None,
        c => Some(c),
    };
    text.chars().filter_map(shown).collect()
}

/// The text of a payload, whatever its bytes are.
#[must_use]
pub(super) fn of_payload(payload: &[u8]) -> String {
    clean(&String::from_utf8_lossy(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text() {
        assert_eq!(clean("plain, José, 日本, 👋"), "plain, José, 日本, 👋");
        assert_eq!(clean("a\x1b[31mred\x07\r\nb"), "a[31mredb");
        assert_eq!(clean("exe\u{202e}gpj.\u{2066}x\u{2069}"), "exegpj.x");
        assert_eq!(clean("a\tb\u{9b}c\u{2028}d"), "a bcd");
        assert_eq!(of_payload(&[b'a', 0xff, b'b']), "a\u{fffd}b");
    }
}
