//! What each subscriber tells of itself in the stream's key-value store, for whoever looks: how
//! many events it stored, and how many the stream had already. Nothing is decided by it, and a
//! subscriber that may not write it stores its events all the same.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::bucket::Bucket;
use super::{Connection, Publisher, StreamAddress};

/// How often it is told.
const TELL: Duration = Duration::from_secs(2);

/// A bucket that cannot be made or written is tried again after this time.
const AGAIN: Duration = Duration::from_mins(1);

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
fn key(value: &SubscriberValue) -> String {
    let name = URL_SAFE_NO_PAD.encode(&value.name);
    format!("{}.{name}", value.deployment)
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
        let key = key(&value);
        let mut bucket = None;
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
                    sleep(AGAIN).await;
                    continue;
                }
            }
            sleep(TELL).await;
        }
    });
}
