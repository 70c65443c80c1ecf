//! What this client sends, held against what python-oracledb 26.1.0 (thin) sent to a server that
//! answers as 19c, with fixed randoms. Each difference is named where it is allowed.

use super::capabilities;
use super::greeting::{self, Client};
use super::logon::{self, Identity, Parameters, Randoms};
use super::reader::Reader;
use super::statement::{self, Bind, Form};
use super::{answer::Answers, answer::Message, column};

const CONNECT: &str = "0100000001000000013f012c0401200020004f980000000100b6004a000000008484000000000000\
     00000000000000000000000000000000000000002000000020000000000000000001";
const TYPES_CAPABILITIES: &str = "0269036903033706000000ea18000c010100000000002990030703000100cf000004010000001000\
     000c2000b80008440005003e230000000000000300040d02000000000005000000000000";
const LOGON_1: &str = "03760101010b010101010501010b64617461636f6e6e656374010d0d415554485f5445524d494e41\
     4c010707756e6b6e6f776e00010f0f415554485f50524f4752414d5f4e4d0106066e657461706900\
     010c0c415554485f4d414348494e45010404686f737400010808415554485f504944010505323233\
     393500010808415554485f5349440101017500";
const LOGON_2_12C: &str = "03730201010b02010101010801010b64617461636f6e6e656374010c0c415554485f534553534b45\
     59014040333438433231353544344231453838373933323839434530463744314437434530373338\
     444131454341443843383232303046414642413645323739393533460101011616415554485f5042\
     4b4446325f5350454544595f4b455901a0a035324242353544333346394437444538333541394635\
     34453433383033383241353336433834304230334230314635453241453642343544423632423536\
     36343239304335343631383031433832373834333131453944444539343232434431333936353930\
     46363235354530364541423043453738364444343841393543373146383338333439313334334636\
     45373531463139363245323638364132413100010d0d415554485f50415353574f52440140404236\
     41453034394331413834343032394345454441333637354135413744313136414431353031413431\
     424141384136354646454233443343374241363439300001161653455353494f4e5f434c49454e54\
     5f4348415253455401030338373300011a1a53455353494f4e5f434c49454e545f4452495645525f\
     4e414d450112126e65746170692074686e203a20302e312e300001161653455353494f4e5f434c49\
     454e545f56455253494f4e01090934333732353631393200011212415554485f414c5445525f5345\
     5353494f4e012525414c5445522053455353494f4e205345542054494d455f5a4f4e453d272b3030\
     3a303027000101011313415554485f434f4e4e4543545f535452494e47018d8d2844455343524950\
     54494f4e3d28414444524553533d2850524f544f434f4c3d7463702928484f53543d3132372e302e\
     302e312928504f52543d3434383435292928434f4e4e4543545f444154413d28534552564943455f\
     4e414d453d63706d31302928434f4e4e454354494f4e5f49443d455267664a6930304f304a4a5546\
     64655a57787a65673d3d29292900";
const LOGON_2_11G: &str = "03730201010b02010101010701010b64617461636f6e6e656374010c0c415554485f534553534b45\
     59016060313346433843433232464231413039304145374533413935413337393430373543314532\
     44333432433742393432384142434644453844313237344537303935454533303035424235334445\
     46383743353636373239463531394442463536360101010d0d415554485f50415353574f52440140\
     40414245303345383631313538374444313938383232364432374342463942374536453739323830\
     434344384233303042463542343841303934314245333931380001161653455353494f4e5f434c49\
     454e545f4348415253455401030338373300011a1a53455353494f4e5f434c49454e545f44524956\
     45525f4e414d450112126e65746170692074686e203a20302e312e300001161653455353494f4e5f\
     434c49454e545f56455253494f4e01090934333732353631393200011212415554485f414c544552\
     5f53455353494f4e012525414c5445522053455353494f4e205345542054494d455f5a4f4e453d27\
     2b30303a303027000101011313415554485f434f4e4e4543545f535452494e47018d8d2844455343\
     52495054494f4e3d28414444524553533d2850524f544f434f4c3d7463702928484f53543d313237\
     2e302e302e312928504f52543d3535323933292928434f4e4e4543545f444154413d285345525649\
     43455f4e414d453d63706d31302928434f4e4e454354494f4e5f49443d455267664a6930304f304a\
     4a554664655a57787a65673d3d29292900";
const EXECUTE: &str = "035e030280610001011201010d00000001c8047fffffff0000000000000000000000010000000000\
     000000000000000000001253454c45435420612c20622046524f4d20740101000000000000010100\
     028000000000";
const FETCH: &str = "03050401070203e8";
const EXECUTE_WITH_BIND: &str = "035e050280690001011e01010d00000001c8047fffffff0101010000000000000000000100000000\
     00000000000000000000001e53454c45435420612046524f4d20742057484552452061203d203a6d\
     6163010100000000000001010002800000000001010000014400000000020369010000071141413a\
     42423a43433a30303a31313a3232";
const EXECUTE_LOB: &str = "035e060280610001011801010d00000001c8047fffffff0000000000000000000000010000000000\
     000000000000000000001853454c454354206e2c20632c20762c20742046524f4d206c0101000000\
     000000010100028000000000";
const DEFINE: &str = "035e070280100109000001010d00000001c8047fffffff0000000000000001010400000100000000\
     00000000000000000000000001c80000000000010100000000000201000001160000000000000000\
     08010000047fffffff000000000203690100000101000001c800000000020369010000b401000001\
     0b0000000000000000";
const COMMAND: &str = "035e090280210001012401010d0000000101047fffffff0000000000000000000000010000000000\
     0000000000000000000024414c5445522053455353494f4e2044495341424c4520504152414c4c45\
     4c2051554552590101010100000000000000028000000000";
const CLOSE: &str = "11690a010101010703090b";

/// What the recording's server sent.
const SESSION_KEY_12C: &str = "94C211F29958D30B4E0E480088F823649CC9882698DD76ADF64DBB7275951815";
const SESSION_KEY_11G: &str = "A30C0DB8364159F53FDF3C76837508BC59E42CB424F16CF504EC7AC12DE74A0F8CD0A1A41FE77822\
     2852D48FEC320B95";
const CONNECTED_12C: &str = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=44845))(CONNECT_DATA=(SERVICE_NAME=cpm10)(CONNECTION_ID=ERgfJi00O0JJUFdeZWxzeg==)))";
const CONNECTED_11G: &str = "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT=55293))(CONNECT_DATA=(SERVICE_NAME=cpm10)(CONNECTION_ID=ERgfJi00O0JJUFdeZWxzeg==)))";
const PROCESS: u32 = 22395;

const SQL_TWO: &str = "SELECT a, b FROM t";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let digits = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
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
fn the_first_packet_is_theirs_but_for_the_version() {
    let theirs = bytes(CONNECT);
    let ours = greeting::first_packets(&[b'x'; 182], 0);
    // 9: we ask for 318 and not for 319. 12, 73: theirs went over TCP, where there is attention.
    assert_eq!(differences(&ours[..74], &theirs), [9, 12, 73]);
    // Connect data that is long has a packet of its own.
    let long = greeting::first_packets(&[b'x'; 231], 0);
    assert_eq!(long[..2], [0, 74]);
    assert_eq!(long[74..84], [0, 241, 0, 0, 6, 0, 0, 0, 0, 0]);
}

#[test]
fn the_capabilities_are_theirs_without_what_is_not_used() {
    let theirs = bytes(TYPES_CAPABILITIES);
    let ours = capabilities::types_message(12);
    let list = 7;
    let unused = [44, 45, 52, 54].map(|at| list + at);
    assert_eq!(differences(&ours[..theirs.len()], &theirs), unused);
    // And the list of 322 types, of eight bytes each.
    assert_eq!(ours.len(), theirs.len() + 322 * 8 + 2);
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
    assert_eq!(first, bytes(LOGON_1));
    let mut half = [0; 48];
    half[..32].copy_from_slice(&fixed::<32>(2));
    let randoms = Randoms {
        half,
        speedy_salt: fixed(3),
        password_salt: fixed(4),
    };
    let server = parameters(0x4815, "000102030405060708090A0B0C0D0E0F", SESSION_KEY_12C);
    compare_second(&server, &randoms, LOGON_2_12C, CONNECTED_12C);
    let randoms = Randoms {
        half: fixed(2),
        speedy_salt: [0; 16],
        password_salt: fixed(3),
    };
    let server = parameters(0xb152, "00010203040506070809", SESSION_KEY_11G);
    compare_second(&server, &randoms, LOGON_2_11G, CONNECTED_11G);
}

fn compare_second(server: &Parameters, randoms: &Randoms, theirs: &str, data: &str) {
    let client = client();
    let made = logon::second_message(&identity(&client, data), 2, server, randoms);
    let (ours, _) = made.unwrap();
    let theirs = bytes(theirs);
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
    let execute = statement::execute(form(3), SQL_TWO, &[], 200, true);
    assert_eq!(execute, bytes(EXECUTE));
    assert_eq!(statement::fetch(form(4), 7, 1000), bytes(FETCH));
    let mac = Bind::Text("AA:BB:CC:00:11:22".to_owned());
    let sql = "SELECT a FROM t WHERE a = :mac";
    let execute = statement::execute(form(5), sql, &[mac], 200, true);
    assert_eq!(execute, bytes(EXECUTE_WITH_BIND));
    let execute = statement::execute(form(6), "SELECT n, c, v, t FROM l", &[], 200, true);
    assert_eq!(execute, bytes(EXECUTE_LOB));
    let sql = "ALTER SESSION DISABLE PARALLEL QUERY";
    let execute = statement::execute(form(9), sql, &[], 200, false);
    assert_eq!(execute, bytes(COMMAND));
    let close = statement::close_and_log_off(form(10), Some(7));
    assert_eq!(close, bytes(CLOSE));
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
    let define = statement::define(form(7), 9, &columns, 200);
    assert_eq!(define, bytes(DEFINE));
}

/// Two rows, of which the second has the first's text, with a server's addition between them.
const ANSWER: &str = "10070000000000000001640102000100000001640000000002036901016400010101010141000000\
     00020000000116000000000000000001010101014200000000000000000000060000000000000007\
     017802c102170700150101020702c103040101000000000001070000000000000000000000000000\
     0000000000000002057b00184f52412d30313430333a206e6f206461746120666f756e64";

#[test]
fn an_answer_is_read_the_same_wherever_packets_part_it() {
    let answer = bytes(ANSWER);
    for split in 0..=answer.len() {
        let mut answers = Answers::new(12);
        let mut rows = Vec::new();
        let (mut at, mut there, mut ended) = (0, split, false);
        while !ended {
            let mut reader = Reader::new(&answer[at..there]);
            match answers.next(&mut reader) {
                Ok(message) => {
                    at += reader.position();
                    match message {
                        Message::Row => rows.push((
                            answers.row.value(0).map(<[u8]>::to_vec),
                            answers.row.value(1).map(<[u8]>::to_vec),
                        )),
                        Message::Ended(end) => {
                            assert!(end.exhausted && end.cursor == 7);
                            ended = true;
                        }
                        Message::Described | Message::Aside => {}
                    }
                }
                Err(super::reader::Fault::Incomplete(needed)) => {
                    assert!(there < answer.len() && needed > there - at);
                    there = answer.len();
                }
                Err(fault) => panic!("{split}: {fault:?}"),
            }
        }
        assert_eq!(
            rows,
            [
                (Some(b"x".to_vec()), Some(vec![193, 2])),
                (Some(b"x".to_vec()), Some(vec![193, 3])),
            ]
        );
    }
}

#[test]
fn a_million_columns_are_refused() {
    // A description, its count, and nothing behind it.
    let lies = bytes("10000164030f4240");
    let mut answers = Answers::new(12);
    let read = answers.next(&mut Reader::new(&lies));
    assert!(matches!(read, Err(super::reader::Fault::Malformed(_))));
}

/// No bytes make the readers panic, or read for ever.
#[test]
fn any_bytes_are_read_without_harm() {
    use proptest::prelude::*;
    proptest!(|(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0usize..600)| {
        super::read_anything(&bytes);
        // Half of an answer that is sound.
        let sound = self::bytes(ANSWER);
        let mut mixed = sound.get(..at.min(sound.len())).unwrap_or_default().to_vec();
        mixed.append(&mut bytes);
        super::read_anything(&mixed);
    });
}
