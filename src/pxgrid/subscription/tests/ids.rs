//! Ids of events: the same for the same occurrence however it is seen, another for another one.

use proptest::prelude::*;

use super::*;

/// The ids of the events that came out last.
fn ids(run: &Run) -> Vec<String> {
    let events = run.events();
    events.iter().map(|event| event.id().to_string()).collect()
}

/// The id of a session that comes live, in a deployment.
fn live(deployment: &str, topic: &str, body: &str) -> Vec<String> {
    let options = SubscriptionOptions {
        deployment: deployment.to_owned(),
        ..SubscriptionOptions::default()
    };
    ids(Run::live(options, &[topic]).message(0, body))
}

/// The id of the same session when it comes with the snapshot.
fn recovered(row: &str) -> Vec<String> {
    let options = SubscriptionOptions {
        snapshot: true,
        ..SubscriptionOptions::default()
    };
    let mut run = Run::live(options, &[SESSION]);
    let (id, _) = run.read().unwrap();
    ids(run.give(Input::Rows {
        id,
        rows: vec![row.to_owned()],
        deleted: false,
    }))
}

/// A session of these members; the audit session is never the same as another member's value.
fn members() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = prop_oneof![
        "[a-z ]{0,6}".prop_map(|text| format!("\"{text}\"")),
        Just("1.10".to_owned()),
        Just("[\"a b\",2,{\"x\":null}]".to_owned()),
    ];
    let names = proptest::collection::btree_map("[a-z]{1,5}", value, 0..6);
    names.prop_map(|names| {
        let mut members: Vec<_> = names.into_iter().collect();
        for (name, value) in [
            ("macAddress", "\"C8:5B:76:C6:59:62\""),
            ("auditSessionId", "\"0A01\""),
            ("timestamp", "\"2026-11-22T01:59:59Z\""),
            ("state", "\"STARTED\""),
        ] {
            members.push((name.to_owned(), value.to_owned()));
        }
        members
    })
}

fn object(members: &[(String, String)], space: &str) -> String {
    let spaced = |value: &str| value.replace(",2,", &format!("{space},{space}2 , "));
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{}", spaced(value)))
        .collect();
    format!("{{{}{space}}}", members.join(","))
}

fn message(row: &str, number: u32) -> String {
    format!("{{\"sequence\":{number},\"sessions\":[{row}]}}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn order_space_number_and_way_do_not_count_and_values_do(
        members in members(),
        turn in any::<usize>(),
        space in "[ \n]{0,2}",
    ) {
        let first = live("ise", SESSION, &message(&object(&members, ""), 1));
        prop_assert_eq!(first.len(), 1);
        let mut turned = members.clone();
        turned.rotate_left(turn % members.len());
        let same = object(&turned, &space);
        prop_assert_eq!(&live("ise", SESSION, &message(&same, 9)), &first);
        prop_assert_eq!(&recovered(&same), &first);
        for index in 0..members.len() {
            let mut other = members.clone();
            other[index].1 = format!("\"{index} other\"");
            prop_assert_ne!(&live("ise", SESSION, &message(&object(&other, ""), 1)), &first);
            other.remove(index);
            prop_assert_ne!(&live("ise", SESSION, &message(&object(&other, ""), 1)), &first);
        }
        prop_assert_ne!(&live("other", SESSION, &message(&object(&members, ""), 1)), &first);
    }
}

#[test]
fn only_of_topics_without_a_time_does_the_number_count() {
    let number = |topic: &str, body: &str, number: u32| {
        live("ise", topic, &body.replace('#', &number.to_string()))
    };
    let binding =
        r#"{"operation":"CREATE","sequence":#,"binding":{"ipPrefix":"10.0.0.0/24","tag":5}}"#;
    assert_ne!(number(SXP, binding, 1), number(SXP, binding, 2));
    let group = r#"{"operation":"CREATE","sequence":#,"securityGroup":{"id":"a","timestamp":"2026-11-22T01:00:00Z"}}"#;
    let groups = "/topic/com.cisco.ise.config.trustsec.security.group";
    assert_eq!(number(groups, group, 1), number(groups, group, 2));
    let status = r#"{"operationId":"a:1","status":"SUCCESS","macAddress":"C8:5B:76:C6:59:62"}"#;
    assert_eq!(number(ANC, status, 1).len(), 1);
}
