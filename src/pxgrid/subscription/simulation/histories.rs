//! Histories of faults: how they are drawn, and what must hold after each.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn steps() -> impl Strategy<Value = Vec<HistoryStep>> {
    let step = prop_oneof![
        8 => (0..SESSIONS).prop_map(HistoryStep::Change),
        4 => (0..SESSIONS).prop_map(HistoryStep::End),
        2 => (1_u8..4).prop_map(HistoryStep::Lose),
        1 => Just(HistoryStep::Duplicate),
        1 => Just(HistoryStep::Restart),
        1 => Just(HistoryStep::Drop),
        1 => Just(HistoryStep::HalfOpen),
        1 => Just(HistoryStep::Error),
        1 => (0..NODES, any::<bool>()).prop_map(|(node, down)| HistoryStep::NodeDown(node, down)),
        1 => (1_u8..4).prop_map(HistoryStep::RefuseSecrets),
        1 => (1_u8..4).prop_map(HistoryStep::FailSecrets),
        1 => (1_u8..3).prop_map(HistoryStep::FailLookups),
        1 => (1_u8..5).prop_map(HistoryStep::FailReads),
        1 => (1_000..LONGEST_EMPTY).prop_map(HistoryStep::Empty),
        1 => Just(HistoryStep::Crash),
        8 => prop_oneof![1_u32..10, 10_u32..4000, 4000_u32..100_000].prop_map(HistoryStep::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn nothing_is_lost_or_told_twice(
        steps in steps(),
        dice in any::<u64>(),
        clock in prop_oneof![Just(0), -7_200_000_i64..7_200_000],
        date_ahead in prop_oneof![Just(0), -120_000_i64..120_000],
        knows_recovery in any::<bool>(),
        snapshot in any::<bool>(),
        remembers in any::<bool>(),
        few in any::<bool>(),
    ) {
        let kept = remembers.then(Arc::default);
        // With a memory behind it what is in front of it may be as small as one portion.
        let remembered = if remembers && few { 2 } else { SubscriptionOptions::default().remembered };
        let mut world = World::new(dice, (clock, date_ahead), knows_recovery, snapshot, kept, remembered);
        world.run(5_000);
        // The first number is the base line; a loss before it cannot be told.
        world.change(SESSIONS - 1, false);
        world.run(100);
        world.steps(&steps);
        world.mend();

        world.before.push((world.machine.figures(), world.emitted.len()));
        let sum = |count: fn(&Figures) -> u64| -> u64 {
            world.before.iter().map(|(figures, _)| count(figures)).sum()
        };
        let restarts = sum(|figures| figures.restarts);
        let possibly_lost = sum(|figures| figures.possibly_lost);
        let crashed = world.before.len() > 1 && !remembers;
        prop_assert!(world.subscribed, "not connected at the end: {:?}", world.machine);
        prop_assert!(world.machine.is_at_rest(), "reads left over: {:?}", world.machine);
        prop_assert_eq!(
            sum(|figures| figures.emitted_live + figures.emitted_read),
            u64::try_from(world.emitted.len()).unwrap()
        );

        let mut from = 0;
        let mut told = BTreeSet::new();
        for (_, until) in &world.before {
            // What an earlier process told is not known to the next one, unless it is kept.
            if !remembers {
                told.clear();
            }
            for event in &world.emitted[from..*until] {
                prop_assert!(
                    !event.message.object().contains("revision") || told.insert(event.message.to_string()),
                    "told twice: {event:?}"
                );
            }
            from = *until;
        }

        // What an earlier process told is not known to the last one.
        let earlier = world.before.iter().rev().nth(1).filter(|_| !remembers);
        let told_from = earlier.map_or(0, |(_, until)| *until);
        let start = world.subscribed_first.unwrap();
        for (session, row) in &world.rows {
            let of = |event: &Event, audit: u64| {
                let identity = format!(r#""auditSessionId":"s{session}a{audit}""#);
                event.message.object().contains(&identity)
            };
            let last = world.emitted.iter().rfind(|event| of(event, row.audit));
            // The one before it has ended, if it was told. Of one still earlier REST may show
            // nothing that tells.
            if let Some(audit) = row.audit.checked_sub(1).filter(|_| !row.ended) {
                let last = world.emitted[told_from..].iter().rfind(|event| of(event, audit));
                prop_assert!(
                    last.is_none_or(|event| event.event == "sessionDeleted") || restarts + possibly_lost > 0,
                    "the end of an earlier one is missing: {last:?}"
                );
            }
            if row.ended {
                // An end that only a list of current sessions could tell is told if the session
                // was.
                let must = knows_recovery && row.at >= start && restarts == 0;
                prop_assert!(
                    last.map_or(!must, |event| event.event == "sessionDeleted" || possibly_lost > 0 || (crashed && restarts > 0)),
                    "the end of {session} is missing: {last:?}"
                );
            } else if row.at >= start || snapshot {
                prop_assert!(
                    last.is_some_and(|event| event.message.object().contains(&row.json(*session))),
                    "{row:?} of {session} is missing: {last:?}"
                );
            }
        }

        world.input(Input::StopRequested);
        world.run(2_001);
        prop_assert!(world.finished && world.machine.is_finished());
    }
}

/// A topic that is followed and has told its first number.
fn followed(dice: u64, knows_recovery: bool, kept: Option<Arc<Kept>>) -> World {
    let remembered = SubscriptionOptions::default().remembered;
    let mut world = World::new(dice, (0, 0), knows_recovery, false, kept, remembered);
    world.run(5_000);
    world.change(SESSIONS - 1, false);
    world.run(100);
    world
}

/// Times of empty answers that follow each other are one time: else the list of the second would
/// agree with that of the first, which is believed.
#[test]
fn empty_answers_again_while_one_is_doubted_end_nobody() {
    use HistoryStep::{Change, Empty, Error, FailLookups, Restart, Wait};
    let mut world = followed(6_504_570_487_545_537_042, true, None);
    let steps = [
        Restart,
        Change(0),
        Empty(4112),
        Change(0),
        Change(0),
        Change(0),
        Change(0),
        Wait(41_229),
        Restart,
        FailLookups(1),
        Restart,
        Error,
        Empty(143_317),
        Wait(44_964),
        Wait(98_352),
    ];
    world.steps(&steps);
    world.mend();
    assert!(world.subscribed && world.machine.is_at_rest());
}

/// What is known was seen live while the answer came, so that nothing seemed to lack.
#[test]
fn an_empty_answer_is_doubted_though_all_that_is_known_came_live_meanwhile() {
    use HistoryStep::{Change, Empty, Lose, Wait};
    let mut world = followed(0, true, None);
    let steps = [
        Empty(1000),
        Lose(1),
        Change(1),
        Change(5),
        Change(5),
        Wait(10),
    ];
    world.steps(&steps);
    world.mend();
    let lost = |event: &Event| event.message.object().contains(r#""s1a0""#);
    assert!(world.emitted.iter().any(lost), "{:?}", world.machine);
}

/// The list of everything comes right after the changes that are doubted, and lacks nobody who is
/// known to go on.
#[test]
fn changes_stay_doubted_though_an_empty_list_after_them_lacks_nobody() {
    use HistoryStep::{Change, Crash, Empty, End, Restart, Wait};
    let mut world = followed(649_932_155_087_312_474, true, Some(Arc::default()));
    let steps = [
        Empty(76_322),
        Restart,
        Change(1),
        Crash,
        Wait(884),
        End(5),
        Wait(2422),
    ];
    world.steps(&steps);
    world.mend();
    let lost = |event: &Event| event.message.object().contains(r#""s1a0""#);
    assert!(world.emitted.iter().any(lost), "{:?}", world.machine);
}

/// Others were doubted minutes before, so that all are read again while the directory, which has
/// come up once more, is still empty.
#[test]
fn changes_are_read_again_minutes_after_they_were_doubted_whatever_was_doubted_before() {
    use HistoryStep::{Change, Empty, End, Lose, Wait};
    let mut world = followed(0, true, None);
    let known = SESSIONS - 1;
    let once = [Empty(20_000), Lose(1), Change(0), Change(known)];
    world.steps(once.iter().chain([&Wait(170_000)]));
    assert!(world.machine.doubts());
    world.empty_until = world.now + 100_000;
    // Nobody who is known goes on after that.
    world.steps(&[Lose(1), Change(1), End(known), Wait(100_000)]);
    world.mend();
    let lost = |event: &Event| event.message.object().contains(r#""s1a0""#);
    assert!(world.emitted.iter().any(lost), "{:?}", world.machine);
    assert!(world.machine.is_at_rest());
}

/// The directory comes up again shortly before the list that was doubted is read again.
#[test]
fn a_list_after_another_restart_agrees_with_none_before_it() {
    use HistoryStep::{Change, Empty, End, Restart, Wait};
    let mut world = followed(0, true, None);
    world.steps(&[Empty(20_000), Restart, Change(0), Wait(170_000)]);
    assert!(world.machine.doubts());
    world.empty_until = world.now + 100_000;
    world.steps(&[Restart, End(0), Wait(100_000)]);
    world.mend();
    assert!(world.machine.is_at_rest());
}

#[test]
fn a_publisher_that_restarts_again_and_again_hides_no_end() {
    use HistoryStep::{Change, End, Lose, Restart, Wait};
    let mut world = followed(0, false, None);
    world.step(&Lose(1));
    world.step(&End(SESSIONS - 1));
    for _ in 0..60 {
        world.steps(&[Restart, Change(0), Wait(60_000)]);
    }
    let told = |event: &Event| {
        event.event == "sessionDeleted" && event.message.object().contains(r#""s5a0""#)
    };
    assert!(world.emitted.iter().any(told), "{:?}", world.machine);
}

/// However many answers of changes are doubted one after the other: what is read again does not
/// begin ever longer ago.
#[test]
fn what_is_doubted_all_the_time_is_read_again_from_a_time_that_goes_on() {
    use HistoryStep::{Change, End, Lose, Wait};
    let mut world = followed(0, true, None);
    world.empty_until = u64::MAX;
    let known = SESSIONS - 1;
    for _ in 0..60 {
        world.steps(&[Lose(1), Change(1), Change(known), End(known), Wait(60_000)]);
    }
    let marks = world.machine.marks();
    let behind = world.wall() - marks.first().unwrap().newest.as_millisecond();
    assert!(world.machine.doubts() && behind < 600_000, "{behind} ms");
    world.mend();
    assert!(world.machine.is_at_rest());
}
