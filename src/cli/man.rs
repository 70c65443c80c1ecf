//! `netapi man`: the man page on standard output, or one page per command in a directory, made from
//! the same definitions as the help.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;

use super::context::{DONE, write_out};
use crate::error::{Error, Kind, Result};

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  netapi man | man -l -\n  netapi man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Directory for one page per command; made if missing
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Writes the page or pages.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut command = super::Cli::command();
        command.build();
        match self.dir {
            None => write_out(&String::from_utf8_lossy(&page(command)?))?,
            Some(dir) => {
                std::fs::create_dir_all(&dir).map_err(|error| failed(&dir, &error))?;
                write_pages(&dir, &command)?;
            }
        }
        Ok(DONE)
    }
}

fn page(command: Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let page = Page::new(command);
    page.render(&mut text)
        .and_then(|()| exit_status(&mut text))
        .map_err(|error| Error::new(Kind::Failed, format!("cannot make the man page: {error}")))?;
    Ok(text)
}

fn exit_status(text: &mut Vec<u8>) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(text, ".SH EXIT STATUS")?;
    for (code, meaning) in super::help::EXIT_STATUS {
        writeln!(text, ".TP\n.B {code}\n{meaning}")?;
    }
    Ok(())
}

/// Commands below `command` are named `netapi-ise-mnt-sessions`, as git does.
fn write_pages(dir: &Path, command: &Command) -> Result<()> {
    if command.is_hide_set() {
        return Ok(());
    }
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let file = dir.join(format!("{name}.1"));
    std::fs::write(&file, page(command.clone())?).map_err(|error| failed(&file, &error))?;
    command
        .get_subcommands()
        .try_for_each(|sub| write_pages(dir, sub))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
}
