//! A defect in a plug-in costs its link, not the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use tertulia::bus::Filter;
use tertulia::link::{Caps, LinkRx, Listener, Locator, RawLink, RxBatch, Transport, TransportError};
use tertulia_core::engine::api::Event;
use tertulia_core::message::Room;

use crate::common::{Group, event, soon, start};

/// A transport that panics at the given poll of any link that it dialled, once.
struct Faulty {
    inner: Arc<dyn Transport>,
    fuse: Arc<AtomicU32>,
}

struct FaultyRx {
    inner: Box<dyn LinkRx>,
    fuse: Arc<AtomicU32>,
}

impl LinkRx for FaultyRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut RxBatch,
    ) -> Poll<Result<usize, TransportError>> {
        assert_ne!(self.fuse.fetch_sub(1, Ordering::Relaxed), 1, "a planted defect: this panic is expected");
        self.inner.poll_recv(cx, batch)
    }
}

#[async_trait]
impl Transport for Faulty {
    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }
    fn caps(&self) -> Caps {
        self.inner.caps()
    }
    async fn listen(&self, at: &Locator) -> Result<Box<dyn Listener>, TransportError> {
        self.inner.listen(at).await
    }
    async fn dial(&self, to: &Locator) -> Result<RawLink, TransportError> {
        let mut raw = self.inner.dial(to).await?;
        raw.rx = Box::new(FaultyRx { inner: raw.rx, fuse: self.fuse.clone() });
        Ok(raw)
    }
}

#[tokio::test]
async fn a_panic_in_a_link_costs_that_link_only() {
    // In the handshake, right after it, and in the midst of a conversation.
    for at in [1, 4, 12] {
        let group = Group::memory();
        let (ana, mut events) = start(group.member("ana").found()).await;
        let fuse = Arc::new(AtomicU32::new(at));
        let faulty = Arc::new(Faulty { inner: group.transport.clone(), fuse: fuse.clone() });
        let (eva, _) = start(group.member("eva").transport(faulty).join([ana.addr().to_string()])).await;
        event(&mut events, "eva", |e| matches!(e, Event::Joined(_)).then_some(())).await;
        let mut messages = ana.subscribe(Filter::all());
        let mut sent = 0u32;
        // Blown, it stands at 0, or has wrapped around: whoever dials again, this side or the other, need not be faulty.
        while (1..1 << 31).contains(&fuse.load(Ordering::Relaxed)) || sent < 20 {
            eva.publish(&Room::default(), 1, &sent.to_le_bytes()).await.unwrap();
            sent += 1;
            let batch = soon("a message", messages.next()).await.unwrap();
            assert_eq!(batch.messages().last().unwrap().payload[..], (sent - 1).to_le_bytes());
        }
    }
}
