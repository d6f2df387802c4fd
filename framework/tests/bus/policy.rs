//! A policy of one's own, at both doors.

use std::sync::Arc;

use tertulia::bus::Filter;
use tertulia::crypto::Identity;
use tertulia::policy::Policy;
use tertulia_core::engine::api::{Delivered, Event};
use tertulia_core::id::PeerId;
use tertulia_core::message::Room;

use crate::common::{Group, event, soon, start};

/// Lets one in and not another; hands over what all but one say.
struct Strict {
    out: PeerId,
    unheard: PeerId,
}

impl Policy for Strict {
    fn kind(&self) -> &'static str {
        "strict"
    }
    fn admits(&self, peer: &PeerId) -> bool {
        *peer != self.out
    }
    fn delivers(&self, parcel: &Delivered) -> bool {
        parcel.id != self.unheard
    }
}

#[tokio::test]
async fn a_policy_decides_who_is_linked_and_what_is_delivered() {
    let group = Group::memory();
    let identity = || Arc::new(Identity::generate().unwrap());
    let (eva, ben) = (identity(), identity());
    let strict = Strict { out: eva.id(), unheard: ben.id() };
    let (ana, mut events) = start(group.member("ana").policy(Arc::new(strict)).found()).await;
    let contact = [ana.addr().to_string()];

    let refused = group.member("eva").identity(eva).join(contact.clone());
    let mut told = refused.events(100);
    let _eva = refused.start().await.unwrap();
    let is_refused = |e| if let Event::Refused { code, .. } = e { Some(code) } else { None };
    assert_eq!(event(&mut told, "the refusal", is_refused).await, "not-admitted");

    let (ben, _) = start(group.member("ben").identity(ben).join(contact.clone())).await;
    let (carla, _) = start(group.member("carla").join(contact)).await;
    let (mut at_ana, mut at_carla) = (ana.subscribe(Filter::all()), carla.subscribe(Filter::all()));
    ben.publish(&Room::default(), 1, b"psst").await.unwrap();
    // What ana does not hear, others do.
    assert_eq!(
        soon("ben's", at_carla.next()).await.unwrap().messages().next().unwrap().payload[..],
        b"psst"[..]
    );
    let gap = |e| {
        if let Event::Gap { origin, from_seq, to_seq, .. } = e {
            Some((origin, from_seq, to_seq))
        } else {
            None
        }
    };
    assert_eq!(event(&mut events, "a gap", gap).await, (ben.id(), 1, 1));
    carla.publish(&Room::default(), 1, b"hello").await.unwrap();
    let first = soon("carla's", at_ana.next()).await.unwrap();
    assert_eq!(first.messages().next().unwrap().payload[..], b"hello"[..]);
}
