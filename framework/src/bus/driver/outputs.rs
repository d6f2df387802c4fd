//! What the engine wants done.

use tertulia_core::engine::api::{Delivered, Event, Input, Output};
use tertulia_core::id::PeerId;

use tokio::sync::oneshot;

use super::startup::{Entry, Finding, Search, announce, direct, look_around};
use super::tasks::{Ended, Job};
use super::{CLOSE, Driver, End};
use crate::bus::error::Outcome;
use crate::bus::outgoing::Phase;
use crate::bus::request::{UNANSWERED, numbered};
use crate::discovery::Announcement;

impl Driver {
    /// Does what the engine wants, in order.
    pub(super) fn apply(&mut self) {
        if self.engine.outputs().is_empty() {
            return;
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        std::mem::swap(self.engine.outputs(), &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Send { link, lane, frame } => self.stage(link, lane, frame),
                Output::Persist(slot) => self.keep(slot),
                Output::Deliver(parcel) => self.deliver(&parcel),
                Output::Event(event) => self.event(&event),
                Output::Dial { dial, addr } => self.dial(dial, &addr),
                Output::Close { link, reason } => {
                    tracing::debug!(link = link.0, ?reason, "closing a link");
                    self.links.close(link, self.now + CLOSE);
                }
                Output::Book(book) => {
                    self.book.send_replace(book);
                }
                Output::Stop => {
                    let outcome = match &self.end {
                        End::Drains { .. } | End::Leaves { .. } => self.left(),
                        // The reason was an event just before.
                        _ => self.refusal.take().unwrap_or(Outcome::Failed),
                    };
                    self.close_all(outcome);
                }
            }
        }
        self.outputs = outputs;
    }

    /// How leaving has ended.
    fn left(&self) -> Outcome {
        let all = self.shared.outgoing.is_empty() && self.engine.has_delivered_all();
        if all { Outcome::Left } else { Outcome::LeftEarly }
    }

    fn deliver(&mut self, parcel: &Delivered) {
        if !self.policy.delivers(parcel) {
            return self.withhold(parcel);
        }
        if parcel.direct {
            // Answered off this turn: the engine is in the middle of its outputs.
            let unanswered = self.shared.pending.read(parcel);
            for number in unanswered {
                let payload = numbered(number, &[]);
                let told = self.shared.outgoing.offer(
                    Some(parcel.id),
                    &tertulia_core::message::Room::default(),
                    UNANSWERED,
                    0,
                    &payload,
                    |_| true,
                );
                if let Err(error) = told {
                    tracing::debug!(%error, "a requester is not told that nobody answers");
                }
            }
        }
        self.shared.hub.parcel(parcel);
    }

    /// The application does not get this, and is told so.
    fn withhold(&self, parcel: &Delivered) {
        tracing::info!(from = %parcel.nick, policy = self.policy.kind(), "messages are withheld");
        if !parcel.direct {
            let (from_seq, to_seq) = (parcel.first_seq, parcel.first_seq + u64::from(parcel.count) - 1);
            let (origin, incarnation) = (parcel.id, parcel.incarnation);
            self.shared.hub.event(&Event::Gap { origin, incarnation, from_seq, to_seq });
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Ready { nick } => {
                if self.phase == Phase::Joining {
                    self.phase = Phase::Member;
                    self.shared.outgoing.enter(Phase::Member);
                }
                self.vain = None;
                *self.shared.nick.lock() = nick.clone();
                self.changed = true;
                self.announce();
                self.look_around();
            }
            Event::Renamed { peer, new, .. } if *peer == self.shared.me => {
                *self.shared.nick.lock() = new.clone();
                self.announce();
            }
            Event::Undeliverable { to, reason, .. } => self.shared.pending.undeliverable(*to, reason),
            Event::Refused { code, reason, .. } => {
                self.refusal = Some(Outcome::Refused { code, reason: reason.clone() });
            }
            Event::Dead(who, _) => {
                self.changed = true;
                self.report(who.peer);
            }
            Event::Leader { leader, proof, .. } => self.led(leader.peer, proof.clone()),
            Event::Joined(_) | Event::Left(..) | Event::Recovered(..) | Event::Neighbours(_) => {
                self.changed = true;
            }
            _ => {}
        }
        // Whoever hears of a member can write to it.
        self.refresh();
        self.shared.hub.event(event);
    }

    /// Tells why, and ends.
    pub(super) fn give_up(&mut self, event: &Event) {
        self.event(event);
        let outcome = self.refusal.take().unwrap_or(Outcome::Failed);
        self.close_all(outcome);
    }

    /// Sets out to become a member.
    pub(super) fn enter(&mut self, entry: &Entry, remembered: bool) {
        let finds = self.discovery.as_ref().is_some_and(|d| d.finds());
        match (direct(entry, remembered, finds), &self.discovery) {
            (None, Some(discovery)) => {
                let search = Search::new(discovery.clone(), self.findings.clone(), remembered);
                let search = self.tasks.start(Job::Seek, async move {
                    search.run().await;
                    Ended::Other
                });
                self.search = Some(search);
            }
            (input, _) => self.tell(input.unwrap_or(Input::Found)),
        }
    }

    /// From now on the search is for members of another half.
    fn look_around(&mut self) {
        self.stop_search();
        let Some(discovery) = self.discovery.clone().filter(|d| d.finds_announced()) else { return };
        let findings = self.findings.clone();
        let search = self.tasks.start(Job::Seek, async move {
            look_around(discovery, findings).await;
            Ended::Other
        });
        self.search = Some(search);
    }

    fn stop_search(&mut self) {
        self.search.take().into_iter().for_each(|search| search.abort());
    }

    /// The search has come to something.
    pub(super) fn found(&mut self, finding: Finding) {
        match finding {
            _ if self.end != End::Stays => {}
            Finding::Trouble(event) => self.event(&event),
            Finding::GiveUp(event) => self.give_up(&event),
            Finding::Join(addrs, vain) => {
                self.vain = Some(vain);
                self.tell(Input::Join(addrs));
            }
            Finding::Members(addrs) => self.tell(Input::Meet(addrs)),
            Finding::Found(guard) => {
                self.founding = Some(guard);
                self.tell(Input::Found);
                // Somebody has answered after all, or it is with the announcement.
                self.founding = None;
            }
        }
    }

    /// Lets the search know when nobody answers.
    pub(super) fn tell_search(&mut self) {
        if self.engine.nobody_answers()
            && let Some(vain) = self.vain.take()
        {
            // The search may have gone on.
            let _late = vain.send(());
        }
    }

    /// Tells discovery that a member is dead.
    pub(super) fn report(&mut self, dead: PeerId) {
        if let Some(discovery) = self.discovery.clone() {
            self.tasks.start(Job::Seek, async move {
                discovery.report(&dead).await;
                Ended::Other
            });
        }
    }

    /// Lets this node be found.
    fn announce(&mut self) {
        let Some(discovery) = self.discovery.clone().filter(|_| self.end == End::Stays) else { return };
        let nick = self.shared.nick.lock().to_string();
        let me = Announcement { peer: self.shared.me, nick, addrs: vec![self.shared.addr.clone()] };
        let (founding, findings) = (self.founding.take(), self.findings.clone());
        self.announced = true;
        self.publicly(async move { announce(&*discovery, me, founding, findings).await });
    }

    /// Lets nobody find this node any more.
    pub(super) fn withdraw(&mut self) {
        self.announced = false;
        self.stop_search();
        let Some(discovery) = self.discovery.clone() else { return };
        self.publicly(async move { discovery.withdraw().await });
    }

    /// Ends when nobody can find this node any more.
    pub(super) async fn be_forgotten(&mut self) {
        if self.announced {
            self.withdraw();
        }
        if let Some(told) = self.told.take() {
            // An error says that it is done.
            let _done = told.await;
        }
    }

    /// Tells discovery something, after what it was told before.
    fn publicly(&mut self, tell: impl Future<Output = ()> + Send + 'static) {
        let (told, after) = oneshot::channel::<()>();
        let before = self.told.replace(after);
        self.tasks.start(Job::Seek, async move {
            if let Some(before) = before {
                // An error says that it is done.
                let _done = before.await;
            }
            tell.await;
            drop(told);
            Ended::Other
        });
    }
}
