//! Spans of time and points in time as a user writes them: `3s`, `2m`, `1h30m`, and RFC 3339.
//!
//! Numbers without a unit are refused: seconds to one reader are minutes to another.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::civil::Date;
use jiff::fmt::friendly::SpanParser;
use jiff::tz::TimeZone;
use jiff::{SpanRelativeTo, Timestamp};

use crate::error::{Error, Result};

/// The units that a span is shown in, from long to short, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Ten years: beyond it, adding a span to a clock could overflow on some platform, and nobody means
/// it.
const LONGEST: Duration = Duration::from_hours(3650 * 24);

/// Reads `500ms`, `3s`, `2m`, `1h30m`, `1d`, `1w` and the other spellings of jiff's friendly format
/// (`1.5h`, `3 sec`), at most `3650d`. A day has 24 hours; months and years have no one length.
/// Anything else is a usage error that names the text.
pub fn parse(text: &str) -> Result<Duration> {
    let span = SpanParser::new()
        .parse_span(text.trim())
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| wrong(text))?;
    if span > LONGEST {
        return Err(
            Error::usage(format!("`{text}` is too long a time")).hint("at most 3650d is accepted")
        );
    }
    Ok(span)
}

fn wrong(text: &str) -> Error {
    let error = Error::usage(format!("`{text}` is no length of time"));
    // Nothing has no unit that would make it something.
    let number = text.bytes().any(|byte| byte != b'0');
    if number && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return error.hint(format!("add a unit: `{text}s`, `{text}m`, `{text}h`"));
    }
    error.hint("write it as `500ms`, `3s`, `2m`, `1h30m` or `1d`")
}

/// The span in the form that [`parse`] reads, whole milliseconds.
pub fn show(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let count = left / milliseconds;
        left %= milliseconds;
        if count > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// A point in time for `--since`, `--until` and `--older-than`, by the clock and the zone of this
/// machine; see [`parse_when_in`].
pub fn parse_when(text: &str, now: Timestamp) -> Result<Timestamp> {
    parse_when_in(text, now, TimeZone::system())
}

/// A point in time: RFC 3339 with its zone, a span such as `2h` (that long before `now`), `today`,
/// `yesterday`, or a date, which stand for the beginning of the day in `zone`.
pub fn parse_when_in(text: &str, now: Timestamp, zone: TimeZone) -> Result<Timestamp> {
    let text = text.trim();
    if let Ok(when) = text.parse::<Timestamp>() {
        return Ok(when);
    }
    let wrong = || {
        Error::usage(format!("`{text}` is no point in time")).hint(
            "write how long ago (`15m`, `3d`, `1w`), `today`, `yesterday`, a date \
             (`2026-03-01`) or RFC 3339 (`2026-03-01T08:00:00Z`)",
        )
    };
    let today = now.to_zoned(zone.clone()).date();
    let day = match text.to_ascii_lowercase().as_str() {
        "today" => Some(today),
        "yesterday" => Some(today.yesterday().map_err(|_| wrong())?),
        _ if text.len() == "2026-03-01".len() => text.parse::<Date>().ok(),
        _ => None,
    };
    if let Some(day) = day {
        let begin = day.to_zoned(zone).map_err(|_| wrong())?;
        return Ok(begin.timestamp());
    }
    if text.parse::<jiff::civil::DateTime>().is_ok() {
        return Err(Error::usage(format!("`{text}` has no time zone"))
            .hint("write RFC 3339, `2026-03-01T08:00:00Z` or `2026-03-01T08:00:00+01:00`"));
    }
    now.checked_sub(parse(text).map_err(|_| wrong())?)
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("3s", 3000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1d1ms", 86_400_001),
            ("0s", 0),
            (" 10s ", 10_000),
            ("1w", 7 * 86_400_000),
            ("1.5h", 5_400_000),
            ("3 s", 3000),
            ("3sec", 3000),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Duration::from_millis(milliseconds),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            " ",
            "10",
            "s",
            "-3s",
            "3s ago",
            "1mo",
            "1y",
            "P1D",
            "30m1h",
            "1h1h",
            "99999999999999999999s",
            "3651d",
            "1h30",
            "٣s",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
        assert_eq!(
            parse("10").unwrap_err().hint_text(),
            Some("add a unit: `10s`, `10m`, `10h`")
        );
    }

    #[test]
    fn a_unit_is_proposed_where_it_makes_a_time() {
        for text in ["0", "00"] {
            let error = parse(text).unwrap_err();
            assert_eq!(
                error.hint_text(),
                Some("write it as `500ms`, `3s`, `2m`, `1h30m` or `1d`"),
                "{text}"
            );
        }
    }

    #[test]
    fn points_in_time() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text| parse_when_in(text, now, zone.clone()).map(|when| when.to_string());
        assert_eq!(at("2h").unwrap(), "2026-03-01T10:00:00Z");
        assert_eq!(at("2026-02-28T08:00:00Z").unwrap(), "2026-02-28T08:00:00Z");
        assert_eq!(
            at("2026-02-28T08:00:00+01:00").unwrap(),
            "2026-02-28T07:00:00Z"
        );
        // The day begins where this machine is.
        assert_eq!(at("today").unwrap(), "2026-02-28T23:00:00Z");
        assert_eq!(at("Yesterday").unwrap(), "2026-02-27T23:00:00Z");
        assert_eq!(at("2026-02-20").unwrap(), "2026-02-19T23:00:00Z");
        assert_eq!(at("1w").unwrap(), "2026-02-22T12:00:00Z");
        for text in [
            "2026-02-28T08:00:00",
            "2026-02-30",
            "tomorrow",
            "20260228",
            "2",
            "",
        ] {
            assert_eq!(at(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
        assert!(
            at("2026-02-28T08:00:00")
                .unwrap_err()
                .message()
                .contains("no time zone")
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = parse(&text);
            let _ = parse_when(&text, Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn near_misses_never_panic(text in "[0-9]{0,22}(d|h|m|s|ms|x){0,2}[0-9]{0,22}(s|ms)?") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_shown_is_read_back(milliseconds in 0..=3650 * 86_400_000_u64) {
            let span = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&show(span)).unwrap(), span);
        }
    }
}
