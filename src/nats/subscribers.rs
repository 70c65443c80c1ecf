//! What each subscriber tells of itself in the stream's key-value store, for whoever looks: how
//! many events it stored, and how many the stream had already. A subscriber that may not write it
//! stores its events all the same. By it others see that they are not alone ([`Others`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::bucket::Bucket;
use super::{Connection, Publisher, StreamAddress};
use crate::backoff::Backoff;

/// How often it is told.
const TELL: Duration = Duration::from_secs(2);

/// The pauses before a bucket that cannot be made or written is tried again. The first is short:
/// another subscriber may just be making it, and counts on seeing us.
const AGAIN: Backoff = Backoff::new(TELL, Duration::from_mins(1));

/// Whether others are there is looked at again after this time: who comes waits longer before it
/// stores anything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A server's clock may be that much behind ours.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

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
    seen: Mutex<Option<(Instant, Sign)>>,
}

/// The last sign of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// Nobody can tell.
    Unknown,
    /// There is none.
    Never,
    /// Then, by the server's clock.
    At(Timestamp),
}

impl Sign {
    /// Whether others may have stored anything since then, by our clock.
    fn is_since(self, since: Timestamp) -> bool {
        match self {
            Self::Unknown => true,
            Self::Never => false,
            Self::At(time) => time >= since.checked_sub(CLOCKS).unwrap_or(since),
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

    /// Whether any may have stored something since then. Where nobody can tell, one has.
    pub(super) async fn since(&self, since: Timestamp) -> bool {
        // Whoever comes while one looks waits for what that one sees.
        let mut seen = self.seen.lock().await;
        if let Some((at, sign)) = *seen
            && at.elapsed() < LOOK_AGAIN
        {
            return sign.is_since(since);
        }
        let sign = self.look().await;
        *seen = Some((Instant::now(), sign));
        sign.is_since(since)
    }

    async fn look(&self) -> Sign {
        let entries = self.bucket.entries(&format!("{}.>", self.deployment)).await;
        let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
            return Sign::Unknown;
        };
        let others = entries.iter().filter(|entry| entry.key != self.ours);
        let newest = others.map(|entry| entry.at).max();
        newest.map_or(Sign::Never, Sign::At)
    }
}

/// Tells of this publisher, as long as it is there.
pub fn tell(
    connection: Connection,
    address: &StreamAddress,
    replicas: usize,
    publisher: &Arc<Publisher>,
    mut value: SubscriberValue,
) {
    let publisher = Arc::downgrade(publisher);
    let name = bucket_name(&address.stream);
    tokio::spawn(async move {
        let key = key(&value.deployment, &value.name);
        let mut bucket = None;
        let mut again = AGAIN;
        loop {
            let Some(counts) = publisher.upgrade().map(|publisher| publisher.counts()) else {
                return;
            };
            if connection.stands() {
                (value.stored, value.duplicates) = counts;
                let text = serde_json::to_string(&value).unwrap_or_default();
                if bucket.is_none() {
                    let made = Bucket::open(&connection, name.clone(), Some(FORGOTTEN), replicas);
                    bucket = made.await.ok();
                }
                let heard = match &bucket {
                    Some(bucket) => bucket.put(&key, text).await,
                    None => false,
                };
                // What was not heard is told with later figures.
                if !heard {
                    bucket = None;
                    sleep(again.next_pause()).await;
                    continue;
                }
                again.reset();
            }
            sleep(TELL).await;
        }
    });
}
