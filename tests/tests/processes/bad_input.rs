//! Arguments, profiles and commands that cannot be used: one line that names the thing, the reason and what to do.

use tertulia_tests::program::{Event, Place, group};

/// A profile, what is wrong with it, and what the error must name.
const PROFILES: [(&str, &str, &[&str]); 12] = [
    (
        "misspelt key",
        "[topology]\nkind = \"ring\"\nsuccesors = 2\n",
        &["p.toml:6", "succesors", "`successors`"],
    ),
    ("misspelt table", "[topologie]\nkind = \"ring\"\n", &["p.toml:4", "topologie", "topology"]),
    ("wrong type", "[history]\nkeep = \"many\"\n", &["p.toml:5", "history.keep", "number"]),
    ("no unit", "[detector]\ninterval = 5\n", &["p.toml:5", "detector.interval", "10ms"]),
    ("out of range", "[detector]\ninterval = \"1us\"\n", &["p.toml:5", "detector.interval"]),
    ("beyond a number", "[topology]\nkind = \"ring\"\nsuccessors = 99\n", &["p.toml:6", "successors", "16"]),
    ("unknown kind", "[topology]\nkind = \"rign\"\n", &["p.toml:5", "topology.kind", "rign", "`ring`"]),
    ("unknown transport", "[transport]\nkind = \"tpc\"\n", &["p.toml:5", "transport.kind", "`tcp`"]),
    ("plaintext", "[crypto]\nkind = \"plain\"\n", &["p.toml:5", "allow_plaintext"]),
    ("an address", "[node]\nlisten = \"here\"\n", &["p.toml:5", "node.listen", "HOST:PORT"]),
    ("no TOML", "[node\nlisten = 5\n", &["p.toml:4"]),
    ("a log filter", "[log]\nfilter = \"tertulia=loud\"\n", &["p.toml:5", "log.filter"]),
];

const HEAD: &str = "[group]\nname = \"g\"\nsecret = \"words that nobody knows\"\n";

#[test]
fn profiles() {
    let place = Place::new();
    for (what, text, names) in PROFILES {
        std::fs::write(place.path().join("p.toml"), format!("{HEAD}{text}")).unwrap();
        for args in [&["chat", "p.toml", "--json"] as &[&str], &["profile", "check", "p.toml"]] {
            let output = place.run("tertulia", args, &[]);
            assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{what}: {output:?}");
            one_line(what, &output.stderr, names);
        }
    }
}

#[test]
fn secrets() {
    let place = Place::new();
    for (what, text, names) in [
        (
            "short",
            "[group]\nname = \"g\"\nsecret = \"short\"\n",
            &["p.toml:3", "group.secret", "12"] as &[&str],
        ),
        ("none", "[group]\nname = \"g\"\n", &["p.toml:1", "group: ", "no secret", "`secret_file`"]),
        (
            "no file",
            "[group]\nname = \"g\"\nsecret_file = \"nowhere\"\n",
            &["p.toml:3", "secret_file", "nowhere"],
        ),
        ("base64", "[group]\nname = \"g\"\nsecret = \"base64:AAAA\"\n", &["p.toml:3", "group.secret", "32"]),
    ] {
        std::fs::write(place.path().join("p.toml"), text).unwrap();
        let output = place.run("tertulia", &["chat", "p.toml", "--json"], &[]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{what}: {output:?}");
        one_line(what, &output.stderr, names);
        assert!(!output.stderr.contains("short\"") && !output.stderr.contains("AAAA"), "{}", output.stderr);
    }
}

#[test]
fn arguments() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 16] = [
        (&["chat", "nowhere.toml"], &["nowhere.toml"]),
        (&["chat", "rnig"], &["rnig", "ring"]),
        (&["chat", "ring", "--profile", "ring"], &["PROFILE", "cannot be used with", "--help"]),
        (&["chat", "--colour", "red"], &["--colour", "--help"]),
        (&["chat", "--nik", "eva"], &["--nik", "--nick"]),
        (&["chta"], &["chta", "chat"]),
        (&["chat", "--json", "--plain"], &["--json", "--plain"]),
        (&["chat", "--found", "--join", "127.0.0.1:1"], &["--found", "--join"]),
        (&["chat", "--nick", "two words"], &["--nick", "node.nick"]),
        (&["chat", "--nick", "жжжжжжжжжжжжжжжжжжжж"], &["--nick", "node.nick", "40 bytes"]),
        (&["chat", "--nick", "\u{202e}evil"], &["--nick", "node.nick"]),
        (&["chat", "--join", "somewhere"], &["--join", "somewhere", "HOST:PORT"]),
        (&["chat", "--listen", "0.0.0.0:0"], &["--listen", "demo secret"]),
        (&["chat", "--set", "topology.successors"], &["--set", "`=`", "table.key=value"]),
        (&["chat", "--set", "topology.sucessors=2"], &["--set", "sucessors", "`successors`"]),
        (&["chat", "--ticket", "tertulia1:xyz"], &["--ticket"]),
    ];
    for (args, names) in cases {
        let output = place.run("tertulia", args, &[]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{args:?}: {output:?}");
        one_line(&format!("{args:?}"), &output.stderr, names);
        // All programs take the same options.
        if args[0] == "chat" {
            let same = place.run("ring-chat", &args[1..], &[]);
            assert_eq!((same.status, same.stderr), (2, output.stderr));
        }
    }
}

#[test]
fn variables() {
    let place = Place::new();
    for (name, value, names) in [
        ("TERTULIA_DETECTOR__INTERVALL", "1s", &["TERTULIA_DETECTOR__INTERVALL", "interval"] as &[&str]),
        ("TERTULIA_DETECTOR__INTERVAL", "soon", &["TERTULIA_DETECTOR__INTERVAL", "detector.interval"]),
        ("TERTULIA_TOPOLOGY__KIND", "star", &["TERTULIA_TOPOLOGY__KIND", "star", "ring"]),
    ] {
        let output = place.run("tertulia", &["chat", "--json"], &[(name, value)]);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{name}: {output:?}");
        one_line(name, &output.stderr, names);
    }
    // No key of a profile.
    let output = place.run("tertulia", &["chat", "--json"], &[("TERTULIA_SOMETHING", "x")]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
}

/// An address that is taken is nobody's bad argument; still one line says so.
#[test]
fn an_address_that_is_taken() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _listener = std::net::TcpListener::bind(taken).unwrap();
    let output = place.run("tertulia", &["chat", "--json", "--listen", &taken.to_string()], &[]);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{output:?}");
    one_line("taken", &output.stderr, &[&taken.to_string()]);
}

#[test]
fn commands() {
    let place = Place::new();
    let ana = place.chat("ring", "ana").found().start();
    let ben = place.chat("ring", "ben").join(&ana.addr()).start();
    group::whole(&[&ana, &ben]);
    for (line, code, near) in [
        ("/pers", "unknown-command", "/peers"),
        ("/topolgy now", "unknown-command", "/topology"),
        ("/exit", "unknown-command", "/"),
        ("/", "unknown-command", "/help"),
        ("/msg ben", "bad-command", "/msg NICK TEXT"),
        ("/msg bne hello", "no-such-member", "ben"),
        ("/peers all", "bad-command", "/peers"),
    ] {
        let error = ana.ask(line, "error");
        assert_eq!(error["code"], code, "{line}: {error}");
        assert!(error["hint"].as_str().unwrap().contains(near), "{line}: {error}");
    }
    ana.say("//etc is a folder");
    ana.say("/msg ben psst");
    ana.say("the end");
    ben.event("the end", |event| matches!(event, Event::Message(m) if &*m.text == "the end").then_some(()));
    ben.event("a whisper", |event| matches!(event, Event::Message(m) if m.direct).then_some(()));
    let heard: Vec<(bool, String)> = ben.state(|state| {
        let messages = state.told.iter().filter_map(|s| match &s.event {
            Event::Message(m) => Some((m.direct, m.text.to_string())),
            _ => None,
        });
        messages.collect()
    });
    assert_eq!(heard.len(), 3, "a command was sent as text: {heard:?}");
    for expected in [(false, "/etc is a folder"), (true, "psst"), (false, "the end")] {
        assert!(heard.iter().any(|(direct, text)| (*direct, text.as_str()) == expected), "{heard:?}");
    }
    assert!(ana.state(|state| state.stderr.is_empty()));
}

/// One line that names all of it, and nothing of the program's inside.
fn one_line(what: &str, stderr: &str, names: &[&str]) {
    assert_eq!(stderr.lines().count(), 1, "{what}: {stderr}");
    for name in names {
        assert!(stderr.contains(name), "{what}: {name} is not in {stderr}");
    }
    for inside in ["panicked", "backtrace", "Error(", "src/"] {
        assert!(!stderr.contains(inside), "{what}: {stderr}");
    }
}
