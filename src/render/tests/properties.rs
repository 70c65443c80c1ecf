//! What holds for every record, and two tests for the eye and the watch.

use proptest::prelude::*;

use super::*;

/// For looking at: `cargo test --lib render::tests::look -- --ignored --nocapture`.
#[test]
#[ignore = "prints for the eye"]
#[allow(clippy::print_stdout)]
fn look() {
    for width in [80, 200] {
        println!("{}", list(on_terminal(style(), width), &nasty()));
    }
    println!(
        "{}",
        render(on_terminal(style(), 80), Shape::Single, &nasty()[5..7])
    );
    println!(
        "{}",
        list(on_terminal(formatted(Format::Json), 80), &nasty()[5..7])
    );
    println!(
        "{}",
        list(on_terminal(formatted(Format::Yaml), 80), &nasty()[5..7])
    );
}

/// For measuring: `cargo test --release --lib render::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
#[allow(clippy::print_stdout)]
fn speed() {
    let names: Vec<String> = (0..9).map(|n| format!("some_field_{n}")).collect();
    let columns: Vec<Column> = (0..9)
        .map(|n| {
            column(
                "TITLE",
                [
                    "some_field_0",
                    "some_field_1",
                    "some_field_2",
                    "some_field_3",
                    "some_field_4",
                    "some_field_5",
                    "some_field_6",
                    "some_field_7",
                    "some_field_8",
                ][n],
            )
        })
        .collect();
    let fields: Fields = names
        .iter()
        .map(|name| (name.as_str(), Value::Text("C8:5B:76:C6:59:62".to_owned())))
        .collect();
    let record = Record::Fields(fields);
    for format in [
        Format::Csv,
        Format::Tsv,
        Format::Json,
        Format::Jsonl,
        Format::Yaml,
    ] {
        let mut renderer =
            Renderer::new(formatted(format), columns.clone(), Shape::List, io::sink()).unwrap();
        let start = std::time::Instant::now();
        for _ in 0..200_000 {
            let _ = renderer.record(&record).unwrap();
        }
        renderer.finish().unwrap();
        println!("{format}: {:?}", start.elapsed());
    }
}

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
        prop_assert!(table.lines().all(|line| line.width() <= usize::from(width)));
    }
}
