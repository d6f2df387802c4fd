//! Events as lines for people.

use serde_json::Value;

use super::text::clean;
use super::told::Told;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// What to do next, unless the reason has said it already.
fn remedy(told: &Told) -> String {
    let (reason, hint) = (told.text("reason"), told.text("hint"));
    if reason.ends_with(&*hint) { String::new() } else { format!("; {hint}") }
}

/// The event in one line; lists take one line for each of their items.
pub(super) fn write(told: &Told, out: &mut String) {
    let t = |field: &str| told.text(field);
    let line = match told.name {
        "ready" if t("group").is_empty() => format!("* Ready: {} at {}", t("service"), t("addr")),
        "registered" if t("at").is_empty() => {
            format!("* {} at {}: {} is known", t("service"), t("addr"), short(&t("peer")))
        }
        "registered" => {
            format!("* {} at {}: {} is at {}", t("service"), t("addr"), short(&t("peer")), t("at"))
        }
        "removed" => {
            format!("* {} at {}: {} is removed: {}", t("service"), t("addr"), short(&t("peer")), t("reason"))
        }
        // As documented: the code first, then what belongs to it.
        "gossip" => format!("{} {} {} {}", t("code"), t("port"), t("timestamp"), t("count")),
        "liveness" if !t("asker").is_empty() => {
            format!("{} {} {} {}", t("code"), t("timestamp"), t("asker"), t("port"))
        }
        "liveness" => format!("{} {} {}", t("code"), t("timestamp"), t("port")),
        "peer_list" => {
            let addrs: Vec<_> = told.list("peers").map(|p| text(p, "addr")).collect();
            format!("peer list: {}", if addrs.is_empty() { "none".into() } else { addrs.join(", ") })
        }
        "reported" => format!("dead node {} {}: {}", t("nick"), t("addr"), t("reason")),
        "ready" => format!("* you are {} in {} ({}), at {}", t("nick"), t("group"), t("topology"), t("addr")),
        "message" => said(&Value::Object(told.fields.clone())),
        "sent" if !t("to").is_empty() => format!("> (direct) {}", clean(&t("text"))),
        "sent" => format!("> {}", clean(&t("text"))),
        "delivered" => format!("* delivered to {} of {}: {}", t("reached"), t("of"), t("id")),
        "joined" => format!("* {} has joined", t("nick")),
        "left" => format!("* {} has left: {}", t("nick"), t("reason")),
        "suspect" => format!("* {} does not answer: {}", t("nick"), t("reason")),
        "dead" => format!("* {} is gone: {}", t("nick"), t("reason")),
        "recovered" => format!("* {} is back: {}", t("nick"), t("reason")),
        "renamed" => format!("* {} is now {}", t("old"), t("new")),
        "neighbours" => {
            let nicks: Vec<_> = told.list("peers").map(|p| text(p, "nick")).collect();
            format!("* neighbours: {}", if nicks.is_empty() { "none".into() } else { nicks.join(", ") })
        }
        "leader" => format!("* {} leads in term {}", t("nick"), t("term")),
        "gap" => format!(
            "* messages {} to {} of {} are lost: nobody keeps them",
            t("from_seq"),
            t("to_seq"),
            t("origin")
        ),
        "waiting" => format!("* waiting: {}", t("reason")),
        "members" => {
            let one =
                |m: &Value| format!("*   {} ({}) {}", text(m, "nick"), text(m, "state"), text(m, "addr"));
            block("* members:", told.list("members").map(one))
        }
        "topology" => super::shape::lines(told).join("\n"),
        "history" => block("* said before:", told.list("messages").map(said)),
        "help" => {
            let one = |c: &Value| format!("*   {:<16} {}", text(c, "usage"), text(c, "what"));
            block("* commands:", told.list("commands").map(one))
        }
        "trace" if t("sent") == "true" => format!("* {} to {}", t("name"), short(&t("peer"))),
        "trace" => format!("* {} from {}", t("name"), short(&t("peer"))),
        "refused" => format!("! refused ({}): {}{}", t("code"), t("reason"), remedy(told)),
        "error" => format!("! {} ({}){}", t("reason"), t("code"), remedy(told)),
        other => format!("* {other}"),
    };
    out.push_str(&line);
    out.push('\n');
}

fn said(message: &Value) -> String {
    let is = |field: &str| message.get(field).and_then(Value::as_bool).unwrap_or_default();
    let from = match text(message, "from") {
        "" => "you",
        from => from,
    };
    let room = match text(message, "room") {
        "" | "lobby" => String::new(),
        room => format!("#{room} "),
    };
    let direct = if is("direct") { " (direct)" } else { "" };
    format!("{room}<{from}>{direct} {}", clean(text(message, "text")))
}

fn block(head: &str, lines: impl Iterator<Item = String>) -> String {
    std::iter::once(head.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tertulia_core::id::{Incarnation, MessageId, PeerId};

    use super::*;

    #[test]
    fn a_remedy_is_said_once() {
        let told = |reason: &str| {
            let fields = json!({"code": "keys", "reason": reason, "hint": "set both"});
            let Value::Object(fields) = fields else { unreachable!() };
            let mut out = String::new();
            write(&Told { name: "error", fields }, &mut out);
            out
        };
        assert_eq!(told("they differ; set both"), "! they differ; set both (keys)\n");
        assert_eq!(told("they differ"), "! they differ (keys); set both\n");
    }

    /// What is pasted in is no more to be trusted than what others say.
    #[test]
    fn nothing_shown_steers_a_terminal() {
        let id = MessageId { origin: PeerId([1; 32]), incarnation: Incarnation(1), to: None, seq: 1 };
        let sent = Told::sent(&id, "lobby", "a\x1b[1m\u{202e}b");
        let mut out = String::new();
        write(&sent, &mut out);
        write(&Told::history([&sent].into_iter()), &mut out);
        assert_eq!(out, "> a[1mb\n* said before:\n<you> a[1mb\n");
        let Value::Object(fields) = json!({"from": "ana", "text": "a\tb\u{202e}c\x07"}) else {
            unreachable!()
        };
        let message = Told { name: "message", fields };
        let mut out = String::new();
        write(&message, &mut out);
        write(&Told::history([&message].into_iter()), &mut out);
        assert_eq!(out, "<ana> a bc\n* said before:\n<ana> a bc\n");
    }
}
