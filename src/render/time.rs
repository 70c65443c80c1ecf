//! Times for people (local and relative) and for programs (RFC 3339). The server's words are kept
//! where they are no time.
//!
//! ISE's interfaces write ISO 8601 with an offset (reference mnt-api section 2, point 7);
//! `event_timestamp` is Unix seconds.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Style;
use crate::sanitize::terminal_safe;

/// The instant that a server's text means: RFC 3339 or ISO 8601 with an offset, Unix seconds (10
/// digits) or milliseconds (13).
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        return match text.len() {
            10 => Timestamp::from_second(number).ok(),
            13 => Timestamp::from_millisecond(number).ok(),
            _ => None,
        };
    }
    text.parse().ok()
}

/// RFC 3339 for programs: the server's own spelling where it is that already, else in UTC; text
/// that is no time as it came.
#[must_use]
pub fn plain(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.as_bytes().get(10) == Some(&b'T') {
        return text;
    }
    match parse(&text) {
        Some(time) => Cow::Owned(time.to_string()),
        None => text,
    }
}

/// Local and relative, whole: `2026-03-09 08:14:55 (3h ago)`. Text that is no time as it came, made
/// safe for the terminal.
#[must_use]
pub fn show(text: &str, style: &Style) -> String {
    match parse(text) {
        Some(time) => {
            let local = time.to_zoned(style.zone.clone());
            format!(
                "{} ({})",
                local.strftime("%Y-%m-%d %H:%M:%S"),
                relative(time, style.now)
            )
        }
        None => terminal_safe(text).into_owned(),
    }
}

/// Local and relative for a table's cell: of today the time of day, of other days date and minutes.
/// Without `now` day (`with_day`) and time of day, for what comes as it happens.
pub(super) fn brief(text: &str, now: Option<Timestamp>, zone: &TimeZone, with_day: bool) -> String {
    let Some(time) = parse(text) else {
        return terminal_safe(text).into_owned();
    };
    let local = time.to_zoned(zone.clone());
    match now {
        None if with_day => local.strftime("%m-%d %H:%M:%S").to_string(),
        None => local.strftime("%H:%M:%S").to_string(),
        Some(now) if now.to_zoned(zone.clone()).date() == local.date() => {
            format!("{} ({})", local.strftime("%H:%M:%S"), relative(time, now))
        }
        Some(now) => format!(
            "{} ({})",
            local.strftime("%Y-%m-%d %H:%M"),
            relative(time, now)
        ),
    }
}

/// How long ago for a table's cell; without `now` the time itself.
pub(super) fn ago(text: &str, now: Option<Timestamp>) -> String {
    match (parse(text), now) {
        (Some(time), Some(now)) => relative(time, now),
        _ => terminal_safe(text).into_owned(),
    }
}

/// `12s ago`, `5m ago`, `3h ago`, `4d ago`, `2y ago`, `in 5m`, `now`.
#[must_use]
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - time.as_second();
    let span = match seconds.unsigned_abs() {
        0 => return "now".to_owned(),
        s @ ..60 => format!("{s}s"),
        s @ ..3600 => format!("{}m", s / 60),
        s @ ..172_800 => format!("{}h", s / 3600),
        s @ ..63_072_000 => format!("{}d", s / 86_400),
        s => format!("{}y", s / 31_536_000),
    };
    if seconds > 0 {
        format!("{span} ago")
    } else {
        format!("in {span}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::style;
    use super::*;

    #[test]
    fn local_and_relative_for_people() {
        let mut style = style();
        style.now = "2026-03-09T10:20:00Z".parse().unwrap();
        style.zone = TimeZone::fixed(jiff::tz::offset(1));
        let text = "2026-03-09T08:14:55.207+01:00";
        assert_eq!(show(text, &style), "2026-03-09 08:14:55 (3h ago)");
        assert_eq!(
            brief(text, Some(style.now), &style.zone, true),
            "08:14:55 (3h ago)"
        );
        assert_eq!(
            brief("2026-03-01T08:14:55Z", Some(style.now), &style.zone, true),
            "2026-03-01 09:14 (8d ago)"
        );
        assert_eq!(show("1773043330", &style), "2026-03-09 09:02:10 (2h ago)");
        assert_eq!(show("later\u{1b}", &style), "later\\x1b");
        assert_eq!(
            relative("2026-03-09T10:25:00Z".parse().unwrap(), style.now),
            "in 5m"
        );
    }

    #[test]
    fn programs_get_rfc_3339() {
        for (text, expected) in [
            (
                "2026-03-09T08:14:55.207+01:00",
                "2026-03-09T08:14:55.207+01:00",
            ),
            ("2026-03-09 08:14:55.2+01:00", "2026-03-09T07:14:55.2Z"),
            ("1773043330", "2026-03-09T08:02:10Z"),
            ("1773043330118", "2026-03-09T08:02:10.118Z"),
            ("yesterday", "yesterday"),
            ("42", "42"),
            ("", ""),
        ] {
            assert_eq!(plain(text.into()), expected);
        }
    }
}
