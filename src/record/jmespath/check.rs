//! What is wrong with an expression on every object, found before the first one comes: functions
//! that do not exist, arguments that are too many, too few or of a type that never fits,
//! comparisons that never hold.
//!
//! The evaluator finds these on each object, where they look like a condition that does not hold.
//! How many arguments a function takes, and of which types, is asked of the evaluator itself, so
//! that no second table can disagree with it.

use std::collections::BTreeSet;

use jmespath::ast::{Ast, Comparator};
use jmespath::{Context, ErrorReason, JmespathError, Rcvar, RuntimeError, Variable};
use serde_json::Number;

use super::RUNTIME;

/// The functions of JMESPath, and ISE's two.
const FUNCTIONS: [&str; 28] = [
    "abs",
    "avg",
    "ceil",
    "contains",
    "ends_with",
    "floor",
    "in_array",
    "in_subnet",
    "join",
    "keys",
    "length",
    "map",
    "max",
    "max_by",
    "merge",
    "min",
    "min_by",
    "not_null",
    "reverse",
    "sort",
    "sort_by",
    "starts_with",
    "sum",
    "to_array",
    "to_number",
    "to_string",
    "type",
    "values",
];

/// More combinations of types than this are not tried: a call with so many open arguments is left
/// to the objects.
const MOST_COMBINATIONS: usize = 512;

/// Checks the expression and all in it; an error is a sentence's end: `'EXPRESSION' is not a
/// filter: …`.
pub(super) fn check(ast: &Ast) -> Result<(), String> {
    match ast {
        Ast::Function { name, args, .. } => {
            args.iter().try_for_each(check)?;
            call(name, args)
        }
        Ast::Comparison {
            comparator,
            lhs,
            rhs,
            ..
        } => {
            check(lhs)?;
            check(rhs)?;
            ordered(comparator, lhs)?;
            ordered(comparator, rhs)
        }
        Ast::Slice { step: 0, .. } => Err("a slice cannot go in steps of 0".to_owned()),
        other => parts(other).into_iter().try_for_each(check),
    }
}

/// The expressions within one.
fn parts(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => vec![lhs, rhs],
        Ast::Condition {
            predicate, then, ..
        } => vec![predicate, then],
        Ast::Expref { ast, .. } => vec![ast],
        Ast::Flatten { node, .. } | Ast::Not { node, .. } | Ast::ObjectValues { node, .. } => {
            vec![node]
        }
        Ast::Function { args, .. } => args.iter().collect(),
        Ast::MultiList { elements, .. } => elements.iter().collect(),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| &pair.value).collect(),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. } => Vec::new(),
    }
}

/// Adds the members of the object itself that an expression looks at; what it looks at within them
/// is left out.
pub(super) fn members<'a>(ast: &'a Ast, names: &mut BTreeSet<&'a str>) {
    match ast {
        Ast::Field { name, .. } => {
            names.insert(name);
        }
        // What stands on the right is applied to what the left gave.
        Ast::Subexpr { lhs, .. } | Ast::Projection { lhs, .. } => members(lhs, names),
        Ast::Expref { .. } => {}
        other => parts(other)
            .into_iter()
            .for_each(|part| members(part, names)),
    }
}

/// Which of two is greater is known of numbers only; `tag < '6'` holds for no tag.
fn ordered(comparator: &Comparator, side: &Ast) -> Result<(), String> {
    let order = !matches!(comparator, Comparator::Equal | Comparator::NotEqual);
    let Ast::Literal { value, .. } = side else {
        return Ok(());
    };
    if order && !value.is_number() {
        return Err(format!(
            "<, <=, > and >= compare numbers, and {value} is none; a number is written `5`"
        ));
    }
    Ok(())
}

/// Whether a call can succeed on any object.
fn call(name: &str, args: &[Ast]) -> Result<(), String> {
    let Some(function) = RUNTIME.get_function(name) else {
        return Err(format!(
            "there is no function {name}; there are {}",
            FUNCTIONS.join(", ")
        ));
    };
    let try_with = |values: &[Rcvar]| {
        let mut context = Context::new("", &RUNTIME);
        match function.evaluate(values, &mut context) {
            Err(JmespathError {
                reason: ErrorReason::Runtime(error),
                ..
            }) => Some(error),
            // Whatever else a function finds depends on the object.
            Ok(_) | Err(_) => None,
        }
    };
    let anything = vec![Rcvar::new(Variable::Null); args.len()];
    if let Some(
        RuntimeError::TooManyArguments { expected, actual }
        | RuntimeError::NotEnoughArguments { expected, actual },
    ) = try_with(&anything)
    {
        return Err(format!(
            "{name} takes {expected}, and is given {actual} arguments"
        ));
    }
    // What is said is about the last argument that can be wrong: those before it had a value that
    // fits.
    let mut furthest: Option<(usize, RuntimeError)> = None;
    for values in combinations(args) {
        match try_with(&values) {
            Some(error @ RuntimeError::InvalidType { position, .. }) => {
                if furthest.as_ref().is_none_or(|(at, _)| *at < position) {
                    furthest = Some((position, error));
                }
            }
            _ => return Ok(()),
        }
    }
    furthest.map_or(Ok(()), |(_, error)| Err(explained(name, &error)))
}

/// A runtime error in our words: `contains: argument 1 must be array|string, and is null`.
pub(super) fn explained(name: &str, error: &RuntimeError) -> String {
    match error {
        RuntimeError::InvalidType {
            expected,
            actual,
            position,
        } => format!(
            "argument {} of {name} must be {}, and is {actual}",
            position + 1,
            expected.replace("expref", "an expression that begins with &")
        ),
        other => other.to_string().to_lowercase(),
    }
}

/// Every combination of what the arguments may be; none of a call that leaves too much open.
fn combinations(args: &[Ast]) -> Vec<Vec<Rcvar>> {
    let mut all: Vec<Vec<Rcvar>> = vec![Vec::new()];
    for arg in args {
        let choices = possible(arg);
        if all.len() * choices.len() > MOST_COMBINATIONS {
            return Vec::new();
        }
        let longer = all.iter().flat_map(|begun| {
            choices.iter().map(move |value| {
                let mut values = begun.clone();
                values.push(Rcvar::clone(value));
                values
            })
        });
        all = longer.collect();
    }
    all
}

/// One value of each type that an expression can have. Only `&…` is an expression reference, and
/// it is nothing else.
fn possible(ast: &Ast) -> Vec<Rcvar> {
    let array = Variable::Array(Vec::new());
    let types = match ast {
        Ast::Literal { value, .. } => return vec![Rcvar::clone(value)],
        Ast::Expref { ast, .. } => vec![Variable::Expref(ast.as_ref().clone())],
        Ast::Comparison { .. } | Ast::Not { .. } => vec![Variable::Null, Variable::Bool(true)],
        Ast::Projection { .. } | Ast::Flatten { .. } | Ast::ObjectValues { .. } => {
            vec![Variable::Null, array]
        }
        Ast::Slice { .. } | Ast::MultiList { .. } => vec![Variable::Null, array],
        _ => vec![
            Variable::Null,
            Variable::Bool(true),
            Variable::Number(Number::from(1)),
            Variable::String(String::new()),
            array,
            Variable::Object(std::collections::BTreeMap::new()),
        ],
    };
    types.into_iter().map(Rcvar::new).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Filter;
    use super::*;

    #[test]
    fn every_function_that_is_named_exists() {
        for name in FUNCTIONS {
            assert!(RUNTIME.get_function(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_no_object_can_satisfy_is_refused_at_the_start() {
        for (expression, why) in [
            ("contians(userName,'x')", "there is no function contians"),
            ("state=='STARTED' && lenght(ipAddresses)>`1`", "lenght"),
            ("ipAddresses[?starts_wiht(@,'10.')]", "starts_wiht"),
            ("contains(userName)", "contains takes 2, and is given 1"),
            ("in_subnet(ipAddresses)", "in_subnet takes 2"),
            ("length(userName,'x')", "length takes 1, and is given 2"),
            ("not_null()", "not_null takes 1, and is given 0"),
            ("starts_with(userName,`5`)", "argument 2 of starts_with"),
            ("sort_by(ipAddresses,userName)", "begins with &"),
            ("length(a==b)", "argument 1 of length"),
            ("tag < '6'", "compare numbers"),
            ("ipAddresses[::0]", "0"),
        ] {
            let error = Filter::compile(expression).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{expression}");
            assert!(error.message().contains(why), "{}", error.message());
        }
    }

    #[test]
    fn members_are_those_of_the_object_itself() {
        let filter = Filter::compile(
            "contains(userName,'x') && a.b[?c=='d'].e || sort_by(f,&g)[0] && !h && {i: j}",
        )
        .unwrap();
        assert_eq!(filter.members(), ["a", "f", "h", "j", "userName"]);
    }

    #[test]
    fn what_some_object_may_satisfy_is_taken() {
        for expression in [
            "contains(userName,'x')",
            "not_null(a,b,c,d,e,f,g,'x')=='x'",
            "merge(a,b)",
            "max_by(list,&age).name=='x'",
            "sort_by(a[],&b)[0]",
            "join(',',ipAddresses)=='10.0.0.1'",
            "length(a[?b=='c'])>`1`",
            "to_number(tag) < `6`",
            "avg(a)>`1`",
            "keys(@)",
            "map(&x,list)",
            "type(a)=='string'",
            "in_array(tag,[`8`,`5`])",
            "a[::2]",
        ] {
            let compiled = Filter::compile(expression);
            assert!(compiled.is_ok(), "{expression}: {compiled:?}");
        }
    }
}
