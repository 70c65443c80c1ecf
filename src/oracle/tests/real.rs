//! Answers of real servers, as far as public reports of Oracle's own drivers hold their bytes: the
//! form is theirs, byte for byte; names, keys and salts are replaced by others of the same length.
//! None of these servers is an ISE. Parts of the packets were not at hand and are left out.

use super::bytes;
use crate::oracle::answer::{Answers, End, Message};
use crate::oracle::column::{self, ColumnKind};
use crate::oracle::greeting::Client;
use crate::oracle::logon::{self, Identity, Randoms};
use crate::oracle::packet::{DATA, Packet};
use crate::oracle::reader::{Fault, Reader};

/// Text as digits.
fn hex(text: &str) -> String {
    logon::hex(text.as_bytes())
}

fn read(hex: &str, answers: &mut Answers) -> Message {
    let bytes = bytes(hex);
    let mut reader = Reader::new(&bytes);
    let message = answers.next(&mut reader).unwrap();
    assert_eq!(reader.position(), bytes.len());
    message
}

/// python-oracledb, report 176: a verifier of 11g, and beside it the rounds and salts of 12c. Its
/// half of the key has 32 bytes, where servers of 11g send 48.
fn mixed_logon() -> String {
    [
        "08 01 06 01 0C 0C",
        &hex("AUTH_SESSKEY"),
        "01 40 40",
        &hex(&"60C3B3442815A6FB".repeat(4)),
        "00 01 0D 0D",
        &hex("AUTH_VFR_DATA"),
        "01 14 14",
        &hex("7A29B6C2D7E5F83C9DBE"),
        "02 1B 25 01 14 14",
        &hex("AUTH_PBKDF2_CSK_SALT"),
        "01 20 20",
        &hex(&"1B14AAE3".repeat(4)),
        "00 01 16 16",
        &hex("AUTH_PBKDF2_VGEN_COUNT"),
        "01 04 04 34 30 39 36 00 01 16 16",
        // The report's excerpt ends here; these two are the last of the six.
        &hex("AUTH_PBKDF2_SDER_COUNT"),
        "01 01 01 33 00 01 1A 1A",
        &hex("AUTH_GLOBALLY_UNIQUE_DBID\0"),
        "01 20 20",
        &hex(&"4C4D".repeat(8)),
        "00",
    ]
    .concat()
    .replace(' ', "")
}

#[test]
fn a_verifier_of_11g_comes_with_the_rounds_of_12c() {
    let mut answers = Answers::new(12);
    answers.logging_on = true;
    assert_eq!(read(&mixed_logon(), &mut answers), Message::Aside);
    let server = &answers.parameters;
    assert_eq!(server.text("AUTH_PBKDF2_VGEN_COUNT"), Some("4096"));
    assert_eq!(logon::unknown_verifier(server), None);
    let client = Client {
        program: "netapi".to_owned(),
        machine: "host".to_owned(),
        user: "u".to_owned(),
    };
    let identity = Identity {
        user: "dataconnect",
        password: b"Lab-Password-1",
        client: &client,
        process: 1,
        connect_data: "",
    };
    let randoms = Randoms {
        half: [7; 48],
        password_salt: [1; 16],
        speedy_salt: [2; 16],
    };
    let (message, _) = logon::second_message(&identity, 2, server, &randoms).unwrap();
    let text = String::from_utf8_lossy(&message);
    // Half a key of 32 bytes, and nothing that only a verifier of 12c has.
    assert!(text.contains("AUTH_SESSKEY\u{1}@@"), "{text}");
    assert!(!text.contains("AUTH_PBKDF2_SPEEDY_KEY"), "{text}");
    assert!(text.contains("AUTH_PASSWORD\u{1}@@"), "{text}");
}

/// node-oracledb, report 1589: a server of 12.1 counts three bytes for each character in front of
/// the real length, and flags the packet that ends its answer.
#[test]
fn lengths_in_front_may_count_three_bytes_for_a_character() {
    let names = [
        "01 24 0C",
        &hex("AUTH_SESSKEY"),
        "01 C0 40",
        &hex(&"2A7FF11D427BA37C".repeat(4)),
        "00 01 27 0D",
        &hex("AUTH_VFR_DATA"),
        "01 60 20",
        &hex(&"A941E3E1".repeat(4)),
        "02 48 15",
    ]
    .concat();
    let message = format!("08 01 02 {names}").replace(' ', "");
    let content = bytes(&message);
    let length = u32::try_from(content.len() + 10).unwrap();
    let head = [&length.to_be_bytes()[..], &[6, 0, 0, 0, 0x20, 0]].concat();
    let (packet, _) = Packet::read(&[head, content.clone()].concat(), true).unwrap();
    assert_eq!((packet.kind, &packet.content), (DATA, &content));
    let mut answers = Answers::new(7);
    answers.logging_on = true;
    read(&message, &mut answers);
    let server = &answers.parameters;
    assert_eq!(server.text("AUTH_SESSKEY").map(str::len), Some(64));
    assert_eq!(logon::unknown_verifier(server), None);
}

/// The same report: how that answer ends.
#[test]
fn an_answer_of_12_1_ends() {
    let end = "04010102336A0000000000000000000000000000000000000000010000000000000000";
    let message = read(end, &mut Answers::new(7));
    assert_eq!(message, Message::Ended(End::default()));
}

/// go-ora, report 61, and node-oracledb, report 1585: accounts whose password is from before 11g.
#[test]
fn a_verifier_from_before_11g_is_known_as_one() {
    let logon = [
        "08 01 02 01 0C 0C",
        &hex("AUTH_SESSKEY"),
        "01 40 40",
        &hex(&"6C3A6F2C1E352B1C".repeat(4)),
        "00 01 0D 0D",
        &hex("AUTH_VFR_DATA"),
        "00 02 09 39",
    ];
    let mut answers = Answers::new(12);
    answers.logging_on = true;
    read(&logon.concat().replace(' ', ""), &mut answers);
    assert_eq!(logon::unknown_verifier(&answers.parameters), Some(0x939));
}

/// node-oracledb, report 1642: columns 349 to 353 of a result of a server of 19c. The text's
/// collation has a number, and each name 29 bytes.
#[test]
fn columns_of_19c_are_described() {
    let name = format!("01 1D 01 1D 1D {}", hex(&"C".repeat(29)));
    let columns = [
        "01 80 00 00 01 64 00 00 00 00 02 03 69 01 01 64 02 3F FE",
        &name,
        "00 00 02 01 5E 00",
        "02 00 01 00 01 16 00 00 00 00 00 00 00 00",
        &name,
        "00 00 02 01 5F 00",
        "60 80 00 00 01 24 00 00 00 00 02 03 69 01 01 24 02 3F FE",
        &name,
        "00 00 02 01 60 00",
        "0C 00 00 00 01 01 00 00 00 00 00 00 00 00",
        &name,
        "00 00 02 01 61 00",
    ]
    .concat();
    let result = format!("01 64 01 04 00 {columns} 00 00 00 00 00 00").replace(' ', "");
    let bytes = bytes(&result);
    let mut reader = Reader::new(&bytes);
    let columns = column::read_all(&mut reader, 12).unwrap();
    assert_eq!(reader.position(), bytes.len());
    let found: Vec<_> = columns.iter().map(|one| (one.kind, one.size)).collect();
    let wanted = [
        (ColumnKind::Text, 100),
        (ColumnKind::Number, 22),
        (ColumnKind::Text, 36),
        (ColumnKind::Time, 1),
    ];
    assert_eq!(found, wanted);
    assert!(columns.iter().all(|one| one.name.len() == 29));
    // Cut anywhere it waits for the rest.
    for end in 0..bytes.len() {
        let read = column::read_all(&mut Reader::new(&bytes[..end]), 12);
        assert!(matches!(read, Err(Fault::Incomplete(_))), "{end}");
    }
}

/// python-oracledb, report 39: what comes with the end of a logon, beside what is needed.
#[test]
fn what_else_comes_with_a_logon_is_passed_over() {
    let pairs = [
        ("AUTH_NLS_LXLAN", "AMERICAN"),
        ("AUTH_NLS_LXCSORT", "BINARY"),
        ("AUTH_NLS_LXCCALENDAR", "GREGORIAN"),
        ("AUTH_NLS_LXCUNIONCUR", "$"),
        ("AUTH_NLS_LXCTIMEFM", "HH.MI.SSXFF AM"),
        ("AUTH_NLS_LXCSTMPFM", "DD-MON-RR HH.MI.SSXFF AM"),
        ("AUTH_NLS_LXCTTZNFM", "HH.MI.SSXFF AM TZR"),
    ];
    // Each name there has a zero behind it.
    let pairs = pairs.map(|(name, value)| {
        let counted = |text: &str| format!("01{0:02X}{0:02X}{1}", text.len(), hex(text));
        format!("{}{}00", counted(&format!("{name}\0")), counted(value))
    });
    let mut answers = Answers::new(12);
    answers.logging_on = true;
    read(&format!("080107{}", pairs.concat()), &mut answers);
    let union = answers.parameters.text("AUTH_NLS_LXCUNIONCUR\0");
    assert_eq!(union, Some("$"));
}
