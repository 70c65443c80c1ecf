//! The functions of one row, by name.

use std::fmt::Write as _;

use super::SqlError;
use super::compute::{Scope, clock_of, inconsistent, micros_of_days, number, text};
use super::decimal::Decimal;
use super::grammar::{Aggregate, Function};
use super::time_format;
use super::value::{DAY, SECOND, Value, Zone, civil, civil_micros};

/// Name, function, fewest and most arguments.
const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("ASCIISTR", Function::Ascii, 1, 1),
    ("COALESCE", Function::Coalesce, 2, 20),
    ("DECODE", Function::Decode, 3, 40),
    ("FROM_TZ", Function::FromTz, 2, 2),
    ("GREATEST", Function::Greatest, 1, 20),
    ("INSTR", Function::Instr, 2, 2),
    ("LEAST", Function::Least, 1, 20),
    ("LENGTH", Function::Length, 1, 1),
    ("LOWER", Function::Lower, 1, 1),
    ("NULLIF", Function::Nullif, 2, 2),
    ("NUMTODSINTERVAL", Function::NumToInterval, 2, 2),
    ("NVL", Function::Nvl, 2, 2),
    ("NVL2", Function::Nvl2, 3, 3),
    ("REPLACE", Function::Replace, 2, 3),
    ("ROUND", Function::Round, 1, 2),
    ("SUBSTR", Function::Substr, 2, 3),
    ("SYS_EXTRACT_UTC", Function::SysExtractUtc, 1, 1),
    ("TO_CHAR", Function::ToChar, 1, 2),
    ("TO_DATE", Function::ToDate, 2, 2),
    ("TO_NUMBER", Function::ToNumber, 1, 1),
    ("TO_TIMESTAMP", Function::ToTimestamp, 2, 2),
    ("TO_TIMESTAMP_TZ", Function::ToTimestampTz, 2, 2),
    ("TRIM", Function::Trim, 1, 1),
    ("TRUNC", Function::Trunc, 1, 2),
    ("UPPER", Function::Upper, 1, 1),
];

/// The function `name` of so many arguments.
pub(super) fn named(name: &str, arguments: usize) -> Result<Function, SqlError> {
    let found = FUNCTIONS.iter().find(|(known, ..)| *known == name);
    let Some((_, function, fewest, most)) = found else {
        return Err(SqlError::unknown(format!("the function {name}")));
    };
    if arguments < *fewest {
        return Err(SqlError::new(938, "not enough arguments for function"));
    }
    if arguments > *most {
        return Err(SqlError::unknown(format!(
            "{name} with {arguments} arguments"
        )));
    }
    Ok(*function)
}

/// The function of many rows `name`.
pub(super) fn aggregate(name: &str) -> Option<Aggregate> {
    Some(match name {
        "COUNT" => Aggregate::Count,
        "SUM" => Aggregate::Sum,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        "AVG" => Aggregate::Average,
        _ => return None,
    })
}

/// `n` units as microseconds: of INTERVAL '…' and NUMTODSINTERVAL.
pub(super) fn interval(count: &str, unit: &str) -> Result<i64, SqlError> {
    let count = Decimal::parse(count)
        .ok_or_else(|| SqlError::unknown("such an interval: write INTERVAL '7' DAY"))?;
    interval_of(count, unit)
}

fn interval_of(count: Decimal, unit: &str) -> Result<i64, SqlError> {
    let parts: i64 = match unit {
        "DAY" => 1,
        "HOUR" => 24,
        "MINUTE" => 1440,
        "SECOND" => 86_400,
        _ => {
            return Err(SqlError::unknown(format!(
                "an interval in {}",
                unit.escape_debug()
            )));
        }
    };
    let days = count
        .divide(Decimal::from(parts))
        .unwrap_or(Decimal::from(0_i64));
    micros_of_days(days)
}

/// The value of a call.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    scope: &Scope<'_>,
) -> Result<Value, SqlError> {
    let null = Value::Null;
    let argument = |index: usize| arguments.get(index).unwrap_or(&null);
    let first = argument(0);
    match function {
        Function::Nvl | Function::Coalesce => {
            let found = arguments.iter().find(|value| **value != Value::Null);
            return Ok(found.cloned().unwrap_or(Value::Null));
        }
        Function::Nvl2 => {
            return Ok(argument(if *first == Value::Null { 2 } else { 1 }).clone());
        }
        Function::Decode => return decode(arguments, scope),
        Function::Replace if *first != Value::Null => {
            let found = string(argument(1))?;
            if found.is_empty() {
                return Ok(first.clone());
            }
            return Ok(Value::from(
                string(first)?.replace(&found, &string(argument(2))?),
            ));
        }
        Function::Nullif => {
            let equal = scope
                .compare(first, argument(1))?
                .is_some_and(std::cmp::Ordering::is_eq);
            return Ok(if equal { Value::Null } else { first.clone() });
        }
        _ => {}
    }
    if arguments.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    Ok(match function {
        Function::Upper => Value::from(string(first)?.to_uppercase()),
        Function::Lower => Value::from(string(first)?.to_lowercase()),
        Function::Trim => Value::from(string(first)?.trim_matches(' ')),
        Function::Ascii => Value::from(ascii(&text(first)?)),
        Function::Length => Value::from(string(first)?.chars().count() as u64),
        Function::Instr => {
            let whole = string(first)?;
            let found = whole.find(&string(argument(1))?);
            let before = found.and_then(|at| whole.get(..at));
            Value::from(before.map_or(0, |before| before.chars().count() as u64 + 1))
        }
        Function::Substr => substr(&string(first)?, argument(1), arguments.get(2))?,
        Function::Greatest | Function::Least => {
            let mut best = first;
            for other in arguments {
                let order = scope.compare(other, best)?;
                let better = match function {
                    Function::Greatest => order.is_some_and(std::cmp::Ordering::is_gt),
                    _ => order.is_some_and(std::cmp::Ordering::is_lt),
                };
                best = if better { other } else { best };
            }
            best.clone()
        }
        Function::ToNumber => Value::Number(number(first)?),
        Function::ToChar => to_char(first, arguments.get(1))?,
        Function::ToDate => {
            let (at, _) = time_format::read(&string(first)?, &string(argument(1))?, false)?;
            Value::Date(at.div_euclid(SECOND) * SECOND)
        }
        Function::ToTimestamp => {
            let (at, _) = time_format::read(&string(first)?, &string(argument(1))?, false)?;
            Value::Timestamp(at)
        }
        Function::ToTimestampTz => {
            let (at, minutes) = time_format::read(&string(first)?, &string(argument(1))?, true)?;
            match minutes {
                None => scope.cast(Value::Timestamp(at), super::value::ColumnType::Zoned)?,
                Some(minutes) => {
                    Value::Zoned(at - i64::from(minutes) * 60 * SECOND, Zone::Offset(minutes))
                }
            }
        }
        Function::FromTz => {
            let minutes = super::minutes_of(&string(argument(1))?)
                .ok_or_else(|| SqlError::new(1882, "timezone region not found"))?;
            let at = clock_of(first)? - i64::from(minutes) * 60 * SECOND;
            Value::Zoned(at, Zone::Offset(minutes))
        }
        Function::SysExtractUtc => match first {
            Value::Zoned(utc, _) => Value::Timestamp(*utc),
            Value::Date(_) | Value::Timestamp(_) => Value::Timestamp(scope.utc(first)?),
            _ => return Err(inconsistent()),
        },
        Function::NumToInterval => {
            let unit = string(argument(1))?.to_ascii_uppercase();
            Value::Interval(interval_of(number(first)?, &unit)?)
        }
        Function::Round | Function::Trunc => cut(function, first, arguments.get(1))?,
        _ => Value::Null,
    })
}

fn string(value: &Value) -> Result<String, SqlError> {
    Ok(String::from_utf8_lossy(&text(value)?).into_owned())
}

/// ASCII as it is, other characters as `\XXXX`.
fn ascii(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ 0x20..=0x7E) => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{unit:04X}");
            }
        }
    }
    out
}

fn decode(arguments: &[Value], scope: &Scope<'_>) -> Result<Value, SqlError> {
    let Some((subject, rest)) = arguments.split_first() else {
        return Ok(Value::Null);
    };
    let mut pairs = rest.chunks(2);
    for pair in &mut pairs {
        match pair {
            [sought, value] => {
                let are_null = *subject == Value::Null && *sought == Value::Null;
                if are_null
                    || scope
                        .compare(subject, sought)?
                        .is_some_and(std::cmp::Ordering::is_eq)
                {
                    return Ok(value.clone());
                }
            }
            [otherwise] => return Ok(otherwise.clone()),
            _ => {}
        }
    }
    Ok(Value::Null)
}

/// From the so manyth character on; below zero from the end.
fn substr(text: &str, from: &Value, length: Option<&Value>) -> Result<Value, SqlError> {
    let whole = |value: &Value| number(value).map(|number| number.to_i64().unwrap_or(0));
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let begin = match whole(from)? {
        0 => 0,
        from if from > 0 => from - 1,
        from => count + from,
    };
    let length = length.map(whole).transpose()?.unwrap_or(i64::MAX);
    if begin < 0 || length < 1 {
        return Ok(Value::Null);
    }
    let skipped = text
        .chars()
        .skip(usize::try_from(begin).unwrap_or(usize::MAX));
    let taken: String = skipped
        .take(usize::try_from(length).unwrap_or(usize::MAX))
        .collect();
    Ok(Value::from(taken))
}

fn to_char(value: &Value, format: Option<&Value>) -> Result<Value, SqlError> {
    let format = format.map(string).transpose()?;
    Ok(match (value, format) {
        (Value::Number(_) | Value::Text(_), None) => Value::Text(text(value)?),
        (Value::Number(_), Some(_)) => {
            return Err(SqlError::unknown("TO_CHAR of a number with a format"));
        }
        (Value::Zoned(utc, zone), Some(format)) => {
            let minutes = zone.minutes();
            let local = utc + minutes * 60 * SECOND;
            Value::from(time_format::write(local, Some(minutes), &format)?)
        }
        (Value::Date(at) | Value::Timestamp(at), Some(format)) => {
            Value::from(time_format::write(*at, None, &format)?)
        }
        _ => return Err(SqlError::unknown("TO_CHAR of a time without a format")),
    })
}

/// ROUND of a number, TRUNC of a number or a time.
fn cut(function: Function, value: &Value, to: Option<&Value>) -> Result<Value, SqlError> {
    if let Value::Number(value) = value {
        let places = to.map(number).transpose()?.and_then(Decimal::to_i64);
        let places = i32::try_from(places.unwrap_or(0))
            .unwrap_or(0)
            .clamp(-40, 40);
        return Ok(Value::Number(match function {
            Function::Round => value.round_to(places),
            _ => value.floor_to(places),
        }));
    }
    if function == Function::Round {
        return Err(SqlError::unknown("ROUND of a time"));
    }
    let at = clock_of(value)?;
    let unit = to.map(string).transpose()?;
    let unit = unit.as_deref().unwrap_or("DD").to_ascii_uppercase();
    let floor = |step: i64| at.div_euclid(step) * step;
    let date = civil(at).date();
    let first_of =
        |date: jiff::civil::Date| civil_micros(date.to_datetime(jiff::civil::Time::midnight()));
    Ok(Value::Date(match unit.as_str() {
        "DD" | "DDD" | "J" => floor(DAY),
        "HH24" | "HH" | "HH12" => floor(DAY / 24),
        "MI" => floor(60 * SECOND),
        "MM" | "MONTH" | "MON" => first_of(date.first_of_month()),
        "YYYY" | "YEAR" | "YY" => first_of(date.first_of_year()),
        // Weeks begin on a Monday; 1970 began on a Thursday.
        "IW" => (at + 3 * DAY).div_euclid(7 * DAY) * 7 * DAY - 3 * DAY,
        _ => {
            return Err(SqlError::unknown(format!(
                "TRUNC to {}",
                unit.escape_debug()
            )));
        }
    }))
}

/// Whether `text` is like `pattern`: `%` stands for anything, `_` for a character.
pub(super) fn is_like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        Exactly(char),
    }
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            _ if Some(character) == escape => match characters.next() {
                Some(next) => Part::Exactly(next),
                None => Part::Exactly(character),
            },
            '%' => Part::Any,
            '_' => Part::One,
            other => Part::Exactly(other),
        });
    }
    // Whether the pattern to each part matches the text so far.
    let mut reached = vec![false; parts.len() + 1];
    let follow = |reached: &mut Vec<bool>, parts: &[Part]| {
        for (index, part) in parts.iter().enumerate() {
            if *part == Part::Any
                && reached.get(index) == Some(&true)
                && let Some(next) = reached.get_mut(index + 1)
            {
                *next = true;
            }
        }
    };
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    follow(&mut reached, &parts);
    for character in text.chars() {
        let mut next = vec![false; parts.len() + 1];
        for (index, part) in parts.iter().enumerate() {
            if reached.get(index) != Some(&true) {
                continue;
            }
            let target = match part {
                Part::Any => index,
                Part::One => index + 1,
                Part::Exactly(expected) if *expected == character => index + 1,
                Part::Exactly(_) => continue,
            };
            if let Some(target) = next.get_mut(target) {
                *target = true;
            }
        }
        follow(&mut next, &parts);
        reached = next;
    }
    reached.last() == Some(&true)
}
