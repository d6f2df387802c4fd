//! Profiles that load, and a table of those that do not, with the exact line that says why.

use std::ffi::OsString;

use tertulia_core::units::{Size, Span};

use super::*;

const GROUP: &str =
    "[group]\nname = \"g\"\nsecret = \"base64:dGVydHVsaWEgZGVtbyBzZWNyZXQsIG5vdCBzZWNyZXQ=\"\n";

fn shipped() -> &'static [Shipped] {
    const TEXT: &str = "[group]\nname = \"ring\"\nsecret = \"base64:dGVydHVsaWEgZGVtbyBzZWNyZXQsIG5vdCBzZWNyZXQ=\"\n\
        [topology]\nkind = \"ring\"\nsuccessors = 2\n";
    &[Shipped { name: "ring", text: TEXT }, Shipped { name: "redundant-ring", text: TEXT }]
}

fn sources(text: &str) -> Sources {
    Sources::new(shipped()).text("p.toml", &format!("{GROUP}{text}"))
}

fn vars(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    list.iter().map(|(n, v)| (n.into(), v.into())).collect()
}

#[test]
fn later_sources_win() {
    let text = "[detector]\ninterval = \"1s\"\nindirect = 1\ntimeout = \"1s\"\n[node]\njoin = [\"a:1\"]\n";
    let profile = Profile::load(
        &sources(text)
            .variables(vars(&[
                ("TERTULIA_DETECTOR__INDIRECT", "2"),
                ("TERTULIA_DETECTOR__TIMEOUT", "2s"),
                ("TERTULIA_NODE__JOIN", "b:2, c:3"),
                ("TERTULIA_RUNTIME_DIR", "/run/x"),
                ("HOME", "/nowhere"),
            ]))
            .unwrap()
            .set("detector.timeout = \"3s\"")
            .unwrap()
            .option("--nick", "node.nick", "007"),
    )
    .unwrap();
    assert_eq!(profile.detector.interval, Span::secs(1));
    assert_eq!(profile.detector.indirect, 2);
    assert_eq!(profile.detector.timeout, Span::secs(3));
    assert_eq!(profile.detector.suspicion, Span::secs(2));
    assert_eq!(profile.node.join, ["b:2", "c:3"]);
    assert_eq!(profile.node.nick.as_deref(), Some("007"));
    assert_eq!(
        profile.place("detector.indirect").to_string(),
        "environment variable TERTULIA_DETECTOR__INDIRECT"
    );
    assert_eq!(profile.engine().limits.message, Size::mib(1));
}

#[test]
fn text_needs_no_quotes_and_numbers_stay_numbers() {
    let load = |set: &str| Profile::load(&sources("").set(set).unwrap());
    assert_eq!(load("group.name=2024").unwrap().group.name, "2024");
    assert_eq!(load("group.name=\"x y\"").unwrap().group.name, "x y");
    assert_eq!(load("history.keep=5").unwrap().history.keep, 5);
    assert_eq!(load("history.keep_bytes=4MiB").unwrap().history.keep_bytes, Size::mib(4));
    assert_eq!(load("node.join=[\"a:1\"]").unwrap().node.join, ["a:1"]);
    assert_eq!(load("node.join=\"a:1\"").unwrap().node.join, ["a:1"]);
    assert_eq!(load("node.join='a:1, b:2'").unwrap().node.join, ["a:1", "b:2"]);
    assert_eq!(load("node.nick=true").unwrap().node.nick.as_deref(), Some("true"));
    let odd = load("topology.hops=1\nx=2").unwrap();
    assert_eq!(odd.topology.options["hops"].as_str(), Some("1\nx=2"));
}

#[test]
fn a_new_kind_starts_its_table_afresh() {
    let profile = Profile::load(&Sources::new(shipped()).set("topology.kind=mesh").unwrap()).unwrap();
    assert_eq!(profile.topology, PluginTable::new("mesh"));
    let kept = Profile::load(&Sources::new(shipped()).set("topology.kind=ring").unwrap()).unwrap();
    assert_eq!(kept.topology.options.len(), 1);
    let both = Sources::new(shipped()).set("topology.degree=4").unwrap().set("topology.kind=mesh").unwrap();
    let both = Profile::load(&both).unwrap();
    assert_eq!(both.topology.options.keys().collect::<Vec<_>>(), ["degree"]);
    assert!(both.is_set("topology.degree") && both.is_set("topology.kind"));
}

#[test]
fn a_secret_can_be_replaced_by_a_file_relative_to_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s"), "correct horse battery\n").unwrap();
    let path = folder.path().join("p.toml");
    std::fs::write(&path, "[group]\nname = \"g\"\nsecret_file = \"s\"\n").unwrap();
    let profile = Profile::load(&Sources::new(&[]).profile(path.to_str().unwrap())).unwrap();
    assert!(!profile.secret().unwrap().is_demo());
    let file = folder.path().join("s");
    let set = format!("group.secret_file={}", file.display());
    let open = sources("[node]\nlisten = \"0.0.0.0:1\"\n").set(&set).unwrap();
    assert!(!Profile::load(&open).unwrap().secret().unwrap().is_demo());
}

#[test]
fn secrets_are_never_shown() {
    let profile = sources("").set("group.secret=correct horse battery").unwrap();
    let profile = Profile::load(&profile).unwrap();
    let shown = format!("{profile:?}\n{}", show(&profile, &|_, _| None).unwrap());
    assert!(!shown.contains("correct") && !shown.contains("dGVyd"), "{shown}");
    assert!(shown.contains("secret = \"(redacted)\"  # option --set group.secret"), "{shown}");
    assert!(shown.contains("name = \"g\"  # p.toml:2"), "{shown}");
}

#[test]
fn bad_profiles_are_told_in_one_line() {
    let cases: &[(&str, &str)] = &[
        ("[topolgy]\nkind = \"ring\"\n", "p.toml:4: topolgy: unknown table; did you mean `topology`?"),
        ("[node]\nnik = \"x\"\n", "p.toml:5: node.nik: unknown key; did you mean `nick`?"),
        (
            "[roster]\ncolour = 1\n",
            "p.toml:5: roster.colour: unknown key; use one of `scope`, `max`, `forget`, `book`, `rejoin`",
        ),
        (
            "[history]\nkeep = \"many\"\n",
            "p.toml:5: history.keep: the text \"many\" where a whole number is expected; write a number from 0 to 10000000",
        ),
        (
            "[node]\nlisten = 5\n",
            "p.toml:5: node.listen: the number 5 where text is expected; write it in double quotes",
        ),
        (
            "[node]\njoin = \"a:1\"\n",
            "p.toml:5: node.join: the text \"a:1\" where a list is expected; write it as [\"…\", \"…\"]",
        ),
        (
            "[node]\njoin = [\n  \"a:1\",\n  7]\n",
            "p.toml:5: node.join.1: the number 7 where text is expected; write it in double quotes",
        ),
        (
            "delivery = 3\n",
            "p.toml:4: group.delivery: unknown key; use one of `name`, `secret`, `secret_file`",
        ),
        (
            "[topology]\nkind = 3\n",
            "p.toml:5: topology.kind: the number 3 where text is expected; write it in double quotes",
        ),
        (
            "[detector]\ninterval = \"1ms\"\n",
            "p.toml:5: detector.interval: 1ms is out of range; write a time from \"10ms\" to \"1h\"",
        ),
        (
            "[detector]\ninterval = \"soon\"\n",
            "p.toml:5: detector.interval: `soon` is no duration; write a time from \"10ms\" to \"1h\"",
        ),
        (
            "[detector]\nindirect = 300\n",
            "p.toml:5: detector.indirect: 300 is out of range; write a number from 0 to 32",
        ),
        (
            "[history]\nkeep = -1\n",
            "p.toml:5: history.keep: -1 is out of range; write a number from 0 to 10000000",
        ),
        (
            "[limits]\nmessage = \"1GiB\"\n",
            "p.toml:5: limits.message: 1GiB is out of range; write a size from \"256B\" to \"1MiB\"",
        ),
        (
            "[limits]\nmessage = \"1025KiB\"\n",
            "p.toml:5: limits.message: 1025KiB is out of range; write a size from \"256B\" to \"1MiB\"",
        ),
        (
            "[limits]\npending = \"64KiB\"\n",
            "p.toml:5: limits.pending: less than limits.message: a message of the greatest size could never be published; raise it, or lower limits.message",
        ),
        (
            "[detector]\ninterval = \"10ms\"\n",
            "p.toml:5: detector.interval: detector.timeout is more than ten times detector.interval: probes would pile up; raise it, or lower detector.timeout",
        ),
        (
            "[roster]\nscope = \"veiw\"\n",
            "p.toml:5: roster.scope: `veiw` is no value of this key; did you mean `view`?",
        ),
        (
            "[roster]\nscope = 1\n",
            "p.toml:5: roster.scope: the number 1 where text is expected; write it in double quotes",
        ),
        (
            "[roster]\nmax = 5000\n",
            "p.toml:5: roster.max: 5000 members with roster.scope = \"group\", which lists every one; write at most 1024, or set roster.scope = \"view\"",
        ),
        (
            "[node]\nnick = \"a b\"\n",
            "p.toml:5: node.nick: a nick is one word without blanks, control or invisible characters; choose another nick",
        ),
        (
            "[node]\nlisten = \"here\"\n",
            "p.toml:5: node.listen: `here` is no HOST:PORT; write for example tcp://192.0.2.7:4711",
        ),
        (
            "[node]\nlisten = \"0.0.0.0:0\"\n",
            "p.toml:5: node.listen: `0.0.0.0:0` can be reached from other machines, and the demo secret is known to all; run `tertulia new` for a private profile, or listen on 127.0.0.1",
        ),
        (
            "secret_file = \"x\"\n",
            "p.toml:4: group.secret_file: both `secret` and `secret_file` are set; remove one of them",
        ),
        ("[node]\ndata_dir = \"\"\n", "p.toml:5: node.data_dir: the folder's name is empty; name a folder"),
        ("[log]\nfilter = \"debgu\"\n", "p.toml:5: log.filter: `debgu` is no level; did you mean `debug`?"),
    ];
    for (text, line) in cases {
        let error = Profile::load(&sources(text)).unwrap_err().to_string();
        assert_eq!(&error, line, "{text}");
    }
}

#[test]
fn a_list_is_no_table() {
    for (text, line) in [
        ("group = [1, 2]\n", "p.toml:1: group: a list where a table is expected; write it as a [group]"),
        (
            "[[node]]\nnick = \"x\"\n",
            "p.toml:1: node: a list where a table is expected; write it as a [node]",
        ),
    ] {
        let error = Profile::load(&Sources::new(&[]).text("p.toml", text)).unwrap_err().to_string();
        assert_eq!(error, line);
    }
}

#[test]
fn bad_secrets_and_names() {
    let cases = [
        ("", "p.toml: group: the group has no secret; set `secret` or `secret_file`, or run `tertulia new`"),
        (
            "[group]\nname = \"g\"\nsecret = \"short\"\n",
            "p.toml:3: group.secret: a passphrase needs at least 12 characters, this one has 5; run `tertulia new` for a private profile with a fresh secret",
        ),
        (
            "[group]\nname = \"g\"\nsecret_file = \"/nowhere/s\"\n",
            "p.toml:3: group.secret_file: /nowhere/s: there is no such file; run `tertulia new` for a private profile with a fresh secret",
        ),
        (
            "[group]\nsecret = \"correct horse battery\"\n",
            "p.toml: group.name: the group has no name; name the group that you want to talk with",
        ),
    ];
    for (text, line) in cases {
        let error = Profile::load(&Sources::new(&[]).text("p.toml", text)).unwrap_err().to_string();
        let line = if text.starts_with("[group]\nsecret") {
            line.replacen("p.toml:", "p.toml:1:", 1)
        } else {
            line.to_owned()
        };
        assert_eq!(error, line, "{text}");
    }
}

#[test]
fn errors_name_the_variable_or_the_option() {
    let with =
        |name: &str, value: &str| Profile::load(&sources("").variables(vars(&[(name, value)])).unwrap());
    assert_eq!(
        with("TERTULIA_GRUOP__NAME", "x").unwrap_err().to_string(),
        "environment variable TERTULIA_GRUOP__NAME: gruop: unknown table; did you mean `group`?"
    );
    assert_eq!(
        with("TERTULIA_HISTORY__KEEP", "all").unwrap_err().to_string(),
        "environment variable TERTULIA_HISTORY__KEEP: history.keep: the text \"all\" where a whole number is expected; write a number from 0 to 10000000"
    );
    assert_eq!(
        sources("").variables(vars(&[("TERTULIA___X", "1")])).unwrap_err().to_string(),
        "environment variable TERTULIA___X: this names no table and key; name it TERTULIA_TABLE__KEY"
    );
    let set = |text: &str| sources("").set(text).and_then(|s| Profile::load(&s)).unwrap_err().to_string();
    assert_eq!(
        set("detector.intervall=1s"),
        "option --set detector.intervall: detector.intervall: unknown key; did you mean `interval`?"
    );
    assert_eq!(
        set("group.name.x=1"),
        "option --set group.name.x: group.name: a table where text is expected; write it in double quotes"
    );
    assert_eq!(set("detector.interval"), "option --set: there is no `=` in it; write --set table.key=value");
    assert_eq!(
        set("interval=1s"),
        "option --set interval: this names no table and key; write --set table.key=value"
    );
    let nick = Profile::load(&sources("").option("--nick", "node.nick", "a\nb")).unwrap_err().to_string();
    assert!(nick.starts_with("option --nick: node.nick: a nick is one word"), "{nick}");
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = "[".repeat(100_000);
    let dotted = vec!["a"; 100_000].join(".");
    for text in [
        format!("a = {deep}"),
        format!("{dotted} = 1"),
        format!("[{dotted}]\nx = 1"),
        "a = {b = ".repeat(50_000),
    ] {
        let error = Profile::load(&sources(&text)).unwrap_err().to_string();
        assert!(error.starts_with("p.toml:4: ") && error.lines().count() == 1, "{}", &error[..80]);
    }
    let set = |text: String| sources("").set(&text).and_then(|s| Profile::load(&s));
    assert!(set(format!("{dotted}=1")).is_err());
    let odd = set(format!("topology.x={deep}")).unwrap();
    assert_eq!(odd.topology.options["x"].as_str(), Some(deep.as_str()), "no TOML value, so text");
}

#[test]
fn missing_files_are_told_with_what_there_is() {
    let load = |name: &str| Profile::load(&Sources::new(shipped()).profile(name)).unwrap_err().to_string();
    assert_eq!(load("rnig"), "rnig: there is no such file; did you mean the shipped profile `ring`?");
    assert_eq!(
        load("/nowhere/my.toml"),
        "/nowhere/my.toml: there is no such file; give the path of a profile, or one of the shipped: ring, redundant-ring"
    );
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path().to_str().unwrap());
    assert!(error.ends_with(": this is a folder, not a file; give the path of a profile"), "{error}");
    let error = load("/dev/null");
    assert_eq!(error, "/dev/null: this is no regular file; give the path of a profile");
    let zeros = sources("").set("group.secret_file=/dev/zero").unwrap();
    let error = Profile::load(&zeros).unwrap_err().to_string();
    assert!(error.contains("group.secret_file: /dev/zero: this is no regular file; "), "{error}");
    assert!(Profile::load(&Sources::new(shipped())).is_ok(), "the default is shipped");
    let ticket = Sources::new(&[]).ticket("tertulia1:AAAA").unwrap_err().to_string();
    assert_eq!(
        ticket,
        "option --ticket: the ticket is damaged or incomplete; copy the whole line that `tertulia ticket` printed"
    );
}
