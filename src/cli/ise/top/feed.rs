//! Sessions and failures as they come: a subscription of pxGrid, or the Monitoring node's active
//! list, polled. What comes is handed on; nothing is kept here.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::cli::ise::mnt::watch::{LONGEST_PAUSE, ends};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::pxgrid::catalogue::TopicName;
use crate::pxgrid::control::ServiceNode;
use crate::pxgrid::subscriber::{Subscriber, Update};
use crate::pxgrid::subscription::Options;
use crate::record::selection::{Selected, Selection};
use crate::record::{Record, RecordSink};
use crate::top::Session;

/// Sessions of a list that are handed on together.
const PORTION: usize = 500;
/// Portions that may wait.
const WAITING: usize = 4;

/// What a source tells.
pub(super) enum News {
    /// Of a subscription.
    Update(Update),
    /// A whole list begins.
    ListBegins,
    /// Sessions of it.
    Listed {
        /// They.
        sessions: Vec<Session>,
        /// It is the first list.
        first: bool,
    },
    /// It came to its end.
    ListEnds {
        /// The node that was asked.
        host: String,
    },
    /// A poll failed.
    PollFailed {
        /// Why.
        why: String,
        /// Time until the next one.
        pause: Duration,
    },
    /// It ends for good.
    Ended(Error),
}

type Polling<'c> = Pin<Box<dyn Future<Output = Error> + 'c>>;

/// See the module's documentation.
pub(super) enum Source<'c> {
    /// A subscription.
    Subscription {
        subscriber: Box<Subscriber>,
        selection: Selection,
        failures: bool,
    },
    /// Polls.
    Polling {
        polling: Polling<'c>,
        news: mpsc::Receiver<News>,
    },
}

impl<'c> Source<'c> {
    /// Subscribes to sessions, the current ones first, and to failures where they are offered.
    ///
    /// Errors: those of an account that may not be used; what only waits for a node is no error.
    pub(super) async fn subscription(
        services: &Arc<ServiceClient>,
        selection: Selection,
    ) -> Result<Self> {
        let topic = |alias: &str| TopicName::parse(alias);
        let offered = match services.ready().await {
            Ok(_) => offers_failures(services).await,
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Pending) => {
                return Err(error);
            }
            // Nobody can tell yet; the subscription's own words say what is wrong.
            Err(_) => true,
        };
        let failures = topic("radius-failure").filter(|_| offered);
        let options = Options {
            snapshot: true,
            ..Options::default()
        };
        let offered = failures.is_some();
        let topics = topic("session").into_iter().chain(failures).collect();
        let subscriber = Subscriber::start(Arc::clone(services), topics, options, Vec::new())?;
        Ok(Self::Subscription {
            subscriber: Box::new(subscriber),
            selection,
            failures: offered,
        })
    }

    /// Polls the active list.
    pub(super) fn polling(client: &'c MntClient, selection: Selection, pause: Duration) -> Self {
        let (give, news) = mpsc::channel(WAITING);
        Self::Polling {
            polling: Box::pin(poll_on(client, selection, pause, give)),
            news,
        }
    }

    /// Whether failures are told.
    pub(super) fn tells_failures(&self) -> bool {
        matches!(self, Self::Subscription { failures: true, .. })
    }

    /// Whether the user's filters let a session or message through.
    pub(super) fn wants(&mut self, object: &str) -> bool {
        match self {
            Self::Subscription { selection, .. } => {
                selection.is_empty() || selection.wants_message(object)
            }
            Self::Polling { .. } => true,
        }
    }

    /// What there is to say of the filters, once.
    pub(super) fn warning(&mut self) -> Option<String> {
        match self {
            Self::Subscription { selection, .. } => selection.warning("event"),
            Self::Polling { .. } => None,
        }
    }

    /// Waits for the next. Safe to drop and to call again.
    pub(super) async fn next(&mut self) -> News {
        match self {
            Self::Subscription { subscriber, .. } => News::Update(subscriber.next().await),
            Self::Polling { polling, news } => tokio::select! {
                biased;
                Some(news) = news.recv() => news,
                error = polling => News::Ended(error),
            },
        }
    }
}

/// Whether some node has the topic of RADIUS failures.
async fn offers_failures(services: &ServiceClient) -> bool {
    let nodes = services.lookup("radius", false).await.unwrap_or_default();
    let offers = |node: &ServiceNode| node.property("failureTopic").is_some();
    nodes.iter().any(offers)
}

/// Polls until that is of no use.
async fn poll_on(
    client: &MntClient,
    mut selection: Selection,
    usual: Duration,
    give: mpsc::Sender<News>,
) -> Error {
    let longest = LONGEST_PAUSE.max(usual);
    let mut backoff = Backoff::new(usual.saturating_mul(2), longest);
    let mut first = true;
    loop {
        // Where nobody listens any more this future is dropped.
        let _gone = give.send(News::ListBegins).await;
        let inner = Portions {
            sessions: Vec::new(),
            give: give.clone(),
            first,
        };
        let (mut rows, outcome) = client.sessions(Selected { selection, inner }).await;
        let left = std::mem::take(&mut rows.inner.sessions);
        selection = rows.selection;
        let listed = News::Listed {
            sessions: left,
            first,
        };
        let _gone = give.send(listed).await;
        let pause = match outcome {
            Ok(_) => {
                backoff.reset();
                first = false;
                let host = client.requests().node().to_string();
                let _gone = give.send(News::ListEnds { host }).await;
                usual
            }
            Err(error) if ends(&error) || first && !error.passes() => return error,
            Err(error) => {
                let pause = backoff.next_pause();
                let why = error.message().to_owned();
                let _gone = give.send(News::PollFailed { why, pause }).await;
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Reads rows on the thread that parses, and hands them on in portions.
struct Portions {
    sessions: Vec<Session>,
    give: mpsc::Sender<News>,
    first: bool,
}

impl RecordSink for Portions {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        self.sessions
            .extend(Session::read(record, Timestamp::now()));
        if self.sessions.len() < PORTION {
            return Ok(ControlFlow::Continue(()));
        }
        let sessions = std::mem::take(&mut self.sessions);
        let first = self.first;
        let given = self.give.blocking_send(News::Listed { sessions, first });
        Ok(match given {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    }
}
