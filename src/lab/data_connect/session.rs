//! One client's session: what it says in, what is answered out. No I/O and no clock: packets and
//! the end of waits come in with the time, and [`Action`]s go out. The logon is in `logon_steps`,
//! what is done with statements in `statements`.

mod logon_steps;
mod statements;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::statements::{Cursor, Job};
use super::Shared;
use super::answer;
use super::greeting::{self, Agreed, Connect, Types};
use super::logon::Challenge;
use super::request::{Form, Message, Request};
use super::sql::SqlError;
use super::stage::Stage;
use super::tns::{self, Packet};
use super::ttc::{ReadError, Writer};
use crate::lab::faults::FaultKind;

/// The longest message of a client.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// What the connection is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send(Vec<u8>),
    /// Call [`Session::waited`] after so long, if no packet came before.
    Wait(Duration),
    /// An entry of the log: method, subject, user, Oracle's number.
    Note(&'static str, String, Option<String>, u32),
    /// Close the connection.
    Close,
}

/// The session.
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts that come and go each by itself"
)]
pub(super) struct Session {
    shared: Arc<Shared>,
    number: u64,
    agreed: Option<Agreed>,
    connect: Option<Connect>,
    is_redirected: bool,
    resent: bool,
    message: Vec<u8>,
    field_version: u8,
    challenge: Option<Challenge>,
    user: Option<String>,
    is_logged_on: bool,
    zone_minutes: Option<i16>,
    cursors: HashMap<u64, Cursor>,
    next_cursor: u64,
    job: Option<Job>,
    /// What a client that resets the line gets to know.
    pending: Option<SqlError>,
    is_silent: bool,
    actions: Vec<Action>,
}

impl Session {
    /// Of connection `number`.
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Self {
        Self {
            shared,
            number,
            agreed: None,
            connect: None,
            is_redirected: false,
            resent: false,
            message: Vec::new(),
            field_version: 12,
            challenge: None,
            user: None,
            is_logged_on: false,
            zone_minutes: None,
            cursors: HashMap::new(),
            next_cursor: 1,
            job: None,
            pending: None,
            is_silent: false,
            actions: Vec::new(),
        }
    }

    /// Whether the lengths of packets have four bytes.
    pub(super) fn is_wide(&self) -> bool {
        self.agreed.is_some()
    }

    /// Takes a packet.
    pub(super) fn packet(&mut self, packet: &Packet, now: Timestamp) -> Vec<Action> {
        match packet.kind {
            tns::CONNECT => self.connect(packet),
            tns::MARKER => self.marker(packet.body.get(2).copied().unwrap_or(tns::BREAK)),
            tns::DATA => match packet.payload() {
                Some((_, true)) | None => self.actions.push(Action::Close),
                Some((payload, false)) => {
                    let payload = payload.to_vec();
                    self.data(&payload, now);
                }
            },
            _ => self.actions.push(Action::Close),
        }
        std::mem::take(&mut self.actions)
    }

    /// A wait is over.
    pub(super) fn waited(&mut self) -> Vec<Action> {
        self.work();
        std::mem::take(&mut self.actions)
    }

    fn has(&self, fault: FaultKind, subject: &str) -> bool {
        self.shared.faults.of_data_connect(fault, subject)
    }

    /// Whether the session goes on: a fault may silence or cut it here.
    fn passes(&mut self, stage: Stage) -> bool {
        if self.has(FaultKind::DcHang, stage.name()) {
            self.is_silent = true;
        } else if self.has(FaultKind::DcDrop, stage.name()) {
            self.actions.push(Action::Close);
        } else {
            return true;
        }
        false
    }

    fn note(&mut self, method: &'static str, subject: impl Into<String>, code: u32) {
        let user = self.user.clone();
        self.actions
            .push(Action::Note(method, subject.into(), user, code));
    }

    fn connect(&mut self, packet: &Packet) {
        let Ok(connect) = Connect::read(&packet.body) else {
            return self.actions.push(Action::Close);
        };
        let is_whole = connect.data.len() >= connect.length;
        self.is_redirected = packet.flags & tns::REDIRECTED != 0;
        self.connect = Some(connect);
        if is_whole {
            self.listen();
        }
    }

    /// The listener's answer to whole connect data.
    fn listen(&mut self) {
        let Some(connect) = self.connect.take() else {
            return;
        };
        if !self.passes(Stage::Connect) {
            return;
        }
        let service = connect
            .value("SERVICE_NAME")
            .or_else(|| connect.value("SID"));
        let service = service.unwrap_or_default();
        // A real listener asks for the packet again now and then.
        if !self.resent && self.number % 3 == 2 {
            self.resent = true;
            return self.send_packet(tns::RESEND, 0, &[]);
        }
        let is_redirected = self.is_redirected || connect.value("INSTANCE_NAME").is_some();
        if !is_redirected && self.has(FaultKind::DcRedirect, "connect") {
            self.note("REDIRECT", service, 0);
            let text = greeting::redirect(self.shared.port, &connect);
            let length = u16::try_from(text.len()).unwrap_or(0);
            self.send_packet(tns::REDIRECT, tns::TWO_TEXTS, &length.to_be_bytes());
            return self
                .actions
                .push(Action::Send(tns::data(&text, 8192, false, false)));
        }
        let is_known = service.eq_ignore_ascii_case(super::SERVICE);
        if !is_known || self.has(FaultKind::DcWrongService, "connect") {
            let code = if connect.value("SID").is_some() {
                12_505
            } else {
                12_514
            };
            self.note("CONNECT", service, u32::from(code));
            self.send_packet(tns::REFUSE, 0, &greeting::refuse(code));
            return self.actions.push(Action::Close);
        }
        let Some((body, agreed)) = greeting::accept(&connect, self.shared.release()) else {
            return self.actions.push(Action::Close);
        };
        self.note("CONNECT", service, 0);
        self.send_packet(tns::ACCEPT, 0, &body);
        self.agreed = Some(agreed);
    }

    fn send_packet(&mut self, kind: u8, flags: u8, body: &[u8]) {
        self.actions
            .push(Action::Send(tns::packet(kind, flags, body, false)));
    }

    fn data(&mut self, payload: &[u8], now: Timestamp) {
        if let Some(connect) = &mut self.connect {
            connect.data.extend_from_slice(payload);
            if connect.data.len() >= connect.length {
                self.listen();
            }
            return;
        }
        if self.agreed.is_none() || self.pending.is_some() || self.is_silent {
            return;
        }
        self.message.extend_from_slice(payload);
        let cursors = &self.cursors;
        let binds_of = |id: u64| {
            cursors
                .get(&id)
                .map_or(0, |cursor| cursor.statement.bind_count())
        };
        let form = Form {
            field_version: self.field_version,
            binds_of: &binds_of,
        };
        match form.read(&self.message) {
            Err(ReadError::Short) if self.message.len() < LONGEST_MESSAGE => {}
            Err(ReadError::Short) => self.actions.push(Action::Close),
            Err(ReadError::Wrong(what)) => {
                self.message.clear();
                self.fail(&SqlError::unknown(format!("{what} in the protocol")));
            }
            Ok(message) => {
                self.message.clear();
                self.request(message, now);
            }
        }
    }

    fn request(&mut self, message: Message, now: Timestamp) {
        for cursor in message.closed {
            self.cursors.remove(&cursor);
        }
        for cursor in message.cancelled {
            if let Some(open) = self.cursors.get_mut(&cursor) {
                open.query = None;
            }
        }
        let mut out = Writer::default();
        match message.request {
            Request::Protocol => {
                if self.passes(Stage::Protocol) {
                    greeting::protocol(self.shared.release(), &mut out);
                    self.send(out);
                }
            }
            Request::Types(types) => {
                if self.passes(Stage::Types) {
                    self.types(&types, &mut out);
                    self.send(out);
                }
            }
            Request::FastLogon(types, logon) => {
                if self.passes(Stage::Protocol) && self.passes(Stage::Types) {
                    greeting::protocol(self.shared.release(), &mut out);
                    self.types(&types, &mut out);
                    self.logon_begin(&logon, out);
                }
            }
            Request::LogonBegin(logon) => self.logon_begin(&logon, out),
            Request::LogonEnd(logon) => self.logon_end(&logon, now),
            Request::Logoff => {
                self.note("LOGOFF", super::SERVICE, 0);
                answer::status(&mut out);
                self.send(out);
            }
            _ if !self.is_logged_on => self.fail(&SqlError::new(1012, "not logged on")),
            Request::Simple(method) => {
                self.note(method, super::SERVICE, 0);
                answer::status(&mut out);
                self.send(out);
            }
            Request::Execute(execute) => self.execute(execute, now),
            Request::Reexecute(again) => self.reexecute(again, now),
            Request::Fetch { cursor, rows } => self.fetch(cursor, rows),
        }
    }

    fn types(&mut self, types: &Types, out: &mut Writer) {
        self.field_version = types.field_version(self.shared.release());
        types.answer(self.shared.release(), out);
    }

    /// Answers with an error: in the older form behind a break, which the client answers first.
    fn fail(&mut self, error: &SqlError) {
        self.job = None;
        let closes = self.actions.contains(&Action::Close);
        self.actions.retain(|action| *action != Action::Close);
        if self.agreed.is_some_and(|agreed| agreed.says_end) || !self.is_logged_on || closes {
            self.send_error(error);
        } else {
            self.actions.push(Action::Send(tns::marker(tns::BREAK)));
            self.pending = Some(error.clone());
        }
        if closes {
            self.actions.push(Action::Close);
        }
    }

    fn send_error(&mut self, error: &SqlError) {
        let mut out = Writer::default();
        answer::end(Some(error), 0, 0, self.field_version, &mut out);
        self.send(out);
    }

    fn marker(&mut self, what: u8) {
        if what == tns::RESET {
            let Some(error) = self.pending.take() else {
                return;
            };
            self.actions.push(Action::Send(tns::marker(tns::RESET)));
            return self.send_error(&error);
        }
        let method = if what == tns::INTERRUPT {
            "INTERRUPT"
        } else {
            "BREAK"
        };
        self.note(method, super::SERVICE, 1013);
        if self.is_silent {
            return;
        }
        self.job = None;
        self.message.clear();
        if self.pending.is_none() {
            self.actions.push(Action::Send(tns::marker(tns::BREAK)));
        }
        self.pending = Some(SqlError::new(
            1013,
            "user requested cancel of current operation",
        ));
    }

    /// Sends an answer, or the last part of one.
    fn send(&mut self, mut out: Writer) {
        let says_end = self.agreed.is_some_and(|agreed| agreed.says_end);
        if says_end {
            out.u8(29);
        }
        self.send_bytes(&out, says_end);
    }

    /// Sends a part of an answer, behind which more comes.
    fn send_part(&mut self, out: &Writer) {
        self.send_bytes(out, false);
    }

    fn send_bytes(&mut self, out: &Writer, says_end: bool) {
        if let Some(agreed) = self.agreed {
            let packets = tns::data(&out.bytes, agreed.sdu, true, says_end);
            self.actions.push(Action::Send(packets));
        }
    }
}
