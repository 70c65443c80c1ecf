//! Sessions and failures as they come: a subscription of pxGrid, or the Monitoring node's active
//! list, polled. What comes is handed on; nothing is kept here.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::cli::ise::polling::{LONGEST_PAUSE, ends};
use crate::error::{Error, Kind, Result};
use crate::mnt::MntClient;
use crate::pxgrid::ServiceClient;
use crate::pxgrid::catalogue::TopicName;
use crate::pxgrid::control::ServiceNode;
use crate::pxgrid::subscriber::{Subscriber, Update};
use crate::pxgrid::subscription::SubscriptionOptions;
use crate::record::selection::{Selected, Selection};
use crate::record::{Record, RecordSink};
use crate::top::Session;

/// Sessions of a list that are handed on together.
const PORTION: usize = 500;
/// Before the second try to reach pxGrid, where the first failed.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Portions that may wait.
const WAITING: usize = 4;

/// What a source tells.
pub(super) enum News {
    /// The account may subscribe, and the subscription begins.
    Begins {
        /// Whether failures are told.
        failures: bool,
    },
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
    /// Nobody answered, before the subscription or to a poll.
    NoAnswer {
        /// Why.
        why: String,
        /// Time until it is tried again.
        pause: Duration,
    },
    /// It ends for good.
    Ended(Error),
}

type Polling<'c> = Pin<Box<dyn Future<Output = Error> + 'c>>;
/// Whether failures are offered, or why the account cannot subscribe now.
type Asking<'c> = Pin<Box<dyn Future<Output = Result<bool>> + 'c>>;

/// See the module's documentation.
pub(super) enum Source<'c> {
    /// ISE is asked what it offers this account, before the subscription.
    Asking {
        services: &'c Arc<ServiceClient>,
        asking: Asking<'c>,
        backoff: Backoff,
        selection: Selection,
    },
    /// A subscription.
    Subscription {
        subscriber: Box<Subscriber>,
        selection: Selection,
    },
    /// Polls.
    Polling {
        polling: Polling<'c>,
        news: mpsc::Receiver<News>,
    },
}

impl<'c> Source<'c> {
    /// Subscribes to sessions, the current ones first, and to failures where they are offered.
    /// Where nobody answers it goes on to ask.
    pub(super) fn subscription(services: &'c Arc<ServiceClient>, selection: Selection) -> Self {
        Self::Asking {
            services,
            asking: ask(services, Duration::ZERO),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            selection,
        }
    }

    /// Polls the active list.
    pub(super) fn polling(client: &'c MntClient, selection: Selection, pause: Duration) -> Self {
        let (give, news) = mpsc::channel(WAITING);
        Self::Polling {
            polling: Box::pin(poll_on(client, selection, pause, give)),
            news,
        }
    }

    /// Whether the user's filters let a session or message through.
    pub(super) fn wants(&mut self, object: &str) -> bool {
        match self {
            Self::Subscription { selection, .. } => {
                selection.is_empty() || selection.wants_message(object)
            }
            Self::Asking { .. } | Self::Polling { .. } => true,
        }
    }

    /// What there is to say of the filters, once.
    pub(super) fn warning(&mut self) -> Option<String> {
        match self {
            Self::Subscription { selection, .. } => selection.warning("event"),
            Self::Asking { .. } | Self::Polling { .. } => None,
        }
    }

    /// Waits for the next. Safe to drop and to call again.
    pub(super) async fn next(&mut self) -> News {
        match self {
            Self::Asking {
                services,
                asking,
                backoff,
                ..
            } => match asking.as_mut().await {
                Ok(failures) => self.subscribe(failures),
                Err(error) if error.passes() => {
                    let pause = backoff.next_pause();
                    *asking = ask(services, pause);
                    let why = error.message().to_owned();
                    News::NoAnswer { why, pause }
                }
                Err(error) => News::Ended(error),
            },
            Self::Subscription { subscriber, .. } => News::Update(subscriber.next().await),
            Self::Polling { polling, news } => tokio::select! {
                biased;
                Some(news) = news.recv() => news,
                error = polling => News::Ended(error),
            },
        }
    }

    /// Begins the subscription, once.
    fn subscribe(&mut self, failures: bool) -> News {
        let Self::Asking {
            services,
            selection,
            ..
        } = self
        else {
            return News::Ended(Error::new(Kind::Failed, "the subscription began twice"));
        };
        let topic = |alias: &str| TopicName::parse(alias);
        let of_failures = topic("radius-failure").filter(|_| failures);
        let failures = of_failures.is_some();
        let topics = topic("session").into_iter().chain(of_failures).collect();
        let options = SubscriptionOptions {
            snapshot: true,
            ..SubscriptionOptions::default()
        };
        match Subscriber::start(Arc::clone(services), topics, options, Vec::new()) {
            Ok(subscriber) => {
                *self = Self::Subscription {
                    subscriber: Box::new(subscriber),
                    selection: std::mem::take(selection),
                };
                News::Begins { failures }
            }
            Err(error) => News::Ended(error),
        }
    }
}

/// Asks after a pause whether the account may subscribe, and to what.
fn ask(services: &Arc<ServiceClient>, pause: Duration) -> Asking<'_> {
    Box::pin(async move {
        tokio::time::sleep(pause).await;
        services.ready().await?;
        Ok(offers_failures(services).await)
    })
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
                let _gone = give.send(News::NoAnswer { why, pause }).await;
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
