//! The session directory: the population as the changes have left it. What every simulated node
//! answers from.
//!
//! Each question is asked as of a moment (milliseconds since 1970).

use std::net::Ipv4Addr;

use super::population::{LabSession, Population};
use super::shared_changes::{Change, SharedChanges};

/// Population and changes together.
#[derive(Debug)]
pub struct Directory {
    /// Who is on the network.
    pub population: Population,
    /// What users changed.
    pub state: SharedChanges,
}

impl Directory {
    /// A directory of an untouched population.
    pub fn new(population: Population) -> Self {
        Self {
            population,
            state: SharedChanges::default(),
        }
    }

    /// How many sessions there are at `now`.
    pub fn count(&self, now: i64) -> u64 {
        self.state.changes(now).present(self.population.sessions())
    }

    /// The session of a MAC.
    pub fn by_mac(&self, mac: [u8; 6], now: i64) -> Option<LabSession> {
        self.current(self.population.find_by_mac(mac), now)
    }

    /// The session of an assigned address.
    pub fn by_ip(&self, address: Ipv4Addr, now: i64) -> Option<LabSession> {
        self.current(self.population.find_by_ip(address), now)
    }

    /// The session with an audit session id, in either case.
    pub fn by_session_id(&self, audit_session_id: &str, now: i64) -> Option<LabSession> {
        self.current(self.population.find_by_session_id(audit_session_id), now)
            .filter(|session| {
                session
                    .audit_session_id()
                    .eq_ignore_ascii_case(audit_session_id)
            })
    }

    /// The latest session of a user. Looks at every session.
    pub fn by_user(&self, user: &str, now: i64) -> Option<LabSession> {
        let changes = self.state.changes(now);
        self.population
            .find_by_user(user)
            .filter_map(|session| changes.apply(session))
            .max_by_key(LabSession::authenticated_at)
    }

    /// The latest session of a NAS.
    pub fn by_nas(&self, address: Ipv4Addr, now: i64) -> Option<LabSession> {
        let changes = self.state.changes(now);
        self.population
            .find_by_nas(address)
            .filter_map(|session| changes.apply(session))
            .max_by_key(LabSession::authenticated_at)
    }

    /// Does `change` to the session of a MAC; false when there is none.
    pub fn change(&self, mac: [u8; 6], change: Change, now: i64) -> bool {
        let Some(session) = self.by_mac(mac, now) else {
            return false;
        };
        self.state.change(&session, change, now);
        true
    }

    fn current(&self, session: Option<LabSession>, now: i64) -> Option<LabSession> {
        self.state.changes(now).apply(session?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shared_changes::BOUNCE;
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn directory() -> (Directory, [u8; 6]) {
        let population = Population::new(7, 50, false, NOW).unwrap();
        let mac = population.session(0).mac().unwrap();
        (Directory::new(population), mac)
    }

    #[test]
    fn a_new_authentication_keeps_the_connection() {
        let (directory, mac) = directory();
        let before = directory.by_mac(mac, NOW).unwrap();
        assert!(directory.change(mac, Change::Reauthenticate, NOW + 5));
        let after = directory.by_mac(mac, NOW + 5).unwrap();
        assert_eq!(after.authenticated_at(), NOW + 5);
        assert_eq!(after.audit_session_id(), before.audit_session_id());
        assert_eq!(after.connected_at(), before.connected_at());
        assert_eq!(directory.count(NOW + 5), 50);
    }

    #[test]
    fn a_bounced_port_takes_the_session_away_and_brings_another() {
        let (directory, mac) = directory();
        let before = directory.by_mac(mac, NOW).unwrap();
        assert!(directory.change(mac, Change::PortBounce, NOW));
        assert_eq!(directory.by_mac(mac, NOW), None);
        assert_eq!(directory.count(NOW), 49);
        let after = directory.by_mac(mac, NOW + BOUNCE).unwrap();
        assert_ne!(after.audit_session_id(), before.audit_session_id());
        assert_eq!(
            directory.by_session_id(&before.audit_session_id(), NOW + BOUNCE),
            None
        );
        assert_eq!(
            directory.by_session_id(&after.audit_session_id(), NOW + BOUNCE),
            Some(after)
        );
        assert_eq!(directory.count(NOW + BOUNCE), 50);
    }

    #[test]
    fn ended_and_deleted_sessions_stay_away() {
        let (directory, mac) = directory();
        assert!(directory.change(mac, Change::Disconnect, NOW));
        assert!(!directory.change(mac, Change::Reauthenticate, NOW));
        assert_eq!(directory.by_mac(mac, NOW + 10 * BOUNCE), None);
        assert_eq!(directory.count(NOW), 49);
        directory.state.delete_all();
        assert_eq!(directory.count(NOW), 0);
        assert_eq!(directory.by_user("jsmith", NOW), None);
    }

    #[test]
    fn policies_are_kept_by_mac() {
        let state = SharedChanges::default();
        assert_eq!(
            state.set_anc_policy("00:00:5E:00:53:01", Some("Q".into())),
            None
        );
        assert_eq!(
            state.anc_policies(),
            [("00:00:5E:00:53:01".into(), "Q".into())]
        );
        assert_eq!(
            state.set_anc_policy("00:00:5E:00:53:01", None),
            Some("Q".into())
        );
        assert_eq!(state.anc_policy("00:00:5E:00:53:01"), None);
    }
}
