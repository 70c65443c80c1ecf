//! What workers keep in the stream's key-value store, as JSON: of each member, and of each claim.

use serde::{Deserialize, Serialize};

use crate::nats::StreamAddress;

/// What a member says of itself, beside its name, which is its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberValue {
    /// Its lease, in milliseconds.
    pub lease: u64,
    /// Whether it takes nothing any more.
    pub leaving: bool,
    /// The host that it runs on.
    pub host: String,
    /// This program's version.
    pub version: String,
    /// When it joined.
    pub since: String,
    /// How many callbacks it runs at a time.
    pub jobs: u64,
    /// How many partitions are its own.
    pub partitions: u64,
    /// How many events it has in hand.
    pub in_hand: u64,
    /// Events done with.
    pub delivered: u64,
    /// Events that became dead letters.
    pub failed: u64,
    /// Events begun that may have been handled before.
    pub repeated: u64,
}

/// A claim's value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimValue {
    /// The member whose the partition is.
    pub owner: Option<String>,
    /// Events up to this number of the stream may have been done.
    #[serde(default)]
    pub done_to: u64,
}

/// The names of the buckets of a stream: of members, and of claims.
pub fn bucket_names(address: &StreamAddress) -> (String, String) {
    let stream = &address.stream;
    (
        format!("NETAPI_{stream}_members"),
        format!("NETAPI_{stream}_claims"),
    )
}
