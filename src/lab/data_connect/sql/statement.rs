//! A statement: a SELECT, or one of the few others that a read-only account may say.

use super::grammar::{Aggregate, By, Condition, Expression, Order, Select};
use super::parser::Parser;
use super::query::Query;
use super::token::{Kind, tokens};
use super::value::{ColumnType, Value};
use super::{Column, SqlError, World, time_zone_of};
use crate::lab::data_connect::views::{self, View};

/// A statement that was understood.
#[derive(Debug)]
pub(in crate::lab::data_connect) struct Statement {
    text: String,
    columns: Vec<Column>,
    binds: usize,
    select: Option<Select>,
}

/// What a reader may not do.
const FORBIDDEN: &[&str] = &[
    "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "GRANT",
    "REVOKE", "LOCK", "RENAME", "COMMENT", "ANALYZE",
];

impl Statement {
    pub(in crate::lab::data_connect) fn parse(text: &str, world: &World) -> Result<Self, SqlError> {
        let all = tokens(text)?;
        let mut parser = Parser::new(text, &all);
        if parser.take_words(&["ALTER", "SESSION"]) {
            alter_session(&mut parser, text)?;
            return Ok(Self {
                text: text.to_owned(),
                columns: Vec::new(),
                binds: 0,
                select: None,
            });
        }
        if let Kind::Word(keyword) = parser.kind()
            && FORBIDDEN.contains(&keyword.as_str())
        {
            return Err(SqlError::new(1031, "insufficient privileges"));
        }
        if !parser.take_word("SELECT") {
            return Err(match parser.kind() {
                Kind::Word(keyword) if keyword == "WITH" => SqlError::unknown("WITH"),
                _ => SqlError::new(900, "invalid SQL statement"),
            });
        }
        let list = parser.place();
        let view = find_view(&mut parser, world)?;
        parser.view = Some(&view);
        let behind_view = parser.place();
        parser.go_to(list);
        let distinct = parser.take_word("DISTINCT") || parser.take_word("UNIQUE");
        let (mut items, mut names) = select_list(&mut parser, &view)?;
        if !parser.is_word("FROM") {
            return Err(parser.strange());
        }
        parser.go_to(behind_view);
        let mut select = rest(&mut parser, &view, &names)?;
        select.distinct = distinct;
        let columns = items
            .iter()
            .map(Expression::kind)
            .zip(names.drain(..))
            .map(|(kind, name)| Column { name, kind })
            .collect();
        regroup(&mut select, &mut items)?;
        select.items = items;
        Ok(Self {
            text: text.to_owned(),
            columns,
            binds: parser.binds,
            select: Some(select),
        })
    }

    /// As it came.
    pub(in crate::lab::data_connect) fn text(&self) -> &str {
        &self.text
    }

    pub(in crate::lab::data_connect) fn is_query(&self) -> bool {
        self.select.is_some()
    }

    pub(in crate::lab::data_connect) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(in crate::lab::data_connect) fn bind_count(&self) -> usize {
        self.binds
    }

    /// The session's zone that it sets, in minutes east.
    pub(in crate::lab::data_connect) fn time_zone(&self) -> Option<i16> {
        if self.select.is_some() {
            return None;
        }
        time_zone_of(&self.text)
    }

    /// Begins its rows; `None` where it has none.
    pub(in crate::lab::data_connect) fn run(
        &self,
        binds: Vec<Value>,
        world: &World,
    ) -> Result<Option<Query>, SqlError> {
        if binds.len() < self.binds {
            return Err(SqlError::new(1008, "not all variables bound"));
        }
        let Some(select) = &self.select else {
            return Ok(None);
        };
        let kinds = self.columns.iter().map(|column| column.kind).collect();
        let names: Vec<&str> = self.columns.iter().map(|one| one.name.as_str()).collect();
        Query::new(select.clone(), kinds, &names, binds, world).map(Some)
    }
}

/// The settings of a session that a driver or the product changes.
fn alter_session(parser: &mut Parser<'_>, text: &str) -> Result<(), SqlError> {
    if parser.take_words(&["DISABLE", "PARALLEL", "QUERY"])
        || parser.take_words(&["ENABLE", "PARALLEL", "QUERY"])
    {
        return match parser.kind() {
            Kind::End => Ok(()),
            _ => Err(parser.strange()),
        };
    }
    if parser.is_word("SET") {
        let upper = text.to_ascii_uppercase();
        if upper.contains("TIME_ZONE") && time_zone_of(text).is_some() {
            return Ok(());
        }
        // Texts are made of times only by formats that statements name.
        if upper.contains("NLS_") {
            return Ok(());
        }
    }
    Err(SqlError::unknown("this setting of a session"))
}

/// The view behind FROM, wherever that stands, and its alias; the place is behind them.
fn find_view(parser: &mut Parser<'_>, world: &World) -> Result<View, SqlError> {
    let mut depth = 0_usize;
    loop {
        match parser.kind() {
            Kind::End => {
                return Err(
                    SqlError::new(923, "FROM keyword not found where expected").at(parser.offset())
                );
            }
            Kind::Sign("(") => depth += 1,
            Kind::Sign(")") => depth = depth.saturating_sub(1),
            Kind::Word(keyword) if keyword == "FROM" && depth == 0 => break,
            _ => {}
        }
        parser.advance();
    }
    parser.advance();
    let at = parser.offset();
    if matches!(parser.kind(), Kind::Sign("(")) {
        return Err(SqlError::unknown("a SELECT within another").at(at));
    }
    let Some(mut name) = parser.name() else {
        return Err(SqlError::new(903, "invalid table name").at(at));
    };
    if parser.take_sign(".") {
        let owner = name;
        name = parser.name().unwrap_or_default();
        if !matches!(owner.as_str(), "DATACONNECT" | "SYS") {
            name.clear();
        }
    }
    let view = views::find(&name, &world.missing)
        .ok_or_else(|| SqlError::new(942, "table or view does not exist").at(at))?;
    parser.alias = parser.name();
    if parser.take_sign(",") || parser.is_word("JOIN") || parser.is_word("INNER") {
        return Err(SqlError::unknown("a join").at(parser.offset()));
    }
    Ok(view)
}

type Items = (Vec<Expression>, Vec<String>);

/// What is selected, and the names.
fn select_list(parser: &mut Parser<'_>, view: &View) -> Result<Items, SqlError> {
    let mut items = Vec::new();
    let mut names = Vec::new();
    loop {
        let place = parser.place();
        let of_alias = parser.name().is_some() && parser.take_sign(".") && parser.take_sign("*");
        if !of_alias {
            parser.go_to(place);
        }
        if of_alias || parser.take_sign("*") {
            for column in &view.columns {
                items.push(Expression::Column(column.name.clone(), column.kind));
                names.push(column.name.clone());
            }
        } else {
            let item = parser.expression()?;
            let text: String = parser
                .text_from(place)
                .chars()
                .filter(|character| !character.is_whitespace())
                .collect();
            let has_as = parser.take_word("AS");
            let alias = parser.name();
            if has_as && alias.is_none() {
                return Err(parser.strange());
            }
            names.push(match (alias, &item) {
                (Some(alias), _) => alias,
                (None, Expression::Column(name, _)) => name.clone(),
                (None, _) => text.to_uppercase(),
            });
            items.push(item);
        }
        if !parser.take_sign(",") {
            return Ok((items, names));
        }
    }
}

/// What stands behind the view.
fn rest(parser: &mut Parser<'_>, view: &View, names: &[String]) -> Result<Select, SqlError> {
    let filter = parser
        .take_word("WHERE")
        .then(|| parser.condition())
        .transpose()?;
    let mut groups = None;
    if parser.take_words(&["GROUP", "BY"]) {
        let mut list = vec![parser.expression()?];
        while parser.take_sign(",") {
            list.push(parser.expression()?);
        }
        groups = Some(list);
    }
    let having = parser
        .take_word("HAVING")
        .then(|| parser.condition())
        .transpose()?;
    let mut order = Vec::new();
    if parser.take_words(&["ORDER", "BY"]) {
        order.push(order_item(parser, names)?);
        while parser.take_sign(",") {
            order.push(order_item(parser, names)?);
        }
    }
    let mut offset = None;
    if parser.take_word("OFFSET") {
        offset = Some(parser.expression()?);
        let _ = parser.take_word("ROWS") || parser.take_word("ROW");
    }
    let mut limit = None;
    if parser.take_word("FETCH") {
        let _ = parser.take_word("FIRST") || parser.take_word("NEXT");
        limit = Some(if parser.is_word("ROWS") || parser.is_word("ROW") {
            Expression::Literal(Value::from(1_u64))
        } else {
            parser.expression()?
        });
        let _ = parser.take_word("ROWS") || parser.take_word("ROW");
        parser.expect_word("ONLY")?;
    }
    match parser.kind() {
        Kind::End => {}
        Kind::Sign(_) => {
            return Err(SqlError::new(933, "SQL command not properly ended").at(parser.offset()));
        }
        _ => return Err(parser.strange()),
    }
    Ok(Select {
        view: view.name,
        distinct: false,
        items: Vec::new(),
        filter,
        groups,
        totals: Vec::new(),
        having,
        order,
        offset,
        limit,
    })
}

fn order_item(parser: &mut Parser<'_>, names: &[String]) -> Result<Order, SqlError> {
    let (at, place) = (parser.offset(), parser.place());
    let by = match parser.kind() {
        Kind::Number(number) => {
            let item = number
                .to_i64()
                .and_then(|number| usize::try_from(number).ok());
            parser.advance();
            let item = item.and_then(|item| item.checked_sub(1));
            let item = item.filter(|item| *item < names.len()).ok_or_else(|| {
                SqlError::new(
                    1785,
                    "ORDER BY item must be the number of a SELECT-list expression",
                )
                .at(at)
            })?;
            By::Item(item)
        }
        _ => match parser.name() {
            Some(name) if is_end_of_item(parser) && names.contains(&name) => {
                By::Item(names.iter().position(|one| *one == name).unwrap_or(0))
            }
            _ => {
                parser.go_to(place);
                By::Expression(parser.expression()?)
            }
        },
    };
    let descends = parser.take_word("DESC");
    if !descends {
        parser.take_word("ASC");
    }
    let mut nulls_first = descends;
    if parser.take_word("NULLS") {
        nulls_first = parser.take_word("FIRST");
        if !nulls_first {
            parser.expect_word("LAST")?;
        }
    }
    Ok(Order {
        by,
        descends,
        nulls_first,
    })
}

fn is_end_of_item(parser: &Parser<'_>) -> bool {
    match parser.kind() {
        Kind::End | Kind::Sign("," | ";" | ")") => true,
        Kind::Word(word) => {
            matches!(word.as_str(), "ASC" | "DESC" | "NULLS" | "FETCH" | "OFFSET")
        }
        _ => false,
    }
}

/// Tells groups and aggregates apart in what is selected, where rows are grouped.
fn regroup(select: &mut Select, items: &mut [Expression]) -> Result<(), SqlError> {
    let has_aggregates = items.iter().any(has_aggregate);
    if select.groups.is_none() && !has_aggregates && select.having.is_none() {
        return Ok(());
    }
    let implied = select.groups.is_none();
    let mut regrouping = Regrouping {
        groups: select.groups.take().unwrap_or_default(),
        totals: Vec::new(),
        implied,
    };
    for item in items {
        regrouping.expression(item)?;
    }
    if let Some(having) = &mut select.having {
        regrouping.condition(having)?;
    }
    for order in &mut select.order {
        if let By::Expression(by) = &mut order.by {
            regrouping.expression(by)?;
        }
    }
    select.groups = Some(regrouping.groups);
    select.totals = regrouping.totals;
    Ok(())
}

fn has_aggregate(expression: &Expression) -> bool {
    match expression {
        Expression::Aggregate(..) => true,
        Expression::Negative(inner) | Expression::Cast(inner, _) | Expression::AtZone(inner, _) => {
            has_aggregate(inner)
        }
        Expression::Arithmetic(_, left, right) | Expression::Concat(left, right) => {
            has_aggregate(left) || has_aggregate(right)
        }
        Expression::Call(_, arguments) => arguments.iter().any(has_aggregate),
        Expression::Case(branches, otherwise) => {
            branches.iter().any(|(_, value)| has_aggregate(value))
                || otherwise.as_deref().is_some_and(has_aggregate)
        }
        _ => false,
    }
}

struct Regrouping {
    groups: Vec<Expression>,
    totals: Vec<(Aggregate, Option<Expression>, bool)>,
    implied: bool,
}

impl Regrouping {
    fn expression(&mut self, expression: &mut Expression) -> Result<(), SqlError> {
        if let Some(index) = self.groups.iter().position(|group| group == expression) {
            *expression = Expression::Group(index, expression.kind());
            return Ok(());
        }
        let kind = expression.kind();
        match expression {
            Expression::Aggregate(aggregate, of, distinct) => {
                let total = (*aggregate, of.take().map(|of| *of), *distinct);
                *expression = self.total(total, kind);
            }
            Expression::Column(..) | Expression::RowNumber => {
                return Err(if self.implied {
                    SqlError::new(937, "not a single-group group function")
                } else {
                    SqlError::new(979, "not a GROUP BY expression")
                });
            }
            Expression::Negative(inner)
            | Expression::Cast(inner, _)
            | Expression::AtZone(inner, _) => self.expression(inner)?,
            Expression::Arithmetic(_, left, right) | Expression::Concat(left, right) => {
                self.expression(left)?;
                self.expression(right)?;
            }
            Expression::Call(_, arguments) => {
                for argument in arguments {
                    self.expression(argument)?;
                }
            }
            Expression::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    self.condition(condition)?;
                    self.expression(value)?;
                }
                if let Some(otherwise) = otherwise {
                    self.expression(otherwise)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn total(
        &mut self,
        total: (Aggregate, Option<Expression>, bool),
        kind: ColumnType,
    ) -> Expression {
        let known = self.totals.iter().position(|one| *one == total);
        let index = known.unwrap_or_else(|| {
            self.totals.push(total);
            self.totals.len() - 1
        });
        Expression::Total(index, kind)
    }

    fn condition(&mut self, condition: &mut Condition) -> Result<(), SqlError> {
        match condition {
            Condition::And(left, right) | Condition::Or(left, right) => {
                self.condition(left)?;
                self.condition(right)
            }
            Condition::Not(inner) => self.condition(inner),
            Condition::Compare(_, left, right) | Condition::Like(left, right, _) => {
                self.expression(left)?;
                self.expression(right)
            }
            Condition::In(left, list) => {
                self.expression(left)?;
                list.iter_mut().try_for_each(|one| self.expression(one))
            }
            Condition::IsNull(inner) => self.expression(inner),
        }
    }
}
