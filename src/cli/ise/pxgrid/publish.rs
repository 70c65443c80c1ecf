//! `netapi ise pxgrid publish`: registers a service of ours, publishes messages on its topic, and takes the registration back at the end.
//!
//! A message is sent once. Whether it arrived shows when the server confirms our leave, which comes after everything sent before it; what was
//! sent on a connection that broke may be lost, and is said to be.
//!
//! | part | holds |
//! | --- | --- |
//! | `messages` | from text to the messages of a topic |
//! | `registration` | what is registered, and keeping it alive |

mod messages;
mod registration;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::signals::{Asked, Signals};
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::input;
use crate::cli::report::Reporter;
use crate::error::{Error, Kind, Result};
use crate::pxgrid::subscriber::{Subscriber, Update};
use crate::pxgrid::subscription::{Notice, Options};
use registration::{Provided, Registration};

/// When nothing can be sent at the moment, it is tried again after this.
const BUSY: Duration = Duration::from_millis(20);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid publish asset assets.jsonl
  netapi ise pxgrid publish asset --operation delete - < gone.jsonl
  tail -f events.jsonl | \\
    netapi ise pxgrid publish com.example.custom:customTopic
  netapi ise pxgrid publish /topic/com.example.custom --stay < /dev/null

Each JSON object is one message; for asset, an object without opType is taken
to be the asset itself. ISE subscribes to assets once the service is
registered: the first message waits for that (--settle). At the end of the
input the registration is taken back, with --stay when you stop the command.")]
pub(crate) struct Publish {
    /// asset; SERVICE:PROPERTY for a service of your own; or /topic/SERVICE
    #[arg(value_name = "TOPIC", value_parser = provided)]
    topic: Provided,
    /// File with JSON objects, '-' for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// What is done with assets that come without opType
    #[arg(long, value_name = "OPERATION", value_enum, default_value_t = Operation::Create)]
    operation: Operation,
    /// Pause between registering and the first message [default: 10s for asset, else none]
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    settle: Option<Duration>,
    /// Messages a second; ISE takes at most 100 assets a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Stay registered after the end of the input, until stopped
    #[arg(long)]
    stay: bool,
}

/// What happens to an asset.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    /// It is new
    Create,
    /// It changed
    Update,
    /// It is gone
    Delete,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

fn provided(text: &str) -> Result<Provided, String> {
    Provided::parse(text)
}

impl Publish {
    /// Publishes until the input ends, or until it is stopped.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        if context.settings.read_only()? {
            return Err(
                Error::usage("publish changes the network, and --read-only is set")
                    .hint("leave out --read-only, or unset NETAPI_READ_ONLY"),
            );
        }
        let source = messages::Source::open(&self.file)?;
        let services = Arc::new(context.pxgrid()?);
        if !context.global.shows_only() {
            services.ready().await?;
        }
        let mut signals = Signals::listen()?;
        let control = services.control().clone();
        let registration = Registration::make(control, self.topic.clone()).await?;
        context.reporter.step(&format!(
            "registered {} for {}",
            self.topic.service, self.topic.path
        ));
        let wrap = self.topic.is_asset.then(|| self.operation.word());
        let settle = self.settle.unwrap_or(if self.topic.is_asset {
            Duration::from_secs(10)
        } else {
            Duration::ZERO
        });
        let subscriber =
            match Subscriber::start(services, Vec::new(), Options::default(), Vec::new()) {
                Ok(subscriber) => subscriber,
                Err(error) => {
                    registration.end().await?;
                    return Err(error);
                }
            };
        let mut course = Course {
            reporter: context.reporter,
            subscriber,
            registration,
            path: self.topic.path,
            pace: Duration::from_secs(1) / self.rate,
            next_at: Instant::now() + settle,
            sent: 0,
            on_this_connection: 0,
            doubtful: 0,
        };
        let outcome = course
            .follow(source.read(wrap), self.stay, &mut signals)
            .await;
        course.end(outcome).await
    }
}

/// One run.
struct Course {
    reporter: Reporter,
    subscriber: Subscriber,
    registration: Registration,
    path: String,
    pace: Duration,
    next_at: Instant,
    sent: u64,
    on_this_connection: u64,
    /// Sent on connections that broke.
    doubtful: u64,
}

/// How it came to its end.
#[derive(Default)]
struct Outcome {
    signalled: Option<u8>,
    failure: Option<Error>,
}

impl Course {
    async fn follow(
        &mut self,
        mut messages: mpsc::Receiver<Result<String>>,
        stay: bool,
        signals: &mut Signals,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut message: Option<String> = None;
        let (mut ended, mut open) = (false, true);
        while !ended {
            tokio::select! {
                update = self.subscriber.next() => {
                    if let Some(end) = self.heard(update) {
                        ended = true;
                        outcome.failure = outcome.failure.or(end.err());
                    }
                }
                next = messages.recv(), if open && message.is_none() => match next {
                    Some(Ok(text)) => message = Some(text),
                    Some(Err(error)) => {
                        open = false;
                        outcome.failure = Some(error);
                        self.subscriber.stop();
                    }
                    None => {
                        open = false;
                        if !stay {
                            self.leave(&mut ended);
                        }
                    }
                },
                () = sleep_until(self.next_at), if message.is_some() => self.send(&mut message),
                kept = self.registration.keep() => if let Some(word) = kept {
                    self.reporter.step(&word);
                },
                asked = signals.next() => match (asked, outcome.signalled) {
                    (Asked::Tell, _) => self.say_figures(),
                    (Asked::Stop(code), None) => {
                        outcome.signalled = Some(code);
                        open = false;
                        message = None;
                        self.subscriber.stop();
                    }
                    (Asked::Stop(_), Some(_)) => return outcome,
                },
            }
        }
        outcome
    }

    /// Everything is sent: leaves, which confirms it. Without a message there is nothing to confirm, connected or not.
    fn leave(&mut self, ended: &mut bool) {
        if self.sent == 0 {
            *ended = true;
        }
        self.subscriber.stop();
    }

    fn send(&mut self, message: &mut Option<String>) {
        let published = message
            .as_ref()
            .is_some_and(|text| self.subscriber.publish(&self.path, text));
        if published {
            *message = None;
            self.sent += 1;
            self.on_this_connection += 1;
            self.next_at = (self.next_at + self.pace).max(Instant::now());
        } else {
            self.next_at = Instant::now() + BUSY;
        }
    }

    fn heard(&mut self, update: Update) -> Option<Result<()>> {
        for notice in &update.notices {
            self.reporter.step(&notice.to_string());
            if matches!(notice, Notice::ConnectionLost { .. } | Notice::NoReceipt) {
                self.doubtful += std::mem::take(&mut self.on_this_connection);
            }
        }
        update.ended
    }

    fn say_figures(&self) {
        let text = format!("published {}, unconfirmed {}", self.sent, self.doubtful);
        let figures = serde_json::json!({ "published": self.sent, "unconfirmed": self.doubtful });
        self.reporter.figures("summary", &text, &figures);
    }

    /// Takes the registration back, whatever happened.
    async fn end(self, outcome: Outcome) -> Result<ExitCode> {
        self.say_figures();
        let Self {
            subscriber,
            registration,
            doubtful,
            sent,
            ..
        } = self;
        let (unregistered, ()) = tokio::join!(registration.end(), subscriber.close());
        if let Some(code) = outcome.signalled {
            if let Err(error) = unregistered {
                self.reporter.error(&error);
            }
            return Ok(ExitCode::from(code));
        }
        if let Some(error) = outcome.failure {
            return Err(error);
        }
        unregistered?;
        if doubtful > 0 {
            return Err(Error::new(
                Kind::Partial,
                format!("{doubtful} of {sent} messages may not have arrived: their connection broke before the server confirmed them"),
            )
            .hint("look at what arrived before you publish them again"));
        }
        Ok(DONE)
    }
}
