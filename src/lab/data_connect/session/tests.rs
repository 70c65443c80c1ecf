//! Whole conversations without a socket: a client's packets in, what comes back out.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Action, Session};
use crate::lab::data_connect::account::Account;
use crate::lab::data_connect::logon;
use crate::lab::data_connect::tns::{self, Framing, Packet};
use crate::lab::data_connect::ttc::Writer;
use crate::lab::data_connect::{PASSWORD, Release, Shared, Stage};
use crate::lab::faults::Faults;
use crate::lab::log::RequestLog;
use crate::lab::population::Population;
use crate::lab::session_directory::Directory;

const NOW: i64 = 1_795_489_445_000;

fn shared(faults: &[&str], release: Release) -> Arc<Shared> {
    let population = Population::new(1, 50, false, NOW).unwrap();
    let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(Shared {
        directory: Arc::new(Directory::new(population)),
        faults: Arc::new(Faults::new(faults)),
        log: Arc::new(RequestLog::default()),
        account: Account::new(PASSWORD, NOW),
        release,
        port: 2484,
        tls: Vec::new(),
    })
}

/// A client of connection `number`, which speaks as 19c's do.
struct Client {
    session: Session,
    framing: Framing,
    /// Methods and numbers of the log.
    notes: Vec<(&'static str, u32)>,
    is_closed: bool,
    waits: bool,
}

impl Client {
    fn new(shared: &Arc<Shared>, number: u64) -> Self {
        Self {
            session: Session::new(Arc::clone(shared), number),
            framing: Framing::default(),
            notes: Vec::new(),
            is_closed: false,
            waits: false,
        }
    }

    /// Sends a packet; the packets that come back.
    fn packet(&mut self, kind: u8, flags: u8, body: Vec<u8>) -> Vec<Packet> {
        let packet = Packet { kind, flags, body };
        let was_wide = self.session.is_wide();
        let now = Timestamp::from_millisecond(NOW).unwrap();
        let actions = self.session.packet(&packet, now);
        self.take(actions, was_wide)
    }

    fn take(&mut self, actions: Vec<Action>, was_wide: bool) -> Vec<Packet> {
        self.waits = false;
        for action in actions {
            match action {
                Action::Send(bytes) => self.framing.push(&bytes),
                Action::Note(method, _, _, code) => self.notes.push((method, code)),
                Action::Wait(time) => self.waits = !time.is_zero(),
                Action::Close => self.is_closed = true,
            }
        }
        let mut packets = Vec::new();
        while let Some(packet) = self.framing.next(was_wide).unwrap() {
            packets.push(packet);
        }
        packets
    }

    fn connect(&mut self, service: &str, flags: u8) -> Vec<Packet> {
        let data = format!("(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME={service})))");
        let mut body = Writer::default();
        body.u16(319);
        body.zeros(14);
        body.u16(u16::try_from(data.len()).unwrap());
        body.zeros(32);
        body.u32(8192);
        body.zeros(12);
        body.raw(data.as_bytes());
        self.packet(tns::CONNECT, flags, body.bytes)
    }

    /// Sends a message; the message that comes back, or the kind of packet where it is no message.
    fn message(&mut self, message: Writer) -> Result<Vec<u8>, Option<u8>> {
        let body = [vec![0, 0], message.bytes].concat();
        let packets = self.packet(tns::DATA, 0, body);
        let mut whole = Vec::new();
        for packet in &packets {
            let Some((payload, false)) = packet.payload().filter(|_| packet.kind == tns::DATA)
            else {
                return Err(Some(packet.kind));
            };
            whole.extend_from_slice(payload);
        }
        if packets.is_empty() {
            Err(None)
        } else {
            Ok(whole)
        }
    }

    fn greet(&mut self) {
        self.connect("cpm10", 0);
        let mut message = Writer::default();
        message.raw(&[1, 6, 0, b'x', 0]);
        assert_eq!(self.message(message).unwrap()[0], 1);
        assert_eq!(self.message(types()).unwrap()[0], 2);
    }

    /// The answer to the second step.
    fn log_on(&mut self, password: &str) -> Result<Vec<u8>, Option<u8>> {
        self.message(step(118, &[]))?;
        let challenge = self.session.challenge.clone().unwrap();
        let (half, secret, _) = logon::answer(&challenge, password);
        self.message(step(
            115,
            &[("AUTH_SESSKEY", &half), ("AUTH_PASSWORD", &secret)],
        ))
    }

    fn execute(&mut self, sql: &str) -> Result<Vec<u8>, Option<u8>> {
        let mut message = Writer::default();
        message.raw(&[3, 94, 1]);
        message.integer(0x8061);
        message.integer(0);
        message.u8(1);
        message.integer(sql.len() as u64);
        message.u8(1);
        message.integer(13);
        message.zeros(3);
        message.integer(2);
        // The longest LONG, and no binds, no defines, none of the rest.
        message.integer(0x7FFF_FFFF);
        message.zeros(2);
        message.zeros(5);
        message.zeros(2);
        message.zeros(1);
        message.zeros(3);
        message.zeros(6);
        message.zeros(1);
        message.zeros(7);
        message.string(sql.as_bytes());
        message.zeros(13);
        self.message(message)
    }
}

/// A message of types, of a client that reads every form.
fn types() -> Writer {
    let mut message = Writer::default();
    message.u8(2);
    message.zeros(5);
    message.string(&[0, 0, 0, 0, 0, 0, 0, 24]);
    message.string(&[2, 0]);
    message.u16(0);
    message
}

fn step(code: u8, pairs: &[(&str, &str)]) -> Writer {
    let mut message = Writer::default();
    message.raw(&[3, code, 1, 1]);
    message.integer(11);
    message.integer(1);
    message.u8(1);
    message.integer(pairs.len() as u64);
    message.raw(&[1, 1]);
    message.string(b"DataConnect");
    for (key, value) in pairs {
        message.counted_string(key.as_bytes());
        message.counted_string(value.as_bytes());
        message.integer(0);
    }
    message
}

fn says(message: &[u8], text: &str) -> bool {
    memchr::memmem::find(message, text.as_bytes()).is_some()
}

#[test]
fn a_logon_a_statement_and_an_error_behind_a_break() {
    let shared = shared(&[], Release::Of19c);
    let mut client = Client::new(&shared, 1);
    client.greet();
    let welcome = client.log_on(PASSWORD).unwrap();
    assert!(says(&welcome, "AUTH_SVR_RESPONSE"));
    let rows = client.execute("SELECT 'seen' FROM DUAL").unwrap();
    assert_eq!(rows[0], 16);
    assert!(says(&rows, "seen") && says(&rows, "ORA-01403"));
    assert_eq!(
        client.execute("SELECT nope FROM DUAL"),
        Err(Some(tns::MARKER))
    );
    let after = client.packet(tns::MARKER, 0, vec![1, 0, tns::RESET]);
    assert_eq!(after.len(), 2);
    assert_eq!(after[0].body[2], tns::RESET);
    assert!(says(&after[1].body, "ORA-00904"));
    assert!(client.execute("SELECT 1 FROM DUAL").is_ok());
    let notes = [
        ("CONNECT", 0),
        ("LOGON", 0),
        ("EXECUTE", 0),
        ("EXECUTE", 904),
        ("EXECUTE", 0),
    ];
    assert_eq!(client.notes, notes);
}

#[test]
fn a_wrong_password_is_counted_and_nothing_is_asked_before_the_logon() {
    let shared = shared(&[], Release::Of19c);
    let mut client = Client::new(&shared, 1);
    client.greet();
    assert!(says(
        &client.execute("SELECT 1 FROM DUAL").unwrap(),
        "ORA-01012"
    ));
    assert!(says(
        &client.log_on("Wrong-Connect-1").unwrap(),
        "ORA-01017"
    ));
    assert_eq!(client.notes.last(), Some(&("LOGON", 1017)));
}

#[test]
fn an_interrupt_ends_a_slow_statement_and_the_session_goes_on() {
    let shared = shared(&["dc-slow@1"], Release::Of19c);
    let mut client = Client::new(&shared, 1);
    client.greet();
    client.log_on(PASSWORD).unwrap();
    assert_eq!(client.execute("SELECT 1 FROM DUAL"), Err(None));
    assert!(client.waits);
    let broken = client.packet(tns::MARKER, 0, vec![1, 0, tns::INTERRUPT]);
    assert_eq!(broken[0].body[2], tns::BREAK);
    assert_eq!(client.notes.last(), Some(&("INTERRUPT", 1013)));
    let reset = client.packet(tns::MARKER, 0, vec![1, 0, tns::RESET]);
    assert!(says(&reset[1].body, "ORA-01013"));
    assert!(client.execute("SELECT 1 FROM DUAL").is_ok());
}

#[test]
fn faults_silence_or_cut_each_stage() {
    for stage in Stage::ALL {
        for fault in ["dc-hang", "dc-drop"] {
            let shared = shared(&[&format!("{fault}:{}", stage.name())], Release::Of19c);
            let mut client = Client::new(&shared, 1);
            // The TLS handshake is the server's, and a fetch is not tried here.
            if stage == Stage::Tls || stage == Stage::Fetch {
                continue;
            }
            let outcome = (|| {
                if client.connect("cpm10", 0).is_empty() {
                    return Stage::Connect;
                }
                let mut message = Writer::default();
                message.raw(&[1, 6, 0, b'x', 0]);
                if client.message(message).is_err() {
                    return Stage::Protocol;
                }
                if client.message(types()).is_err() {
                    return Stage::Types;
                }
                if client.message(step(118, &[])).is_err() {
                    return Stage::LogonBegin;
                }
                if client.log_on(PASSWORD).is_err() {
                    return Stage::LogonEnd;
                }
                assert!(client.execute("SELECT 1 FROM DUAL").is_err());
                Stage::Execute
            })();
            assert_eq!(outcome, stage, "{fault}");
            assert_eq!(client.is_closed, fault == "dc-drop", "{fault} {stage:?}");
        }
    }
}

#[test]
fn the_listener_asks_again_redirects_and_refuses() {
    let plain = shared(&[], Release::Of19c);
    let mut second = Client::new(&plain, 2);
    assert_eq!(second.connect("cpm10", 0)[0].kind, tns::RESEND);
    assert_eq!(second.connect("CPM10", 0)[0].kind, tns::ACCEPT);
    let mut stranger = Client::new(&plain, 1);
    let refused = stranger.connect("nope", 0);
    assert_eq!(refused[0].kind, tns::REFUSE);
    assert!(says(&refused[0].body, "(ERR=12514)") && stranger.is_closed);
    let redirecting = shared(&["dc-redirect"], Release::Of19c);
    let mut client = Client::new(&redirecting, 1);
    let packets = client.connect("cpm10", 0);
    assert_eq!(
        (packets[0].kind, packets[1].kind),
        (tns::REDIRECT, tns::DATA)
    );
    assert!(says(&packets[1].body, "(PORT=2484)"));
    let mut again = Client::new(&redirecting, 3);
    assert_eq!(again.connect("cpm10", tns::REDIRECTED)[0].kind, tns::ACCEPT);
}

#[test]
fn nonsense_is_an_error_or_the_end() {
    let shared = shared(&[], Release::Of23ai);
    for message in [
        &[3, 250, 1, 0][..],
        &[99],
        &[3, 5, 1, 9],
        &[17, 105, 1, 1, 4, 255, 255, 255, 255],
    ] {
        let mut client = Client::new(&shared, 1);
        client.greet();
        let mut writer = Writer::default();
        writer.raw(message);
        let answer = client.message(writer);
        assert!(
            answer.is_err() || says(&answer.unwrap(), "ORA-"),
            "{message:?}"
        );
    }
    let mut client = Client::new(&shared, 1);
    assert!(client.packet(77, 0, Vec::new()).is_empty() && client.is_closed);
}
