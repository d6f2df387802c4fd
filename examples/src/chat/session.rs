//! A conversation: lines in, events out.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use tertulia::bus::{Batch, Feed, Node, Notice, Outcome, PublishError, Told as Fed};
use tertulia::profile::near;
use tertulia_core::engine::api::Event;
use tertulia_core::id::{MessageId, PeerId};
use tertulia_core::message::{LOBBY, Room};
use tokio::sync::mpsc;

use super::beside::{Act, Beside, Heard, Now};
use super::input::{TooLong, Typed};
use super::line::Line;
use super::output::Output;
use super::sent::Sent;
use super::signals::Signals;
use super::told::Told;

/// The kind of a message that is text.
pub(super) const TEXT: u16 = 1;

/// Messages on their way at most; more lines are not read until some are reported.
const OPEN: u64 = 65_536;
/// Lines that are read before this node is a member; more are left where they are.
const EARLY: usize = 64;
/// Messages that `/history` shows at most, and their bytes.
const SHOWN: usize = 200;
const SHOWN_BYTES: usize = 1 << 20;

/// How long the end waits for a reader of the output that takes nothing.
const STALLED: Duration = Duration::from_secs(2);

/// A message being accepted: what was typed, and what comes of it.
type Publishing = Pin<Box<dyn Future<Output = (String, Result<MessageId, PublishError>)> + Send>>;

/// How a conversation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With its node.
    Over(Outcome),
    /// At once, because somebody insisted. Nothing that was accepted is missing.
    AtOnce,
}

/// A conversation.
pub(super) struct Session {
    node: Node,
    feed: Feed,
    lines: mpsc::Receiver<Typed>,
    signals: Signals,
    output: Output,
    topology: String,
    group: String,
    sent: Sent,
    publishing: Option<Publishing>,
    /// What was typed before this node was a member.
    early: VecDeque<Typed>,
    shown: VecDeque<(usize, Told)>,
    shown_bytes: usize,
    tracing: bool,
    ready: bool,
    leaving: bool,
    /// A signal has asked to leave.
    signalled: bool,
    /// Nothing more will be typed.
    ended: bool,
    /// What the program does beside, and when it began.
    beside: Box<dyn Beside>,
    start: tokio::time::Instant,
}

impl Session {
    /// A conversation of `node`, whose `feed` was made before it started.
    #[must_use]
    pub(super) fn new(
        node: Node,
        feed: Feed,
        lines: mpsc::Receiver<Typed>,
        signals: Signals,
        output: Output,
        (topology, group): (String, String),
    ) -> Self {
        let sent = Sent::new(node.id(), node.incarnation());
        Session {
            node,
            feed,
            lines,
            signals,
            output,
            topology,
            group,
            sent,
            publishing: None,
            early: VecDeque::new(),
            shown: VecDeque::new(),
            shown_bytes: 0,
            tracing: false,
            ready: false,
            leaving: false,
            signalled: false,
            ended: false,
            beside: Box::new(()),
            start: tokio::time::Instant::now(),
        }
    }

    /// The same, with what the program does beside.
    #[must_use]
    pub(super) fn beside(mut self, beside: Box<dyn Beside>) -> Self {
        self.beside = beside;
        self
    }

    /// Goes on until the node is over, and all is told that somebody reads.
    pub(super) async fn run(mut self) -> Ended {
        let node = self.node.clone();
        let mut over = pin!(node.over());
        let mut outcome = None;
        loop {
            // While nobody takes what is told there is no more of it; signals and the end are looked at all the same.
            let tells = !self.output.is_full();
            let reads =
                tells && self.ready && !self.leaving && self.publishing.is_none() && self.sent.open() < OPEN;
            if reads && let Some(line) = self.early.pop_front() {
                self.line(line).await;
                continue;
            }
            if reads && self.ended && !self.beside.is_busy() {
                self.leave();
            }
            let reads = reads && !self.ended;
            let waits = !self.ready && !self.leaving && !self.ended && self.early.len() < EARLY;
            let deadline = self.beside.next_deadline().filter(|_| tells && !self.leaving);
            let deadline = deadline.map(|at| self.start + at.since(tertulia_core::time::Instant::ZERO));
            let publishing = self.publishing.is_some();
            tokio::select! {
                biased;
                () = self.signals.next() => {
                    if self.signalled {
                        tracing::warn!("asked again to leave: leaving at once");
                        return self.end_at_once().await;
                    }
                    self.signalled = true;
                    self.leave();
                }
                (text, accepted) = accepted(&mut self.publishing), if publishing => self.accepted(&text, accepted),
                fed = self.feed.next(), if tells => match fed {
                    Some(fed) => {
                        self.fed(fed).await;
                        // However much there is to tell: a line that was typed has its turn as well.
                        if reads && let Ok(line) = self.lines.try_recv() {
                            self.line(line).await;
                        }
                    }
                    None => break,
                },
                line = self.lines.recv(), if reads || waits => match line {
                    line if waits => self.before(line),
                    Some(line) => self.line(line).await,
                    None => self.ended = true,
                },
                () = reached(deadline), if deadline.is_some() => self.alongside(|beside, now| beside.on_deadline(now)).await,
                () = self.output.flush(), if self.output.has_pending() => {
                    if self.output.is_closed() {
                        // Nobody reads what is told: there is no more reason to stay.
                        self.leave();
                    }
                }
                ended = &mut over, if outcome.is_none() => outcome = Some(ended),
                () = tokio::time::sleep(STALLED), if outcome.is_some() => break,
            }
        }
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => over.await,
        };
        self.end(&outcome).await;
        Ended::Over(outcome)
    }

    /// Ends without waiting for the node.
    async fn end_at_once(mut self) -> Ended {
        let lost = self.sent.open() > 0 || self.publishing.is_some();
        self.end(&Outcome::LeftEarly).await;
        if lost { Ended::Over(Outcome::LeftEarly) } else { Ended::AtOnce }
    }

    /// Tells what is left to tell.
    async fn end(&mut self, outcome: &Outcome) {
        let rest = self.sent.rest();
        for id in &rest {
            // Whoever is alone was told at once: somebody was to get these.
            self.output.tell(&Told::delivered(id, 0, 1));
        }
        if !rest.is_empty() {
            let reason = format!("of {} messages it is not known whether anybody got them", rest.len());
            self.error("undelivered", &reason, "say them again when you are back");
        }
        let unsaid = self.early.iter().filter(|typed| !quits(typed)).count();
        if unsaid > 0 {
            let reason = format!("{unsaid} lines were typed before this node was a member, and not sent");
            self.error("not-sent", &reason, "say them again when you are back");
        }
        if self.ready && matches!(outcome, Outcome::Left | Outcome::LeftEarly) {
            self.output.tell(&Told::left(self.node.id(), &self.node.nick(), "this member left"));
        }
        tokio::select! {
            biased;
            () = self.output.flush() => {}
            () = self.signals.next() => {}
            () = tokio::time::sleep(STALLED) => tracing::warn!("nobody reads the output: the last events are not told"),
        }
    }

    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            let node = self.node.clone();
            // What comes of it is told when the feed ends.
            tokio::spawn(async move { node.leave().await });
        }
    }

    fn error(&mut self, code: &str, reason: &str, hint: &str) {
        self.output.tell(&Told::error(code, reason, hint));
    }

    /// A line that comes before this node is a member waits until it is one, and so does the end of input. The wish to
    /// leave waits only for what was typed before it, and not if it is repeated.
    fn before(&mut self, typed: Option<Typed>) {
        match typed {
            Some(typed) if quits(&typed) && (self.early.is_empty() || self.early.iter().any(quits)) => {
                self.leave();
            }
            Some(typed) => self.early.push_back(typed),
            None => self.ended = true,
        }
    }

    async fn line(&mut self, typed: Typed) {
        let line = match typed {
            Ok(line) => Line::parse(&line, self.tracing),
            Err(TooLong) => {
                let hint = "send it in pieces, or raise limits.message";
                return self.error("too-long", "the line is longer than a message may be", hint);
            }
        };
        match line {
            Line::Empty => {}
            Line::Say(text) => self.publish(None, text),
            Line::Tell { nick, text } => self.tell(&nick, text).await,
            Line::Peers => {
                let members = self.node.members().await;
                self.output.tell(&Told::members(&members));
            }
            Line::Topology => {
                let view = self.node.view().await;
                self.output.tell(&Told::topology(&view));
            }
            Line::History => self.output.tell(&Told::history(self.shown.iter().map(|(_, told)| told))),
            Line::Trace(on) => self.tracing = on,
            Line::Help => self.output.tell(&Told::help()),
            Line::Quit => self.leave(),
            Line::Wrong { code, reason, hint } => self.error(code, &reason, &hint),
        }
    }

    async fn tell(&mut self, nick: &str, text: String) {
        let me = self.node.id();
        let mut members = self.node.members().await;
        members.retain(|m| m.state.is_live());
        match members.iter().find(|m| &*m.nick == nick) {
            Some(member) if member.peer == me => {
                return self.error(
                    "oneself",
                    &format!("{nick} is you"),
                    "name another member: /peers lists them",
                );
            }
            Some(member) => return self.publish(Some(member.peer), text),
            None => members.retain(|m| m.peer != me),
        }
        let hint = near::remedy(nick, members.iter().map(|m| &*m.nick));
        self.error("no-such-member", &format!("there is no member {nick}"), &hint);
    }

    fn publish(&mut self, to: Option<PeerId>, text: String) {
        let node = self.node.clone();
        self.publishing = Some(Box::pin(async move {
            let lobby = Room::default();
            let accepted = match to {
                None => node.publish(&lobby, TEXT, text.as_bytes()).await,
                Some(to) => node.send(to, &lobby, TEXT, text.as_bytes()).await,
            };
            (text, accepted)
        }));
    }

    fn accepted(&mut self, text: &str, accepted: Result<MessageId, PublishError>) {
        self.publishing = None;
        match accepted {
            Ok(id) => {
                self.sent.add(&id);
                let told = Told::sent(&id, LOBBY, text);
                self.output.tell(&told);
                self.show(told);
            }
            Err(error) => {
                let code = match error {
                    PublishError::TooLarge { .. } => "too-long",
                    PublishError::Left => "left",
                    PublishError::NoSuchMember => "no-such-member",
                    _ => "not-sent",
                };
                self.error(code, &error.to_string(), "it was not sent");
            }
        }
    }

    /// Lets the program's other part act, and does what it wants.
    async fn alongside(&mut self, act: impl FnOnce(&mut dyn Beside, Now) -> Vec<Act>) {
        let at = tertulia_core::time::Instant::ZERO + self.start.elapsed();
        let ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |passed| passed.as_millis());
        let now = Now { at, ms: u64::try_from(ms).unwrap_or(u64::MAX) };
        for act in act(&mut *self.beside, now) {
            let lobby = Room::default();
            let done = match act {
                Act::Tell(told) => {
                    self.output.tell(&told);
                    continue;
                }
                Act::Report(peer) => {
                    self.node.report(peer).await;
                    continue;
                }
                Act::Publish { kind, text } => self.node.try_publish(&lobby, kind, text.as_bytes()),
                Act::Send { to, kind, text } => self.node.try_send(to, &lobby, kind, text.as_bytes()),
            };
            match done {
                // Whoever is gone meanwhile needs nothing any more.
                Ok(_) | Err(PublishError::NoSuchMember | PublishError::Left) => {}
                Err(error) => self.error("not-sent", &error.to_string(), "it was not sent"),
            }
        }
    }

    async fn fed(&mut self, fed: Fed) {
        match fed {
            Fed::Batch(batch) => self.messages(&batch).await,
            Fed::Notice(Notice::Event(event)) => {
                self.event(&event);
                self.alongside(|beside, now| beside.on_event(now, &event)).await;
            }
            Fed::Notice(Notice::Lagged(n)) => {
                self.error("lagged", &format!("{n} events are missing here"), "read the output faster");
            }
        }
    }

    async fn messages(&mut self, batch: &Batch) {
        for message in batch.messages() {
            if message.kind == TEXT {
                let told = Told::message(batch, &message);
                self.output.tell(&told);
                self.show(told);
                continue;
            }
            let (from, nick, hops) = (batch.origin(), batch.nick(), batch.hops());
            let heard = Heard { from, nick, hops, kind: message.kind, payload: &message.payload };
            self.alongside(|beside, now| beside.on_message(now, &heard)).await;
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Ready { nick } => {
                self.ready = true;
                let addr = self.node.addr().to_string();
                let told = Told::ready(self.node.id(), nick, &addr, &self.topology, &self.group);
                self.output.tell(&told);
            }
            Event::Delivery { to, from_seq, to_seq, reached, of } => {
                for id in self.sent.done(*to, *from_seq, *to_seq) {
                    self.output.tell(&Told::delivered(&id, *reached, *of));
                }
            }
            Event::Undeliverable { to, from_seq, to_seq, reason } => {
                for id in self.sent.done(Some(*to), *from_seq, *to_seq) {
                    self.output.tell(&Told::delivered(&id, 0, 1));
                    let reason = format!("{id} has not arrived: {reason}");
                    self.error("undeliverable", &reason, "/peers lists who is there");
                }
            }
            Event::Trace { .. } if !self.tracing => {}
            event => {
                if let Some(told) = Told::event(event) {
                    self.output.tell(&told);
                }
            }
        }
    }

    /// Remembers a message for `/history`.
    fn show(&mut self, told: Told) {
        let bytes = told.text("text").len();
        self.shown_bytes += bytes;
        self.shown.push_back((bytes, told));
        while self.shown.len() > SHOWN || self.shown_bytes > SHOWN_BYTES {
            let Some((bytes, _)) = self.shown.pop_front() else { break };
            self.shown_bytes -= bytes;
        }
    }
}

/// Waits until then, or for ever.
async fn reached(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// True for the wish to leave.
fn quits(typed: &Typed) -> bool {
    matches!(typed, Ok(line) if Line::parse(line, false) == Line::Quit)
}

/// Waits for the message being accepted.
async fn accepted(publishing: &mut Option<Publishing>) -> (String, Result<MessageId, PublishError>) {
    match publishing {
        Some(publishing) => publishing.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
