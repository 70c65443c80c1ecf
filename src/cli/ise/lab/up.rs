//! `netapi ise lab up`: a lab that stays, for a second terminal or another program.

use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::background;
use super::options::Options;
use super::shell::quoted;
use crate::cli::Context;
use crate::cli::context::write_out;
use crate::error::{Error, Kind, Result};
use crate::lab::Lab;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  eval \"$(netapi ise lab up --detach)\"; netapi ise mnt sessions
  eval \"$(netapi ise lab down)\"
  netapi ise lab up --listen-mnt 8443 --listen-pxgrid 8910
  (sleep 60; echo 'node-down 1'; sleep 30; echo 'node-up 1') | \\
    netapi ise lab up

Standard output is the export lines, all at once when the lab is up, and
nothing else: netapi's settings, a second client in PXGRID_CERT_2,
PXGRID_KEY_2 and ISE_PXGRID_CLIENT_NAME_2, and MAC, the first session's
address. Ctrl-C ends the lab, one with --detach ends by 'lab down'.

Faults come and go by lines on standard input:
  fault NAME[@N][~SECONDS][:PATHPART]  begins a fault (netapi ise lab faults)
  clear NAME                           ends it
  node-down N, node-up N               takes pxGrid node N away, brings it back")]
pub(crate) struct Up {
    #[command(flatten)]
    options: Options,
    /// Return when the lab is up, and leave it in the background
    #[arg(long)]
    detach: bool,
    /// This process is the one in the background
    #[arg(long = background::MEMBER, hide = true, requires = "detach")]
    member: bool,
}

impl Up {
    /// Starts, prints the exports, waits for a signal.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        if self.detach && !self.member {
            return background::start();
        }
        let member = self.member.then(background::Member::begin).transpose()?;
        let lab = Lab::spawn_in_thread(self.options.into_lab())?;
        let status = Context::block_on(async {
            // Before anybody is told that there is something to end.
            let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
            // At once: whoever waits for a first line may read them all.
            let exports = exports(&lab.environment());
            if let Some(member) = &member {
                member.serving(&exports)?;
            } else {
                write_out(&exports)?;
                context.reporter.note("the lab is up; Ctrl-C ends it");
            }
            let mut orders = orders()?;
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Ok(143),
                    _ = interrupt.recv() => return Ok(130),
                    Some(line) = orders.recv() => match lab.order(&line) {
                        Ok(done) => context.reporter.note(&done),
                        Err(error) => context.reporter.error(&error),
                    },
                }
            }
        })?;
        drop(lab);
        Ok(ExitCode::from(status))
    }
}

fn exports(environment: &[(&'static str, String)]) -> String {
    let lines = environment.iter();
    lines.map(|(name, value)| export(name, value)).collect()
}

/// A line that sets a variable in a POSIX shell.
pub(super) fn export(name: &str, value: &str) -> String {
    format!("export {name}={}\n", quoted(value))
}

/// The lines of standard input. Nothing comes when it is a terminal that belongs to somebody else: reading it would stop a lab in the background.
fn orders() -> Result<UnboundedReceiver<String>> {
    let (sender, lines) = unbounded_channel();
    let input = std::io::stdin();
    let in_background = rustix::termios::tcgetpgrp(&input)
        .is_ok_and(|foreground| foreground != rustix::process::getpgrp());
    if !in_background {
        // A thread of its own, not the runtime's: nothing can end a read, and the runtime would wait for it.
        crate::threads::spawn("orders", move || {
            for line in input.lines().map_while(std::io::Result::ok) {
                if !line.trim().is_empty() && sender.send(line).is_err() {
                    break;
                }
            }
        })?;
    }
    Ok(lines)
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the error away"
)]
pub(super) fn no_signals(error: std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
}
