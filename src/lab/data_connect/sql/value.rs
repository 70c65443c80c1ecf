//! Values of the lab's SQL, their types, and how they stand on the wire.
//!
//! Times are microseconds: of a DATE and a TIMESTAMP since 1970 on a clock without a zone, of a
//! zoned one since 1970 in UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::decimal::Decimal;

/// A second in the unit of times.
pub(in crate::lab::data_connect) const SECOND: i64 = 1_000_000;
/// A day in the unit of times.
pub(in crate::lab::data_connect) const DAY: i64 = 86_400 * SECOND;

/// The zone of a zoned timestamp. Aligned so that a [`Value`] is copied in whole words: with parts
/// that begin at odd ones each copy waits for the one before, a third of a row's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(align(8))]
pub(in crate::lab::data_connect) enum Zone {
    /// So many minutes east.
    Offset(i16),
    /// A named region, by Oracle's number; the minutes are those of the moment.
    Region(u16, i16),
}

impl Zone {
    /// Minutes east.
    pub(in crate::lab::data_connect) fn minutes(self) -> i64 {
        match self {
            Self::Offset(minutes) | Self::Region(_, minutes) => i64::from(minutes),
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::lab::data_connect) enum Value {
    Null,
    /// Text; bytes, because some are no UTF-8.
    Text(Vec<u8>),
    Number(Decimal),
    Date(i64),
    Timestamp(i64),
    Zoned(i64, Zone),
    /// A length of time.
    Interval(i64),
    /// Bytes, of a BLOB or a RAW.
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text.as_bytes().to_vec())
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text.into_bytes())
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab::data_connect) enum ColumnType {
    Varchar(u32),
    Char(u32),
    Number,
    Date,
    Timestamp,
    Zoned,
    Interval,
    Raw(u32),
    Clob,
    Blob,
}

/// Oracle's number of LONG, as which a CLOB can be asked for.
pub(in crate::lab::data_connect) const LONG: u8 = 8;
/// Oracle's number of LONG RAW, as which a BLOB can be asked for.
pub(in crate::lab::data_connect) const LONG_RAW: u8 = 24;

impl ColumnType {
    /// Oracle's number of the type.
    pub(in crate::lab::data_connect) fn number(self) -> u8 {
        match self {
            Self::Varchar(_) => 1,
            Self::Number => 2,
            Self::Date => 12,
            Self::Raw(_) => 23,
            Self::Char(_) => 96,
            Self::Clob => 112,
            Self::Blob => 113,
            Self::Timestamp => 180,
            Self::Zoned => 181,
            Self::Interval => 183,
        }
    }

    /// The most bytes of a value; 0 is a column that is always NULL and not on the wire.
    pub(in crate::lab::data_connect) fn size(self) -> u32 {
        match self {
            Self::Varchar(size) | Self::Char(size) | Self::Raw(size) => size,
            Self::Number => 22,
            Self::Date => 7,
            Self::Timestamp | Self::Interval => 11,
            Self::Zoned => 13,
            Self::Clob | Self::Blob => 4000,
        }
    }

    /// Whether it is text in the database's character set.
    pub(in crate::lab::data_connect) fn is_text(self) -> bool {
        matches!(self, Self::Varchar(_) | Self::Char(_) | Self::Clob)
    }

    /// Whether a client must say first as what it wants it.
    pub(in crate::lab::data_connect) fn is_lob(self) -> bool {
        matches!(self, Self::Clob | Self::Blob)
    }

    /// As the dictionary calls it.
    pub(in crate::lab::data_connect) fn name(self) -> &'static str {
        match self {
            Self::Varchar(_) => "VARCHAR2",
            Self::Char(_) => "CHAR",
            Self::Number => "NUMBER",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP(6)",
            Self::Zoned => "TIMESTAMP(6) WITH TIME ZONE",
            Self::Interval => "INTERVAL DAY(2) TO SECOND(6)",
            Self::Raw(_) => "RAW",
            Self::Clob => "CLOB",
            Self::Blob => "BLOB",
        }
    }
}

/// Microseconds on a clock without a zone.
pub(in crate::lab::data_connect) fn civil_micros(time: DateTime) -> i64 {
    Offset::UTC
        .to_timestamp(time)
        .map_or(0, Timestamp::as_microsecond)
}

/// The other way.
pub(in crate::lab::data_connect) fn civil(micros: i64) -> DateTime {
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(moment)
}

/// Minutes east of `zone` at a moment (microseconds since 1970).
pub(in crate::lab::data_connect) fn minutes_east(zone: &TimeZone, micros: i64) -> i16 {
    let moment = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH);
    i16::try_from(zone.to_offset(moment).seconds() / 60).unwrap_or(0)
}

impl Value {
    /// Appends its bytes on the wire, without a length; `false` is NULL.
    pub(in crate::lab::data_connect) fn encode(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Null => return false,
            Self::Text(bytes) | Self::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                return !bytes.is_empty();
            }
            Self::Number(number) => number.encode(out),
            Self::Date(micros) => out.extend_from_slice(&seven(*micros)),
            Self::Timestamp(micros) => {
                out.extend_from_slice(&seven(*micros));
                let nanos = fraction(*micros);
                if nanos > 0 {
                    out.extend_from_slice(&nanos.to_be_bytes());
                }
            }
            Self::Zoned(micros, zone) => {
                out.extend_from_slice(&seven(*micros));
                out.extend_from_slice(&fraction(*micros).to_be_bytes());
                out.extend_from_slice(&zone_bytes(*zone));
            }
            Self::Interval(micros) => {
                let part = |value: i64, bias: i64| u8::try_from(value + bias).unwrap_or(0);
                let days = u32::try_from(micros / DAY + 0x8000_0000).unwrap_or(0);
                let seconds = micros % DAY / SECOND;
                let nanos = micros % SECOND * 1000 + 0x8000_0000;
                out.extend_from_slice(&days.to_be_bytes());
                out.extend_from_slice(&[
                    part(seconds / 3600, 60),
                    part(seconds / 60 % 60, 60),
                    part(seconds % 60, 60),
                ]);
                out.extend_from_slice(&u32::try_from(nanos).unwrap_or(0).to_be_bytes());
            }
        }
        true
    }

    /// A value that a client bound, of Oracle's type `kind`.
    pub(in crate::lab::data_connect) fn decoded(kind: u8, bytes: Option<&[u8]>) -> Option<Self> {
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            return Some(Self::Null);
        };
        match kind {
            1 | 5 | 8 | 96 => Some(Self::Text(bytes.to_vec())),
            2 | 3 | 6 => Decimal::decoded(bytes).map(Self::Number),
            12 | 180 | 231 => {
                let micros = micros_of(bytes)?;
                Some(if kind == 12 && bytes.len() == 7 {
                    Self::Date(micros)
                } else {
                    Self::Timestamp(micros)
                })
            }
            181 => {
                let zone = match bytes.get(11..13) {
                    Some([hours, minutes]) if hours & 0x80 == 0 => {
                        Zone::Offset((i16::from(*hours) - 20) * 60 + i16::from(*minutes) - 60)
                    }
                    _ => Zone::Offset(0),
                };
                Some(Self::Zoned(micros_of(bytes)?, zone))
            }
            23 | 24 => Some(Self::Bytes(bytes.to_vec())),
            101 => {
                let mut bits = u64::from_be_bytes(bytes.try_into().ok()?);
                bits = if bits >> 63 == 1 {
                    bits ^ 1 << 63
                } else {
                    !bits
                };
                Decimal::parse(&f64::from_bits(bits).to_string()).map(Self::Number)
            }
            _ => None,
        }
    }
}

/// Nanoseconds of the second.
fn fraction(micros: i64) -> u32 {
    u32::try_from(micros.rem_euclid(SECOND) * 1000).unwrap_or(0)
}

/// Century, year, month, day, hour, minute, second, each with its bias.
fn seven(micros: i64) -> [u8; 7] {
    let time = civil(micros);
    let byte = |value: i16| u8::try_from(value).unwrap_or(0);
    let small = |value: i8| byte(i16::from(value));
    [
        byte(time.year() / 100 + 100),
        byte(time.year() % 100 + 100),
        small(time.month()),
        small(time.day()),
        small(time.hour()) + 1,
        small(time.minute()) + 1,
        small(time.second()) + 1,
    ]
}

fn zone_bytes(zone: Zone) -> [u8; 2] {
    let byte = |value: i16| u8::try_from(value).unwrap_or(0);
    match zone {
        Zone::Offset(minutes) => [byte(minutes / 60 + 20), byte(minutes % 60 + 60)],
        Zone::Region(number, _) => {
            let [_, high] = (number >> 6).to_be_bytes();
            let [_, low] = ((number & 0x3F) << 2).to_be_bytes();
            [high | 0x80, low]
        }
    }
}

fn micros_of(bytes: &[u8]) -> Option<i64> {
    let (seven, rest) = bytes.split_first_chunk::<7>()?;
    let [century, year, month, day, hour, minute, second] = seven.map(i16::from);
    let small = |value: i16| i8::try_from(value).ok();
    let time = DateTime::new(
        (century - 100) * 100 + year - 100,
        small(month)?,
        small(day)?,
        small(hour - 1)?,
        small(minute - 1)?,
        small(second - 1)?,
        0,
    )
    .ok()?;
    let nanos = rest
        .first_chunk()
        .map_or(0, |nanos| u32::from_be_bytes(*nanos));
    Some(civil_micros(time) + i64::from(nanos / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 03:04:05.25
    const AT: i64 = 1_795_489_445_250_000;

    fn encoded(value: &Value) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        value.encode(&mut bytes).then_some(bytes)
    }

    #[test]
    fn times_are_as_oracle_writes_them() {
        let seven = [120, 126, 11, 24, 4, 5, 6];
        assert_eq!(encoded(&Value::Date(AT)).unwrap(), seven);
        let stamp = encoded(&Value::Timestamp(AT)).unwrap();
        assert_eq!(stamp[..7], seven);
        assert_eq!(stamp[7..], 250_000_000_u32.to_be_bytes());
        // Without a fraction it is as short as a DATE.
        assert_eq!(encoded(&Value::Timestamp(AT - 250_000)).unwrap(), seven);
        let zoned = encoded(&Value::Zoned(AT, Zone::Offset(-210))).unwrap();
        assert_eq!(zoned.len(), 13);
        assert_eq!(zoned[11..], [17, 30]);
        let region = encoded(&Value::Zoned(AT, Zone::Region(540, 60))).unwrap();
        assert!(region[11] & 0x80 != 0);
        for (kind, value) in [
            (180, Value::Timestamp(AT)),
            (181, Value::Zoned(AT, Zone::Offset(-210))),
            (12, Value::Date(AT - 250_000)),
        ] {
            let bytes = encoded(&value).unwrap();
            assert_eq!(Value::decoded(kind, Some(&bytes)), Some(value));
        }
        assert_eq!(Value::decoded(180, Some(&[120, 126, 13, 1, 1, 1, 1])), None);
        assert_eq!(Value::decoded(1, None), Some(Value::Null));
    }

    #[test]
    fn doubles_are_read_as_numbers() {
        let bound = |value: f64| {
            let bits = value.to_bits();
            let bits = if value.is_sign_negative() {
                !bits
            } else {
                bits | 1 << 63
            };
            Value::decoded(101, Some(&bits.to_be_bytes()))
        };
        assert_eq!(
            bound(1.5),
            Some(Value::Number(Decimal::parse("1.5").unwrap()))
        );
        assert_eq!(bound(-2.0), Some(Value::from(-2_i64)));
    }
}
