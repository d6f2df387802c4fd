//! The answer to `/topology` in lines for people: who is linked to whom, and who leads.

use std::collections::BTreeMap;

use serde_json::Value;

use super::told::Told;

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A line for the group, and one for each of its members: nick, role, and whom it is known to be linked to.
pub(super) fn lines(told: &Told) -> Vec<String> {
    let nodes: Vec<&Value> = told.list("nodes").collect();
    let nicks: BTreeMap<&str, &str> = nodes.iter().map(|n| (text(n, "peer"), text(n, "nick"))).collect();
    let mut near: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ends in told.list("links").filter_map(Value::as_array) {
        if let [a, b] = &ends[..]
            && let (Some(a), Some(b)) = (a.as_str(), b.as_str())
        {
            near.entry(a).or_default().push(b);
            near.entry(b).or_default().push(a);
        }
    }
    let line = |node: &&Value| {
        let linked = near.get(text(node, "peer")).into_iter().flatten();
        let linked: Vec<&str> = linked.map(|peer| nicks.get(peer).copied().unwrap_or(peer)).collect();
        let linked = if linked.is_empty() { String::new() } else { format!(" – {}", linked.join(", ")) };
        format!("*   {} ({}){linked}", text(node, "nick"), text(node, "role"))
    };
    let head = format!("* {}: members {}{}", told.text("kind"), nodes.len(), leadership(told, &nicks));
    std::iter::once(head).chain(nodes.iter().map(line)).collect()
}

/// Who leads, where somebody should.
fn leadership(told: &Told, nicks: &BTreeMap<&str, &str>) -> String {
    let elects = |n: &Value| matches!(text(n, "role"), "leader" | "follower" | "candidate");
    match nicks.get(&*told.text("leader")) {
        Some(nick) => format!(", {nick} leads in term {}", told.text("term")),
        None if told.list("nodes").any(elects) => ", nobody leads".into(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(fields: Value) -> Vec<String> {
        let Value::Object(fields) = fields else { unreachable!() };
        lines(&Told { name: "topology", fields })
    }

    fn nodes(roles: [&str; 3]) -> Value {
        let node =
            |(nick, role): (&str, &str)| json!({"peer": format!("{nick}-id"), "nick": nick, "role": role});
        ["ana", "ben", "eva"].into_iter().zip(roles).map(node).collect()
    }

    #[test]
    fn links_stand_beside_each_member() {
        let nodes = nodes(["me", "member", "member"]);
        let links = json!([["ana-id", "ben-id"], ["ana-id", "eva-id"]]);
        let fields = json!({"kind": "mesh", "nodes": nodes, "links": links, "leader": null, "term": null});
        assert_eq!(
            shown(fields),
            [
                "* mesh: members 3",
                "*   ana (me) – ben, eva",
                "*   ben (member) – ana",
                "*   eva (member) – ana"
            ]
        );
    }

    #[test]
    fn a_star_says_who_leads_or_that_nobody_does() {
        let led = nodes(["leader", "follower", "follower"]);
        let fields = json!({"kind": "leader-star", "nodes": led, "links": [], "leader": "ana-id", "term": 3});
        assert_eq!(shown(fields)[0], "* leader-star: members 3, ana leads in term 3");
        let lost = nodes(["candidate", "follower", "follower"]);
        let fields = json!({"kind": "leader-star", "nodes": lost, "links": [], "leader": null, "term": null});
        assert_eq!(shown(fields)[0], "* leader-star: members 3, nobody leads");
    }
}
