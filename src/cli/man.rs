//! `netapi man`: the man page on standard output, or one page per command and per help topic in a
//! directory, made from the same definitions as the help.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

use super::context::{DONE, write_out};
use super::help::{EXIT_STATUS, TOPICS, Topic, layout};
use crate::error::{Error, Kind, Result};

/// What stands at the foot of every page.
const SOURCE: &str = concat!("netapi ", env!("CARGO_PKG_VERSION"));
/// What stands at the head of every page.
const MANUAL: &str = "netapi manual";

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi man | man -l -
  netapi man ~/.local/share/man/man1

Beside a DIR that is called man1, the pages of the help topics, such as
netapi-formats(7), go to man7; otherwise all pages go to DIR.")]
pub(crate) struct Man {
    /// Directory for one page per command; made if missing
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Writes the page or pages.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut command = super::command_tree();
        command.build();
        match self.dir {
            None => write_out(&String::from_utf8_lossy(&made(page(command))?))?,
            Some(dir) => {
                make(&dir)?;
                write_pages(&dir, &command)?;
                let topics = match dir.file_name() {
                    Some(name) if name == "man1" => dir.with_file_name("man7"),
                    _ => dir,
                };
                make(&topics)?;
                for topic in TOPICS {
                    let file = topics.join(format!("netapi-{}.7", topic.name));
                    write(&file, &made(topic_page(topic))?)?;
                }
            }
        }
        Ok(DONE)
    }
}

fn page(command: Command) -> std::io::Result<Vec<u8>> {
    let examples = command.get_before_help().map(ToString::to_string);
    let notes = layout::notes(&command);
    let inner = command.has_subcommands();
    // What every command takes has a page of its own.
    let command = command.mut_args(|argument| {
        let global = argument.is_global_set();
        let hidden = argument.is_hide_set();
        // A page is the long help: clap_mangen leaves the text out of what the short one hides.
        argument.hide(global || hidden).hide_short_help(false)
    });
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut text = title(name, 1)?;
    let page = Page::new(command);
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if let Some(examples) = examples {
        let lines = examples.strip_prefix("Examples:\n").unwrap_or(&examples);
        let lines = lines.strip_prefix("Example:\n").unwrap_or(lines);
        as_written(&mut text, "EXAMPLES", lines)?;
    }
    page.render_options_section(&mut text)?;
    if inner {
        page.render_subcommands_section(&mut text)?;
    }
    if !notes.is_empty() {
        as_written(&mut text, "NOTES", &notes)?;
    }
    exit_status(&mut text)?;
    see_also(&mut text)?;
    Ok(text)
}

/// The title line. The library writes an empty argument as none at all, so that the foot would stand
/// in the place of the date, which there is none of.
fn title(name: &str, section: u8) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    writeln!(
        text,
        ".TH \"{name}\" \"{section}\" \"\" \"{SOURCE}\" \"{MANUAL}\""
    )?;
    Ok(text)
}

/// A section whose lines stay as they are.
fn as_written(text: &mut Vec<u8>, title: &str, lines: &str) -> std::io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", [title]);
    // What is wider than a section's indented line begins at the margin.
    if lines.lines().any(|line| line.chars().count() > 73) {
        roff.control("in", ["0"]);
    }
    roff.control("nf", []);
    for line in lines.lines() {
        if line.is_empty() {
            roff.control("sp", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
    roff.to_writer(text)
}

fn exit_status(text: &mut Vec<u8>) -> std::io::Result<()> {
    writeln!(text, ".SH EXIT STATUS")?;
    for (code, meaning) in EXIT_STATUS {
        writeln!(text, ".TP\n.B {code}\n{meaning}")?;
    }
    Ok(())
}

fn see_also(text: &mut Vec<u8>) -> std::io::Result<()> {
    let pages: Vec<String> = TOPICS
        .iter()
        .map(|topic| format!("\\fBnetapi\\-{}\\fR(7)", topic.name.replace('-', "\\-")))
        .collect();
    writeln!(text, ".SH SEE ALSO\n{}", pages.join(", "))
}

/// The page of a help topic, as `netapi help` prints it.
fn topic_page(topic: &Topic) -> std::io::Result<Vec<u8>> {
    let name = format!("netapi-{}", topic.name);
    let mut text = title(&name, 7)?;
    let mut roff = Roff::default();
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{name} - {}", topic.about))]);
    roff.to_writer(&mut text)?;
    as_written(&mut text, "DESCRIPTION", &(topic.text)())?;
    Ok(text)
}

/// Commands below `command` are named `netapi-ise-mnt-sessions`, as git does.
fn write_pages(dir: &Path, command: &Command) -> Result<()> {
    if command.is_hide_set() {
        return Ok(());
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    let file = dir.join(format!("{name}.1"));
    write(&file, &made(page(command.clone()))?)?;
    command
        .get_subcommands()
        .try_for_each(|sub| write_pages(dir, sub))
}

fn made(page: std::io::Result<Vec<u8>>) -> Result<Vec<u8>> {
    page.map_err(|error| Error::new(Kind::Failed, format!("cannot make the man page: {error}")))
}

fn make(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))
}

fn write(file: &Path, text: &[u8]) -> Result<()> {
    std::fs::write(file, text).map_err(|error| failed(file, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
}
