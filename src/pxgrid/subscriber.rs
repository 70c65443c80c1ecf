//! Drives a [`Subscription`]: carries its actions out (lookups, secrets, connections, timers, REST
//! reads) and tells it what came of them.
//!
//! It decides nothing; that is the state machine's work. Whoever owns a [`Subscriber`] calls
//! [`next`](Subscriber::next) until the end and does with events and notices as it likes. The
//! socket is read on a thread of its own, so that neither parsing nor a slow owner keeps a ping
//! waiting.
//!
//! | part | holds |
//! | --- | --- |
//! | `socket_thread` | the thread of the sockets, and one connection on it |
//! | `lookup` | from topics to paths and pubsub nodes |
//! | `reading` | what was missed, over REST, in portions |

pub(crate) mod lookup;
mod reading;
pub(crate) mod socket_thread;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::catalogue::TopicName;
use super::rest::ServiceClient;
use super::socket::Incoming;
use super::stomp::Frame;
use super::subscription::{
    Action, Input, Moment, Notice, PubsubNode, Subscription, SubscriptionOptions, Timer,
};
use crate::error::{Error, Result};
use crate::event::{Event, Figures, Mark, Progress};
use crate::record::jmespath::Filter;
use reading::Part;
use socket_thread::{ConnectionEvent, ConnectionHandle, Sockets};

/// A ping is sent this often, or three times within the allowed silence where that is short.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How much is taken from the socket's queue for one [`Update`], in bytes of bodies.
const PORTION: usize = 512 * 1024;

/// How many frames may wait to be written before nothing more is published.
const MOST_WAITING: usize = 16;

/// How many portions of rows wait between REST and the state machine.
const WAITING_PORTIONS: usize = 2;

/// What happened since the last call.
#[derive(Debug, Default)]
pub struct Update {
    /// Events, in order.
    pub events: Vec<Event>,
    /// What is worth a word, in order.
    pub notices: Vec<Notice>,
    /// What holds once these events are safe.
    pub progress: Progress,
    /// It is over, with an error if that is why; nothing follows.
    pub ended: Option<Result<()>>,
}

/// A running subscription.
pub struct Subscriber {
    services: Arc<ServiceClient>,
    topics: Arc<[TopicName]>,
    filter: Option<Arc<Filter>>,
    machine: Subscription,
    started: Instant,
    ping_every: Duration,
    sockets: Sockets,
    timers: BTreeMap<Timer, Instant>,
    step: Option<ControlCall>,
    secret: Option<SecretString>,
    link: Option<ConnectionHandle>,
    parting: Option<ConnectionHandle>,
    parts: mpsc::Receiver<(u64, Part)>,
    give_parts: mpsc::Sender<(u64, Part)>,
    update: Update,
    /// How many events the last update had: room for as many is made at once.
    handed_on: usize,
    /// Empty between two inputs; kept for its room.
    actions: Vec<Action>,
    dice: RandomState,
    thrown: u64,
}

/// A control call under way; dropping it drops the call.
type ControlCall = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What a control call came to.
enum Done {
    LookedUp(Result<lookup::TopicLookup>),
    Secret(Result<SecretString>),
}

impl Subscriber {
    /// Begins to subscribe to `topics`, going on from `resume`; without topics it only connects to
    /// ISE's own pubsub, to publish there. Must be called inside a runtime.
    ///
    /// Errors: [`crate::error::Kind::Usage`] for a filter that cannot be sent or evaluated.
    pub fn start(
        services: Arc<ServiceClient>,
        topics: Vec<TopicName>,
        options: SubscriptionOptions,
        resume: Vec<Mark>,
    ) -> Result<Self> {
        let filter = options.filter.as_deref().map(Filter::compile).transpose()?;
        let (give_parts, parts) = mpsc::channel(WAITING_PORTIONS);
        let mut subscriber = Self {
            services,
            topics: topics.into(),
            filter: filter.map(Arc::new),
            ping_every: PING_EVERY.min(options.silence / 3),
            machine: Subscription::new(options, resume)?,
            started: Instant::now(),
            sockets: Sockets::start()?,
            timers: BTreeMap::new(),
            step: None,
            secret: None,
            link: None,
            parting: None,
            parts,
            give_parts,
            update: Update::default(),
            handed_on: 0,
            actions: Vec::new(),
            dice: RandomState::new(),
            thrown: 0,
        };
        subscriber.feed(Input::Started);
        Ok(subscriber)
    }

    /// What the subscription counted so far.
    pub fn figures(&self) -> Figures {
        self.machine.figures()
    }

    /// What would be lost for good if it ended now; see [`Subscription::unread`].
    pub fn unread(&self, resumed: bool) -> Vec<Notice> {
        self.machine.unread(resumed)
    }

    /// Whether a connection stood at some time.
    pub fn was_live(&self) -> bool {
        self.machine.was_live()
    }

    /// Publishes a message; false when nothing can be sent now: no connection stands, or too much
    /// waits to be written already. Whether it arrives shows when it is left with the server's
    /// receipt.
    pub fn publish(&self, destination: &str, body: &str) -> bool {
        let ready =
            |link: &&ConnectionHandle| self.machine.is_live() && link.waiting() < MOST_WAITING;
        let Some(link) = self.link.as_ref().filter(ready) else {
            return false;
        };
        link.send(Frame::send(destination, body.to_owned()));
        true
    }

    /// Leaves: unsubscribes, and ends with the server's receipt or without it after a moment.
    /// Events that come meanwhile are not taken.
    pub fn stop(&mut self) {
        self.feed(Input::StopRequested);
    }

    /// Waits until something happened. Safe to drop and to call again; after the end it waits for
    /// ever.
    pub async fn next(&mut self) -> Update {
        loop {
            if self.has_news() {
                let mut update = std::mem::take(&mut self.update);
                self.handed_on = update.events.len();
                update.progress.marks = self.machine.marks();
                return update;
            }
            let due = self.timers.iter().map(|(timer, at)| (*at, *timer)).min();
            tokio::select! {
                Some(event) = connection_event(&mut self.link) => self.take_connection_event(event),
                done = of_step(&mut self.step) => self.stepped(done),
                Some((id, part)) = self.parts.recv() => self.read(id, part),
                timer = fired(due) => self.fired(timer),
            }
        }
    }

    /// Waits until the last connection was closed in good order, at most a moment.
    pub async fn close(mut self) {
        self.link = None;
        if let Some(link) = self.parting.take() {
            link.close().await;
        }
    }

    fn has_news(&self) -> bool {
        let Update {
            events,
            notices,
            progress,
            ended,
        } = &self.update;
        let news = !events.is_empty() || !progress.remembered.is_empty();
        news || !notices.is_empty() || ended.is_some()
    }

    /// Takes what the link has, up to a portion.
    fn take_connection_event(&mut self, first: ConnectionEvent) {
        let mut bytes = 0;
        let mut next = Some(first);
        // What is taken together came together.
        let moment = self.moment();
        while let Some(event) = next {
            match event {
                ConnectionEvent::Opened { date } => self.feed_at(moment, Input::Connected { date }),
                ConnectionEvent::NotOpened(error) => {
                    let refused = matches!(error.http_status(), Some(401 | 403));
                    self.feed_at(moment, Input::ConnectFailed { error, refused });
                }
                ConnectionEvent::Incoming(batch) => {
                    for incoming in batch {
                        bytes += self.incoming(moment, incoming);
                    }
                }
                ConnectionEvent::Closed(error) => self.feed_at(moment, Input::Closed(error)),
            }
            if bytes >= PORTION {
                break;
            }
            next = self.link.as_mut().and_then(ConnectionHandle::try_next);
        }
    }

    /// Feeds one frame, and gives the length of its body.
    fn incoming(&mut self, moment: Moment, incoming: Incoming) -> usize {
        let (length, input) = match incoming {
            Incoming::Ping => (0, Input::Ping),
            Incoming::Pong => (0, Input::Pong),
            Incoming::Frame(frame) => (frame.body.len(), Input::Frame(frame)),
        };
        self.feed_at(moment, input);
        length
    }

    fn stepped(&mut self, done: Done) {
        self.step = None;
        let input = match done {
            Done::LookedUp(Ok(found)) => Input::LookedUp {
                destinations: found.destinations,
                nodes: found.nodes,
            },
            Done::LookedUp(Err(error)) => Input::LookupFailed(error),
            Done::Secret(Ok(secret)) => {
                self.secret = Some(secret);
                Input::SecretGot
            }
            Done::Secret(Err(error)) => Input::SecretFailed(error),
        };
        self.feed(input);
    }

    fn read(&mut self, id: u64, part: Part) {
        self.feed(match part {
            Part::Rows { rows, deleted } => Input::Rows { id, rows, deleted },
            Part::Done => Input::ReadDone { id },
            Part::Failed(error) => Input::ReadFailed { id, error },
        });
    }

    fn fired(&mut self, timer: Timer) {
        self.timers.remove(&timer);
        let unread = self.link.as_ref().is_some_and(ConnectionHandle::has_unread);
        if timer == Timer::Silence && unread {
            // Not the server was silent, we were busy.
            self.set_timer(timer, self.ping_every);
            return;
        }
        self.feed(Input::Fired(timer));
    }

    fn set_timer(&mut self, timer: Timer, after: Duration) {
        self.timers.insert(timer, Instant::now() + after);
    }

    fn feed(&mut self, input: Input) {
        let moment = self.moment();
        self.feed_at(moment, input);
    }

    fn moment(&mut self) -> Moment {
        self.thrown = self.thrown.wrapping_add(1);
        let mut hasher = self.dice.build_hasher();
        hasher.write_u64(self.thrown);
        Moment {
            elapsed: self.started.elapsed(),
            wall: now(),
            random: u32::try_from(hasher.finish() >> 32).unwrap_or_default(),
        }
    }

    fn feed_at(&mut self, moment: Moment, input: Input) {
        let mut actions = std::mem::take(&mut self.actions);
        self.machine.handle(moment, input, &mut actions);
        for action in actions.drain(..) {
            self.act(action);
        }
        self.actions = actions;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::LookUp => {
                let (services, topics) = (Arc::clone(&self.services), Arc::clone(&self.topics));
                self.step = Some(Box::pin(async move {
                    Done::LookedUp(lookup::look_up(&services, &topics).await)
                }));
            }
            Action::FetchSecret { node, fresh } => {
                let services = Arc::clone(&self.services);
                self.step = Some(Box::pin(async move {
                    Done::Secret(services.secret(&node.name, fresh).await)
                }));
            }
            Action::Connect { node } => self.connect(&node),
            Action::Send(frame) => {
                if let Some(link) = &self.link {
                    link.send(frame);
                }
            }
            Action::Ping => {
                if let Some(link) = &self.link {
                    link.ping();
                }
            }
            Action::Close => {
                self.step = None;
                self.secret = None;
                if let Some(link) = self.link.take() {
                    self.parting = Some(link);
                }
            }
            Action::SetTimer { timer, after } => self.set_timer(timer, after),
            Action::Recover { id, read } => {
                let (services, parts) = (Arc::clone(&self.services), self.give_parts.clone());
                let filter = self.filter.clone().filter(|_| !read.filtered_by_server());
                tokio::spawn(reading::read(services, id, read, filter, parts));
            }
            Action::Emit(event) => {
                let events = &mut self.update.events;
                if events.is_empty() {
                    events.reserve(self.handed_on);
                }
                events.push(event);
            }
            Action::Remember(state) => {
                let after = self.update.events.len();
                self.update.progress.remembered.push((after, state));
            }
            Action::Say(notice) => self.update.notices.push(notice),
            Action::Finished(error) => {
                self.timers.clear();
                self.update.ended = Some(error.map_or(Ok(()), Err));
            }
        }
    }

    fn connect(&mut self, node: &PubsubNode) {
        let secret = self.secret.take().unwrap_or_default();
        let control = self.services.control();
        let basic = control.account().basic_with(secret);
        let client = control.client().clone();
        self.link = Some(
            self.sockets
                .open(client, node.url.clone(), basic, self.ping_every),
        );
    }
}

/// The link's next event; for ever without a link. A link that ended says so before it falls
/// silent.
async fn connection_event(link: &mut Option<ConnectionHandle>) -> Option<ConnectionEvent> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

async fn of_step(step: &mut Option<ControlCall>) -> Done {
    match step {
        Some(step) => step.await,
        None => std::future::pending().await,
    }
}

async fn fired(due: Option<(Instant, Timer)>) -> Timer {
    match due {
        Some((at, timer)) => {
            tokio::time::sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}

/// The clock on the wall to the millisecond, which is as fine as ISE's own times are.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// No sockets, no subscription.
fn cannot_start(error: &std::io::Error) -> Error {
    Error::new(
        crate::error::Kind::Failed,
        format!("cannot start the thread that reads the socket: {error}"),
    )
}
