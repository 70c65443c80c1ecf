//! Orders to a running lab, one a line: what goes wrong from now on, and what no longer does.
//!
//! | line | does |
//! | --- | --- |
//! | `fault NAME[@N][~SECONDS][:PATHPART]` | injects the fault |
//! | `clear NAME` | ends it, in every form that was asked for; a whole `NAME…:PATHPART` ends that one alone |
//! | `node-down N`, `node-up N` | takes pxGrid node N away, and brings it back |
//!
//! They reach the lab through [`Lab::order`](super::Lab::order): on the standard input of `lab up`,
//! or from a test in the same process.

use super::faults::{Fault, FaultKind, Faults};
use crate::error::{Error, Result};

/// Carries out one line for a lab with so many pxGrid nodes; answers what was done.
pub(super) fn carry_out(faults: &Faults, nodes: usize, line: &str) -> Result<String> {
    let (verb, object) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let object = object.trim();
    let arm = |text: &str| {
        let fault: Fault = text.parse()?;
        check_node(&fault, nodes)?;
        faults.arm(fault)
    };
    match verb {
        "fault" => arm(object).map(|()| format!("fault {object} begins")),
        "clear" if faults.clear(object) => Ok(format!("fault {object} is over")),
        "clear" => Err(Error::usage(format!("the fault '{object}' is not there"))),
        "node-down" => {
            arm(&format!("node-down:{object}")).map(|()| format!("node {object} is down"))
        }
        "node-up" if faults.clear(&format!("node-down:{object}")) => {
            Ok(format!("node {object} is up"))
        }
        "node-up" => Err(Error::usage(format!("node '{object}' is not down"))),
        _ => Err(
            Error::usage(format!("'{}' is no order", line.trim().escape_debug()))
                .hint("write fault NAME, clear NAME, node-down N or node-up N"),
        ),
    }
}

/// Refuses to take away a node that is not there.
pub(super) fn check_node(fault: &Fault, nodes: usize) -> Result<()> {
    let number = fault.part().and_then(|part| part.parse().ok());
    match number {
        Some(number) if fault.kind() == FaultKind::NodeDown && !(1..=nodes).contains(&number) => {
            Err(Error::usage(format!(
                "there is no pxGrid node {number}; the lab has {nodes}"
            )))
        }
        _ => Ok(()),
    }
}
