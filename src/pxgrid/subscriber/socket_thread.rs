//! The thread on which sockets are read, and one connection on it. What is read waits in a queue
//! whose bytes are bounded; when the owner does not keep up, the socket is read no further (the
//! server cuts such a client after a minute, and what was missed is fetched afterwards), while
//! our own pings go on. What is sent waits in a queue that only the state machine fills, a few
//! frames a connection, and whoever publishes, after a look at [`ConnectionHandle::waiting`]; a frame that
//! cannot be written for a minute ends the connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::cannot_start;
use crate::error::{Error, Result};
use crate::pxgrid::socket::{Incoming, SIGN_OF_LIFE, Socket};
use crate::pxgrid::stomp::Frame;
use crate::transport::{Basic, Client};

/// How many kilobytes of frames wait for the owner.
const ROOM: u32 = 4 * 1024;

/// What a frame costs beyond its body, in bytes.
const OVERHEAD: usize = 512;

/// How long closing in good order may take; the socket has a shorter limit of its own.
const PARTING: Duration = Duration::from_secs(2);

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// The WebSocket is open.
    Opened {
        /// The server's clock, if it told.
        date: Option<Timestamp>,
    },
    /// It could not be opened; nothing follows.
    NotOpened(Error),
    /// Something came, in order.
    Incoming(Vec<Incoming>),
    /// It ended by itself; nothing follows.
    Closed(Error),
}

/// The thread of the sockets; it ends with this.
pub(crate) struct Sockets {
    handle: Handle,
    _end: oneshot::Sender<Infallible>,
}

impl Sockets {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Self> {
        let runtime = crate::threads::runtime()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<Infallible>();
        std::thread::Builder::new()
            .name("sockets".to_owned())
            .spawn(move || {
                // Nothing is ever sent: it ends when the sender is dropped.
                let _dropped = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(|error| cannot_start(&error))?;
        Ok(Self { handle, _end: end })
    }

    /// Begins to open a connection.
    pub(crate) fn open(
        &self,
        client: Client,
        url: String,
        basic: Basic,
        ping_every: Duration,
    ) -> ConnectionHandle {
        let (give, events) = mpsc::unbounded_channel();
        let (outgoing, frames) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = ConnectionTask {
            give,
            frames,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            waiting: Arc::clone(&waiting),
            ping_every,
        };
        let task = self.handle.spawn(async move {
            let opened = tokio::select! {
                opened = Socket::open(&client, &url, &basic) => opened,
                () = task.give.closed() => return,
            };
            task.keep(opened).await;
        });
        ConnectionHandle {
            events,
            outgoing,
            waiting,
            task,
        }
    }
}

/// What is to be sent.
enum Outgoing {
    Frame(Frame),
    Ping,
}

/// An event, and the room it takes until it is looked at.
struct Queued {
    event: ConnectionEvent,
    _room: Option<OwnedSemaphorePermit>,
}

/// One connection. Dropped, it is closed in the background.
pub(crate) struct ConnectionHandle {
    events: mpsc::UnboundedReceiver<Queued>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// Frames that are not written yet.
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl ConnectionHandle {
    /// The next event; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await.map(|queued| queued.event)
    }

    /// The next event if one waits.
    pub(crate) fn try_next(&mut self) -> Option<ConnectionEvent> {
        self.events.try_recv().ok().map(|queued| queued.event)
    }

    /// Whether events wait.
    pub(crate) fn has_unread(&self) -> bool {
        !self.events.is_empty()
    }

    /// How many events wait.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.events.len()
    }

    /// Sends a frame after those before it. That it failed is told by [`ConnectionEvent::Closed`].
    pub(crate) fn send(&self, frame: Frame) {
        self.waiting.fetch_add(1, Relaxed);
        // A link that ended has said so.
        let _ended = self.outgoing.send(Outgoing::Frame(frame));
    }

    /// Sends a ping after the frames before it.
    pub(crate) fn ping(&self) {
        // A link that ended has said so.
        let _ended = self.outgoing.send(Outgoing::Ping);
    }

    /// How many frames wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Closes, and waits for it a moment.
    pub(crate) async fn close(self) {
        let Self {
            events,
            outgoing,
            task,
            ..
        } = self;
        drop((events, outgoing));
        let _late = timeout(PARTING, task).await;
    }
}

/// The connection's side on the sockets' thread.
struct ConnectionTask {
    give: mpsc::UnboundedSender<Queued>,
    frames: mpsc::UnboundedReceiver<Outgoing>,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    ping_every: Duration,
}

impl ConnectionTask {
    async fn keep(mut self, opened: Result<Socket>) {
        let mut socket = match opened {
            Ok(socket) => socket,
            Err(error) => return self.tell(ConnectionEvent::NotOpened(error), None),
        };
        let date = socket.date();
        self.tell(ConnectionEvent::Opened { date }, None);
        match self.pump(&mut socket).await {
            Ok(()) => socket.close().await,
            Err(error) => self.tell(ConnectionEvent::Closed(error), None),
        }
    }

    fn tell(&self, event: ConnectionEvent, room: Option<OwnedSemaphorePermit>) {
        // An owner that has gone wants to hear nothing more.
        let _gone = self.give.send(Queued { event, _room: room });
    }

    /// Reads and writes until the owner lets go, or the connection ends.
    async fn pump(&mut self, socket: &mut Socket) -> Result<()> {
        let mut ping = interval_at(Instant::now() + self.ping_every, self.ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut held: Option<Vec<Incoming>> = None;
        loop {
            let cost = held.as_deref().map_or(0, cost);
            tokio::select! {
                frame = self.frames.recv() => match frame {
                    Some(Outgoing::Frame(frame)) => {
                        socket.send(&frame).await?;
                        self.waiting.fetch_sub(1, Relaxed);
                    }
                    Some(Outgoing::Ping) => socket.ping().await?,
                    None => return Ok(()),
                },
                _ = ping.tick() => socket.ping().await?,
                room = Arc::clone(&self.room).acquire_many_owned(cost), if held.is_some() => {
                    // The semaphore is never closed.
                    if let (Ok(room), Some(incoming)) = (room, held.take()) {
                        self.tell(ConnectionEvent::Incoming(incoming), Some(room));
                    }
                }
                incoming = socket.receive(), if held.is_none() => {
                    let incoming = incoming?;
                    let room = Arc::clone(&self.room).try_acquire_many_owned(self::cost(&incoming));
                    match room {
                        Ok(room) => self.tell(ConnectionEvent::Incoming(incoming), Some(room)),
                        Err(_) => held = Some(incoming),
                    }
                }
            }
        }
    }
}

/// What a batch takes of the queue's room, in kilobytes; a huge frame takes it all.
fn cost(batch: &[Incoming]) -> u32 {
    let bytes: usize = batch
        .iter()
        .map(|incoming| match incoming {
            Incoming::Frame(frame) => frame.body.len() + OVERHEAD,
            Incoming::Ping | Incoming::Pong => SIGN_OF_LIFE,
        })
        .sum();
    u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM).min(ROOM)
}
