//! The lab beside captures of real nodes: its answers have their members and elements.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fixtures_pxgrid::{fixture, value, values};
use crate::support::lab::lab;
use crate::support::{json as answer, stderr, stdout};

/// The type of a JSON value, as far as readers depend on it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => "time",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// The lab's sessions have the members, and of the types, that captures have.
#[test]
fn the_labs_sessions_have_the_captures_shape() {
    let Some(newest) = fixture("pxgrid/ise33p11-session.json") else {
        return;
    };
    let older = fixture("pxgrid/ise27-rest-answers.jsonl").unwrap();
    let captured = [
        value(&newest)["sessions"][0].clone(),
        values(&older)[7]["sessions"][0].clone(),
        value(&fixture("pxgrid/ise26-session-wireless-byod.json").unwrap()),
        value(&fixture("pxgrid/ise26-session-vpn-no-mac.json").unwrap())["sessions"][0].clone(),
    ];
    let lab = lab();
    let run = lab.pxgrid(&["sessions", "--json"]).assert().success();
    let sessions = answer(&run);
    let sessions = sessions.as_array().unwrap();
    for (name, example) in captured.iter().flat_map(|one| one.as_object().unwrap()) {
        let ours: BTreeSet<&str> = sessions
            .iter()
            .filter_map(|one| one.get(name))
            .map(kind)
            .collect();
        assert_eq!(ours, BTreeSet::from([kind(example)]), "{name}");
    }
}

/// Names of elements in the order of their first coming.
fn elements(xml: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for tag in xml.split('<').skip(1) {
        let name: String = tag
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || "_-".contains(*letter))
            .collect();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The Monitoring node's documents: the lab's elements are the captures', in their order.
#[test]
fn the_labs_documents_have_the_captures_shape() {
    let Some(list) = fixture("mnt/ise33p11-shape-activelist.xml") else {
        return;
    };
    let lab = lab();
    let get = |path: &str| stdout(&lab.mnt(&["get", path]).assert().success());
    let mut rows = elements(&get("Session/ActiveList"));
    // The guide's, inside framed_ipv6_address; no captured endpoint had one.
    rows.retain(|name| name != "ipv6_address");
    assert_eq!(rows, elements(&list));
    let captured = elements(&fixture("mnt/ise33p11-shape-session.xml").unwrap());
    let ours = elements(&get("Session/MACAddress/C8:5B:76:C6:59:62"));
    let missing: Vec<&String> = captured
        .iter()
        .filter(|name| !ours.contains(name))
        .collect();
    assert!(missing.is_empty(), "the lab's session lacks {missing:?}");
    let in_order: Vec<&String> = ours.iter().filter(|name| captured.contains(name)).collect();
    assert_eq!(in_order.len(), captured.len());
    let run = lab
        .mnt(&["get", "Session/MACAddress/00:11:22:33:44:55"])
        .assert();
    let said = format!("{}{}", stdout(&run), stderr(&run));
    assert!(
        said.contains("00:11:22:33:44:55") || said.contains("no session"),
        "{said}"
    );
}
