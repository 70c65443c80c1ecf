//! Where events go. A sink is handed attempts ([`OpenSink::take`]): each is its own from then on,
//! until it has told the [`Scheduler`] what became of it, at once or later.
//!
//! | part | holds |
//! | --- | --- |
//! | [`print`](mod@print) | what is printed: batches, done with when they are written |
//! | [`callback`] | one run of the callback: its input, environment, time limit and outcome |
//! | `callback_runner`, `spawn_pool` | one run an event, on threads of their own |
//! | `stream` | a NATS JetStream stream (feature `nats`) |
//! | [`child`] | the long-lived child of `--keep-running` |
//! | [`output`] | what callbacks and children print, cut into bounded lines |
//!
//! Another one is a variant of [`Sink`] and of `Kind`, and a file here: whoever hands events over
//! knows a sink by its [`Feed`] alone. Nothing here decides what is next, or what a failure means.

pub mod callback;
mod callback_runner;
pub mod child;
pub mod output;
pub mod print;
mod spawn_pool;
#[cfg(feature = "nats")]
pub mod stream;

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::deliverer::DeliveryOptions;
use super::endpoint_order::Rules;
use super::scheduler::{Attempt, Scheduler};
use super::stop::Stop;
use crate::error::Result;
use callback::{Callback, RunContext};
use callback_runner::CallbackRunner;
use child::LongLivedChild;
use print::EventWriter;
use spawn_pool::SpawnPool;

/// Where events go.
pub enum Sink {
    /// One process an event.
    Callback(Callback),
    /// One long-lived process (`--keep-running`); having read an event is having delivered it.
    KeepRunning(Callback),
    /// Printed; having written an event is having delivered it.
    Print(Box<dyn EventWriter>),
    /// Stored in a stream; its acknowledgement is having delivered it.
    #[cfg(feature = "nats")]
    Stream(Arc<crate::nats::Publisher>),
}

impl Sink {
    /// The program that is run, where one is.
    pub(super) fn callback(&self) -> Option<&Callback> {
        match self {
            Self::Callback(callback) | Self::KeepRunning(callback) => Some(callback),
            Self::Print(_) => None,
            #[cfg(feature = "nats")]
            Self::Stream(_) => None,
        }
    }

    /// How much stack the delivering thread needs, where it is more than usual.
    pub(super) fn stack_size(&self) -> Option<usize> {
        match self {
            Self::Print(writer) => writer.stack_size(),
            _ => None,
        }
    }

    /// What is to be told when a subscription stands, for the first time or again.
    pub fn listens(&self) -> Box<dyn Fn() + Send> {
        match self {
            #[cfg(feature = "nats")]
            Self::Stream(publisher) => {
                let publisher = Arc::clone(publisher);
                Box::new(move || publisher.listens())
            }
            _ => Box::new(|| {}),
        }
    }

    /// Whether it is done with events so fast that those in memory go to it at the end, too.
    pub(super) fn empties_memory(&self) -> bool {
        matches!(self, Self::Print(_))
    }

    /// What is said when events begin to wait on disk; `None`: that is nothing worth a word.
    pub(super) fn lagging(&self) -> Option<&'static str> {
        match self {
            Self::Print(_) => Some("the reader does not keep up; events wait on disk"),
            _ => None,
        }
    }
}

/// What is said when a sink takes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    /// That it is over.
    pub(super) over: &'static str,
    /// Whether each longer pause and each other reason is worth a word.
    pub(super) each_pause: bool,
}

impl Outage {
    /// Of callbacks and children that cannot be started.
    pub(super) const OF_CALLBACKS: Self = Self {
        over: "the callback can be started again",
        each_pause: true,
    };
}

/// How a sink wants its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// One of each endpoint at a time, so many altogether; what fails is tried again.
    PerEndpoint(usize),
    /// As they came, many at a time. All of them are settled when [`OpenSink::take`] returns.
    InOrder,
}

/// A sink at work.
pub(super) struct OpenSink {
    kind: Kind,
    feed: Feed,
    /// Deliveries under way; each goes on with the next event as long as there is one.
    tasks: JoinSet<()>,
    /// How urgently what is under way is to end.
    stop: watch::Sender<Stop>,
}

enum Kind {
    Callbacks(Arc<CallbackRunner>, SpawnPool),
    Child(LongLivedChild),
    Print(Box<dyn EventWriter>),
    #[cfg(feature = "nats")]
    Stream(Arc<stream::StreamSink>),
}

impl OpenSink {
    /// Gets it to work, inside a runtime; `scratch` is a directory for what has to lie in one.
    pub(super) fn open(
        sink: Sink,
        options: &DeliveryOptions,
        scratch: std::path::PathBuf,
    ) -> Result<Self> {
        let stop = watch::Sender::new(Stop::No);
        let listener = Arc::clone(&options.listener);
        let (kind, feed) = match sink {
            Sink::Callback(callback) => {
                let jobs = spawn_pool::affordable(options.jobs, &*listener);
                let context = RunContext {
                    listener,
                    scratch,
                    stop: stop.subscribe(),
                };
                let runner = CallbackRunner { callback, context };
                let pool = SpawnPool::new(jobs)?;
                (
                    Kind::Callbacks(Arc::new(runner), pool),
                    Feed::PerEndpoint(jobs),
                )
            }
            Sink::KeepRunning(callback) => {
                let backoff = options.backoff;
                let child = LongLivedChild::start(callback, backoff, listener, stop.subscribe());
                (Kind::Child(child), Feed::PerEndpoint(child::WINDOW))
            }
            Sink::Print(writer) => (Kind::Print(writer), Feed::InOrder),
            #[cfg(feature = "nats")]
            Sink::Stream(publisher) => {
                let sink = stream::StreamSink {
                    publisher,
                    counters: Arc::clone(&options.counters),
                    stop: stop.subscribe(),
                };
                (
                    Kind::Stream(Arc::new(sink)),
                    Feed::PerEndpoint(stream::WINDOW),
                )
            }
        };
        Ok(Self {
            kind,
            feed,
            tasks: JoinSet::new(),
            stop,
        })
    }

    /// How it wants its events.
    pub(super) fn feed(&self) -> Feed {
        self.feed
    }

    /// How its deliveries follow each other; how many events are held is not its affair.
    pub(super) fn rules(&self, options: &DeliveryOptions) -> Rules {
        let jobs = match self.feed {
            Feed::PerEndpoint(jobs) => jobs,
            Feed::InOrder => 1,
        };
        let rules = Rules {
            jobs,
            retries: options.retries,
            backoff: options.backoff,
            probes: false,
            capacity: 0,
        };
        match &self.kind {
            #[cfg(feature = "nats")]
            Kind::Stream(_) => stream::rules(rules),
            _ => rules,
        }
    }

    /// What is said when it takes nothing.
    pub(super) fn outage(&self) -> Outage {
        match &self.kind {
            #[cfg(feature = "nats")]
            Kind::Stream(_) => stream::OUTAGE,
            _ => Outage::OF_CALLBACKS,
        }
    }

    /// These are its own: it settles each with the scheduler. An error ends the delivery, and what
    /// is not settled then was not delivered.
    pub(super) fn take(
        &mut self,
        attempts: Vec<Attempt>,
        scheduler: &Arc<Scheduler>,
    ) -> Result<()> {
        match &mut self.kind {
            Kind::Print(writer) => print::print(&mut **writer, &attempts, scheduler)?,
            Kind::Callbacks(runner, pool) => {
                for attempt in attempts {
                    let runner = Arc::clone(runner);
                    let scheduler = Arc::clone(scheduler);
                    pool.spawn(&mut self.tasks, |busy| {
                        runner.run_on(scheduler, attempt, busy)
                    });
                }
            }
            #[cfg(feature = "nats")]
            Kind::Stream(sink) => {
                for attempt in attempts {
                    let store = Arc::clone(sink).store_on(Arc::clone(scheduler), attempt);
                    self.tasks.spawn_on(store, sink.publisher.runtime());
                }
            }
            Kind::Child(child) => {
                for attempt in attempts {
                    let feed = child.feeder().feed_on(Arc::clone(scheduler), attempt);
                    self.tasks.spawn(feed);
                }
            }
        }
        Ok(())
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the end of something that is under way; `None` when nothing is.
    pub(super) async fn ended(&mut self) -> Option<Result<(), JoinError>> {
        self.tasks.join_next().await
    }

    /// Tells what is under way how urgently to end.
    pub(super) fn stop(&self, stop: Stop) {
        stop.raise(&self.stop);
    }

    /// How urgently what is under way was told to end.
    pub(super) fn stopping(&self) -> Stop {
        *self.stop.borrow()
    }

    /// Nothing is under way and nothing more will come: waits for what lives longer than an event.
    pub(super) async fn close(self, mut stop: watch::Receiver<Stop>) {
        if let Kind::Child(child) = self.kind {
            let mut closing = pin!(child.close());
            tokio::select! {
                () = &mut closing => return,
                // The second Ctrl-C also ends a child that takes its time.
                () = Stop::AtOnce.reached(&mut stop) => {}
            }
            Stop::AtOnce.raise(&self.stop);
            closing.await;
        }
    }
}
