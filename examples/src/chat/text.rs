//! Text from other people, made safe to show.

use tertulia::profile::turns_direction;

/// The text without control characters and bidirectional overrides; a tab becomes a blank.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => Some(' '),
        c if c.is_control() || turns_direction(c) => None,
        // Line and paragraph separators break lines as control characters do.
        '\u{2028}' | '\u{2029}' => None,
        c => Some(c),
    };
    text.chars().filter_map(shown).collect()
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
    }
}
