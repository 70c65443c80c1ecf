//! `netapi alias`: short names for command lines, kept in the configuration. Using them is the
//! affair of `outside`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::context::DONE;
use super::global::Global;
use super::stderr::Stderr;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::render::{Column, Shape, column};
use crate::settings::ConfigFile;

const COLUMNS: &[Column] = &[column("ALIAS", "alias"), column("COMMAND", "command")];

/// `netapi alias …`
#[derive(Subcommand, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) enum Alias {
    /// The aliases and what they stand for
    #[command(after_help = "Example:\n  netapi alias list")]
    List,
    /// Make an alias, or change one
    Set(Set),
    /// Remove an alias
    Remove(Remove),
}

/// Arguments of `set`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi alias set active ise mnt count
  netapi alias set q ise pxgrid anc apply --policy Quarantine --mac
  netapi alias set kim \"ise mnt sessions --user '*pat.kim*'\"

Then `netapi q C8:5B:76:C6:59:62` is `netapi ise pxgrid anc apply --policy
Quarantine --mac C8:5B:76:C6:59:62`: words after the alias follow its own. One
text is parted as a shell would; no shell is run. An alias may begin with
another one, and never takes the place of a command.")]
pub(crate) struct Set {
    /// Its name: letters, digits, hyphens
    #[arg(value_name = "NAME")]
    name: String,
    /// The words after netapi
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<String>,
}

/// Arguments of `remove`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi alias remove q")]
pub(crate) struct Remove {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Alias {
    /// Runs the command.
    pub(crate) fn run(self, global: &Global, stderr: Stderr) -> Result<ExitCode> {
        let path = super::config::path(global)?;
        let mut file = ConfigFile::open(&path)?;
        match self {
            Self::List => {
                let context = Context::new(global.clone(), stderr)?;
                let records = file.aliases().into_iter().map(|(alias, words)| {
                    let command = shlex::try_join(words.iter().map(String::as_str));
                    let command = command.unwrap_or_default();
                    Record::from_value(json!({ "alias": alias, "command": command }))
                });
                let records: Vec<Record> = records.collect();
                context.print(&records, COLUMNS, Shape::List, "no aliases")?;
            }
            Self::Set(Set { name, words }) => {
                let words = words_of(words)?;
                check(&name, &words, &file)?;
                file.set_alias(&name, &words)?;
                file.write()?;
            }
            Self::Remove(Remove { name }) => {
                if !file.remove_alias(&name) {
                    return Err(Error::usage(format!("there is no alias {name}"))
                        .hint("`netapi alias list` lists them"));
                }
                file.write()?;
            }
        }
        Ok(DONE)
    }
}

/// One text that has several words is a command line.
fn words_of(words: Vec<String>) -> Result<Vec<String>> {
    let words = match words.as_slice() {
        [line] => {
            shlex::split(line).ok_or_else(|| Error::usage("the alias: a quote in it has no end"))?
        }
        _ => words,
    };
    // The program's own name may be copied along.
    let words = match words.split_first() {
        Some((first, rest)) if first == "netapi" => rest.to_vec(),
        _ => words,
    };
    if words.is_empty() {
        return Err(Error::usage("the alias stands for nothing"));
    }
    Ok(words)
}

fn check(name: &str, words: &[String], file: &ConfigFile) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
        return Err(Error::usage(format!("'{name}' is no name for an alias"))
            .hint("letters, digits and hyphens make one"));
    }
    let tree = super::command_tree();
    if tree.find_subcommand(name).is_some() {
        return Err(Error::usage(format!("{name} is a command of netapi"))
            .hint("an alias never takes a command's place; choose another name"));
    }
    let first = words.first().map(String::as_str).unwrap_or_default();
    let known = |first: &str| file.aliases().iter().any(|(known, _)| known == first);
    if first == name
        || !(first.starts_with('-') || tree.find_subcommand(first).is_some() || known(first))
    {
        return Err(Error::usage(format!(
            "an alias begins with a command of netapi, and '{first}' is none"
        ))
        .hint(format!("such as: netapi alias set {name} ise mnt sessions")));
    }
    Ok(())
}
