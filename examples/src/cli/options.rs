//! Options that every chat program takes, and the profile that comes of them.

use clap::Args;
use tertulia::profile::{Profile, ProfileError, Sources};
use tertulia::registry::Registry;

use super::SHIPPED;

/// Which profile, and single values over it.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// A shipped profile (ring, redundant-ring, mesh, leader, gossip, reference) or the path of one; without it the program's own, of `tertulia` ring
    #[arg(value_name = "PROFILE", conflicts_with_all = ["profile_option", "ticket"])]
    pub profile: Option<String>,
    /// The same as PROFILE
    #[arg(long = "profile", value_name = "PROFILE", conflicts_with = "ticket")]
    pub profile_option: Option<String>,
    /// Use the profile in a ticket (one line that `tertulia ticket` printed)
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// Set one value of the profile, for example --set detector.interval=1s; may be repeated
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub set: Vec<String>,
}

impl SourceOptions {
    /// The sources that these options name, and the environment.
    ///
    /// # Errors
    /// When an option or a variable is malformed.
    pub fn sources(&self) -> Result<Sources, ProfileError> {
        self.over(Sources::new(SHIPPED).environment()?)
    }

    /// The same, with another profile than the usual one when none is named.
    #[must_use]
    pub fn or_profile(mut self, name: &str) -> Self {
        if self.profile.is_none() && self.profile_option.is_none() && self.ticket.is_none() {
            self.profile = Some(name.to_owned());
        }
        self
    }

    /// The same over sources that are there already.
    pub(super) fn over(&self, mut sources: Sources) -> Result<Sources, ProfileError> {
        if let Some(name) = self.profile.as_ref().or(self.profile_option.as_ref()) {
            sources = sources.profile(name);
        }
        if let Some(ticket) = &self.ticket {
            sources = sources.ticket(ticket)?;
        }
        for assignment in &self.set {
            sources = sources.set(assignment)?;
        }
        Ok(sources)
    }
}

/// How a chat program talks to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Full screen with a terminal, lines without.
    Auto,
    /// Lines in, a line per event out.
    Plain,
    /// Lines in, one JSON object per event out.
    Json,
}

/// The options of every chat program.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatOptions {
    /// Which profile.
    #[command(flatten)]
    pub source: SourceOptions,
    /// The name that others see [default: the user's name]
    #[arg(long)]
    pub nick: Option<String>,
    /// Where to listen: HOST:PORT or a locator
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Join through this member instead of those in the profile; may be repeated
    #[arg(long, value_name = "LOCATOR")]
    pub join: Vec<String>,
    /// Found the group here and now, asking nobody
    #[arg(long, conflicts_with = "join")]
    pub found: bool,
    /// Where identity and address book are kept
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// What is logged to standard error, for example debug or tertulia=trace
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Lines in, a line per event out
    #[arg(long, conflicts_with = "json")]
    pub plain: bool,
    /// Lines in, one JSON object per event out
    #[arg(long)]
    pub json: bool,
}

impl ChatOptions {
    /// The sources that these options name, and the environment.
    ///
    /// # Errors
    /// When an option or a variable is malformed.
    pub fn sources(&self) -> Result<Sources, ProfileError> {
        Ok(self.over(self.source.sources()?))
    }

    /// The profile of these options and the environment, its plug-ins checked.
    ///
    /// # Errors
    /// What makes the profile unusable: print it and exit with 2.
    pub fn profile(&self, registry: &Registry) -> Result<Profile, ProfileError> {
        let profile = Profile::load(&self.sources()?)?;
        registry.check(&profile)?;
        Ok(profile)
    }

    /// True when nothing was said but, perhaps, which profile.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        let source = SourceOptions { set: Vec::new(), ..self.source.clone() };
        *self == ChatOptions { source, ..ChatOptions::default() }
    }

    /// How to talk to the user.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match (self.json, self.plain) {
            (true, _) => Mode::Json,
            (_, true) => Mode::Plain,
            _ => Mode::Auto,
        }
    }

    fn over(&self, mut sources: Sources) -> Sources {
        let texts = [
            ("--nick", "node.nick", &self.nick),
            ("--listen", "node.listen", &self.listen),
            ("--data-dir", "node.data_dir", &self.data_dir),
            ("--log", "log.filter", &self.log),
        ];
        for (option, key, value) in texts {
            if let Some(value) = value {
                sources = sources.option(option, key, value);
            }
        }
        sources.list("--join", "node.join", &self.join)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        chat: ChatOptions,
    }

    fn parse(args: &[&str]) -> Result<ChatOptions, clap::Error> {
        Program::try_parse_from(std::iter::once(&"program").chain(args)).map(|p| p.chat)
    }

    /// The profile without this process's environment.
    fn load(args: &[&str]) -> Result<Profile, ProfileError> {
        let options = parse(args).unwrap();
        Profile::load(&options.over(options.source.over(Sources::new(SHIPPED))?))
    }

    #[test]
    fn a_profile_alone_says_nothing_else() {
        for args in [&[][..], &["leader"], &["--profile", "leader"], &["--ticket", "tertulia1:x"]] {
            assert!(parse(args).unwrap().is_bare(), "{args:?}");
        }
        for args in [&["leader", "--nick", "ana"][..], &["--set", "a.b=1"], &["--json"], &["--found"]] {
            assert!(!parse(args).unwrap().is_bare(), "{args:?}");
        }
    }

    #[test]
    fn options_reach_the_profile() {
        let args = [
            "redundant-ring",
            "--nick",
            "007",
            "--listen",
            "127.0.0.1:4711",
            "--join",
            "a:1",
            "--join",
            "b:2",
        ];
        let more = ["--data-dir", "/tmp/x", "--log", "debug", "--set", "history.keep=5", "--json"];
        let profile = load(&[args.as_slice(), &more].concat()).unwrap();
        assert_eq!(profile.topology.kind, "redundant-ring");
        assert_eq!(profile.node.nick.as_deref(), Some("007"));
        assert_eq!(profile.node.listen, "127.0.0.1:4711");
        assert_eq!(profile.node.join, ["a:1", "b:2"]);
        assert_eq!(profile.node.data_dir.as_deref(), Some(std::path::Path::new("/tmp/x")));
        assert_eq!((profile.log.filter.as_str(), profile.history.keep), ("debug", 5));
        assert_eq!(load(&[]).unwrap().group.name, "ring");
        assert_eq!(load(&["--profile", "reference"]).unwrap().group.name, "reference");
    }

    #[test]
    fn what_excludes_each_other_is_refused_with_status_2() {
        for bad in [
            &["ring", "--profile", "ring"] as &[&str],
            &["ring", "--ticket", "x"],
            &["--profile", "ring", "--ticket", "x"],
            &["--plain", "--json"],
            &["--found", "--join", "a:1"],
            &["--nick"],
            &["--colour", "red"],
            &["ring", "mesh"],
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad:?}");
        }
    }

    #[test]
    fn modes() {
        let mode = |args: &[&str]| parse(args).unwrap().mode();
        assert_eq!([mode(&[]), mode(&["--plain"]), mode(&["--json"])], [Mode::Auto, Mode::Plain, Mode::Json]);
    }

    #[test]
    fn errors_name_the_option() {
        let says = |args: &[&str], start: &str| {
            let error = load(args).unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        };
        says(&["--nick", ""], "option --nick: node.nick: a nick has at least one character");
        says(&["--listen", "nowhere"], "option --listen: node.listen: `nowhere` is no HOST:PORT");
        says(&["--join", "a:1", "--join", "b"], "option --join: node.join: `b` is no HOST:PORT");
        says(&["--ticket", "x"], "option --ticket: this is no ticket");
        says(&["--listen", "0.0.0.0:1"], "option --listen: node.listen: `0.0.0.0:1` can be reached");
    }
}
