//! Options in groups: what happens to an event, and how a lost connection is made again; and what
//! they come to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::super::callback_args::CallbackArgs;
use super::super::delivery_listener::StderrListener;
use super::stdout_writer::{self, StdoutWriter};
#[cfg(feature = "nats")]
use super::stream::{StreamArgs, StreamTarget};
use crate::cli::Context;
use crate::cli::input;
use crate::cli::long_running::Service;
use crate::cli::report::Reporter;
use crate::delivery::counters::Counters;
use crate::delivery::{self, Deliverer, RETRY_PAUSES, Sink, spool};
use crate::error::{Error, Result};
use crate::pxgrid::catalogue::TopicName;
use crate::pxgrid::subscription::SubscriptionOptions;
use crate::settings::Server;

/// What happens to an event.
#[derive(Args, Debug)]
#[command(next_help_heading = "Delivery")]
pub(super) struct DeliveryArgs {
    #[command(flatten)]
    pub(super) callbacks: CallbackArgs,
    /// Keep events here until they are delivered, also over a crash, and fetch what was missed
    /// meanwhile
    #[arg(long, value_name = "DIR")]
    pub(super) spool: Option<PathBuf>,
    /// Append events that could not be delivered [default: DIR/dead-letters.jsonl, else standard
    /// error]
    #[arg(long, value_name = "FILE", requires = "handler")]
    pub(super) dead_letters: Option<PathBuf>,
    #[cfg(feature = "nats")]
    #[command(flatten)]
    stream: StreamArgs,
}

/// Where events go, before anything is connected to.
pub(super) enum Destination {
    /// It is there.
    Sink(Sink),
    /// A stream, to be opened.
    #[cfg(feature = "nats")]
    Stream(Box<StreamTarget>),
}

impl DeliveryArgs {
    /// Where events go; what is printed is as the context says. Starts nothing, and connects to
    /// nothing.
    #[cfg_attr(not(feature = "nats"), allow(unused_variables, reason = "of a stream"))]
    pub(super) fn destination(
        &self,
        context: &Context,
        arguments: &[OsString],
        topics: &[TopicName],
        deployment: &str,
    ) -> Result<Destination> {
        #[cfg(feature = "nats")]
        if let Some(target) = self.stream.target(context, topics, deployment)? {
            stdout_writer::refuse_formats(context)?;
            return Ok(Destination::Stream(Box::new(target)));
        }
        self.sink(context, arguments).map(Destination::Sink)
    }

    /// The sink that is no stream.
    fn sink(&self, context: &Context, arguments: &[OsString]) -> Result<Sink> {
        if let Some(sink) = self.callbacks.sink(arguments)? {
            stdout_writer::refuse_formats(context)?;
            return Ok(sink);
        }
        Ok(Sink::Print(Box::new(StdoutWriter::new(context)?)))
    }

    /// Starts delivering to it, first what an earlier run left. Blocks on the disk for a moment.
    pub(super) fn start(&self, sink: Sink, reporter: &Reporter) -> Result<Deliverer> {
        if let Some(dir) = &self.spool {
            reporter.report_panics_in(spool::LIBRARY, spool::damaged(dir));
        }
        // Who prints brings dead letters from a thread that has nothing else to do.
        let waits = matches!(sink, Sink::Print(_));
        let options = delivery::DeliveryOptions {
            jobs: self.callbacks.jobs(),
            retries: self.callbacks.retries,
            backoff: RETRY_PAUSES,
            spool: self.spool.clone(),
            dead_letters: self.dead_letters.clone(),
            listener: Arc::new(StderrListener::new(reporter.clone(), waits)),
            counters: Arc::new(Counters::default()),
            gate: None,
        };
        let deliverer = Deliverer::start(sink, options)?;
        match deliverer.left_over() {
            0 => {}
            1 => reporter.step("1 event of an earlier run is delivered first"),
            left => reporter.step(&format!(
                "{left} events of an earlier run are delivered first"
            )),
        }
        Ok(deliverer)
    }

    /// The command as a service.
    pub(super) fn as_service(&self) -> Service {
        let letters = self.dead_letters.as_deref().and_then(Path::parent);
        let writes = self.spool.as_deref().into_iter().chain(letters);
        #[cfg_attr(not(feature = "nats"), allow(unused_mut, reason = "of a stream"))]
        let mut speaks_with = vec![Server::Pxgrid];
        #[cfg(feature = "nats")]
        if self.stream.to.is_some() {
            speaks_with.push(Server::Nats);
        }
        Service {
            name: "subscribe",
            does: "events of ISE".to_owned(),
            callbacks: self.callbacks.longest(),
            speaks_with,
            writes: writes.map(Path::to_path_buf).collect(),
        }
    }
}

/// How a lost connection is made again.
#[derive(Args, Debug)]
#[command(next_help_heading = "Reconnecting")]
pub(super) struct Reconnecting {
    /// The first pause before the next try, at least 1s; each further one is twice as long
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = input::pause)]
    pub(super) reconnect_min: Duration,
    /// The longest pause
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::pause)]
    pub(super) reconnect_max: Duration,
    /// The pause before a new lookup when every node failed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::pause)]
    pub(super) lookup_pause: Duration,
    /// A connection without data or ping for this time counts as dead; we ping three times within
    /// it
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = input::pause)]
    pub(super) silence: Duration,
}

impl Reconnecting {
    /// The subscription's options as far as they are these.
    pub(super) fn options(&self) -> Result<SubscriptionOptions> {
        if self.reconnect_min > self.reconnect_max {
            return Err(Error::usage(
                "--reconnect-min is longer than --reconnect-max",
            ));
        }
        Ok(SubscriptionOptions {
            reconnect_min: self.reconnect_min,
            reconnect_max: self.reconnect_max,
            lookup_pause: self.lookup_pause,
            silence: self.silence,
            ..SubscriptionOptions::default()
        })
    }
}
