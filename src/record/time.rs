//! Times as servers write them, read to compare and to show; the record keeps the server's words
//! (reference mnt-api section 2.3, quirk 7).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads ISO 8601 with an offset or `Z` (any fraction), Unix seconds (`event_timestamp`), or
/// milliseconds: a number that is too large for seconds of this age of the world.
/// Without an offset the time is taken as UTC, which orders the times of one answer and claims no
/// more.
pub fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        let seconds = Timestamp::from_second(number);
        return seconds
            .or_else(|_| Timestamp::from_millisecond(number))
            .ok();
    }
    let time: DateTime = text.parse().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_seen_is_read() {
        let same = [
            "2026-03-09T07:40:01.554+01:00",
            "2026-03-09T06:40:01.554Z",
            " 2026-03-09T06:40:01.554 ",
        ];
        for text in same {
            assert_eq!(
                instant(text).unwrap().to_string(),
                "2026-03-09T06:40:01.554Z",
                "{text}"
            );
        }
        assert_eq!(instant("1773043330").unwrap().as_second(), 1_773_043_330);
        let milliseconds = instant("1773043330125").unwrap();
        assert_eq!(milliseconds.as_millisecond(), 1_773_043_330_125);
        for text in ["", "N/A", "yesterday", "2026-13-01T00:00:00Z"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
