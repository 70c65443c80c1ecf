//! How every help text is laid out: what the command does, examples, its own options, and one line
//! on where the global ones are. clap writes it; here it is told the order.

use clap::Command;
use clap::builder::Styles;

/// What follows what. clap's own order has the examples last, where a screen has scrolled.
const ORDER: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

/// The same of a command that only holds others: `-h` is no news to who reads it.
const ORDER_OF_GROUP: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

";

/// The last line of every help text.
const GLOBAL_OPTIONS: &str = "Global options: netapi help options";

/// No line is longer, however wide the terminal is.
const WIDTH: usize = 80;

/// The command tree with its help laid out. The program's own command is expected, before clap has
/// built it.
pub(in crate::cli) fn laid_out(root: Command) -> Command {
    let root = root.max_term_width(WIDTH).mut_args(|argument| {
        let global = argument.is_global_set();
        argument.hide_short_help(global).hide_long_help(global)
    });
    each(root)
}

fn each(command: Command) -> Command {
    let text = command.get_after_help().map(ToString::to_string);
    let (examples, notes) = parts(text.as_deref().unwrap_or_default());
    let long = match notes {
        "" => GLOBAL_OPTIONS.to_owned(),
        notes => format!("{notes}\n\n{GLOBAL_OPTIONS}"),
    };
    let command = match examples {
        "" => command,
        examples => command.before_help(examples.to_owned()),
    };
    if !command.is_arg_required_else_help_set() {
        // Others that it holds besides are among its arguments.
        return command
            .help_template(ORDER)
            .after_help(GLOBAL_OPTIONS)
            .after_long_help(long)
            .mut_subcommands(each);
    }
    let heading = Styles::styled();
    let heading = heading.get_header();
    let order =
        format!("{ORDER_OF_GROUP}{heading}Commands:{heading:#}\n{{subcommands}}{{after-help}}");
    command
        .help_template(order)
        .after_help(GLOBAL_OPTIONS)
        .after_long_help(long)
        .mut_subcommands(each)
}

/// The examples that a command's text begins with, and what else is worth knowing, which only
/// `--help` shows. Indented paragraphs belong to the examples.
fn parts(text: &str) -> (&str, &str) {
    if !text.starts_with("Example") {
        return ("", text);
    }
    let mut ends = text.match_indices("\n\n").map(|(at, _)| at);
    let end = ends.find(|at| !text.get(at + 2..).is_some_and(|rest| rest.starts_with(' ')));
    match end.and_then(|at| text.split_at_checked(at)) {
        Some((examples, notes)) => (examples, notes.trim_start_matches('\n')),
        None => (text, ""),
    }
}

/// The notes of a command that was laid out; empty where there are none.
pub(in crate::cli) fn notes(command: &Command) -> String {
    let text = command.get_after_long_help().or(command.get_after_help());
    let text = text.map(ToString::to_string);
    let text = text.unwrap_or_default();
    let notes = text.strip_suffix(GLOBAL_OPTIONS).unwrap_or(&text);
    notes.trim_end().to_owned()
}

/// The global options with what they do, as `netapi help options` shows them.
pub(in crate::cli) fn global_options() -> Command {
    use clap::Args;
    crate::cli::global::Global::augment_args(Command::new("netapi"))
        .disable_help_flag(true)
        .max_term_width(WIDTH)
        .help_template("{all-args}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More options than these need more room.
    const FEW: usize = 8;
    const LINES: usize = 24;

    fn walk(command: &mut Command, path: &str, look: &mut impl FnMut(&str, &mut Command)) {
        look(path, command);
        for inner in command.get_subcommands_mut() {
            let path = format!("{path} {}", inner.get_name());
            walk(inner, &path, look);
        }
    }

    fn every_command(mut look: impl FnMut(&str, &mut Command)) {
        let mut root = crate::cli::command_tree().term_width(WIDTH);
        root.build();
        walk(&mut root, "netapi", &mut look);
    }

    #[test]
    fn the_short_help_of_a_command_with_few_options_fits_a_screen() {
        let mut long = Vec::new();
        every_command(|path, command| {
            let options = command
                .get_opts()
                .chain(command.get_arguments().filter(|argument| {
                    !argument.is_positional() && !argument.get_action().takes_values()
                }));
            let own = options.filter(|option| {
                !option.is_global_set() && !["help", "version"].contains(&option.get_id().as_str())
            });
            let own = own.count();
            let lines = command.render_help().to_string().trim_end().lines().count();
            // A group has a line for each of its commands.
            let inner = command.get_subcommands().count();
            if own <= FEW && lines > LINES.max(inner + 8) {
                long.push(format!("{path}: {own} options, {lines} lines"));
            }
        });
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    #[test]
    fn no_help_is_wider_than_80_columns() {
        let mut wide = Vec::new();
        every_command(|path, command| {
            for text in [command.render_help(), command.render_long_help()] {
                let text = text.to_string();
                let lines = text.lines().filter(|line| line.chars().count() > WIDTH);
                wide.extend(lines.map(|line| format!("{path}: {line}")));
            }
        });
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    }

    #[test]
    fn examples_come_before_options_and_global_options_are_one_line() {
        every_command(|path, command| {
            for text in [command.render_help(), command.render_long_help()] {
                let text = text.to_string();
                if let Some(examples) = text.find("\nExample") {
                    assert!(examples < text.find("\nUsage: ").unwrap(), "{path}: {text}");
                }
                assert!(text.trim_end().ends_with(GLOBAL_OPTIONS), "{path}: {text}");
                assert!(!text.contains("--mnt-host <"), "{path}: {text}");
            }
        });
    }

    #[test]
    fn notes_are_told_from_examples() {
        let text = "Examples:\n  a\n\n  b\n\nA note.\n\n  c";
        assert_eq!(parts(text), ("Examples:\n  a\n\n  b", "A note.\n\n  c"));
        assert_eq!(parts("Example:\n  a"), ("Example:\n  a", ""));
        assert_eq!(parts("A note."), ("", "A note."));
    }
}
