//! What a user types. The folders mirror the command path: `netapi ise mnt sessions` is
//! `cli/ise/mnt/sessions.rs`; each leaf holds its arguments, its columns and its `run`, nothing
//! else.
//!
//! This is the only room that knows all the others, and the only one that writes to standard output
//! and standard error.

mod alias;
mod bulk;
mod change_under_way;
mod completion;
mod config;
mod context;
mod deployments;
#[doc = include_str!("contract.md")]
mod contract {}
mod command_effects;
mod deferred;
mod filters;
mod foreign_command;
mod global;
mod help;
mod input;
mod ise;
mod licenses;
mod long_running;
mod man;
mod pager;
mod pxgrid_context;
mod report;
mod state_directory;
mod stderr;
mod suggestions;
mod version;

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Kind, Result};
pub(crate) use context::Context;
pub(crate) use deferred::Deferred;
use foreign_command::Outside;
use global::Global;
use stderr::Stderr;

/// Cisco ISE from the command line: who is on the network, why not, quarantine it
#[derive(Parser, Debug)]
#[command(
    name = "netapi",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "\
Examples:
  netapi ise lab run -- netapi ise mnt sessions   # without an ISE
  netapi ise mnt explain C8:5B:76:C6:59:62        # why was it refused?
  netapi ise pxgrid anc apply --mac C8:5B:76:C6:59:62 --policy Quarantine",
    after_help = "Help topics: netapi help environment | files | exit-codes | formats |
             filters | callbacks"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Cisco ISE: the Monitoring node, pxGrid, a lab to try it with
    #[command(subcommand)]
    Ise(Deferred<ise::Ise>),
    /// The settings: what is in force and where each value came from
    #[command(subcommand)]
    Config(Deferred<config::Config>),
    /// Short names for command lines
    #[command(subcommand)]
    Alias(Deferred<alias::Alias>),
    /// Print or install the completion script of a shell
    Completion(Deferred<completion::Completion>),
    /// Print the man page, or write all pages into a directory
    Man(Deferred<man::Man>),
    /// What this program was built from and with
    Version(Deferred<version::Version>),
    /// The licences of everything in this program
    Licenses(Deferred<licenses::Licenses>),
    /// Help on a command or a topic
    Help(Deferred<help::Help>),
}

/// Every command with its arguments and its help, as the program parses with it.
pub fn command_tree() -> clap::Command {
    help::layout::laid_out(deferred::whole(Cli::command))
}

/// Parses `args`, runs the command, reports what went wrong and gives the exit status.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    if let Some(code) = completion::answer(args) {
        return code;
    }
    let mut line = Cow::Borrowed(args);
    let mut used = Vec::new();
    let (path, cli) = loop {
        let error = match parse(&mut Cli::command(), &line) {
            Ok(parsed) => break parsed,
            Err(error) => error,
        };
        let found = match error.kind() {
            clap::error::ErrorKind::InvalidSubcommand => foreign_command::find(&line, &used),
            _ => Ok(None),
        };
        let ended = match found {
            Ok(Some(Outside::Alias(name, expanded))) => {
                used.push(name);
                line = Cow::Owned(expanded);
                continue;
            }
            Ok(Some(Outside::Program(program))) => program.run(),
            Ok(None) => return refuse(error, &line),
            Err(error) => Err(error),
        };
        return ended.unwrap_or_else(|error| report::refused(&error, &line));
    };
    let stderr = Stderr::default();
    stderr.keep_panics_in_order();
    let reporter = report::Reporter::new(&cli.global, stderr.clone());
    let jq = cli.global.jq.is_some();
    let command = || match deployments::named(&path, &cli.global)? {
        Some(names) => deployments::ask(&path, &names, &cli.global, &line, &stderr),
        None => dispatch(&path, cli, stderr),
    };
    let outcome = if jq {
        on_a_large_stack(command)
    } else {
        command()
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let code = reporter.end(&error);
            if let Kind::Stopped(signal) = error.kind() {
                long_running::end_by(signal);
            }
            code
        }
    }
}

/// Parses a command line: the words of the command, and what was given.
fn parse(tree: &mut clap::Command, line: &[OsString]) -> clap::error::Result<(String, Cli)> {
    let matches = tree.try_get_matches_from_mut(line)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let Command::Ise(command) = &mut cli.command {
        command.0.take_own(&mut cli.global);
    }
    Ok((command_effects::path(&matches), cli))
}

/// Help, the version, or what is wrong with a command line. Help is laid out only here, because
/// that takes as long as all else that a start needs.
fn refuse(error: clap::Error, line: &[OsString]) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayVersion {
        return report::usage(error, &clap::Command::new("netapi"), line);
    }
    let mut tree = command_tree();
    let error = parse(&mut tree, line).err().unwrap_or(error);
    report::usage(error, &tree, line)
}

/// Runs the command where `--jq` has room: its evaluator calls itself for each level of a value.
fn on_a_large_stack(command: impl FnOnce() -> Result<ExitCode> + Send) -> Result<ExitCode> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("main".to_owned())
            .stack_size(crate::render::JQ_STACK)
            .spawn_scoped(scope, command);
        let running = thread.map_err(|error| {
            Error::new(Kind::Failed, format!("cannot start --jq: {error}"))
                .hint("leave out --jq and pipe --json through jq")
        })?;
        running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn dispatch(path: &str, cli: Cli, stderr: Stderr) -> Result<ExitCode> {
    let Cli { global, command } = cli;
    match command {
        Command::Ise(Deferred(command)) => {
            let context = Context::new(global, stderr)?;
            command_effects::check(path, &context)?;
            command.run(&context)
        }
        Command::Config(Deferred(command)) => command.run(&global, stderr),
        Command::Alias(Deferred(command)) => command.run(&global, stderr),
        Command::Completion(Deferred(command)) => command.run(&global, stderr),
        Command::Man(Deferred(command)) => command.run(),
        Command::Version(_) => {
            version::Version::run(&Context::new(global, stderr)?)?;
            Ok(context::DONE)
        }
        Command::Licenses(_) => {
            licenses::Licenses::run(&Context::new(global, stderr)?)?;
            Ok(context::DONE)
        }
        Command::Help(Deferred(command)) => command.run(global.no_pager),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_sound() {
        super::deferred::whole(super::Cli::command).debug_assert();
    }

    /// clap would wrap a longer line at the terminal's width, and a wrapped example breaks when it
    /// is pasted.
    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        fn walk(command: &clap::Command, long: &mut Vec<String>) {
            let text = command
                .get_before_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            long.extend(
                text.lines()
                    .filter(|line| line.chars().count() > 79)
                    .map(|line| format!("{}: {line}", command.get_name())),
            );
            for inner in command.get_subcommands() {
                walk(inner, long);
            }
        }
        let mut long = Vec::new();
        walk(&super::command_tree(), &mut long);
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    #[test]
    fn no_argument_of_a_command_takes_the_name_of_a_global_option() {
        fn walk(command: &clap::Command, globals: &[String]) {
            for argument in command.get_arguments() {
                let name = argument.get_id().to_string();
                assert!(!globals.contains(&name), "{} {name}", command.get_name());
            }
            for inner in command.get_subcommands() {
                walk(inner, globals);
            }
        }
        let root = super::deferred::whole(super::Cli::command);
        let globals: Vec<String> = root
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect();
        assert!(globals.iter().any(|name| name == "json"));
        for command in root.get_subcommands() {
            walk(command, &globals);
        }
    }
}
