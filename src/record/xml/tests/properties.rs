//! Properties that hold for every document, however it is cut.

use std::io::BufReader;

use proptest::prelude::*;

use super::*;

/// Pieces that documents are made of, so that random documents get past the first byte.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"<activeList noOfActiveSession='2'>".to_vec()),
        Just(b"<activeList>".to_vec()),
        Just(b"</activeList>".to_vec()),
        Just(b"<activeSession>".to_vec()),
        Just(b"</activeSession>".to_vec()),
        Just(b"<activeSession><u>J\xc3\xb6rg &amp; co</u><framed_ipv6_address><i> ::1</i></framed_ipv6_address></activeSession>".to_vec()),
        Just(b"<a>".to_vec()),
        Just(b"</a>".to_vec()),
        Just(b"<b x='>'/>".to_vec()),
        Just(b"<![CDATA[<&]]>".to_vec()),
        Just(b"<!-- > -->".to_vec()),
        Just(b"&amp;&#65;".to_vec()),
        Just(b"&".to_vec()),
        Just(b"<!".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(b"\xe2\x82\xac\xff\xf0\x9f".to_vec()),
        Just(b"text \n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_cut_gives_the_same(middle in pieces(), framed in any::<bool>(), chunk in 1usize..40) {
        let bytes = if framed {
            [b"<activeList><activeSession><a>".as_slice(), &middle, b"</a></activeSession></activeList>"].concat()
        } else {
            middle
        };
        let whole = read_from(bytes.as_slice(), &LIST);
        let cut = read_from(BufReader::with_capacity(chunk, bytes.as_slice()), &LIST);
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(whole.1.map_err(|error| error.kind()), cut.1.map_err(|error| error.kind()));
    }

    #[test]
    fn what_is_written_is_read(values in proptest::collection::vec("[^\u{0}-\u{1f}\u{fffe}\u{ffff}]{0,12}", 1..12)) {
        let fields: Vec<String> = values.iter().enumerate().map(|(i, value)| format!("<f{i}>{}</f{i}>", quick_xml::escape::escape(value.as_str()))).collect();
        let text = fields.concat();
        let (sink, outcome) = stream(format!("<sessionParameters>{text}</sessionParameters>").as_bytes(), &ONE, Collect::default());
        outcome.unwrap();
        for (i, value) in values.iter().enumerate() {
            let expected = if value.bytes().all(|byte| byte == b' ') { "" } else { value };
            prop_assert_eq!(sink.records[0].text(&format!("f{i}")).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn plain_fields_are_read_as_the_tokenizer_would(
        fields in proptest::collection::vec(("[a-c]|framed_ipv6_address|n:a|a-b", "[ x>é\\]]{0,4}|a&amp;b|<i>1</i>| <!---->y"), 0..8),
        layout in "[ \n]{0,2}|z",
    ) {
        let with = |close: &str| {
            let fields: Vec<String> = fields.iter().map(|(name, text)| format!("{layout}<{name}>{text}</{name}{close}>")).collect();
            let row = format!("<activeSession>{}</activeSession>", fields.concat());
            let (lines, outcome) = read(&format!("<activeList>{row}{row}</activeList>"), &LIST);
            (lines, outcome.map_err(|error| error.kind()))
        };
        // Only the tokenizer takes an end tag with a blank in it.
        prop_assert_eq!(with(""), with(" "));
    }
}
