//! A running SELECT: rows of the view, filtered, grouped, ordered, cut. It works in slices, so that
//! whoever runs it can be interrupted.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::compute::{Moment, Scope, number};
use super::decimal::Decimal;
use super::grammar::{Aggregate, By, Expression, Order, Select};
use super::hints::hint;
use super::value::{ColumnType, Value};
use super::{SqlError, World};
use crate::lab::data_connect::views::{self, Hints, Row, Source};

/// The most rows that are kept to be ordered, grouped or told apart.
const MOST_KEPT: usize = 2_000_000;

/// What a slice came to.
#[derive(Debug, PartialEq)]
pub(in crate::lab::data_connect) enum Step {
    Row(Vec<Value>),
    /// The budget is used up.
    Busy,
    End,
}

struct Group {
    keys: Vec<Value>,
    totals: Vec<Total>,
}

#[derive(Default)]
struct Total {
    count: u64,
    sum: Option<Decimal>,
    best: Option<Value>,
    seen: HashSet<Value>,
}

/// Ordered rows with what they are ordered by.
type Kept = (Vec<Value>, Vec<Value>);

/// A SELECT that was begun.
pub(in crate::lab::data_connect) struct Query {
    select: Select,
    kinds: Vec<ColumnType>,
    /// Columns whose texts are spoilt.
    spoilt: Vec<bool>,
    binds: Vec<Value>,
    moment: Moment,
    source: Source,
    row_number: u64,
    groups: HashMap<Vec<Value>, usize>,
    grouped: Vec<Group>,
    kept: Vec<Kept>,
    seen: HashSet<Vec<Value>>,
    /// The rows that are ready, once all of them had to be seen.
    ready: Option<std::vec::IntoIter<Kept>>,
    skip: u64,
    left: u64,
}

/// Columns whose texts have bytes that are no UTF-8, if a fault wants so.
const SPOILT: &[&str] = &[
    "USERNAME",
    "USER_NAME",
    "DEVICE_NAME",
    "NAME",
    "DESCRIPTION",
];

impl Query {
    pub(super) fn new(
        select: Select,
        kinds: Vec<ColumnType>,
        names: &[&str],
        binds: Vec<Value>,
        world: &World,
    ) -> Result<Self, SqlError> {
        let moment = Moment::new(world);
        let scope = Scope {
            row: None,
            row_number: 0,
            groups: &[],
            totals: &[],
            binds: &binds,
            moment,
        };
        let count = |expression: &Option<Expression>, none: u64| match expression {
            None => Ok(none),
            Some(expression) => {
                let value = scope.value(expression)?;
                let count = number(&value)?.to_i64().unwrap_or(i64::MAX);
                Ok::<_, SqlError>(u64::try_from(count).unwrap_or(0))
            }
        };
        let skip = count(&select.offset, 0)?;
        let left = count(&select.limit, u64::MAX)?;
        let mut hints = Hints::default();
        if let Some(filter) = &select.filter {
            hint(filter, &scope, &mut hints);
        }
        let source = views::rows(select.view, world, &hints);
        let spoilt = names
            .iter()
            .map(|name| world.spoils_text && SPOILT.contains(name))
            .collect();
        Ok(Self {
            select,
            kinds,
            spoilt,
            binds,
            moment,
            source,
            row_number: 0,
            groups: HashMap::new(),
            grouped: Vec::new(),
            kept: Vec::new(),
            seen: HashSet::new(),
            ready: None,
            skip,
            left,
        })
    }

    /// The next row; looks at no more than `budget` rows of the view, which are taken from it.
    pub(in crate::lab::data_connect) fn step(
        &mut self,
        budget: &mut usize,
    ) -> Result<Step, SqlError> {
        loop {
            if self.left == 0 {
                return Ok(Step::End);
            }
            if let Some(ready) = &mut self.ready {
                let Some((values, _)) = ready.next() else {
                    return Ok(Step::End);
                };
                if let Some(row) = self.let_out(values) {
                    return Ok(Step::Row(row));
                }
                continue;
            }
            if *budget == 0 {
                return Ok(Step::Busy);
            }
            *budget -= 1;
            let Some(row) = self.source.next() else {
                if self.select.groups.is_none() && self.select.order.is_empty() {
                    return Ok(Step::End);
                }
                self.finish()?;
                continue;
            };
            // What was passed over costs time too.
            let Some(row) = row else {
                continue;
            };
            if let Some(values) = self.take(row.as_ref())?
                && let Some(row) = self.let_out(values)
            {
                return Ok(Step::Row(row));
            }
        }
    }

    /// Skips what OFFSET skips, and counts.
    fn let_out(&mut self, values: Vec<Value>) -> Option<Vec<Value>> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.left -= 1;
        Some(values)
    }

    fn scope<'a>(&'a self, row: &'a dyn Row) -> Scope<'a> {
        Scope {
            row: Some(row),
            row_number: self.row_number + 1,
            groups: &[],
            totals: &[],
            binds: &self.binds,
            moment: self.moment,
        }
    }

    /// Takes a row of the view; a row of the result, if it can be told already.
    fn take(&mut self, row: &dyn Row) -> Result<Option<Vec<Value>>, SqlError> {
        let scope = self.scope(row);
        if let Some(filter) = &self.select.filter
            && scope.truth(filter)? != Some(true)
        {
            return Ok(None);
        }
        if let Some(groups) = &self.select.groups {
            let keys: Vec<Value> = groups
                .iter()
                .map(|group| scope.value(group))
                .collect::<Result<_, _>>()?;
            let values: Vec<Option<Value>> = self
                .select
                .totals
                .iter()
                .map(|(_, of, _)| of.as_ref().map(|of| scope.value(of)).transpose())
                .collect::<Result<_, _>>()?;
            self.row_number += 1;
            self.count_in(keys, values)?;
            return Ok(None);
        }
        let values = self.project(&scope)?;
        let orders = orders(&self.select.order, &scope, &values)?;
        self.row_number += 1;
        if self.select.distinct && !self.is_new(&values)? {
            return Ok(None);
        }
        if self.select.order.is_empty() {
            return Ok(Some(values));
        }
        self.keep((values, orders))?;
        Ok(None)
    }

    fn is_new(&mut self, values: &[Value]) -> Result<bool, SqlError> {
        if self.seen.len() >= MOST_KEPT {
            return Err(too_many());
        }
        Ok(self.seen.insert(values.to_vec()))
    }

    /// Keeps a row to be ordered; of a limited result only as many as can come out.
    fn keep(&mut self, kept: Kept) -> Result<(), SqlError> {
        self.kept.push(kept);
        let wanted = usize::try_from(self.skip.saturating_add(self.left)).unwrap_or(usize::MAX);
        if wanted <= MOST_KEPT / 4 && self.kept.len() >= 2 * wanted + 1000 {
            self.sort();
            self.kept.truncate(wanted);
        }
        if self.kept.len() > MOST_KEPT {
            return Err(too_many());
        }
        Ok(())
    }

    fn sort(&mut self) {
        let order = &self.select.order;
        crate::order::sort_by(&mut self.kept, |(_, one), (_, two)| {
            let mut pairs = order.iter().zip(one.iter().zip(two));
            let found = pairs.find_map(|(order, (one, two))| {
                let found = in_order(order, one, two);
                found.is_ne().then_some(found)
            });
            found.unwrap_or(Ordering::Equal)
        });
    }

    fn project(&self, scope: &Scope<'_>) -> Result<Vec<Value>, SqlError> {
        let items = self.select.items.iter().zip(&self.kinds).zip(&self.spoilt);
        // Collecting results would not know how many there will be.
        let mut values = Vec::with_capacity(self.kinds.len());
        for ((item, kind), spoilt) in items {
            let value = scope.value(item)?;
            values.push(spoil(shaped(value, *kind, scope)?, *spoilt));
        }
        Ok(values)
    }

    fn count_in(&mut self, keys: Vec<Value>, values: Vec<Option<Value>>) -> Result<(), SqlError> {
        if self.grouped.len() >= MOST_KEPT {
            return Err(too_many());
        }
        let next = self.grouped.len();
        let index = *self.groups.entry(keys.clone()).or_insert(next);
        if index == next {
            let totals = values.iter().map(|_| Total::default()).collect();
            self.grouped.push(Group { keys, totals });
        }
        let Some(group) = self.grouped.get_mut(index) else {
            return Ok(());
        };
        for ((total, value), (aggregate, _, distinct)) in
            group.totals.iter_mut().zip(values).zip(&self.select.totals)
        {
            total.add(*aggregate, value, *distinct)?;
        }
        Ok(())
    }

    /// All rows of the view were seen.
    fn finish(&mut self) -> Result<(), SqlError> {
        let grouped = std::mem::take(&mut self.grouped);
        self.groups.clear();
        if let Some(groups) = &self.select.groups {
            // Of no rows there is one group, if nothing is grouped by.
            let empty = groups.is_empty() && grouped.is_empty();
            let lone = empty.then(|| Group {
                keys: Vec::new(),
                totals: self
                    .select
                    .totals
                    .iter()
                    .map(|_| Total::default())
                    .collect(),
            });
            for group in grouped.into_iter().chain(lone) {
                self.finish_group(&group)?;
            }
        }
        self.sort();
        self.ready = Some(std::mem::take(&mut self.kept).into_iter());
        Ok(())
    }

    fn finish_group(&mut self, group: &Group) -> Result<(), SqlError> {
        let totals: Vec<Value> = group
            .totals
            .iter()
            .zip(&self.select.totals)
            .map(|(total, (aggregate, ..))| total.value(*aggregate))
            .collect();
        let scope = Scope {
            row: None,
            row_number: 0,
            groups: &group.keys,
            totals: &totals,
            binds: &self.binds,
            moment: self.moment,
        };
        if let Some(having) = &self.select.having
            && scope.truth(having)? != Some(true)
        {
            return Ok(());
        }
        let values = self.project(&scope)?;
        let orders = orders(&self.select.order, &scope, &values)?;
        if self.select.distinct && !self.is_new(&values)? {
            return Ok(());
        }
        self.kept.push((values, orders));
        Ok(())
    }
}

impl Total {
    /// `None` is the row itself, of COUNT(*).
    fn add(
        &mut self,
        aggregate: Aggregate,
        value: Option<Value>,
        distinct: bool,
    ) -> Result<(), SqlError> {
        let Some(value) = value else {
            self.count += 1;
            return Ok(());
        };
        if value == Value::Null || (distinct && !self.seen.insert(value.clone())) {
            return Ok(());
        }
        self.count += 1;
        match aggregate {
            Aggregate::Count => {}
            Aggregate::Sum | Aggregate::Average => {
                let sum = self.sum.unwrap_or(Decimal::from(0_i64));
                let sum = sum.add(number(&value)?);
                self.sum = Some(sum.map_err(|_| SqlError::new(1426, "numeric overflow"))?);
            }
            Aggregate::Min | Aggregate::Max => {
                let better = self.best.as_ref().is_none_or(|best| {
                    let order = natural(&value, best);
                    order
                        == if aggregate == Aggregate::Min {
                            Ordering::Less
                        } else {
                            Ordering::Greater
                        }
                });
                if better {
                    self.best = Some(value);
                }
            }
        }
        Ok(())
    }

    fn value(&self, aggregate: Aggregate) -> Value {
        match aggregate {
            Aggregate::Count => Value::from(self.count),
            Aggregate::Sum => self.sum.map_or(Value::Null, Value::Number),
            Aggregate::Average => {
                let average = self
                    .sum
                    .and_then(|sum| sum.divide(Decimal::from(self.count)));
                average.map_or(Value::Null, Value::Number)
            }
            Aggregate::Min | Aggregate::Max => self.best.clone().unwrap_or(Value::Null),
        }
    }
}

fn too_many() -> SqlError {
    SqlError::new(
        1652,
        "unable to extend temp segment by 128 in tablespace TEMP",
    )
}

fn orders(order: &[Order], scope: &Scope<'_>, values: &[Value]) -> Result<Vec<Value>, SqlError> {
    order
        .iter()
        .map(|order| match &order.by {
            By::Item(index) => Ok(values.get(*index).cloned().unwrap_or(Value::Null)),
            By::Expression(expression) => scope.value(expression),
        })
        .collect()
}

fn in_order(order: &Order, one: &Value, two: &Value) -> Ordering {
    match (one == &Value::Null, two == &Value::Null) {
        (true, true) => Ordering::Equal,
        (true, false) if order.nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if order.nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if order.descends => natural(two, one),
        (false, false) => natural(one, two),
    }
}

/// The order of values of one column, which are of one type.
fn natural(one: &Value, two: &Value) -> Ordering {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one.cmp(two),
        (Value::Text(one), Value::Text(two)) | (Value::Bytes(one), Value::Bytes(two)) => {
            one.cmp(two)
        }
        (
            Value::Date(one) | Value::Timestamp(one) | Value::Zoned(one, _) | Value::Interval(one),
            Value::Date(two) | Value::Timestamp(two) | Value::Zoned(two, _) | Value::Interval(two),
        ) => one.cmp(two),
        _ => Ordering::Equal,
    }
}

/// A value as the column's type says.
fn shaped(value: Value, kind: ColumnType, scope: &Scope<'_>) -> Result<Value, SqlError> {
    if kind.size() == 0 {
        return Ok(Value::Null);
    }
    let fits = match kind {
        ColumnType::Number => matches!(value, Value::Number(_)),
        ColumnType::Date => matches!(value, Value::Date(_)),
        ColumnType::Timestamp => matches!(value, Value::Timestamp(_)),
        ColumnType::Zoned => matches!(value, Value::Zoned(..)),
        ColumnType::Interval => matches!(value, Value::Interval(_)),
        ColumnType::Raw(_) | ColumnType::Blob => matches!(value, Value::Bytes(_)),
        ColumnType::Varchar(_) | ColumnType::Char(_) | ColumnType::Clob => {
            matches!(value, Value::Text(_))
        }
    };
    if fits || value == Value::Null {
        return Ok(value);
    }
    scope.cast(value, kind)
}

/// Puts a byte that is no UTF-8 behind the third.
fn spoil(value: Value, spoilt: bool) -> Value {
    match value {
        Value::Text(mut bytes) if spoilt && bytes.len() > 3 => {
            bytes.insert(3, 0xFC);
            Value::Text(bytes)
        }
        other => other,
    }
}
