//! Reused buffers, repeated names, long records.

use super::*;

#[test]
fn reused_buffers_show_only_the_new_record() {
    let mut fields = Fields::new();
    fields.push_text("a", "1");
    fields.push_text("b", "2");
    fields.clear();
    fields.push_text("a", "");
    assert_eq!(fields.len(), 1);
    assert_eq!(fields.get("b"), None);
    assert_eq!(fields.text("a"), None);
    assert_eq!(fields.to_value().to_string(), r#"{"a":null}"#);
}

#[test]
fn repeated_names_are_found_whatever_the_record_before_left() {
    let mut fields = Fields::new();
    let rows: [&[&str]; 5] = [
        &["a", "b", "c", "d"],
        &["a", "b", "d"],
        &["a", "b", "d", "d"],
        &["d", "a", "d", "b"],
        &["a", "b", "c", "d"],
    ];
    for row in rows {
        fields.clear();
        let mut expected = Fields::new();
        for (index, name) in row.iter().enumerate() {
            let text = index.to_string();
            fields.put_text(name, &text);
            expected.add(name, Value::Text(text));
        }
        assert_eq!(fields, expected, "{row:?}");
    }
}

#[test]
fn a_long_record_is_built_in_linear_time_and_finds_every_repeat() {
    let mut fields = Fields::new();
    for round in 0..2 {
        fields.clear();
        for at in 0..100_000 {
            fields.put_text(&format!("m{at}"), "1");
        }
        for at in (0..100_000).rev() {
            fields.add(&format!("m{at}"), Value::Text("2".to_owned()));
        }
        assert_eq!(fields.len(), 100_000, "{round}");
        assert_eq!(fields.text("m99999").as_deref(), Some("1, 2"));
    }
    fields.clear();
    fields.put_text("m7", "3");
    assert_eq!(fields.to_value().to_string(), r#"{"m7":"3"}"#);
}

#[test]
fn lists_are_overwritten_in_place() {
    let mut fields = Fields::new();
    fields.put_list("ip", ["a", "b"].into_iter());
    fields.clear();
    fields.put_list("ip", ["c"].into_iter());
    assert_eq!(fields.to_value().to_string(), r#"{"ip":["c"]}"#);
    fields.put_list("ip", ["d", "e"].into_iter());
    assert_eq!(fields.to_value().to_string(), r#"{"ip":["c","d","e"]}"#);
    fields.clear();
    fields.put_list("ip", [].into_iter());
    assert_eq!(fields.to_value().to_string(), r#"{"ip":[]}"#);
}

#[test]
fn a_field_is_found_wherever_it_moved() {
    let place = Cell::new(0);
    let mut fields = Fields::new();
    for (names, expected) in [
        (&["a", "b"][..], Some("1")),
        (&["b", "a"], Some("0")),
        (&["a"], None),
        (&["x", "y", "b"], Some("2")),
    ] {
        fields.clear();
        for (at, name) in names.iter().enumerate() {
            fields.push_text(name, &at.to_string());
        }
        assert_eq!(fields.text_near("b", &place).as_deref(), expected);
    }
}

#[test]
fn a_second_value_makes_a_list_and_zeros_stay() {
    let fields: Fields = [
        ("id", Value::Text("0032".into())),
        ("id", Value::Text("7".into())),
        ("x", Value::Empty),
    ]
    .into_iter()
    .collect();
    let mut out = Vec::new();
    fields.write_json(&mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        r#"{"id":["0032","7"],"x":null}"#
    );
    assert_eq!(fields.text("id").as_deref(), Some("0032, 7"));
}
