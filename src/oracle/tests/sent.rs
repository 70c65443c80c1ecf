//! What this client sends, held byte for byte against what python-oracledb 26.1.0 (thin) sent to
//! servers in the form of 19c (`recorded.txt`). Each difference is named where it is allowed.

use crate::authority::Authority;
use crate::oracle::capabilities;
use crate::oracle::column;
use crate::oracle::greeting::{self, Client};
use crate::oracle::logon::{self, Identity, Parameters, Randoms};
use crate::oracle::packet::{self, Marker};
use crate::oracle::reader::Reader;
use crate::oracle::statement::{self, Bind, Form};

use super::bytes;

/// What the servers of the recordings sent.
const SESSION_KEY_12C: &str = "94C211F29958D30B4E0E480088F823649CC9882698DD76ADF64DBB7275951815";
const SESSION_KEY_11G: &str = "A30C0DB8364159F53FDF3C76837508BC59E42CB424F16CF504EC7AC12DE74A0F8CD0A1A41FE77822\
     2852D48FEC320B95";
const CONNECTED_12C: &str = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=44845))(CONNECT_DATA=(SERVICE_NAME=cpm10)(CONNECTION_ID=ERgfJi00O0JJUFdeZWxzeg==)))";
const CONNECTED_11G: &str = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=55293))(CONNECT_DATA=(SERVICE_NAME=cpm10)(CONNECTION_ID=ERgfJi00O0JJUFdeZWxzeg==)))";
const PROCESS: u32 = 22395;
/// Where the server of the recording of the first packet was.
const PORT: u16 = 36045;

/// The recorded bytes under this title.
fn recorded(title: &str) -> Vec<u8> {
    let text = include_str!("recorded.txt");
    let (_, rest) = text.split_once(&format!("[{title}]\n")).unwrap();
    let (section, _) = rest.split_once("\n\n").unwrap_or((rest, ""));
    bytes(&section.replace('\n', ""))
}

/// Ours and theirs, shown as digits where they differ.
#[track_caller]
fn same(title: &str, ours: &[u8]) {
    let theirs = recorded(title);
    assert_eq!(logon::hex(ours), logon::hex(&theirs), "{title}");
}

fn form(sequence: u8) -> Form {
    Form {
        field_version: 12,
        sequence,
    }
}

fn client() -> Client {
    Client {
        program: "netapi".to_owned(),
        machine: "host".to_owned(),
        user: "u".to_owned(),
    }
}

/// Where two lists of bytes of one length differ.
fn differences(ours: &[u8], theirs: &[u8]) -> Vec<usize> {
    assert_eq!(ours.len(), theirs.len());
    let both = ours.iter().zip(theirs).enumerate();
    both.filter(|(_, (a, b))| a != b)
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn connecting_is_theirs_but_for_the_version_and_an_id() {
    let theirs = recorded("connect");
    let (head, data) = theirs.split_at(74);
    let to = Authority::new("localhost", PORT);
    let ours = greeting::connect_data(&to, "cpm10", &client());
    // Their connect data has an id of the connection, for logs of listeners that pool.
    let theirs = String::from_utf8(data.to_vec()).unwrap();
    let (before, rest) = theirs.split_once("(CONNECTION_ID=").unwrap();
    let (_, after) = rest.split_once(')').unwrap();
    assert_eq!(ours, format!("{before}{after}"));
    let packet = greeting::first_packets(ours.as_bytes(), 0);
    // 0, 1 and 24, 25: lengths, which are shorter by the id. 9: we ask for 318 and not for 319.
    let lengths = [1, 9, 25];
    assert_eq!(packet[0], 0);
    let found = differences(&packet[..74], head);
    let allowed = [&[0][..], &lengths].concat();
    assert!(found.iter().all(|at| allowed.contains(at)), "{found:?}");
    assert_eq!(&packet[74..], ours.as_bytes());
    assert_eq!([packet[8], packet[9]], 318u16.to_be_bytes());
}

#[test]
fn connect_data_that_are_long_have_a_packet_of_their_own() {
    let long = greeting::first_packets(&[b'x'; 231], 0);
    assert_eq!(long[..2], [0, 74]);
    assert_eq!(long[74..84], [0, 241, 0, 0, 6, 0, 0, 0, 0, 0]);
}

#[test]
fn the_protocol_is_theirs_but_for_the_name() {
    let theirs = recorded("protocol");
    let ours = capabilities::protocol_message();
    // Which program asks, as text with a zero behind it.
    let without = |message: &[u8], name: &[u8]| {
        let named = [name, b"\0"].concat();
        message.strip_suffix(&named[..]).unwrap().to_vec()
    };
    assert_eq!(
        without(&ours, b"netapi"),
        without(&theirs, b"python-oracledb")
    );
}

#[test]
fn capabilities_and_types_are_theirs_without_what_is_not_used() {
    let theirs = recorded("types");
    let ours = capabilities::types_message(12);
    // Behind the message's number, two character sets, a flag and the length of the list.
    let list = 7;
    let unused = [
        // Vectors, tokens, requests in a pipeline and how to break it, transactions without a
        // session.
        44, // Fast logon, ends of answers: what 319 brought.
        45, // Vectors that are sparse or of bits.
        52, // Sessions that are pooled by the server.
        54,
    ];
    // All 322 types and the rest are theirs, to the last byte.
    assert_eq!(
        differences(&ours, &theirs),
        unused.map(|capability| list + capability)
    );
    assert!(unused.iter().all(|capability| ours[list + capability] == 0));
    assert_eq!(ours.len(), 76 + 322 * 8 + 2);
}

fn parameters(verifier: u32, salt: &str, key: &str) -> Parameters {
    let list = [
        ("AUTH_SESSKEY", key, 1),
        ("AUTH_VFR_DATA", salt, verifier),
        (
            "AUTH_PBKDF2_CSK_SALT",
            "101112131415161718191A1B1C1D1E1F",
            0,
        ),
        ("AUTH_PBKDF2_VGEN_COUNT", "4096", 0),
        ("AUTH_PBKDF2_SDER_COUNT", "3", 0),
    ];
    let list = list.map(|(name, value, flags)| (name.to_owned(), value.to_owned(), flags));
    Parameters(list.to_vec())
}

/// As the recording's randoms were made.
fn fixed<const N: usize>(drawn: usize) -> [u8; N] {
    std::array::from_fn(|at| u8::try_from((at * 7 + N + drawn) % 256).unwrap())
}

fn identity<'i>(client: &'i Client, connect_data: &'i str) -> Identity<'i> {
    Identity {
        user: "dataconnect",
        password: b"Lab-Password-1",
        client,
        process: PROCESS,
        connect_data,
    }
}

#[test]
fn the_logon_is_theirs() {
    let client = client();
    let first = logon::first_message(&identity(&client, ""), 1);
    same("logon, first half", &first);
    let mut half = [0; 48];
    half[..32].copy_from_slice(&fixed::<32>(2));
    let randoms = Randoms {
        half,
        speedy_salt: fixed(3),
        password_salt: fixed(4),
    };
    let server = parameters(0x4815, "000102030405060708090A0B0C0D0E0F", SESSION_KEY_12C);
    compare_second(&server, &randoms, "12c", CONNECTED_12C);
    let randoms = Randoms {
        half: fixed(2),
        speedy_salt: [0; 16],
        password_salt: fixed(3),
    };
    let server = parameters(0xb152, "00010203040506070809", SESSION_KEY_11G);
    compare_second(&server, &randoms, "11g", CONNECTED_11G);
}

fn compare_second(server: &Parameters, randoms: &Randoms, verifier: &str, data: &str) {
    let client = client();
    let made = logon::second_message(&identity(&client, data), 2, server, randoms);
    let (ours, _) = made.unwrap();
    let theirs = recorded(&format!("logon, second half, verifier of {verifier}"));
    // The number of the driver's version is each one's own.
    let parts = |message: &[u8]| {
        let text = String::from_utf8_lossy(message).into_owned();
        let (before, rest) = text.split_once("SESSION_CLIENT_VERSION").unwrap();
        let (_, after) = rest.split_once("AUTH_ALTER_SESSION").unwrap();
        (before.to_owned(), after.to_owned())
    };
    assert_eq!(parts(&ours), parts(&theirs));
}

#[test]
fn statements_are_theirs() {
    let execute = statement::execute(form(3), "SELECT a, b FROM t", &[], 200, true);
    same("execute", &execute);
    same("fetch", &statement::fetch(form(4), 7, 1000));
    let mac = Bind::Text("AA:BB:CC:00:11:22".to_owned());
    let sql = "SELECT a FROM t WHERE a = :mac";
    let execute = statement::execute(form(5), sql, &[mac], 200, true);
    same("execute with a bind", &execute);
    let execute = statement::execute(form(6), "SELECT n, c, v, t FROM l", &[], 200, true);
    same("execute for LOBs", &execute);
    let sql = "ALTER SESSION DISABLE PARALLEL QUERY";
    let execute = statement::execute(form(9), sql, &[], 200, false);
    same("execute what brings no rows", &execute);
}

#[test]
fn lobs_are_defined_as_theirs() {
    // NUMBER, CLOB, VARCHAR2(50), TIMESTAMP.
    let described = "0164010400020000000116000000000000000001010101014e0000000070000000020fa00000\
         000002036901020fa00001010101014300000000010000000132000000000203690101320001\
         010101015600000000b4000000010b0000000000000000010101010154000000000000000000\
         00";
    let described = bytes(described);
    let columns = column::read_all(&mut Reader::new(&described), 12);
    let columns = columns.unwrap();
    same("define", &statement::define(form(7), 9, &columns, 200));
}

#[test]
fn stopping_and_leaving_are_theirs() {
    same("interrupt", &packet::write_marker(Marker::Interrupt));
    same("reset", &packet::write_marker(Marker::Reset));
    let close = statement::close_and_log_off(form(10), Some(7));
    same("close and log off", &close);
    same("end of file", &packet::write_end());
}
