//! The config file as a document that can be changed: comments, order and what else its owner wrote
//! stay. A change that would make the file wrong is refused before it is written.

use std::io::Write;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::profile::{self, ValueKind};
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::unix::files::make_private_directory;

/// See the module's documentation.
pub struct ConfigFile {
    path: PathBuf,
    document: DocumentMut,
}

/// What a profile says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSummary {
    /// Its name.
    pub name: String,
    /// Whether it is the one without `--profile`.
    pub default: bool,
    /// Its Monitoring node.
    pub mnt_host: Option<String>,
    /// Its pxGrid nodes.
    pub pxgrid_hosts: Vec<String>,
}

impl ConfigFile {
    /// Reads and checks it; empty where there is none.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self {
                path: path.to_owned(),
                document: DocumentMut::new(),
            });
        }
        let file = files::read(path, "config file", files::SMALL)?;
        let text = files::text(&file.bytes, path, "config file")?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        profile::check(path, text)?;
        let document = text.parse().map_err(|_| {
            Error::usage(format!(
                "{} cannot be changed by netapi",
                files::display_path(path)
            ))
            .hint("edit it by hand")
        })?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// The profiles in the file's order.
    pub fn profiles(&self) -> Vec<ProfileSummary> {
        let default = self.default_profile();
        let tables = self.document.get("profiles").and_then(Item::as_table_like);
        let tables = tables.into_iter().flat_map(TableLike::iter);
        tables
            .map(|(name, table)| ProfileSummary {
                name: name.to_owned(),
                default: default == Some(name),
                mnt_host: texts(table.get("mnt_host")).into_iter().next(),
                pxgrid_hosts: texts(table.get("pxgrid_hosts")),
            })
            .collect()
    }

    /// The profile that is used without `--profile`.
    pub fn default_profile(&self) -> Option<&str> {
        self.document.get("default_profile").and_then(Item::as_str)
    }

    /// Makes a profile the one that is used without `--profile`.
    ///
    /// Errors: [`Kind::Usage`] for a profile that is not there.
    pub fn use_profile(&mut self, name: &str) -> Result<()> {
        let known: Vec<String> = self.profiles().into_iter().map(|one| one.name).collect();
        if !known.iter().any(|one| one == name) {
            let file = files::display_path(&self.path);
            let error = Error::usage(format!("{file} has no profile {name}"));
            return Err(if known.is_empty() {
                error.hint("`netapi config set KEY VALUE --profile NAME` makes one")
            } else {
                error.hint(format!("it has: {}", known.join(", ")))
            });
        }
        put(self.document.as_table_mut(), "default_profile", name.into());
        Ok(())
    }

    /// Sets a key of a profile, which is made where it is not there; the first one made becomes the
    /// default.
    ///
    /// Errors: [`Kind::Usage`] for a list or command whose quotes do not match; what the key cannot
    /// be is found by [`write`](Self::write).
    pub fn set(&mut self, profile: &str, key: &str, text: &str) -> Result<()> {
        let value = value(key, text)?;
        if self.profiles().is_empty() {
            self.document
                .insert("default_profile", toml_edit::value(profile));
        }
        let mut outer = Table::new();
        outer.set_implicit(true);
        let profiles = self
            .document
            .entry("profiles")
            .or_insert(Item::Table(outer));
        let profiles = profiles.as_table_like_mut();
        let table = profiles.map(|all| all.entry(profile).or_insert(Item::Table(Table::new())));
        if let Some(table) = table.and_then(Item::as_table_like_mut) {
            put(table, key, value);
        }
        Ok(())
    }

    /// A key of a profile as it stands, a list parted by commas.
    pub fn get(&self, profile: &str, key: &str) -> Option<String> {
        let profiles = self.document.get("profiles")?.as_table_like()?;
        let found = texts(profiles.get(profile)?.as_table_like()?.get(key));
        (!found.is_empty()).then(|| found.join(","))
    }

    /// Takes a key out of a profile.
    pub fn unset(&mut self, profile: &str, key: &str) {
        let profiles = self.document.get_mut("profiles");
        let profiles = profiles.and_then(Item::as_table_like_mut);
        let table = profiles.and_then(|all| all.get_mut(profile));
        if let Some(table) = table.and_then(Item::as_table_like_mut) {
            table.remove(key);
        }
    }

    /// The aliases with their words, in the file's order.
    pub fn aliases(&self) -> Vec<(String, Vec<String>)> {
        let table = self.document.get("aliases").and_then(Item::as_table_like);
        let entries = table.into_iter().flat_map(TableLike::iter);
        entries
            .filter_map(|(name, item)| Some((name.to_owned(), words(item)?)))
            .collect()
    }

    /// Sets an alias.
    ///
    /// Errors: [`Kind::Usage`] for a word with a NUL character.
    pub fn set_alias(&mut self, name: &str, words: &[String]) -> Result<()> {
        let line = shlex::try_join(words.iter().map(String::as_str))
            .map_err(|_| Error::usage("a word of the alias has a NUL character"))?;
        let table = self
            .document
            .entry("aliases")
            .or_insert(Item::Table(Table::new()));
        if let Some(table) = table.as_table_like_mut() {
            put(table, name, line.into());
        }
        Ok(())
    }

    /// Removes an alias; whether there was one.
    pub fn remove_alias(&mut self, name: &str) -> bool {
        let table = self.document.get_mut("aliases");
        let table = table.and_then(Item::as_table_like_mut);
        table.is_some_and(|table| table.remove(name).is_some())
    }

    /// Checks and writes it: a whole file takes the old one's place, with the old one's mode, else
    /// 0600.
    pub fn write(&self) -> Result<()> {
        let text = self.document.to_string();
        profile::check(&self.path, &text)?;
        self.replace(&text).map_err(|error| {
            let file = files::display_path(&self.path);
            Error::new(Kind::Failed, format!("cannot write {file}: {error}"))
        })
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        // Behind a link it is the file that changes.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_private_directory(directory)?;
        let mut new = tempfile::NamedTempFile::new_in(directory)?;
        new.write_all(text.as_bytes())?;
        if let Ok(old) = std::fs::metadata(&path) {
            new.as_file().set_permissions(old.permissions())?;
        }
        new.as_file().sync_all()?;
        new.persist(&path)?;
        Ok(())
    }
}

/// Sets a key; the comments at an old value stay.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        _ => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// The value of a key as it was typed: a path from here, a list at its commas, a command as a shell
/// would part it. What is no number or truth value stays a text, and the check says what is wanted.
fn value(key: &str, text: &str) -> Result<Value> {
    let parted = || {
        shlex::split(text).ok_or_else(|| Error::usage(format!("{key}: a quote in it has no end")))
    };
    Ok(match profile::kind_of(key) {
        Some(ValueKind::Port) => text
            .parse::<i64>()
            .map_or_else(|_| text.into(), Value::from),
        Some(ValueKind::Boolean) => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        Some(ValueKind::Path) if !text.starts_with('~') && !text.is_empty() => {
            let path = std::path::absolute(text);
            let path = path.ok().and_then(|path| path.to_str().map(str::to_owned));
            path.unwrap_or_else(|| text.to_owned()).into()
        }
        Some(ValueKind::List) => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Value::Array(parts.collect::<Array>())
        }
        Some(ValueKind::Command) => Value::Array(parted()?.iter().map(String::as_str).collect()),
        _ => text.into(),
    })
}

/// The words of an alias: a text that is parted as a shell would, or a list.
fn words(item: &Item) -> Option<Vec<String>> {
    match item.as_str() {
        Some(line) => shlex::split(line),
        None => Some(texts(Some(item))),
    }
}

fn texts(item: Option<&Item>) -> Vec<String> {
    let Some(item) = item else {
        return Vec::new();
    };
    match (item.as_str(), item.as_array()) {
        (Some(text), _) => vec![text.to_owned()],
        (_, Some(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str =
        "# mine\ndefault_profile = \"a\" # the campus\n\n[profiles.a]\nmnt_host = \"h\"\n";

    fn changed(change: impl FnOnce(&mut ConfigFile) -> Result<()>) -> Result<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, OWN).unwrap();
        let mut file = ConfigFile::open(&path)?;
        change(&mut file)?;
        file.write()?;
        Ok(std::fs::read_to_string(&path).unwrap())
    }

    #[test]
    fn what_the_owner_wrote_stays() {
        let text = changed(|file| {
            file.set("a", "mnt_port", "8443")?;
            file.set("b", "pxgrid_hosts", "p, q")?;
            file.set("b", "read_only", "true")?;
            file.set("b", "mnt_password_command", "pass show 'my ise'")?;
            file.set_alias("q", &["ise".into(), "mnt".into(), "count".into()])?;
            file.use_profile("b")
        });
        assert_eq!(
            text.unwrap(),
            "# mine\ndefault_profile = \"b\" # the campus\n\n[profiles.a]\nmnt_host = \"h\"\nmnt_port = 8443\n\n\
             [profiles.b]\npxgrid_hosts = [\"p\", \"q\"]\nread_only = true\n\
             mnt_password_command = [\"pass\", \"show\", \"my ise\"]\n\n[aliases]\nq = \"ise mnt count\"\n"
        );
    }

    #[test]
    fn what_would_make_it_wrong_is_refused() {
        for (key, value, wanted) in [
            ("mnt_port", "many", "mnt_port wants a port number"),
            ("mnt_hots", "h", "unknown key mnt_hots"),
            (
                "mnt_password",
                "hunter2",
                "secrets do not stand in this file",
            ),
        ] {
            let error = changed(|file| file.set("a", key, value)).unwrap_err();
            assert!(error.message().contains(wanted), "{}", error.message());
            assert!(!error.message().contains("hunter2"));
        }
        let error = changed(|file| file.use_profile("c")).unwrap_err();
        assert_eq!(error.hint_text(), Some("it has: a"));
    }
}
