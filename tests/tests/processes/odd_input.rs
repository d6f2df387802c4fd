//! Input that is no good text, and output that nobody reads.

use tertulia_tests::program::{Event, Place, Running, group};

/// What `member` heard so far.
fn heard(member: &Running) -> Vec<String> {
    member.state(|state| {
        let messages = state.told.iter().filter_map(|s| match &s.event {
            Event::Message(m) => Some(m.text.to_string()),
            _ => None,
        });
        messages.collect()
    })
}

fn hears(member: &Running, text: &str) {
    member.event(text, |event| matches!(event, Event::Message(m) if &*m.text == text).then_some(()));
}

#[test]
fn bytes_that_are_no_text() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").set("limits.message=4KiB").found().start();
    let ben = place.chat("ring", "ben").set("limits.message=4KiB").join(&ana.addr()).start();
    group::whole(&[&ana, &ben]);
    assert!(ana.types(b"one \xff\xfe two\n\n   \n\r\n\t\n"));
    assert!(ana.types(b"zero\0byte\n"));
    // Just right, one more, and far more.
    for (letter, len) in [(b'x', 4096), (b'y', 4097), (b'z', 3_000_000)] {
        assert!(ana.types(&[vec![letter; len], b"\n".to_vec()].concat()));
    }
    ana.say("windows\r");
    ana.say("left\u{202e}\tright");
    ana.say("the end");
    hears(&ben, "the end");
    let expected = [
        "one \u{fffd}\u{fffd} two",
        "zero\0byte",
        &"x".repeat(4096),
        "windows",
        "left\u{202e}\tright",
        "the end",
    ]
    .map(str::to_owned);
    assert_eq!(heard(&ben), expected);
    ana.until("what became of all", |state| (state.delivered == 6).then_some(()));
    let errors: Vec<String> =
        ana.state(|s| s.named("error").map(|s| s.event.field("code").to_owned()).collect());
    assert_eq!(errors, ["too-long", "too-long"], "each refused line is told");
    assert_eq!(ana.state(|state| (state.sent, state.stderr.clone())), (6, String::new()));
}

/// A last line without an end is a line.
#[test]
fn input_that_ends_within_a_line() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    let ben = place.chat("ring", "ben").join(&ana.addr()).start();
    ben.peer();
    assert!(ben.types(b"no end of li"));
    ben.end_input();
    hears(&ana, "no end of li");
    ben.leaves();
}

#[test]
fn what_is_shown_cannot_deceive() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    let addr = ana.addr();
    let ben = place.plain("ring", "ben").join(&addr).start();
    ana.event("ben", |event| (event.name() == "joined").then_some(()));
    assert!(ana.types("\x1b[2J\x1b[31mred\x07 exe\u{202e}gpj\u{2066}.\u{2069} \u{9b}2Jsafe\r\n".as_bytes()));
    ana.say("fake\u{2028}* eva has joined\u{85}");
    ana.say("the end");
    let lines = ben.until("the end", |state| {
        state.lines.iter().any(|line| line.ends_with("the end")).then(|| state.lines.clone())
    });
    assert!(lines.iter().any(|l| l == "<ana> [2J[31mred exegpj. 2Jsafe"), "{lines:#?}");
    assert!(lines.iter().any(|l| l == "<ana> fake* eva has joined"), "{lines:#?}");
    for line in &lines {
        assert!(
            !line.chars().any(|c| c.is_control() || "\u{202e}\u{2066}\u{2069}\u{2028}".contains(c)),
            "{line:?}"
        );
    }
    // And what one said oneself.
    assert!(ben.types("mine \x1b[1m\u{202e}too\n".as_bytes()));
    let shown = ben.until("its own line", |state| state.lines.iter().find(|l| l.contains("mine")).cloned());
    assert_eq!(shown, "> mine [1mtoo");
    ben.end_input();
    assert_eq!(ben.exit(), 0);
}

/// Whoever pipes the events into a program that ends early ends this one too, quietly.
#[test]
fn output_that_nobody_reads() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    let ben = place.chat("ring", "ben").join(&ana.addr()).start();
    group::whole(&[&ana, &ben]);
    let peer = ben.peer();
    ben.stop_reading();
    ana.say("the last line that is read");
    ben.until("the end of its output", |state| state.ended.0.then_some(()));
    ana.say("one that is not");
    ana.about(0, &["left"], &peer);
    assert_eq!(ben.exit(), 0);
    assert_eq!(ben.state(|state| state.stderr.clone()), "");
}
