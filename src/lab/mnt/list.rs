//! Session lists, a piece at a time: `ActiveList` and `AuthList` (reference mnt-api, section 2.2),
//! never held whole.
//!
//! A row has the eight fields of 3.3 patch 11, empty ones written empty and those of partial rows
//! left out.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::xml::{DECLARATION, escape_from};
use crate::lab::fast_text::{push_ipv4, push_number};
use crate::lab::population::LabSession;
use crate::lab::session_directory::Directory;
use crate::lab::shared_changes::Changes;
use crate::lab::wire::Pieces;

/// A piece is sent when it is at least this long: one TLS record's worth is 16 KiB, and four of
/// them amortise the system call.
const PIECE: usize = 64 * 1024;

/// What a list's head says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Name of the root.
    pub(super) root: &'static str,
    /// Added to the announced number of rows; not 0 only by a fault.
    pub(super) surplus: u64,
}

/// A list being written.
pub(super) struct SessionListWriter {
    directory: Arc<Directory>,
    changes: Changes,
    window: RangeInclusive<i64>,
    head: Head,
    next: u64,
    started: bool,
}

impl SessionListWriter {
    /// The sessions as `changes` left them, authenticated within `window`.
    pub(super) fn new(
        directory: Arc<Directory>,
        changes: Changes,
        window: RangeInclusive<i64>,
        head: Head,
    ) -> Self {
        Self {
            directory,
            changes,
            window,
            head,
            next: 0,
            started: false,
        }
    }

    fn session(&self, index: u64) -> Option<LabSession> {
        self.changes
            .apply(self.directory.population.session(index))
            .filter(|session| self.window.contains(&session.authenticated_at()))
    }

    fn count(&self) -> u64 {
        let sessions = self.directory.population.sessions();
        if self.window == (i64::MIN..=i64::MAX) {
            return self.changes.present(sessions);
        }
        let rows = (0..sessions).filter(|index| self.session(*index).is_some());
        u64::try_from(rows.count()).unwrap_or(u64::MAX)
    }
}

impl Pieces for SessionListWriter {
    fn write_piece(&mut self, out: &mut String) -> bool {
        out.reserve(PIECE + 2048);
        let begin = out.len();
        if !self.started {
            self.started = true;
            out.push_str(DECLARATION);
            out.push('<');
            out.push_str(self.head.root);
            out.push_str(" noOfActiveSession=\"");
            push_number(out, self.count() + self.head.surplus, 1);
            out.push_str("\">");
        }
        while out.len() - begin < PIECE {
            if self.next >= self.directory.population.sessions() {
                out.push_str("</");
                out.push_str(self.head.root);
                out.push('>');
                return false;
            }
            let session = self.session(self.next);
            self.next += 1;
            if let Some(session) = session {
                push_row(out, &session);
            }
        }
        true
    }
}

/// Start and end tag of an element, put together by the compiler.
macro_rules! tags {
    ($name:literal) => {
        (concat!("<", $name, ">"), concat!("</", $name, ">"))
    };
}

fn push_row(out: &mut String, session: &LabSession) {
    out.push_str("<activeSession>");
    // The only field that a stranger chose, and so the only one that may hold markup.
    push_field(out, tags!("user_name"), |out| {
        let start = out.len();
        session.push_user_name(out);
        escape_from(out, start);
    });
    push_field(out, tags!("calling_station_id"), |out| {
        session.push_calling_station(out);
    });
    push_field(out, tags!("nas_ip_address"), |out| {
        push_address(out, session.nas_ip());
    });
    if session.has_ids() {
        push_field(out, tags!("acct_session_id"), |out| {
            session.push_acct_session_id(out);
        });
        push_field(out, tags!("audit_session_id"), |out| {
            session.push_audit_session_id(out);
        });
    }
    push_field(out, tags!("server"), |out| out.push_str(session.psn()));
    if session.has_ids() {
        let address = session.framed_ip();
        if address.is_none() {
            out.push_str("<framed_ip_address/>");
        }
        push_field(out, tags!("framed_ip_address"), |out| {
            push_address(out, address);
        });
        push_ipv6_list(out, session);
    }
    out.push_str("</activeSession>");
}

fn push_address(out: &mut String, address: Option<Ipv4Addr>) {
    if let Some(address) = address {
        push_ipv4(out, u32::from(address));
    }
}

/// Appends an element, unless nothing was pushed into it.
fn push_field(out: &mut String, tags: (&str, &str), push: impl FnOnce(&mut String)) {
    let begin = out.len();
    out.push_str(tags.0);
    let start = out.len();
    push(out);
    if out.len() == start {
        out.truncate(begin);
        return;
    }
    out.push_str(tags.1);
}

/// Appends `framed_ipv6_address`, which is often empty.
pub(super) fn push_ipv6_list(out: &mut String, session: &LabSession) {
    out.push_str("<framed_ipv6_address>");
    for entry in 0..session.ipv6_entries() {
        out.push_str("<ipv6_address>");
        session.push_ipv6(entry, out);
        out.push_str("</ipv6_address>");
    }
    out.push_str("</framed_ipv6_address>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::population::{MOST_SESSIONS, Population};
    use crate::lab::shared_changes::Change;

    const NOW: i64 = 1_790_000_000_000;
    const HEAD: Head = Head {
        root: "activeList",
        surplus: 0,
    };

    fn rows(sessions: u64, window: RangeInclusive<i64>) -> SessionListWriter {
        let population = Population::new(5, sessions, false, NOW).unwrap();
        let directory = Arc::new(Directory::new(population));
        let changes = directory.state.changes(NOW);
        SessionListWriter::new(directory, changes, window, HEAD)
    }

    fn whole(mut rows: SessionListWriter) -> String {
        let mut text = String::new();
        while rows.write_piece(&mut text) {}
        text
    }

    #[test]
    fn an_empty_list_is_a_list() {
        assert_eq!(
            whole(rows(0, i64::MIN..=i64::MAX)),
            format!("{DECLARATION}<activeList noOfActiveSession=\"0\"></activeList>")
        );
    }

    #[test]
    fn rows_have_the_eight_fields_and_partial_ones_fewer() {
        let text = whole(rows(50, i64::MIN..=i64::MAX));
        assert!(text.contains("<activeList noOfActiveSession=\"50\"><activeSession><user_name>host/workstation.example.com</user_name><calling_station_id>C8:5B:76:C6:59:62</calling_station_id><nas_ip_address>10.50.1.10</nas_ip_address><acct_session_id>0000A2F1</acct_session_id><audit_session_id>0A32010A000000A1"));
        assert!(text.contains("<framed_ip_address>10.50.10.100</framed_ip_address><framed_ipv6_address></framed_ipv6_address></activeSession>"));
        assert!(text.contains(
            "<activeSession><calling_station_id>00:00:5E:00:53:08</calling_station_id><server>"
        ));
        assert!(text.contains("<user_name>R&amp;D\\lee</user_name>"));
        assert!(text.contains("<framed_ip_address/>"));
        assert!(
            text.contains(
                "<framed_ipv6_address><ipv6_address></ipv6_address><ipv6_address> fe80::"
            )
        );
        assert_eq!(text.matches("<activeSession>").count(), 50);
    }

    #[test]
    fn a_window_is_counted_and_filtered_alike() {
        let text = whole(rows(500, NOW - 3_600_000..=NOW));
        let count = text.matches("<activeSession>").count();
        assert!(count > 10 && count < 200, "{count}");
        assert!(text.contains(&format!("noOfActiveSession=\"{count}\"")));
    }

    #[test]
    fn removed_sessions_are_neither_announced_nor_listed() {
        let population = Population::new(5, 20, false, NOW).unwrap();
        let directory = Arc::new(Directory::new(population));
        let mac = directory.population.session(3).mac().unwrap();
        assert!(directory.change(mac, Change::Disconnect, NOW));
        let changes = directory.state.changes(NOW);
        let text = whole(SessionListWriter::new(
            directory,
            changes,
            i64::MIN..=i64::MAX,
            HEAD,
        ));
        assert!(text.contains("noOfActiveSession=\"19\""));
        assert_eq!(text.matches("<activeSession>").count(), 19);
        assert!(!text.contains("00:00:5E:00:53:03"));
    }

    /// The whole list goes through one buffer that never grows: that is what constant memory means
    /// here.
    #[test]
    fn two_million_sessions_fit_one_buffer() {
        let mut rows = rows(MOST_SESSIONS, i64::MIN..=i64::MAX);
        let mut piece = String::new();
        let (mut bytes, mut capacity) = (0, 0);
        loop {
            piece.clear();
            let more = rows.write_piece(&mut piece);
            if capacity == 0 {
                capacity = piece.capacity();
                assert!(piece.contains("noOfActiveSession=\"2000000\""));
            }
            bytes += piece.len();
            assert_eq!(piece.capacity(), capacity);
            if !more {
                break;
            }
        }
        let last = rows.directory.population.session(1_999_999);
        assert!(piece.contains(&last.audit_session_id()));
        assert!(piece.ends_with("</activeSession></activeList>"));
        assert!(bytes > 600_000_000 && bytes < 950_000_000, "{bytes}");
    }
}
