//! What a mistyped or misplaced command line was near to: tips for a command line that clap
//! refused.
//!
//! A command is looked for in the whole tree, because most mistakes are a word left out. A name is
//! near when few letters differ; clap's own measure calls unlike names alike.

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Puts better tips into clap's error, or none.
pub(super) fn improve(error: &mut clap::Error, root: &Command, args: &[OsString]) {
    match error.kind() {
        ErrorKind::InvalidSubcommand => commands(error, root, args),
        ErrorKind::UnknownArgument => options(error, root, args),
        _ => {}
    }
}

/// The command that the line names as far as it does, and the words that lead to it.
pub(super) fn named<'a>(root: &'a Command, args: &[OsString]) -> (&'a Command, String) {
    let mut at = root;
    let mut path = root.get_name().to_owned();
    for word in args.iter().skip(1) {
        if let Some(inner) = at.find_subcommand(word) {
            at = inner;
            path.push(' ');
            path.push_str(at.get_name());
        }
    }
    (at, path)
}

fn commands(error: &mut clap::Error, root: &Command, args: &[OsString]) {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) else {
        return;
    };
    let wrong = wrong.clone();
    let (here, place) = named(root, args);
    let mut words = args.iter().filter_map(|word| word.to_str());
    let typed: Vec<&str> = std::iter::once(words.by_ref().find(|word| *word == wrong))
        .chain(words.map(Some))
        .map_while(|word| word.filter(|word| !word.starts_with('-')))
        .collect();
    error.remove(ContextKind::SuggestedSubcommand);
    let found = elsewhere(root, &place, &typed);
    if !found.is_empty() {
        return tips(error, &found);
    }
    let siblings = names(here).into_iter();
    let near = nearest(&wrong, siblings.map(|name| (name.clone(), name)));
    if !near.is_empty() {
        error.insert(
            ContextKind::SuggestedSubcommand,
            ContextValue::Strings(near),
        );
        return;
    }
    let paths = paths(root);
    let last = |path: &String| path.rsplit(' ').next().unwrap_or_default().to_owned();
    tips(
        error,
        &nearest(&wrong, paths.iter().map(|path| (last(path), path.clone()))),
    );
}

/// The commands whose path goes on with what was typed, wherever they are: `mnt sessions` is in
/// `netapi ise mnt sessions`. Those below `place` are preferred.
fn elsewhere(root: &Command, place: &str, typed: &[&str]) -> Vec<String> {
    let paths = paths(root);
    (1..=typed.len())
        .rev()
        .filter_map(|length| {
            let ending = format!(" {}", typed.get(..length)?.join(" "));
            let found = paths.iter().filter(|path| path.ends_with(&ending));
            let (below, others): (Vec<_>, Vec<_>) =
                found.cloned().partition(|path| path.starts_with(place));
            Some(if below.is_empty() { others } else { below })
        })
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn tips(error: &mut clap::Error, paths: &[String]) {
    /// More are no help.
    const MOST: usize = 4;
    if paths.is_empty() {
        return;
    }
    let quoted: Vec<String> = paths
        .iter()
        .take(MOST)
        .map(|path| format!("`{path}`"))
        .collect();
    let tip = StyledStr::from(format!("did you mean {}?", quoted.join(" or ")));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
}

fn options(error: &mut clap::Error, root: &Command, args: &[OsString]) {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    let Some(wrong) = wrong.strip_prefix("--").map(str::to_owned) else {
        return;
    };
    let (here, _) = named(root, args);
    let longs = here.get_arguments().filter(|one| !one.is_hide_set());
    let longs = longs.filter_map(|one| one.get_long());
    let near = nearest(
        &wrong,
        longs.map(|long| (long.to_owned(), format!("--{long}"))),
    );
    if error.remove(ContextKind::SuggestedArg).is_some() {
        // What clap took for near stands in its usage line too.
        let usage = here.clone().render_usage();
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    if let Some(near) = near.into_iter().next() {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(near));
    }
}

/// Those whose name is nearest to `wrong` and near at all: a third of its letters may differ.
fn nearest(wrong: &str, names: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let most = (wrong.chars().count() / 3).max(1);
    let mut best = most;
    let mut found = Vec::new();
    for (name, whole) in names {
        let differ = strsim::damerau_levenshtein(wrong, &name);
        if differ < best {
            best = differ;
            found.clear();
        }
        if differ == best {
            found.push(whole);
        }
    }
    found
}

fn names(command: &Command) -> Vec<String> {
    let shown = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set());
    shown.map(|inner| inner.get_name().to_owned()).collect()
}

/// The words of every command, shorter paths first.
fn paths(root: &Command) -> Vec<String> {
    fn walk(command: &Command, path: &str, found: &mut Vec<String>) {
        for inner in command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
        {
            let path = format!("{path} {}", inner.get_name());
            found.push(path.clone());
            walk(inner, &path, found);
        }
    }
    let mut found = Vec::new();
    walk(root, root.get_name(), &mut found);
    crate::order::sort_by_key(&mut found, |path| path.split(' ').count());
    found
}

#[cfg(test)]
mod tests {
    fn refused(words: &str) -> String {
        let args: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
        let mut root = crate::cli::command_tree();
        let mut error = root.try_get_matches_from_mut(&args).unwrap_err();
        super::improve(&mut error, &root, &args);
        error.to_string()
    }

    fn tip(words: &str) -> Option<String> {
        let text = refused(words);
        let mut tips = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("tip: "));
        tips.next().map(str::to_owned)
    }

    #[test]
    fn a_misplaced_command_is_found_in_the_whole_tree() {
        for (words, wanted) in [
            (
                "netapi mnt sessions",
                "did you mean `netapi ise mnt sessions`?",
            ),
            (
                "netapi sessions --json",
                "did you mean `netapi ise mnt sessions` or `netapi ise pxgrid sessions`?",
            ),
            (
                "netapi ise session C8:5B:76:C6:59:62",
                "did you mean `netapi ise mnt session` or `netapi ise pxgrid session`?",
            ),
            (
                "netapi pxgrid anc apply --mac x",
                "did you mean `netapi ise pxgrid anc apply`?",
            ),
            (
                "netapi ise pxgrid apply",
                "did you mean `netapi ise pxgrid anc apply`?",
            ),
            (
                "netapi ise mnt anc policies",
                "did you mean `netapi ise pxgrid anc policies`?",
            ),
            ("netapi explian", "did you mean `netapi ise mnt explain`?"),
        ] {
            assert_eq!(tip(words).as_deref(), Some(wanted), "{words}");
        }
    }

    #[test]
    fn a_tip_is_given_only_where_it_is_near() {
        for (words, wanted) in [
            (
                "netapi ise mnt sessons",
                Some("a similar subcommand exists: 'sessions'"),
            ),
            (
                "netapi ise mnt cuont",
                Some("a similar subcommand exists: 'count'"),
            ),
            ("netapi nonsense", None),
            ("netapi ise pxgrid anc quarantine", None),
            (
                "netapi ise mnt count --postrue",
                Some("a similar argument exists: '--posture'"),
            ),
            ("netapi ise mnt count --nonsense", None),
            ("netapi ise pxgrid radius failures --no-such", None),
        ] {
            assert_eq!(tip(words).as_deref(), wanted, "{words}");
        }
        let text = refused("netapi ise pxgrid groups --clint");
        assert!(
            text.contains("\nUsage: netapi ise pxgrid groups [OPTIONS] [USER]\n"),
            "{text}"
        );
    }
}
