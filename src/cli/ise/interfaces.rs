//! The two interfaces as far as they are set up, for commands that ask both; what is not set up is
//! said once. Nothing is sent from here.

use super::doctor::is_set;
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;

/// What the Monitoring node is called in messages.
pub(super) const MNT: &str = "the Monitoring node";
/// What pxGrid is called in messages.
pub(super) const PXGRID: &str = "pxGrid";
/// What Data Connect is called in messages.
pub(super) const HISTORY: &str = "Data Connect";

/// See the module's documentation. One of the two is there at least.
pub(super) struct Interfaces {
    pub(super) mnt: Option<MntClient>,
    pub(super) pxgrid: Option<ServiceClient>,
}

impl Interfaces {
    /// Those that are set up. Asks for missing passwords.
    ///
    /// Errors: with neither set up, what the Monitoring node's settings need.
    pub(super) fn new(context: &Context) -> Result<Self> {
        let (mnt, pxgrid) = (is_set(context, "mnt-host"), has_pxgrid(context));
        Ok(Self {
            mnt: (mnt || !pxgrid).then(|| context.mnt()).transpose()?,
            pxgrid: pxgrid.then(|| context.pxgrid()).transpose()?,
        })
    }

    /// Says which of the two is not asked, and what comes of that (empty: nothing more).
    pub(super) fn say_what_is_not_set_up(&self, context: &Context, mnt: &str, pxgrid: &str) {
        let say = |what: &str, option: &str, so: &str| {
            let so = if so.is_empty() {
                String::new()
            } else {
                format!("; {so}")
            };
            let text = format!("{what} was not asked: not set up ({option}){so}");
            context.reporter.step(&text);
        };
        if self.mnt.is_none() {
            say(MNT, "--mnt-host or ISE_MNT_FQDN", mnt);
        }
        if self.pxgrid.is_none() {
            let lacks = if is_set(context, "pxgrid-host") {
                "--cert and --key, or PXGRID_CERT and PXGRID_KEY"
            } else {
                "--pxgrid-host or ISE_PXGRID_HOST"
            };
            say(PXGRID, lacks, pxgrid);
        }
    }
}

/// Whether pxGrid is set up: a host is set for it. The administration node's, which stands for the
/// Monitoring node too, counts where an account is set.
fn has_pxgrid(context: &Context) -> bool {
    let names_pan = |source: &str| {
        let variables = ["ISE_PAN_FQDN", "ISE_PAN_IP"];
        variables.iter().any(|variable| source.contains(variable))
    };
    let rows = context.settings.rows();
    let is_pan = rows
        .iter()
        .any(|row| row.setting == "pxgrid-host" && names_pan(&row.source));
    let account = ["cert", "client-name", "client-password"];
    is_set(context, "pxgrid-host") && (!is_pan || account.iter().any(|name| is_set(context, name)))
}

/// What there is to say of sources that failed: nothing came at all, or a part of it lacks.
#[derive(Default)]
pub(super) struct Failed(Vec<(&'static str, Error)>);

impl Failed {
    /// Keeps the error of a source, if it had one; the first of each.
    pub(super) fn note<T>(&mut self, source: &'static str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                if !self.0.iter().any(|(known, _)| *known == source) {
                    self.0.push((source, error));
                }
                None
            }
        }
    }

    /// The same for a source that listens for signals.
    ///
    /// Errors: those that end the whole command.
    pub(super) fn note_unless_ended<T>(
        &mut self,
        source: &'static str,
        outcome: Result<T>,
    ) -> Result<Option<T>> {
        match outcome {
            Err(error) if error.kind().ends_the_command() => Err(error),
            outcome => Ok(self.note(source, outcome)),
        }
    }

    /// Whether every source answered.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What failed, and how.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&'static str, &Error)> {
        self.0.iter().map(|(source, error)| (*source, error))
    }

    /// The error to end with where nothing came: the first, the others said.
    pub(super) fn instead_of_an_answer(self, context: &Context) -> Result<()> {
        let mut errors = self.0.into_iter();
        let Some((_, first)) = errors.next() else {
            return Ok(());
        };
        for (_, other) in errors.filter(|(_, other)| !other.kind().is_quiet()) {
            context.reporter.error(&other);
        }
        Err(first)
    }

    /// Says the errors, and that what was printed lacks a part.
    ///
    /// Errors: [`Kind::Partial`] where a source failed.
    pub(super) fn beside_an_answer(&self, context: &Context) -> Result<()> {
        let Some((source, first)) = self.0.first() else {
            return Ok(());
        };
        let did = match first.kind() {
            Kind::Partial => "did not answer every question",
            _ => "could not be asked",
        };
        for (_, error) in &self.0 {
            context.reporter.error(error);
        }
        Err(Error::new(
            Kind::Partial,
            format!("{source} {did}; what is printed lacks its part"),
        ))
    }
}
