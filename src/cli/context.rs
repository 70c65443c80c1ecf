//! What a command is given: settings, clients made when first asked for, a renderer for its
//! columns, and ways to say something on standard error.
//!
//! Commands that need no server (help, lab, completion) never ask, so nothing they do not need can
//! stop them.

mod output_style;
mod record_output;

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal, Read, Stdout, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use self::output_style::{environment_allows_color, style};
use self::output_style::{terminal_width, width_from_environment};
pub(crate) use self::record_output::RecordOutput;
use super::deployments::Deployment;
use super::global::{Global, Layout};
use super::pager::PagedOutput;
use super::report::Reporter;
use super::stderr::Stderr;
use crate::error::{Error, Kind, Result, from_output};
use crate::files;
use crate::mnt::{MntClient, Requests};
use crate::record::{Record, RecordSink};
use crate::render::{Columns, Format, Progress, Renderer, Shape, Style};
use crate::settings::{Connection, Environment, MntSettings, Settings};
use crate::transport::{Basic, Client, ClientOptions, Sending, TlsOptions};

/// See the module's documentation.
pub(crate) struct Context {
    /// The options as typed.
    pub global: Global,
    /// The settings with their sources.
    pub settings: Settings,
    /// Errors and notices; all that this command says on standard error goes through it.
    pub reporter: Reporter,
    /// How to print, with the facts of this terminal.
    style: Style,
    /// Warnings said so far.
    said: Mutex<HashSet<String>>,
    /// Which of several deployments this one asks.
    deployment: Option<Deployment>,
}

impl Context {
    /// Captures the environment and resolves the settings, without asking for any of them. How to
    /// print is checked here, for every command before it sends anything.
    pub(crate) fn new(global: Global, stderr: Stderr) -> Result<Self> {
        let style = style(&global)?;
        Self::with_style(global, style, stderr)
    }

    /// The same for one of several deployments, whose profile is named in `global`.
    pub(super) fn of(global: Global, stderr: Stderr, deployment: Deployment) -> Result<Self> {
        let style = deployment.style();
        let mut context = Self::with_style(global, style, stderr)?;
        context.reporter = context.reporter.of(deployment.name());
        context.deployment = Some(deployment);
        Ok(context)
    }

    fn with_style(global: Global, style: Style, stderr: Stderr) -> Result<Self> {
        let settings = Settings::resolve(global.flags(), Environment::capture());
        if global.trace {
            super::report::start_trace(stderr.clone());
        }
        crate::render::check(&style)?;
        Ok(Self {
            settings,
            reporter: Reporter::new(&global, stderr),
            global,
            style,
            said: Mutex::default(),
            deployment: None,
        })
    }

    /// Runs a command's future to its end on this thread; the threads that parse and print have
    /// room for `--jq`.
    pub(crate) fn run<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let stack = self.global.jq.is_some().then_some(crate::render::JQ_STACK);
        Self::to_its_end(stack, future)
    }

    /// The same without `--jq`.
    #[cfg(feature = "lab")]
    pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
        Self::to_its_end(None, future)
    }

    /// `stack`: how many bytes each thread for blocking work has; `None` for the usual.
    fn to_its_end<T>(stack: Option<usize>, future: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = crate::threads::runtime_with_stack(stack)?;
        // Behind `dyn`, a command's future is compiled once; without, once a flavour of runtime.
        let future: Pin<Box<dyn Future<Output = Result<T>>>> = Box::pin(future);
        let result = runtime.block_on(future);
        // A parser thread that waits for a slow server must not keep a finished command alive.
        runtime.shutdown_background();
        result
    }

    /// The client for the Monitoring node. Asks for a missing password.
    pub(crate) fn mnt(&self) -> Result<MntClient> {
        self.mnt_client(false)
    }

    /// The same; with `--dry-run` or `--curl`, what only reads is sent all the same (`coa
    /// --dry-run` may read the session, contract section 8).
    pub(crate) fn mnt_that_reads(&self) -> Result<MntClient> {
        self.mnt_client(self.global.dry_run)
    }

    fn mnt_client(&self, reads: bool) -> Result<MntClient> {
        let mnt = self.settings.mnt()?;
        let client = self.client(self.client_options(&mnt.connection, reads))?;
        Ok(mnt_over(client, mnt))
    }

    /// The client for settings that were fetched already, and the HTTP client below it, for whoever
    /// looks at the connection itself.
    pub(crate) fn mnt_with(&self, mnt: MntSettings) -> Result<(MntClient, Client)> {
        let client = self.client(self.client_options(&mnt.connection, false))?;
        Ok((mnt_over(client.clone(), mnt), client))
    }

    /// A client; says what is worth a word about the CA bundle.
    pub(super) fn client(&self, options: ClientOptions) -> Result<Client> {
        let client = Client::new(options)?;
        for note in client.notes() {
            self.warn_once(note);
        }
        Ok(client)
    }

    /// Says a warning, unless this command has said it already.
    pub(super) fn warn_once(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(text.to_owned()) {
            self.reporter.warn(text);
        }
    }

    /// How a client connects, without identity. Says the connection's warnings.
    pub(super) fn client_options(&self, connection: &Connection, reads: bool) -> ClientOptions {
        for warning in &connection.warnings {
            self.warn_once(warning);
        }
        let sending = if self.global.shows_only() {
            Sending::Show {
                curl: self.global.curl,
                reads,
                show: Arc::new(show),
            }
        } else {
            Sending::Everything
        };
        ClientOptions {
            tls: TlsOptions {
                ca: connection.ca.clone(),
                roots: Vec::new(),
                insecure: connection.insecure,
                verify_hostname: connection.verify_hostname,
                pin_sha256: connection.pin_sha256,
                identity: None,
            },
            overrides: connection.overrides.clone(),
            proxy: connection.proxy.clone(),
            connect_timeout: connection.connect_timeout,
            idle_timeout: connection.timeout,
            sending,
            read_only: connection.read_only,
            trace: self.global.trace,
            identity_files: None,
        }
    }

    /// Whether several deployments are asked.
    pub(crate) fn is_one_of_several(&self) -> bool {
        self.deployment.is_some()
    }

    /// Standard input, to its end; each of several deployments has the whole of it.
    pub(crate) fn stdin(&self) -> Result<Box<dyn BufRead>> {
        match &self.deployment {
            Some(deployment) => deployment.stdin(),
            None => Ok(Box::new(std::io::stdin().lock())),
        }
    }

    /// Standard input as text: a byte order mark is taken off, UTF-16 with one is read. `what`
    /// begins the messages.
    ///
    /// Errors: [`Kind::Usage`] for more than `most` bytes, and for what is no text.
    pub(crate) fn stdin_text(&self, what: &str, most: u64) -> Result<String> {
        let mut bytes = Vec::new();
        let read = self.stdin()?.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::usage(format!("cannot read standard input: {error}")))?;
        if bytes.len() as u64 > most {
            let most = most >> 20;
            return Err(Error::usage(format!("the {what} is over {most} MiB")));
        }
        let place = Path::new("standard input");
        Ok(files::text(&bytes, place, what)?.into_owned())
    }

    /// Whether a person looks at standard output.
    pub(crate) fn on_terminal() -> bool {
        std::io::stdout().is_terminal()
    }

    /// How to print, with the facts of this terminal.
    pub(crate) fn style(&self) -> Style {
        self.style.clone()
    }

    /// How wide the terminal is at any time; `None` where the user said how wide it is.
    pub(crate) fn width_now(&self) -> Option<fn() -> u16> {
        let fixed = self.global.format == Some(Layout::Wide) || width_from_environment().is_some();
        (!fixed).then_some(terminal_width)
    }

    /// A renderer on standard output, behind a progress line where a person waits for a long list
    /// of sessions.
    pub(crate) fn output(&self, columns: impl Into<Columns>, shape: Shape) -> Result<RecordOutput> {
        self.output_of("sessions", columns, shape)
    }

    /// The same for a list of other things, which the progress line calls `what`.
    pub(crate) fn output_of(
        &self,
        what: &'static str,
        columns: impl Into<Columns>,
        shape: Shape,
    ) -> Result<RecordOutput> {
        if let Some(deployment) = &self.deployment {
            return deployment
                .output(columns.into(), shape)
                .map(RecordOutput::Merged);
        }
        let renderer = Renderer::new(self.style(), columns, shape, self.paged())?;
        Ok(self.behind_progress(renderer.following(self.width_now()), what))
    }

    /// The same before something is changed: `--fields` and `--sort` are checked by the columns and
    /// `members`.
    pub(crate) fn output_of_changes(
        &self,
        what: &'static str,
        columns: impl Into<Columns>,
        members: &[&str],
    ) -> Result<RecordOutput> {
        let output = PagedOutput::direct();
        let renderer = Renderer::new(self.style(), columns, Shape::List, output)?;
        Ok(self.behind_progress(renderer.settled(members)?, what))
    }

    /// Whether what is printed is laid out by us for a person's eyes: neither a pipe nor a format
    /// or fields of the user's choice.
    pub(crate) fn shows_a_person(&self) -> bool {
        let style = &self.style;
        style.screen.terminal
            && matches!(style.format, None | Some(Format::Table))
            && style.jq.is_none()
            && style.fields.is_empty()
            && style.by.is_empty()
            && !style.name_only
            && !self.is_one_of_several()
    }

    /// Standard output, behind a pager where a person reads it.
    pub(crate) fn paged(&self) -> PagedOutput {
        PagedOutput::new(self.global.no_pager)
    }

    fn behind_progress(&self, renderer: Renderer<PagedOutput>, what: &'static str) -> RecordOutput {
        if !self.global.quiet && std::io::stderr().is_terminal() && !Self::on_terminal() {
            let progress = Progress::new(renderer, what, std::io::stderr());
            return RecordOutput::Watched(progress);
        }
        RecordOutput::Plain(renderer)
    }

    /// Ends a list that was streamed into `output`: the whole of it, or what came before
    /// `outcome`'s error.
    pub(crate) fn end_list<T>(
        &self,
        output: RecordOutput,
        outcome: Result<T>,
        nothing: &str,
    ) -> Result<T> {
        let mut renderer = match output {
            RecordOutput::Plain(renderer) => renderer,
            RecordOutput::Watched(progress) => progress.finish(),
            RecordOutput::Merged(output) => {
                let rows = output.end(outcome.is_ok());
                if outcome.is_ok() && rows == 0 && std::io::stderr().is_terminal() {
                    self.reporter.note(nothing);
                }
                return outcome;
            }
        };
        match outcome {
            Ok(end) => {
                let rows = renderer.finish()?;
                self.say_unknown(&renderer);
                self.say_limited(&renderer, rows);
                if rows == 0 && std::io::stderr().is_terminal() {
                    self.reporter.note(nothing);
                }
                Ok(end)
            }
            Err(error) => {
                renderer.broke_off()?;
                Err(error)
            }
        }
    }

    /// Prints records that are at hand.
    pub(crate) fn print(
        &self,
        records: &[Record],
        columns: impl Into<Columns>,
        shape: Shape,
        nothing: &str,
    ) -> Result<()> {
        self.refuse_xml("this one answers with no document")?;
        let columns = columns.into();
        if let Some(deployment) = &self.deployment {
            let mut output = deployment.output(columns, shape)?;
            for record in records {
                if let ControlFlow::Break(()) = output.record(record)? {
                    break;
                }
            }
            return self.end_list(RecordOutput::Merged(output), Ok(()), nothing);
        }
        let known = !columns.members.is_empty() || records.is_empty();
        let mut output = Renderer::new(self.style(), columns, shape, self.paged())?;
        if !known {
            // Nobody knows more of them than they are, and they are all here.
            let mut names: Vec<&str> = Vec::new();
            for name in records.iter().flat_map(Record::names) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            output = output.settled(&names)?;
        }
        output.begin(u64::try_from(records.len()).ok())?;
        for record in records {
            if let ControlFlow::Break(()) = output.record(record)? {
                break;
            }
        }
        let rows = output.finish()?;
        if rows == 0 && std::io::stderr().is_terminal() {
            self.reporter.note(nothing);
        }
        self.say_unknown(&output);
        self.say_limited(&output, rows);
        Ok(())
    }

    /// To a person: of how many rows `--limit` showed the first, or that nobody counted them.
    fn say_limited(&self, output: &Renderer<PagedOutput>, rows: u64) {
        if !Self::on_terminal() {
            return;
        }
        if let Some(all) = output.beyond_limit() {
            self.reporter
                .note(&format!("{rows} of {all} rows (--limit)"));
        } else if output.stopped_at_limit() {
            self.reporter.note(&format!(
                "the first {rows} rows; no more were read (--limit)"
            ));
        }
    }

    /// Names of `--fields` and `--sort` that stood in no record: what was printed is true, so it is
    /// a warning.
    fn say_unknown(&self, output: &Renderer<PagedOutput>) {
        for words in output.unknown_fields() {
            self.reporter.warn(&words);
        }
    }

    /// How the answer to a change will be printed; to be asked before anything is sent. `members`
    /// are those that are no columns.
    pub(crate) fn before_change(
        &self,
        columns: impl Into<Columns>,
        members: &[&str],
    ) -> Result<Renderer<Stdout>> {
        Renderer::new(self.style(), columns, Shape::Single, std::io::stdout())?.settled(members)
    }

    /// Prints the answer to a change. What cannot be printed as it was asked for is printed whole,
    /// because it may come only once.
    pub(crate) fn print_change(&self, output: Renderer<Stdout>, answer: &Record) -> Result<()> {
        let written = output.settled_by(answer).and_then(|mut output| {
            let _ = output.record(answer)?;
            output.finish()
        });
        let Err(error) = written else {
            return Ok(());
        };
        if !matches!(error.kind(), Kind::Usage | Kind::Expression) {
            return Err(error);
        }
        let style = Style {
            format: Some(self.global.chosen_format().unwrap_or(Format::Json)),
            fields: Vec::new(),
            sort: None,
            jq: None,
            ..self.style()
        };
        let mut whole = Renderer::new(style, &[][..], Shape::Single, std::io::stdout())?;
        let _ = whole.record(answer)?;
        whole.finish()?;
        Err(Error::new(Kind::Expression, error.message())
            .hint("it was carried out, and its whole answer is printed; do not repeat it"))
    }

    /// Prints the records of a document; with `--format xml` the document as it came.
    pub(crate) fn print_document(
        &self,
        records: &[Record],
        raw: &[u8],
        columns: impl Into<Columns>,
        shape: Shape,
        nothing: &str,
    ) -> Result<()> {
        let columns = columns.into();
        if self.print_xml(raw, columns.clone())? {
            return Ok(());
        }
        self.print(records, columns, shape, nothing)
    }

    /// Prints a document as it came, where `--format xml` asks for it. Whether it did.
    pub(crate) fn print_xml(&self, raw: &[u8], columns: impl Into<Columns>) -> Result<bool> {
        if self.global.chosen_format() != Some(Format::Xml) {
            return Ok(false);
        }
        let mut output = Renderer::new(self.style(), columns, Shape::Single, self.paged())?;
        output.raw(raw)?;
        output.finish()?;
        Ok(true)
    }

    /// The error for a format that a command cannot give.
    pub(crate) fn refuse_xml(&self, why: &str) -> Result<()> {
        if self.global.chosen_format() == Some(Format::Xml) {
            return Err(Error::usage(format!(
                "--format xml is the document as the server sent it; {why}"
            ))
            .hint("use --format json"));
        }
        Ok(())
    }
}

pub(super) fn mnt_over(client: Client, mnt: MntSettings) -> MntClient {
    let basic = Basic {
        user: mnt.user,
        password: mnt.password,
    };
    MntClient::new(client, Requests::new(mnt.node, basic))
}

/// Writes text to standard output.
pub(crate) fn write_out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| from_output(&error))
}

/// Shows a request instead of sending it. A closed pipe ends the command through the next write.
fn show(text: &str) {
    let _ = write_out(&format!("{}\n", text.trim_end()));
}

/// Success.
pub(crate) const DONE: ExitCode = ExitCode::SUCCESS;
