//! The population's promises: same seed, same network; look-ups find what the list shows; the mix
//! is there.

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn population(seed: u64, sessions: u64) -> Population {
    Population::new(seed, sessions, false, NOW).unwrap()
}

#[test]
fn the_documented_sessions_are_what_the_documentation_says() {
    for seed in [0, 1, u64::MAX] {
        let population = population(seed, 50);
        let first = population.session(0);
        assert_eq!(first.mac_text().unwrap(), "C8:5B:76:C6:59:62");
        assert_eq!(first.framed_ip().unwrap().to_string(), "10.50.10.100");
        assert_eq!(first.user_name(), "host/workstation.example.com");
        assert_eq!(first.nas_ip().unwrap().to_string(), "10.50.1.10");
        assert_eq!(first.port(), "GigabitEthernet1/0/5");
        assert_eq!(first.role().security_group, "Linux_Workstations");
        assert_eq!(first.psn(), "psn-a");
        let names: Vec<_> = (0..10)
            .map(|index| population.session(index).user_name())
            .collect();
        assert_eq!(
            names,
            [
                "host/workstation.example.com",
                "LAB\\pat.kim",
                "jsmith",
                "00-00-5E-00-53-03",
                "host/WS-0417.lab.example",
                "jürgen.müller@lab.example",
                "pat.kim@lab.example",
                "vpn.user@lab.example",
                "",
                "R&D\\lee"
            ]
        );
        let robin = population.failures().next().unwrap();
        assert_eq!(robin.user_name(), "robin");
        assert_eq!(robin.mac_text().unwrap(), "00:00:5E:00:53:F0");
        assert_eq!(robin.usual_failure().code, 22040);
    }
}

#[test]
fn the_seed_decides_and_the_number_of_sessions_does_not_change_who_one_is() {
    let facts = |seed, sessions, index| {
        let session = population(seed, sessions).session(index);
        (session.mac(), session.user_name(), session.device().policy)
    };
    assert_eq!(facts(3, 50, 40), facts(3, 50, 40));
    assert_eq!(facts(3, 50, 40), facts(3, 2_000_000, 40));
    assert_ne!(facts(3, 50, 40), facts(4, 50, 40));
}

#[test]
fn every_look_up_finds_the_session() {
    for sessions in [1, 50, 5_000] {
        let population = population(11, sessions);
        for index in 0..sessions {
            let session = population.session(index);
            if let Some(mac) = session.mac() {
                assert_eq!(population.find_by_mac(mac), Some(session), "{index}");
            }
            if let Some(address) = session.framed_ip() {
                assert_eq!(population.find_by_ip(address), Some(session), "{index}");
            }
            if let Some(address) = session.nas_ip() {
                assert!(
                    population
                        .find_by_nas(address)
                        .any(|other| other == session)
                );
            }
            let id = session.audit_session_id();
            assert_eq!(population.find_by_session_id(&id), Some(session));
        }
    }
    let large = population(11, MOST_SESSIONS);
    for index in [10, 999_999, 1_999_999] {
        let session = large.session(index);
        assert_eq!(
            large.find_by_session_id(&session.audit_session_id()),
            Some(session)
        );
        if let Some(mac) = session.mac() {
            assert_eq!(large.find_by_mac(mac), Some(session));
        }
    }
    assert!(Population::new(0, MOST_SESSIONS + 1, false, NOW).is_err());
}

#[test]
fn strangers_and_failures_have_no_session() {
    let population = population(11, 50);
    assert_eq!(population.find_by_mac([1, 2, 3, 4, 5, 6]), None);
    assert_eq!(population.find_by_ip([10, 50, 10, 200].into()), None);
    assert_eq!(population.find_by_nas([10, 50, 10, 100].into()).count(), 0);
    assert_eq!(population.find_by_session_id("short"), None);
    assert_eq!(population.find_by_session_id("ééééééééééééé"), None);
    assert_eq!(population.find_by_user("").count(), 0);
    for failure in population.failures() {
        let mac = failure.mac().unwrap();
        assert_eq!(population.find_by_mac(mac), None);
        assert_eq!(population.endpoint_of_mac(mac), Some(failure));
        let attempts = population.attempts(&failure, i64::MIN, i64::MAX);
        assert!(!attempts.is_empty() && attempts.iter().all(|attempt| attempt.failure.is_some()));
    }
}

#[test]
fn fifty_sessions_show_the_whole_mix() {
    let population = population(1, 50);
    let sessions: Vec<_> = (0..50).map(|index| population.session(index)).collect();
    let names: Vec<_> = sessions.iter().map(LabSession::user_name).collect();
    let has = |what: &dyn Fn(&LabSession) -> bool| sessions.iter().any(what);
    assert!(has(&LabSession::is_vpn));
    assert!(has(&|session| session.mac().is_none() && !session.is_vpn()));
    assert!(has(&|session| session.nas().is_none()));
    assert!(has(
        &|session| session.framed_ip().is_none() && session.nas().is_some()
    ));
    assert!(has(&|session| session.ipv6_entries() == 3));
    assert!(has(&|session| session.psn() == "psn-b"));
    assert!(has(&|session| !session.ssid().is_empty()));
    assert!(names.iter().any(|name| name.starts_with("LAB\\")));
    assert!(names.iter().any(|name| !name.is_ascii()));
    let failing = sessions
        .iter()
        .filter(|session| {
            population
                .attempts(session, i64::MIN, i64::MAX)
                .iter()
                .any(|attempt| attempt.failure.is_some())
        })
        .count();
    assert_eq!(failing, 5);
}

#[test]
fn attempts_come_newest_first_and_only_from_the_window() {
    let population = population(1, 50);
    let session = population.session(2);
    let all = population.attempts(&session, i64::MIN, i64::MAX);
    assert!(all.is_sorted_by(|a, b| a.at > b.at && a.id > b.id));
    assert!(all.len() <= 150);
    let now = session.authenticated_at();
    let recent = population.attempts(&session, now - 120_000, now);
    assert_eq!(recent.len(), 3);
    assert_eq!(recent[0].failure, None);
    assert_eq!(recent[1].failure.unwrap().code, 22040);
}

#[test]
fn hostile_names_are_only_there_when_asked_for() {
    let control = |name: &str| name.chars().any(char::is_control);
    let tame = population(1, 50);
    assert!((0..50).all(|index| !control(&tame.session(index).user_name())));
    let wild = Population::new(1, 50, true, NOW).unwrap();
    assert!((0..50).any(|index| control(&wild.session(index).user_name())));
}
