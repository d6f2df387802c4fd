//! What a program tells, line by line.

use std::time::Instant;

use serde_json::Value;

/// An event, and when its line came.
#[derive(Clone, Debug)]
pub struct Stamped {
    /// When.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// An event. The frequent ones are kept small: a test holds hundreds of thousands.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody else said something.
    Message(Box<Message>),
    /// A line was accepted.
    Sent {
        /// Its id.
        id: Box<str>,
        /// What it says.
        text: Box<str>,
    },
    /// What became of an accepted line.
    Delivered {
        /// Its id.
        id: Box<str>,
        /// Members that have it.
        reached: u64,
        /// Members that should.
        of: u64,
    },
    /// Anything else.
    Other(Value),
    /// A line that is no event: no program may write any.
    Garbage(String),
}

/// What somebody else said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id.
    pub id: Box<str>,
    /// The nick.
    pub from: Box<str>,
    /// The key.
    pub origin: Box<str>,
    /// The number within the origin's run.
    pub seq: u64,
    /// What.
    pub text: Box<str>,
    /// To this member alone.
    pub direct: bool,
    /// Said before this member was ready.
    pub history: bool,
}

impl Message {
    /// The origin's run: the ids of one run begin alike.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.id.split('-').nth(1).unwrap().parse().unwrap()
    }
}

impl Event {
    /// Reads a line.
    #[must_use]
    pub fn parse(line: &str) -> Event {
        Self::of(line).unwrap_or_else(|| Event::Garbage(line.to_owned()))
    }

    fn of(line: &str) -> Option<Event> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(Box::from);
        let number = |field: &str| value.get(field).and_then(Value::as_u64);
        let is = |field: &str| value.get(field).and_then(Value::as_bool);
        Some(match value.get("event")?.as_str()? {
            "message" => Event::Message(Box::new(Message {
                id: text("id")?,
                from: text("from")?,
                origin: text("origin")?,
                seq: number("seq")?,
                text: text("text")?,
                direct: is("direct")?,
                history: is("history")?,
            })),
            "sent" => Event::Sent { id: text("id")?, text: text("text")? },
            "delivered" => {
                Event::Delivered { id: text("id")?, reached: number("reached")?, of: number("of")? }
            }
            _ => Event::Other(value),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Event::Message(_) => "message",
            Event::Sent { .. } => "sent",
            Event::Delivered { .. } => "delivered",
            Event::Other(value) => value["event"].as_str().unwrap_or_default(),
            Event::Garbage(_) => "garbage",
        }
    }

    /// The text of a field of a rare event.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        match self {
            Event::Other(value) => value[name].as_str().unwrap_or_default(),
            _ => "",
        }
    }

    /// The whole of a rare event, when it has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Value> {
        match self {
            Event::Other(value) if value["event"] == name => Some(value),
            _ => None,
        }
    }

    /// True for an event of this name about this member.
    #[must_use]
    pub fn is_about(&self, names: &[&str], peer: &str) -> bool {
        names.contains(&self.name()) && self.field("peer") == peer
    }
}
