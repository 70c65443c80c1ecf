//! `netapi completion SHELL`: a static completion script, made from the same definitions as the
//! help.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::context::{DONE, write_out};
use crate::error::Result;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  mkdir -p ~/.local/share/bash-completion/completions
  netapi completion bash > ~/.local/share/bash-completion/completions/netapi

  mkdir -p ~/.zfunc      # in ~/.zshrc, before compinit: fpath+=(~/.zfunc)
  netapi completion zsh > ~/.zfunc/_netapi

  mkdir -p ~/.config/fish/completions
  netapi completion fish > ~/.config/fish/completions/netapi.fish

fish completes the first three words after netapi, nothing behind them.")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    /// Prints the script.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut super::Cli::command(),
            "netapi",
            &mut script,
        );
        write_out(&String::from_utf8_lossy(&script))?;
        Ok(DONE)
    }
}
