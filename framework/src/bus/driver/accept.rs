//! Connections in both directions, up to a link.

use core::time::Duration;

use tertulia_core::engine::api::{DialFailure, DialId, Down, Event, Input, LinkId};
use tertulia_core::id::Incarnation;
use tertulia_core::peers::Addr;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::link::{read, write};
use super::tasks::{Dialling, Ended, Job, Tasks};
use super::{CLOSE, Driver, End, RawLink};
use crate::link::{
    EstablishError, HandshakeError, Link, Listener, Locator, RecordReader, RecordWriter, Refusal, Role,
    Session, Side, TransportCode, establish, refuse,
};

/// Connections that wait to be looked at.
const BACKLOG: usize = 16;
/// The pause after a failed accept: the system is short of something.
const PAUSE: Duration = Duration::from_millis(100);
/// How long telling somebody that this node is busy may take.
const TELL: Duration = Duration::from_secs(1);

/// Starts to accept.
pub(super) fn start(mut listener: Box<dyn Listener>, tasks: &mut Tasks) -> mpsc::Receiver<RawLink> {
    let (tx, rx) = mpsc::channel(BACKLOG);
    tasks.start(Job::Accept, async move {
        loop {
            match listener.accept().await {
                Ok(raw) => {
                    if tx.send(raw).await.is_err() {
                        return Ended::Other;
                    }
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    rx
}

impl Driver {
    /// Somebody dialled.
    pub(super) fn accepted(&mut self, raw: RawLink) {
        let why = match self.end {
            End::Stays if self.links.is_full() || !self.tasks.may_shake_hands() => Refusal::Busy,
            End::Stays => {
                let (crypto, params) = (self.crypto.clone(), self.params.clone());
                let limit = self.limits.handshake.0;
                self.tasks.start(Job::Handshake, async move {
                    let link = establish(raw, Role::Responder, &*crypto, &params, limit).await;
                    Ended::Accepted(link.map(Box::new))
                });
                return;
            }
            _ => Refusal::Leaving,
        };
        // Beyond that, connections are dropped without a word.
        if self.tasks.may_refuse() {
            self.tasks.start(Job::Refuse, async move {
                refuse(raw, why, TELL).await;
                Ended::Other
            });
        }
    }

    /// Dials an address and shakes hands.
    pub(super) fn dial(&mut self, dial: DialId, addr: &Addr) {
        let (transport, crypto, params) = (self.transport.clone(), self.crypto.clone(), self.params.clone());
        let limit = self.limits.handshake.0;
        let at = Locator::parse_or(transport.scheme(), addr);
        let addr = addr.clone();
        self.tasks.start(Job::Dial(dial), async move {
            let failed = |failure| Err(Dialling { failure, twin: None });
            let to = match at {
                Ok(to) if to.scheme() == transport.scheme() => to,
                Ok(to) => {
                    let reason = format!("{to} needs another transport than {}", transport.scheme());
                    return Ended::Dialled(dial, failed(DialFailure::Nobody(reason)));
                }
                Err(error) => return Ended::Dialled(dial, failed(DialFailure::Nobody(error.to_string()))),
            };
            let raw = match timeout(limit, transport.dial(&to)).await {
                Ok(Ok(raw)) => raw,
                Ok(Err(error)) => {
                    let reason = error.reason().to_string();
                    let nobody =
                        matches!(error.kind(), TransportCode::Unreachable | TransportCode::BadAddress);
                    let failure =
                        if nobody { DialFailure::Nobody(reason) } else { DialFailure::Trouble(reason) };
                    return Ended::Dialled(dial, failed(failure));
                }
                Err(_) => {
                    let reason = format!("{addr} does not answer");
                    return Ended::Dialled(dial, failed(DialFailure::Trouble(reason)));
                }
            };
            let link = establish(raw, Role::Initiator, &*crypto, &params, limit).await;
            Ended::Dialled(dial, link.map(Box::new).map_err(|error| refused(&error, &addr)))
        });
    }

    /// A task ended.
    pub(super) fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Dialled(dial, Ok(link)) => self.established(*link, Some(dial)),
            Ended::Dialled(dial, Err(Dialling { failure, twin })) => {
                tracing::debug!(dial = dial.0, ?failure, "a dial failed");
                self.twin(twin);
                self.tell_if_open(Input::DialFailed { dial, failure });
            }
            Ended::Accepted(Ok(link)) => self.established(*link, None),
            Ended::Accepted(Err(error)) => {
                tracing::info!(code = error.code(), %error, "a handshake failed");
                if let EstablishError::Handshake(error) = &error {
                    self.twin(error.twin);
                    self.tell_of_stranger(error);
                }
            }
            Ended::Reader(link) => self.reader_ended(link, Down::Failed),
            Ended::Writer(link, why) => self.writer_ended(link, why),
            Ended::Kept(saved) => self.kept(saved),
            Ended::Other => {}
        }
    }

    /// Somebody whose profile differs from ours knocked: both sides should know why nothing comes of it. Told now and then
    /// only, since anybody can knock; those in between are counted.
    fn tell_of_stranger(&mut self, error: &HandshakeError) {
        let differs = matches!(
            error.refusal,
            Refusal::Version
                | Refusal::Suite
                | Refusal::WrongSecret
                | Refusal::Epoch
                | Refusal::Keys
                | Refusal::BadVoucher
        );
        if differs && error.side == Side::Us {
            self.strangers.knock(error.refusal, error.code(), error.hint());
            self.tell_of_strangers(false);
        }
    }

    /// Tells of strangers when it is time to, which it is at the end.
    pub(super) fn tell_of_strangers(&mut self, end: bool) {
        if let Some(event) = self.strangers.tell(self.now, end) {
            self.event(&event);
        }
    }

    /// Another program holds our key: the lower run leaves.
    fn twin(&mut self, twin: Option<Incarnation>) {
        if twin.is_some_and(|twin| twin > self.params.incarnation) && self.end == End::Stays {
            let refusal = Refusal::IdentityInUse;
            self.give_up(&Event::Refused {
                code: refusal.code(),
                reason: refusal.to_string(),
                hint: refusal.hint(),
            });
        }
    }

    fn established(&mut self, link: Link, dial: Option<DialId>) {
        if !matches!(self.end, End::Stays | End::Drains { .. } | End::Leaves { .. }) {
            return;
        }
        let Link { session, tx, rx, remote } = link;
        let Session { peer, incarnation, sealer, opener, .. } = session;
        let caps = self.transport.caps();
        let outbound = self.links.outbound(&self.limits);
        let writer = match RecordWriter::new(sealer, &caps) {
            Ok(writer) if !self.links.is_full() => writer,
            other => {
                let reason = other.err().map_or_else(|| "limits.links is reached".into(), |e| e.to_string());
                tracing::warn!(%reason, "a link is not used");
                if let Some(dial) = dial {
                    self.tell(Input::DialFailed { dial, failure: DialFailure::Trouble(reason) });
                }
                return;
            }
        };
        let Some(id) = self.links.add(peer, outbound.clone()) else { return };
        tracing::debug!(link = id.0, %peer, %remote, "a link is up");
        let arrivals = self.arrivals.clone();
        let reader = RecordReader::new(opener, &caps);
        self.tasks.start(Job::Reader(id), async move {
            read(id, rx, reader, caps.max_record, arrivals).await;
            // Its end is its last arrival, behind all frames.
            Ended::Other
        });
        self.tasks
            .start(Job::Writer(id), async move { Ended::Writer(id, write(tx, writer, outbound).await) });
        self.tell(Input::LinkUp { link: id, peer, incarnation, dial });
    }

    /// Nothing more will arrive on a link.
    pub(super) fn reader_ended(&mut self, id: LinkId, why: Down) {
        let Some(entry) = self.links.get_mut(id) else { return };
        entry.reads = false;
        // A link that closes still writes what it has.
        if !(entry.closing && entry.writes) {
            self.link_down(id, why);
        }
    }

    /// Nothing more leaves on a link.
    fn writer_ended(&mut self, id: LinkId, why: Down) {
        let Some(entry) = self.links.get_mut(id) else { return };
        entry.writes = false;
        if entry.reads {
            // What the other end sent before, a goodbye perhaps, is still to be read: its end will follow.
            self.links.close(id, self.now + CLOSE);
        } else {
            self.link_down(id, why);
        }
    }

    /// A link is gone; told once.
    pub(super) fn link_down(&mut self, id: LinkId, why: Down) {
        self.tasks.abort(id);
        if let Some(entry) = self.links.remove(id) {
            tracing::debug!(link = id.0, peer = %entry.peer, ?why, "a link is down");
            self.tell_if_open(Input::LinkDown { link: id, reason: why });
        }
    }

    /// Tells the engine, unless all is over.
    fn tell_if_open(&mut self, input: Input) {
        if !matches!(self.end, End::Closes { .. }) {
            self.tell(input);
        }
    }
}

/// A refused dial as the engine knows it.
fn refused(error: &EstablishError, addr: &Addr) -> Dialling {
    let twin = match error {
        EstablishError::Handshake(error) => error.twin,
        _ => None,
    };
    let failure = match error {
        EstablishError::Handshake(error) => DialFailure::Refused {
            code: error.code(),
            reason: format!("{addr}: {error}"),
            hint: error.hint(),
            fatal: matches!(
                error.refusal,
                Refusal::Version
                    | Refusal::Suite
                    | Refusal::WrongSecret
                    | Refusal::Epoch
                    | Refusal::NotAdmitted
                    | Refusal::Keys
                    | Refusal::BadVoucher
            ),
            member: error.refusal.tells_of_member(),
        },
        EstablishError::Transport(error) => DialFailure::Trouble(error.reason().to_string()),
        EstablishError::Deadline(_) => DialFailure::Trouble(error.to_string()),
    };
    Dialling { failure, twin }
}
