//! Which messages a subscriber wants.

use std::ops::RangeInclusive;

use tertulia_core::engine::api::Delivered;
use tertulia_core::message::{Message, Room};

/// Kinds that an application may use.
pub(crate) const APPLICATION: RangeInclusive<u16> = 0..=0xfeff;

/// Which messages a subscriber wants. Everything, unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Filter {
    rooms: Option<Vec<Room>>,
    kinds: RangeInclusive<u16>,
    direct: Option<bool>,
    history: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Filter { rooms: None, kinds: APPLICATION, direct: None, history: true }
    }
}

impl Filter {
    /// Every message of every room, direct ones and those from before one's own time included.
    #[must_use]
    pub fn all() -> Self {
        Filter::default()
    }

    /// Only this room, or one of those named in several calls.
    #[must_use]
    pub fn room(mut self, room: Room) -> Self {
        self.rooms.get_or_insert_default().push(room);
        self
    }

    /// Only these kinds. The bus's own, from `0xff00`, are left out always.
    #[must_use]
    pub fn kinds(mut self, kinds: RangeInclusive<u16>) -> Self {
        self.kinds = *kinds.start()..=(*kinds.end()).min(*APPLICATION.end());
        self
    }

    /// Only messages to this node alone, or only messages to the group.
    #[must_use]
    pub fn direct(mut self, direct: bool) -> Self {
        self.direct = Some(direct);
        self
    }

    /// Without what was published before this node was ready.
    #[must_use]
    pub fn without_history(mut self) -> Self {
        self.history = false;
        self
    }

    /// Requests to this node.
    pub(crate) fn requests() -> Self {
        let kind = super::request::REQUEST;
        Filter { kinds: kind..=kind, direct: Some(true), ..Filter::default() }
    }

    /// True when the parcel may hold something that is wanted.
    pub(crate) fn parcel(&self, parcel: &Delivered) -> bool {
        self.direct.is_none_or(|direct| direct == parcel.direct) && (self.history || !parcel.history)
    }

    /// True when a message of such a parcel is wanted.
    pub(crate) fn message(&self, message: &Message) -> bool {
        self.kinds.contains(&message.kind)
            && self.rooms.as_ref().is_none_or(|rooms| rooms.contains(&message.room))
    }
}
