//! A program that runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::event::Event;
use super::log::{Log, PATIENCE, State};

/// A program that runs; it is killed when this goes.
#[derive(Debug)]
pub struct Running {
    /// What the test calls it.
    pub name: String,
    pid: Pid,
    log: Arc<Log>,
    stdin: Mutex<Option<ChildStdin>>,
    /// Its standard output is closed with the next line.
    deaf: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How standard output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Events,
    Lines,
}

impl Running {
    pub(super) fn start(name: &str, mut command: Command, reads: Reads) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        let pid = Pid::from_child(&child);
        let log = Arc::new(Log::default());
        let stdin = Mutex::new(child.stdin.take());
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut threads = Vec::new();
        let mut thread = |work: Box<dyn FnOnce(&Log) + Send>| {
            let log = log.clone();
            threads.push(std::thread::spawn(move || work(&log)));
        };
        let deaf = Arc::new(AtomicBool::new(false));
        let stops = deaf.clone();
        thread(Box::new(move |log| read_stdout(stdout, log, reads == Reads::Events, &stops)));
        thread(Box::new(move |log| read_stderr(stderr, log)));
        thread(Box::new(move |log| wait(child, log)));
        Running { name: name.to_owned(), pid, log, stdin, deaf, threads }
    }

    /// What it has told so far.
    pub fn state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.log.lock())
    }

    /// Waits until `wanted` finds something in all that was told.
    pub fn until<T>(&self, what: &str, wanted: impl FnMut(&State) -> Option<T>) -> T {
        self.within(PATIENCE, what, wanted)
    }

    /// The same with a deadline of its own.
    pub fn within<T>(&self, limit: Duration, what: &str, wanted: impl FnMut(&State) -> Option<T>) -> T {
        let found = self.log.wait(limit, wanted);
        found.unwrap_or_else(|| panic!("{} never showed {what}", self.name))
    }

    /// How many events there were so far; later waits can begin here.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.state(|state| state.told.len())
    }

    /// Waits for an event from `from` on; where it stands, when it came, and what was found in it.
    pub fn event_from<T>(
        &self,
        mut from: usize,
        what: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> (usize, Instant, T) {
        self.until(what, |state| {
            while let Some(stamped) = state.told.get(from) {
                from += 1;
                if let Some(found) = wanted(&stamped.event) {
                    return Some((from - 1, stamped.at, found));
                }
            }
            None
        })
    }

    /// Waits for the first event that `wanted` finds something in.
    pub fn event<T>(&self, what: &str, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.event_from(0, what, wanted).2
    }

    /// Waits for the first event of a name.
    pub fn named(&self, name: &str) -> Value {
        self.event(name, |event| event.named(name).cloned())
    }

    /// Waits for an event about a member; when it came.
    pub fn about(&self, from: usize, names: &[&str], peer: &str) -> Instant {
        self.event_from(from, &format!("{names:?} of {}", &peer[..8]), |e| {
            e.is_about(names, peer).then_some(())
        })
        .1
    }

    /// Waits until it is a member; its key.
    pub fn peer(&self) -> String {
        self.named("ready")["peer"].as_str().unwrap().to_owned()
    }

    /// Waits until it is a member; where others join through it.
    pub fn addr(&self) -> String {
        self.named("ready")["addr"].as_str().unwrap().to_owned()
    }

    /// Types bytes; false when it no longer listens.
    pub fn types(&self, bytes: &[u8]) -> bool {
        let mut stdin = self.stdin.lock().unwrap();
        let Some(pipe) = stdin.as_mut() else { return false };
        pipe.write_all(bytes).and_then(|()| pipe.flush()).is_ok()
    }

    /// Types a line.
    pub fn say(&self, line: &str) {
        assert!(self.types(format!("{line}\n").as_bytes()), "{} does not listen to {line}", self.name);
    }

    /// Types a command, and waits for the event that answers it.
    pub fn ask(&self, command: &str, answer: &str) -> Value {
        let from = self.mark();
        self.say(command);
        self.event_from(from, answer, |event| event.named(answer).cloned()).2
    }

    /// Its standard output is closed once it has written one more line.
    pub fn stop_reading(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    /// Ends its input.
    pub fn end_input(&self) {
        self.stdin.lock().unwrap().take();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        assert!(self.state(|state| state.status.is_none()), "{} is over", self.name);
        kill_process(self.pid, signal).unwrap();
    }

    /// Kills it, and waits until it is dead; when that was.
    pub fn kill(&self) -> Instant {
        let at = Instant::now();
        self.signal(Signal::KILL);
        self.until("its death", |state| state.status);
        at
    }

    /// Waits for its end by itself; its exit status.
    pub fn exit(&self) -> i32 {
        let status = self.log.wait(PATIENCE, |state| state.status.filter(|_| state.is_over()));
        let status = status.unwrap_or_else(|| panic!("{} never ended", self.name));
        status.code().unwrap_or_else(|| panic!("{} ended by a signal: {status}", self.name))
    }

    /// Ends its input, and expects that it leaves as it should and complained of nothing.
    pub fn leaves(&self) {
        self.has_left();
        self.has_no_complaint();
    }

    /// The same, whatever it had to complain of.
    pub fn has_left(&self) {
        self.end_input();
        assert_eq!(self.exit(), 0, "{}", self.name);
        let peer = self.peer();
        let last = self.state(|state| state.told.last().cloned());
        assert!(
            last.is_some_and(|s| s.event.is_about(&["left"], &peer)),
            "{} did not say that it left",
            self.name
        );
    }

    /// It wrote only events, and nothing about errors.
    pub fn has_no_complaint(&self) {
        self.state(|state| {
            assert_eq!(state.stderr, "", "{}", self.name);
            let bad =
                state.told.iter().find(|s| matches!(s.event.name(), "garbage" | "error" | "refused" | "gap"));
            assert!(bad.is_none(), "{}: {bad:?}", self.name);
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.state(|state| state.show(&self.name)));
        }
        self.end_input();
        if self.state(|state| state.status.is_none()) {
            // It may just have ended by itself.
            let _ = kill_process(self.pid, Signal::KILL);
        }
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn read_stdout(stdout: impl Read, log: &Log, events: bool, deaf: &AtomicBool) {
    let mut input = BufReader::with_capacity(1 << 16, stdout);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if !matches!(input.read_until(b'\n', &mut bytes), Ok(1..)) {
            break;
        }
        let at = Instant::now();
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches('\n');
        if events {
            let event = Event::parse(line);
            log.change(|state| state.push(at, event));
        } else {
            log.change(|state| state.lines.push(line.to_owned()));
        }
        if deaf.load(Ordering::SeqCst) {
            break;
        }
    }
    drop(input);
    log.change(|state| state.ended.0 = true);
}

fn read_stderr(mut stderr: impl Read, log: &Log) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut bytes) {
        log.change(|state| state.stderr += &String::from_utf8_lossy(&bytes[..n]));
    }
    log.change(|state| state.ended.1 = true);
}

fn wait(mut child: Child, log: &Log) {
    let status = child.wait().unwrap();
    log.change(|state| state.status = Some(status));
}
