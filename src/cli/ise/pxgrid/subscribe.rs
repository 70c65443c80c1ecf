//! `netapi ise pxgrid subscribe`: events as they happen, printed, handed to a callback or stored
//! in a stream.
//!
//! | part | holds |
//! | --- | --- |
//! | `follow` | from the first lookup to the end: events, requests from outside |
//! | `metrics` | the summary's figures for Prometheus |
//! | `options` | options in groups: delivery, reconnecting |
//! | `stdout_writer` | what is printed, and how |
//! | `stream` | `--to`: a NATS JetStream stream (feature `nats`) |

mod follow;
mod metrics;
mod options;
mod stdout_writer;
#[cfg(feature = "nats")]
mod stream;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::connection_state::ConnectionState;
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::filters::{Filters, Window, kinds};
use crate::cli::input;
use crate::cli::ise::idle_lab_hint;
use crate::cli::long_running::{LongRunning, ServiceArgs};
use crate::error::{Error, Result};
use crate::pxgrid::catalogue::TopicName;
use crate::pxgrid::subscriber::Subscriber;
use crate::pxgrid::subscription::{DEPLOYMENT, SubscriptionOptions};
use follow::Follower;
#[cfg(feature = "nats")]
pub(super) use metrics::delivery_samples;
use options::{DeliveryArgs, Destination, Reconnecting};
#[cfg(feature = "nats")]
pub(super) use stdout_writer::refuse_formats;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid subscribe --topic session
  netapi ise pxgrid subscribe --topic session --topic anc --json
  netapi ise pxgrid subscribe --topic radius-failure --nas sw-lab-02
  netapi ise pxgrid subscribe --topic session --state started \\
    --callback ./handle-session.sh
  netapi ise pxgrid subscribe --topic session --callback ./handle.sh \\
    --spool /var/spool/netapi -- --dry-run
  netapi ise pxgrid subscribe --topic radius-failure --count 1 \\
    --where \"failures[?userName=='pat']\"
  netapi ise pxgrid subscribe --topic session --spool /var/spool/netapi \\
    --to nats://n1.example.com,n2.example.com/EVENTS

What a callback gets and what becomes of it: netapi help callbacks
Ctrl-C (TERM, HUP) once: running callbacks finish, the rest stays in the spool.
Twice: at once. SIGUSR1 says the figures so far.")]
pub(crate) struct Subscribe {
    /// What to subscribe to: session, session-all, group, anc, radius-failure, …; SERVICE:PROPERTY;
    /// or /topic/…; repeatable
    #[arg(long = "topic", required = true, value_name = "TOPIC", value_parser = topic)]
    topics: Vec<TopicName>,
    /// A JMESPath condition on one session or message, applied by the server (ISE 3.4); a lost
    /// message looks like a filtered one then
    #[arg(long, value_name = "JMESPATH")]
    filter: Option<String>,
    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time; exit status 6 or 7 if no connection stood in it
    #[arg(long = "for", value_name = "DURATION", value_parser = input::some_time)]
    time: Option<Duration>,
    /// The current sessions first, marked "recovered"
    #[arg(long)]
    snapshot: bool,
    /// The deployment's name, which is part of each event's "id"
    #[arg(long, value_name = "NAME", default_value = DEPLOYMENT, value_parser = deployment)]
    deployment: String,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    reconnecting: Reconnecting,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    window: Window,
    /// Arguments for the callback
    #[arg(last = true, value_name = "ARGS", requires = "callback")]
    arguments: Vec<OsString>,
}

/// Why the topic of endpoints may stay empty (reference pxgrid-api, section 7).
const ENDPOINTS: &str = "ISE tells of endpoints only when they change, and only when its profiler is set to: custom attribute enforcement, the forwarder's persistence queue, publishing to pxGrid";

/// For clap: an alias, `service:property` or a path.
fn topic(text: &str) -> Result<TopicName, String> {
    TopicName::parse(text).ok_or_else(|| {
        let aliases: Vec<&str> = TopicName::aliases().collect();
        format!(
            "'{text}' is no topic; there are {}, and SERVICE:PROPERTY or /topic/… for others",
            aliases.join(", ")
        )
    })
}

/// How many sessions of a topic are in memory at least where all are in the spool.
const REMEMBERED: usize = 25_000;

/// For clap: a name that fits into ids and subjects as it is.
pub(super) fn deployment(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err("a deployment's name is letters, digits, - and _, at most 64".to_owned());
    }
    Ok(text.to_owned())
}

impl Subscribe {
    /// Subscribes until it is stopped, or enough has come.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        let mut options = SubscriptionOptions {
            deployment: self.deployment.clone(),
            filter: self.filter.clone(),
            snapshot: self.snapshot,
            ..self.reconnecting.options()?
        };
        let selection = self.filters.over(&kinds::EVENT, &self.window)?;
        self.state_has_sessions()?;
        let destination =
            self.delivery
                .destination(context, &self.arguments, &self.topics, &self.deployment)?;
        if self
            .service
            .prints_unit(context, || Ok(self.delivery.as_service()))?
        {
            return Ok(DONE);
        }
        if context.global.limit == Some(0) {
            return Ok(DONE);
        }
        let (services, certificate) = context.pxgrid_as()?;
        let services = Arc::new(services);
        if context.global.shows_only() {
            services.ready().await?;
        }
        let limit = [self.count, context.global.limit]
            .into_iter()
            .flatten()
            .min();
        // Before anything is delivered or printed, which may make somebody stop us.
        let mut running = LongRunning::begin(context, &self.service)?;
        if let Some(certificate) = certificate {
            running.certificate_until(certificate.not_after);
        }
        #[cfg_attr(
            not(feature = "nats"),
            allow(clippy::infallible_destructuring_match, reason = "of a stream")
        )]
        let sink = match destination {
            Destination::Sink(sink) => sink,
            #[cfg(feature = "nats")]
            Destination::Stream(target) => {
                let target = target.of_member(services.control().account().name.as_str());
                let opening = Box::pin(target.open(context));
                match running.wait_for(Duration::ZERO, opening).await {
                    Some(Ok(sink)) => sink,
                    Some(Err(error)) => return running.end(Err(error)).await,
                    None => return running.end(Ok(DONE)).await,
                }
            }
        };
        let listens = sink.listens();
        let deliverer = self.delivery.start(sink, &context.reporter)?;
        let of_endpoints = |topic: &TopicName| matches!(topic, TopicName::Known(_, topic) if topic.alias == "endpoint");
        if self.topics.iter().any(of_endpoints) {
            context.reporter.step(ENDPOINTS);
        }
        if let Some(notice) = idle_lab_hint::notice(context, "pxgrid-host") {
            context.reporter.step(notice);
        }
        options.memory = deliverer.memory();
        if options.memory.is_some() {
            options.remembered = REMEMBERED;
        }
        let marks = deliverer.marks()?;
        let follower = Follower {
            reporter: context.reporter.clone(),
            subscriber: Subscriber::start(services, self.topics, options, marks)?,
            selection,
            left: limit,
            time: self
                .time
                .map(|time| (time, tokio::time::Instant::now() + time)),
            trouble: None,
            unread: 0,
            connection: ConnectionState::default(),
            listens,
        };
        let result = follower.run(deliverer, &mut running).await;
        running.end(result).await
    }

    /// `--state` is of sessions: among topics that are known to carry none it would let nothing
    /// through.
    fn state_has_sessions(&self) -> Result<()> {
        let none = |topic: &TopicName| matches!(topic, TopicName::Known(_, topic) if topic.list != Some("sessions"));
        if self.filters.has_state() && self.topics.iter().all(none) {
            return Err(Error::usage(
                "--state is of a session, and none of the topics carries sessions",
            )
            .hint("add --topic session, or choose with --where"));
        }
        Ok(())
    }
}
