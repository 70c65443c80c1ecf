//! Values of a row as texts: numbers in decimal, spelled in full, times in RFC 3339, U+FFFD where a
//! byte is no UTF-8.
//!
//! An instant is in UTC. A time without a zone is the server's clock and stays without one, so that
//! nobody takes it for UTC.

use std::borrow::Cow;

use super::column::ColumnKind;

/// One value as text. `None`: its bytes cannot be read as what they are said to be; a row is never
/// lost by one of its values.
pub fn text(kind: ColumnKind, bytes: &[u8]) -> Option<Cow<'_, str>> {
    match kind {
        ColumnKind::Text | ColumnKind::LongText => Some(match std::str::from_utf8(bytes) {
            // Nearly all are, and this looks at many bytes at once.
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        }),
        _ => written(kind, bytes).map(Cow::Owned),
    }
}

fn written(kind: ColumnKind, bytes: &[u8]) -> Option<String> {
    match kind {
        ColumnKind::Number => number(bytes),
        ColumnKind::NationalText => {
            let units = bytes.chunks_exact(2);
            let units: Vec<u16> = units
                .map(|pair| {
                    pair.iter()
                        .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
                })
                .collect();
            Some(String::from_utf16_lossy(&units))
        }
        ColumnKind::Time => time(bytes),
        ColumnKind::Instant => time(bytes).map(|text| text + "Z"),
        ColumnKind::Float => Some(float(bytes)?.to_string()),
        ColumnKind::Double => Some(double(bytes)?.to_string()),
        ColumnKind::DaysToSeconds => days_to_seconds(bytes),
        ColumnKind::YearsToMonths => years_to_months(bytes),
        ColumnKind::RowId => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => Some(super::logon::hex(bytes)),
    }
}

/// A NUMBER in decimal: sign, digits to base 100 and an exponent of them.
pub(super) fn number(bytes: &[u8]) -> Option<String> {
    let (head, mantissa) = bytes.split_first()?;
    if mantissa.len() > 20 {
        return None;
    }
    let positive = head & 0x80 != 0;
    if mantissa.is_empty() {
        // Zero, and what is below every number.
        return positive.then(|| "0".to_owned());
    }
    let exponent = if positive { *head } else { !head };
    let exponent = i32::from(exponent) - 193;
    let mantissa = match mantissa.split_last() {
        Some((102, rest)) if !positive => rest,
        _ => mantissa,
    };
    // Two digits for each byte.
    let mut digits = [b'0'; 40];
    for (byte, place) in mantissa.iter().zip(digits.chunks_exact_mut(2)) {
        let pair = if positive {
            byte.checked_sub(1)?
        } else {
            101u8.checked_sub(*byte)?
        };
        if pair > 99 {
            return None;
        }
        place.copy_from_slice(&two_digits(pair));
    }
    let digits = std::str::from_utf8(digits.get(..mantissa.len() * 2)?).ok()?;
    // Digits before the point.
    let point = exponent * 2 + 2;
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let point = point - i32::try_from(leading).ok()?;
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    let count = i32::try_from(digits.len()).ok()?;
    let mut text = String::with_capacity(44);
    if !positive {
        text.push('-');
    }
    let zeros = |text: &mut String, count: i32| (0..count).for_each(|_| text.push('0'));
    if point <= 0 {
        text.push_str("0.");
        zeros(&mut text, -point);
        text.push_str(digits);
    } else if point >= count {
        text.push_str(digits);
        zeros(&mut text, point - count);
    } else {
        let (whole, part) = digits.split_at_checked(usize::try_from(point).ok()?)?;
        text.push_str(whole);
        text.push('.');
        text.push_str(part);
    }
    Some(text)
}

/// Formatting would take most of a row's time.
fn two_digits(value: u8) -> [u8; 2] {
    [b'0' + value / 10 % 10, b'0' + value % 10]
}

fn push_two(text: &mut String, value: u8) {
    text.extend(two_digits(value).map(char::from));
}

/// Century, year, month, day, hour, minute, second, and nanoseconds where there are some. What
/// stands behind is a zone; the time before it is UTC.
fn time(bytes: &[u8]) -> Option<String> {
    let [century, year, month, day, hour, minute, second] = *bytes.first_chunk::<7>()?;
    let year = (i32::from(century) - 100) * 100 + i32::from(year) - 100;
    let one = |byte: u8| byte.checked_sub(1);
    let (hour, minute, second) = (one(hour)?, one(minute)?, one(second)?);
    let sound = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !sound {
        return None;
    }
    let mut text = String::with_capacity(30);
    let year = u16::try_from(year).ok()?;
    push_two(&mut text, u8::try_from(year / 100).ok()?);
    push_two(&mut text, u8::try_from(year % 100).ok()?);
    for (mark, part) in [
        ('-', month),
        ('-', day),
        ('T', hour),
        (':', minute),
        (':', second),
    ] {
        text.push(mark);
        push_two(&mut text, part);
    }
    let nanoseconds = bytes.get(7..11).map(|bytes| {
        let value = bytes
            .iter()
            .fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        value.min(999_999_999)
    });
    if let Some(nanoseconds) = nanoseconds.filter(|nanoseconds| *nanoseconds > 0) {
        text.push('.');
        // As many digits as it takes, but three at least.
        let (mut left, mut unit) = (nanoseconds, 100_000_000);
        while unit > 0 && (left > 0 || unit >= 1_000_000) {
            text.extend(char::from_digit(left / unit, 10));
            left %= unit;
            unit /= 10;
        }
    }
    Some(text)
}

/// Bits so that bytes sort as numbers do: turned round by the first one.
fn float(bytes: &[u8]) -> Option<f32> {
    let bits = u32::from_be_bytes(*bytes.first_chunk()?);
    let bits = if bits >> 31 == 1 {
        bits & !(1 << 31)
    } else {
        !bits
    };
    Some(f32::from_bits(bits))
}

fn double(bytes: &[u8]) -> Option<f64> {
    let bits = u64::from_be_bytes(*bytes.first_chunk()?);
    let bits = if bits >> 63 == 1 {
        bits & !(1 << 63)
    } else {
        !bits
    };
    Some(f64::from_bits(bits))
}

const MIDDLE: i64 = 0x8000_0000;

fn big(bytes: &[u8]) -> Option<i64> {
    let bytes: [u8; 4] = bytes.try_into().ok()?;
    Some(i64::from(u32::from_be_bytes(bytes)) - MIDDLE)
}

/// ISO 8601, as other durations of this program.
fn days_to_seconds(bytes: &[u8]) -> Option<String> {
    let days = big(bytes.get(..4)?)?;
    let part = |at: usize| bytes.get(at).map(|byte| i64::from(*byte) - 60);
    let (hours, minutes, seconds) = (part(4)?, part(5)?, part(6)?);
    let fraction = big(bytes.get(7..11)?)?;
    let parts = [days, hours, minutes, seconds, fraction];
    let sign = if parts.iter().any(|part| *part < 0) {
        "-"
    } else {
        ""
    };
    let [days, hours, minutes, seconds, fraction] = parts.map(i64::abs);
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:09}")
    };
    Some(format!(
        "{sign}P{days}DT{hours}H{minutes}M{seconds}{fraction}S"
    ))
}

fn years_to_months(bytes: &[u8]) -> Option<String> {
    let years = big(bytes.get(..4)?)?;
    let months = i64::from(*bytes.get(4)?) - 60;
    let sign = if years < 0 || months < 0 { "-" } else { "" };
    Some(format!("{sign}P{}Y{}M", years.abs(), months.abs()))
}

/// The 18 letters of a ROWID.
pub(super) fn row_id(object: u32, file: u16, block: u32, slot: u16) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    let parts = [
        (object, 6),
        (u32::from(file), 3),
        (block, 6),
        (u32::from(slot), 3),
    ];
    for (value, letters) in parts {
        for place in (0..letters).rev() {
            let letter =
                LETTERS.get(usize::try_from(value >> (place * 6) & 63).unwrap_or_default());
            text.push(letter.map_or('A', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: ColumnKind, bytes: &[u8]) -> String {
        text(kind, bytes).map_or("none".to_owned(), Cow::into_owned)
    }

    #[test]
    fn numbers_are_spelled_in_full() {
        for (bytes, text) in [
            (&[0x80][..], "0"),
            (&[193, 2][..], "1"),
            (&[193, 11][..], "10"),
            (&[194, 2][..], "100"),
            (&[194, 2, 24][..], "123"),
            (&[192, 51][..], "0.5"),
            (&[192, 6][..], "0.05"),
            (&[191, 6][..], "0.0005"),
            (&[193, 2, 51][..], "1.5"),
            (&[62, 100, 102][..], "-1"),
            (&[61, 100, 78, 102][..], "-123"),
            (&[203, 2][..], "100000000000000000000"),
        ] {
            assert_eq!(number(bytes).as_deref(), Some(text), "{bytes:?}");
        }
        // 40 digits.
        let mut forty = vec![212];
        forty.extend([100; 20]);
        assert_eq!(number(&forty), Some("9".repeat(40)));
        for odd in [
            &[][..],
            &[0][..],
            &[193, 0][..],
            &[193, 200][..],
            &[193; 30][..],
        ] {
            assert_eq!(number(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn times_without_a_zone_stay_so_and_instants_are_utc() {
        let time = [120, 126, 11, 24, 4, 5, 6, 0x1d, 0xcd, 0x65, 0];
        assert_eq!(shown(ColumnKind::Time, &time), "2026-11-24T03:04:05.500");
        assert_eq!(shown(ColumnKind::Time, &time[..7]), "2026-11-24T03:04:05");
        // A named zone.
        let zoned = [&time[..], &[0x80 | 4, 0x90]].concat();
        assert_eq!(
            shown(ColumnKind::Instant, &zoned),
            "2026-11-24T03:04:05.500Z"
        );
        for (nanoseconds, fraction) in [
            (1_u32, ".000000001"),
            (10_000_000, ".010"),
            (123_456_000, ".123456"),
            (u32::MAX, ".999999999"),
        ] {
            let bytes = [&time[..7], &nanoseconds.to_be_bytes()].concat();
            let text = format!("2026-11-24T03:04:05{fraction}");
            assert_eq!(shown(ColumnKind::Time, &bytes), text);
        }
        assert_eq!(shown(ColumnKind::Time, &[0; 7]), "none");
        assert_eq!(
            shown(ColumnKind::Time, &[120, 126, 13, 24, 4, 5, 6]),
            "none"
        );
    }

    #[test]
    fn a_byte_that_is_no_text_costs_a_character() {
        assert_eq!(shown(ColumnKind::Text, b"M\xfcnchen"), "M\u{fffd}nchen");
        assert_eq!(
            shown(ColumnKind::NationalText, &[0, b'M', 0, 0xfc]),
            "M\u{fc}"
        );
        assert_eq!(shown(ColumnKind::Bytes, &[0xde, 1]), "DE01");
    }

    #[test]
    fn other_kinds_are_texts() {
        let double = (1.5f64.to_bits() | 1 << 63).to_be_bytes();
        assert_eq!(shown(ColumnKind::Double, &double), "1.5");
        let negative = (!(-1.5f32).to_bits()).to_be_bytes();
        assert_eq!(shown(ColumnKind::Float, &negative), "-1.5");
        let interval = [0x80, 0, 0, 1, 62, 63, 64, 0x80, 0, 0, 0];
        assert_eq!(shown(ColumnKind::DaysToSeconds, &interval), "P1DT2H3M4S");
        assert_eq!(
            shown(ColumnKind::YearsToMonths, &[0x80, 0, 0, 2, 63]),
            "P2Y3M"
        );
        assert_eq!(row_id(0, 0, 1, 63), "AAAAAAAAAAAAAABAA/");
    }
}
