//! How a `MESSAGE` is written: the headers of ISE 3.4 in its order. Made by appending, since a load
//! test writes hundreds of thousands a second.

use crate::lab::fast_text::{mix, push_hex_lower, push_number};

/// What stands before a message's body. `message_id` also makes the `trace-id`.
pub(super) fn push_head(
    out: &mut String,
    subscription: &str,
    destination: &str,
    message_id: u64,
    body_length: usize,
) {
    out.push_str("MESSAGE\ncontent-length:");
    push_number(out, u64::try_from(body_length).unwrap_or(u64::MAX), 1);
    out.push_str("\ntrace-id:");
    push_hex_lower(out, mix(message_id), 16);
    push_hex_lower(out, mix(!message_id), 16);
    out.push_str("\ndestination:");
    out.push_str(destination);
    out.push_str("\nmessage-id:");
    push_number(out, message_id, 1);
    out.push_str("\nsubscription:");
    out.push_str(subscription);
    out.push_str("\n\n");
}

/// A whole message.
pub(super) fn message(
    subscription: &str,
    destination: &str,
    message_id: u64,
    body: &str,
) -> Vec<u8> {
    let mut out = String::with_capacity(body.len() + 256 + destination.len() + subscription.len());
    push_head(&mut out, subscription, destination, message_id, body.len());
    out.push_str(body);
    out.push('\0');
    out.into_bytes()
}
