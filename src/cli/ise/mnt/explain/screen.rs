//! Draws an explanation for a person: the verdict first, then the facts, then the attempts. Pure:
//! JSON in, text out.

use std::fmt::Write;

use serde_json::Value;

use super::steps;
use crate::render::{Style, terminal_safe, time, wrap};

/// Facts in the order a person asks for them: JSON member, label.
const FACTS: [(&str, &str); 15] = [
    ("cause", "cause"),
    ("resolution", "remedy"),
    ("time", "when"),
    ("user", "user"),
    ("identityStore", "identity store"),
    ("server", "server"),
    ("method", "method"),
    ("protocol", "protocol"),
    ("policySet", "policy set"),
    ("authenticationRule", "authentication"),
    ("authorizationRule", "authorization"),
    ("profiles", "profiles"),
    ("sgt", "SGT"),
    ("posture", "posture"),
    ("latencyMs", "latency"),
];

/// Width of the labels.
const LABEL: usize = 16;

/// The screen.
pub(super) fn draw(explanation: &Value, style: &Style) -> String {
    let mut out = String::new();
    let why = explanation.get("why").unwrap_or(&Value::Null);
    let verdict = text(explanation, "verdict");
    let mac = format!("{}  ", text(explanation, "mac"));
    let failure = member(why, "failure").map(|failure| format!(": {}", terminal_safe(failure)));
    let failure = failure.unwrap_or_default();
    let quarantine = member(explanation, "quarantine")
        .filter(|_| verdict.ends_with("quarantined"))
        .map(|name| format!(" ({})", terminal_safe(name)))
        .unwrap_or_default();
    let mut head = String::new();
    wrapped(
        &mut head,
        &mac,
        &format!("{verdict}{quarantine}{failure}"),
        mac.len(),
        style,
    );
    // Measured first, painted then: a colour takes no room.
    out.push_str(&head.replacen(verdict, &paint(verdict, style), 1));
    out.push('\n');
    line(&mut out, "where", &place(why), style);
    if let (Some(_), Some(missing)) = (
        member(why, "failure"),
        member(explanation, "catalogueMissing"),
    ) {
        let unknown = format!("not known, nor is the remedy: {missing}");
        line(&mut out, "cause", &unknown, style);
    }
    for (name, label) in FACTS {
        let Some(value) = member(why, name) else {
            continue;
        };
        let value = match name {
            "time" => time::show(value, style),
            "latencyMs" => format!("{value} ms"),
            _ => value.to_owned(),
        };
        line(&mut out, label, &value, style);
    }
    line(&mut out, "others", &others(explanation), style);
    line(&mut out, "history", &history(explanation, style), style);
    if let Some(list) = why.get("stepDetails").and_then(Value::as_array) {
        let failed = member(why, "failure").and_then(|reason| reason.split_whitespace().next());
        steps::draw(list, failed, style, &mut out);
    }
    attempts(&mut out, explanation, style);
    out
}

/// Attempts in a row that ended alike, as one line.
struct Run<'a> {
    result: &'a str,
    what: &'a str,
    newest: &'a str,
    oldest: &'a str,
    count: usize,
}

fn attempts(out: &mut String, explanation: &Value, style: &Style) {
    let list = explanation.get("attempts").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let missing = member(explanation, "attemptsMissing");
    if let Some(missing) = missing.filter(|_| list.is_empty()) {
        out.push_str("\nlast attempts\n");
        let told = format!(
            "not known, the above is from the session alone: {}",
            terminal_safe(missing)
        );
        wrapped(out, "  ", &told, LABEL + 2, style);
        return;
    }
    let runs = runs(list);
    let may_continue = explanation
        .get("attemptsMayContinue")
        .and_then(Value::as_bool)
        == Some(true);
    let oldest_run = runs.len().saturating_sub(1);
    if !runs.is_empty() {
        let from = missing.map_or("", |_| ", by Data Connect");
        let _ = writeln!(out, "\nlast attempts{from}");
    }
    for (at, run) in runs.into_iter().enumerate() {
        // No older ones were asked for: the oldest run may have begun before.
        let (times, before) = if may_continue && at == oldest_run {
            (" times or more", " or earlier")
        } else {
            (" times", "")
        };
        let when = if run.count == 1 {
            ago(run.newest, style)
        } else {
            let (newest, oldest) = (ago(run.newest, style), ago(run.oldest, style));
            format!("{}{times}, {newest} to {oldest}{before}", run.count)
        };
        let head = format!("  {}  {when}: ", paint_result(run.result, style));
        wrapped(out, &head, &terminal_safe(run.what), LABEL + 2, style);
    }
}

fn runs(list: &[Value]) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for attempt in list {
        let result = text(attempt, "result");
        let what = member(attempt, "failure")
            .or_else(|| member(attempt, "authorizationRule"))
            .unwrap_or_default();
        let time = text(attempt, "time");
        match runs.last_mut() {
            Some(run) if run.result == result && run.what == what => {
                run.oldest = time;
                run.count += 1;
            }
            _ => runs.push(Run {
                result,
                what,
                newest: time,
                oldest: time,
                count: 1,
            }),
        }
    }
    runs
}

fn ago(time: &str, style: &Style) -> String {
    match time::parse(time) {
        Some(moment) => time::relative(moment, style.now),
        None => terminal_safe(time).into_owned(),
    }
}

/// Device, address and port in one phrase.
fn place(why: &Value) -> String {
    let device = member(why, "device").unwrap_or_default();
    let nas = member(why, "nas")
        .map(|nas| {
            if device.is_empty() {
                nas.to_owned()
            } else {
                format!("({nas})")
            }
        })
        .unwrap_or_default();
    let port = member(why, "port").unwrap_or_default();
    [device, nas.as_str(), port]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Who else fails at the same switch for the same reason; empty where nobody was asked.
fn others(explanation: &Value) -> String {
    let Some(others) = explanation
        .get("others")
        .filter(|others| others.is_object())
    else {
        return String::new();
    };
    let number = |name: &str| others.get(name).and_then(Value::as_u64).unwrap_or(0);
    let code = text(others, "code");
    match number("endpoints") {
        0 => format!("no other endpoint failed with {code} at this switch in the last hour"),
        endpoints => {
            let plural = if endpoints == 1 { "" } else { "s" };
            let times = number("attempts");
            format!(
                "{endpoints} more endpoint{plural} failed with {code} at this switch in the last hour ({times} attempts)"
            )
        }
    }
}

/// How it fared in the last days; empty where history was not asked.
fn history(explanation: &Value, style: &Style) -> String {
    let Some(history) = explanation.get("history").filter(|one| one.is_object()) else {
        return String::new();
    };
    let number = |name: &str| history.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (days, passed, failed) = (number("days"), number("passed"), number("failed"));
    let newest = |name: &str| history.get(name).filter(|one| one.is_object());
    let mut text = match (passed, failed, newest("lastPass")) {
        (0, 0, _) => return format!("no authentication in {days} days"),
        (0, ..) => format!("none passed, {failed} failed in {days} days"),
        (_, _, last) => {
            let last = last.map_or_else(String::new, |last| ago(text(last, "time"), style));
            format!("{passed} passed (the last {last}), {failed} failed in {days} days")
        }
    };
    if history.get("mayContinue").and_then(Value::as_bool) == Some(true) {
        text = format!("at least {text}");
    }
    if let Some(last) = newest("lastFailure") {
        let (when, reason) = (
            ago(self::text(last, "time"), style),
            self::text(last, "reason"),
        );
        let _ = write!(text, "; last failure {when}: {reason}");
    }
    text
}

fn line(out: &mut String, label: &str, value: &str, style: &Style) {
    if !value.is_empty() {
        wrapped(
            out,
            &format!("  {label:LABEL$}"),
            &terminal_safe(value),
            LABEL + 2,
            style,
        );
    }
}

/// A line; on a terminal broken between words, what follows under `indent` columns.
fn wrapped(out: &mut String, head: &str, text: &str, indent: usize, style: &Style) {
    if style.screen.terminal {
        wrap::hang(out, head, text, indent, usize::from(style.screen.width));
    } else {
        let _ = writeln!(out, "{head}{text}");
    }
}

fn paint(verdict: &str, style: &Style) -> String {
    let code = match verdict {
        "on the network" => "32",
        "on the network, quarantined" => "33",
        _ => "31",
    };
    if style.screen.color {
        format!("\u{1b}[1;{code}m{verdict}\u{1b}[0m")
    } else {
        verdict.to_owned()
    }
}

fn paint_result(result: &str, style: &Style) -> String {
    let code = if result == "pass" { "32" } else { "31" };
    if style.screen.color {
        format!("\u{1b}[{code}m{result}\u{1b}[0m")
    } else {
        result.to_owned()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_ended_alike_are_one_run() {
        let list = serde_json::json!([
            {"result": "fail", "failure": "22040 x", "time": "t4"},
            {"result": "fail", "failure": "22040 x", "time": "t3"},
            {"result": "pass", "authorizationRule": "Staff", "time": "t2"},
            {"result": "fail", "failure": "22040 x", "time": "t1"},
        ]);
        let runs = runs(list.as_array().unwrap());
        let seen: Vec<_> = runs
            .iter()
            .map(|run| (run.result, run.count, run.newest, run.oldest))
            .collect();
        assert_eq!(
            seen,
            [
                ("fail", 2, "t4", "t3"),
                ("pass", 1, "t2", "t2"),
                ("fail", 1, "t1", "t1")
            ]
        );
    }

    fn style(width: u16, terminal: bool, color: bool) -> Style {
        Style {
            format: None,
            fields: Vec::new(),
            sort: None,
            limit: None,
            by: Vec::new(),
            top: None,
            header: true,
            name_only: false,
            jq: None,
            screen: crate::render::Screen {
                terminal,
                width,
                color,
            },
            now: "2026-03-09T10:20:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let failure = "24408 User authentication against Active Directory failed since user has entered the wrong password";
        let explanation = serde_json::json!({
            "mac": "C8:5B:76:C6:59:62",
            "verdict": "refused",
            "why": {
                "failure": failure,
                "cause": failure,
                "device": "sw-lab-07",
                "stepDetails": [
                    {"code": "11001", "name": "RADIUS Access-Request received", "ms": 0},
                    {"code": "24408", "name": failure, "ms": 1_234_567},
                    {"code": "99999"},
                ],
            },
            "others": {"endpoints": 4, "attempts": 20, "code": "24408"},
            "attempts": [
                {"result": "fail", "failure": failure, "time": "2026-03-09T08:14:55Z"},
                {"result": "fail", "failure": failure, "time": "2026-03-09T08:12:55Z"},
            ],
        });
        for width in [50, 80, 200] {
            let screen = draw(&explanation, &style(width, true, false));
            let widest = screen.lines().map(|line| line.chars().count()).max();
            assert!(widest.unwrap() <= usize::from(width), "{screen}");
            let words = |text: &str| text.split_whitespace().collect::<String>();
            assert!(words(&screen).contains(&words(failure)), "{screen}");
            let others = "4 more endpoints failed with 24408";
            assert!(words(&screen).contains(&words(others)), "{screen}");
            let has_bar = screen.contains("████████████████\n");
            assert_eq!(has_bar, width > 50, "{screen}");
        }
        let coloured = draw(&explanation, &style(80, true, true));
        let head = "C8:5B:76:C6:59:62  \u{1b}[1;31mrefused\u{1b}[0m: 24408 User";
        assert!(coloured.starts_with(head), "{coloured}");
    }

    #[test]
    fn what_is_not_known_of_the_attempts_is_said() {
        let style = style(80, false, false);
        let attempt = serde_json::json!({"result": "fail", "failure": "22040 x", "time": "t"});
        let both = [attempt.clone(), attempt];
        let draw_of = |attempts: &[Value], more: bool, missing: Option<&str>| {
            draw(
                &serde_json::json!({
                    "mac": "M", "verdict": "on the network, quarantined", "quarantine": "ANC Isolate",
                    "why": {}, "attempts": attempts,
                    "attemptsMayContinue": more, "attemptsMissing": missing,
                }),
                &style,
            )
        };
        let draw = |more, missing| draw_of(&both, more, missing);
        assert!(draw(false, None).starts_with("M  on the network, quarantined (ANC Isolate)\n\n"));
        assert!(draw(false, None).contains("2 times, t to t: 22040 x"));
        assert!(draw(true, None).contains("2 times or more, t to t or earlier: 22040 x"));
        let missing = draw_of(&[], false, Some("HTTP 404"));
        assert!(missing.contains("not known, the above is from the session alone: HTTP 404"));
        let told = draw(false, Some("HTTP 404"));
        assert!(
            told.contains("\nlast attempts, by Data Connect\n"),
            "{told}"
        );
        assert!(told.contains("2 times, t to t: 22040 x"), "{told}");
    }
}
