//! A `JMESPath` expression that one object satisfies or not, with ISE's additions `in_subnet` and
//! `in_array` (reference pxgrid-api, section 3.2).
//!
//! The same language is evaluated by ISE (`filter`), by the lab, and by us on what arrives.
//! Expressions are over one object, never over the list. What can be known to fail on every
//! object is refused when it is compiled. An expression that cannot be evaluated on one object (a
//! function of a member that is not there) does not match it; [`Filter::evaluate`] says so.

mod check;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use jmespath::ast::{Ast, KeyValuePair};
use jmespath::functions::{ArgumentType, CustomFunction, Signature};
use jmespath::{Context, ErrorReason, Rcvar, Runtime, Variable};
use serde_json::{Number, Value};

use super::read_json;
use crate::error::{Error, Result};

/// The longest expression; its parser recurses, so it must be bounded.
const LONGEST: usize = 4096;
/// The name under which `serde_json`, keeping numbers as they were spelled, hands a number to a
/// reader that knows nothing of it.
const SPELLED_NUMBER: &str = "$serde_json::private::Number";

/// A compiled expression.
#[derive(Debug)]
pub struct Filter {
    text: String,
    ast: Ast,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    let two = || Signature::new(vec![ArgumentType::Any, ArgumentType::Any], None);
    runtime.register_function(
        "in_subnet",
        Box::new(CustomFunction::new(
            two(),
            Box::new(|arguments, _| Ok(jmespath_bool(pair(arguments, &in_subnet)))),
        )),
    );
    runtime.register_function(
        "in_array",
        Box::new(CustomFunction::new(
            two(),
            Box::new(|arguments, _| {
                Ok(jmespath_bool(pair(arguments, &|value, list| {
                    list.as_array().is_some_and(|list| {
                        list.iter()
                            .any(|entry| **entry == *value && !value.is_null())
                    })
                })))
            }),
        )),
    );
    runtime
});

impl Filter {
    /// Compiles `expression`; a mistake in it is a usage error that says where.
    pub fn compile(expression: &str) -> Result<Self> {
        let refused = |why: &str| {
            Error::usage(format!("'{expression}' is not a filter: {why}")).hint(
                "a filter is a JMESPath expression over one object, such as \"userName=='jsmith'\"",
            )
        };
        if expression.len() > LONGEST {
            return Err(Error::usage(format!(
                "a filter has at most {LONGEST} characters"
            )));
        }
        let mut ast = jmespath::parse(expression).map_err(|error| {
            let why = error.to_string();
            refused(why.lines().next().unwrap_or("it cannot be read"))
        })?;
        mend_numbers(&mut ast);
        check::check(&ast).map_err(|why| refused(&why))?;
        Ok(Self {
            text: expression.to_owned(),
            ast,
        })
    }

    /// The members of an object that it looks at, sorted; not those within them.
    pub fn members(&self) -> Vec<&str> {
        let mut names = BTreeSet::new();
        check::members(&self.ast, &mut names);
        names.into_iter().collect()
    }

    /// Whether `object` satisfies it; an error says why that cannot be told.
    pub fn evaluate(&self, object: Value) -> Result<bool, String> {
        let object = Rcvar::new(variable(object));
        let mut context = Context::new(&self.text, &RUNTIME);
        match jmespath::interpret(&object, &self.ast, &mut context) {
            Ok(found) => Ok(found.is_truthy()),
            Err(error) => Err(match &error.reason {
                ErrorReason::Runtime(fault) => {
                    check::explained(self.function_at(error.offset), fault)
                }
                ErrorReason::Parse(why) => why.clone(),
            }),
        }
    }

    /// The same of the JSON object `text`; text that is no JSON does not satisfy it.
    pub fn evaluate_text(&self, text: &str) -> Result<bool, String> {
        read_json(text).map_or(Ok(false), |object| self.evaluate(object))
    }

    /// Whether `object` satisfies it.
    #[cfg(feature = "lab")]
    pub fn matches(&self, object: Value) -> bool {
        self.evaluate(object).unwrap_or(false)
    }

    /// Whether the JSON object `text` satisfies it; text that is no JSON does not.
    pub fn matches_text(&self, text: &str) -> bool {
        self.evaluate_text(text).unwrap_or(false)
    }

    /// The name of the function whose call is at `offset` of the expression, or ends there.
    fn function_at(&self, offset: usize) -> &str {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = self.text.get(..offset).unwrap_or_default();
        let begin = before.trim_end_matches(is_name).len();
        let rest = self.text.get(begin..).unwrap_or_default();
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        match rest.get(..length) {
            Some(name) if !name.is_empty() => name,
            _ => "a function",
        }
    }
}

/// A value as the evaluator has it. Its own conversion goes through serialization and would spoil
/// numbers as its parser does.
fn variable(value: Value) -> Variable {
    match value {
        Value::Null => Variable::Null,
        Value::Bool(value) => Variable::Bool(value),
        Value::Number(number) => Variable::Number(number),
        Value::String(text) => Variable::String(text),
        Value::Array(entries) => Variable::Array(
            entries
                .into_iter()
                .map(|entry| Rcvar::new(variable(entry)))
                .collect(),
        ),
        Value::Object(members) => Variable::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, Rcvar::new(variable(value))))
                .collect(),
        ),
    }
}

fn jmespath_bool(value: bool) -> Rcvar {
    Rcvar::new(Variable::Bool(value))
}

/// Applies `test` to two arguments; where the first is a list one of its entries is enough.
fn pair(arguments: &[Rcvar], test: &dyn Fn(&Variable, &Variable) -> bool) -> bool {
    let [value, other] = arguments else {
        return false;
    };
    match value.as_array() {
        Some(entries) => entries.iter().any(|entry| test(entry, other)),
        None => test(value, other),
    }
}

/// Whether the address `value`, or the prefix that begins with it, lies in the subnet.
fn in_subnet(value: &Variable, subnet: &Variable) -> bool {
    let parse = || {
        let (base, length) = subnet.as_string()?.split_once('/')?;
        let value = value.as_string()?;
        let address = value.split_once('/').map_or(value.as_str(), |(ip, _)| ip);
        let (base, address) = (bits(base)?, bits(address)?);
        let length: u32 = length.parse().ok()?;
        (base.1 == address.1 && length <= base.1).then(|| {
            let shift = base.1 - length;
            base.0.checked_shr(shift) == address.0.checked_shr(shift)
        })
    };
    parse().unwrap_or(false)
}

/// An address as a number, and how many bits it has.
fn bits(text: &str) -> Option<(u128, u32)> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    })
}

/// Numbers in an expression come out of its parser as objects with one peculiar member, because
/// this program's JSON keeps the spelling of numbers; they would equal no number. Puts numbers in
/// their place.
fn mend_numbers(ast: &mut Ast) {
    match ast {
        Ast::Literal { value, .. } => *value = Rcvar::new(mended(value)),
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => {
            mend_numbers(lhs);
            mend_numbers(rhs);
        }
        Ast::Condition {
            predicate, then, ..
        } => {
            mend_numbers(predicate);
            mend_numbers(then);
        }
        Ast::Expref { ast, .. } => mend_numbers(ast),
        Ast::Flatten { node, .. } | Ast::Not { node, .. } | Ast::ObjectValues { node, .. } => {
            mend_numbers(node);
        }
        Ast::Function { args, .. } => args.iter_mut().for_each(mend_numbers),
        Ast::MultiList { elements, .. } => elements.iter_mut().for_each(mend_numbers),
        Ast::MultiHash { elements, .. } => {
            for KeyValuePair { value, .. } in elements {
                mend_numbers(value);
            }
        }
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } => {}
    }
}

fn mended(value: &Variable) -> Variable {
    match value {
        Variable::Object(members) => {
            let number = members
                .get(SPELLED_NUMBER)
                .filter(|_| members.len() == 1)
                .and_then(|text| text.as_string())
                .and_then(|text| serde_json::from_str::<Number>(text).ok());
            number.map_or_else(
                || {
                    Variable::Object(
                        members
                            .iter()
                            .map(|(name, value)| (name.clone(), Rcvar::new(mended(value))))
                            .collect(),
                    )
                },
                Variable::Number,
            )
        }
        Variable::Array(entries) => Variable::Array(
            entries
                .iter()
                .map(|entry| Rcvar::new(mended(entry)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expression: &str) -> bool {
        let session = r#"{"userName":"jsmith","ipAddresses":["10.66.3.4","2001:db8::7"],"tag":5,"big":10,"ipPrefix":"10.66.3.4/32","callingStationId":"86:5E:50:C1:91:11"}"#;
        Filter::compile(expression).unwrap().matches_text(session)
    }

    #[test]
    fn half_a_surrogate_pair_is_no_reason_to_miss_a_session() {
        let session = r#"{"userName":"cut\ud83d","state":"STARTED"}"#;
        let filter = Filter::compile("state=='STARTED' && starts_with(userName,'cut')").unwrap();
        assert!(filter.matches_text(session));
    }

    #[test]
    fn the_references_examples() {
        for expression in [
            "userName=='jsmith' && callingStationId=='86:5E:50:C1:91:11'",
            "tag == `5`",
            "tag != `6`",
            "tag < `6` && big > `9`",
            "in_subnet(ipPrefix,'10.66.0.0/16')",
            "in_subnet(ipAddresses,'10.66.0.0/16')",
            "in_subnet(ipAddresses,'2001:db8::/32')",
            "in_array(tag,[`8`,`5`])",
            "in_array(userName,['x','jsmith'])",
            "contains(userName,'smi')",
            "in_subnet(ipPrefix,'0.0.0.0/0')",
        ] {
            assert!(matches(expression), "{expression}");
        }
        for expression in [
            "userName=='smith'",
            "tag == `6`",
            "tag == '5'",
            "in_subnet(ipPrefix,'10.67.0.0/16')",
            "in_subnet(ipPrefix,'nonsense')",
            "in_subnet(missing,'10.66.0.0/16')",
            "in_array(tag,[`8`])",
            "in_array(missing,[`8`])",
            "contains(missing,'x')",
            "missing",
        ] {
            assert!(!matches(expression), "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_told_of_an_object_is_no_match_and_is_said() {
        let filter = Filter::compile("state=='STARTED' && contains(userName,'smi')").unwrap();
        let told = |text: &str| filter.evaluate_text(text);
        assert_eq!(told(r#"{"state":"STARTED","userName":"jsmith"}"#), Ok(true));
        assert_eq!(told(r#"{"state":"POSTURED"}"#), Ok(false));
        let why = "argument 1 of contains must be string|array, and is null";
        assert_eq!(told(r#"{"state":"STARTED"}"#), Err(why.to_owned()));
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for expression in ["userName=='x", "", "a &&", &"a".repeat(5000)] {
            let error = Filter::compile(expression).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{expression}");
        }
    }
}
