//! `netapi ise pxgrid publish`: registers a service of ours, publishes messages on its topic, and
//! takes the registration back at the end.
//!
//! A finite input that no node takes is given up after a while; one that may go on is not. A
//! message is sent once. Whether it arrived shows when the server confirms our leave, which comes
//! after everything sent before it; what was sent on a connection that broke may be lost, and is
//! said to be.
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
use tokio::time::{Instant, sleep_until, timeout};

use super::connection_state::ConnectionState;
use crate::cli::Context;
use crate::cli::change_under_way::Attempt;
use crate::cli::context::DONE;
use crate::cli::input;
use crate::cli::long_running::{
    LongRunning, Metric, Reader, Request, Service, ServiceArgs, Summary,
};
use crate::cli::report::Reporter;
use crate::delivery::Stop;
use crate::error::{Error, Kind, Result};
use crate::pxgrid::ServiceClient;
use crate::pxgrid::subscriber::{Subscriber, Update};
use crate::pxgrid::subscription::{Notice, SubscriptionOptions};
use messages::Messages;
use registration::{Provided, Registration};

/// When nothing can be sent at the moment, it is tried again after this.
const BUSY: Duration = Duration::from_millis(20);

/// How long counting what was not sent may take.
const COUNTING: Duration = Duration::from_secs(5);

/// How long taking the registration back may take after a signal.
const TAKING_BACK: Duration = Duration::from_secs(3);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid publish asset assets.jsonl
  netapi ise pxgrid publish asset --operation delete - < gone.jsonl
  tail -f events.jsonl | \\
    netapi ise pxgrid publish com.example.custom:customTopic

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
    /// For assets that come without opType
    #[arg(long, value_name = "OPERATION", value_enum, default_value_t = Operation::Create)]
    operation: Operation,
    /// Pause after registering [default: 10s for asset]
    ///
    /// The first message waits for it. Other topics than asset have none.
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    settle: Option<Duration>,
    /// Messages a second
    ///
    /// ISE takes at most 100 assets a second.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Longest wait for a node
    ///
    /// How long no node may take messages of a file, or of an input that has ended.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::duration)]
    wait: Duration,
    /// Stay registered after the end of the input
    ///
    /// Until stopped; then --wait does not end it. For a service without messages: < /dev/null
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    service: ServiceArgs,
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
    fn as_str(self) -> &'static str {
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
        if self.service.prints_unit(context, || self.as_service())? {
            return Ok(DONE);
        }
        let source = messages::MessageSource::open(&self.file)?;
        let wrap = self.topic.is_asset.then(|| self.operation.as_str());
        messages::check(&self.file, wrap)?;
        let (services, certificate) = context.pxgrid_as()?;
        let services = Arc::new(services);
        let mut messages = source.read(wrap);
        messages.look_at_first().await?;
        if !context.global.shows_only() {
            services.ready().await?;
        }
        let mut running = LongRunning::begin(context, &self.service)?;
        if let Some(certificate) = certificate {
            running.certificate_until(certificate.not_after);
        }
        let publishing = self.run_registered(context, services, messages, &mut running);
        let result = Box::pin(publishing).await;
        running.end(result).await
    }

    fn as_service(&self) -> Result<Service> {
        if self.file.as_os_str() == "-" && !self.stay {
            return Err(Error::usage(
                "standard input is published, and a service does not have one",
            )
            .hint("name a file (one made by mkfifo goes on for ever), or stay without: --stay"));
        }
        Ok(Service {
            name: "publish",
            does: format!("publishes on {}", self.topic.path),
            callbacks: Duration::ZERO,
            speaks_with: vec![crate::settings::Server::Pxgrid],
            writes: Vec::new(),
        })
    }

    /// Registers, publishes, and takes the registration back.
    async fn run_registered(
        self,
        context: &Context,
        services: Arc<ServiceClient>,
        mut messages: messages::Messages,
        running: &mut LongRunning,
    ) -> Result<ExitCode> {
        let service = self.topic.service.clone();
        let making = Registration::make(services.control().clone(), self.topic.clone());
        let Some(made) = running.wait_for(TAKING_BACK, making).await else {
            context.reporter.step(&format!(
                "whether {service} was registered is not known; ISE forgets it after some time"
            ));
            return Ok(DONE);
        };
        let registration = made.map_err(|error| lost_registration(error, &service))?;
        if running.stop() > Stop::No {
            let ended = running.wait_for(TAKING_BACK, registration.end()).await;
            return taken_back(&context.reporter, &service, ended).map(|()| DONE);
        }
        context
            .reporter
            .step(&format!("registered {service} for {}", self.topic.path));
        let settle = self.settle.unwrap_or(if self.topic.is_asset {
            Duration::from_secs(10)
        } else {
            Duration::ZERO
        });
        let subscriber = match Subscriber::start(
            services,
            Vec::new(),
            SubscriptionOptions::default(),
            Vec::new(),
        ) {
            Ok(subscriber) => subscriber,
            Err(error) => {
                let ended = running.wait_for(TAKING_BACK, registration.end()).await;
                if let Err(error) = taken_back(&context.reporter, &service, ended) {
                    context.reporter.error(&error);
                }
                return Err(error);
            }
        };
        let mut publication = Publication {
            reporter: context.reporter.clone(),
            subscriber,
            registration,
            service,
            path: self.topic.path,
            pace: Duration::from_secs(1) / self.rate,
            next_at: Instant::now() + settle,
            wait: (!self.stay).then_some(self.wait),
            stuck: None,
            trouble: None,
            sent: 0,
            unsent: 0,
            uncounted: false,
            on_this_connection: 0,
            doubtful: 0,
            connection: ConnectionState::default(),
        };
        let failure = publication.follow(&mut messages, self.stay, running).await;
        publication.end(failure, running).await
    }
}

static PUBLISHED: Metric = Metric::counter(
    "netapi_messages_published_total",
    "Messages sent to the topic.",
);
static UNCONFIRMED: Metric = Metric::counter(
    "netapi_messages_unconfirmed_total",
    "Of these, messages on connections that broke before the server confirmed them.",
);
static NOT_SENT: Metric = Metric::counter("netapi_messages_not_sent_total", "Messages given up.");

/// One run.
struct Publication {
    reporter: Reporter,
    subscriber: Subscriber,
    registration: Registration,
    service: String,
    path: String,
    pace: Duration,
    next_at: Instant,
    /// How long nobody may take a message of an input that ends; `None`: for ever.
    wait: Option<Duration>,
    /// Since when nobody takes the message that waits.
    stuck: Option<Instant>,
    /// What stood in the way last.
    trouble: Option<String>,
    sent: u64,
    /// Given up.
    unsent: u64,
    /// There are more of them, which took too long to count.
    uncounted: bool,
    on_this_connection: u64,
    /// Sent on connections that broke.
    doubtful: u64,
    connection: ConnectionState,
}

impl Publication {
    /// Publishes until the subscriber has ended or everything must at once; why, where that is an
    /// error.
    async fn follow(
        &mut self,
        messages: &mut Messages,
        stay: bool,
        running: &mut LongRunning,
    ) -> Option<Error> {
        let mut failure: Option<Error> = None;
        let mut message: Option<String> = None;
        let (mut ended, mut open) = (false, true);
        while !ended {
            tokio::select! {
                update = self.subscriber.next() => {
                    let end = self.take_update(update);
                    if self.connection.ever_stood() {
                        running.ready();
                    }
                    if let Some(end) = end {
                        ended = true;
                        let error = end.err();
                        if error.is_some() && messages.is_finite() {
                            self.count_unsent(message.take(), messages).await;
                        }
                        failure = failure.or(error);
                    }
                }
                next = messages.next(), if open && message.is_none() => match next {
                    Some(Ok(text)) => message = Some(text),
                    Some(Err(error)) => {
                        open = false;
                        failure = Some(error);
                        self.subscriber.stop();
                    }
                    None => {
                        open = false;
                        if !stay {
                            self.leave(&mut ended);
                        }
                    }
                },
                () = sleep_until(self.next_at), if message.is_some() => {
                    self.send(&mut message);
                    if self.is_stuck() && messages.is_finite() {
                        open = false;
                        self.count_unsent(message.take(), messages).await;
                        failure = Some(self.given_up());
                        self.subscriber.stop();
                    }
                }
                kept = self.registration.keep() => if let Some(word) = kept {
                    self.reporter.step(&word);
                },
                request = running.next() => match request {
                    Request::Figures(reader) => running.report(reader, &self.figures()),
                    Request::Stop(Stop::AtOnce) => break,
                    Request::Stop(_) => {
                        self.subscriber.stop();
                        if open || message.is_some() {
                            self.count_left(message.take(), messages).await;
                        }
                        open = false;
                    }
                },
            }
        }
        failure
    }

    /// Everything is sent: leaves, which confirms it. Without a message there is nothing to
    /// confirm, connected or not.
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
        let now = Instant::now();
        if published {
            *message = None;
            self.stuck = None;
            self.sent += 1;
            self.on_this_connection += 1;
            self.next_at = (self.next_at + self.pace).max(now);
        } else {
            self.stuck.get_or_insert(now);
            self.next_at = now + BUSY;
        }
    }

    /// Whether nobody took the message that waits for as long as may be.
    fn is_stuck(&self) -> bool {
        let waited = self.stuck.map(|since| since.elapsed());
        self.wait.is_some_and(|wait| waited >= Some(wait))
    }

    /// The message that waits, and all that follow it.
    async fn count_unsent(&mut self, message: Option<String>, messages: &mut Messages) {
        self.unsent = u64::from(message.is_some());
        let unsent = &mut self.unsent;
        let counting = async {
            while let Some(Ok(_)) = messages.next().await {
                *unsent += 1;
            }
        };
        self.uncounted = timeout(COUNTING, counting).await.is_err();
    }

    /// What a signal left unsent: all the rest of a file, and of an input that goes on what had
    /// come.
    async fn count_left(&mut self, message: Option<String>, messages: &mut Messages) {
        if messages.is_finite() {
            self.count_unsent(message, messages).await;
        } else {
            self.unsent = u64::from(message.is_some());
        }
    }

    fn given_up(&self) -> Error {
        let trouble = self.trouble.as_deref().unwrap_or("no connection stands");
        let more = if self.uncounted { "at least " } else { "" };
        Error::new(
            Kind::Connect,
            format!(
                "{more}{} of {} messages were not sent: for {:?} no node took any ({trouble})",
                self.unsent,
                self.unsent + self.sent,
                self.wait.unwrap_or_default(),
            ),
        )
        .hint("`netapi ise pxgrid test` walks the way to the node step by step; --wait gives it more time")
    }

    fn take_update(&mut self, update: Update) -> Option<Result<()>> {
        for notice in &update.notices {
            self.reporter.step(&notice.to_string());
            self.connection.hear(notice);
            if let Notice::NodeFailed { why, .. } | Notice::ConnectionLost { why, .. } = notice {
                self.trouble = Some(why.to_string());
            } else if let Notice::LookupFailed(error) = notice {
                self.trouble = Some(error.to_string());
            }
            if matches!(notice, Notice::ConnectionLost { .. } | Notice::NoReceipt) {
                self.doubtful += std::mem::take(&mut self.on_this_connection);
            }
        }
        update.ended
    }

    fn figures(&self) -> Summary {
        let mut text = format!("published {}, unconfirmed {}", self.sent, self.doubtful);
        if self.unsent > 0 {
            let more = if self.uncounted { "at least " } else { "" };
            text = format!("{text}, not sent {more}{}", self.unsent);
        }
        let mut samples = vec![
            PUBLISHED.counts(self.sent),
            UNCONFIRMED.counts(self.doubtful),
            NOT_SENT.counts(self.unsent),
        ];
        samples.extend(
            self.connection
                .samples(self.subscriber.figures().reconnects),
        );
        Summary {
            state: self.connection.state(),
            text,
            samples,
            json: serde_json::json!({
                "published": self.sent, "unconfirmed": self.doubtful, "notSent": self.unsent
            }),
        }
    }

    /// Takes the registration back, whatever happened but a second signal.
    async fn end(self, failure: Option<Error>, running: &mut LongRunning) -> Result<ExitCode> {
        running.report(Reader::Stderr, &self.figures());
        let Self {
            subscriber,
            registration,
            doubtful,
            sent,
            reporter,
            service,
            ..
        } = self;
        let ending = async { tokio::join!(registration.end(), subscriber.close()).0 };
        let ended = running.wait_for(TAKING_BACK, ending).await;
        if running.stop() > Stop::No {
            return taken_back(&reporter, &service, ended).map(|()| DONE);
        }
        if let Some(error) = failure {
            return Err(error);
        }
        ended.unwrap_or(Ok(()))?;
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

/// A registration that was sent and not answered.
fn lost_registration(error: Error, service: &str) -> Error {
    let attempt = Attempt::begun();
    attempt.explain_lost(error, &format!("the registration of {service}"), |_| {
        format!(
            "nothing was published; `netapi ise pxgrid services {service}` shows whether it stands, \
             and ISE forgets it after some time"
        )
    })
}

/// How a registration ended, after a signal; `None`: it was not waited for, which is said.
fn taken_back(reporter: &Reporter, service: &str, ended: Option<Result<()>>) -> Result<()> {
    ended.unwrap_or_else(|| {
        reporter.step(&format!(
            "the registration of {service} was not taken back; ISE forgets it after some time"
        ));
        Ok(())
    })
}
