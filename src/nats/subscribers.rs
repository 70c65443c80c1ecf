//! What each subscriber tells of itself in the stream's key-value store, for whoever looks: how
//! many events it stored, and how many the stream had already.
//!
//! By it subscribers see that they are not alone ([`Others`]), so one stores nothing before others
//! can see it ([`OwnSign`]). One that may not write it stores its events all the same.

mod own_sign;

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use self::own_sign::FRESH;
pub(super) use self::own_sign::OwnSign;
use super::bucket::{Bucket, NOT_PERMITTED, NotOpened, Put};
use super::{Connection, Publisher, StreamAddress};
use crate::backoff::Backoff;
use crate::error::Kind;

/// How often it is told.
const TELL: Duration = Duration::from_secs(2);

/// The pauses before it is told again where nobody answered: events wait for it.
const UNHEARD: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));

/// The pauses where the server refused it: each try is a line in its log.
const REFUSED: Backoff = Backoff::new(TELL, Duration::from_mins(1));

/// Whether others are there is looked at again after this time: who comes waits longer before it
/// stores anything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After a look that takes longer nobody can tell, for the same reason.
const LOOKING: Duration = Duration::from_secs(1);

/// A server's clock may be that much behind ours, and whoever stores something gave its last sign
/// no longer before that than [`FRESH`].
const BEFORE: SignedDuration = SignedDuration::from_secs(60 + FRESH.as_secs().cast_signed());

/// Of one that has said nothing for this time nothing is known any more.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// What a subscriber says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriberValue {
    /// Its pxGrid client's name.
    pub name: String,
    /// The deployment whose events it stores.
    pub deployment: String,
    /// The topics that it is subscribed to.
    #[serde(default)]
    pub topics: Vec<String>,
    /// The host that it runs on.
    pub host: String,
    /// This program's version.
    pub version: String,
    /// When it began.
    pub since: String,
    /// Events that it stored since then.
    pub stored: u64,
    /// Events that the stream had already.
    pub duplicates: u64,
}

/// The bucket of a stream's subscribers.
pub fn bucket_name(stream: &str) -> String {
    format!("NETAPI_{stream}_subscribers")
}

/// The key of one: a name may have characters that a key must not have.
fn key(deployment: &str, name: &str) -> String {
    format!("{deployment}.{}", URL_SAFE_NO_PAD.encode(name))
}

/// Whether other subscribers of a deployment are, or were, at work: as a look a moment ago showed.
pub(super) struct Others {
    bucket: Bucket,
    deployment: String,
    ours: String,
    seen: Mutex<Option<Look>>,
}

/// A look at the signs of others.
#[derive(Clone, Copy)]
struct Look {
    began: Instant,
    ended: Instant,
    sign: LastSign,
}

/// The last sign of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastSign {
    /// Nobody can tell.
    Unknown,
    /// There is none.
    Never,
    /// Then, by the server's clock.
    At(Timestamp),
}

impl LastSign {
    /// Whether others may have stored anything since then, by our clock.
    fn is_since(self, since: Timestamp) -> bool {
        match self {
            Self::Unknown => true,
            Self::Never => false,
            Self::At(time) => time >= since.checked_sub(BEFORE).unwrap_or(since),
        }
    }
}

impl Others {
    /// Than the one of this name.
    pub(super) fn than(
        connection: &Connection,
        stream: &str,
        deployment: &str,
        name: &str,
    ) -> Self {
        Self {
            bucket: Bucket::named(connection, bucket_name(stream)),
            deployment: deployment.to_owned(),
            ours: key(deployment, name),
            seen: Mutex::default(),
        }
    }

    /// Whether any may have stored something since then. Where nobody can tell, one has. `looked`:
    /// a look that began before this is too old.
    pub(super) async fn since(&self, since: Timestamp, looked: Option<Instant>) -> bool {
        // Whoever comes while one looks waits for what that one sees.
        let mut seen = self.seen.lock().await;
        let good = |look: &Look| {
            look.ended.elapsed() < LOOK_AGAIN && looked.is_none_or(|after| look.began >= after)
        };
        if let Some(look) = seen.filter(good) {
            return look.sign.is_since(since);
        }
        let began = Instant::now();
        let looked = timeout(LOOKING, self.look()).await;
        let sign = looked.unwrap_or(LastSign::Unknown);
        *seen = Some(Look {
            began,
            ended: Instant::now(),
            sign,
        });
        sign.is_since(since)
    }

    async fn look(&self) -> LastSign {
        let entries = self.bucket.entries(&format!("{}.>", self.deployment)).await;
        let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
            return LastSign::Unknown;
        };
        let others = entries.iter().filter(|entry| entry.key != self.ours);
        let newest = others.map(|entry| entry.at).max();
        newest.map_or(LastSign::Never, LastSign::At)
    }
}

/// Tells of this publisher, as long as it is there. `warn` says, once, where it may not.
pub fn tell(
    connection: Connection,
    address: &StreamAddress,
    replicas: usize,
    publisher: &Arc<Publisher>,
    mut value: SubscriberValue,
    warn: impl Fn(&str) + Send + 'static,
) {
    let sign = Arc::clone(publisher.sign());
    let publisher = Arc::downgrade(publisher);
    let mut writer = EntryWriter {
        key: key(&value.deployment, &value.name),
        name: bucket_name(&address.stream),
        connection,
        replicas,
        bucket: None,
    };
    tokio::spawn(async move {
        let (mut unheard, mut refused) = (UNHEARD, REFUSED);
        let mut warn = Some(warn);
        loop {
            let Some(counts) = publisher.upgrade().map(|publisher| publisher.counts()) else {
                return;
            };
            if !writer.connection.stands() {
                sign.wanted_within(TELL).await;
                continue;
            }
            (value.stored, value.duplicates) = counts;
            let told = Instant::now();
            match writer.tell(&value).await {
                Put::Done => {
                    (unheard, refused) = (UNHEARD, REFUSED);
                    let Some(publisher) = publisher.upgrade() else {
                        return;
                    };
                    publisher.is_seen_since(told);
                    drop(publisher);
                    sign.wanted_within(TELL).await;
                }
                // What was not heard is told with later figures.
                Put::Unknown(why) => {
                    sign.is_unheard(why);
                    sleep(unheard.next_pause()).await;
                }
                Put::Refused(why) => {
                    if let Some(warn) = warn.take() {
                        warn(&writer.may_not(&why));
                    }
                    sign.is_refused();
                    sleep(refused.next_pause()).await;
                }
            }
        }
    });
}

/// Writes the entry in which a subscriber tells of itself.
struct EntryWriter {
    connection: Connection,
    name: String,
    key: String,
    replicas: usize,
    bucket: Option<Bucket>,
}

impl EntryWriter {
    async fn tell(&mut self, value: &SubscriberValue) -> Put {
        let bucket = match self.bucket.take() {
            Some(bucket) => bucket,
            None => match self.open().await {
                Ok(bucket) => bucket,
                Err(put) => return put,
            },
        };
        let text = serde_json::to_string(value).unwrap_or_default();
        let put = bucket.put(&self.key, text).await;
        if put == Put::Done {
            self.bucket = Some(bucket);
        }
        put
    }

    async fn open(&self) -> Result<Bucket, Put> {
        let name = self.name.clone();
        let opened = Bucket::open(&self.connection, name, Some(FORGOTTEN), self.replicas);
        opened.await.map_err(|NotOpened { error, lasts }| {
            let why = match error.kind() {
                Kind::Refused => NOT_PERMITTED.to_owned(),
                _ => error.message().to_owned(),
            };
            if lasts {
                Put::Refused(why)
            } else {
                Put::Unknown(Some(why))
            }
        })
    }

    fn may_not(&self, why: &str) -> String {
        format!(
            "this subscriber cannot tell of itself in the bucket {}: {why}. Other subscribers do not see it, so what they store late may lie behind its newer events unmarked, and fleet status does not show it",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::scripted::{self, Answer};

    async fn told(answer: fn(&str) -> Answer) -> Put {
        let mut writer = EntryWriter {
            connection: scripted::connection(answer).await,
            name: bucket_name("EVENTS"),
            key: key("ise", "one"),
            replicas: 1,
            bucket: None,
        };
        let value = SubscriberValue {
            name: "one".to_owned(),
            deployment: "ise".to_owned(),
            topics: Vec::new(),
            host: "host".to_owned(),
            version: "1".to_owned(),
            since: "2026-11-30T03:00:00Z".to_owned(),
            stored: 0,
            duplicates: 0,
        };
        writer.tell(&value).await
    }

    #[tokio::test]
    async fn what_may_pass_is_not_taken_for_a_refusal() {
        let away = told(|_| Answer::NoResponders).await;
        assert!(matches!(away, Put::Unknown(Some(_))), "{away:?}");
        let offline = told(|_| {
            Answer::Body(
                r#"{"error":{"code":500,"err_code":10118,"description":"stream is offline"}}"#,
            )
        });
        let offline = offline.await;
        assert!(
            matches!(&offline, Put::Unknown(Some(why)) if why.contains("offline")),
            "{offline:?}"
        );
        let full = told(|_| {
            Answer::Body(
                r#"{"error":{"code":400,"err_code":10027,"description":"maximum number of streams reached"}}"#,
            )
        });
        let full = full.await;
        assert!(
            matches!(&full, Put::Refused(why) if why.contains("maximum number of streams")),
            "{full:?}"
        );
    }
}
