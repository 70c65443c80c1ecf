//! Why an event was not acknowledged, as the library and the server tell it. What follows from it is
//! the publisher's affair.

use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};

/// Why an event was not acknowledged.
pub(super) enum Failure {
    TooLarge,
    NoResponders,
    TimedOut,
    JetStream(jetstream::Error),
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Self::TooLarge,
            PublishErrorKind::StreamNotFound => Self::NoResponders,
            _ => {
                let source = std::error::Error::source(&error);
                let answer = source.and_then(|source| source.downcast_ref::<jetstream::Error>());
                answer.map_or(Self::TimedOut, |answer| Self::JetStream(answer.clone()))
            }
        }
    }
}

/// The number in the server's words `wrong last sequence: NUMBER`.
pub(super) fn last_number(said: &str) -> u64 {
    let words = said.split_once("sequence: ").map_or("", |(_, after)| after);
    let end = words.find(|c: char| !c.is_ascii_digit());
    let digits = end.and_then(|end| words.get(..end)).unwrap_or(words);
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_in_the_servers_words() {
        for (said, number) in [
            ("wrong last sequence: 57 (code 400, error code 10071)", 57),
            ("wrong last sequence: 0", 0),
            ("wrong last sequence", 0),
        ] {
            assert_eq!(last_number(said), number, "{said}");
        }
    }
}
