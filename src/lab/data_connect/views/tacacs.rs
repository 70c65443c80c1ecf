//! Device administration: who logged in to the switches and what was typed there, in the last two
//! days. The rows are made of a table, a new one each twenty minutes.

use super::estate::{Facts, facts};
use super::{Clock, Hints, Rows, record_id};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::value::Value;
use crate::lab::population::{Nas, Population};

const STEP: i64 = 20 * 60_000;
const KEPT: i64 = 2 * 24 * 3_600_000;

/// Who types what, and whether it was allowed.
const TYPED: [(&str, &str, &str, bool); 6] = [
    ("net.admin", "show", "interfaces status", true),
    ("net.admin", "configure", "terminal", true),
    ("net.admin", "interface", "GigabitEthernet1/0/5", true),
    ("helpdesk", "show", "authentication sessions", true),
    ("helpdesk", "reload", "", false),
    ("backup.robot", "show", "running-config", true),
];

pub(super) fn rows(name: &str, world: &World, _: &Hints) -> Option<Rows> {
    let is_authorization = name.starts_with("TACACS_AUTHORIZATION");
    let is_login = name.starts_with("TACACS_AUTHENTICATION");
    let is_summary = name == "TACACS_AUTHENTICATION_SUMMARY";
    let is_accounting =
        name.starts_with("TACACS_ACCOUNTING") || name == "TACACS_COMMAND_ACCOUNTING";
    if !is_authorization && !is_login && !is_accounting {
        return None;
    }
    // Of the views of two days the time is zoned, else it is text; of authorizations always text.
    let is_zoned = name.ends_with("LAST_TWO_DAYS") && !is_authorization;
    let clock = Clock::of(world);
    let newest = world.now / STEP * STEP;
    let devices = world.directory.population.nas_count().max(1);
    let rows = (0..KEPT / STEP).filter_map(move |back| {
        let at = newest - back * STEP;
        let number = u64::try_from(at / STEP).unwrap_or(0);
        let typed = TYPED.get(usize::try_from(number % 6).unwrap_or(0))?;
        let (user, command, arguments, allowed) = *typed;
        // A command that was denied was not carried out.
        if is_accounting && !allowed {
            return None;
        }
        let nas = Population::nas(number / 6 % devices);
        let mut row = who_and_where(user, nas, at, &clock, number);
        row.push((
            "GENERATED_TIME",
            if is_zoned {
                clock.zoned(at)
            } else {
                Value::from(clock.text(at, "%Y-%m-%d %H:%M:%S.%3f %:z"))
            },
        ));
        row.push(("STATUS", Value::from(if allowed { "Pass" } else { "Fail" })));
        if is_accounting {
            row.push(("COMMAND", Value::from(command)));
            row.push(("COMMAND_ARGS", Value::from(arguments)));
            row.push(("ACCOUNTING_TYPE", Value::from("CMD")));
        }
        if is_authorization {
            row.push((
                "COMMAND_FROM_DEVICE",
                Value::from(format!("{command} {arguments}")),
            ));
            row.push((
                "MATCHED_COMMAND_SET",
                Value::from(if allowed {
                    "PermitAll"
                } else {
                    "DenyAllCommands"
                }),
            ));
            row.push(("SHELL_PROFILE", Value::from("Default Shell Profile")));
            row.push((
                "AUTHORIZATION_POLICY",
                Value::from("Device Admin >> Operators"),
            ));
        }
        if !allowed {
            row.push((
                "FAILURE_REASON",
                Value::from("13025 Command failed to match a Permit rule"),
            ));
        }
        if is_summary {
            row.push(("PASSED_COUNT", Value::from(u64::from(allowed))));
            row.push(("FAILED_COUNT", Value::from(u64::from(!allowed))));
        }
        Some(Facts(row))
    });
    Some(facts(rows))
}

fn who_and_where(
    user: &str,
    nas: Nas,
    at: i64,
    clock: &Clock,
    number: u64,
) -> Vec<(&'static str, Value)> {
    vec![
        ("ID", record_id(at, number)),
        ("LOGGED_TIME", clock.local(at)),
        ("TIMESTAMP", clock.local(at)),
        ("EPOCH_TIME", Value::from(at / 1000)),
        ("ISE_NODE", Value::from("psn-a")),
        ("USERNAME", Value::from(user)),
        ("IDENTITY_STORE", Value::from("Internal Users")),
        ("DEVICE_NAME", Value::from(nas.name())),
        ("DEVICE_IP", Value::from(nas.ip().to_string())),
        ("DEVICE_TYPE", Value::from(nas.device_type())),
        ("LOCATION", Value::from(nas.location())),
        ("DEVICE_GROUPS", Value::from(nas.location())),
        ("DEVICE_GROUP", Value::from(nas.location())),
        ("DEVICE_PORT", Value::from("tty1")),
        ("REMOTE_ADDRESS", Value::from("10.50.0.200")),
        ("AUTHENTICATION_PRIVILEGE_LEVEL", Value::from("15")),
        ("AUTHENTICATION_TYPE", Value::from("ASCII")),
        ("AUTHENTICATION_SERVICE", Value::from("Login")),
        ("AUTHENTICATION_METHOD", Value::from("TacacsPlus")),
        ("SESSION_KEY", Value::from(format!("psn-a/{number}"))),
    ]
}
