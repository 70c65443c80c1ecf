//! `netapi ise pxgrid worker`: runs a callback for the events of a stream, on any number of
//! machines. Which partitions are its own is decided in [`crate::worker`].

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

use super::callback_args::CallbackArgs;
use super::delivery_listener::StderrListener;
use super::nats_login::NatsLoginArgs;
use super::subscribe::{delivery_samples, deployment, refuse_formats};
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::input;
use crate::cli::long_running::{
    LongRunning, Metric, Reader, Request, Service, ServiceArgs, Summary,
};
use crate::delivery::counters::Counters;
use crate::delivery::{self, Deliverer, Listener, RETRY_PAUSES, Stop};
use crate::error::{Error, Kind, Result};
use crate::event::EventId;
use crate::nats::bucket::Bucket;
use crate::nats::consumer::Group;
use crate::nats::dead::DeadStream;
use crate::nats::message::MOST_PARTITIONS;
use crate::nats::{Connection, Login, OpenStream, StreamAddress};
use crate::pxgrid::subscription::DEPLOYMENT;
use crate::settings::Server;
use crate::worker::driver::{Driver, Parts, Shared};
use crate::worker::machine::Machine;
use crate::worker::moment;
use crate::worker::values::{MemberValue, bucket_names};

/// How long killed callbacks may take to be gone, and their events to be given back.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How often it is looked whether the worker has joined.
const LOOK: Duration = Duration::from_millis(100);

/// A consumer waits so many leases for an acknowledgement.
const ACK_WAIT: u32 = 2;

/// Values of members are gone after so many leases.
const MEMBER_AGE: u32 = 3;

static PARTITIONS: Metric = Metric::gauge("netapi_worker_partitions", "Partitions that are ours.");
static MEMBERS: Metric = Metric::gauge(
    "netapi_worker_members",
    "Workers of the group, this one included.",
);
static SURE: Metric = Metric::gauge(
    "netapi_worker_lease_good",
    "Whether this worker is sure of its lease: 1 or 0.",
);
static IN_HAND: Metric = Metric::gauge(
    "netapi_worker_events_in_hand",
    "Events taken from the stream and not done with.",
);
static REPEATED: Metric = Metric::counter(
    "netapi_worker_events_repeated_total",
    "Events begun that may have been handled before.",
);

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("needed").required(true).args(["callback"])),
    override_usage = "\
netapi ise pxgrid worker [OPTIONS] --from <nats://HOST[,HOST…]/STREAM>
         --callback <SCRIPT> [-- <ARGS>...]",
    after_help = "\
Examples:
  netapi ise pxgrid worker --from nats://n1.example.com/EVENTS \\
    --callback ./handle-session.sh
  netapi ise pxgrid worker --from EVENTS --group tickets --from-now \\
    --callback ./open-ticket.py --jobs 16        # servers: NATS_URL

Each event goes to one worker of a group, those of one endpoint in the order of
the stream. At least once: what may come twice is marked \"repeated\", what lies
behind a newer state of its endpoint \"overtaken\". What a callback gets: netapi
help callbacks. What no callback took: netapi ise pxgrid fleet dead
Ctrl-C (TERM, HUP) once: running callbacks finish, the others' work is handed
over. Twice: at once. SIGUSR1 says the figures so far."
)]
pub(crate) struct Worker {
    /// The NATS JetStream stream that subscribers fill; its name alone is one at NATS_URL
    #[arg(
        long,
        value_name = "nats://HOST[,HOST…]/STREAM",
        required = true,
        group = "stream"
    )]
    from: String,
    /// Workers of one group share the events; each group gets all of them
    #[arg(long, value_name = "NAME", default_value = "workers", value_parser = group)]
    group: String,
    /// The deployment's name, as `subscribe` has it
    #[arg(long, value_name = "NAME", default_value = DEPLOYMENT, value_parser = deployment, hide_short_help = true)]
    deployment: String,
    /// A group that is new begins with the events to come, not with those stored
    #[arg(long)]
    from_now: bool,
    /// How long a worker that is not heard of keeps its events from the others
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = lease)]
    lease: Duration,
    /// How many partitions the stream has [default: what it says]; another number is refused
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PARTITIONS)))]
    partitions: Option<u32>,
    #[command(flatten)]
    callbacks: CallbackArgs,
    #[command(flatten)]
    login: NatsLoginArgs,
    #[command(flatten)]
    service: ServiceArgs,
    /// Arguments for the callback
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

/// For clap: a name that fits into names of consumers and keys.
pub(super) fn group(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err("a group's name is letters, digits, - and _, at most 64".to_owned());
    }
    Ok(text.to_owned())
}

/// For clap.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = input::some_time(text)?;
    if !(Duration::from_secs(1)..=Duration::from_mins(5)).contains(&lease) {
        return Err("a lease is 1s at least and 5m at most".to_owned());
    }
    Ok(lease)
}

/// The running worker.
struct Work {
    shared: Arc<Shared>,
    deliverer: Arc<Deliverer>,
    leave: Arc<Notify>,
    task: JoinHandle<Result<()>>,
    /// The last word of the driver.
    ended: Option<Result<()>>,
}

impl Worker {
    /// Works until it is stopped.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        refuse_formats(context)?;
        let sink = self
            .callbacks
            .sink(&self.arguments)?
            .ok_or_else(|| Error::usage("--callback was not given"))?;
        let address = StreamAddress::parse(&self.from, context.settings.nats_url()?.as_deref())?;
        let mut login = self.login.login(context)?;
        let as_service = || {
            Ok(Service {
                name: "worker",
                does: "events of ISE from a stream".to_owned(),
                callbacks: self.callbacks.longest(),
                speaks_with: vec![Server::Nats],
                writes: Vec::new(),
            })
        };
        if self.service.prints_unit(context, as_service)? {
            return Ok(DONE);
        }
        let host = host();
        let me = member_name(&host);
        login.name = format!("netapi worker {me}");
        if context.global.shows_only() {
            let connection = Connection::open(&address, login).await?;
            let stream =
                OpenStream::to_read(&connection, &address, &self.deployment, self.partitions)
                    .await?;
            context.reporter.step(&format!(
                "would join the group {} of the {address}, in {} partitions",
                self.group, stream.partitions
            ));
            return Ok(DONE);
        }
        let mut running = LongRunning::begin(context, &self.service)?;
        let listener: Arc<dyn Listener> =
            Arc::new(StderrListener::new(context.reporter.clone(), false));
        let opening = self.open(context, &address, login, me.clone(), host, &listener);
        let parts = match running.wait_for(Duration::ZERO, Box::pin(opening)).await {
            Some(Ok(parts)) => parts,
            Some(Err(error)) => return running.end(Err(error)).await,
            None => return running.end(Ok(DONE)).await,
        };
        let partitions = u32::try_from(parts.consumers.len()).unwrap_or(u32::MAX);
        let jobs = self.callbacks.jobs();
        let machine = Machine::new(me, self.lease, partitions, jobs);
        let shared = Shared::new(parts.connection.clone(), machine, jobs);
        let options = delivery::DeliveryOptions {
            jobs,
            retries: self.callbacks.retries,
            backoff: RETRY_PAUSES,
            spool: None,
            dead_letters: None,
            listener,
            counters: Arc::new(Counters::default()),
            gate: Some(Arc::clone(&shared) as _),
        };
        let deliverer = match Deliverer::start(sink, options) {
            Ok(deliverer) => Arc::new(deliverer),
            Err(error) => return running.end(Err(error)).await,
        };
        let leave = Arc::new(Notify::new());
        let driver = Driver::new(
            parts,
            Arc::clone(&shared),
            Arc::clone(&deliverer),
            Arc::clone(&leave),
        );
        let work = Work {
            shared,
            deliverer,
            leave,
            task: tokio::spawn(driver.run()),
            ended: None,
        };
        let result = work.until_ended(&mut running).await;
        running.end(result).await
    }

    /// Connects, finds the stream, and finds or makes what a group needs beside it.
    async fn open(
        &self,
        context: &Context,
        address: &StreamAddress,
        login: Login,
        me: String,
        host: String,
        listener: &Arc<dyn Listener>,
    ) -> Result<Parts> {
        let connection = Connection::open(address, login).await?;
        let stream =
            OpenStream::to_read(&connection, address, &self.deployment, self.partitions).await?;
        for notice in &stream.notices {
            context.reporter.step(notice);
        }
        let group = Group {
            stream: address.stream.clone(),
            name: self.group.clone(),
            deployment: self.deployment.clone(),
            partitions: stream.partitions,
            ack_wait: self.lease * ACK_WAIT,
            from_now: self.from_now,
        };
        let (consumers, made) = group.open(&connection).await?;
        let (members, claims) = bucket_names(address);
        let replicas = stream.replicas;
        let age = Some(self.lease * MEMBER_AGE);
        let members = Bucket::open(&connection, members, age, replicas).await?;
        let claims = Bucket::open(&connection, claims, None, replicas).await?;
        let dead = DeadStream::of(&connection, address);
        dead.make(replicas).await?;
        context.reporter.step(&format!(
            "joining the group {}{} of the {address} as {me}, in {} partitions",
            self.group,
            if made { " (new)" } else { "" },
            stream.partitions
        ));
        Ok(Parts {
            connection,
            members,
            claims,
            consumers,
            dead,
            group: self.group.clone(),
            me,
            lease: self.lease,
            value: MemberValue {
                lease: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
                leaving: false,
                host,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                since: format!("{:.0}", Timestamp::now()),
                jobs: self.callbacks.jobs() as u64,
                partitions: 0,
                in_hand: 0,
                delivered: 0,
                failed: 0,
                repeated: 0,
            },
            listener: Arc::clone(listener),
        })
    }
}

impl Work {
    /// Until everything is handed over, or it could not go on.
    async fn until_ended(mut self, running: &mut LongRunning) -> Result<ExitCode> {
        let mut ready = false;
        while self.ended.is_none() {
            tokio::select! {
                ended = &mut self.task => self.ended = Some(ended.unwrap_or_else(|error| Err(broken(&error)))),
                request = running.next() => match request {
                    Request::Figures(reader) => running.report(reader, &self.figures()),
                    Request::Stop(stop) => {
                        self.deliverer.stop(stop);
                        self.leave.notify_one();
                        if stop == Stop::AtOnce {
                            self.give_up().await;
                        }
                    }
                },
                () = sleep(LOOK), if !ready => {
                    ready = self.shared.standing().sure;
                    if ready {
                        running.ready();
                    }
                }
            }
        }
        running.report(Reader::Stderr, &self.figures());
        let Self {
            deliverer, ended, ..
        } = self;
        deliverer.stop(Stop::Finish);
        let ending = match Arc::into_inner(deliverer) {
            Some(deliverer) => timeout(AT_ONCE, deliverer.finish()).await.ok(),
            None => None,
        };
        let failure = ending.and_then(|ending| ending.failure);
        match (ended, failure) {
            (Some(Err(error)), _) | (_, Some(error)) => Err(error),
            _ => Ok(DONE),
        }
    }

    /// Ends the worker, if not by itself in a moment.
    async fn give_up(&mut self) {
        let ended = timeout(AT_ONCE, &mut self.task).await;
        if ended.is_err() {
            self.task.abort();
        }
        self.ended = Some(match ended {
            Ok(ended) => ended.unwrap_or_else(|error| Err(broken(&error))),
            Err(_) => Ok(()),
        });
    }

    fn figures(&self) -> Summary {
        let figures = self.deliverer.counters().figures();
        let standing = self.shared.standing();
        let state = if standing.sure {
            format!("{} partitions are ours", standing.partitions)
        } else {
            "not joined".to_owned()
        };
        let text = format!(
            "delivered {}, failed {}, repeated {}, in hand {}, partitions {}, workers {}, lag {:.1}s (at most {:.1}s)",
            figures.delivered,
            figures.failed,
            standing.repeated,
            standing.in_hand,
            standing.partitions,
            standing.members,
            figures.lag.as_secs_f64(),
            figures.max_lag.as_secs_f64(),
        );
        let json = serde_json::json!({
            "delivered": figures.delivered,
            "failed": figures.failed,
            "repeated": standing.repeated,
            "inHand": standing.in_hand,
            "partitions": standing.partitions,
            "workers": standing.members,
            "leaseGood": standing.sure,
            "lagSeconds": figures.lag.as_secs_f64(),
            "maxLagSeconds": figures.max_lag.as_secs_f64(),
        });
        let mut samples = delivery_samples(&figures);
        samples.extend([
            PARTITIONS.counts(standing.partitions as u64),
            MEMBERS.counts(standing.members as u64),
            SURE.counts(standing.sure.into()),
            IN_HAND.counts(standing.in_hand as u64),
            REPEATED.counts(standing.repeated),
        ]);
        Summary {
            state,
            text,
            json,
            samples,
        }
    }
}

fn broken(error: &JoinError) -> Error {
    Error::new(Kind::Failed, format!("the worker broke off: {error}"))
}

/// This computer's name, as far as it fits into a key.
fn host() -> String {
    let name = crate::process::host_name();
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let short = name.split('.').next().unwrap_or_default();
    let short: String = short.chars().filter(fits).take(40).collect();
    if short.is_empty() {
        "host".to_owned()
    } else {
        short
    }
}

/// A name that no other worker has: the host's, and something of this moment.
fn member_name(host: &str) -> String {
    let now = (Timestamp::now(), moment(), std::process::id());
    let text = EventId::of_text(&format!("{host} {now:?}")).to_string();
    let token: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{host}-{}", token.get(..6).unwrap_or(&token))
}
