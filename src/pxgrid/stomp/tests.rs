//! What is written is read back, real captures are read, and no bytes in no cuts do harm.

use proptest::prelude::*;

use super::*;
use crate::error::{Error, Kind};

type Outcome = (Vec<Frame>, Option<MalformedFrame>);

/// Reads `bytes` in pieces of the given lengths, in turn.
fn read(bytes: &[u8], reading: Reading, max_body: usize, cuts: &[usize]) -> Outcome {
    let mut decoder = Decoder::new(reading).max_body(max_body);
    let mut frames = Vec::new();
    let mut rest = bytes;
    let mut cuts = cuts.iter().cycle();
    loop {
        let cut = cuts
            .next()
            .copied()
            .unwrap_or(usize::MAX)
            .clamp(1, rest.len().max(1));
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        decoder.push(piece.to_vec());
        rest = after;
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(malformed) => {
                    assert_eq!(decoder.next_frame(), Err(malformed));
                    return (frames, Some(malformed));
                }
            }
        }
        if rest.is_empty() {
            return (frames, None);
        }
    }
}

fn read_one(bytes: &[u8]) -> Result<Frame, MalformedFrame> {
    match read(bytes, Reading::Server, MAX_BODY, &[]) {
        (mut frames, None) if frames.len() == 1 => Ok(frames.remove(0)),
        (_, Some(malformed)) => Err(malformed),
        (frames, None) => panic!("{} frames", frames.len()),
    }
}

#[test]
fn a_message_as_ise_sends_it() {
    let body = r#"{"sequence":3,"sessions":[{"userName":"Jürgen"}]}"#;
    let text = format!(
        "\n\r\nMESSAGE\r\ncontent-length:{}\r\ntrace-id:5f3a\r\ndestination:/topic/com.cisco.ise.session\r\nmessage-id:1\r\nsubscription:0\r\n\r\n{body}\0\n\n",
        body.len()
    );
    let frame = read_one(text.as_bytes()).unwrap();
    assert_eq!(frame.command, Command::Message);
    assert_eq!(
        frame.header("destination"),
        Some("/topic/com.cisco.ise.session")
    );
    assert_eq!(frame.body, body.as_bytes());
}

#[test]
fn headers_split_at_the_first_colon_unescaped_and_the_first_wins() {
    let frame =
        read_one(b"ERROR\nmessage:a\\cb:c\\\\d\\ne\\r\nmessage:second\n\nno length\0").unwrap();
    assert_eq!(frame.header("message"), Some("a:b:c\\d\ne\r"));
    assert_eq!(frame.body, "no length");
    let frame = read_one(b"CONNECTED\nversion:1.2\nserver:a\\x\n\n\0").unwrap();
    assert_eq!(frame.header("server"), Some("a\\x"));
}

#[test]
fn a_body_with_nul_needs_its_length() {
    let frame = read_one(b"MESSAGE\ncontent-length:3\n\na\0b\0").unwrap();
    assert_eq!(frame.body, b"a\0b".as_slice());
}

#[test]
fn headers_are_bounded_by_their_length_and_not_by_their_number() {
    let lines: Vec<String> = (0..1000).map(|n| format!("h{n}:{n}")).collect();
    let frame = format!("MESSAGE\n{}\n\nx\0", lines.join("\n"));
    let frame = read_one(frame.as_bytes()).unwrap();
    assert_eq!(frame.headers.len(), 1000);
    assert_eq!(frame.header("h999"), Some("999"));
}

#[test]
fn malformed_frames_are_told_apart() {
    let long = [b"MESSAGE\n".as_slice(), &vec![b'x'; MAX_LINE + 1], b":\n"].concat();
    let many = [
        b"MESSAGE\n".as_slice(),
        &b"a:b\n".repeat(MAX_HEAD / 4 + 1),
        b"\n\0",
    ]
    .concat();
    for (bytes, expected) in [
        (
            b"HTTP/1.1 200 OK\n".as_slice(),
            MalformedFrame::UnknownCommand,
        ),
        (b"\0", MalformedFrame::NulInHeader),
        (b"MESSAGE\nab\n", MalformedFrame::NoHeaderName),
        (b"MESSAGE\n:ab\n", MalformedFrame::NoHeaderName),
        (b"MESSAGE\na\0b:c\n", MalformedFrame::NulInHeader),
        (b"MESSAGE\na:\xff\n", MalformedFrame::NotUtf8),
        (b"MESSAGE\na:\\t\n", MalformedFrame::UndefinedEscape),
        (b"MESSAGE\na:b\\\n", MalformedFrame::UndefinedEscape),
        (
            b"MESSAGE\ncontent-length:+1\n\n",
            MalformedFrame::BadContentLength,
        ),
        (
            b"MESSAGE\ncontent-length:\n\n",
            MalformedFrame::BadContentLength,
        ),
        (
            b"MESSAGE\ncontent-length:8388609\n\n",
            MalformedFrame::BodyTooLong,
        ),
        (
            b"MESSAGE\ncontent-length:99999999999999999999999\n\n",
            MalformedFrame::BodyTooLong,
        ),
        (
            b"MESSAGE\ncontent-length:1\n\nab\0",
            MalformedFrame::NoNulAfterBody,
        ),
        (&long, MalformedFrame::LineTooLong),
        (&many, MalformedFrame::HeadTooLong),
    ] {
        assert_eq!(
            read_one(bytes),
            Err(expected),
            "{:?}",
            bytes.escape_ascii().to_string()
        );
    }
    assert_eq!(Error::from(MalformedFrame::NotUtf8).kind(), Kind::Malformed);
    let endless = [b"MESSAGE\n\n".as_slice(), &[b'x'; 11]].concat();
    let (_, malformed) = read(&endless, Reading::Server, 10, &[3]);
    assert_eq!(malformed, Some(MalformedFrame::BodyTooLong));
}

#[test]
fn frames_are_written_as_ise_reads_them() {
    let text = |frame: &Frame| String::from_utf8(frame.encode().unwrap()).unwrap();
    assert_eq!(
        text(&Frame::connect("~ise-pubsub-ise-34")),
        "CONNECT\naccept-version:1.2\nhost:~ise-pubsub-ise-34\n\n\0"
    );
    assert_eq!(
        text(&Frame::subscribe(
            "0",
            "/topic/a",
            Some("mac=='AA:BB' && user=='LAB\\kim'")
        )),
        "SUBSCRIBE\ndestination:/topic/a\nid:0\nfilter:mac=='AA:BB' && user=='LAB\\kim'\n\n\0"
    );
    assert_eq!(text(&Frame::unsubscribe("0")), "UNSUBSCRIBE\nid:0\n\n\0");
    assert_eq!(
        text(&Frame::send("/topic/a", "é")),
        "SEND\ndestination:/topic/a\ncontent-length:2\n\né\0"
    );
    assert_eq!(
        text(&Frame::send("/topic/a", "")),
        "SEND\ndestination:/topic/a\ncontent-length:0\n\n\0"
    );
    assert_eq!(
        text(&Frame::disconnect("bye")),
        "DISCONNECT\nreceipt:bye\n\n\0"
    );
    assert_eq!(
        text(&Frame::receipt("bye")),
        "RECEIPT\nreceipt-id:bye\n\n\0"
    );
    assert_eq!(
        text(&Frame::message("0", "/topic/a", 7, Some("ff"), "{}")),
        "MESSAGE\ntrace-id:ff\ndestination:/topic/a\nmessage-id:7\nsubscription:0\ncontent-length:2\n\n{}\0"
    );
}

#[test]
fn headers_that_cannot_be_plain_are_refused() {
    let fits = "x".repeat(MAX_SENT_LINE - "filter:".len());
    assert!(Frame::subscribe("0", "/t", Some(&fits)).encode().is_ok());
    for filter in [
        format!("{fits}x"),
        "a\nb".into(),
        "a\rb".into(),
        "a\0".into(),
    ] {
        let error = Frame::subscribe("0", "/t", Some(&filter))
            .encode()
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
    }
}

fn frames() -> impl Strategy<Value = Frame> {
    let header = ("[a-z-]{1,12}", "[^\\r\\n\\x00]{0,40}");
    (
        proptest::sample::select(Command::ALL.to_vec()),
        proptest::collection::vec(header, 0..6),
        proptest::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(|(command, headers, body)| Frame {
            command,
            headers: headers
                .into_iter()
                .filter(|(name, _)| name != "content-length")
                .collect(),
            body: body.into(),
        })
}

/// Bytes that look enough like frames to reach every branch.
fn near_frames() -> impl Strategy<Value = Vec<u8>> {
    let piece = proptest::sample::select(vec![
        b"MESSAGE".as_slice(),
        b"CONNECTED",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"a:b",
        b":",
        b"\\c",
        b"\\",
        b"content-length:3",
        b"content-length:30",
        b"content-length:31",
        b"xyz",
        b"\xc3",
        b"\xa9",
    ])
    .prop_map(<[u8]>::to_vec);
    proptest::collection::vec(prop_oneof![9 => piece, 1 => any::<Vec<u8>>()], 0..40)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        sent in proptest::collection::vec(frames(), 0..5),
        cuts in proptest::collection::vec(1_usize..50, 1..8),
    ) {
        let mut bytes = Vec::new();
        for frame in &sent {
            bytes.extend(frame.encode().unwrap());
            bytes.extend_from_slice(b"\r\n\n");
        }
        let (mut got, malformed) = read(&bytes, Reading::Client, MAX_BODY, &cuts);
        prop_assert_eq!(malformed, None);
        for frame in &mut got {
            let kept = frame.headers.iter().filter(|(name, _)| *name != "content-length");
            frame.headers = kept.collect();
        }
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn cuts_change_nothing(
        bytes in near_frames(),
        cuts in proptest::collection::vec(1_usize..9, 1..8),
    ) {
        for reading in [Reading::Server, Reading::Client] {
            let whole = read(&bytes, reading, 30, &[]);
            prop_assert_eq!(&read(&bytes, reading, 30, &cuts), &whole);
            prop_assert_eq!(&read(&bytes, reading, 30, &[1]), &whole);
        }
    }
}
