//! `netapi ise doctor`: the path to both APIs, step by step: which settings are there, what they
//! lead to, what is wrong and how to mend it.

use std::process::ExitCode;

use clap::Args;

use super::pxgrid::test;
use super::steps::{Step, Steps, probe};
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::error::{Kind, Result};
use crate::mnt::documents::node_type;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise doctor
  netapi ise doctor --json

An API without a host in the settings is left out. The exit status is that of
the first step that failed (`netapi help exit-codes`).")]
pub(crate) struct Doctor {}

impl Doctor {
    /// Walks and prints.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        context.run(self.walk(context))?;
        Ok(DONE)
    }

    async fn walk(self, context: &Context) -> Result<()> {
        let (mnt, pxgrid) = (is_set(context, "mnt-host"), is_set(context, "pxgrid-host"));
        if context.global.shows_only() {
            return only_show(context, mnt, pxgrid).await;
        }
        let mut steps = Steps::new(context)?;
        // With neither set both are asked for: each says what it needs.
        if mnt || !pxgrid {
            monitoring(context, &mut steps).await?;
        } else {
            steps.done(&left_out(
                "mnt",
                "no MnT host is set",
                "--mnt-host HOST or ISE_MNT_FQDN",
            ))?;
        }
        if pxgrid || !mnt {
            test::walk(context, &mut steps).await?;
        } else {
            let hint = "--pxgrid-host HOST or ISE_PXGRID_HOST";
            steps.done(&left_out("pxgrid", "no pxGrid host is set", hint))?;
        }
        steps.end("doctor")
    }
}

fn left_out(api: &'static str, why: &str, how: &str) -> Step {
    Step::warn(
        api,
        format!("{why}: not looked at"),
        Some(&format!("set {how} if you want it")),
    )
}

/// Whether a setting has a value, right or wrong.
pub(super) fn is_set(context: &Context, setting: &str) -> bool {
    let rows = context.settings.rows();
    rows.iter()
        .any(|row| row.setting == setting && (!row.value.is_empty() || row.problem.is_some()))
}

/// `--dry-run` and `--curl`: the first request to each API; the rest depends on what is answered.
async fn only_show(context: &Context, mnt: bool, pxgrid: bool) -> Result<()> {
    let shown = |result: Result<()>| match result {
        Err(error) if error.kind() != Kind::NotSent => Err(error),
        _ => Ok(()),
    };
    if mnt || !pxgrid {
        shown(context.mnt()?.version().await.map(|_| ()))?;
    }
    if pxgrid {
        shown(context.pxgrid()?.ready().await.map(|_| ()))?;
    }
    Ok(())
}

/// Settings, name, TCP, TLS, and the credentials with one request.
async fn monitoring(context: &Context, steps: &mut Steps<'_>) -> Result<()> {
    let settings = match context.settings.mnt() {
        Ok(settings) => settings,
        Err(error) => return steps.done(&Step::fail("mnt settings", error)),
    };
    let (client, http) = match context.mnt_with(settings.clone()) {
        Ok(clients) => clients,
        Err(error) => return steps.done(&Step::fail("mnt settings", error)),
    };
    let shown = settings.node.to_string();
    steps.done(&Step::ok("mnt settings", format!("user {}", settings.user)).at(&shown))?;
    if !probe(steps, &http, std::slice::from_ref(&settings.node)).await? {
        return Ok(());
    }
    let step = match client.version().await {
        Ok(answer) => {
            let text = |name: &str| answer.record.text(name).unwrap_or_default().into_owned();
            let role = node_type(&text("type_of_node")).unwrap_or("unknown");
            Step::ok(
                "mnt version",
                format!("{} {}; role: {role}", text("name"), text("version")),
            )
        }
        Err(error) => Step::fail("mnt version", error),
    };
    steps.done(&step.at(&shown))
}
