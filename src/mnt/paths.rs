//! Every MnT endpoint as a path (reference mnt-api section 1, without the undocumented dashboard),
//! and the check of a path that a user typed.
//!
//! Pure text: segments are percent-encoded here and nowhere else. Paths begin with [`BASE`] and
//! name no host.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::civil::DateTime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::authority::is_host_name;
use crate::error::{Error, Result};
use crate::record::Mac;

/// What all paths begin with since ISE 1.4.
pub const BASE: &str = "/admin/API/mnt";

/// The longest look-back of the history calls: five days (reference mnt-api section 1, row 16).
pub const MAX_SECONDS: u32 = 432_000;

/// Encoded in a segment: all but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Encoded in a MAC address or a time: colons stay (rows 5 and 6).
const COLONS: &AsciiSet = &SEGMENT.remove(b':');

/// What the three counting endpoints count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Active sessions.
    Active,
    /// Endpoints in a posture state.
    Posture,
    /// Profiler sessions.
    Profiler,
}

/// A change of authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coa {
    /// Authenticate again, as the NAS is configured (type 0 of row 18).
    Reauth,
    /// End the session.
    Disconnect,
    /// End the session and bounce the port.
    PortBounce,
    /// End the session and shut the port down.
    PortShutdown,
}

/// Which session records to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteTarget {
    /// Those of an endpoint.
    Mac(Mac),
    /// The one of an audit session id.
    SessionId(String),
    /// All of the deployment.
    All,
}

/// Product and version.
pub fn version() -> String {
    below("Version")
}

/// A count of sessions.
pub fn count(count: Count) -> String {
    below(match count {
        Count::Active => "Session/ActiveCount",
        Count::Posture => "Session/PostureCount",
        Count::Profiler => "Session/ProfilerCount",
    })
}

/// All active sessions.
pub fn active_list() -> String {
    below("Session/ActiveList")
}

/// Authenticated sessions in a window; an open end is sent as `null`. The zone of the times is not
/// documented: local time, as Cisco's client sends it.
pub fn auth_list(since: Option<DateTime>, until: Option<DateTime>) -> String {
    let bound = |time: Option<DateTime>| match time {
        None => "null".to_owned(),
        Some(time) => encode(&time.strftime("%Y-%m-%d %H:%M:%S").to_string(), COLONS),
    };
    below(&format!(
        "Session/AuthList/{}/{}",
        bound(since),
        bound(until)
    ))
}

/// An endpoint's latest session.
pub fn session_by_mac(mac: Mac) -> String {
    below(&format!("Session/MACAddress/{mac}"))
}

/// A user's latest session; nothing in the name is safe.
pub fn session_by_user(user: &str) -> Result<String> {
    Ok(below(&format!("Session/UserName/{}", segment(user)?)))
}

/// The latest session of a NAS.
pub fn session_by_nas_ip(nas: IpAddr) -> String {
    below(&format!("Session/IPAddress/{nas}"))
}

/// The latest session of an endpoint's address.
pub fn session_by_endpoint_ip(ip: IpAddr) -> String {
    below(&format!("Session/EndPointIPAddress/{ip}"))
}

/// The sessions of an audit session id; every known client passes `0` as the output type.
pub fn session_by_id(audit_session_id: &str) -> Result<String> {
    Ok(below(&format!(
        "Session/Active/SessionID/{}/0",
        segment(audit_session_id)?
    )))
}

/// Authentication attempts of an endpoint in full; `records` 0 is all of them.
pub fn auth_status(mac: Mac, seconds: u32, records: u32) -> Result<String> {
    let seconds = checked_seconds(seconds)?;
    Ok(below(&format!(
        "AuthStatus/MACAddress/{mac}/{seconds}/{records}/All"
    )))
}

/// Accounting counters of an endpoint, in the spelling that is documented.
pub fn acct_status(mac: Mac, seconds: u32) -> Result<String> {
    let seconds = checked_seconds(seconds)?;
    Ok(below(&format!("AcctStatusTT/MACAddress/{mac}/{seconds}")))
}

/// The other spelling of [`acct_status`].
pub fn acct_status_short(mac: Mac, seconds: u32) -> Result<String> {
    let seconds = checked_seconds(seconds)?;
    Ok(below(&format!("AcctStatus/MACAddress/{mac}/{seconds}")))
}

/// The catalogue of failure reasons.
pub fn failure_reasons() -> String {
    below("FailureReasons")
}

/// A change of authorization, sent by the PSN `node` (a short host name: letters, digits, dot,
/// hyphen).
pub fn coa(node: &str, mac: Mac, coa: Coa) -> Result<String> {
    if !is_host_name(node) {
        return Err(Error::usage(format!("'{node}' is not a node's host name"))
            .hint("name the PSN as the session's server field does"));
    }
    let (call, option) = match coa {
        Coa::Reauth => ("Reauth", 0),
        Coa::Disconnect => ("Disconnect", 0),
        Coa::PortBounce => ("Disconnect", 1),
        Coa::PortShutdown => ("Disconnect", 2),
    };
    Ok(below(&format!("CoA/{call}/{node}/{mac}/{option}")))
}

/// Deletes session records.
pub fn delete(target: &DeleteTarget) -> Result<String> {
    Ok(below(&match target {
        DeleteTarget::Mac(mac) => format!("Session/Delete/MACAddress/{mac}"),
        DeleteTarget::SessionId(id) => format!("Session/Delete/SessionID/{}", segment(id)?),
        DeleteTarget::All => "Session/Delete/All".to_owned(),
    }))
}

/// The path that a user typed, canonical: below [`BASE`] (which may be left out), each segment
/// decoded, checked and encoded again. Refuses, as [`Kind::Usage`](crate::error::Kind::Usage),
/// everything that could mean another path to the server than it seems to: queries, path
/// parameters, empty and dot segments, double encoding, control characters; and CoA and Delete,
/// which change the network.
pub fn checked(typed: &str) -> Result<String> {
    let path = typed.trim();
    let tail = strip_base(path);
    if path.contains("://") || path.starts_with("//") {
        return Err(refused(typed, "it names a host"));
    }
    if path.starts_with("/admin/") && tail.len() == path.len() {
        return Err(refused(typed, "it is not below /admin/API/mnt/"));
    }
    let tail = tail.strip_prefix('/').unwrap_or(tail);
    let mut encoded = String::new();
    for (place, raw) in tail.split('/').enumerate() {
        let segment = decoded(raw).map_err(|why| refused(typed, why))?;
        // The first two decide what the call does; a name that happens to be one of these words
        // comes third or later.
        if place < 2 && (segment.contains('/') || changes(&segment)) {
            return Err(refused(typed, "CoA and Delete change the network")
                .hint("use 'netapi ise mnt coa' or 'netapi ise mnt delete'"));
        }
        encoded.push('/');
        encoded.push_str(&encode(&segment, COLONS));
    }
    Ok(format!("{BASE}{encoded}"))
}

fn strip_base(path: &str) -> &str {
    let bare = path.strip_prefix('/').unwrap_or(path);
    match bare.strip_prefix("admin/API/mnt") {
        Some(tail) if tail.is_empty() || tail.starts_with('/') => tail,
        _ => path,
    }
}

/// One segment as the server would read it, or why it is refused.
fn decoded(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if raw.contains(['?', '#']) {
        return Err("it has a query or a fragment");
    }
    let segment = percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| "it is not UTF-8")?;
    if segment.is_empty() {
        return Err("a segment is empty");
    }
    if segment
        .split(['/', '\\'])
        .any(|part| matches!(part.trim(), "." | ".."))
    {
        return Err("it climbs with dots");
    }
    if segment.contains(['?', '#', ';']) || segment.chars().any(char::is_control) {
        return Err("it holds a character that no such path has");
    }
    if percent_decode_str(&segment).collect::<Vec<u8>>() != segment.as_bytes() {
        return Err("it is encoded twice");
    }
    Ok(segment)
}

fn changes(segment: &str) -> bool {
    let word = segment.trim();
    word.eq_ignore_ascii_case("coa") || word.eq_ignore_ascii_case("delete")
}

fn refused(typed: &str, why: &str) -> Error {
    Error::usage(format!("cannot get '{typed}': {why}"))
        .hint("give a path below /admin/API/mnt/, such as Session/ActiveCount")
}

fn checked_seconds(seconds: u32) -> Result<u32> {
    if seconds > MAX_SECONDS {
        return Err(Error::usage(format!(
            "cannot look back {seconds} seconds: the node keeps five days"
        ))
        .hint("ask for 120h or less"));
    }
    Ok(seconds)
}

/// A name as one segment. Nothing, `.` and `..` would make another path, encoded or not.
fn segment(name: &str) -> Result<String> {
    if matches!(name, "" | "." | "..") {
        return Err(Error::usage(format!("'{name}' names nothing")).hint("give the whole name"));
    }
    Ok(encode(name, SEGMENT))
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn below(tail: &str) -> String {
    format!("{BASE}/{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    fn mac() -> Mac {
        "00-00-5e-00-53-01".parse().unwrap()
    }

    #[test]
    fn endpoints_are_spelled_as_documented() {
        let time: DateTime = "2026-03-09T08:00:00.5".parse().unwrap();
        for (path, expected) in [
            (version(), "Version"),
            (count(Count::Active), "Session/ActiveCount"),
            (count(Count::Posture), "Session/PostureCount"),
            (count(Count::Profiler), "Session/ProfilerCount"),
            (active_list(), "Session/ActiveList"),
            (auth_list(None, None), "Session/AuthList/null/null"),
            (
                auth_list(Some(time), None),
                "Session/AuthList/2026-03-09%2008:00:00/null",
            ),
            (
                session_by_mac(mac()),
                "Session/MACAddress/00:00:5E:00:53:01",
            ),
            (
                session_by_user("LAB\\pat kim/x@y%:é").unwrap(),
                "Session/UserName/LAB%5Cpat%20kim%2Fx%40y%25%3A%C3%A9",
            ),
            (
                session_by_nas_ip("192.0.2.1".parse().unwrap()),
                "Session/IPAddress/192.0.2.1",
            ),
            (
                session_by_endpoint_ip("fe80::1".parse().unwrap()),
                "Session/EndPointIPAddress/fe80::1",
            ),
            (
                session_by_id("C0A8").unwrap(),
                "Session/Active/SessionID/C0A8/0",
            ),
            (
                auth_status(mac(), 3600, 0).unwrap(),
                "AuthStatus/MACAddress/00:00:5E:00:53:01/3600/0/All",
            ),
            (
                acct_status(mac(), 60).unwrap(),
                "AcctStatusTT/MACAddress/00:00:5E:00:53:01/60",
            ),
            (
                acct_status_short(mac(), 60).unwrap(),
                "AcctStatus/MACAddress/00:00:5E:00:53:01/60",
            ),
            (failure_reasons(), "FailureReasons"),
            (
                coa("psn-a", mac(), Coa::Reauth).unwrap(),
                "CoA/Reauth/psn-a/00:00:5E:00:53:01/0",
            ),
            (
                coa("psn-a.lab.example", mac(), Coa::PortShutdown).unwrap(),
                "CoA/Disconnect/psn-a.lab.example/00:00:5E:00:53:01/2",
            ),
            (
                delete(&DeleteTarget::Mac(mac())).unwrap(),
                "Session/Delete/MACAddress/00:00:5E:00:53:01",
            ),
            (
                delete(&DeleteTarget::SessionId("a/b".into())).unwrap(),
                "Session/Delete/SessionID/a%2Fb",
            ),
            (delete(&DeleteTarget::All).unwrap(), "Session/Delete/All"),
        ] {
            assert_eq!(path, format!("/admin/API/mnt/{expected}"));
        }
        for node in ["", "psn a", "psn/../x", "psn;x", "psn%2F", "pśn", ".."] {
            assert_eq!(
                coa(node, mac(), Coa::Disconnect).unwrap_err().kind(),
                Kind::Usage,
                "{node}"
            );
        }
        assert_eq!(
            auth_status(mac(), 432_001, 1).unwrap_err().kind(),
            Kind::Usage
        );
        for name in ["", ".", ".."] {
            assert!(session_by_user(name).is_err() && session_by_id(name).is_err());
            assert!(delete(&DeleteTarget::SessionId(name.into())).is_err());
        }
    }

    #[test]
    fn typed_paths_are_made_canonical() {
        for (typed, expected) in [
            ("Session/ActiveCount", "/Session/ActiveCount"),
            ("/admin/API/mnt/Version", "/Version"),
            ("admin/API/mnt/Version", "/Version"),
            ("/Version", "/Version"),
            (
                "Session/AuthList/null/2026-03-09 10:00:00",
                "/Session/AuthList/null/2026-03-09%2010:00:00",
            ),
            ("Session/UserName/host%2Fws", "/Session/UserName/host%2Fws"),
            ("Session/UserName/coa", "/Session/UserName/coa"),
            ("Session/UserName/100%25", "/Session/UserName/100%25"),
        ] {
            assert_eq!(
                checked(typed).unwrap(),
                format!("/admin/API/mnt{expected}"),
                "{typed}"
            );
        }
    }

    #[test]
    fn typed_paths_cannot_change_or_escape() {
        for typed in [
            "",
            "/",
            "CoA/Reauth/psn/00:00:5E:00:53:01/0",
            "coa/Disconnect/x",
            "/admin/API/mnt/COA/x",
            "Co%41/Reauth",
            "Co%2541/Reauth",
            "/CoA",
            "//CoA/x",
            "/admin/API/mnt//CoA/x",
            "Session/Delete/All",
            "session/%64elete/All",
            "Session//Delete/All",
            "Session%2FDelete/All",
            "CoA;x=1/Reauth",
            "Session/./Delete/All",
            "Session/x/../Delete/All",
            "Session/UserName/x%2F..%2F..%2FDelete%2FAll",
            "Session/UserName/x%5C..%5Cy",
            "../../ers/config",
            "/admin/login.jsp",
            "/admin/API/mntx/Version",
            "https://other/admin/API/mnt/Version",
            "//other/Version",
            "Version?x=1",
            "Version%3Fx=1",
            "Version#x",
            "Version%00",
            "Version%ff",
            "Session/ActiveList/",
        ] {
            assert_eq!(checked(typed).unwrap_err().kind(), Kind::Usage, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn a_checked_path_stays_below_and_changes_nothing(typed in "(CoA|Delete|Session|[a%/.;2F5C41-]|\\.\\.|//){1,12}") {
            if let Ok(path) = checked(&typed) {
                prop_assert!(path.starts_with("/admin/API/mnt/"));
                let plain = percent_decode_str(&path).decode_utf8().unwrap().to_ascii_lowercase();
                let calls: Vec<&str> = plain.trim_start_matches("/admin/api/mnt/").split('/').take(2).collect();
                prop_assert!(!calls.contains(&"coa") && !calls.contains(&"delete"), "{path}");
                prop_assert!(!plain.split('/').skip(1).any(|part| part == ".." || part == "." || part.is_empty()), "{path}");
                prop_assert_eq!(checked(&path).unwrap(), path);
            }
        }

        #[test]
        fn any_user_name_is_one_segment(user in ".{1,20}") {
            prop_assume!(user != "." && user != "..");
            let path = session_by_user(&user).unwrap();
            let segment = path.strip_prefix("/admin/API/mnt/Session/UserName/").unwrap();
            prop_assert!(segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            prop_assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), user);
        }
    }
}
