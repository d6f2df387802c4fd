//! Where the programs of one test run: with data, addresses and settings that no other test sees.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::build;
use super::running::{Reads, Running};

/// A place of its own for one test.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    /// Settings of every member.
    sets: Vec<String>,
}

/// What a program that is over has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Place {
    /// An empty place.
    #[must_use]
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), sets: Vec::new() }
    }

    /// The same with one value set for every member.
    #[must_use]
    pub fn set(mut self, assignment: &str) -> Place {
        self.sets.push(assignment.to_owned());
        self
    }

    /// Its folder, which programs also run in.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the member `name` keeps its data.
    #[must_use]
    pub fn data(&self, name: &str) -> PathBuf {
        self.path().join("members").join(name)
    }

    /// A program of the workspace, which sees nothing of this process's environment.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(build::program(program));
        command
            .current_dir(self.path())
            .env_clear()
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("TERTULIA_RUNTIME_DIR", self.path().join("run"))
            .env("USER", "nemo")
            .env("RUST_BACKTRACE", "1");
        command
    }

    /// `tertulia chat --json`, without a profile, a nick or a folder.
    #[must_use]
    pub fn bare(&self, name: &str) -> Chat {
        let mut command = self.command("tertulia");
        command.args(["chat", "--json"]);
        Chat { name: name.to_owned(), command, reads: Reads::Events }
    }

    /// `tertulia chat PROFILE --json`, with this nick and a data directory of its own.
    #[must_use]
    pub fn chat(&self, profile: &str, nick: &str) -> Chat {
        let chat =
            self.bare(nick).arg(profile).arg("--nick").arg(nick).arg("--data-dir").arg(self.data(nick));
        self.sets.iter().fold(chat, |chat, set| chat.set(set))
    }

    /// `ring-chat --json` with this nick.
    #[must_use]
    pub fn ring_chat(&self, nick: &str) -> Chat {
        let mut command = self.command("ring-chat");
        command.args(["--json", "--nick", nick]);
        Chat { name: nick.to_owned(), command, reads: Reads::Events }
    }

    /// Any program with `--json` among these arguments; what it tells is read as events.
    #[must_use]
    pub fn program(&self, program: &str, name: &str, args: &[&str]) -> Chat {
        let mut command = self.command(program);
        command.args(args).arg("--json");
        Chat { name: name.to_owned(), command, reads: Reads::Events }
    }

    /// A program that goes on by itself; what it tells is read as lines.
    #[must_use]
    pub fn served(&self, program: &str, args: &[&str]) -> Running {
        let mut command = self.command(program);
        command.args(args);
        Running::start(program, command, Reads::Lines)
    }

    /// `tertulia chat PROFILE --plain` with this nick: lines are read as they are.
    #[must_use]
    pub fn plain(&self, profile: &str, nick: &str) -> Chat {
        let mut command = self.command("tertulia");
        command.args(["chat", profile, "--plain", "--nick", nick]);
        Chat { name: nick.to_owned(), command, reads: Reads::Lines }
    }

    /// Runs a program without input until it ends by itself.
    #[must_use]
    pub fn run(&self, program: &str, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.command(program);
        command.args(args).envs(environment.iter().copied());
        let running = Running::start(&format!("{program} {args:?}"), command, Reads::Lines);
        running.end_input();
        let status = running.exit();
        running.state(|state| Output { status, stdout: state.lines.join("\n"), stderr: state.stderr.clone() })
    }
}

impl Default for Place {
    fn default() -> Self {
        Place::new()
    }
}

/// A chat about to be started.
#[derive(Debug)]
pub struct Chat {
    name: String,
    command: Command,
    reads: Reads,
}

impl Chat {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Founds the group.
    #[must_use]
    pub fn found(self) -> Self {
        self.arg("--found")
    }

    /// Joins through a member.
    #[must_use]
    pub fn join(self, addr: &str) -> Self {
        self.arg("--join").arg(addr)
    }

    /// Sets one value of the profile.
    #[must_use]
    pub fn set(self, assignment: &str) -> Self {
        self.arg("--set").arg(assignment)
    }

    /// One more variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Running {
        Running::start(&self.name, self.command, self.reads)
    }
}
