//! Histories: single ones that were once wrong or are worth a name, and any.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{ACK_WAIT, LEASE, World};

/// Something that happens, and how long things go on after it.
#[derive(Debug, Clone)]
enum Happening {
    Events(Vec<u8>),
    Join,
    Leave(usize),
    Kill(usize),
    Stop(usize, u64),
    ServerAway(u64, bool),
    /// A worker and the server are killed at once.
    KillBoth(usize, u64),
    /// News of members do not come to a worker.
    Blind(usize, u64),
    /// What came of a claim's write is not told.
    NoAnswer(u64),
    ServerClock,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => proptest::collection::vec(0_u8..12, 1..40).prop_map(Happening::Events),
        2 => Just(Happening::Join),
        1 => any::<usize>().prop_map(Happening::Leave),
        1 => any::<usize>().prop_map(Happening::Kill),
        2 => (any::<usize>(), 500_u64..12_000).prop_map(|(which, time)| Happening::Stop(which, time)),
        2 => (100_u64..9_000, any::<bool>()).prop_map(|(time, forgets)| Happening::ServerAway(time, forgets)),
        1 => (any::<usize>(), 100_u64..3_000).prop_map(|(which, time)| Happening::KillBoth(which, time)),
        1 => (any::<usize>(), 500_u64..8_000).prop_map(|(which, time)| Happening::Blind(which, time)),
        1 => (500_u64..8_000).prop_map(Happening::NoAnswer),
        1 => Just(Happening::ServerClock),
    ]
}

fn happens(world: &mut World, happening: &Happening) {
    match happening {
        Happening::Events(endpoints) => {
            for endpoint in endpoints {
                world.server.store(*endpoint);
            }
        }
        Happening::Join => {
            if world.count() < 5 {
                world.join();
            }
        }
        Happening::Leave(which) => world.leave(*which),
        Happening::Kill(which) => world.kill(*which),
        Happening::Stop(which, time) => world.stop(*which, Duration::from_millis(*time)),
        Happening::ServerAway(time, forgets) => {
            world.server_away(Duration::from_millis(*time), *forgets);
        }
        Happening::KillBoth(which, time) => {
            world.kill(*which);
            world.server_away(Duration::from_millis(*time), true);
        }
        Happening::Blind(which, time) => world.blind(*which, Duration::from_millis(*time)),
        Happening::NoAnswer(time) => {
            world.no_answer_until = world.now + Duration::from_millis(*time);
        }
        Happening::ServerClock => world.server.members_expire(),
    }
}

/// Longer than anything takes to be as it should again.
fn settle(world: &mut World) {
    if world.count() == 0 {
        world.join();
    }
    world.run(Duration::from_mins(1));
    world.judge();
}

#[test]
fn one_worker_does_everything_once() {
    let mut world = World::new(4, 7);
    world.join();
    for round in 0..20_u8 {
        world.server.store(round % 5);
    }
    world.run(Duration::from_secs(10));
    world.judge();
    assert_eq!(world.begun.len(), 20);
    assert!(world.begun.iter().all(|begun| !begun.repeated));
}

#[test]
fn a_join_and_a_leave_repeat_nothing() {
    let mut world = World::new(4, 11);
    world.join();
    world.run(Duration::from_secs(2));
    for round in 0..120_u8 {
        world.server.store(round % 9);
        if round == 40 {
            world.join();
        }
        if round == 80 {
            world.leave(0);
        }
        world.run(Duration::from_millis(60));
    }
    world.run(Duration::from_secs(15));
    world.judge();
    assert_eq!(world.begun.len(), 120);
}

#[test]
fn partitions_of_a_dead_worker_go_on_within_two_leases_and_a_wait() {
    let mut world = World::new(4, 13);
    world.join();
    world.join();
    world.run(Duration::from_secs(8));
    for endpoint in 0..40 {
        world.server.store(endpoint);
    }
    world.run(Duration::from_millis(100));
    world.kill(0);
    let killed = world.now;
    world.run(2 * LEASE + ACK_WAIT);
    let late = world.begun.iter().filter(|begun| begun.at > killed);
    assert!(late.clone().count() > 10);
    world.run(Duration::from_secs(10));
    world.judge();
    let repeats = world.begun.len() - 40;
    assert!(repeats <= 2, "{repeats}");
}

/// Its key is there for a while, and is told again to whoever watches anew.
#[test]
fn a_dead_worker_gets_no_share_again() {
    let mut world = World::new(4, 17);
    world.join();
    world.join();
    world.run(Duration::from_secs(8));
    world.kill(0);
    world.run(3 * LEASE);
    assert_eq!(world.owned(0), 4);
    world.server_away(Duration::from_millis(100), false);
    for _ in 0..50 {
        world.run(Duration::from_millis(100));
        assert_eq!(world.owned(0), 4);
    }
}

/// Who takes over from a dead worker loses it again before anything came again, and gives it up.
#[test]
fn what_was_not_handed_over_is_marked_by_whoever_has_it_at_last() {
    let mut world = World::new(1, 0);
    world.join();
    world.run(Duration::from_secs(3));
    let history = [
        (Happening::Join, 301),
        (Happening::Join, 2901),
        (Happening::Leave(0), 661),
        (Happening::Events(vec![0; 15]), 1941),
        (Happening::Kill(1), 3501),
        (Happening::Events(vec![0]), 81),
        (Happening::ServerAway(2841, true), 3141),
        (Happening::Events(vec![0]), 0),
        (Happening::KillBoth(0, 100), 0),
    ];
    for (happening, after) in &history {
        happens(&mut world, happening);
        world.run(Duration::from_millis(*after));
    }
    settle(&mut world);
}

/// The server goes away just before a callback ends, so that its acknowledgement is lost, and is
/// there when that of the next one would end.
#[test]
fn nothing_of_an_endpoint_is_done_before_the_server_has_heard_of_the_event_before() {
    let step = Duration::from_millis(20);
    for seed in 0..12 {
        let mut world = World::new(1, 2 * seed);
        world.join();
        world.run(Duration::from_secs(3));
        for _ in 0..10 {
            world.server.store(0);
        }
        let ends = |world: &World| {
            let running = &world.processes[0].running;
            running.iter().any(|(_, until)| *until <= world.now + step)
        };
        while !ends(&world) {
            world.run(step);
        }
        world.server_away(Duration::from_millis(100), false);
        world.run(Duration::from_millis(350));
        world.kill(0);
        settle(&mut world);
    }
}

/// How many histories `WORKER_HISTORIES` asks for.
fn rounds() -> Option<u32> {
    let given = std::env::var("WORKER_HISTORIES").ok();
    given.map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: rounds().unwrap_or(8),
        // The same ones each time, unless more are asked for.
        rng_seed: rounds().map_or(RngSeed::Fixed(7), |_| RngSeed::Random),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happens.
    #[test]
    fn every_history_keeps_its_promises(
        seed in any::<u64>(),
        partitions in 1_u32..7,
        workers in 1_usize..4,
        history in proptest::collection::vec((happening(), 0_u64..6_000), 1..25),
    ) {
        let mut world = World::new(partitions, seed);
        for _ in 0..workers {
            world.join();
        }
        world.run(Duration::from_secs(3));
        for (happening, after) in &history {
            happens(&mut world, happening);
            world.run(Duration::from_millis(*after));
        }
        settle(&mut world);
    }
}
