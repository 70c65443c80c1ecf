//! Who is on the simulated network: sessions, endpoints that only ever failed, NAS, policy; all
//! computed from a seed and an index.
//!
//! Nothing is held per session, so that two million cost as much memory as ten. The same facts come
//! out of every document because every document asks the same [`LabSession`]. What a user changed
//! (a CoA, a deletion) is not here but in [`super::shared_changes`]; this room reads no clock.
//!
//! The first sessions are fixed, whatever the seed, so that examples can quote them:
//!
//! | index | calling station | address | user | what it is |
//! | --- | --- | --- | --- | --- |
//! | 0 | `C8:5B:76:C6:59:62` | 10.50.10.100 | `host/workstation.example.com` | Linux, EAP-TLS, NAS 10.50.1.10, port GigabitEthernet1/0/5 |
//! | 1 | `00:00:5E:00:53:01` | 10.50.10.101 | `LAB\pat.kim` | PEAP |
//! | 2 | `00:00:5E:00:53:02` | 10.50.10.102 | `jsmith` | PEAP after three failed attempts |
//! | 3 | `00:00:5E:00:53:03` | 10.50.10.103 | `00-00-5E-00-53-03` | a printer, MAB, no security group |
//! | 4 | `00:00:5E:00:53:04` | 10.50.10.104 | `host/WS-0417.lab.example` | domain machine, EAP-TLS |
//! | 5 | `00:00:5E:00:53:05` | 10.50.10.105 | `jürgen.müller@lab.example` | wireless, PEAP |
//! | 6 | `00:00:5E:00:53:06` | 10.50.10.106 | `pat.kim@lab.example` | wireless, own device |
//! | 7 | `203.0.113.90` | 10.50.10.107 | `vpn.user@lab.example` | VPN: the calling station is no MAC |
//! | 8 | `00:00:5E:00:53:08` | none | none | a partial row: MAC and PSN only |
//! | 9 | `00:00:5E:00:53:09` | 10.50.10.109 | `R&D\lee` | PEAP; an ampersand to escape |
//!
//! The first endpoint that only failed is `00:00:5E:00:53:F0`, user `robin`, with a wrong password.

mod attempts;
mod granted_profile;
mod nas;
mod numbering;
mod reasons;
mod roles;
mod session;

pub use attempts::Attempt;
pub use granted_profile::{QUARANTINE_GROUP, QUARANTINE_TAG};
pub use nas::Nas;
pub use reasons::{CATALOGUE, Reason};
pub use roles::Role;
pub use session::LabSession;

use std::net::Ipv4Addr;

use crate::error::{Error, Result};

/// The most sessions a lab has: what the largest documented deployment carries (reference mnt-api,
/// section 4).
pub const MOST_SESSIONS: u64 = 2_000_000;

/// A network's endpoints, by index: those below [`sessions`](Self::sessions) have a session, those
/// from [`MOST_SESSIONS`] on only failed attempts.
#[derive(Debug, Clone)]
pub struct Population {
    seed: u64,
    sessions: u64,
    nas_count: u64,
    hostile_names: bool,
    started_at: i64,
}

impl Population {
    /// `sessions` sessions of the network `seed`; times count back from `started_at` (milliseconds
    /// since 1970). With `hostile_names` a few users have names that attack terminals and
    /// spreadsheets.
    pub fn new(seed: u64, sessions: u64, hostile_names: bool, started_at: i64) -> Result<Self> {
        if sessions > MOST_SESSIONS {
            return Err(Error::usage(format!(
                "the lab has at most {MOST_SESSIONS} sessions, {sessions} were asked for"
            )));
        }
        Ok(Self {
            seed,
            sessions,
            nas_count: numbering::nas_count(sessions),
            hostile_names,
            started_at,
        })
    }

    /// How many endpoints have a session.
    pub fn sessions(&self) -> u64 {
        self.sessions
    }

    /// How many endpoints have failed attempts and no session: one for every twenty sessions, at
    /// least three.
    pub fn failed_only(&self) -> u64 {
        (self.sessions / 20).max(3)
    }

    /// Milliseconds since 1970 at which the lab started.
    pub fn started_at(&self) -> i64 {
        self.started_at
    }

    /// How many NAS there are.
    pub fn nas_count(&self) -> u64 {
        self.nas_count
    }

    /// The NAS with this number, from 0 on.
    pub fn nas(number: u64) -> Nas {
        Nas::new(number)
    }

    /// Every role that the policy knows.
    pub fn roles() -> &'static [&'static Role] {
        roles::ALL
    }

    /// Endpoint `index` as a session, whether it has one or only failed.
    pub fn session(&self, index: u64) -> LabSession {
        LabSession::new(self, index)
    }

    /// The endpoints that only failed.
    pub fn failures(&self) -> impl Iterator<Item = LabSession> + '_ {
        (0..self.failed_only()).map(|number| self.session(session::FIRST_FAILED + number))
    }

    /// Whether there is an endpoint `index`.
    fn has_endpoint(&self, index: u64) -> bool {
        let failures = session::FIRST_FAILED..session::FIRST_FAILED + self.failed_only();
        index < self.sessions || failures.contains(&index)
    }

    /// The endpoint with this MAC: also one without a session.
    pub fn endpoint_of_mac(&self, mac: [u8; 6]) -> Option<LabSession> {
        let index = if mac == session::FIRST_FAILED_MAC {
            session::FIRST_FAILED
        } else {
            numbering::index_of_mac(self.seed, mac)
        };
        if !self.has_endpoint(index) {
            return None;
        }
        let endpoint = self.session(index);
        (endpoint.mac() == Some(mac)).then_some(endpoint)
    }

    /// The session with this MAC.
    pub fn find_by_mac(&self, mac: [u8; 6]) -> Option<LabSession> {
        self.endpoint_of_mac(mac)
            .filter(|endpoint| endpoint.index() < self.sessions)
    }

    /// The indexes of all endpoints, those with a session first.
    pub fn endpoints(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        (0..self.sessions).chain(session::FIRST_FAILED..session::FIRST_FAILED + self.failed_only())
    }

    /// The session that was assigned this address.
    pub fn find_by_ip(&self, address: Ipv4Addr) -> Option<LabSession> {
        let index = numbering::index_of_framed_ip(u32::from(address))?;
        let session = (index < self.sessions).then(|| self.session(index))?;
        (session.framed_ip() == Some(address)).then_some(session)
    }

    /// The session with this audit session id, in either case.
    pub fn find_by_session_id(&self, audit_session_id: &str) -> Option<LabSession> {
        let counter = audit_session_id.get(8..16)?;
        let index = session::index_of_counter(u64::from_str_radix(counter, 16).ok()?)?;
        (index < self.sessions).then(|| self.session(index))
    }

    /// The sessions of the NAS with this address, in the order of their indexes.
    pub fn find_by_nas(&self, address: Ipv4Addr) -> impl Iterator<Item = LabSession> + '_ {
        let number = numbering::number_of_nas_ip(u32::from(address))
            .filter(|number| *number < self.nas_count)
            .unwrap_or(self.sessions);
        let step = usize::try_from(self.nas_count).unwrap_or(usize::MAX);
        (number..self.sessions)
            .step_by(step)
            .map(|index| self.session(index))
            .filter(move |session| session.nas_ip() == Some(address))
    }

    /// The sessions of the user with exactly this name. Looks at every session.
    pub fn find_by_user<'a>(&'a self, user: &'a str) -> impl Iterator<Item = LabSession> + 'a {
        let mut name = String::new();
        (0..self.sessions)
            .map(|index| self.session(index))
            .filter(move |session| {
                name.clear();
                session.push_user_name(&mut name);
                !name.is_empty() && name == user
            })
    }
}

#[cfg(test)]
mod tests;
