//! What workers keep in the stream's key-value store, as JSON: of each member, and of each claim.

use serde::{Deserialize, Serialize};

use super::claim::{Before, Claim};
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
    /// Where it is nobody's: so many of the next deliveries may have been done, whatever their
    /// numbers.
    #[serde(default)]
    pub marks: u64,
}

impl ClaimValue {
    /// The claim of this revision. What cannot be read is nobody's, and left nothing sure.
    pub fn claim(revision: u64, value: Option<&[u8]>) -> Claim {
        let value: Option<Self> = value.and_then(|value| serde_json::from_slice(value).ok());
        let (owner, done_to, marks) = value.map_or((None, 0, Before::UNKNOWN), |value| {
            (value.owner, value.done_to, value.marks)
        });
        Claim::new(revision, owner, Before { done_to, marks })
    }
}

/// The names of the buckets of a stream: of members, and of claims.
pub fn bucket_names(address: &StreamAddress) -> (String, String) {
    let stream = &address.stream;
    (
        format!("NETAPI_{stream}_members"),
        format!("NETAPI_{stream}_claims"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(value: Option<&[u8]>) -> (Option<String>, u64, u64) {
        let Claim { owner, before, .. } = ClaimValue::claim(1, value);
        (owner, before.done_to, before.marks)
    }

    #[test]
    fn a_claim_is_read_as_it_was_written_and_else_leaves_nothing_sure() {
        let value = |owner: Option<&str>| {
            let value = ClaimValue {
                owner: owner.map(Into::into),
                done_to: 5,
                marks: Before::UNKNOWN,
            };
            serde_json::to_vec(&value).unwrap()
        };
        assert_eq!(left(Some(&value(None))), (None, 5, Before::UNKNOWN));
        assert_eq!(
            left(Some(&value(Some("a")))),
            (Some("a".into()), 5, Before::UNKNOWN)
        );
        // As it was written before there were marks.
        let older = br#"{"owner":null,"doneTo":5}"#;
        assert_eq!(left(Some(older)), (None, 5, 0));
        for other in [None, Some(&b"{"[..]), Some(b"[]")] {
            assert_eq!(left(other), (None, 0, Before::UNKNOWN));
        }
    }
}
