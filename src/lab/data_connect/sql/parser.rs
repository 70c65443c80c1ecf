//! Understands the text of a SELECT. Columns are looked up while it reads, so that an unknown one is
//! told with its place.

use super::SqlError;
use super::functions;
use super::grammar::{Clock, Comparison, Condition, Expression, Operator};
use super::time_format;
use super::token::{Kind, Token};
use super::value::{ColumnType, Value};
use crate::lab::data_connect::views::View;

/// How deep expressions may stand in each other.
const DEEPEST: usize = 60;

/// How many signs and words may join expressions and conditions: each makes the tree deeper that is
/// gone through later.
const MOST_OPERATORS: usize = 200;

/// Words that are no alias.
const RESERVED: &[&str] = &[
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "FETCH",
    "OFFSET",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "BETWEEN",
    "IS",
    "AS",
    "ASC",
    "DESC",
    "NULLS",
    "UNION",
    "MINUS",
    "INTERSECT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "ON",
    "CONNECT",
    "START",
    "FOR",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AT",
    "ESCAPE",
    "SAMPLE",
    "PARTITION",
    "MODEL",
    "PIVOT",
    "WITH",
];

/// Reads tokens.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    pub(super) view: Option<&'a View>,
    pub(super) alias: Option<String>,
    /// How many binds stand before this place.
    pub(super) binds: usize,
    depth: usize,
    /// How many operators were read.
    pub(super) operators: usize,
}

pub(super) type Parsed<T> = Result<T, SqlError>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            view: None,
            alias: None,
            binds: 0,
            depth: 0,
            operators: 0,
        }
    }

    pub(super) fn place(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, place: usize) {
        self.at = place;
    }

    fn token(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).or(self.tokens.last())
    }

    pub(super) fn kind(&self) -> &'a Kind {
        self.token().map_or(&Kind::End, |token| &token.kind)
    }

    /// Where the present token begins.
    pub(super) fn offset(&self) -> usize {
        self.token().map_or(0, |token| token.at)
    }

    /// The text from a place to the present one.
    pub(super) fn text_from(&self, place: usize) -> &'a str {
        let begin = self.tokens.get(place).map_or(0, |token| token.at);
        let last = self
            .at
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last));
        self.text
            .get(begin..last.map_or(begin, |token| token.end))
            .unwrap_or_default()
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), Kind::Word(found) if found == word)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.kind(), Kind::Sign(found) if *found == sign)
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    pub(super) fn take_words(&mut self, words: &[&str]) -> bool {
        let place = self.at;
        let all = words.iter().all(|word| self.take_word(word));
        if !all {
            self.at = place;
        }
        all
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.strange())
        }
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Parsed<()> {
        if self.take_sign(sign) {
            Ok(())
        } else if sign == ")" {
            Err(SqlError::new(907, "missing right parenthesis").at(self.offset()))
        } else {
            Err(self.strange())
        }
    }

    /// The present token is not what can stand here.
    pub(super) fn strange(&self) -> SqlError {
        let error = match self.kind() {
            Kind::End => SqlError::new(936, "missing expression"),
            Kind::Sign(";") => SqlError::new(933, "SQL command not properly ended"),
            _ => {
                let token = self.token();
                let word = token.and_then(|token| self.text.get(token.at..token.end));
                SqlError::unknown(format!(
                    "'{}' here",
                    word.unwrap_or_default().escape_debug()
                ))
            }
        };
        error.at(self.offset())
    }

    /// A name that is no reserved word.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = match self.kind() {
            Kind::Word(word) if !RESERVED.contains(&word.as_str()) => word.clone(),
            Kind::Name(name) => name.clone(),
            _ => return None,
        };
        self.advance();
        Some(name)
    }

    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEEPEST {
            return Err(SqlError::unknown("so many parentheses").at(self.offset()));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// An operator was read, which joins what stands before it with what follows.
    pub(super) fn joins(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            return Err(SqlError::unknown("so many operators").at(self.offset()));
        }
        Ok(())
    }

    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.deeper(|parser| {
            let mut left = parser.product()?;
            loop {
                if parser.take_sign("||") {
                    parser.joins()?;
                    left = Expression::Concat(Box::new(left), Box::new(parser.product()?));
                    continue;
                }
                let operator = if parser.take_sign("+") {
                    Operator::Plus
                } else if parser.take_sign("-") {
                    Operator::Minus
                } else {
                    return Ok(left);
                };
                parser.joins()?;
                let right = Box::new(parser.product()?);
                left = Expression::Arithmetic(operator, Box::new(left), right);
            }
        })
    }

    fn product(&mut self) -> Parsed<Expression> {
        let mut left = self.factor()?;
        loop {
            let operator = if self.take_sign("*") {
                Operator::Times
            } else if self.take_sign("/") {
                Operator::Over
            } else {
                return Ok(left);
            };
            self.joins()?;
            left = Expression::Arithmetic(operator, Box::new(left), Box::new(self.factor()?));
        }
    }

    fn factor(&mut self) -> Parsed<Expression> {
        if self.take_sign("-") {
            return Ok(Expression::Negative(Box::new(self.deeper(Self::factor)?)));
        }
        self.take_sign("+");
        let mut inner = self.primary()?;
        while self.take_words(&["AT", "TIME", "ZONE"]) {
            self.joins()?;
            let Kind::Text(zone) = self.kind() else {
                return Err(self.strange());
            };
            let minutes = super::minutes_of(zone).ok_or_else(|| {
                let zone = zone.escape_debug();
                SqlError::unknown(format!("the time zone '{zone}'")).at(self.offset())
            })?;
            self.advance();
            inner = Expression::AtZone(Box::new(inner), minutes);
        }
        Ok(inner)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        let at = self.offset();
        match self.kind() {
            Kind::Number(number) => {
                self.advance();
                Ok(Expression::Literal(Value::Number(*number)))
            }
            Kind::Text(text) => {
                self.advance();
                Ok(Expression::Literal(Value::from(text.as_str())))
            }
            Kind::Bind(_) => {
                self.advance();
                self.binds += 1;
                Ok(Expression::Bind(self.binds - 1))
            }
            Kind::Sign("(") => {
                self.advance();
                if self.is_word("SELECT") {
                    return Err(SqlError::unknown("a SELECT within another").at(self.offset()));
                }
                let inner = self.expression()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Kind::Name(_) => self.column(),
            Kind::Word(word) => self.word(word, at),
            _ => Err(self.strange()),
        }
    }

    fn word(&mut self, word: &str, at: usize) -> Parsed<Expression> {
        let place = self.at;
        self.advance();
        match (word, self.kind()) {
            ("NULL", _) => return Ok(Expression::Literal(Value::Null)),
            ("SYSDATE", _) => return Ok(Expression::Clock(Clock::Sysdate)),
            ("SYSTIMESTAMP", _) => return Ok(Expression::Clock(Clock::Systimestamp)),
            ("CURRENT_TIMESTAMP", _) => return Ok(Expression::Clock(Clock::CurrentTimestamp)),
            ("ROWNUM", _) => return Ok(Expression::RowNumber),
            ("DBTIMEZONE", _) if self.view.is_some_and(|view| view.name == "DUAL") => {
                return Ok(Expression::Literal(Value::from("+00:00")));
            }
            ("CASE", _) => return self.case(),
            ("DATE" | "TIMESTAMP" | "INTERVAL", Kind::Text(text)) => {
                self.advance();
                return self.time_literal(word, text, at);
            }
            (_, Kind::Sign("(")) => {
                self.advance();
                return self.call(word, at);
            }
            _ => {}
        }
        self.at = place;
        if RESERVED.contains(&word) {
            return Err(SqlError::new(936, "missing expression").at(at));
        }
        self.column()
    }

    fn time_literal(&mut self, word: &str, text: &str, at: usize) -> Parsed<Expression> {
        let value = match word {
            "DATE" => time_format::read(text, "YYYY-MM-DD", false).map(|read| Value::Date(read.0)),
            "TIMESTAMP" => time_format::read_timestamp(text),
            _ => {
                let Kind::Word(unit) = self.kind() else {
                    return Err(self.strange());
                };
                self.advance();
                functions::interval(text, unit).map(Value::Interval)
            }
        };
        value.map(Expression::Literal).map_err(|error| error.at(at))
    }

    fn case(&mut self) -> Parsed<Expression> {
        let subject = if self.is_word("WHEN") {
            None
        } else {
            Some(self.expression()?)
        };
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let condition = match &subject {
                None => self.condition()?,
                Some(subject) => {
                    let value = self.expression()?;
                    Condition::Compare(Comparison::Equal, subject.clone(), value)
                }
            };
            self.expect_word("THEN")?;
            branches.push((condition, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.strange());
        }
        let otherwise = if self.take_word("ELSE") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.expect_word("END")?;
        Ok(Expression::Case(branches, otherwise))
    }

    /// A call, behind its parenthesis.
    fn call(&mut self, name: &str, at: usize) -> Parsed<Expression> {
        if name == "CAST" {
            let inner = self.expression()?;
            self.expect_word("AS")?;
            let kind = self.type_name()?;
            self.expect_sign(")")?;
            return Ok(Expression::Cast(Box::new(inner), kind));
        }
        if let Some(aggregate) = functions::aggregate(name) {
            if self.take_sign("*") {
                self.expect_sign(")")?;
                return Ok(Expression::Aggregate(aggregate, None, false));
            }
            let distinct = self.take_word("DISTINCT") || self.take_word("UNIQUE");
            let inner = self.expression()?;
            self.expect_sign(")")?;
            if self.is_word("OVER") || self.is_word("KEEP") {
                return Err(SqlError::unknown("analytic functions").at(self.offset()));
            }
            return Ok(Expression::Aggregate(
                aggregate,
                Some(Box::new(inner)),
                distinct,
            ));
        }
        let mut arguments = Vec::new();
        if !self.is_sign(")") {
            arguments.push(self.expression()?);
            while self.take_sign(",") {
                arguments.push(self.expression()?);
            }
        }
        self.expect_sign(")")?;
        let function = functions::named(name, arguments.len()).map_err(|error| error.at(at))?;
        Ok(Expression::Call(function, arguments))
    }

    fn type_name(&mut self) -> Parsed<ColumnType> {
        let at = self.offset();
        let Kind::Word(word) = self.kind() else {
            return Err(self.strange());
        };
        self.advance();
        let mut size = None;
        if self.take_sign("(") {
            if let Kind::Number(number) = self.kind() {
                size = number.to_i64().and_then(|size| u32::try_from(size).ok());
                self.advance();
            }
            let _ = self.take_word("BYTE") || self.take_word("CHAR");
            self.expect_sign(")")?;
        }
        match word.as_str() {
            "VARCHAR2" | "VARCHAR" => Ok(ColumnType::Varchar(size.unwrap_or(4000))),
            "CHAR" => Ok(ColumnType::Char(size.unwrap_or(1))),
            "NUMBER" if size.is_none() => Ok(ColumnType::Number),
            "DATE" => Ok(ColumnType::Date),
            "TIMESTAMP" if self.take_words(&["WITH", "TIME", "ZONE"]) => Ok(ColumnType::Zoned),
            "TIMESTAMP" => Ok(ColumnType::Timestamp),
            _ => Err(SqlError::unknown(format!("a CAST to {word}")).at(at)),
        }
    }

    /// A column, perhaps behind the view's name or its alias.
    fn column(&mut self) -> Parsed<Expression> {
        let at = self.offset();
        let Some(mut name) = self.name() else {
            return Err(self.strange());
        };
        let mut whole = format!("\"{name}\"");
        let view = self.view;
        if self.take_sign(".") {
            let is_view =
                self.alias.as_ref() == Some(&name) || view.is_some_and(|view| view.name == name);
            let Some(column) = self.name() else {
                return Err(self.strange());
            };
            whole = format!("\"{name}\".\"{column}\"");
            if !is_view {
                return Err(invalid_identifier(&whole).at(at));
            }
            name = column;
        }
        let column = view.and_then(|view| view.columns.iter().find(|one| one.name == name));
        match column {
            Some(column) => Ok(Expression::Column(name, column.kind)),
            None => Err(invalid_identifier(&whole).at(at)),
        }
    }
}

fn invalid_identifier(name: &str) -> SqlError {
    SqlError::new(904, format!("{name}: invalid identifier"))
}
