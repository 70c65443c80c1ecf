//! Recursion of a `--jq` expression that does not end: an error, where it would overflow the stack.
//!
//! The library calls itself for each call of a definition and looks at no depth. So each definition
//! that calls itself begins with a filter of ours, which compares how much of the thread's stack is
//! in use. It changes no value and no path. It bounds no time and no memory.

use std::cell::Cell;
use std::hint::black_box;

use jaq_core::box_iter::box_once;
use jaq_core::data::JustLut;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};
use jaq_core::{Error, Exn, Native, native};
use jaq_json::Val;

/// The name of the filter that looks; no expression can write it.
const LOOK: &str = "!stack";

/// The part of [`JQ_STACK`](super::super::JQ_STACK) that calls may take; the rest is for what a
/// call does by itself, and for taking its values down.
const MOST: usize = super::super::JQ_STACK / 4 * 3;

thread_local! {
    /// Where the stack was when the expression began.
    static BEGAN: Cell<usize> = const { Cell::new(0) };
}

/// To be called where an expression begins to run on this thread.
pub(super) fn begin() {
    BEGAN.set(here());
}

/// Where the stack is now; only differences say anything.
#[inline(never)]
fn here() -> usize {
    let mark = 0_u8;
    black_box(&raw const mark) as usize
}

fn look(value: &Val) -> Result<(), Exn<'static, Val>> {
    if here().abs_diff(BEGAN.get()) <= MOST {
        return Ok(());
    }
    // The value may be large, and says nothing of the reason.
    let _ = value;
    Err(Exn::from(Error::str("a definition calls itself too deep")))
}

/// The filter that looks.
pub(super) fn function() -> native::Fun<JustLut<Val>> {
    let looks = Native::new(|cv| box_once(look(&cv.1).map(|()| cv.1)))
        .with_paths(|cv| box_once(look(&cv.1.0).map(|()| cv.1)))
        .with_update(|cv, update| match look(&cv.1) {
            Ok(()) => update(cv.1),
            Err(error) => box_once(Err(error)),
        });
    (LOOK, native::v(0), looks)
}

/// A definition in which each one that calls itself looks first.
pub(super) fn watched(mut definition: Def<&str>) -> Def<&str> {
    watch(&mut definition);
    definition
}

/// The same for the definitions inside a term.
pub(super) fn watch_term(term: &mut Term<&str>) {
    if let Term::Def(definitions, _) = term {
        definitions.iter_mut().for_each(watch_own);
    }
    each_term(term, &mut watch_term);
}

fn watch(definition: &mut Def<&str>) {
    watch_own(definition);
    watch_term(&mut definition.body);
}

/// Puts the look before a definition that calls itself.
fn watch_own(definition: &mut Def<&str>) {
    if !calls(&mut definition.body, definition.name) {
        return;
    }
    let body = std::mem::take(&mut definition.body);
    let look = Box::new(Term::Call(LOOK, Vec::new()));
    definition.body = Term::BinOp(look, BinaryOp::Pipe(None), Box::new(body));
}

/// Whether a term calls `name`, with however many arguments.
fn calls(term: &mut Term<&str>, name: &str) -> bool {
    if matches!(term, Term::Call(called, _) if *called == name) {
        return true;
    }
    let mut found = false;
    each_term(term, &mut |inner| found = found || calls(inner, name));
    found
}

/// Gives `each` every term that stands directly in `term`.
fn each_term<'c>(term: &mut Term<&'c str>, each: &mut dyn FnMut(&mut Term<&'c str>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    each(term);
                }
            }
        }
        Term::Arr(inner) => inner.as_deref_mut().into_iter().for_each(each),
        Term::Obj(members) => {
            for (key, value) in members {
                each(key);
                value.iter_mut().for_each(&mut *each);
            }
        }
        Term::Neg(inner) | Term::Label(_, inner) => each(inner),
        Term::BinOp(left, operator, right) => {
            each(left);
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                each_in_pattern(pattern, each);
            }
            each(right);
        }
        Term::Fold(_, input, pattern, arguments) => {
            each(input);
            each_in_pattern(pattern, each);
            arguments.iter_mut().for_each(each);
        }
        Term::TryCatch(inner, caught) => {
            each(inner);
            caught.as_deref_mut().into_iter().for_each(each);
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                each(condition);
                each(then);
            }
            otherwise.as_deref_mut().into_iter().for_each(each);
        }
        Term::Def(definitions, rest) => {
            for definition in definitions {
                each(&mut definition.body);
            }
            each(rest);
        }
        Term::Call(_, arguments) => arguments.iter_mut().for_each(each),
        Term::Path(head, Path(parts)) => {
            each(head);
            for (part, _) in parts {
                match part {
                    Part::Index(index) => each(index),
                    Part::Range(from, to) => from.iter_mut().chain(to).for_each(&mut *each),
                }
            }
        }
    }
}

fn each_in_pattern<'c>(pattern: &mut Pattern<&'c str>, each: &mut dyn FnMut(&mut Term<&'c str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(inner) => {
            for pattern in inner {
                each_in_pattern(pattern, each);
            }
        }
        Pattern::Obj(members) => {
            for (key, pattern) in members {
                each(key);
                each_in_pattern(pattern, each);
            }
        }
    }
}
