//! The steps of an attempt: their codes in words, and how long each took, as a waterfall. Pure.
//!
//! The interface gives codes and times in two lists and does not say how they go together: times
//! are numbered from 1 (reference mnt-api, section 2.3, quirk 5). Where there is a time less than
//! steps, each is taken for what passed before the step behind it; where there are as many, for the
//! step's own. Any other number of times is not laid on steps.

use serde_json::{Map, Value, json};

use crate::mnt::message_name;
use crate::record::Record;
use crate::render::{Style, bar, terminal_safe, wrap};

/// The longest bar, in columns.
const BAR: usize = 16;
/// The code, and the blanks around it.
const CODE: usize = 2 + 5 + 2;
/// With less room for the words there is no bar.
const LEAST: usize = 24;
/// What is drawn for a pipe, which has no width.
const ON_PIPE: usize = 80;

/// The steps: `[{"code":"11001","name":"…","ms":3}]`, each with what is known of it.
pub(super) fn list(record: &Record, latency: Option<&str>, catalogue: &[Record]) -> Vec<Value> {
    let codes = record.steps();
    let times = latency.map(times).unwrap_or_default();
    let time_of = |step: usize| {
        let number = if times.len() == codes.len() {
            step + 1
        } else if times.len() + 1 == codes.len() {
            step
        } else {
            return None;
        };
        let of_number = |(at, _): &&(usize, u64)| *at == number;
        times.iter().find(of_number).map(|(_, time)| *time)
    };
    let step = |(step, code): (usize, &String)| {
        let mut members = Map::from_iter([("code".to_owned(), json!(code))]);
        let known = catalogue
            .iter()
            .find(|row| row.text("id").as_deref() == Some(code));
        let told = known.and_then(|row| row.text("code"));
        let told = told.map(|text| text.trim_start_matches(code.as_str()).trim().to_owned());
        if let Some(name) = told.or_else(|| message_name(code).map(str::to_owned)) {
            members.insert("name".to_owned(), name.into());
        }
        if let Some(time) = time_of(step) {
            members.insert("ms".to_owned(), time.into());
        }
        Value::Object(members)
    };
    codes.iter().enumerate().map(step).collect()
}

/// `1=0;2=14;…`: number and milliseconds.
fn times(latency: &str) -> Vec<(usize, u64)> {
    let pairs = latency.split(';');
    let pair = |pair: &str| {
        let (number, milliseconds) = pair.split_once('=')?;
        Some((
            number.trim().parse().ok()?,
            milliseconds.trim().parse().ok()?,
        ))
    };
    pairs.filter_map(pair).collect()
}

/// The waterfall, a line a step. `failed` is the code of the failure.
pub(super) fn draw(steps: &[Value], failed: Option<&str>, style: &Style, out: &mut String) {
    let width = if style.screen.terminal {
        usize::from(style.screen.width)
    } else {
        ON_PIPE
    };
    let number = |step: &Value| step.get("ms").and_then(Value::as_u64);
    let slowest = steps.iter().filter_map(number).max();
    let name = |step: &Value| {
        let name = step.get("name").and_then(Value::as_str);
        terminal_safe(name.unwrap_or("(not known to this program)")).into_owned()
    };
    let names: Vec<String> = steps.iter().map(name).collect();
    let time_text = |time: u64| format!("{time} ms");
    let times = steps.iter().filter_map(number).map(time_text);
    let time_width = times.map(|time| time.len()).max().unwrap_or(0).max(6);
    let room = width.saturating_sub(CODE + 2 + time_width);
    let with_bar = room >= LEAST + 2 + BAR;
    let room = if with_bar { room - 2 - BAR } else { room };
    let widest = names.iter().map(|name| wrap::width(name)).max();
    let widest = widest.unwrap_or(0).min(room.max(4));
    let heading = if slowest.is_some() {
        "steps, and the time by their position (which ISE does not document)"
    } else {
        "steps"
    };
    out.push('\n');
    wrap::hang(out, "", heading, 0, width);
    for (step, name) in steps.iter().zip(names) {
        let code = step.get("code").and_then(Value::as_str).unwrap_or_default();
        let mut name = name;
        wrap::cut(&mut name, widest);
        let blanks = " ".repeat(widest.saturating_sub(wrap::width(&name)));
        let mut line = format!("  {:5}  {name}{blanks}", terminal_safe(code));
        if let (Some(time), Some(slowest)) = (number(step), slowest) {
            let bar = if with_bar {
                bar(time, slowest, BAR)
            } else {
                String::new()
            };
            let time = time_text(time);
            line = format!("{line}  {time:>time_width$}  {bar}");
        }
        let is_slowest = slowest.is_some_and(|slowest| slowest > 0) && number(step) == slowest;
        let color = if failed == Some(code) {
            Some("31")
        } else {
            is_slowest.then_some("33")
        };
        let line = line.trim_end();
        match color.filter(|_| style.screen.color) {
            Some(color) => out.extend(["\u{1b}[", color, "m", line, "\u{1b}[0m"]),
            None => out.push_str(line),
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(codes: &str, latency: &str) -> Vec<Value> {
        let record = Record::from_value(json!({ "execution_steps": codes }));
        list(&record, Some(latency), &[])
    }

    #[test]
    fn times_are_laid_on_steps_where_their_number_says_how() {
        let milliseconds = |codes, latency| -> Vec<Option<u64>> {
            let steps = steps(codes, latency);
            steps.iter().map(|step| step.get("ms")?.as_u64()).collect()
        };
        let three = "11001,11017,22040";
        assert_eq!(milliseconds(three, "1=5;2=7"), [None, Some(5), Some(7)]);
        assert_eq!(
            milliseconds(three, "1=5;2=7;3=9"),
            [Some(5), Some(7), Some(9)]
        );
        assert_eq!(milliseconds(three, "1=5"), [None; 3]);
        assert_eq!(milliseconds(three, "nonsense"), [None; 3]);
    }

    #[test]
    fn the_nodes_own_words_go_before_ours() {
        let record = Record::from_value(json!({ "execution_steps": "11001,22040,99999" }));
        let node = [Record::from_value(
            json!({"id": "22040", "code": "22040 Its words"}),
        )];
        let names: Vec<Option<String>> = list(&record, None, &node)
            .iter()
            .map(|step| Some(step.get("name")?.as_str()?.to_owned()))
            .collect();
        assert_eq!(
            names,
            [
                Some("RADIUS Access-Request received".to_owned()),
                Some("Its words".to_owned()),
                None
            ]
        );
    }
}
