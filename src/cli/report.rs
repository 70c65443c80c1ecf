//! How errors and notices reach the user: one line and a `hint:` on standard error, or one JSON
//! object with `--json`. The exit status comes from the error's kind and from nowhere else.
//!
//! It chooses the words and makes them safe; `stderr` writes them.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Command;
use serde_json::json;

use super::context::environment_allows_color;
use super::deployments::DEPLOYMENT;
use super::global::Global;
use super::stderr::{Line, Stderr, StderrQueue};
use super::suggestions;
use crate::error::{Error, Kind};
use crate::sanitize::{is_unsafe, json_safe, terminal_safe, terminal_safe_lines};

/// Writes errors the way the options ask for.
#[derive(Clone)]
pub(crate) struct Reporter {
    json: bool,
    quiet: bool,
    stderr: Stderr,
    /// The deployment that all of it is about, where several are asked.
    deployment: Option<String>,
}

impl Reporter {
    /// For these options.
    pub(crate) fn new(global: &Global, stderr: Stderr) -> Self {
        Self {
            json: global.errors_as_json(),
            quiet: global.quiet,
            stderr,
            deployment: None,
        }
    }

    /// The same for what is said of one deployment of several.
    #[must_use]
    pub(crate) fn of(mut self, deployment: &str) -> Self {
        self.deployment = Some(deployment.to_owned());
        self
    }

    /// `campus: `, where several deployments are asked.
    fn place(&self) -> String {
        let name = self.deployment.as_ref();
        name.map(|name| format!("{name}: ")).unwrap_or_default()
    }

    /// An object with the deployment in front, where several are asked.
    fn placed(&self, name: &str, value: serde_json::Value) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        if let Some(deployment) = &self.deployment {
            object.insert(DEPLOYMENT.to_owned(), json!(deployment));
        }
        object.insert(name.to_owned(), value);
        serde_json::Value::Object(object)
    }

    /// Reports the error that ends the command, and gives the exit status.
    pub(crate) fn end(&self, error: &Error) -> ExitCode {
        // One without a message comes after the command's own last words.
        if !error.kind().is_quiet() && !error.message().is_empty() {
            self.error(error);
        }
        ExitCode::from(error.kind().exit_status())
    }

    /// Reports an error: the one that ends the command, or that of one item of a bulk run.
    pub(crate) fn error(&self, error: &Error) {
        if self.json {
            let mut object = serde_json::Map::new();
            object.insert("kind".into(), json!(error.kind().name()));
            object.insert("message".into(), json!(error.message()));
            for (name, value) in [
                ("hint", error.hint_text().map(|text| json!(text))),
                ("host", error.host_name().map(|text| json!(text))),
                ("status", error.http_status().map(|status| json!(status))),
                (
                    "answer",
                    error
                        .answer_text()
                        .and_then(|text| serde_json::from_str(text).ok()),
                ),
            ] {
                if let Some(value) = value {
                    object.insert(name.into(), value);
                }
            }
            object.insert("exitCode".into(), json!(error.kind().exit_status()));
            self.json_line(&self.placed("error", serde_json::Value::Object(object)));
            return;
        }
        self.line(&format!("netapi: {}{}", self.place(), error.message()));
        if let Some(hint) = error.hint_text() {
            self.line(&format!("hint: {hint}"));
        }
    }

    /// From now on a panic in `library` (a part of the paths of its sources) is reported as
    /// `error`: its own words help nobody.
    pub(crate) fn report_panics_in(&self, library: &'static str, error: Error) {
        let usual = std::panic::take_hook();
        let reporter = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            if panic
                .location()
                .is_some_and(|at| at.file().contains(library))
            {
                reporter.error(&error);
                // Unless this build unwinds, it is the end.
                reporter.stderr.wait_a_moment();
            } else {
                usual(panic);
            }
        }));
    }

    /// Says something that is no error: a warning, an empty list, a step taken.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            self.line(&format!("{}{text}", self.place()));
        }
    }

    /// Says a warning, also where errors are JSON.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            self.json_line(&self.placed("warning", json!(text)));
        } else {
            self.line(&format!("warning: {}{text}", self.place()));
        }
    }

    /// Says a step of something that goes on for long, also where errors are JSON.
    pub(crate) fn step(&self, text: &str) {
        if self.quiet {
            return;
        }
        let worded = |text: &str| {
            if self.json {
                json_safe(&self.placed("notice", json!(text)).to_string()).into_owned()
            } else {
                terminal_safe(&format!("{}{text}", self.place())).into_owned()
            }
        };
        self.stderr.say(&worded(text), Line::Step);
    }

    /// From now on standard error is written by a thread of its own; see [`StderrQueue`].
    pub(crate) fn start_queue(&self) -> StderrQueue {
        let json = self.json;
        self.stderr.start_queue(Box::new(move |left_out| {
            let lines = match left_out.output {
                0 => String::new(),
                lines => format!(", {lines} lines of callbacks"),
            };
            let text = format!(
                "not said, since nobody read standard error: {} steps{lines}",
                left_out.steps
            );
            if json {
                json!({ "notice": text }).to_string()
            } else {
                text
            }
        }))
    }

    /// Says figures: `text` for people, `figures` under the name `name` where errors are JSON.
    pub(crate) fn figures(&self, name: &str, text: &str, figures: &serde_json::Value) {
        if self.quiet {
            return;
        }
        if self.json {
            self.json_line(&json!({ name: figures }));
        } else {
            self.line(text);
        }
    }

    /// Passes on a line of another program's output.
    pub(crate) fn pass_on(&self, text: &str) {
        self.stderr.say(&terminal_safe(text), Line::Output);
    }

    /// Writes a line of JSON that somebody wants to read again: only a terminal gets it made safe.
    pub(crate) fn data(&self, json: &str) {
        if std::io::stderr().is_terminal() {
            self.stderr.say(&json_safe(json), Line::Data);
        } else {
            self.stderr.say(json, Line::Data);
        }
    }

    /// Whether another dead letter has room on its way to standard error.
    pub(crate) fn has_room_for_data(&self) -> bool {
        self.stderr.has_room_for_data()
    }

    /// Waits until it has, or the end is in a hurry.
    pub(crate) fn wait_for_data_room(&self) {
        self.stderr.wait_for_data_room();
    }

    /// One line on standard error, safe for whatever reads it: a server's words cannot start a
    /// line of their own or steer a terminal.
    fn line(&self, text: &str) {
        self.stderr.say(&terminal_safe(text), Line::Report);
    }

    /// The same for JSON. Escapes are JSON's own: what is made safe must still be read.
    fn json_line(&self, value: &serde_json::Value) {
        self.stderr
            .say(&json_safe(&value.to_string()), Line::Report);
    }
}

/// A command line that clap refused, or `--help` and `--version`.
pub(crate) fn usage(mut error: clap::Error, tree: &Command, args: &[OsString]) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        let text = styled(&error, args, std::io::stdout().is_terminal());
        let no_pager = ours(args).iter().any(|word| *word == "--no-pager");
        return match super::pager::write_out(&text, no_pager) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let json = wants_json(args);
                early(json).end(&crate::error::from_output(&error))
            }
        };
    }
    if holds_content(args) {
        let json = wants_json(args);
        return early(json).end(
            &Error::usage(
                "an argument is the content of a file (-----BEGIN …) where the file's path is wanted",
            )
            .hint(
                "give the path; from a variable, in bash: --key <(printf '%s' \"$VARIABLE\")",
            ),
        );
    }
    suggestions::improve(&mut error, tree, ours(args));
    if wants_json(args) && error.kind() != DisplayHelpOnMissingArgumentOrSubcommand {
        let text = error.render().to_string();
        return early(true).end(&as_error(&text, tree, args));
    }
    let mut stderr = std::io::stderr();
    let text = styled(&error, args, stderr.is_terminal());
    let text = if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        text
    } else {
        in_our_name(&text)
    };
    // Standard error closed: there is nobody left to tell.
    let _ = write!(stderr, "{text}");
    ExitCode::from(Kind::Usage.exit_status())
}

/// An error before there is a command.
pub(super) fn refused(error: &Error, args: &[OsString]) -> ExitCode {
    early(wants_json(args)).end(error)
}

/// For a command line that was not understood, so that there is no context yet.
fn early(json: bool) -> Reporter {
    Reporter {
        json,
        quiet: false,
        stderr: Stderr::default(),
        deployment: None,
    }
}

/// Whether somebody wrote `--key "$(cat client.key)"`: clap's text would quote the key.
fn holds_content(args: &[OsString]) -> bool {
    let begin = b"-----BEGIN";
    let holds = |arg: &OsString| {
        let mut parts = arg.as_encoded_bytes().windows(begin.len());
        parts.any(|part| part == begin)
    };
    args.iter().any(holds)
}

/// clap's text as an error: its first paragraph, and its tip, else where help is.
fn as_error(text: &str, tree: &Command, args: &[OsString]) -> Error {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let mut lines = text.lines().map(str::trim);
    let message: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let error = Error::usage(message.join(" "));
    match lines.find_map(|line| line.strip_prefix("tip: ")) {
        Some(tip) => error.hint(tip),
        None => error.hint(format!(
            "see `{} --help`",
            suggestions::named(tree, ours(args)).1
        )),
    }
}

/// clap's message with the beginning that all our errors have. Only escape sequences may stand
/// before clap's own.
fn in_our_name(text: &str) -> String {
    text.replacen("error:", "netapi:", 1)
}

/// clap's text, in its colours where they are wanted. It quotes arguments, and a script may have
/// passed a stranger's name on: then it is made safe, and has no colours that would have to be told
/// from theirs.
fn styled(error: &clap::Error, args: &[OsString], terminal: bool) -> String {
    let text = error.render();
    let is_strange = |arg: &OsString| arg.to_string_lossy().chars().any(is_unsafe);
    if args.iter().any(is_strange) {
        return terminal_safe_lines(&text.to_string()).into_owned();
    }
    let colors = match option(args, "--color") {
        Some("always") => true,
        Some("never") => false,
        _ => terminal && environment_allows_color(),
    };
    if colors {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

/// Whether a command line that could not be parsed asks for JSON.
fn wants_json(args: &[OsString]) -> bool {
    ours(args).iter().any(|arg| arg == "--json")
        || matches!(option(args, "--format"), Some("json" | "jsonl"))
}

/// The value of an option on a command line that could not be parsed.
fn option<'a>(args: &'a [OsString], name: &str) -> Option<&'a str> {
    let ours = ours(args);
    let pairs = ours.windows(2);
    let apart = pairs.filter_map(|pair| match pair {
        [option, value] if option == name => value.to_str(),
        _ => None,
    });
    let joined = ours.iter().filter_map(|arg| {
        let rest = arg.to_str()?.strip_prefix(name)?;
        rest.strip_prefix('=')
    });
    apart.chain(joined).next()
}

/// What follows `--` is another program's.
fn ours(args: &[OsString]) -> &[OsString] {
    args.split(|arg| arg == "--").next().unwrap_or_default()
}

/// `--trace`: the transport's one line a request and answer on standard error.
pub(super) fn start_trace(stderr: Stderr) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || Trace(stderr.clone()))
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time();
    let only_ours = Targets::new().with_target("netapi", LevelFilter::TRACE);
    // A second start (config show inside another command) finds it in place already.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(only_ours)
        .try_init();
}

/// The trace's way to standard error.
struct Trace(Stderr);

impl Write for Trace {
    /// Takes a line, which comes whole.
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let entry = String::from_utf8_lossy(text);
        let entry = terminal_safe(entry.trim_end_matches('\n'));
        self.0.say(&entry, Line::Step);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
