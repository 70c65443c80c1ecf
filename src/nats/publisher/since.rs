//! From when on a stream is looked at.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Others are at work that stored something within this time.
const AT_WORK: SignedDuration = SignedDuration::from_secs(30);

/// Whoever stored something since then is at work.
pub(super) fn at_work() -> Timestamp {
    Timestamp::now().checked_sub(AT_WORK).unwrap_or_default()
}

/// Nothing older is in a stream that keeps events so long (zero: for ever). A time that somebody
/// sends may be any, year 0 among them, which no server is to be asked for.
pub(super) fn kept_since(now: Timestamp, max_age: Duration) -> Timestamp {
    let aged = SignedDuration::try_from(max_age).ok();
    let aged = aged.filter(SignedDuration::is_positive);
    let since = aged.and_then(|age| now.checked_sub(age).ok());
    since.map_or(Timestamp::UNIX_EPOCH, |since| {
        since.max(Timestamp::UNIX_EPOCH)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_looked_for_that_is_too_old_to_be_there() {
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let long_ago: Timestamp = "-000001-06-01T00:00:00Z".parse().unwrap();
        for (max_age, since) in [
            (Duration::ZERO, "1970-01-01T00:00:00Z"),
            (Duration::from_hours(1), "2026-11-22T02:00:00Z"),
            (Duration::from_secs(u64::MAX), "1970-01-01T00:00:00Z"),
            (Duration::from_hours(876_000), "1970-01-01T00:00:00Z"),
        ] {
            let kept = long_ago.max(kept_since(now, max_age));
            assert_eq!(kept.to_string(), since, "{max_age:?}");
        }
    }
}
