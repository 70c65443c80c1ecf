//! What each command does to the network, and whether `--format xml` is for it: a table over the
//! command tree, looked at once, before a command runs. A test walks the tree, so that no new
//! command is without a row.
//!
//! What depends on arguments is not here: an operation that `call` names, a list of endpoints that
//! joins many documents.

use super::Context;
use crate::error::{Error, Kind, Result};
use crate::transport::refused_by_read_only;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It only reads, or what it does is on this computer and `--read-only` does not mean it.
    Reads,
    /// It changes something: `--read-only` refuses it. What it changes, for the message.
    Changes(&'static str),
    /// The operation it is given says so; the command asks the catalogue.
    ByOperation,
}

/// What `--format xml` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Xml {
    /// The document as the server sent it; with some arguments there is none, and the command says
    /// so.
    AsSent,
    /// There is no one document; why.
    Refused(&'static str),
    /// It prints no records.
    NoRecords,
}

/// One command.
#[derive(Debug)]
struct Rule {
    /// The words after `netapi`.
    path: &'static str,
    effect: Effect,
    xml: Xml,
}

const NETWORK: Effect = Effect::Changes("the network");
const DATA_CONNECT: Effect = Effect::Changes("Data Connect");
const DATABASE: Xml = Xml::Refused("Data Connect answers with rows and JSON");
const JSON: Xml = Xml::Refused("pxGrid answers in JSON");

const SNAPSHOT: Xml = Xml::Refused("snapshots are kept as JSON");

const fn rule(path: &'static str, effect: Effect, xml: Xml) -> Rule {
    Rule { path, effect, xml }
}

const RULES: &[Rule] = &[
    rule("ise mnt version", Effect::Reads, Xml::AsSent),
    rule("ise mnt count", Effect::Reads, Xml::AsSent),
    rule("ise mnt sessions", Effect::Reads, Xml::AsSent),
    rule("ise mnt session", Effect::Reads, Xml::AsSent),
    rule("ise mnt auth-list", Effect::Reads, Xml::AsSent),
    rule("ise mnt auth-status", Effect::Reads, Xml::AsSent),
    rule("ise mnt acct-status", Effect::Reads, Xml::AsSent),
    rule("ise mnt failure-reasons", Effect::Reads, Xml::AsSent),
    rule(
        "ise mnt explain",
        Effect::Reads,
        Xml::Refused("this command joins three documents"),
    ),
    rule(
        "ise mnt coa",
        NETWORK,
        Xml::Refused("this command joins two documents"),
    ),
    rule(
        "ise mnt delete",
        Effect::Changes("the session directory"),
        Xml::AsSent,
    ),
    rule(
        "ise mnt watch",
        Effect::Reads,
        Xml::Refused("this command compares documents"),
    ),
    rule("ise mnt get", Effect::Reads, Xml::AsSent),
    rule("ise pxgrid test", Effect::Reads, JSON),
    rule(
        "ise pxgrid account create",
        Effect::Changes("the accounts of ISE"),
        JSON,
    ),
    rule("ise pxgrid account activate", Effect::Reads, JSON),
    rule("ise pxgrid account show", Effect::Reads, JSON),
    rule("ise pxgrid services", Effect::Reads, JSON),
    rule("ise pxgrid sessions", Effect::Reads, JSON),
    rule("ise pxgrid session", Effect::Reads, JSON),
    rule("ise pxgrid groups", Effect::Reads, JSON),
    rule("ise pxgrid subscribe", Effect::Reads, JSON),
    #[cfg(feature = "nats")]
    rule("ise pxgrid worker", Effect::Reads, JSON),
    rule("ise pxgrid dead-letters list", Effect::Reads, JSON),
    rule(
        "ise pxgrid dead-letters retry",
        Effect::Changes("the file"),
        JSON,
    ),
    rule(
        "ise pxgrid dead-letters drop",
        Effect::Changes("the file"),
        JSON,
    ),
    #[cfg(feature = "nats")]
    rule("ise pxgrid fleet status", Effect::Reads, JSON),
    #[cfg(feature = "nats")]
    rule("ise pxgrid fleet dead list", Effect::Reads, JSON),
    #[cfg(feature = "nats")]
    rule(
        "ise pxgrid fleet dead retry",
        Effect::Changes("the stream of dead letters"),
        JSON,
    ),
    #[cfg(feature = "nats")]
    rule(
        "ise pxgrid fleet permissions",
        Effect::Reads,
        Xml::NoRecords,
    ),
    rule("ise pxgrid anc policies", Effect::Reads, JSON),
    rule("ise pxgrid anc policy", Effect::Reads, JSON),
    rule("ise pxgrid anc create", NETWORK, JSON),
    rule("ise pxgrid anc delete", NETWORK, JSON),
    rule("ise pxgrid anc endpoints", Effect::Reads, JSON),
    rule("ise pxgrid anc endpoint", Effect::Reads, JSON),
    rule("ise pxgrid anc apply", NETWORK, JSON),
    rule("ise pxgrid anc clear", NETWORK, JSON),
    rule("ise pxgrid anc status", Effect::Reads, JSON),
    rule("ise pxgrid trustsec groups", Effect::Reads, JSON),
    rule("ise pxgrid trustsec acls", Effect::Reads, JSON),
    rule("ise pxgrid trustsec policies", Effect::Reads, JSON),
    rule("ise pxgrid trustsec matrices", Effect::Reads, JSON),
    rule("ise pxgrid trustsec networks", Effect::Reads, JSON),
    rule("ise pxgrid sxp bindings", Effect::Reads, JSON),
    rule("ise pxgrid radius failures", Effect::Reads, JSON),
    rule("ise pxgrid radius failure", Effect::Reads, JSON),
    rule("ise pxgrid profiler profiles", Effect::Reads, JSON),
    rule("ise pxgrid mdm endpoints", Effect::Reads, JSON),
    rule("ise pxgrid system health", Effect::Reads, JSON),
    rule("ise pxgrid system performance", Effect::Reads, JSON),
    rule("ise pxgrid endpoints", Effect::Reads, JSON),
    rule("ise pxgrid posture macs", Effect::Reads, JSON),
    rule("ise pxgrid posture data", Effect::Reads, JSON),
    rule("ise pxgrid publish", NETWORK, JSON),
    rule("ise pxgrid call", Effect::ByOperation, JSON),
    rule(
        "ise who",
        Effect::Reads,
        Xml::Refused("this command joins two interfaces"),
    ),
    rule("ise snapshot", Effect::Reads, SNAPSHOT),
    rule("ise snapshot list", Effect::Reads, SNAPSHOT),
    rule("ise diff", Effect::Reads, SNAPSHOT),
    rule(
        "ise failures",
        Effect::Reads,
        Xml::Refused("this command counts failures"),
    ),
    rule(
        "ise nodes",
        Effect::Reads,
        Xml::Refused("this command joins two interfaces"),
    ),
    rule(
        "ise report",
        Effect::Reads,
        Xml::Refused("a report joins many documents"),
    ),
    rule(
        "ise wait",
        Effect::Reads,
        Xml::Refused("this command asks many times"),
    ),
    rule("ise top", Effect::Reads, Xml::NoRecords),
    rule(
        "ise doctor",
        Effect::Reads,
        Xml::Refused("doctor asks many things"),
    ),
    rule("ise dc history", Effect::Reads, DATABASE),
    rule("ise dc failures", Effect::Reads, DATABASE),
    rule("ise dc endpoints", Effect::Reads, DATABASE),
    rule("ise dc live", Effect::Reads, DATABASE),
    rule("ise dc last", Effect::Reads, DATABASE),
    rule("ise dc sql", Effect::Reads, DATABASE),
    rule("ise dc views", Effect::Reads, DATABASE),
    rule("ise dc status", Effect::Reads, DATABASE),
    rule("ise dc enable", DATA_CONNECT, DATABASE),
    rule("ise dc disable", DATA_CONNECT, DATABASE),
    rule("ise dc password", DATA_CONNECT, DATABASE),
    rule("ise dc expiry", DATA_CONNECT, DATABASE),
    rule("ise lab run", Effect::Reads, Xml::NoRecords),
    rule("ise lab up", Effect::Reads, Xml::NoRecords),
    rule("ise lab down", Effect::Reads, Xml::NoRecords),
    rule("ise lab faults", Effect::Reads, Xml::NoRecords),
    rule("config show", Effect::Reads, Xml::NoRecords),
    rule("config path", Effect::Reads, Xml::NoRecords),
    rule("config init", Effect::Reads, Xml::NoRecords),
    rule("config profiles", Effect::Reads, Xml::NoRecords),
    rule("config use", Effect::Reads, Xml::NoRecords),
    rule("config set", Effect::Reads, Xml::NoRecords),
    rule("alias list", Effect::Reads, Xml::NoRecords),
    rule("alias set", Effect::Reads, Xml::NoRecords),
    rule("alias remove", Effect::Reads, Xml::NoRecords),
    rule("completion", Effect::Reads, Xml::NoRecords),
    rule("man", Effect::Reads, Xml::NoRecords),
    rule("version", Effect::Reads, Xml::NoRecords),
    rule("licenses", Effect::Reads, Xml::NoRecords),
    rule("help", Effect::Reads, Xml::NoRecords),
];

/// The words of the command that was given, without options and values: `ise mnt count`.
pub(super) fn path(matches: &clap::ArgMatches) -> String {
    let mut words = Vec::new();
    let mut at = matches;
    while let Some((name, inner)) = at.subcommand() {
        words.push(name);
        at = inner;
    }
    words.join(" ")
}

/// Whether several deployments can be asked with one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Across {
    /// They can.
    All,
    /// One at a time; why, after the command's name.
    One(&'static str),
}

/// Commands that read, and all the same are one deployment's.
const OF_ONE_DEPLOYMENT: [(&str, &str); 7] = [
    ("ise report", "writes the page of one deployment"),
    ("ise snapshot", "writes the list of one deployment"),
    ("ise diff", "compares lists of one deployment"),
    ("ise mnt watch", "goes on until it is stopped"),
    ("ise top", "is the screen of one deployment"),
    ("ise pxgrid subscribe", "goes on until it is stopped"),
    ("ise pxgrid account activate", "activates one account"),
];

/// Whether `path` can ask several deployments.
pub(super) fn across(path: &str) -> Across {
    let here = [
        "ise lab ",
        "ise pxgrid dead-letters ",
        "ise pxgrid fleet ",
        "ise pxgrid worker",
        "ise snapshot list",
    ];
    if !path.starts_with("ise ") || here.iter().any(|branch| path.starts_with(branch)) {
        return Across::One("asks no deployment");
    }
    let found = OF_ONE_DEPLOYMENT.iter().find(|(one, _)| *one == path);
    if let Some((_, why)) = found {
        return Across::One(why);
    }
    match RULES.iter().find(|rule| rule.path == path) {
        Some(rule) if matches!(rule.effect, Effect::Changes(_)) => {
            Across::One("changes a deployment")
        }
        _ => Across::All,
    }
}

/// Refuses a command that `--read-only` or `--format xml` does not go with.
pub(super) fn check(path: &str, context: &Context) -> Result<()> {
    let rule = RULES.iter().find(|rule| rule.path == path).ok_or_else(|| {
        Error::new(
            Kind::Failed,
            format!("nothing is known of what `{path}` changes"),
        )
    })?;
    if let Xml::Refused(why) = rule.xml {
        context.refuse_xml(why)?;
    }
    if let Effect::Changes(what) = rule.effect {
        // `ise` and its branch say nothing that the command itself does not.
        let name = path.splitn(3, ' ').last().unwrap_or(path);
        require_change_allowed(context, || format!("{name} changes {what}"))?;
    }
    Ok(())
}

/// Refuses what `change` says (`coa changes the network`) under `--read-only`.
pub(super) fn require_change_allowed(
    context: &Context,
    change: impl FnOnce() -> String,
) -> Result<()> {
    if context.is_one_of_several() {
        return Err(super::deployments::one_for(&change()));
    }
    if context.settings.read_only()? {
        return Err(refused_by_read_only(&change()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        let inner: Vec<_> = command.get_subcommands().collect();
        if !command.is_arg_required_else_help_set() {
            assert!(found.insert(path.to_owned()));
        }
        for one in inner {
            let path = format!("{path} {}", one.get_name());
            leaves(one, path.trim_start(), found);
        }
    }

    #[test]
    fn every_command_has_one_rule_and_every_rule_a_command() {
        let mut commands = BTreeSet::new();
        leaves(&crate::cli::command_tree(), "", &mut commands);
        if !cfg!(feature = "lab") {
            let lab = RULES.iter().map(|rule| rule.path);
            commands.extend(
                lab.filter(|path| path.starts_with("ise lab "))
                    .map(str::to_owned),
            );
        }
        let rules: BTreeSet<String> = RULES.iter().map(|rule| rule.path.to_owned()).collect();
        assert_eq!(rules, commands);
        assert_eq!(RULES.len(), rules.len(), "a command has two rules");
    }

    #[test]
    fn what_is_of_one_deployment_is_a_command_that_reads() {
        for (path, _) in OF_ONE_DEPLOYMENT {
            let rule = RULES.iter().find(|rule| rule.path == path);
            assert_eq!(rule.map(|rule| rule.effect), Some(Effect::Reads), "{path}");
        }
    }

    /// A command whose operation the catalogue calls a change cannot be called a reading one here.
    #[test]
    fn words_that_change_are_changes() {
        for rule in RULES {
            let last = rule.path.rsplit(' ').next().unwrap();
            let changing = [
                "coa", "delete", "create", "apply", "clear", "publish", "drop", "retry", "enable",
                "disable", "password", "expiry",
            ];
            let changes = matches!(rule.effect, Effect::Changes(_));
            assert_eq!(changes, changing.contains(&last), "{}", rule.path);
        }
    }

    #[test]
    fn the_path_is_without_options_and_values() {
        let given = ["netapi", "--json", "ise", "mnt", "count", "--posture"];
        let matches = crate::cli::command_tree().try_get_matches_from(given);
        assert_eq!(path(&matches.unwrap()), "ise mnt count");
    }
}
