//! `netapi ise`: the Monitoring node, pxGrid, the doctor that looks at both, and the lab.

mod counting;
mod dc;
mod diff;
mod doctor;
mod failures;
mod idle_lab_hint;
mod interfaces;
#[cfg(feature = "lab")]
mod lab;
mod mnt;
mod nodes;
mod polling;
pub(super) mod pxgrid;
mod report;
mod session_source;
mod session_wait;
mod snapshot;
mod steps;
mod top;
mod wait;
mod who;

use std::process::ExitCode;

use clap::Subcommand;

use super::global::Global;
use super::{Context, Deferred};
use crate::error::Result;

/// `netapi ise …`
#[derive(Subcommand, Debug)]
pub(crate) enum Ise {
    /// The Monitoring node: sessions, authentications, change of authorization
    #[command(subcommand, arg_required_else_help = true)]
    Mnt(Deferred<mnt::Mnt>),
    /// pxGrid: sessions, events, quarantine, TrustSec and more
    #[command(subcommand, arg_required_else_help = true)]
    Pxgrid(Deferred<pxgrid::Pxgrid>),
    /// History: statements to Data Connect, the Monitoring node's database
    #[command(subcommand, arg_required_else_help = true)]
    Dc(Deferred<dc::Dc>),
    /// Find endpoints by anything that is known of them, in both interfaces
    Who(Deferred<who::Who>),
    /// What is broken now: failures in groups, and their endpoints
    Failures(Deferred<Box<failures::Failures>>),
    /// Which node is in trouble: sessions, load and latency of each; a check
    Nodes(Deferred<nodes::Nodes>),
    /// Keep the active sessions, to compare with later
    Snapshot(Deferred<snapshot::SnapshotArgs>),
    /// What came, went and changed since a snapshot
    Diff(Deferred<Box<diff::Diff>>),
    /// One page to send: sessions, failures, nodes, TrustSec; with charts
    Report(Deferred<report::Report>),
    /// Wait until an endpoint's session is as it is wanted
    Wait(Deferred<wait::Wait>),
    /// The live screen: sessions, failures and events as they come
    Top(Deferred<Box<top::TopArgs>>),
    /// Walk the path to the Monitoring node and to pxGrid, and say what is wrong
    Doctor(Deferred<doctor::Doctor>),
    /// A simulated ISE on this machine, to learn, test and script against
    #[cfg(feature = "lab")]
    #[command(subcommand, arg_required_else_help = true)]
    Lab(Deferred<lab::Lab>),
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
            command.0.take_groups(global);
        }
        if let Self::Dc(command) = self {
            command.0.take_own(global);
        }
    }

    /// Runs the doctor.
    pub(in crate::cli) fn doctor(context: &Context) -> Result<ExitCode> {
        doctor::Doctor {}.run(context)
    }

    /// Runs the command.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Mnt(Deferred(command)) => command.run(context),
            Self::Pxgrid(Deferred(command)) => command.run(context),
            Self::Dc(Deferred(command)) => context.run(command.run(context)),
            Self::Who(Deferred(command)) => done(context.run(command.run(context))),
            Self::Failures(Deferred(command)) => done(context.run(command.run(context))),
            Self::Nodes(Deferred(command)) => done(context.run(command.run(context))),
            Self::Snapshot(Deferred(command)) => done(context.run(command.run(context))),
            Self::Diff(Deferred(command)) => context.run(command.run(context)),
            Self::Report(Deferred(command)) => done(context.run(command.run(context))),
            Self::Wait(Deferred(command)) => done(context.run(command.run(context))),
            Self::Top(Deferred(command)) => context.run(command.run(context)),
            Self::Doctor(Deferred(command)) => command.run(context),
            #[cfg(feature = "lab")]
            Self::Lab(Deferred(command)) => command.run(context),
        }
    }
}
