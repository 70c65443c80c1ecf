//! `netapi ise`: the Monitoring node, pxGrid, the doctor that looks at both, and the lab.

mod diff;
mod doctor;
mod failures;
mod idle_lab_hint;
mod interfaces;
#[cfg(feature = "lab")]
mod lab;
mod mnt;
mod nodes;
pub(super) mod pxgrid;
mod session_source;
mod snapshot;
mod steps;
mod who;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;
use super::global::Global;
use crate::error::Result;

/// `netapi ise …`
#[derive(Subcommand, Debug)]
pub(crate) enum Ise {
    /// The Monitoring node: sessions, authentications, change of authorization
    #[command(subcommand, arg_required_else_help = true)]
    Mnt(mnt::Mnt),
    /// pxGrid: sessions, events, quarantine, TrustSec and more
    #[command(subcommand, arg_required_else_help = true)]
    Pxgrid(pxgrid::Pxgrid),
    /// Find endpoints by anything that is known of them, in both interfaces
    Who(who::Who),
    /// What is broken now: failed authentications in groups, with their endpoints
    Failures(Box<failures::Failures>),
    /// Which node is in trouble: sessions, load and latency of each; a check
    Nodes(nodes::Nodes),
    /// Keep the active sessions, to compare with later
    Snapshot(snapshot::SnapshotArgs),
    /// What came, went and changed since a snapshot
    Diff(Box<diff::Diff>),
    /// Walk the path to the Monitoring node and to pxGrid, and say what is wrong
    Doctor(doctor::Doctor),
    /// A simulated ISE on this machine, to learn, test and script against
    #[cfg(feature = "lab")]
    #[command(subcommand, arg_required_else_help = true)]
    Lab(lab::Lab),
}

/// What `--fields` and `--sort` can name of a command's records, as far as it is known before they
/// come: titles of columns, then members.
pub(super) fn fields_of(path: &str) -> Vec<String> {
    if path == "ise failures" {
        return failures::groups();
    }
    let own = || match path {
        "ise diff" => Some(diff::ALL),
        "ise snapshot" | "ise snapshot list" => Some(snapshot::COLUMNS.into()),
        _ => None,
    };
    let columns = mnt::columns_of(path).or_else(|| pxgrid::columns_of(path));
    let Some(columns) = columns.or_else(own) else {
        return Vec::new();
    };
    let titles = columns.list.iter().map(|column| column.title);
    let mut names: Vec<String> = Vec::new();
    for name in titles.chain(columns.members.iter().copied()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn done(outcome: Result<()>) -> Result<ExitCode> {
    outcome.map(|()| crate::cli::context::DONE)
}

impl Ise {
    /// Takes global options that mean something of its own in this command.
    pub(crate) fn take_own(&mut self, global: &mut Global) {
        if let Self::Failures(command) = self {
            command.take_groups(global);
        }
    }

    /// Runs the doctor.
    pub(in crate::cli) fn doctor(context: &Context) -> Result<ExitCode> {
        doctor::Doctor {}.run(context)
    }

    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Mnt(command) => command.run(context),
            Self::Pxgrid(command) => command.run(context),
            Self::Who(command) => done(context.run(command.run(context))),
            Self::Failures(command) => done(context.run(command.run(context))),
            Self::Nodes(command) => done(context.run(command.run(context))),
            Self::Snapshot(command) => done(context.run(command.run(context))),
            Self::Diff(command) => context.run(command.run(context)),
            Self::Doctor(command) => command.run(context),
            #[cfg(feature = "lab")]
            Self::Lab(command) => command.run(context),
        }
    }
}
