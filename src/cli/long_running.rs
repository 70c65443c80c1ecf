//! What commands that go on until they are stopped have in common: what they are asked from
//! outside, what a service manager and Prometheus hear of them, how urgently they are to end,
//! their last words, and the end by the signal itself.
//!
//! The command's loop waits for [`LongRunning::next`] beside its own work, and gives
//! [`LongRunning::end`] what came of it. How urgently to end is [`Stop`], delivery's own word: the
//! first signal asks for [`Stop::Finish`], a second one for [`Stop::AtOnce`]. What a command does
//! then is its own affair; nothing here subscribes, delivers or counts.
//!
//! | part | holds |
//! | --- | --- |
//! | `metrics` | `--metrics`: the figures for Prometheus |
//! | `service_manager` | ready, status, alive, stopping (sd_notify) |
//! | `signals` | Ctrl-C, TERM, HUP, USR1 |
//! | `unit` | `--print-unit`: a systemd unit for the command line |

mod metrics;
mod service_manager;
mod signals;
mod unit;

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use super::Context;
use super::report::Reporter;
use super::stderr::StderrQueue;
use crate::delivery::Stop;
use crate::error::{Error, Kind, Result};
use crate::unix::signals::act_as_if_unhandled;
pub(crate) use metrics::{Metric, Sample};
use metrics::{MetricsServer, Scrape, exposition};
use service_manager::ServiceManager;
use signals::Signal;
pub(crate) use signals::{Signals, first_stop, hear_first_stop};
pub(crate) use unit::Service;

static BUILD: Metric = Metric::gauge("netapi_build_info", "Always 1; the version is a label.");
static STARTED: Metric = Metric::gauge(
    "process_start_time_seconds",
    "When this command began, in seconds since 1970.",
);
static CERTIFICATE: Metric = Metric::gauge(
    "netapi_certificate_days_left",
    "Days until the client certificate expires; negative when it has.",
);

/// Options of every such command.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Running as a service")]
pub(crate) struct ServiceArgs {
    /// Serve the figures to Prometheus at http://ADDR:PORT/metrics; a port alone is one on loopback
    #[arg(long, value_name = "ADDR:PORT", value_parser = metrics::address, hide_short_help = true)]
    metrics: Option<SocketAddr>,
    /// Print a systemd unit for this command line, and do nothing else
    #[arg(long, hide_short_help = true)]
    print_unit: bool,
}

/// The id of `--print-unit` on the command line.
const PRINT_UNIT: &str = "print_unit";

impl ServiceArgs {
    /// Prints the unit where it is asked for: true, and the command is done. To be asked when the
    /// command line was checked and before anything begins.
    pub(crate) fn prints_unit(
        &self,
        context: &Context,
        service: impl FnOnce() -> Result<Service>,
    ) -> Result<bool> {
        if self.print_unit {
            unit::print(context, &service()?)?;
        }
        Ok(self.print_unit)
    }
}

/// What the loop is asked.
pub(crate) enum Request {
    /// To end: [`Stop::Finish`], then [`Stop::AtOnce`].
    Stop(Stop),
    /// To hand [`LongRunning::report`] its figures for this reader.
    Figures(Reader),
}

/// Who wants to read figures.
pub(crate) enum Reader {
    /// Whoever reads standard error.
    Stderr,
    /// Prometheus.
    Metrics(Scrape),
    /// The service manager, as status.
    ServiceManager,
}

/// What a command counts and how it stands, for whoever asks.
pub(crate) struct Summary {
    /// How things stand, in a few words.
    pub(crate) state: String,
    /// One line for people.
    pub(crate) text: String,
    /// An object for programs.
    pub(crate) json: Value,
    /// The same for Prometheus; those of one metric together.
    pub(crate) samples: Vec<Sample>,
}

/// See the module's documentation.
pub(crate) struct LongRunning {
    reporter: Reporter,
    stderr: StderrQueue,
    signals: Signals,
    service_manager: ServiceManager,
    metrics: Option<MetricsServer>,
    began: Timestamp,
    /// When the client certificate expires, where there is one.
    certificate_until: Option<Timestamp>,
    /// How urgently to end.
    stop: Stop,
    /// The first signal that asked for it.
    signal: Option<i32>,
}

impl LongRunning {
    /// Listens for signals and lets a thread write standard error, from now on. Must be called
    /// inside a runtime, before anything begins that a signal should end in good order.
    ///
    /// Errors: [`Kind::Usage`] where metrics cannot be served as `service` says.
    pub(crate) fn begin(context: &Context, service: &ServiceArgs) -> Result<Self> {
        let metrics = service.metrics.map(MetricsServer::start).transpose()?;
        if let Some(metrics) = &metrics {
            context
                .reporter
                .step(&format!("metrics at http://{}/metrics", metrics.address));
        }
        Ok(Self {
            signals: Signals::listen()?,
            service_manager: ServiceManager::find(),
            metrics,
            began: Timestamp::now(),
            certificate_until: None,
            reporter: context.reporter.clone(),
            stderr: context.reporter.start_queue(),
            stop: Stop::No,
            signal: None,
        })
    }

    /// How urgently to end, by what was asked so far.
    pub(crate) fn stop(&self) -> Stop {
        self.stop
    }

    /// The client certificate is good until then.
    pub(crate) fn certificate_until(&mut self, time: Timestamp) {
        self.certificate_until = Some(time);
    }

    /// The command does what it is there for: a service manager need wait no longer.
    pub(crate) fn ready(&mut self) {
        self.service_manager.ready();
    }

    /// Waits for the next request. Safe to drop and to call again. The command's loop must come
    /// here all the time: otherwise the watchdog takes it for hung.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            signal = self.signals.next() => match signal {
                Signal::ReportFigures => Request::Figures(Reader::Stderr),
                Signal::Stop(signal) => Request::Stop(self.stop_by(signal)),
            },
            scrape = scraped(&mut self.metrics) => Request::Figures(Reader::Metrics(scrape)),
            () = self.service_manager.tick() => Request::Figures(Reader::ServiceManager),
        }
    }

    fn stop_by(&mut self, signal: i32) -> Stop {
        if self.stop == Stop::No {
            self.stop = Stop::Finish;
            self.signal = Some(signal);
            self.stderr.hurry();
            self.service_manager.stopping();
        } else {
            self.stop = Stop::AtOnce;
            self.stderr.give_up();
        }
        self.stop
    }

    /// Gives the summary to who wants to read it.
    pub(crate) fn report(&mut self, reader: Reader, summary: &Summary) {
        match reader {
            Reader::Stderr => self
                .reporter
                .figures("summary", &summary.text, &summary.json),
            Reader::Metrics(scrape) => {
                let text = exposition(self.samples().iter().chain(&summary.samples));
                // Nobody waits for it any more.
                let _gone = scrape.send(text);
            }
            Reader::ServiceManager => {
                let status = format!("{}; {}", summary.state, summary.text);
                self.service_manager.status(&status);
            }
        }
    }

    /// What every command has.
    #[allow(clippy::cast_precision_loss, reason = "milliseconds fit for long")]
    fn samples(&self) -> Vec<Sample> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut samples = vec![
            BUILD.of(vec![("version", version)], 1.0),
            STARTED.is(self.began.as_millisecond() as f64 / 1e3),
        ];
        if let Some(until) = self.certificate_until {
            let left = until.as_second() - Timestamp::now().as_second();
            let days = (left as f64 / 8640.0).floor() / 10.0;
            samples.push(CERTIFICATE.of(vec![("certificate", "client".to_owned())], days));
        }
        samples
    }

    /// Waits for `work`: after the first signal, perhaps before, for `patience`, after a second one
    /// no longer. `None`: it was given up. Meanwhile there is no summary; Prometheus gets what
    /// every command has.
    pub(crate) async fn wait_for<T>(
        &mut self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        while self.stop == Stop::No {
            tokio::select! {
                done = &mut work => return Some(done),
                request = self.next() => self.answer_alone(request),
            }
        }
        let mut work = pin!(timeout(patience, work));
        while self.stop < Stop::AtOnce {
            tokio::select! {
                done = &mut work => return done.ok(),
                request = self.next() => self.answer_alone(request),
            }
        }
        None
    }

    /// Answers without the command.
    fn answer_alone(&mut self, request: Request) {
        if let Request::Figures(Reader::Metrics(scrape)) = request {
            let _gone = scrape.send(exposition(&self.samples()));
        }
    }

    /// Waits until the last words are written, unless a signal comes meanwhile or came twice, and
    /// gives the exit status. Where a signal was the reason for the end it is
    /// [`Kind::Stopped`] without a message, and an error in `result` was said before.
    pub(crate) async fn end(mut self, result: Result<ExitCode>) -> Result<ExitCode> {
        self.service_manager.stopping();
        let code = match result {
            Ok(code) => code,
            Err(error) => self.reporter.end(&error),
        };
        tokio::select! {
            () = self.stderr.written() => {}
            signal = self.signals.stopped() => {
                self.stop_by(signal);
                self.stderr.give_up();
            }
        }
        match self.signal {
            Some(signal) => Err(Error::new(Kind::Stopped(signal), "")),
            None => Ok(code),
        }
    }
}

async fn scraped(metrics: &mut Option<MetricsServer>) -> Scrape {
    match metrics {
        Some(metrics) => metrics.scrape().await,
        None => std::future::pending().await,
    }
}

/// Ends the process by `signal`, as if nobody had handled it: a shell sees which it was, and a
/// service manager a clean stop. It returns where the signal ends nothing: the first process of a
/// container is spared by its kernel.
pub(crate) fn end_by(signal: i32) {
    if std::process::id() != 1 {
        act_as_if_unhandled(signal);
    }
}
