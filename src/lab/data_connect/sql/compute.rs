//! Values of expressions and the truth of conditions, of one row or one group.

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::functions;
use super::grammar::{Clock, Comparison, Condition, Expression, Operator};
use super::value::{ColumnType, DAY, SECOND, Value, Zone, minutes_east};
use super::{SqlError, World};
use crate::lab::data_connect::views::Row;

/// The moment of a statement and the zones it is seen in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Microseconds since 1970.
    utc: i64,
    node_minutes: i16,
    session_minutes: i16,
}

impl Moment {
    pub(super) fn new(world: &World) -> Self {
        let utc = world.now * 1000;
        let node_minutes = minutes_east(&world.zone, utc);
        Self {
            utc,
            node_minutes,
            session_minutes: world.session_minutes.unwrap_or(node_minutes),
        }
    }

    fn clock(self, clock: Clock) -> Value {
        match clock {
            Clock::Sysdate => {
                let local = self.utc + micros(self.node_minutes);
                Value::Date(local.div_euclid(SECOND) * SECOND)
            }
            Clock::Systimestamp => Value::Zoned(self.utc, Zone::Offset(self.node_minutes)),
            Clock::CurrentTimestamp => Value::Zoned(self.utc, Zone::Offset(self.session_minutes)),
        }
    }
}

fn micros(minutes: i16) -> i64 {
    i64::from(minutes) * 60 * SECOND
}

/// What an expression can see.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) row: Option<&'a dyn Row>,
    pub(super) row_number: u64,
    pub(super) groups: &'a [Value],
    pub(super) totals: &'a [Value],
    pub(super) binds: &'a [Value],
    pub(super) moment: Moment,
}

type Computed<T> = Result<T, SqlError>;

impl Scope<'_> {
    pub(super) fn value(&self, expression: &Expression) -> Computed<Value> {
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Column(name, kind) if kind.size() > 0 => {
                self.row.map_or(Value::Null, |row| row.value(name))
            }
            Expression::Column(..) => Value::Null,
            Expression::Bind(index) => self.binds.get(*index).cloned().unwrap_or(Value::Null),
            Expression::Clock(clock) => self.moment.clock(*clock),
            Expression::RowNumber => Value::from(self.row_number),
            Expression::Negative(inner) => match self.value(inner)? {
                Value::Null => Value::Null,
                Value::Interval(micros) => Value::Interval(micros.saturating_neg()),
                other => Value::Number(number(&other)?.negative()),
            },
            Expression::Arithmetic(operator, left, right) => {
                self.arithmetic(*operator, &self.value(left)?, &self.value(right)?)?
            }
            Expression::Concat(left, right) => {
                let mut bytes = text(&self.value(left)?)?;
                bytes.extend(text(&self.value(right)?)?);
                if bytes.is_empty() {
                    Value::Null
                } else {
                    Value::Text(bytes)
                }
            }
            Expression::Call(function, arguments) => {
                let arguments: Vec<Value> = arguments
                    .iter()
                    .map(|argument| self.value(argument))
                    .collect::<Computed<_>>()?;
                functions::call(*function, &arguments, self)?
            }
            Expression::Cast(inner, kind) => self.cast(self.value(inner)?, *kind)?,
            Expression::AtZone(inner, minutes) => match self.value(inner)? {
                Value::Null => Value::Null,
                other => Value::Zoned(self.utc(&other)?, Zone::Offset(*minutes)),
            },
            Expression::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    if self.truth(condition)? == Some(true) {
                        return self.value(value);
                    }
                }
                match otherwise {
                    Some(otherwise) => self.value(otherwise)?,
                    None => Value::Null,
                }
            }
            Expression::Group(index, _) => self.groups.get(*index).cloned().unwrap_or(Value::Null),
            Expression::Total(index, _) => self.totals.get(*index).cloned().unwrap_or(Value::Null),
            Expression::Aggregate(..) => {
                return Err(SqlError::new(934, "group function is not allowed here"));
            }
        })
    }

    /// A time on the session's clock or in UTC, as microseconds since 1970 in UTC.
    pub(super) fn utc(&self, value: &Value) -> Computed<i64> {
        match value {
            Value::Zoned(utc, _) => Ok(*utc),
            Value::Date(local) | Value::Timestamp(local) => {
                Ok(local.saturating_sub(micros(self.moment.session_minutes)))
            }
            _ => Err(inconsistent()),
        }
    }

    fn arithmetic(&self, operator: Operator, left: &Value, right: &Value) -> Computed<Value> {
        use Operator::{Minus, Plus};
        use Value::{Date, Interval, Null, Timestamp, Zoned};
        let sum = |at: &i64, length: &i64| match operator {
            Minus => at.saturating_sub(*length),
            _ => at.saturating_add(*length),
        };
        Ok(match (operator, left, right) {
            (_, Null, _) | (_, _, Null) => Null,
            (Minus, Date(one), Date(two)) => {
                let days = Decimal::from(sum(one, two)).divide(Decimal::from(DAY));
                Value::Number(days.ok_or_else(inconsistent)?)
            }
            (Minus, Timestamp(one) | Date(one), Timestamp(two) | Date(two))
            | (Plus | Minus, Interval(one), Interval(two)) => Interval(sum(one, two)),
            (Minus, Zoned(..), Date(_) | Timestamp(_) | Zoned(..))
            | (Minus, Date(_) | Timestamp(_), Zoned(..)) => {
                Interval(sum(&self.utc(left)?, &self.utc(right)?))
            }
            (Plus | Minus, Date(at), Interval(length)) => Date(sum(at, length)),
            (Plus | Minus, Timestamp(at), Interval(length)) => Timestamp(sum(at, length)),
            (Plus | Minus, Zoned(at, zone), Interval(length)) => Zoned(sum(at, length), *zone),
            (Plus, Interval(_) | Value::Number(_), Date(_) | Timestamp(_) | Zoned(..)) => {
                self.arithmetic(Plus, right, left)?
            }
            (Plus | Minus, Date(_) | Timestamp(_) | Zoned(..), other) => {
                let at = match left {
                    Zoned(utc, zone) => utc.saturating_add(zone.minutes() * 60 * SECOND),
                    Date(at) | Timestamp(at) => *at,
                    _ => return Err(inconsistent()),
                };
                let length = micros_of_days(number(other)?)?;
                Date(sum(&at, &length) / SECOND * SECOND)
            }
            (Operator::Times, Interval(length), Value::Number(times))
            | (Operator::Times, Value::Number(times), Interval(length)) => {
                let product = Decimal::from(*length)
                    .multiply(*times)
                    .map_err(|_| too_large())?;
                Interval(product.to_i64().ok_or_else(too_large)?)
            }
            _ => {
                let (one, two) = (number(left)?, number(right)?);
                let result = match operator {
                    Plus => one.add(two),
                    Minus => one.add(two.negative()),
                    Operator::Times => one.multiply(two),
                    Operator::Over => {
                        let quotient = one.divide(two);
                        Ok(quotient
                            .ok_or_else(|| SqlError::new(1476, "divisor is equal to zero"))?)
                    }
                };
                Value::Number(result.map_err(|_| too_large())?)
            }
        })
    }

    pub(super) fn cast(&self, value: Value, kind: ColumnType) -> Computed<Value> {
        Ok(match (kind, value) {
            (_, Value::Null) => Value::Null,
            (ColumnType::Varchar(size) | ColumnType::Char(size), value) => {
                let mut bytes = text(&value)?;
                bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                Value::Text(bytes)
            }
            (ColumnType::Number, value) => Value::Number(number(&value)?),
            (ColumnType::Zoned, value @ Value::Zoned(..)) => value,
            (ColumnType::Zoned, value) => {
                Value::Zoned(self.utc(&value)?, Zone::Offset(self.moment.session_minutes))
            }
            (ColumnType::Timestamp, value) => Value::Timestamp(clock_of(&value)?),
            (ColumnType::Date, value) => Value::Date(clock_of(&value)?.div_euclid(SECOND) * SECOND),
            _ => return Err(inconsistent()),
        })
    }

    pub(super) fn truth(&self, condition: &Condition) -> Computed<Option<bool>> {
        Ok(match condition {
            Condition::And(left, right) => match self.truth(left)? {
                Some(false) => Some(false),
                left => match (left, self.truth(right)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Condition::Or(left, right) => match self.truth(left)? {
                Some(true) => Some(true),
                left => match (left, self.truth(right)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Condition::Not(inner) => self.truth(inner)?.map(|truth| !truth),
            Condition::IsNull(inner) => Some(self.value(inner)? == Value::Null),
            Condition::Compare(comparison, left, right) => {
                let order = self.compare(&self.value(left)?, &self.value(right)?)?;
                order.map(|order| holds(*comparison, order))
            }
            Condition::In(left, list) => {
                let left = self.value(left)?;
                let mut found = Some(false);
                for one in list {
                    match self.compare(&left, &self.value(one)?)? {
                        Some(Ordering::Equal) => return Ok(Some(true)),
                        Some(_) => {}
                        None => found = None,
                    }
                }
                found
            }
            Condition::Like(left, pattern, escape) => {
                let (left, pattern) = (self.value(left)?, self.value(pattern)?);
                if left == Value::Null || pattern == Value::Null {
                    None
                } else {
                    let left = String::from_utf8_lossy(&text(&left)?).into_owned();
                    let pattern = String::from_utf8_lossy(&text(&pattern)?).into_owned();
                    Some(functions::is_like(&left, &pattern, *escape))
                }
            }
        })
    }

    /// `None` where one of them is NULL.
    pub(super) fn compare(&self, left: &Value, right: &Value) -> Computed<Option<Ordering>> {
        use Value::{Bytes, Date, Interval, Null, Text, Timestamp, Zoned};
        Ok(match (left, right) {
            (Null, _) | (_, Null) => None,
            (Value::Number(one), Value::Number(two)) => Some(one.cmp(two)),
            (Text(one), Text(two)) | (Bytes(one), Bytes(two)) => Some(one.cmp(two)),
            (Value::Number(_), Text(_)) | (Text(_), Value::Number(_)) => {
                Some(number(left)?.cmp(&number(right)?))
            }
            (Date(one) | Timestamp(one), Date(two) | Timestamp(two))
            | (Interval(one), Interval(two)) => Some(one.cmp(two)),
            (Zoned(..), Date(_) | Timestamp(_) | Zoned(..))
            | (Date(_) | Timestamp(_), Zoned(..)) => Some(self.utc(left)?.cmp(&self.utc(right)?)),
            (Text(_), Date(_) | Timestamp(_) | Zoned(..))
            | (Date(_) | Timestamp(_) | Zoned(..), Text(_)) => {
                return Err(SqlError::unknown("a text as a time without TO_TIMESTAMP"));
            }
            _ => return Err(inconsistent()),
        })
    }
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Unequal => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

pub(super) fn inconsistent() -> SqlError {
    SqlError::new(932, "inconsistent datatypes")
}

fn too_large() -> SqlError {
    SqlError::new(1426, "numeric overflow")
}

/// A length in days as microseconds.
pub(super) fn micros_of_days(days: Decimal) -> Computed<i64> {
    let micros = days.multiply(Decimal::from(DAY)).map_err(|_| too_large())?;
    micros.round_to(0).to_i64().ok_or_else(too_large)
}

/// What a clock in the value's own zone shows.
pub(super) fn clock_of(value: &Value) -> Computed<i64> {
    match value {
        Value::Date(at) | Value::Timestamp(at) => Ok(*at),
        Value::Zoned(utc, zone) => Ok(utc.saturating_add(zone.minutes() * 60 * SECOND)),
        Value::Text(_) => Err(SqlError::unknown("a text as a time without TO_TIMESTAMP")),
        _ => Err(inconsistent()),
    }
}

pub(super) fn number(value: &Value) -> Computed<Decimal> {
    let invalid = || SqlError::new(1722, "invalid number");
    match value {
        Value::Number(number) => Ok(*number),
        Value::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|_| invalid())?;
            Decimal::parse(text).ok_or_else(invalid)
        }
        _ => Err(inconsistent()),
    }
}

/// Empty for NULL.
pub(super) fn text(value: &Value) -> Computed<Vec<u8>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Text(bytes) => Ok(bytes.clone()),
        Value::Number(number) => Ok(number.to_string().into_bytes()),
        Value::Bytes(_) => Err(inconsistent()),
        _ => Err(SqlError::unknown(
            "a time as text without TO_CHAR and a format",
        )),
    }
}
