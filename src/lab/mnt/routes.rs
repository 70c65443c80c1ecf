//! What each path answers (reference mnt-api, section 1): a pure function of request, directory and
//! moment, apart from what CoA and Delete change.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;

use super::list::{Head, SessionListWriter};
use super::xml::Verdict;
use super::{details, documents};
use crate::lab::faults::FaultKind;
use crate::lab::population::LabSession;
use crate::lab::pxgrid::Grid;
use crate::lab::session_directory::Directory;
use crate::lab::shared_changes::Change;
use crate::lab::wire::{Answer, Part};
use crate::record::Mac;

const BASE: &str = "/admin/API/mnt/";
const EVERY_TIME: RangeInclusive<i64> = i64::MIN..=i64::MAX;
/// The longest look-back of the histories, five days (section 1, row 16).
const LONGEST: i64 = 432_000;

/// What answers a request: the directory, as of `now` (milliseconds since 1970), with the faults
/// that change a document.
pub(super) struct Question<'a> {
    pub(super) directory: &'a Arc<Directory>,
    pub(super) grid: &'a Arc<Grid>,
    pub(super) faults: &'a [FaultKind],
    pub(super) now: i64,
}

impl Question<'_> {
    /// The answer to `method` on `path`, as sent.
    pub(super) fn answer(&self, method: &str, path: &str) -> Answer {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let Some(rest) = path.strip_prefix(BASE) else {
            return not_there();
        };
        let decoded: Option<Vec<String>> = rest
            .split('/')
            .map(|segment| {
                let text = percent_decode_str(segment).decode_utf8().ok()?;
                Some(text.into_owned())
            })
            .collect();
        let Some(segments) = decoded else {
            return bad_request();
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method, segments.as_slice()) {
            ("GET", ["Session", "Delete", ..]) => Answer::page(405, "Method Not Allowed"),
            ("GET", ["Session", rest @ ..]) => self.session(rest, path),
            ("GET", ["Version"]) => Answer::document(documents::version()),
            ("GET", ["FailureReasons"]) => Answer::document(documents::failure_reasons()),
            ("GET", ["AuthStatus", "MACAddress", mac, seconds, records, fields]) => {
                self.auth_status(mac, seconds, records, fields)
            }
            // The short form of recipes in circulation: the attempts of a day, whole.
            ("GET", ["AuthStatus", "MACAddress", mac]) => {
                self.auth_status(mac, "86400", "0", "All")
            }
            ("GET", ["AcctStatus" | "AcctStatusTT", "MACAddress", mac, seconds]) => {
                self.acct_status(mac, seconds)
            }
            ("GET", ["CoA", kind, node, mac, option] | ["CoA", kind, node, mac, option, _, _]) => {
                self.coa(kind, node, mac, option)
            }
            ("DELETE", ["Session", "Delete", rest @ ..]) => self.delete(rest),
            ("GET" | "DELETE", _) => not_there(),
            _ => Answer::page(405, "Method Not Allowed"),
        }
    }

    fn session(&self, segments: &[&str], path: &str) -> Answer {
        match segments {
            ["ActiveCount"] => Answer::document(documents::count(self.directory.count(self.now))),
            // Few endpoints are between posture states; nine in ten are profiled. Shares, so that
            // the three counts can be told apart.
            ["PostureCount"] => {
                Answer::document(documents::count(self.directory.count(self.now) / 25))
            }
            ["ProfilerCount"] => {
                let count = self.directory.count(self.now);
                Answer::document(documents::count(count - count / 10))
            }
            ["ActiveList"] => self.list(EVERY_TIME),
            ["AuthList", start, end] => match (bound(start, i64::MIN), bound(end, i64::MAX)) {
                (Some(start), Some(end)) => self.list(start..=end),
                _ => bad_request(),
            },
            ["MACAddress", mac] => self.detail(
                Mac::from_canonical(mac)
                    .and_then(|mac| self.directory.by_mac(mac.octets(), self.now)),
                mac,
            ),
            ["UserName", _] if self.has(FaultKind::UserBackslash) => {
                if path.contains("%5C") {
                    bad_request()
                } else {
                    not_there()
                }
            }
            ["UserName", user] => self.detail(self.directory.by_user(user, self.now), user),
            ["IPAddress", ip] => match ip.parse() {
                Ok(IpAddr::V4(address)) => {
                    self.detail(self.directory.by_nas(address, self.now), ip)
                }
                _ => Answer::not_found(ip),
            },
            ["EndPointIPAddress", ip] => {
                let address = ip.parse::<Ipv4Addr>().ok();
                let address = address.filter(|_| !self.has(FaultKind::EndpointIpUnreliable));
                self.detail(
                    address.and_then(|ip| self.directory.by_ip(ip, self.now)),
                    ip,
                )
            }
            ["Active", "SessionID", id, kind] if kind.parse::<u32>().is_ok() => {
                match self.directory.by_session_id(id, self.now) {
                    Some(session) => Answer::document(details::session_by_id(&session)),
                    None => Answer::not_found(id),
                }
            }
            ["Active", "SessionID", _, _] => bad_request(),
            _ => not_there(),
        }
    }

    fn has(&self, fault: FaultKind) -> bool {
        self.faults.contains(&fault)
    }

    fn list(&self, window: RangeInclusive<i64>) -> Answer {
        let head = Head {
            root: if self.has(FaultKind::OldRoot) {
                "activeSessionList"
            } else {
                "activeList"
            },
            surplus: if self.has(FaultKind::CountMismatch) {
                3
            } else {
                0
            },
        };
        let changes = self.directory.state.changes(self.now);
        let rows = SessionListWriter::new(Arc::clone(self.directory), changes, window, head);
        Answer::stream(super::answer::XML, Part::Rows(Box::new(rows)))
    }

    fn detail(&self, session: Option<LabSession>, asked: &str) -> Answer {
        let verdict = if self.has(FaultKind::VerdictStrings) {
            Verdict::Text
        } else {
            Verdict::Boolean
        };
        session.map_or_else(
            || Answer::not_found(asked),
            |session| Answer::document(details::session_parameters(&session, verdict)),
        )
    }

    fn auth_status(&self, mac: &str, seconds: &str, records: &str, fields: &str) -> Answer {
        let all_fields = match fields {
            "All" => true,
            "0" => false,
            _ => return bad_request(),
        };
        let (Some(since), Ok(records)) = (self.since(seconds), records.parse::<usize>()) else {
            return bad_request();
        };
        let Some(octets) = Mac::from_canonical(mac).map(Mac::octets) else {
            return Answer::not_found(mac);
        };
        // An endpoint whose session ended keeps its history, and one that came back has the newer
        // attempt too.
        let endpoint = self
            .directory
            .by_mac(octets, self.now)
            .or_else(|| self.directory.population.endpoint_of_mac(octets));
        let mut attempts = endpoint
            .as_ref()
            .map(|endpoint| {
                self.directory
                    .population
                    .attempts(endpoint, since, self.now)
            })
            .unwrap_or_default();
        if records > 0 {
            attempts.truncate(records);
        }
        Answer::document(documents::auth_status(
            mac,
            endpoint.as_ref(),
            &attempts,
            all_fields,
        ))
    }

    fn acct_status(&self, mac: &str, seconds: &str) -> Answer {
        let Some(since) = self.since(seconds) else {
            return bad_request();
        };
        let Some(octets) = Mac::from_canonical(mac).map(Mac::octets) else {
            return Answer::not_found(mac);
        };
        let session = self
            .directory
            .by_mac(octets, self.now)
            .filter(|session| session.accounted_at() >= since);
        Answer::document(documents::acct_status(mac, session.as_ref()))
    }

    /// The moment `seconds` ago.
    fn since(&self, seconds: &str) -> Option<i64> {
        let seconds: i64 = seconds.parse().ok()?;
        (0..=LONGEST)
            .contains(&seconds)
            .then(|| self.now - seconds * 1000)
    }

    /// A change of authorization works when the session is there and belongs to the node that is to
    /// send it.
    fn coa(&self, kind: &str, node: &str, mac: &str, option: &str) -> Answer {
        let change = match (kind, option) {
            ("Reauth", "0" | "1" | "2") => Change::Reauthenticate,
            ("Disconnect", "0") => Change::Disconnect,
            ("Disconnect", "1") => Change::PortBounce,
            ("Disconnect", "2") => Change::PortShutdown,
            ("Reauth" | "Disconnect", _) => return bad_request(),
            _ => return not_there(),
        };
        let done = !self.has(FaultKind::CoaFalse)
            && Mac::from_canonical(mac).is_some_and(|mac| {
                let session = self.directory.by_mac(mac.octets(), self.now);
                let session = session.filter(|session| is_node(node, session.psn()));
                session.is_some_and(|session| {
                    self.change(&session, change);
                    true
                })
            });
        Answer::document(documents::coa(done))
    }

    fn delete(&self, segments: &[&str]) -> Answer {
        let session = match segments {
            ["All"] => {
                self.directory.state.delete_all();
                return Answer::deleted();
            }
            ["MACAddress", mac] => Mac::from_canonical(mac)
                .and_then(|mac| self.directory.by_mac(mac.octets(), self.now)),
            ["SessionID", id] => self.directory.by_session_id(id, self.now),
            _ => return not_there(),
        };
        let Some(session) = session else {
            return Answer::not_found(segments.last().copied().unwrap_or(""));
        };
        self.change(&session, Change::Delete);
        Answer::deleted()
    }

    /// Changes a session that is there, and lets subscribers know.
    fn change(&self, session: &LabSession, change: Change) {
        self.directory.state.change(session, change, self.now);
        self.grid.session_changed(session.index());
    }
}

fn not_there() -> Answer {
    Answer::page(404, "Not Found")
}

fn bad_request() -> Answer {
    Answer::page(400, "Bad Request")
}

/// Whether `node` names the PSN, by its short name or in full.
fn is_node(node: &str, psn: &str) -> bool {
    node == psn || node.strip_prefix(psn) == Some(".lab.example")
}

/// A bound of a window: the word `null`, or a time in the node's zone, which is this machine's.
fn bound(text: &str, open: i64) -> Option<i64> {
    if text == "null" {
        return Some(open);
    }
    let time: DateTime = text.parse().ok()?;
    let zoned = time.to_zoned(TimeZone::system()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}
