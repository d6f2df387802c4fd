//! Which place each key of a profile came from.

use std::collections::BTreeMap;

use toml_edit::{ImDocument, Item, TableLike};

use super::error::{Place, ProfileError};

/// Key → place, for every key that was set; a key that was not has the compiled default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    places: BTreeMap<String, Place>,
    /// The file or ticket itself, for keys that should be there and are not.
    whole: Option<Place>,
}

impl Origins {
    /// The place of `key`, of something in it, of its nearest enclosing table, or of the whole file.
    #[must_use]
    pub fn of(&self, key: &str) -> Place {
        let place = self.places.get(key).or_else(|| self.within(key)).or_else(|| self.around(key));
        place.or(self.whole.as_ref()).cloned().unwrap_or(Place::BuiltIn)
    }

    /// The place of the first key in the table `key`: a table from the environment has no line of its own.
    fn within(&self, key: &str) -> Option<&Place> {
        let prefix = format!("{key}.");
        let (first, place) = self.places.range(prefix.clone()..).next()?;
        first.starts_with(&prefix).then_some(place)
    }

    /// The place of the nearest table around `key`.
    fn around(&self, key: &str) -> Option<&Place> {
        let mut key = key;
        loop {
            key = key.rsplit_once('.')?.0;
            if let Some(place) = self.places.get(key) {
                return Some(place);
            }
        }
    }

    /// The place where exactly `key` was set.
    pub(super) fn exact(&self, key: &str) -> Option<&Place> {
        self.places.get(key)
    }

    /// Notes that `key` was set at `place`.
    pub(super) fn note(&mut self, key: &str, place: Place) {
        self.places.insert(key.to_owned(), place);
    }

    /// Forgets a key and, if it is a table, all in it.
    pub(super) fn forget(&mut self, gone: &str) {
        self.places.retain(|key, _| {
            key.strip_prefix(gone).is_none_or(|rest| !rest.is_empty() && !rest.starts_with('.'))
        });
    }

    /// Notes every key of a TOML text with its line; `name` is what the text is called in errors.
    pub(super) fn note_toml(&mut self, name: &str, text: &str) -> Result<(), ProfileError> {
        let at = |start: usize| Place::File {
            name: name.to_owned(),
            line: Some(text.as_bytes().iter().take(start).filter(|b| **b == b'\n').count() + 1),
        };
        self.whole = Some(Place::File { name: name.to_owned(), line: None });
        let document = ImDocument::parse(text).map_err(|e| {
            // The first line is the diagnosis; what the parser expected follows.
            let message = e.message().trim().replace('\n', ", ");
            let place = e.span().map_or(Place::File { name: name.to_owned(), line: None }, |s| at(s.start));
            ProfileError::new(place, "", format!("no valid TOML: {message}"), "correct this line")
        })?;
        self.walk(document.as_table(), "", &at);
        Ok(())
    }

    fn walk(&mut self, table: &dyn TableLike, prefix: &str, at: &dyn Fn(usize) -> Place) {
        for (name, _) in table.iter() {
            let Some((key, item)) = table.get_key_value(name) else { continue };
            let full = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            if let Some(span) = key.span().or_else(|| item.span()) {
                self.note(&full, at(span.start));
            }
            if let Some(inner) = item.as_table_like() {
                self.walk(inner, &full, at);
            } else if let Item::ArrayOfTables(list) = item {
                for (n, inner) in list.iter().enumerate() {
                    self.walk(inner, &format!("{full}.{n}"), at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(origins: &Origins, key: &str) -> String {
        origins.of(key).to_string()
    }

    #[test]
    fn every_key_has_its_line() {
        let text = "# one\n[group]\nname = \"x\"\n\n[node]\njoin = [\n  \"a\",\n]\ntopology.kind = 1\n[[a.b]]\nc = 1\n";
        let mut origins = Origins::default();
        origins.note_toml("p.toml", text).unwrap();
        assert_eq!(line(&origins, "group"), "p.toml:2");
        assert_eq!(line(&origins, "group.name"), "p.toml:3");
        assert_eq!(line(&origins, "node.join.0"), "p.toml:6");
        assert_eq!(line(&origins, "node.topology.kind"), "p.toml:9");
        assert_eq!(line(&origins, "a.b.0.c"), "p.toml:11");
        assert_eq!(line(&origins, "limits.message"), "p.toml");
        origins.note("group.name", Place::Option("--set group.name".into()));
        assert_eq!(line(&origins, "group.name"), "option --set group.name");
        origins.forget("group");
        assert_eq!(line(&origins, "group.name"), "p.toml");
        assert_eq!(line(&Origins::default(), "x.y"), "built-in default");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let e = Origins::default().note_toml("p.toml", "[group]\nname = \n").unwrap_err().to_string();
        assert!(e.starts_with("p.toml:2: no valid TOML: "), "{e}");
        assert_eq!(e.lines().count(), 1);
    }
}
