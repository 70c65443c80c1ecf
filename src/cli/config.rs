//! `netapi config`: what is set, where each value came from, and a file to start with.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::context::DONE;
use super::global::Global;
use super::stderr::Stderr;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::render::{Column, Shape, column};
use crate::settings::{self, Environment, Settings};

const COLUMNS: &[Column] = &[
    column("SETTING", "setting"),
    column("VALUE", "value"),
    column("SOURCE", "source"),
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
    /// Write a commented configuration file to start with; never overwrites
    #[command(
        after_help = "Examples:\n  netapi config init\n  netapi --config ./ise.toml config init"
    )]
    Init,
}

impl Config {
    /// Runs the command. None of them needs a setting to be right.
    pub(crate) fn run(self, global: &Global, stderr: Stderr) -> Result<ExitCode> {
        match self {
            Self::Show => show(global, stderr)?,
            Self::Path => show_path(global, stderr)?,
            Self::Init => {
                let path = path(global)?;
                settings::init(&path)?;
                super::report::Reporter::new(global, stderr)
                    .note(&format!("wrote {}; now fill it in", path.display()));
            }
        }
        Ok(DONE)
    }
}

fn path(global: &Global) -> Result<std::path::PathBuf> {
    Settings::resolve(global.flags(), Environment::capture()).config_path()
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
