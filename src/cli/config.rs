//! `netapi config`: what is set, where each value came from, and a file to start with.

mod init;

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
use crate::settings::{ConfigFile, Environment, Settings};

const COLUMNS: &[Column] = &[
    column("SETTING", "setting"),
    column("VALUE", "value"),
    column("SOURCE", "source"),
];

const PROFILES: &[Column] = &[
    column("PROFILE", "profile"),
    column("DEFAULT", "default"),
    column("MNT", "mnt_host"),
    column("PXGRID", "pxgrid_hosts"),
];

/// `netapi config …`
#[derive(Subcommand, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) enum Config {
    /// Every setting, its value (secrets masked) and its source
    #[command(
        after_help = "Examples:\n  netapi config show\n  netapi --profile lab config show --json"
    )]
    Show,
    /// The path of the configuration file
    #[command(after_help = "Example:\n  \"${EDITOR:-vi}\" \"$(netapi config path)\"")]
    Path,
    /// The profiles, and which one is used without --profile
    #[command(after_help = "Example:\n  netapi config profiles")]
    Profiles,
    /// Make a profile the one that is used without --profile
    Use(Use),
    /// Set a key of a profile
    Set(Set),
    /// Set up a deployment: a few questions, each answer tried, and a profile
    Init(init::Init),
}

/// Arguments of `use`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  netapi config use campus")]
pub(crate) struct Use {
    /// The profile
    #[arg(value_name = "NAME")]
    name: String,
}

/// Arguments of `set`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi config set mnt_host ise-mnt.example.com --profile campus
  netapi config set pxgrid_hosts ise-px1.example.com,ise-px2.example.com
  netapi config set mnt_password_command 'pass show ise'

The profile is that of --profile, which is made where it is not there, else the
one in use, else the only one. A list is parted at its commas, a command as a
shell would. Secrets never stand in the file: name a file or a command.")]
pub(crate) struct Set {
    /// The key, as in the file: mnt_host, mnt_user, pxgrid_hosts, cert, …
    #[arg(value_name = "KEY")]
    setting: String,
    /// Its value
    #[arg(value_name = "VALUE")]
    value: String,
}

impl Config {
    /// Runs the command. None of them needs a setting to be right.
    pub(crate) fn run(self, global: &Global, stderr: Stderr) -> Result<ExitCode> {
        match self {
            Self::Show => show(global, stderr)?,
            Self::Path => show_path(global, stderr)?,
            Self::Profiles => show_profiles(global, stderr)?,
            Self::Use(Use { name }) => {
                let mut file = ConfigFile::open(&path(global)?)?;
                file.use_profile(&name)?;
                file.write()?;
            }
            Self::Set(Set { setting, value }) => {
                let mut file = ConfigFile::open(&path(global)?)?;
                let profile = profile_to_change(global, &file)?;
                file.set(&profile, &setting, &value)?;
                file.write()?;
            }
            Self::Init(init) => return init.run(global, stderr),
        }
        Ok(DONE)
    }
}

pub(super) fn path(global: &Global) -> Result<std::path::PathBuf> {
    Settings::resolve(global.flags(), Environment::capture()).config_path()
}

/// The profile that a key is set of.
fn profile_to_change(global: &Global, file: &ConfigFile) -> Result<String> {
    if let Some(name) = &global.profile {
        return Ok(name.clone());
    }
    let settings = Settings::resolve(global.flags(), Environment::capture());
    if let Some(name) = settings.profile() {
        return Ok(name.to_owned());
    }
    match file.profiles().as_slice() {
        [only] => Ok(only.name.clone()),
        _ => Err(Error::usage("which profile is meant is not known")
            .hint("give its name: --profile NAME; one that is not there is made")),
    }
}

fn show_profiles(global: &Global, stderr: Stderr) -> Result<()> {
    let context = Context::new(global.clone(), stderr)?;
    let profiles = ConfigFile::open(&path(global)?)?.profiles();
    let records = profiles.into_iter().map(|profile| {
        Record::from_value(json!({
            "profile": profile.name,
            "default": profile.default,
            "mnt_host": profile.mnt_host,
            "pxgrid_hosts": profile.pxgrid_hosts,
        }))
    });
    let records: Vec<Record> = records.collect();
    context.print(&records, PROFILES, Shape::List, "no profiles")
}

fn show_path(global: &Global, stderr: Stderr) -> Result<()> {
    let context = Context::new(global.clone(), stderr)?;
    let path = context.settings.config_path()?.display().to_string();
    let record = Record::from_value(json!({ "path": path }));
    context.print(&[record], [column("PATH", "path")], Shape::Bare, "")
}

fn show(global: &Global, stderr: Stderr) -> Result<()> {
    let context = Context::new(global.clone(), stderr)?;
    let rows = context.settings.rows();
    let problem = rows.iter().find_map(|row| row.problem.clone());
    let records: Vec<Record> = rows
        .into_iter()
        .map(|row| {
            Record::from_value(json!({
                "setting": row.setting, "value": row.value, "source": row.source, "problem": row.problem
            }))
        })
        .collect();
    context.print(&records, COLUMNS, Shape::List, "")?;
    match problem {
        Some(problem) => Err(Error::usage(problem)),
        None => Ok(()),
    }
}
