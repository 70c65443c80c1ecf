//! Understands conditions: what stands behind WHERE, HAVING and WHEN.

use super::SqlError;
use super::grammar::{Comparison, Condition};
use super::parser::{Parsed, Parser};
use super::token::Kind;

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Parsed<Condition> {
        self.deeper(|parser| {
            let mut left = parser.conjunction()?;
            while parser.take_word("OR") {
                parser.joins()?;
                left = Condition::Or(Box::new(left), Box::new(parser.conjunction()?));
            }
            Ok(left)
        })
    }

    fn conjunction(&mut self) -> Parsed<Condition> {
        let mut left = self.negation()?;
        while self.take_word("AND") {
            self.joins()?;
            left = Condition::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<Condition> {
        if self.take_word("NOT") {
            let inner = self.deeper(Self::negation)?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.is_sign("(") {
            // Either conditions stand in it or an expression does.
            let (place, binds, operators) = (self.place(), self.binds, self.operators);
            self.advance();
            if let Ok(inner) = self.condition()
                && self.take_sign(")")
            {
                return Ok(inner);
            }
            self.go_to(place);
            (self.binds, self.operators) = (binds, operators);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Condition> {
        let left = self.expression()?;
        if self.take_word("IS") {
            let is_not = self.take_word("NOT");
            self.expect_word("NULL")?;
            return Ok(negated(Condition::IsNull(left), is_not));
        }
        let is_not = self.take_word("NOT");
        if self.take_word("IN") {
            self.expect_sign("(")?;
            let mut list = vec![self.expression()?];
            while self.take_sign(",") {
                list.push(self.expression()?);
            }
            self.expect_sign(")")?;
            return Ok(negated(Condition::In(left, list), is_not));
        }
        if self.take_word("BETWEEN") {
            let low = self.expression()?;
            self.expect_word("AND")?;
            let high = self.expression()?;
            let above = Condition::Compare(Comparison::GreaterOrEqual, left.clone(), low);
            let below = Condition::Compare(Comparison::LessOrEqual, left, high);
            return Ok(negated(
                Condition::And(Box::new(above), Box::new(below)),
                is_not,
            ));
        }
        if self.take_word("LIKE") {
            let pattern = self.expression()?;
            let escape = if self.take_word("ESCAPE") {
                let Kind::Text(text) = self.kind() else {
                    return Err(self.strange());
                };
                self.advance();
                text.chars().next()
            } else {
                None
            };
            return Ok(negated(Condition::Like(left, pattern, escape), is_not));
        }
        let comparison = match self.kind() {
            Kind::Sign("=") => Comparison::Equal,
            Kind::Sign("<>" | "!=" | "^=") => Comparison::Unequal,
            Kind::Sign("<") => Comparison::Less,
            Kind::Sign("<=") => Comparison::LessOrEqual,
            Kind::Sign(">") => Comparison::Greater,
            Kind::Sign(">=") => Comparison::GreaterOrEqual,
            Kind::End if !is_not => {
                return Err(SqlError::new(920, "invalid relational operator").at(self.offset()));
            }
            _ => return Err(self.strange()),
        };
        self.advance();
        Ok(Condition::Compare(comparison, left, self.expression()?))
    }
}

fn negated(condition: Condition, is_not: bool) -> Condition {
    if is_not {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }
}
