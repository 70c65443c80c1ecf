//! What holds for every record.

use proptest::prelude::*;

use super::*;

fn any_record() -> impl Strategy<Value = Record> {
    let cell = prop_oneof![any::<String>(), "[=+@\\\\\t\n\r\",'-]{0,4}"];
    prop::collection::vec(cell, COLUMNS.len()).prop_map(|cells| {
        let names = [
            "calling_station_id",
            "ip",
            "user_name",
            "nas_ip_address",
            "auth_timestamp",
            "response_time",
            "passed",
        ];
        let mut fields = Fields::new();
        for (name, cell) in names.iter().zip(&cells) {
            fields.push_text(name, cell);
        }
        Record::Fields(fields)
    })
}

/// A row that once was drawn wider than the terminal.
#[test]
fn scripts_of_many_widths_stay_within_the_terminal() {
    let mut fields = Fields::new();
    fields.push_text(
        "calling_station_id",
        "\u{1aea}\u{12d8}A\u{1d129} \u{16a40}\u{ae}",
    );
    fields.push_text("ip", "\u{3a3}\u{3bd}\u{1f18}a\u{11580}\u{ae}0A");
    fields.push_text(
        "user_name",
        "A aA\u{1038}0 a\u{5d8}\u{5bc}A\u{10ead}a\u{1f300}\u{aadb}\u{ae}A\u{1ee59}",
    );
    fields.push_text("nas_ip_address", "\u{1740}\u{ae}0\u{a1}0");
    fields.push_text("passed", "a\u{116d0}\u{a6a}000  \u{10a40} a\u{1f300}");
    let table = list(on_terminal(style(), 60), &[Record::Fields(fields)]);
    assert!(table.lines().all(|line| line.width() <= 60), "{table}");
}

proptest! {
    #[test]
    fn one_record_one_line_and_json_reads_back(records in prop::collection::vec(any_record(), 0..6)) {
        for format in [Format::Tsv, Format::Csv, Format::Jsonl] {
            let style = Style { header: false, ..formatted(format) };
            prop_assert_eq!(list(style, &records).split_terminator('\n').count(), records.len());
        }
        let back: Vec<Json> = serde_json::from_str(&list(formatted(Format::Json), &records)).unwrap();
        let expected: Vec<Json> = records.iter().map(Record::to_value).collect();
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn nothing_unsafe_reaches_a_terminal(records in prop::collection::vec(any_record(), 1..4), width in 60_u16..200) {
        for format in Format::ALL {
            for shape in [Shape::List, Shape::Single, Shape::Bare] {
                let text = render(on_terminal(formatted(format), width), shape, &records);
                prop_assert!(!text.chars().any(|c| is_unsafe(c) && c != '\n' && (c != '\t' || format != Format::Tsv)), "{}: {:?}", format, text);
            }
        }
        let table = list(on_terminal(style(), width), &records);
        prop_assert_eq!(table.lines().count(), records.len() + 1);
        prop_assert!(table.lines().all(|line| line.width() <= usize::from(width)), "{:?}", table.lines().map(|line| (line.width(), line)).collect::<Vec<_>>());
    }
}
