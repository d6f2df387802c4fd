//! Reads all sources of a profile, in order, and checks what comes of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};

use super::error::{Place, ProfileError};
use super::layers::{merge, overlay};
use super::origins::Origins;
use super::secret::SecretText;
use super::show::TABLES;
use super::sources::{Base, Shipped, Sources};
use super::{Profile, address, explain, filter, near, ranges, tables};
use crate::files;

/// The largest profile or secret file that is read.
const FILE_MAX: u64 = 1 << 20;

/// A profile's text, what errors call it, and the folder that its paths are relative to.
struct Text {
    name: String,
    text: String,
    folder: Option<PathBuf>,
}

pub(super) fn load(sources: &Sources) -> Result<Profile, ProfileError> {
    let file = find(sources)?;
    let mut origins = Origins::default();
    origins.note_toml(&file.name, &file.text)?;

    let wrong = |e: &figment::Error, origins: &Origins| explain(e, "", origins);
    let built_in = Figment::from(Serialized::defaults(Profile::default()));
    let defaults = Value::from(built_in.extract::<Dict>().map_err(|e| wrong(&e, &origins))?);
    let from_file = Figment::from(Toml::string(&file.text)).extract::<Dict>();
    let from_file = from_file.map_err(|e| wrong(&e, &origins))?;
    tables_only(&from_file, &origins)?;
    // The file's places stand already: what merging forgets about lower layers must not be theirs.
    let mut figment =
        merge(&built_in, from_file, &mut Origins::default()).map_err(|e| wrong(&e, &origins))?;
    for layer in [&sources.variables, &sources.options] {
        figment = overlay(figment, layer, &defaults, &mut origins).map_err(|e| wrong(&e, &origins))?;
    }
    let mut profile: Profile = figment.extract().map_err(|e| wrong(&e, &origins))?;
    profile.origins = Arc::new(origins);

    ranges::check(&profile)?;
    profile.secret = Some(secret(&profile, file.folder.as_deref())?);
    check_node(&profile)?;
    filter::check(&profile.log.filter)
        .map_err(|(reason, remedy)| profile.error("log.filter", reason, remedy))?;
    Ok(profile)
}

/// Refuses a list in a table's place, which would be read as the table's values in their order.
fn tables_only(values: &Dict, origins: &Origins) -> Result<(), ProfileError> {
    match values.iter().find(|(key, value)| TABLES.contains(&key.as_str()) && value.as_array().is_some()) {
        None => Ok(()),
        Some((key, _)) => Err(ProfileError::new(
            origins.of(key),
            key,
            "a list where a table is expected",
            format!("write it as a [{key}]"),
        )),
    }
}

/// The text of the profile that was asked for.
fn find(sources: &Sources) -> Result<Text, ProfileError> {
    let name = match &sources.base {
        Base::Text { name, text } => {
            return Ok(Text { name: name.clone(), text: text.clone(), folder: None });
        }
        Base::Named(name) => name,
    };
    if name.is_empty() {
        let place = Place::Option("--profile".into());
        return Err(ProfileError::new(place, "", "the name is empty", known("", sources.shipped)));
    }
    let file_name = Path::new(name);
    if let Some(shipped) = sources.shipped.iter().find(|s| s.name == name) {
        return Ok(Text {
            name: format!("shipped profile {name}"),
            text: shipped.text.to_owned(),
            folder: None,
        });
    }
    let place = || Place::File { name: name.clone(), line: None };
    let text = read_text(file_name).map_err(|reason| {
        let remedy = if file_name.exists() {
            "give the path of a profile".to_owned()
        } else {
            known(name, sources.shipped)
        };
        ProfileError::new(place(), "", reason, remedy)
    })?;
    Ok(Text { name: name.clone(), text, folder: file_name.parent().map(Path::to_path_buf) })
}

/// What to do about a file that is not there.
fn known(name: &str, shipped: &[Shipped]) -> String {
    let names = || shipped.iter().map(|s| s.name);
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    match near::nearest(stem, names()) {
        Some(near) => format!("did you mean the shipped profile `{near}`?"),
        None if shipped.is_empty() => "give the path of a profile".to_owned(),
        None => {
            let all: Vec<&str> = names().collect();
            format!("give the path of a profile, or one of the shipped: {}", all.join(", "))
        }
    }
}

/// Reads a small text file.
fn read_text(path: &Path) -> Result<String, String> {
    let bytes = files::read(path, FILE_MAX).map_err(|e| match e.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory | ErrorKind::InvalidInput | ErrorKind::FileTooLarge => e.to_string(),
        _ => format!("the file cannot be read: {e}"),
    })?;
    String::from_utf8(bytes).map_err(|_| "the file is no UTF-8 text".to_owned())
}

/// The secret from the profile or its file: exactly one of both.
fn secret(profile: &Profile, folder: Option<&Path>) -> Result<SecretText, ProfileError> {
    let group = &profile.group;
    let fresh = "run `tertulia new` for a private profile with a fresh secret";
    match (&group.secret, &group.secret_file) {
        (Some(text), None) => {
            text.check().map_err(|e| profile.error("group.secret", e.to_string(), fresh))?;
            Ok(text.clone())
        }
        (None, Some(path)) => {
            let from_file = matches!(profile.place("group.secret_file"), Place::File { .. });
            let path = if from_file { folder.unwrap_or(Path::new("")).join(path) } else { path.clone() };
            let wrong = |reason: String| {
                profile.error("group.secret_file", format!("{}: {reason}", path.display()), fresh)
            };
            let text = SecretText::new(read_text(&path).map_err(wrong)?);
            text.check().map_err(|e| wrong(e.to_string()))?;
            Ok(text)
        }
        (Some(_), Some(_)) => Err(profile.error(
            "group.secret_file",
            "both `secret` and `secret_file` are set",
            "remove one of them",
        )),
        (None, None) => Err(profile.no_secret()),
    }
}

/// Names and addresses.
fn check_node(profile: &Profile) -> Result<(), ProfileError> {
    if let Some(reason) = tables::group_problem(&profile.group.name) {
        return Err(profile.error("group.name", reason, "name the group that you want to talk with"));
    }
    if let Some(reason) = profile.node.nick.as_deref().and_then(tables::nick_problem) {
        return Err(profile.error("node.nick", reason, "choose another nick"));
    }
    // An empty name is the current folder, and nobody means to leave a key there.
    if profile.node.data_dir.as_deref().is_some_and(|folder| folder.as_os_str().is_empty()) {
        return Err(profile.error("node.data_dir", "the folder's name is empty", "name a folder"));
    }
    let example = "write for example tcp://192.0.2.7:4711";
    address::check(&profile.node.listen).map_err(|reason| profile.error("node.listen", reason, example))?;
    for join in &profile.node.join {
        address::check(join).map_err(|reason| profile.error("node.join", reason, example))?;
    }
    let demo = profile.secret.as_ref().is_some_and(SecretText::is_demo);
    if demo && !address::is_local(&profile.node.listen, &profile.transport.kind) {
        return Err(profile.error(
            "node.listen",
            format!(
                "`{}` can be reached from other machines, and the demo secret is known to all",
                profile.node.listen
            ),
            "run `tertulia new` for a private profile, or listen on 127.0.0.1",
        ));
    }
    Ok(())
}
