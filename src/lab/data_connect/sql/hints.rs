//! What a statement's conditions say beforehand of the rows it wants.

use super::compute::Scope;
use super::grammar::{Comparison, Condition, Expression};
use super::value::{ColumnType, Value};
use crate::lab::data_connect::views::Hints;

/// What the conditions that all must hold say of time and endpoint, so that not every row of a large
/// network is made. The conditions are still asked of each row.
pub(super) fn hint(condition: &Condition, scope: &Scope<'_>, hints: &mut Hints) {
    match condition {
        Condition::And(left, right) => {
            hint(left, scope, hints);
            hint(right, scope, hints);
        }
        Condition::Compare(comparison, Expression::Column(name, kind), constant) => {
            if !is_constant(constant) {
                return;
            }
            let Ok(value) = scope.value(constant) else {
                return;
            };
            match (comparison, &value) {
                (Comparison::Equal, Value::Text(text)) => {
                    hints.equal.push((name.clone(), text.clone()));
                }
                (Comparison::Greater | Comparison::GreaterOrEqual, _)
                    if *kind == ColumnType::Timestamp && name == "TIMESTAMP" =>
                {
                    // Clocks and UTC differ by less than the day that readers add.
                    if let Value::Date(at) | Value::Timestamp(at) | Value::Zoned(at, _) = value {
                        hints.since = Some(hints.since.map_or(at, |since| since.max(at)));
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

fn is_constant(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(_) | Expression::Bind(_) | Expression::Clock(_) => true,
        Expression::Negative(inner) | Expression::Cast(inner, _) | Expression::AtZone(inner, _) => {
            is_constant(inner)
        }
        Expression::Arithmetic(_, left, right) | Expression::Concat(left, right) => {
            is_constant(left) && is_constant(right)
        }
        Expression::Call(_, arguments) => arguments.iter().all(is_constant),
        _ => false,
    }
}
