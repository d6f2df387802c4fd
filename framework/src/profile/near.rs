//! The nearest valid name to one that is not.

/// The candidate most like `name`, when one is close enough to be what was meant.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (name.chars().count().max(candidate.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// What to do about a name that does not exist: the nearest one, or all there are.
#[must_use]
pub fn remedy<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(name, candidates.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = candidates.into_iter().map(|c| format!("`{c}`")).collect();
    if all.is_empty() {
        "there are none to choose from".into()
    } else {
        format!("use one of {}", all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_far_off() {
        let names = ["successors", "both_ways", "ring", "redundant-ring"];
        assert_eq!(nearest("sucessors", names), Some("successors"));
        assert_eq!(nearest("rnig", names), Some("ring"));
        assert_eq!(nearest("Redundant-Ring", names), Some("redundant-ring"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(remedy("rnig", names), "did you mean `ring`?");
        assert_eq!(remedy("zzz", ["a", "b"]), "use one of `a`, `b`");
        assert_eq!(remedy("zzz", []), "there are none to choose from");
    }
}
