//! Profiles: `[profiles.NAME]` tables of the config file, checked as a whole and handed on as plain
//! lists of values.
//!
//! Every mistake is a usage error naming file and line. A secret has no key here: only a file that
//! holds it, or a command that prints it. Relative paths are taken from the config file's
//! directory, since a profile is used from anywhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::files;

/// What a key's value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Text,
    Path,
    Port,
    Boolean,
    /// A list of texts; one text alone is a list of one.
    List,
    /// A program and its arguments.
    Command,
}

/// Every key of a profile.
const KEYS: [(&str, ValueKind); 35] = [
    ("mnt_host", ValueKind::Text),
    ("mnt_port", ValueKind::Port),
    ("mnt_user", ValueKind::Text),
    ("mnt_password_file", ValueKind::Path),
    ("mnt_password_command", ValueKind::Command),
    ("password_file", ValueKind::Path),
    ("password_command", ValueKind::Command),
    ("cacert", ValueKind::Path),
    ("pxgrid_hosts", ValueKind::List),
    ("pxgrid_port", ValueKind::Port),
    ("client_name", ValueKind::Text),
    ("cert", ValueKind::Path),
    ("key", ValueKind::Path),
    ("key_password_file", ValueKind::Path),
    ("key_password_command", ValueKind::Command),
    ("client_password_file", ValueKind::Path),
    ("client_password_command", ValueKind::Command),
    ("dc_host", ValueKind::Text),
    ("dc_port", ValueKind::Port),
    ("dc_service", ValueKind::Text),
    ("dc_user", ValueKind::Text),
    ("dc_password_file", ValueKind::Path),
    ("dc_password_command", ValueKind::Command),
    ("resolve", ValueKind::List),
    ("proxy", ValueKind::Text),
    ("no_proxy", ValueKind::List),
    ("proxy_credentials_file", ValueKind::Path),
    ("proxy_credentials_command", ValueKind::Command),
    ("proxy_cacert", ValueKind::Path),
    ("insecure", ValueKind::Boolean),
    ("verify_hostname", ValueKind::Boolean),
    ("pin_sha256", ValueKind::Text),
    ("connect_timeout", ValueKind::Text),
    ("timeout", ValueKind::Text),
    ("read_only", ValueKind::Boolean),
];

/// Keys with a second spelling: the flag's own (`--password-file`), and the one that says whose
/// password it is.
const ALIASES: [(&str, &str); 2] = [
    ("password_file", "mnt_password_file"),
    ("password_command", "mnt_password_command"),
];

/// One profile: values by key, as texts. The profile of no name is empty.
#[derive(Clone, Default)]
pub(crate) struct Profile {
    /// The profile's name; empty where no profile is in use.
    pub(crate) name: String,
    values: BTreeMap<&'static str, Vec<OsString>>,
    /// Whether others than us can write the file that it comes from.
    pub(crate) others_write: bool,
}

impl Profile {
    /// The values of a key; a list is never empty.
    pub(crate) fn get(&self, key: &str) -> Option<&[OsString]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

/// Reads the profile `wanted`, else the file's `default_profile`, else the empty profile.
/// `explicit` says that the user named the file; a file at the default place may be missing.
pub(crate) fn read(path: &Path, explicit: bool, wanted: Option<&str>) -> Result<Profile> {
    if !explicit && !path.exists() {
        return match wanted {
            None => Ok(Profile::default()),
            Some(name) => Err(Error::usage(format!(
                "profile {name} is wanted, but there is no {}",
                files::display_path(path)
            ))
            .hint("`netapi config init` writes one to fill in")),
        };
    }
    let what = "config file";
    let file = files::read(path, what, files::SMALL)?;
    let text = files::text(&file.bytes, path, what)?;
    let mut profile = File { path, text: &text }.profile(wanted)?;
    profile.others_write = file.access.others_write;
    Ok(profile)
}

/// Every key that a profile can have.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// What the value of a key must look like; `None` for what is no key.
pub(super) fn kind_of(key: &str) -> Option<ValueKind> {
    let known = KEYS.iter().find(|(known, _)| *known == key);
    known.map(|(_, kind)| *kind)
}

/// Whether the whole of a config file's text is right.
pub(super) fn check(path: &Path, text: &str) -> Result<()> {
    File { path, text }.profile(None).map(drop)
}

/// The names of the profiles in the file, in alphabetical order; none where there is no file.
pub(crate) fn names(path: &Path) -> Result<Vec<String>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let what = "config file";
    let file = files::read(path, what, files::SMALL)?;
    let text = files::text(&file.bytes, path, what)?;
    let document = File { path, text: &text }.document()?;
    let profiles = document.get_ref().get("profiles");
    let profiles = profiles.and_then(|value| value.get_ref().as_table());
    let names = profiles.into_iter().flat_map(|table| table.keys());
    let mut names: Vec<String> = names.map(|name| name.get_ref().to_string()).collect();
    names.sort();
    Ok(names)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

type Entry<'a, 'i> = (
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
);

impl<'a> File<'a> {
    fn document(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            // The message is of fixed words; the error as a whole would quote the line.
            self.wrong(&span, &format!("no TOML: {}", one_line(error.message())))
                .hint("a table is [profiles.NAME], an entry key = \"value\"; `netapi help environment` shows one")
        })
    }

    fn wrong(&self, span: &Range<usize>, what: &str) -> Error {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Error::usage(format!("{}:{line}: {what}", files::display_path(self.path)))
    }

    fn profile(&self, wanted: Option<&str>) -> Result<Profile> {
        let document = self.document()?;
        let mut default = None;
        let mut profiles = BTreeMap::new();
        for (key, value) in document.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("default_profile", DeValue::String(name)) => default = Some((name, value.span())),
                ("default_profile", _) => {
                    return Err(self.wrong(&value.span(), "default_profile wants a text"));
                }
                ("profiles", DeValue::Table(tables)) => {
                    for (name, table) in tables {
                        let profile = self.table(name.get_ref(), table)?;
                        profiles.insert(name.get_ref().to_string(), profile);
                    }
                }
                ("profiles", _) => {
                    return Err(self.wrong(&value.span(), "profiles are tables: `[profiles.NAME]`"));
                }
                ("aliases", DeValue::Table(entries)) => {
                    for (name, value) in entries {
                        self.alias(name.get_ref(), value)?;
                    }
                }
                ("aliases", _) => {
                    return Err(self.wrong(&value.span(), "aliases are a table: `[aliases]`"));
                }
                (other, _) => {
                    let known = KEYS.iter().find(|(known, _)| *known == other);
                    let name = known.map_or("", |(known, _)| known);
                    let error = self.wrong(&key.span(), format!("unknown key {name}").trim_end());
                    return Err(error.hint("settings stand in a table `[profiles.NAME]`; above the tables only default_profile has a place"));
                }
            }
        }
        let (name, error) = match (wanted, default) {
            (Some(name), _) => (
                name,
                Error::usage(format!(
                    "{} has no profile {name}",
                    files::display_path(self.path)
                )),
            ),
            (None, Some((name, span))) => (
                name.as_ref(),
                self.wrong(
                    &span,
                    &format!("default_profile: there is no profile {name}"),
                ),
            ),
            (None, None) => return Ok(Profile::default()),
        };
        let known: Vec<String> = profiles.keys().cloned().collect();
        profiles.remove(name).ok_or_else(|| {
            if known.is_empty() {
                return error.hint(format!("it has none; begin one with `[profiles.{name}]`"));
            }
            error.hint(format!("it has: {}", known.join(", ")))
        })
    }

    fn alias(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<()> {
        let is_text = |one: &Spanned<DeValue<'_>>| one.get_ref().as_str().is_some();
        let right = match value.get_ref() {
            DeValue::String(line) => shlex::split(line).is_some_and(|words| !words.is_empty()),
            DeValue::Array(words) => !words.is_empty() && words.iter().all(is_text),
            _ => false,
        };
        if right {
            return Ok(());
        }
        // A name that looks like no name is not quoted.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let what = if name.len() <= 32 && name.chars().all(plain) {
            format!("the alias {name}")
        } else {
            "an alias".to_owned()
        };
        let error = self.wrong(
            &value.span(),
            &format!("{what} wants the words of a command"),
        );
        Err(error.hint("such as q = \"ise pxgrid anc apply --policy Quarantine --mac\""))
    }

    fn table(&self, name: &str, table: &Spanned<DeValue<'_>>) -> Result<Profile> {
        let DeValue::Table(entries) = table.get_ref() else {
            return Err(self.wrong(&table.span(), "profiles are tables: `[profiles.NAME]`"));
        };
        let mut profile = Profile {
            name: name.to_owned(),
            ..Profile::default()
        };
        for entry in entries {
            let (key, values) = self.entry(entry)?;
            let alias = ALIASES.iter().find(|(short, _)| *short == key);
            let canonical = alias.map_or(key, |(_, long)| long);
            if profile.values.insert(canonical, values).is_some() {
                let (short, long) = alias
                    .or_else(|| ALIASES.iter().find(|(_, long)| *long == key))
                    .unwrap_or(&("", ""));
                return Err(self.wrong(
                    &entry.0.span(),
                    &format!("{short} and {long} are the same setting; keep one"),
                ));
            }
        }
        Ok(profile)
    }

    fn entry(&self, (key, value): Entry<'_, '_>) -> Result<(&'static str, Vec<OsString>)> {
        let name = key.get_ref().as_ref();
        let Some((known, shape)) = KEYS.iter().find(|(known, _)| *known == name) else {
            return Err(self.unknown_key(name, &key.span()));
        };
        let values = self.values(*shape, value.get_ref()).ok_or_else(|| {
            let wanted = match shape {
                ValueKind::Text | ValueKind::Path => "a text",
                ValueKind::Port => "a port number, 1 to 65535",
                ValueKind::Boolean => "true or false",
                ValueKind::List => "a list of texts",
                ValueKind::Command => {
                    "a list: the program, then its arguments, as in [\"pass\", \"show\", \"ise\"]"
                }
            };
            self.wrong(&value.span(), &format!("{known} wants {wanted}"))
        })?;
        Ok((known, values))
    }

    /// The value as texts, or `None` where it has not the shape. The value is never quoted in an
    /// error: people put secrets in wrong places.
    fn values(&self, shape: ValueKind, value: &DeValue<'_>) -> Option<Vec<OsString>> {
        let text = |value: &DeValue<'_>| match value {
            DeValue::String(text) if !text.is_empty() => Some(OsString::from(text.as_ref())),
            _ => None,
        };
        match (shape, value) {
            (ValueKind::Text | ValueKind::List, DeValue::String(_)) => Some(vec![text(value)?]),
            (ValueKind::Path, DeValue::String(path)) if !path.is_empty() => {
                Some(vec![self.beside(path).into_os_string()])
            }
            (ValueKind::Port, DeValue::Integer(port)) => {
                let port = u16::from_str_radix(port.as_str(), port.radix()).ok()?;
                (port > 0).then(|| vec![port.to_string().into()])
            }
            (ValueKind::Boolean, DeValue::Boolean(value)) => Some(vec![value.to_string().into()]),
            (ValueKind::List | ValueKind::Command, DeValue::Array(items)) => {
                let mut items = items.iter().map(Spanned::get_ref);
                let mut values = vec![text(items.next()?)?];
                for item in items {
                    // An argument may be empty, a list's item not.
                    values.push(match item {
                        DeValue::String(empty)
                            if empty.is_empty() && shape == ValueKind::Command =>
                        {
                            OsString::new()
                        }
                        item => text(item)?,
                    });
                }
                Some(values)
            }
            _ => None,
        }
    }

    /// A path as written if it is absolute or begins with `~`, else beside the config file.
    fn beside(&self, path: &str) -> PathBuf {
        match self.path.parent() {
            Some(directory) if !Path::new(path).starts_with("~") => directory.join(path),
            _ => PathBuf::from(path),
        }
    }

    fn unknown_key(&self, name: &str, span: &Range<usize>) -> Error {
        // A name that looks like no name may be a secret that lost its place, and is not quoted.
        let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-');
        let is_name = name.len() <= 32 && name.chars().all(plain);
        if let Some(hint) = secret_hint(name).filter(|_| is_name) {
            return self
                .wrong(span, &format!("{name}: secrets do not stand in this file"))
                .hint(hint);
        }
        let nearest = KEYS
            .iter()
            .map(|(known, _)| (strsim::damerau_levenshtein(known, name), *known))
            .min();
        match nearest {
            Some((distance, known)) if distance <= 1 + known.len() / 3 => self
                .wrong(span, &format!("unknown key {name}"))
                .hint(format!("did you mean {known}?")),
            _ => {
                let known: Vec<&str> = KEYS.iter().map(|(known, _)| *known).collect();
                self.wrong(span, "unknown key")
                    .hint(format!("known keys: {}", known.join(", ")))
            }
        }
    }
}

/// What to write instead of a key that looks like a secret in plain text.
fn secret_hint(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let endings = ["password", "passwd", "pass", "passphrase", "pwd", "secret"];
    if !endings.iter().any(|ending| lower.ends_with(ending)) {
        return None;
    }
    if lower.contains("proxy") {
        return Some("write proxy_credentials_file = \"FILE\" or proxy_credentials_command = [\"pass\", \"show\", \"proxy\"]; either gives USER:PASSWORD".to_owned());
    }
    let whose = if lower.contains("key") {
        "key"
    } else if lower.contains("client") || lower.contains("pxgrid") {
        "client"
    } else {
        "mnt"
    };
    Some(format!(
        "write {whose}_password_file = \"FILE\" or {whose}_password_command = [\"pass\", \"show\", \"ise\"]"
    ))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
