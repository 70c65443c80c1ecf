//! TO_CHAR, TO_DATE and TO_TIMESTAMP: times by the elements of a format. Elements that are not here
//! are an error.

use jiff::civil::DateTime;

use super::SqlError;
use super::value::{SECOND, Value, civil, civil_micros};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    Year,
    ShortYear,
    Month,
    MonthName(bool),
    Day,
    DayName(bool),
    Hour24,
    Hour12,
    Minute,
    Second,
    Fraction(usize),
    HalfOfDay,
    ZoneHour,
    ZoneMinute,
    ZoneName,
    Text(String),
}

/// Longer ones first.
const ELEMENTS: &[(&str, Element)] = &[
    ("YYYY", Element::Year),
    ("YY", Element::ShortYear),
    ("RR", Element::ShortYear),
    ("MONTH", Element::MonthName(true)),
    ("MON", Element::MonthName(false)),
    ("MM", Element::Month),
    ("MI", Element::Minute),
    ("DAY", Element::DayName(true)),
    ("DY", Element::DayName(false)),
    ("DD", Element::Day),
    ("HH24", Element::Hour24),
    ("HH12", Element::Hour12),
    ("HH", Element::Hour12),
    ("SS", Element::Second),
    ("AM", Element::HalfOfDay),
    ("PM", Element::HalfOfDay),
    ("TZH", Element::ZoneHour),
    ("TZM", Element::ZoneMinute),
    ("TZR", Element::ZoneName),
];

const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];
const DAYS: [&str; 7] = [
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
    "SUNDAY",
];

fn elements(format: &str) -> Result<Vec<Element>, SqlError> {
    let unknown = || SqlError::new(1821, "date format not recognized");
    let mut elements = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let upper = rest.to_ascii_uppercase();
        if first == '"' {
            let quoted = rest.get(1..).unwrap_or_default();
            let end = quoted.find('"').ok_or_else(unknown)?;
            elements.push(Element::Text(
                quoted.get(..end).unwrap_or_default().to_owned(),
            ));
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else if upper.starts_with("FF") {
            let digit = rest.get(2..3).and_then(|digit| digit.parse().ok());
            let digits: usize = digit.filter(|digits| (1..=9).contains(digits)).unwrap_or(6);
            elements.push(Element::Fraction(digits));
            rest = rest
                .get(2 + usize::from(digit.is_some())..)
                .unwrap_or_default();
        } else if let Some((name, element)) =
            ELEMENTS.iter().find(|(name, _)| upper.starts_with(name))
        {
            elements.push(element.clone());
            rest = rest.get(name.len()..).unwrap_or_default();
        } else if first.is_ascii_punctuation() || first == ' ' {
            elements.push(Element::Text(first.to_string()));
            rest = rest.get(1..).unwrap_or_default();
        } else {
            return Err(unknown());
        }
    }
    Ok(elements)
}

/// A time on a clock (microseconds), `minutes` east where it has a zone.
pub(super) fn write(micros: i64, minutes: Option<i64>, format: &str) -> Result<String, SqlError> {
    let time = civil(micros);
    let mut out = String::new();
    for element in elements(format)? {
        out.push_str(&written(&element, time, minutes)?);
    }
    Ok(out)
}

fn written(element: &Element, time: DateTime, minutes: Option<i64>) -> Result<String, SqlError> {
    let zone = || minutes.ok_or_else(|| SqlError::new(1821, "date format not recognized"));
    let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
    let weekday = usize::from(time.weekday().to_monday_zero_offset().unsigned_abs());
    let name = |names: &[&str], index: usize, whole: bool| {
        let name = names.get(index).copied().unwrap_or_default();
        if whole {
            format!("{name:<9}")
        } else {
            name.chars().take(3).collect()
        }
    };
    Ok(match element {
        Element::Year => format!("{:04}", time.year()),
        Element::ShortYear => format!("{:02}", time.year() % 100),
        Element::Month => format!("{:02}", time.month()),
        Element::MonthName(whole) => name(&MONTHS, month, *whole),
        Element::Day => format!("{:02}", time.day()),
        Element::DayName(whole) => name(&DAYS, weekday, *whole),
        Element::Hour24 => format!("{:02}", time.hour()),
        Element::Hour12 => format!("{:02}", (time.hour() + 11) % 12 + 1),
        Element::Minute => format!("{:02}", time.minute()),
        Element::Second => format!("{:02}", time.second()),
        Element::Fraction(digits) => {
            let nanos = format!("{:09}", time.subsec_nanosecond());
            nanos.get(..*digits).unwrap_or_default().to_owned()
        }
        Element::HalfOfDay => (if time.hour() < 12 { "AM" } else { "PM" }).to_owned(),
        Element::ZoneHour => {
            let minutes = zone()?;
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}", minutes.abs() / 60)
        }
        Element::ZoneMinute => format!("{:02}", zone()?.abs() % 60),
        Element::ZoneName => {
            let minutes = zone()?;
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        }
        Element::Text(text) => text.clone(),
    })
}

/// The text of `TIMESTAMP '…'`: with a fraction or without, with a zone or without.
pub(super) fn read_timestamp(text: &str) -> Result<Value, SqlError> {
    let seconds = text.get(..19).unwrap_or(text);
    let (at, _) = read(seconds, "YYYY-MM-DD HH24:MI:SS", false)?;
    let mut rest = text.get(19..).unwrap_or_default();
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|digit: char| !digit.is_ascii_digit());
        let (digits, behind) = fraction.split_at(end.unwrap_or(fraction.len()));
        micros = fraction_micros(digits)?;
        rest = behind;
    }
    let zone = rest.trim();
    if zone.is_empty() {
        return Ok(Value::Timestamp(at + micros));
    }
    let minutes = super::minutes_of(zone)
        .ok_or_else(|| SqlError::unknown(format!("the time zone '{}'", zone.escape_debug())))?;
    let utc = at + micros - i64::from(minutes) * 60 * SECOND;
    Ok(Value::Zoned(utc, super::value::Zone::Offset(minutes)))
}

fn fraction_micros(digits: &str) -> Result<i64, SqlError> {
    let padded: String = digits.chars().chain("000000".chars()).take(6).collect();
    padded.parse().map_err(|_| {
        SqlError::new(
            1830,
            "date format picture ends before converting entire input string",
        )
    })
}

/// Reads `text` by `format`: microseconds on a clock, and minutes east where it says them.
pub(super) fn read(
    text: &str,
    format: &str,
    wants_zone: bool,
) -> Result<(i64, Option<i16>), SqlError> {
    let mut parts = Parts::default();
    let mut rest = text.trim();
    for element in elements(format)? {
        rest = parts.read(&element, rest)?;
    }
    if !rest.trim().is_empty() {
        return Err(SqlError::new(
            1830,
            "date format picture ends before converting entire input string",
        ));
    }
    let hour = match parts.is_afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let small = |value: i16| i8::try_from(value).unwrap_or(-1);
    let time = DateTime::new(
        parts.year,
        small(parts.month),
        small(parts.day),
        small(hour),
        small(parts.minute),
        small(parts.second),
        0,
    )
    .map_err(|_| SqlError::new(1847, "day of month must be between 1 and last day of month"))?;
    let minutes = parts.zone_hour.map(|hour| {
        let sign = if parts.is_west { -1 } else { 1 };
        sign * (hour * 60 + parts.zone_minute)
    });
    if wants_zone && minutes.is_none() {
        return Ok((civil_micros(time) + parts.micros, None));
    }
    Ok((civil_micros(time) + parts.micros, minutes))
}

#[derive(Debug)]
struct Parts {
    year: i16,
    month: i16,
    day: i16,
    hour: i16,
    minute: i16,
    second: i16,
    micros: i64,
    is_afternoon: Option<bool>,
    is_west: bool,
    zone_hour: Option<i16>,
    zone_minute: i16,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            is_afternoon: None,
            is_west: false,
            zone_hour: None,
            zone_minute: 0,
        }
    }
}

impl Parts {
    fn read<'t>(&mut self, element: &Element, text: &'t str) -> Result<&'t str, SqlError> {
        let (slot, most) = match element {
            Element::Year => (&mut self.year, 4),
            Element::ShortYear => {
                let rest = digits(text, 2, &mut self.year)?;
                self.year += 2000;
                return Ok(rest);
            }
            Element::Month => (&mut self.month, 2),
            Element::Day => (&mut self.day, 2),
            Element::Hour24 | Element::Hour12 => (&mut self.hour, 2),
            Element::Minute => (&mut self.minute, 2),
            Element::Second => (&mut self.second, 2),
            Element::ZoneMinute => (&mut self.zone_minute, 2),
            Element::MonthName(_) => {
                let name = text.get(..3).unwrap_or_default().to_ascii_uppercase();
                let month = MONTHS.iter().position(|month| month.starts_with(&name));
                let month = month.filter(|_| name.len() == 3);
                let month = month.ok_or_else(|| SqlError::new(1843, "not a valid month"))?;
                self.month = i16::try_from(month + 1).unwrap_or(0);
                return Ok(text.trim_start_matches(|one: char| one.is_ascii_alphabetic()));
            }
            Element::DayName(_) => {
                return Ok(text.trim_start_matches(|one: char| one.is_ascii_alphabetic()));
            }
            Element::Fraction(most) => {
                let end = text.find(|digit: char| !digit.is_ascii_digit());
                let (found, rest) = text.split_at(end.unwrap_or(text.len()).min(*most));
                self.micros = fraction_micros(found)?;
                return Ok(rest);
            }
            Element::HalfOfDay => {
                let half = text.get(..2).unwrap_or_default().to_ascii_uppercase();
                self.is_afternoon = Some(match half.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return Err(SqlError::new(1855, "AM/A.M. or PM/P.M. required")),
                });
                return Ok(text.get(2..).unwrap_or_default());
            }
            Element::ZoneHour => {
                self.is_west = text.starts_with('-');
                let unsigned = text.trim_start_matches(['+', '-']);
                return digits(unsigned, 2, self.zone_hour.insert(0));
            }
            Element::ZoneName => {
                let end = text.find(' ').unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                let minutes = super::minutes_of(name)
                    .ok_or_else(|| SqlError::new(1882, "timezone region not found"))?;
                self.is_west = minutes < 0;
                self.zone_hour = Some(minutes.abs() / 60);
                self.zone_minute = minutes.abs() % 60;
                return Ok(rest);
            }
            Element::Text(expected) => {
                return text.strip_prefix(expected.as_str()).map_or_else(
                    || Err(SqlError::new(1861, "literal does not match format string")),
                    Ok,
                );
            }
        };
        digits(text, most, slot)
    }
}

fn digits<'t>(text: &'t str, most: usize, slot: &mut i16) -> Result<&'t str, SqlError> {
    let end = text.find(|digit: char| !digit.is_ascii_digit());
    let (found, rest) = text.split_at(end.unwrap_or(text.len()).min(most));
    *slot = found.parse().map_err(|_| {
        SqlError::new(
            1858,
            "a non-numeric character was found where a numeric was expected",
        )
    })?;
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let format = "YYYY-MM-DD\"T\"HH24:MI:SS.FF3 TZH:TZM";
        let at = 1_795_489_445_250_000;
        let text = write(at, Some(-210), format).unwrap();
        assert_eq!(text, "2026-11-24T03:04:05.250 -03:30");
        assert_eq!(read(&text, format, true), Ok((at, Some(-210))));
        assert_eq!(
            write(at, None, "DD-MON-YY HH:MI AM DY").unwrap(),
            "24-NOV-26 03:04 AM TUE"
        );
        assert_eq!(
            read("24-nov-26", "DD-MON-RR", false).unwrap().0,
            at / 86_400_000_000 * 86_400_000_000
        );
        assert_eq!(
            read_timestamp("2026-11-24 03:04:05.25"),
            Ok(Value::Timestamp(at))
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (text, format, code) in [
            ("2026-02-30", "YYYY-MM-DD", 1847),
            ("2026-02-20 1", "YYYY-MM-DD", 1830),
            ("x", "YYYY", 1858),
            ("2026", "YYYYQ", 1821),
            ("2026/01", "YYYY-MM", 1861),
        ] {
            assert_eq!(read(text, format, false).unwrap_err().code, code, "{text}");
        }
        assert_eq!(write(0, None, "TZH").unwrap_err().code, 1821);
    }
}
