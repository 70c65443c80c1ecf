//! What histories of faults reach too rarely.

use super::*;

const LEASE: Duration = Duration::from_secs(4);

fn claim(revision: u64, owner: &str) -> Claim {
    Claim::new(revision, Some(owner.to_owned()), Before::default())
}

/// Sees that the owner of the one partition is dead; gives when.
fn sees_it_dead(leases: &mut Leases) -> Moment {
    leases.renewed(Moment::ZERO, true, Moment::ZERO);
    leases.member("a", 1, Some((LEASE, false)), Moment::ZERO);
    leases.claim(0, claim(10, "a"), Moment::ZERO);
    leases.view_complete();
    leases.renewed(LEASE / 2, true, LEASE / 2);
    let steps = leases.tick(LEASE);
    assert!(steps.contains(&Step::Confirm("a".to_owned())), "{steps:?}");
    leases.confirmed("a", Ok(Some(1)), LEASE);
    LEASE
}

fn writes(steps: &[Step]) -> bool {
    steps
        .iter()
        .any(|step| matches!(step, Step::Write { ours: true, .. }))
}

/// One that is alone, and whose claim of the one partition is being written.
fn wants_it() -> Leases {
    let mut leases = Leases::new("b".to_owned(), LEASE, 1);
    leases.view_complete();
    leases.renewed(Moment::ZERO, true, Moment::ZERO);
    assert!(writes(&leases.tick(Moment::ZERO)));
    leases
}

/// News of claims and of members come by two ways.
#[test]
fn who_writes_a_claim_lives_whatever_is_heard_of_its_key() {
    let mut leases = Leases::new("b".to_owned(), LEASE, 1);
    let now = sees_it_dead(&mut leases);
    assert!(writes(&leases.tick(now)));
    leases.wrote(0, Written::Unknown, now);
    // It goes on, and wins its claim again.
    leases.claim(0, claim(11, "a"), now);
    assert!(!writes(&leases.tick(now + WRITE_AGAIN)));
    // What was asked before is answered now.
    leases.confirmed("a", Ok(Some(1)), now + WRITE_AGAIN);
    assert!(!writes(&leases.tick(now + WRITE_AGAIN)));
}

#[test]
fn a_view_that_begins_anew_takes_nothing_from_what_is_known_of_a_claim() {
    let mut leases = wants_it();
    leases.wrote(0, Written::Done(1), Moment::ZERO);
    let left = Before {
        done_to: 7,
        marks: 2,
    };
    leases.leave();
    leases.tick(Moment::ZERO);
    leases.release(0, left);
    leases.claim(0, claim(1, "b"), Moment::ZERO);
    let steps = leases.tick(Moment::ZERO);
    let write = Step::Write {
        partition: 0,
        ours: false,
        expected: 1,
        before: left,
    };
    assert!(steps.contains(&write), "{steps:?}");
}

#[test]
fn what_was_won_too_late_to_be_opened_leaves_what_it_had() {
    let mut leases = wants_it();
    leases.leave();
    assert_eq!(leases.wrote(0, Written::Done(1), Moment::ZERO), []);
    let write = Step::Write {
        partition: 0,
        ours: false,
        expected: 1,
        before: Before::default(),
    };
    let steps = leases.tick(Moment::ZERO);
    assert!(steps.contains(&write), "{steps:?}");
}
