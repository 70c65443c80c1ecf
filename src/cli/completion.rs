//! Completion: `netapi completion SHELL` prints or installs a small script, which asks the program
//! itself at each Tab (clap_complete's dynamic engine). What it answers is made from the command
//! tree that the program parses with, and from `values`.

mod install;
mod server;
mod values;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::context::{DONE, write_out};
use super::global::Global;
use super::report::Reporter;
use super::stderr::Stderr;
use crate::error::{Error, Kind, Result};
use crate::settings::{ConfigFile, Environment, Flags, Settings};

/// The variable by which a shell's script asks.
const ASKED: &str = "COMPLETE";

/// The shells that there is a script for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// bash 4 or newer
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    #[value(alias = "pwsh")]
    Powershell,
    /// Elvish
    Elvish,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi completion bash --install
  netapi completion zsh --install
  netapi completion fish --install

Without --install the script is printed (fish: netapi completion fish | source).
It asks netapi at each Tab, so it need not be made anew. Names of policies and
nodes come from pxGrid, where it answers within a second, and are kept for a
minute. No password is asked for, and no command that prints one is run.")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
    /// Put the script where the shell looks for it
    #[arg(long)]
    install: bool,
}

impl Completion {
    /// Prints or installs the script.
    pub(crate) fn run(self, global: &Global, stderr: Stderr) -> Result<ExitCode> {
        let script = script(self.shell)?;
        if !self.install {
            write_out(&script)?;
            return Ok(DONE);
        }
        let installed = install::install(self.shell, &script, &install::Homes::capture()?)?;
        let reporter = Reporter::new(global, stderr);
        reporter.note(&format!("wrote {}", installed.file.display()));
        reporter.note(&installed.next);
        Ok(DONE)
    }
}

fn script(shell: Shell) -> Result<String> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut script = Vec::new();
    completer
        .write_registration(ASKED, "netapi", "netapi", "netapi", &mut script)
        .map_err(|error| Error::new(Kind::Failed, format!("cannot make the script: {error}")))?;
    String::from_utf8(script)
        .map_err(|_| Error::new(Kind::Failed, "the script is not UTF-8".to_owned()))
}

/// Answers a shell that asks what may come next; `None` where none asks. An error is no answer: a
/// message would stand in the middle of what is typed.
pub(super) fn answer(args: &[OsString]) -> Option<ExitCode> {
    let shell = std::env::var_os(ASKED)?;
    if shell.is_empty() || shell == "0" {
        return None;
    }
    let line = Line::of(args);
    let answered = CompleteEnv::with_factory(|| tree(&line))
        .completer("netapi")
        .try_complete(line.given.clone(), std::env::current_dir().ok().as_deref());
    Some(ExitCode::from(u8::from(answered.is_err())))
}

/// A command line that is being typed.
#[derive(Debug, Clone)]
struct Line {
    /// What the shell's script passed on: the program, `--`, the words.
    given: Vec<OsString>,
    /// The words before the one that is typed, the program's name first, those of an alias in its
    /// place.
    before: Vec<OsString>,
    /// The one that is typed.
    word: OsString,
    /// The aliases, each with the words that it stands for in the end.
    aliases: Vec<(String, Vec<String>)>,
}

impl Line {
    fn of(args: &[OsString]) -> Self {
        let index = std::env::var("_CLAP_COMPLETE_INDEX").ok();
        Self::at(args, index.and_then(|index| index.parse().ok()))
    }

    /// `index` is the place of the typed word, the last where a shell does not tell.
    fn at(args: &[OsString], index: Option<usize>) -> Self {
        let mut given = args.to_vec();
        let start = args.iter().position(|arg| arg == "--");
        let start = start.map_or(args.len(), |at| at + 1);
        let words = given.get_mut(start..).unwrap_or_default();
        leave_out_lab_run(words);
        let index = index.unwrap_or(words.len().saturating_sub(1));
        let before: Vec<OsString> = words.iter().take(index).cloned().collect();
        let word = words.get(index).cloned().unwrap_or_default();
        let mut line = Self {
            given,
            before,
            word,
            aliases: Vec::new(),
        };
        line.aliases = aliases(&line);
        let first = line.before.get(1).and_then(|word| word.to_str());
        let alias = line
            .aliases
            .iter()
            .find(|(name, _)| Some(name.as_str()) == first);
        if let Some((_, words)) = alias {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            line.before.splice(1..2, words);
        }
        line
    }

    /// Whether an option is being typed.
    fn is_option(&self) -> bool {
        self.word.as_encoded_bytes().starts_with(b"-")
    }

    /// The value that an option was given, as far as the line goes.
    fn option(&self, name: &str) -> Option<&str> {
        let mut words = self.before.iter().filter_map(|word| word.to_str());
        while let Some(word) = words.next() {
            if word == name {
                return words.next();
            }
            let rest = word.strip_prefix(name);
            if let Some(value) = rest.and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }
}

/// `netapi ise lab run … -- netapi WORDS` is completed as `netapi WORDS`. The engine counts words,
/// so those left out become a flag that changes nothing.
fn leave_out_lab_run(words: &mut [OsString]) {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|given| given == word);
    if !(is(1, "ise") && is(2, "lab") && is(3, "run")) {
        return;
    }
    let Some(end) = words.iter().position(|word| word == "--") else {
        return;
    };
    let program = words.get(end + 1).map(PathBuf::from);
    if program.as_deref().and_then(std::path::Path::file_name) == Some(OsStr::new("netapi"))
        && words.len() > end + 2
    {
        words
            .iter_mut()
            .take(end + 2)
            .skip(1)
            .for_each(|word| *word = "--json".into());
    }
}

/// The command tree with the values of its arguments. Options are offered only to who begins one,
/// or where nothing else can come.
fn tree(line: &Line) -> Command {
    let hides = !line.is_option();
    let tree = each(
        super::command_tree().disable_version_flag(hides),
        "",
        line,
        hides,
    );
    let with_aliases = |tree: Command, (name, words): &(String, Vec<String>)| {
        let known = tree.find_subcommand(name).is_some();
        match aliased(&tree, name, words) {
            Some(alias) if !known => tree.subcommand(alias),
            _ => tree,
        }
    };
    line.aliases.iter().fold(tree, with_aliases)
}

/// The command that an alias stands for, under the alias's name: the engine counts words, so that
/// its own cannot be put in its place.
fn aliased(tree: &Command, name: &str, words: &[String]) -> Option<Command> {
    let mut words = words
        .iter()
        .skip_while(|word| tree.find_subcommand(word).is_none());
    let mut command = tree.find_subcommand(words.next()?)?;
    for word in words {
        match command.find_subcommand(word) {
            Some(inner) => command = inner,
            None => break,
        }
    }
    // Names live as long as the program, which ends with its answer.
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let about = format!("{} (alias)", command.get_about().map(ToString::to_string)?);
    Some(command.clone().name(name).about(about))
}

/// The aliases of the configuration; one that leads to another has its words.
fn aliases(line: &Line) -> Vec<(String, Vec<String>)> {
    let file = settings(line)
        .config_path()
        .and_then(|path| ConfigFile::open(&path));
    let all = file.map(|file| file.aliases()).unwrap_or_default();
    let whole = |(name, words): &(String, Vec<String>)| {
        let mut words = words.clone();
        // A longer way leads in a circle.
        for _ in 0..all.len() {
            let next = words
                .first()
                .and_then(|first| all.iter().find(|(name, _)| name == first));
            match next {
                Some((_, further)) => {
                    words.splice(0..1, further.iter().cloned());
                }
                None => break,
            }
        }
        (name.clone(), words)
    };
    all.iter().map(whole).collect()
}

fn each(command: Command, path: &str, line: &Line, hides: bool) -> Command {
    // The engine would add one that is not hidden.
    let command = command.disable_help_flag(hides);
    let command = command.mut_args(|argument| {
        let argument = if hides && !argument.is_positional() {
            argument.hide(true)
        } else {
            argument
        };
        values::completed(argument, path, line)
    });
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        each(inner, path.trim_start(), line, hides)
    })
}

/// The settings that the line means.
fn settings(line: &Line) -> Settings {
    let flags = Flags {
        config: line.option("--config").map(PathBuf::from),
        profile: line.option("--profile").map(str::to_owned),
        no_input: true,
        ..Default::default()
    };
    Settings::resolve(flags, Environment::capture())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Line {
        let words = words.split(' ').map(OsString::from);
        let args: Vec<OsString> = [OsString::from("netapi"), "--".into()]
            .into_iter()
            .chain(words)
            .collect();
        Line::at(&args, None)
    }

    fn offered(words: &str) -> Vec<String> {
        let line = line(words);
        let words: Vec<OsString> = line.given.iter().skip(2).cloned().collect();
        let last = words.len() - 1;
        let found = clap_complete::engine::complete(&mut tree(&line), words, last, None).unwrap();
        let values = found.iter().map(|one| one.get_value().to_string_lossy());
        values.map(std::borrow::Cow::into_owned).collect()
    }

    #[test]
    fn subcommands_come_without_options_until_a_hyphen_is_typed() {
        let mnt = offered("netapi ise mnt ");
        assert!(mnt.contains(&"sessions".to_owned()), "{mnt:?}");
        assert!(!mnt.iter().any(|word| word.starts_with('-')), "{mnt:?}");
        let options = offered("netapi ise mnt sessions --n");
        assert!(options.contains(&"--nas".to_owned()), "{options:?}");
        assert_eq!(offered("netapi ise mnt coa -t re"), ["reauth"]);
        assert_eq!(offered("netapi ise pxgrid anc app"), ["apply"]);
    }

    #[test]
    fn values_are_the_programs_own() {
        let topics = offered("netapi ise pxgrid subscribe --topic ");
        assert!(topics.contains(&"session".to_owned()), "{topics:?}");
        assert_eq!(offered("netapi ise mnt count -o js"), ["json", "jsonl"]);
        assert_eq!(
            offered("netapi ise pxgrid call session getSessionBy"),
            ["getSessionByIpAddress", "getSessionByMacAddress"]
        );
        assert_eq!(offered("netapi ise pxgrid services sx"), ["sxp"]);
        assert_eq!(offered("netapi help form"), ["formats"]);
        assert_eq!(offered("netapi help ise mnt cou"), ["count"]);
        assert_eq!(
            offered("netapi ise mnt sessions --fields MAC,US"),
            ["MAC,USER"]
        );
        assert_eq!(offered("netapi ise mnt sessions --sort -US"), ["-USER"]);
        let fields = offered("netapi ise pxgrid sessions --fields posture");
        assert!(fields.contains(&"postureStatus".to_owned()), "{fields:?}");
    }

    #[cfg(feature = "lab")]
    #[test]
    fn what_runs_in_the_lab_is_completed_too() {
        let faults = offered("netapi ise lab run --fault overload");
        assert!(
            faults.iter().any(|fault| fault == "overload-502"),
            "{faults:?}"
        );
        assert_eq!(
            offered("netapi ise lab run --sessions 5 -- netapi ise mnt cou"),
            ["count"]
        );
    }

    #[test]
    fn files_are_offered_only_where_files_are_wanted() {
        fn walk(command: &Command, files: &mut Vec<String>) {
            for argument in command.get_arguments() {
                let hint = argument.get_value_hint();
                let takes_values = argument.get_action().takes_values();
                let path = !matches!(hint, clap::ValueHint::Unknown | clap::ValueHint::Other);
                let name = argument.get_value_names().unwrap_or_default();
                let name = name.first().map(ToString::to_string).unwrap_or_default();
                let mut parts = name.split('|');
                let wanted = parts.any(|part| ["FILE", "DIR", "SCRIPT"].contains(&part));
                if takes_values && path != wanted {
                    files.push(format!("{} {}", command.get_name(), argument.get_id()));
                }
            }
            command
                .get_subcommands()
                .for_each(|inner| walk(inner, files));
        }
        let mut files = Vec::new();
        let mut tree = tree(&line("netapi "));
        tree.build();
        walk(&tree, &mut files);
        assert!(files.is_empty(), "{files:?}");
    }
}
