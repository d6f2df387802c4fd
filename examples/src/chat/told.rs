//! What a chat program tells: the events of the programs' contract, and their two ways of being written.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tertulia::bus::{Batch, Member, Received, TopologyView};
use tertulia_core::engine::api::{Event, Who};
use tertulia_core::id::{MessageId, PeerId};

use super::line::COMMANDS;
use super::text::clean;

/// An event as it is written: its name and its fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// The name.
    pub(crate) name: &'static str,
    /// The fields, in no order.
    pub(crate) fields: Map<String, Value>,
}

/// Makes an event of a name and `json!({…})` fields.
pub(crate) fn told(name: &'static str, fields: Value) -> Told {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Told { name, fields }
}

pub(crate) fn hex(id: PeerId) -> String {
    id.to_string()
}

impl Told {
    /// This node is a member.
    #[must_use]
    pub(crate) fn ready(peer: PeerId, nick: &str, addr: &str, topology: &str, group: &str) -> Told {
        let fields = json!({
            "peer": hex(peer), "nick": clean(nick), "addr": addr, "topology": topology, "group": group,
        });
        told("ready", fields)
    }

    /// A line was accepted.
    #[must_use]
    pub(crate) fn sent(id: &MessageId, room: &str, text: &str) -> Told {
        let to = id.to.map(hex);
        told("sent", json!({"id": id.to_string(), "room": room, "text": text, "to": to}))
    }

    /// Somebody said something: the text as it was sent. Whatever shows it makes it safe to show.
    #[must_use]
    pub(crate) fn message(batch: &Batch, message: &Received) -> Told {
        let fields = json!({
            "id": message.id.to_string(),
            "from": clean(batch.nick()),
            "origin": hex(batch.origin()),
            "seq": message.id.seq,
            "room": clean(message.room.as_str()),
            "text": String::from_utf8_lossy(&message.payload),
            "direct": batch.is_direct(),
            "sent_at_ms": message.planned_us / 1000,
            "history": batch.is_history(),
        });
        told("message", fields)
    }

    /// What became of a message of one's own.
    #[must_use]
    pub(crate) fn delivered(id: &MessageId, reached: u32, of: u32) -> Told {
        told("delivered", json!({"id": id.to_string(), "reached": reached, "of": of}))
    }

    /// Something is wrong.
    #[must_use]
    pub(crate) fn error(code: &str, reason: &str, hint: &str) -> Told {
        told("error", json!({"code": code, "reason": clean(reason), "hint": clean(hint)}))
    }

    /// A member went, this one included.
    #[must_use]
    pub(crate) fn left(peer: PeerId, nick: &str, reason: &str) -> Told {
        told("left", json!({"nick": clean(nick), "peer": hex(peer), "reason": reason}))
    }

    /// Everybody, for `/peers`.
    #[must_use]
    pub(crate) fn members(members: &[Member]) -> Told {
        let member = |m: &Member| {
            json!({
                "peer": hex(m.peer), "nick": clean(&m.nick), "state": m.state.name(),
                "addr": m.addrs.first().map(|a| clean(a)),
            })
        };
        told("members", json!({"members": members.iter().map(member).collect::<Vec<_>>()}))
    }

    /// How the group is wired, for `/topology`.
    #[must_use]
    pub(crate) fn topology(view: &TopologyView) -> Told {
        let node = |(peer, nick, role): &(PeerId, std::sync::Arc<str>, &str)| json!({"peer": hex(*peer), "nick": clean(nick), "role": role});
        let fields = json!({
            "kind": view.kind,
            "nodes": view.nodes.iter().map(node).collect::<Vec<_>>(),
            "links": view.links.iter().map(|(a, b)| [hex(*a), hex(*b)]).collect::<Vec<_>>(),
            "leader": view.leader.map(hex),
            "term": view.term,
        });
        told("topology", fields)
    }

    /// What was said, for `/history`: events as they were told.
    #[must_use]
    pub(crate) fn history<'a>(messages: impl Iterator<Item = &'a Told>) -> Told {
        told("history", json!({"messages": messages.map(|m| &m.fields).collect::<Vec<_>>()}))
    }

    /// What can be typed, for `/help`.
    #[must_use]
    pub(crate) fn help() -> Told {
        let commands = COMMANDS.map(|(usage, what)| json!({"usage": usage, "what": what}));
        told("help", json!({"commands": commands}))
    }

    /// An event of the node, when it is one that is told as it comes. What became of messages is not: it is told message
    /// by message.
    #[must_use]
    pub(crate) fn event(event: &Event) -> Option<Told> {
        let member = |name, who: &Who, reason: Option<&str>| {
            let mut it = told(name, json!({"nick": clean(&who.nick), "peer": hex(who.peer)}));
            if let Some(reason) = reason {
                it.fields.insert("reason".into(), reason.into());
            }
            it
        };
        Some(match event {
            Event::Joined(who) => member("joined", who, None),
            Event::Left(who, reason) => member("left", who, Some(reason)),
            Event::Suspect(who, reason) => member("suspect", who, Some(reason)),
            Event::Dead(who, reason) => member("dead", who, Some(reason)),
            Event::Recovered(who, reason) => member("recovered", who, Some(reason)),
            Event::Renamed { peer, old, new } => {
                told("renamed", json!({"peer": hex(*peer), "old": clean(old), "new": clean(new)}))
            }
            Event::Neighbours(all) => {
                let near = |who: &Who| {
                    let addr = who.addr.as_ref().map(|a| clean(a));
                    json!({"peer": hex(who.peer), "nick": clean(&who.nick), "addr": addr})
                };
                told("neighbours", json!({"peers": all.iter().map(near).collect::<Vec<_>>()}))
            }
            Event::Leader { leader, term, .. } => {
                told("leader", json!({"nick": clean(&leader.nick), "peer": hex(leader.peer), "term": term}))
            }
            Event::Gap { origin, from_seq, to_seq, .. } => {
                told("gap", json!({"origin": hex(*origin), "from_seq": from_seq, "to_seq": to_seq}))
            }
            Event::Waiting(reason) => told("waiting", json!({"reason": clean(reason)})),
            Event::Refused { code, reason, hint } => {
                told("refused", json!({"code": code, "reason": clean(reason), "hint": hint}))
            }
            Event::Trouble { code, reason, hint } => Told::error(code, reason, hint),
            Event::Trace { name, peer, sent } => {
                told("trace", json!({"name": name, "peer": hex(*peer), "sent": sent}))
            }
            Event::Ready { .. } | Event::Delivery { .. } | Event::Undeliverable { .. } => return None,
        })
    }

    /// One JSON object, `event` first.
    pub(crate) fn json(&self, out: &mut String) {
        // Fields are text, numbers and lists of them: nothing in them can fail to be written.
        let fields = serde_json::to_string(&self.fields).unwrap_or_else(|_| "{}".into());
        let rest = fields.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        let _fits = writeln!(out, "{{\"event\":\"{}\"{comma}{rest}", self.name);
    }

    /// A field as text.
    #[must_use]
    pub(crate) fn text(&self, field: &str) -> String {
        match self.fields.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// The objects of a list.
    pub(crate) fn list(&self, field: &str) -> impl Iterator<Item = &Value> {
        self.fields.get(field).and_then(Value::as_array).into_iter().flatten()
    }
}
