//! What holds for every command. The tree is the one that the program itself parses with, so a new
//! command is under these tests from its first day. What one command's refusal says is in
//! `cli_surface`.

use clap::Command;

use crate::support::{netapi, stderr, stdout};

/// The help of every command, as it was last looked at in a review.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
/// Makes it anew.
const UPDATE: &str = "UPDATE_GOLDEN=1 cargo test --test it cli_tree::the_help_of_every_command";

/// A command and the words that lead to it, without `netapi`.
struct Node {
    path: Vec<String>,
    command: Command,
}

impl Node {
    fn name(&self) -> String {
        let words = std::iter::once("netapi").chain(self.path.iter().map(String::as_str));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Whether it does something itself.
    fn is_leaf(&self) -> bool {
        !self.command.is_arg_required_else_help_set()
    }
}

/// Every command that a user is shown, the program itself first.
fn tree() -> Vec<Node> {
    fn walk(command: &Command, path: &[String], nodes: &mut Vec<Node>) {
        nodes.push(Node {
            path: path.to_vec(),
            command: command.clone(),
        });
        for inner in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let path = [path, &[inner.get_name().to_owned()]].concat();
            walk(inner, &path, nodes);
        }
    }
    let mut root = netapi::testing::command_tree().term_width(80);
    root.build();
    let mut nodes = Vec::new();
    walk(&root, &[], &mut nodes);
    let leaves = nodes.iter().filter(|node| node.is_leaf()).count();
    assert!(leaves > 60, "only {leaves} commands");
    nodes
}

#[test]
fn every_command_answers_to_help_with_its_usage_and_an_example() {
    for node in tree() {
        let name = node.name();
        let mut texts = Vec::new();
        for help in ["-h", "--help"] {
            let run = netapi().args(&node.path).arg(help).assert().success();
            assert_eq!(stderr(&run), "", "{name} {help}");
            texts.push(stdout(&run));
        }
        let run = netapi().arg("help").args(&node.path).assert().success();
        texts.push(stdout(&run));
        for text in texts {
            assert!(text.contains(&format!("Usage: {name}")), "{text}");
            let example = text.contains("\nExample") || !node.is_leaf();
            assert!(example, "{name} has no example:\n{text}");
        }
    }
}

#[test]
fn every_command_refuses_an_option_that_it_does_not_know() {
    for node in tree() {
        let name = node.name();
        let mut command = netapi();
        let run = command
            .args(&node.path)
            .arg("--no-such-option")
            .assert()
            .code(2);
        assert_eq!(stdout(&run), "", "{name}");
        let text = stderr(&run);
        assert!(
            text.starts_with("netapi: unexpected argument '--no-such-option' found\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_command_that_only_holds_others_shows_them_and_is_status_2() {
    for node in tree().iter().filter(|node| !node.is_leaf()) {
        let run = netapi().args(&node.path).assert().code(2);
        assert_eq!(stdout(&run), "", "{}", node.name());
        let text = stderr(&run);
        for inner in node.command.get_subcommands() {
            assert!(text.contains(inner.get_name()), "{text}");
        }
    }
}

#[test]
fn completion_and_man_pages_know_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man1");
    netapi().arg("man").arg(&pages).assert().success();
    for node in tree() {
        let page = pages.join(format!("{}.1", node.name().replace(' ', "-")));
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page:?}: {error}"));
        assert!(text.contains(".SH EXIT STATUS"), "{}", node.name());
        let foot = concat!(
            "\"1\" \"\" \"netapi ",
            env!("CARGO_PKG_VERSION"),
            "\" \"netapi manual\"\n"
        );
        assert!(text.contains(foot), "{}", node.name());
        let examples = text.contains(".SH EXAMPLES");
        assert!(examples || !node.is_leaf(), "{}", node.name());
        assert!(!text.contains("mnt\\-host"), "{}", node.name());
        // What only the long help shows has its text too.
        let jobs = text.contains("\\-\\-jobs") && node.name().contains("mnt");
        assert!(!jobs || text.contains("at most 10"), "{}", node.name());
        let mut words = node.path.clone();
        words.push(String::new());
        let mut completion = netapi();
        completion.env("COMPLETE", "fish").args(["--", "netapi"]);
        let run = completion.args(&words).assert().success();
        let offered = stdout(&run);
        for inner in node
            .command
            .get_subcommands()
            .filter(|one| !one.is_hide_set())
        {
            let line = format!("{}\t", inner.get_name());
            assert!(offered.contains(&line), "{}: {offered}", node.name());
        }
    }
}

/// The command lines of a text that begin with `netapi`, each whole where backslashes break it.
fn command_lines(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let line = line.strip_prefix("$ ").unwrap_or(line);
        if !line.starts_with("netapi ") {
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(open) = whole.strip_suffix('\\') {
            whole = format!("{open}{}", lines.next().unwrap_or_default());
        }
        found.push(whole);
    }
    found
}

/// Parses a command line as the shell and then the program would; also the one behind `--`.
fn parses(line: &str) -> Result<(), String> {
    let words = shlex::split(line).ok_or("its quotes do not match")?;
    let ends = |word: &String| ["|", ">", "2>", "<", ";", "&", "&&"].contains(&word.as_str());
    let words: Vec<String> = words.into_iter().take_while(|word| !ends(word)).collect();
    let inner = words
        .iter()
        .position(|word| word == "--")
        .and_then(|at| words.get(at + 1..))
        .filter(|inner| inner.first().is_some_and(|word| word == "netapi"));
    for words in std::iter::once(words.as_slice()).chain(inner) {
        netapi::testing::command_tree()
            .try_get_matches_from(words)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn every_example_of_the_help_and_of_the_readme_is_a_command_line() {
    let mut texts: Vec<(String, String)> = tree()
        .iter()
        .flat_map(|node| {
            let (short, long) = (
                node.command.get_before_help(),
                node.command.get_after_long_help(),
            );
            [short, long]
                .into_iter()
                .flatten()
                .map(|text| (node.name(), text.to_string()))
                .collect::<Vec<_>>()
        })
        .collect();
    // Code blocks are every second part.
    let readme = include_str!("../../README.md").split("\n```");
    let blocks = readme.skip(1).step_by(2);
    texts.extend(blocks.map(|block| ("README.md".to_owned(), block.to_owned())));
    let mut seen = 0;
    for (place, text) in texts {
        for line in command_lines(&text) {
            seen += 1;
            if let Err(error) = parses(&line) {
                panic!("{place}: {line}: {error}");
            }
        }
    }
    assert!(seen > 150, "only {seen} command lines found");
}

#[test]
fn a_command_line_that_is_none_is_seen() {
    for (line, wanted) in [
        ("netapi ise mnt count --posture | wc -l", true),
        ("netapi ise mnt cuont", false),
        ("netapi ise mnt session --user 'LAB\\pat.kim", false),
        ("netapi ise lab run -- netapi ise mnt count --json", true),
        ("netapi ise lab run -- netapi ise mnt count --jsom", false),
    ] {
        assert_eq!(parses(line).is_ok(), wanted, "{line}");
    }
    let text = "  a | \\\n    netapi man\n  netapi ise lab run -- \\\n    netapi ise mnt count\n";
    assert_eq!(
        command_lines(text),
        ["netapi man", "netapi ise lab run -- netapi ise mnt count"]
    );
}

/// The help of one command.
fn help(node: &Node) -> String {
    let text = node.command.clone().render_long_help().to_string();
    section(&node.name(), &text)
}

fn section(name: &str, text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    format!("==== {name}\n\n{}\n", lines.join("\n").trim_end())
}

/// A change of what users can type is seen in review: it changes this file.
#[cfg(all(feature = "jq", feature = "pkcs12"))]
#[test]
fn the_help_of_every_command_is_the_one_that_was_reviewed() {
    let tree = tree();
    let names: String = tree.iter().map(|node| node.name() + "\n").collect();
    let mut helps: Vec<_> = tree.iter().map(help).collect();
    let run = netapi().args(["help", "options"]).assert().success();
    helps.push(section("netapi help options", &stdout(&run)));
    let now = format!("Made by: {UPDATE}\n\n{names}\n{}", helps.join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &now).unwrap();
    }
    let then = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if now == then {
        return;
    }
    let (mut old, mut new) = (then.lines(), now.lines());
    let mut number = 0;
    let (old, new) = loop {
        number += 1;
        match (old.next(), new.next()) {
            (old, new) if old == new => {}
            pair => break pair,
        }
    };
    panic!(
        "tests/golden/help.txt:{number}: the help changed\n  was: {}\n  now: {}\n\
         If that is meant: {UPDATE}\nthen look at the difference and commit it.",
        old.unwrap_or("(the end)"),
        new.unwrap_or("(the end)"),
    );
}
