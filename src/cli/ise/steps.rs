//! Steps of a diagnosis: what `pxgrid test` and `doctor` print, one line a step, and the probes of
//! one server that both begin with. Goes as far as it can; the exit status is that of the first
//! step that failed.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::cli::Context;
use crate::cli::context::{RecordOutput, write_out};
use crate::error::{Error, Kind, Result};
use crate::record::{Record, RecordSink};
use crate::render::{CellKind, Column, Format, Shape, column, terminal_safe, wrap};
use crate::transport::identity::certificate_facts;
use crate::transport::{Client, HandshakeNotes, connect};

const COLUMNS: &[Column] = &[
    column("STEP", "step"),
    column("RESULT", "result").kind(CellKind::Verdict),
    column("HOST", "host"),
    column("DETAIL", "detail"),
    column("HINT", "hint"),
];

/// A server's certificate that expires within this time gets a warning, as the client's own does.
const EXPIRES_SOON_SECONDS: i64 = 14 * 24 * 3600;

/// Where the detail of a step begins on its line, and where what does not fit goes on.
const DETAIL_AT: usize = 19;
/// The same of a hint.
const HINT_AT: usize = 12;

/// One step and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    name: &'static str,
    host: Option<String>,
    outcome: StepOutcome,
}

#[derive(Debug, Clone)]
enum StepOutcome {
    Ok(String),
    Warn(String, Option<String>),
    Fail(Error),
}

impl Step {
    /// It is as it should be.
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, StepOutcome::Ok(detail.into()))
    }

    /// It works, but is worth a word.
    pub(super) fn warn(name: &'static str, detail: impl Into<String>, hint: Option<&str>) -> Self {
        Self::new(
            name,
            StepOutcome::Warn(detail.into(), hint.map(str::to_owned)),
        )
    }

    /// It does not work.
    pub(super) fn fail(name: &'static str, error: Error) -> Self {
        Self::new(name, StepOutcome::Fail(error))
    }

    fn new(name: &'static str, outcome: StepOutcome) -> Self {
        Self {
            name,
            host: None,
            outcome,
        }
    }

    /// At this host.
    pub(super) fn at(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// What it is called where its line does not stand beside it.
    fn title(&self) -> String {
        match &self.host {
            Some(host) => format!("{} of {host}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn failed(&self) -> bool {
        matches!(self.outcome, StepOutcome::Fail(_))
    }

    /// A failure that costs nothing, since another node does the same.
    pub(super) fn spared(mut self) -> Self {
        if let StepOutcome::Fail(error) = self.outcome {
            let hint = error.hint_text().map(str::to_owned);
            self.outcome = StepOutcome::Warn(error.message().to_owned(), hint);
        }
        self
    }

    fn parts(&self) -> (&'static str, &str, Option<&str>) {
        match &self.outcome {
            StepOutcome::Ok(detail) => ("ok", detail, None),
            StepOutcome::Warn(detail, hint) => ("warn", detail, hint.as_deref()),
            StepOutcome::Fail(error) => ("fail", error.message(), error.hint_text()),
        }
    }
}

/// Prints steps as they are done.
pub(super) struct Steps<'c> {
    context: &'c Context,
    /// `None` where a person looks: steps are then written as they are done, hints in full below
    /// them.
    output: Option<RecordOutput>,
    ok: u64,
    warnings: u64,
    failed: u64,
    /// The first that failed: what it was called, as in `tls of ise-mnt:443`, and its error.
    first: Option<(String, Error)>,
}

impl<'c> Steps<'c> {
    /// Nothing done yet.
    pub(super) fn new(context: &'c Context) -> Result<Self> {
        let global = &context.global;
        let person = Context::on_terminal()
            && !context.is_one_of_several()
            && matches!(global.chosen_format(), None | Some(Format::Table))
            && global.jq.is_none()
            && global.fields.is_empty()
            && global.sort.is_none()
            && global.limit.is_none();
        let output = if person {
            None
        } else {
            let output = context.output_of("steps", COLUMNS, Shape::List)?;
            Some(output.by_deployment())
        };
        Ok(Self {
            context,
            output,
            ok: 0,
            warnings: 0,
            failed: 0,
            first: None,
        })
    }

    /// Prints one.
    pub(super) fn done(&mut self, step: &Step) -> Result<()> {
        match &step.outcome {
            StepOutcome::Ok(_) => self.ok += 1,
            StepOutcome::Warn(..) => self.warnings += 1,
            StepOutcome::Fail(error) => {
                self.failed += 1;
                self.first
                    .get_or_insert_with(|| (step.title(), error.clone()));
            }
        }
        let (result, detail, hint) = step.parts();
        // An error names its host itself; beside the host it would stand there twice.
        let named = step.host.as_ref().map(|host| format!("{host}: "));
        let detail = named
            .and_then(|named| detail.strip_prefix(&named))
            .unwrap_or(detail);
        match &mut self.output {
            Some(output) => {
                let record = json!({
                    "step": step.name, "result": result, "host": step.host, "detail": detail, "hint": hint
                });
                let _ = output.record(&Record::from_value(record))?;
                Ok(())
            }
            None => write_out(&self.line(step.name, result, step.host.as_deref(), detail, hint)),
        }
    }

    fn line(
        &self,
        name: &str,
        result: &str,
        host: Option<&str>,
        detail: &str,
        hint: Option<&str>,
    ) -> String {
        let color = match (self.context.style().screen.color, result) {
            (false, _) => None,
            (true, "ok") => Some("32"),
            (true, "fail") => Some("31"),
            (true, _) => Some("33"),
        };
        let word = match color {
            Some(code) => format!("\x1b[{code}m{result:<4}\x1b[0m"),
            None => format!("{result:<4}"),
        };
        let place = host.map(|host| format!("{host}: ")).unwrap_or_default();
        // An error names its host itself.
        let place = if detail.contains(place.trim_end_matches(": ")) {
            String::new()
        } else {
            place
        };
        let width = usize::from(self.context.style().screen.width);
        let mut text = String::new();
        let mut hang = |head: &str, words: &str, indent| {
            wrap::hang(&mut text, head, &terminal_safe(words), indent, width);
        };
        let head = format!("{word}  {name:<12} ");
        hang(&head, &format!("{place}{detail}"), DETAIL_AT);
        if let Some(hint) = hint {
            hang("      hint: ", hint, HINT_AT);
        }
        text
    }

    /// Ends what is called `walk` with a count. The kind of the first failure is the command's;
    /// what it said is said already.
    pub(super) fn end(self, walk: &str) -> Result<()> {
        if let Some(output) = self.output {
            self.context.end_list(output, Ok(()), "no steps")?;
        }
        let warnings = match self.warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            many => format!(", {many} warnings"),
        };
        let text = format!("{walk}: {} ok{warnings}", self.ok);
        let Some((title, error)) = self.first else {
            self.context.reporter.note(&text);
            return Ok(());
        };
        let message = format!("{text}, {} failed; first: {title}", self.failed);
        let mut summary = Error::new(error.kind(), message);
        if let Some(host) = error.host_name() {
            summary = summary.host(host);
        }
        if let Some(status) = error.http_status() {
            summary = summary.status(status);
        }
        Err(summary)
    }
}

/// Probes servers of which one is enough: name, TCP, TLS of each. Where one is reached, what fails
/// at others is a warning.
///
/// Whether one was reached.
pub(super) async fn probe(
    steps: &mut Steps<'_>,
    client: &Client,
    servers: &[Authority],
) -> Result<bool> {
    let mut all = Vec::new();
    for server in servers {
        all.push(probe_one(client, server).await);
    }
    let reached = |done: &Vec<Step>| !done.iter().any(Step::failed);
    let any = all.iter().any(reached);
    for step in all.into_iter().flatten() {
        let step = if any { step.spared() } else { step };
        steps.done(&step)?;
    }
    Ok(any)
}

async fn probe_one(client: &Client, server: &Authority) -> Vec<Step> {
    let shown = server.to_string();
    let host = server.host();
    let dialer = client.dialer();
    let allowed = dialer.connect_timeout();
    let mut steps = Vec::new();
    if let Some(proxy) = dialer.proxy(host) {
        let (address, source) = (proxy.address(), proxy.source());
        let step = Step::ok("proxy", format!("through {} ({source})", address.masked()));
        steps.push(step.at(&shown));
    }
    let resolved_there = dialer
        .proxy(host)
        .is_some_and(|proxy| proxy.address().scheme.resolves());
    if !resolved_there {
        match timeout(allowed, dialer.addresses(server)).await {
            Ok(Ok(found)) => {
                let found: Vec<String> = found
                    .iter()
                    .map(|address| address.ip().to_string())
                    .collect();
                steps.push(Step::ok("name", found.join(", ")).at(&shown));
            }
            Ok(Err(error)) => {
                steps.push(Step::fail("name", error).at(&shown));
                return steps;
            }
            Err(_) => {
                steps.push(Step::fail("name", slow_resolver(&shown, allowed)).at(&shown));
                return steps;
            }
        }
    }
    let connected = match dialer.proxy(host) {
        Some(_) => "connected, by the proxy",
        None => "connected",
    };
    match connect(dialer, server).await {
        Ok(_) => steps.push(Step::ok("tcp", connected).at(&shown)),
        Err(error) => {
            steps.push(Step::fail("tcp", error).at(&shown));
            return steps;
        }
    }
    let step = match client.connect(server).await {
        Ok((_, seen)) => shown_certificate(&seen),
        Err(error) => Step::fail("tls", error),
    };
    steps.push(step.at(&shown));
    steps
}

fn slow_resolver(host: &str, allowed: Duration) -> Error {
    Error::new(
        Kind::TimedOut,
        format!("the name of {host} did not resolve within {allowed:?}"),
    )
    .hint("does this computer's DNS server answer? --resolve HOST:PORT:ADDRESS goes without it")
    .host(host)
}

/// What the server showed in a handshake that went well.
fn shown_certificate(seen: &HandshakeNotes) -> Step {
    let facts = seen.leaf().and_then(|leaf| certificate_facts(&leaf).ok());
    let Some(facts) = facts else {
        return Step::ok("tls", "the handshake went well");
    };
    let detail = format!(
        "{}, issued by {}, valid until {}",
        facts.subject, facts.issuer, facts.not_after
    );
    if facts.not_after.as_second() - Timestamp::now().as_second() < EXPIRES_SOON_SECONDS {
        return Step::warn(
            "tls",
            format!("{detail}: less than 14 days"),
            Some("renew the node's certificate in ISE: Administration > System > Certificates"),
        );
    }
    if seen.we_have_certificate() && !seen.asked_for_certificate() {
        return Step::warn(
            "tls",
            format!("{detail}; the server did not ask for a client certificate"),
            Some(
                "is this a pxGrid node, and the pxGrid port (8910)? Without it ISE knows us by password only",
            ),
        );
    }
    Step::ok("tls", detail)
}
