//! What a statement consists of once it is understood: columns are known, aggregates and groups are
//! told apart.

use super::value::{ColumnType, Value};

/// A point in time that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// The node's local time, to the second.
    Sysdate,
    /// The moment with the node's zone.
    Systimestamp,
    /// The moment with the session's zone.
    CurrentTimestamp,
}

/// An operator between numbers or times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

/// A function of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Average,
}

/// A function of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Ascii,
    Coalesce,
    FromTz,
    Greatest,
    Least,
    Length,
    Lower,
    NumToInterval,
    Nullif,
    Nvl,
    Nvl2,
    Decode,
    Replace,
    Round,
    Substr,
    Instr,
    SysExtractUtc,
    ToChar,
    ToDate,
    ToNumber,
    ToTimestamp,
    ToTimestampTz,
    Trim,
    Trunc,
    Upper,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Literal(Value),
    /// A column of the view, by its name.
    Column(String, ColumnType),
    /// The bind so many from the beginning.
    Bind(usize),
    Clock(Clock),
    RowNumber,
    Negative(Box<Expression>),
    Arithmetic(Operator, Box<Expression>, Box<Expression>),
    Concat(Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
    Cast(Box<Expression>, ColumnType),
    /// At an offset, in minutes.
    AtZone(Box<Expression>, i16),
    Case(Vec<(Condition, Expression)>, Option<Box<Expression>>),
    /// Of the values of an expression, or of all rows; perhaps of each value once.
    Aggregate(Aggregate, Option<Box<Expression>>, bool),
    /// The group's value of its so manyth expression.
    Group(usize, ColumnType),
    /// The so manyth aggregate of the group.
    Total(usize, ColumnType),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is true, false or unknown of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Comparison, Expression, Expression),
    In(Expression, Vec<Expression>),
    Like(Expression, Expression, Option<char>),
    IsNull(Expression),
}

/// One of the expressions of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) by: By,
    pub(super) descends: bool,
    pub(super) nulls_first: bool,
}

/// What is ordered by.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum By {
    /// The so manyth column of the result.
    Item(usize),
    Expression(Expression),
}

/// A SELECT.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub(super) view: &'static str,
    pub(super) distinct: bool,
    pub(super) items: Vec<Expression>,
    pub(super) filter: Option<Condition>,
    /// `None` where rows are not grouped.
    pub(super) groups: Option<Vec<Expression>>,
    pub(super) totals: Vec<(Aggregate, Option<Expression>, bool)>,
    pub(super) having: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) offset: Option<Expression>,
    pub(super) limit: Option<Expression>,
}

impl Expression {
    /// What its values are.
    pub(super) fn kind(&self) -> ColumnType {
        match self {
            Self::Literal(value) => kind_of(value),
            Self::Column(_, kind)
            | Self::Group(_, kind)
            | Self::Total(_, kind)
            | Self::Cast(_, kind) => *kind,
            Self::Bind(_) | Self::Concat(..) => ColumnType::Varchar(4000),
            Self::Clock(Clock::Sysdate) => ColumnType::Date,
            Self::Clock(_) | Self::AtZone(..) => ColumnType::Zoned,
            Self::RowNumber => ColumnType::Number,
            Self::Negative(inner) => inner.kind(),
            Self::Arithmetic(operator, left, right) => {
                sum_kind(*operator, left.kind(), right.kind())
            }
            Self::Call(function, arguments) => function.kind(arguments),
            Self::Case(branches, otherwise) => branches
                .iter()
                .map(|(_, value)| value)
                .chain(otherwise.as_deref())
                .map(Self::kind)
                .reduce(wider)
                .unwrap_or(ColumnType::Varchar(0)),
            Self::Aggregate(aggregate, of, _) => aggregate.kind(of.as_deref()),
        }
    }
}

impl Aggregate {
    /// What it is of such expressions.
    pub(super) fn kind(self, of: Option<&Expression>) -> ColumnType {
        match (self, of) {
            (Self::Min | Self::Max, Some(of)) => of.kind(),
            _ => ColumnType::Number,
        }
    }
}

impl Function {
    fn kind(self, arguments: &[Expression]) -> ColumnType {
        let first = arguments
            .first()
            .map_or(ColumnType::Number, Expression::kind);
        match self {
            Self::Length | Self::ToNumber | Self::Instr => ColumnType::Number,
            Self::Round | Self::Trunc => match first {
                ColumnType::Number => ColumnType::Number,
                _ => ColumnType::Date,
            },
            Self::ToDate => ColumnType::Date,
            Self::ToTimestamp | Self::SysExtractUtc => ColumnType::Timestamp,
            Self::ToTimestampTz | Self::FromTz => ColumnType::Zoned,
            Self::NumToInterval => ColumnType::Interval,
            Self::Coalesce | Self::Nvl | Self::Greatest | Self::Least => {
                let kinds = arguments.iter().map(Expression::kind);
                kinds.reduce(wider).unwrap_or(first)
            }
            Self::Nvl2 => {
                let kinds = arguments.iter().skip(1).map(Expression::kind);
                kinds.reduce(wider).unwrap_or(first)
            }
            Self::Decode => arguments.get(2).map_or(first, Expression::kind),
            Self::Nullif => first,
            Self::Upper | Self::Lower | Self::Trim | Self::Substr if first.size() > 0 => {
                ColumnType::Varchar(first.size())
            }
            _ => ColumnType::Varchar(4000),
        }
    }
}

/// The type of a literal.
fn kind_of(value: &Value) -> ColumnType {
    let length = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap_or(4000);
    match value {
        Value::Null => ColumnType::Varchar(0),
        Value::Text(bytes) => ColumnType::Char(length(bytes)),
        Value::Number(_) => ColumnType::Number,
        Value::Date(_) => ColumnType::Date,
        Value::Timestamp(_) => ColumnType::Timestamp,
        Value::Zoned(..) => ColumnType::Zoned,
        Value::Interval(_) => ColumnType::Interval,
        Value::Bytes(bytes) => ColumnType::Raw(length(bytes)),
    }
}

/// What holds both.
fn wider(one: ColumnType, two: ColumnType) -> ColumnType {
    match (one, two) {
        (ColumnType::Varchar(0), other) | (other, ColumnType::Varchar(0)) => other,
        (one, two) if one.is_text() && two.is_text() => {
            ColumnType::Varchar(one.size().max(two.size()))
        }
        (one, _) => one,
    }
}

/// What a sum or difference is.
fn sum_kind(operator: Operator, left: ColumnType, right: ColumnType) -> ColumnType {
    use ColumnType::{Date, Interval, Number, Timestamp, Zoned};
    match (left, right) {
        (Date, Date) if operator == Operator::Minus => Number,
        (Timestamp | Zoned | Date, Timestamp | Zoned | Date)
        | (Interval, Interval | Number)
        | (Number, Interval) => Interval,
        (time @ (Date | Timestamp | Zoned), Interval)
        | (Interval, time @ (Date | Timestamp | Zoned)) => time,
        (Date | Timestamp | Zoned, _) | (_, Date | Timestamp | Zoned) => Date,
        _ => Number,
    }
}
