//! Histories of one order, and drawn ones.

use super::*;
use proptest::prelude::*;

fn rules(jobs: usize, retries: u32) -> Rules {
    Rules {
        jobs,
        retries,
        backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(3)),
        probes: false,
        capacity: 1000,
    }
}

#[test]
fn a_waiting_retry_blocks_only_its_own_endpoint() {
    let mut order = EndpointOrder::new(rules(2, 3));
    let now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "a") && order.offer(3, "b"));
    assert_eq!(order.next(now), Some(Start { id: 1, attempt: 1 }));
    assert_eq!(
        order.done(1, false, now),
        After::Again(Duration::from_secs(1))
    );
    assert_eq!(order.next(now), Some(Start { id: 3, attempt: 1 }));
    assert_eq!(order.next(now), None);
    let later = order.wake_at().unwrap();
    assert_eq!(later, now + Duration::from_secs(1));
    assert_eq!(order.next(later), Some(Start { id: 1, attempt: 2 }));
    assert_eq!(order.done(1, true, later), After::Delivered);
    assert_eq!(order.next(later), Some(Start { id: 2, attempt: 1 }));
}

#[test]
fn pauses_grow_to_their_limit_and_then_it_gives_up() {
    let mut order = EndpointOrder::new(rules(1, 3));
    let mut now = Instant::now();
    assert!(order.offer(1, "a"));
    for pause in [1, 2, 3] {
        order.next(now).unwrap();
        let after = order.done(1, false, now);
        assert_eq!(after, After::Again(Duration::from_secs(pause)));
        assert_eq!(order.next(now), None);
        now += Duration::from_secs(pause);
    }
    order.next(now).unwrap();
    assert_eq!(order.done(1, false, now), After::GaveUp { attempts: 4 });
    assert!(order.is_empty());
    assert_eq!(order.done(1, false, now), After::Unknown);
}

#[test]
fn a_busy_endpoint_lets_the_quiet_ones_in() {
    let mut order = EndpointOrder::new(rules(1, 0));
    let now = Instant::now();
    for id in 0..10 {
        assert!(order.offer(id, "busy"));
    }
    assert!(order.offer(10, "quiet"));
    assert_eq!(order.next(now).unwrap().id, 0);
    order.done(0, true, now);
    assert_eq!(order.next(now).unwrap().id, 10);
}

#[test]
fn what_had_no_room_comes_next_and_has_lost_no_attempt() {
    let mut order = EndpointOrder::new(rules(3, 0));
    let now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "b") && order.offer(3, "c"));
    order.next(now).unwrap();
    let start = order.next(now).unwrap();
    assert_eq!(
        order.not_started(start.id, true, now),
        Duration::from_secs(1)
    );
    assert_eq!(order.next(now), None);
    assert_eq!(order.wake_at(), Some(now + Duration::from_secs(1)));
    // Another one has ended.
    order.done(1, true, now);
    assert_eq!(order.next(now), Some(start));
    assert_eq!(
        order.not_started(start.id, true, now),
        Duration::from_secs(1)
    );
    assert_eq!(order.next(now + Duration::from_secs(1)), Some(start));
    assert_eq!(order.done(2, true, now), After::Delivered);
    assert_eq!(order.next(now).map(|start| start.id), Some(3));
    assert_eq!(order.wake_at(), None);
}

/// The process of a delivery has ended when its place is given up, not when it is done with.
#[test]
fn a_place_that_is_given_up_makes_room() {
    let mut order = EndpointOrder::new(rules(3, 0));
    let now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "b"));
    order.next(now).unwrap();
    let start = order.next(now).unwrap();
    order.not_started(start.id, true, now);
    assert_eq!(order.next(now), None);
    order.gives_place(1);
    assert_eq!(order.next(now), Some(start));
}

#[test]
fn what_cannot_be_started_holds_everything_with_growing_pauses() {
    let mut order = EndpointOrder::new(rules(3, 0));
    let mut now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "b") && order.offer(3, "c"));
    for pause in [1, 2, 3, 3] {
        let pause = Duration::from_secs(pause);
        let (first, second) = (order.next(now).unwrap(), order.next(now).unwrap());
        assert!(first.attempt == 1 && second.attempt == 1);
        for start in [first, second] {
            assert_eq!(order.not_started(start.id, false, now), pause);
        }
        assert_eq!(order.next(now), None);
        assert_eq!(order.wake_at(), Some(now + pause));
        assert_eq!(order.is_stuck(), pause == Duration::from_secs(3));
        now += pause;
    }
    let start = order.next(now).unwrap();
    assert_eq!(order.done(start.id, true, now), After::Delivered);
    assert!(!order.is_stuck());
    // A pause of all is over before a retry's.
    let start = order.next(now).unwrap();
    order.done(start.id, false, now);
    order.hold(Duration::from_millis(1), now);
    assert_eq!(order.wake_at(), Some(now + Duration::from_millis(1)));
}

#[test]
fn after_an_outage_one_is_tried_alone_and_then_ever_more() {
    let mut order = EndpointOrder::new(Rules {
        probes: true,
        ..rules(4, 0)
    });
    let mut now = Instant::now();
    for id in 0..12_u64 {
        assert!(order.offer(id, &id.to_string()));
    }
    let mut all: Vec<Start> = std::iter::from_fn(|| order.next(now)).collect();
    assert_eq!(all.len(), 4);
    // What began before, and ends well after, says nothing of now.
    let before = all.pop().unwrap();
    let pause = order.not_started(all[0].id, false, now);
    assert_eq!(pause, Duration::from_secs(1));
    assert!(!order.proves_recovery(before.id));
    assert_eq!(order.done(before.id, true, now), After::Delivered);
    assert!(order.is_probing());
    for start in all.drain(1..) {
        assert_eq!(
            order.not_started(start.id, false, now),
            Duration::from_secs(1)
        );
    }
    // A probe that fails makes the pause longer; one that ends well does not make it short.
    for pause in [2, 3] {
        now = order.wake_at().unwrap();
        let probe = order.next(now).unwrap();
        assert_eq!(order.next(now), None);
        let pause = Duration::from_secs(pause);
        assert_eq!(order.not_started(probe.id, false, now), pause);
    }
    now = order.wake_at().unwrap();
    let probe = order.next(now).unwrap();
    assert_eq!(order.done(probe.id, true, now), After::Delivered);
    let two: Vec<Start> = std::iter::from_fn(|| order.next(now)).collect();
    assert_eq!(two.len(), 2);
    let pause = order.not_started(two[0].id, false, now);
    assert_eq!(pause, Duration::from_secs(3));
    assert_eq!(order.done(two[1].id, true, now), After::Delivered);
    now = order.wake_at().unwrap();
    let mut running: Vec<Start> = Vec::new();
    while !order.is_empty() {
        running.extend(std::iter::from_fn(|| order.next(now)));
        let start = running.remove(0);
        assert_eq!(order.done(start.id, true, now), After::Delivered);
    }
    assert!(!order.is_probing() && !order.is_stuck());
}

#[test]
fn beyond_the_capacity_nothing_is_taken() {
    let mut order = EndpointOrder::new(Rules {
        capacity: 2,
        ..rules(1, 0)
    });
    assert!(order.offer(1, "a") && order.offer(2, "b"));
    assert!(!order.offer(3, "c"));
    assert_eq!((order.len(), order.room()), (2, 0));
}

proptest! {
    /// Whatever the keys, outcomes and interleaving: each key in order and one at a time, never
    /// more than `jobs`, and all ends.
    #[test]
    fn every_history_keeps_order_and_ends(
        jobs in 1_usize..5,
        retries in 0_u32..3,
        keys in proptest::collection::vec(0_u8..6, 0..60),
        choices in proptest::collection::vec((any::<usize>(), any::<bool>()), 1..50),
    ) {
        let mut order = EndpointOrder::new(rules(jobs, retries));
        let mut now = Instant::now();
        for (id, key) in keys.iter().enumerate() {
            prop_assert!(order.offer(id as u64, &key.to_string()));
        }
        let mut running: Vec<Start> = Vec::new();
        let mut ended: HashMap<u8, Vec<u64>> = HashMap::new();
        let mut choices = choices.iter().cycle();
        let mut steps = 0;
        while !order.is_empty() {
            steps += 1;
            prop_assert!(steps < 2000, "it does not end");
            while let Some(start) = order.next(now) {
                let key = keys[usize::try_from(start.id).unwrap()];
                prop_assert!(running.iter().all(|other| keys[usize::try_from(other.id).unwrap()] != key));
                prop_assert!(start.attempt <= retries + 1);
                running.push(start);
            }
            prop_assert!(running.len() <= jobs);
            if running.is_empty() {
                now = order.wake_at().expect("something held but nothing to come");
                continue;
            }
            let (which, good) = choices.next().unwrap();
            let start = running.swap_remove(which % running.len());
            match order.done(start.id, *good, now) {
                After::Again(_) => prop_assert!(!good),
                After::Unknown => prop_assert!(false, "unknown"),
                After::Delivered | After::GaveUp { .. } => {
                    ended.entry(keys[usize::try_from(start.id).unwrap()]).or_default().push(start.id);
                }
            }
        }
        prop_assert_eq!(ended.values().map(Vec::len).sum::<usize>(), keys.len());
        for ids in ended.values() {
            prop_assert!(ids.is_sorted());
        }
    }
}

#[test]
fn a_place_that_is_given_up_is_for_other_endpoints_alone() {
    let mut order = EndpointOrder::new(rules(1, 0));
    let now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "a") && order.offer(3, "b"));
    assert_eq!(order.next(now), Some(Start { id: 1, attempt: 1 }));
    assert_eq!(order.next(now), None);
    order.gives_place(1);
    order.gives_place(1);
    // Not running.
    order.gives_place(2);
    assert_eq!(order.next(now), Some(Start { id: 3, attempt: 1 }));
    assert_eq!(order.done(3, true, now), After::Delivered);
    // Nothing of it begins before it is done with.
    assert_eq!(order.next(now), None);
    assert_eq!(order.done(1, true, now), After::Delivered);
    assert_eq!(order.next(now), Some(Start { id: 2, attempt: 1 }));
    // That place is taken again.
    assert!(order.offer(4, "c"));
    assert_eq!(order.next(now), None);
    assert_eq!(order.done(2, true, now), After::Delivered);
    assert_eq!(order.next(now), Some(Start { id: 4, attempt: 1 }));
}

#[test]
fn a_place_that_is_given_up_counts_no_more_when_its_event_waits_again() {
    let mut order = EndpointOrder::new(rules(1, 0));
    let now = Instant::now();
    assert!(order.offer(1, "a") && order.offer(2, "b"));
    assert_eq!(order.next(now), Some(Start { id: 1, attempt: 1 }));
    order.gives_place(1);
    let later = now + order.not_started(1, false, now);
    assert_eq!(order.next(later), Some(Start { id: 1, attempt: 1 }));
    // It takes a place as before.
    assert_eq!(order.next(later), None);
}
