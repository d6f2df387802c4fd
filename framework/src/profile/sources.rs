//! Where a profile's values come from, gathered by the program before anything is read.

use std::ffi::OsString;

use figment::value::Value;

use super::error::{Place, ProfileError};
use super::layers;
use super::ticket::Ticket;

/// The shipped profile that is used when none is named.
pub const DEFAULT_PROFILE: &str = "ring";

/// A profile that is compiled into the program, so that it is found by name from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its name, without `.toml`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

#[derive(Clone, Debug)]
pub(super) enum Base {
    /// A shipped name or a path.
    Named(String),
    /// Text that is already here, with what it is called.
    Text { name: String, text: String },
}

/// One value from the environment or an option.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) place: Place,
}

/// The sources of one profile.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(super) shipped: &'static [Shipped],
    pub(super) base: Base,
    pub(super) variables: Vec<Setting>,
    pub(super) options: Vec<Setting>,
}

impl Sources {
    /// The shipped profile `ring`, or the first there is, without environment and options.
    #[must_use]
    pub fn new(shipped: &'static [Shipped]) -> Self {
        let base = Base::Named(DEFAULT_PROFILE.to_owned());
        Sources { shipped, base, variables: Vec::new(), options: Vec::new() }
    }

    /// The name of a shipped profile, or the path of a file.
    #[must_use]
    pub fn profile(mut self, name_or_path: &str) -> Self {
        self.base = Base::Named(name_or_path.to_owned());
        self
    }

    /// TOML text; `name` is what errors call it.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.base = Base::Text { name: name.to_owned(), text: text.to_owned() };
        self
    }

    /// A ticket's profile.
    ///
    /// # Errors
    /// When the line is no ticket.
    pub fn ticket(self, line: &str) -> Result<Self, ProfileError> {
        let place = || Place::Option("--ticket".into());
        let remedy = "copy the whole line that `tertulia ticket` printed";
        let ticket =
            line.parse::<Ticket>().map_err(|e| ProfileError::new(place(), "", e.to_string(), remedy))?;
        Ok(self.text("ticket", &ticket.to_toml()))
    }

    /// Environment variables: those named `TERTULIA_A__B` are keys, others are ignored.
    ///
    /// # Errors
    /// When the name or value of such a variable cannot be read.
    pub fn variables(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ProfileError> {
        for (name, value) in variables {
            if let Some(setting) = layers::variable(&name, &value)? {
                self.variables.push(setting);
            }
        }
        Ok(self)
    }

    /// The variables of this process.
    ///
    /// # Errors
    /// As [`variables`](Sources::variables).
    pub fn environment(self) -> Result<Self, ProfileError> {
        self.variables(std::env::vars_os())
    }

    /// `--set table.key=value`: a TOML value, else text.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn set(mut self, assignment: &str) -> Result<Self, ProfileError> {
        self.options.push(layers::assignment(assignment)?);
        Ok(self)
    }

    /// A text given by an option of its own, for example `--nick`.
    #[must_use]
    pub fn option(mut self, option: &str, key: &str, text: &str) -> Self {
        let place = Place::Option(option.to_owned());
        self.options.push(Setting { key: key.to_owned(), value: Value::from(text), place });
        self
    }

    /// A list given by an option that may be repeated, for example `--join`; an empty one changes nothing.
    #[must_use]
    pub fn list(mut self, option: &str, key: &str, items: &[String]) -> Self {
        if !items.is_empty() {
            let place = Place::Option(option.to_owned());
            self.options.push(Setting { key: key.to_owned(), value: Value::from(items.to_vec()), place });
        }
        self
    }
}
