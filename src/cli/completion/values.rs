//! The values that an argument can have, as far as the program or a server knows them.

use std::ffi::OsStr;

use clap::Arg;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::{Line, server};
use crate::cli::help::TOPICS;
use crate::cli::ise;
use crate::pxgrid::catalogue::{self, TopicName};

/// The argument, with what completes it.
pub(super) fn completed(argument: Arg, path: &str, line: &Line) -> Arg {
    let line = line.clone();
    match (path, argument.get_id().as_str()) {
        (_, "profile") => list(argument, move || {
            described(super::settings(&line).profiles().unwrap_or_default(), "")
        }),
        (_, "fields" | "by") => {
            let path = command(&line);
            list(argument, move || plain(ise::fields_of(&path)))
        }
        (_, "sort") => {
            let path = command(&line);
            argument.add(ArgValueCompleter::new(move |word: &OsStr| {
                sorts(word, &path)
            }))
        }
        ("ise pxgrid subscribe", "topics" | "topic") => list(argument, topics),
        ("ise pxgrid services", "name") | ("ise pxgrid call", "service") => {
            list(argument, services)
        }
        ("ise pxgrid call", "operation") => list(argument, move || operations(&line)),
        ("ise pxgrid anc apply" | "ise pxgrid anc", "policy")
        | ("ise pxgrid anc policy" | "ise pxgrid anc delete", "name") => {
            list(argument, move || plain(server::policies(&line)))
        }
        (_, "server" | "node") => list(argument, move || plain(server::nodes(&line))),
        #[cfg(feature = "lab")]
        (_, "faults") => list(argument, faults),
        ("config use", "name") => list(argument, move || {
            described(super::settings(&line).profiles().unwrap_or_default(), "")
        }),
        ("config set", "setting") => list(argument, || {
            plain(crate::settings::profile_keys().collect())
        }),
        ("help", "words") => list(argument, move || helps(&line)),
        _ => argument,
    }
}

/// Values that do not depend on what is typed, but for their beginning.
fn list(
    argument: Arg,
    values: impl Fn() -> Vec<CompletionCandidate> + Send + Sync + 'static,
) -> Arg {
    argument.add(ArgValueCompleter::new(move |word: &OsStr| {
        let beginning = word.as_encoded_bytes();
        let mut values = values();
        values.retain(|one| one.get_value().as_encoded_bytes().starts_with(beginning));
        values
    }))
}

fn plain<T: Into<std::ffi::OsString>>(values: Vec<T>) -> Vec<CompletionCandidate> {
    values.into_iter().map(CompletionCandidate::new).collect()
}

fn described(names: Vec<String>, about: &'static str) -> Vec<CompletionCandidate> {
    let one = |name: String| {
        let about = Some(about).filter(|about| !about.is_empty());
        CompletionCandidate::new(name).help(about.map(Into::into))
    };
    // A shell puts a name on the line as it is.
    let safe = names.into_iter().filter(|name| server::is_plain(name));
    safe.map(one).collect()
}

/// The words of the command that the line names: `ise mnt sessions`.
fn command(line: &Line) -> String {
    let tree = crate::cli::command_tree();
    let mut at = &tree;
    let mut path = Vec::new();
    for word in line.before.iter().skip(1) {
        if let Some(inner) = at.find_subcommand(word) {
            path.push(inner.get_name().to_owned());
            at = inner;
        }
    }
    path.join(" ")
}

/// Fields, after a hyphen too: descending.
fn sorts(word: &OsStr, path: &str) -> Vec<CompletionCandidate> {
    let word = word.to_string_lossy();
    let (hyphen, word) = match word.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", &*word),
    };
    let fields = ise::fields_of(path).into_iter();
    let fields = fields.filter(|field| field.starts_with(word));
    fields
        .map(|field| CompletionCandidate::new(format!("{hyphen}{field}")))
        .collect()
}

fn topics() -> Vec<CompletionCandidate> {
    let services = catalogue::SERVICES.iter();
    let topics =
        services.flat_map(|service| service.topics.iter().map(move |topic| (service, topic)));
    let known = topics.filter(|(_, topic)| TopicName::parse(topic.alias).is_some());
    known
        .map(|(service, topic)| {
            CompletionCandidate::new(topic.alias).help(Some(service.name.into()))
        })
        .collect()
}

fn services() -> Vec<CompletionCandidate> {
    let services = catalogue::SERVICES.iter();
    services
        .map(|service| CompletionCandidate::new(service.alias).help(Some(service.name.into())))
        .collect()
}

/// The operations of the service before them on the line.
fn operations(line: &Line) -> Vec<CompletionCandidate> {
    let words = line.before.iter().rev().filter_map(|word| word.to_str());
    let service = words.into_iter().find_map(catalogue::service);
    let operations = service.map_or(&[][..], |service| service.operations);
    plain(operations.iter().map(|operation| operation.name).collect())
}

#[cfg(feature = "lab")]
fn faults() -> Vec<CompletionCandidate> {
    let all = crate::lab::Fault::ALL.iter();
    all.map(|(_, name, what)| CompletionCandidate::new(*name).help(Some((*what).into())))
        .collect()
}

/// Topics first, then the commands at the place that the words before lead to.
fn helps(line: &Line) -> Vec<CompletionCandidate> {
    let tree = crate::cli::command_tree();
    let words = line
        .before
        .iter()
        .skip_while(|word| *word != "help")
        .skip(1);
    let mut at = Some(&tree);
    let mut first = true;
    for word in words {
        at = at.and_then(|command| command.find_subcommand(word));
        first = false;
    }
    let topics = TOPICS.iter().filter(|_| first);
    let topics =
        topics.map(|topic| CompletionCandidate::new(topic.name).help(Some(topic.about.into())));
    let commands = at.into_iter().flat_map(clap::Command::get_subcommands);
    let commands = commands.filter(|command| !command.is_hide_set());
    let commands = commands.map(|command| {
        CompletionCandidate::new(command.get_name()).help(command.get_about().cloned())
    });
    topics.chain(commands).collect()
}
