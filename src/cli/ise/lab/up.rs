//! `netapi ise lab up`: a lab that stays, for a second terminal or another program.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::background;
use super::options::LabArgs;
use super::shell::quoted;
use crate::cli::Context;
use crate::cli::context::{DONE, write_out};
use crate::cli::long_running::{
    LongRunning, Metric, Reader, Request, Service, ServiceArgs, Summary,
};
use crate::error::Result;
use crate::lab::{Lab, RunningLab};
use crate::process::Membership;
use crate::unix::terminal::foreground;

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
PXGRID_KEY_2 and ISE_PXGRID_CLIENT_NAME_2, MAC, the first session's
address, NATS_URL with --nats. Ctrl-C ends the lab, one with --detach ends by
'lab down'.

Faults come and go by lines on standard input:
  fault NAME[@N][~SECONDS][:PATHPART]  begins a fault (netapi ise lab faults)
  clear NAME                           ends it
  node-down N, node-up N               takes pxGrid node N away, brings it back")]
pub(crate) struct Up {
    #[command(flatten)]
    options: LabArgs,
    #[command(flatten)]
    service: ServiceArgs,
    /// Return when the lab is up, and leave it in the background
    #[arg(long, conflicts_with = "print_unit")]
    detach: bool,
    /// This process is the one in the background
    #[arg(long = background::MEMBER, hide = true, requires = "detach")]
    member: bool,
}

impl Up {
    /// Starts, prints the exports, waits for a signal.
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let service = || {
            Ok(Service {
                name: "lab",
                does: "a simulated ISE deployment".to_owned(),
                callbacks: Duration::ZERO,
                speaks_with: Vec::new(),
                writes: self.options.directories(),
            })
        };
        if self.service.prints_unit(context, service)? {
            return Ok(DONE);
        }
        if self.detach && !self.member {
            return background::start(&context.reporter);
        }
        let member = self.member.then(background::Member::begin).transpose()?;
        let lab = Lab::spawn_in_thread(self.options.into_lab())?;
        Context::block_on(async {
            // Before anybody is told that there is something to end.
            let mut running = LongRunning::begin(context, &self.service)?;
            let result = serve(&lab, member.as_ref(), context, &mut running).await;
            running.end(result).await
        })
    }
}

/// Hands out the exports, then carries out orders until it is to end.
async fn serve(
    lab: &RunningLab,
    member: Option<&background::Member>,
    context: &Context,
    running: &mut LongRunning,
) -> Result<ExitCode> {
    let begun = Instant::now();
    // At once: whoever waits for a first line may read them all.
    let exports = exports(&lab.environment());
    if let Some(member) = member {
        member.serving(&exports)?;
    } else {
        write_out(&exports)?;
        context.reporter.note("the lab is up; Ctrl-C ends it");
    }
    running.ready();
    let mut orders = orders()?;
    loop {
        tokio::select! {
            request = running.next() => match request {
                Request::Figures(reader) => running.report(reader, &figures(lab, begun)),
                Request::Stop(_) => {
                    running.report(Reader::Stderr, &figures(lab, begun));
                    return Ok(DONE);
                }
            },
            Some(line) = orders.recv() => match lab.order(&line) {
                Ok(done) => context.reporter.note(&done),
                Err(error) => context.reporter.error(&error),
            },
        }
    }
}

static REQUESTS: Metric = Metric::counter(
    "netapi_lab_requests_total",
    "Requests and STOMP frames that came to the lab's nodes.",
);

fn figures(lab: &RunningLab, begun: Instant) -> Summary {
    let (requests, seconds) = (lab.request_count(), begun.elapsed().as_secs());
    Summary {
        state: "the lab is up".to_owned(),
        text: format!("requests {requests} in {seconds}s"),
        json: serde_json::json!({ "requests": requests, "seconds": seconds }),
        samples: vec![REQUESTS.counts(requests)],
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

/// The lines of standard input. Nothing comes when it is a terminal that belongs to somebody else:
/// reading it would stop a lab in the background.
fn orders() -> Result<UnboundedReceiver<String>> {
    let (sender, lines) = unbounded_channel();
    let input = std::io::stdin();
    let in_background = foreground(&input).is_some_and(|foreground| {
        let ours = Membership::ours();
        ours.is_some_and(|ours| ours.group != foreground)
    });
    if !in_background {
        // A thread of its own, not the runtime's: nothing can end a read, and the runtime would
        // wait for it.
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
