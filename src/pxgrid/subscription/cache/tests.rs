//! What follows for each observation, from what was seen before.

use super::*;
use crate::pxgrid::subscription::simulation::kept::Kept;

fn observation(key: &str, second: i64, ended: bool, digest: u64) -> Observation {
    Observation {
        key: key.into(),
        timestamp: Some(Timestamp::from_second(second).unwrap()),
        ended,
        digest,
        whole: true,
        once: false,
    }
}

#[test]
fn created_updated_ended_and_created_again() {
    let mut cache = Cache::new(9, None, false);
    assert_eq!(
        cache.observe(&observation("a", 1, false, 1), ObservationSource::Live),
        Verdict::Created
    );
    assert_eq!(
        cache.observe(&observation("a", 1, false, 2), ObservationSource::Live),
        Verdict::Updated
    );
    assert_eq!(
        cache.observe(&observation("a", 1, false, 1), ObservationSource::Live),
        Verdict::Known
    );
    assert_eq!(
        cache.observe(&observation("a", 2, true, 3), ObservationSource::Live),
        Verdict::Ended
    );
    assert_eq!(
        cache.observe(&observation("a", 3, false, 4), ObservationSource::Live),
        Verdict::Created
    );
}

#[test]
fn a_recovery_brings_only_news_and_is_not_taken_back() {
    let mut cache = Cache::new(9, None, false);
    let start = Timestamp::from_second(5).ok();
    cache.observe(&observation("a", 10, false, 1), ObservationSource::Live);
    let recovered = ObservationSource::Recovered(start);
    cache.begin_round();
    assert_eq!(
        cache.observe(&observation("a", 10, false, 1), recovered),
        Verdict::Known
    );
    assert_eq!(
        cache.observe(&observation("a", 9, false, 2), recovered),
        Verdict::Outdated
    );
    assert_eq!(
        cache.observe(&observation("a", 10, false, 3), recovered),
        Verdict::Updated
    );
    assert_eq!(
        cache.observe(&observation("a", 12, true, 4), recovered),
        Verdict::Ended
    );
    assert_eq!(
        cache.observe(&observation("a", 11, false, 5), ObservationSource::Live),
        Verdict::Outdated
    );
    assert_eq!(
        cache.observe(&observation("b", 4, false, 6), recovered),
        Verdict::Known
    );
    assert_eq!(
        cache.observe(&observation("c", 6, false, 7), recovered),
        Verdict::Created
    );
    assert_eq!(
        cache.observe(&observation("d", 4, false, 8), ObservationSource::Snapshot),
        Verdict::Created
    );
    assert_eq!(
        cache.observe(&observation("e", 4, false, 9), ObservationSource::Baseline),
        Verdict::Known
    );
}

#[test]
fn what_a_full_read_does_not_show_is_gone_once() {
    let mut cache = Cache::new(9, None, false);
    for key in ["a", "b", "c"] {
        cache.observe(&observation(key, 1, false, 1), ObservationSource::Live);
    }
    cache.begin_round();
    cache.observe(
        &observation("a", 1, false, 1),
        ObservationSource::Recovered(None),
    );
    cache.observe(&observation("d", 2, false, 1), ObservationSource::Live);
    assert_eq!(cache.gone(), ["b", "c"]);
    assert_eq!(cache.gone(), [""; 0]);
    // The server's own word comes late and is no news; that it goes on after all is.
    let verdict = cache.observe(&observation("b", 3, true, 2), ObservationSource::Live);
    assert_eq!(verdict, Verdict::Known);
    let verdict = cache.observe(
        &observation("c", 1, false, 1),
        ObservationSource::Recovered(None),
    );
    assert_eq!(verdict, Verdict::Created);
}

#[test]
fn a_new_session_takes_the_place_of_the_older_one_of_its_endpoint() {
    let mut cache = Cache::new(9, None, false);
    cache.observe(&observation("m 1", 5, false, 1), ObservationSource::Live);
    cache.observe(&observation("m 2", 9, false, 1), ObservationSource::Live);
    cache.observe(&observation("n 1", 1, false, 1), ObservationSource::Live);
    let arriving = |key: &str| {
        let time = Timestamp::from_second(7).ok();
        key.starts_with("m ").then_some(time)
    };
    assert_eq!(cache.replaced(std::iter::empty(), arriving), ["m 1"]);
    assert_eq!(cache.replaced(std::iter::empty(), arriving), [""; 0]);
}

#[test]
fn what_a_new_session_replaces_is_found_wherever_it_is() {
    let kept: Arc<Kept> = Arc::default();
    let memory = (Arc::clone(&kept) as Arc<dyn Memory>, Arc::from("/topic"));
    let mut cache = Cache::new(2, Some(memory), false);
    let key = |endpoint: &str| format!("\"{endpoint}\"\0\0\0\"1\"");
    // Of two at a time the last four are here, and the oldest of them is the next to go.
    for (second, endpoint) in ["e", "f", "a", "b", "c", "d"].into_iter().enumerate() {
        let second = i64::try_from(second).unwrap();
        let seen = observation(&key(endpoint), second, false, 7);
        assert_eq!(
            cache.observe(&seen, ObservationSource::Live),
            Verdict::Created
        );
        cache.take_changes().iter().for_each(|told| kept.keep(told));
    }
    let endpoints = ["\"a\"", "\"e\"", "\"f\""];
    let arriving = |key: &str| {
        let asked = endpoints.iter().any(|endpoint| key.starts_with(endpoint));
        asked.then(|| Timestamp::from_second(100).ok())
    };
    let replaced = cache.replaced(endpoints.into_iter(), arriving);
    assert_eq!(replaced, [key("a"), key("e"), key("f")]);
    for key in &replaced {
        cache.tell_end(key);
        cache.take_changes().iter().for_each(|told| kept.keep(told));
        assert!(kept.find("/topic", key).unwrap().ended, "{key}");
    }
    assert!(cache.replaced(endpoints.into_iter(), arriving).is_empty());
}

#[test]
fn what_an_answer_brought_and_pushed_out_again_is_lacked_by_the_next() {
    let kept: Arc<Kept> = Arc::default();
    let memory = (Arc::clone(&kept) as Arc<dyn Memory>, Arc::from("/topic"));
    let mut cache = Cache::new(2, Some(memory), false);
    let since = Timestamp::from_second(0).unwrap();
    cache.begin_round();
    for (key, second) in (0..7).map(|number| (format!("\"{number}\""), number)) {
        let seen = observation(&key, second, false, 7);
        cache.observe(&seen, ObservationSource::Recovered(None));
        cache.take_changes().iter().for_each(|told| kept.keep(told));
    }
    assert_eq!(cache.lacks_since(since, true, true), 0);
    cache.begin_round();
    assert_eq!(cache.lacks_since(since, true, true), 7);
}

#[test]
fn what_rest_told_is_taken_back_when_nothing_can_be_on_its_way_any_more() {
    let mut cache = Cache::new(9, None, false);
    cache.begin_round();
    cache.observe(&observation("a", 10, false, 1), ObservationSource::Snapshot);
    let late = observation("a", 8, true, 2);
    assert_eq!(
        cache.observe(&late, ObservationSource::Live),
        Verdict::Outdated
    );
    cache.settle(cache.round());
    assert_eq!(
        cache.observe(&late, ObservationSource::Live),
        Verdict::Ended
    );
    // What ends only once has ended, whatever the clocks say.
    cache.begin_round();
    cache.observe(&observation("b", 10, false, 1), ObservationSource::Snapshot);
    let late = Observation {
        once: true,
        ..observation("b", 8, true, 2)
    };
    assert_eq!(
        cache.observe(&late, ObservationSource::Live),
        Verdict::Ended
    );
}

#[test]
fn where_only_times_are_compared_one_time_may_have_several_changes() {
    let mut cache = Cache::new(9, None, false);
    let timed = |digest| Observation {
        whole: false,
        ..observation("a", 1, false, digest)
    };
    assert_eq!(
        cache.observe(&timed(1), ObservationSource::Live),
        Verdict::Created
    );
    assert_eq!(
        cache.observe(&timed(1), ObservationSource::Live),
        Verdict::Updated
    );
    let told = ObservationSource::Recovered(None);
    assert_eq!(cache.observe(&timed(1), told), Verdict::Known);
    assert_eq!(cache.observe(&timed(2), told), Verdict::Updated);
    // This was on its way when REST told it.
    assert_eq!(
        cache.observe(&timed(2), ObservationSource::Live),
        Verdict::Known
    );
}

#[test]
fn memory_is_bounded_and_keeps_the_latest() {
    let mut cache = Cache::new(100, None, false);
    for number in 0..1000 {
        cache.observe(
            &observation(&number.to_string(), 1, false, number),
            ObservationSource::Live,
        );
        cache.observe(
            &observation("steady", 1, false, number + 5000),
            ObservationSource::Live,
        );
        assert!(cache.len() <= 200);
    }
    assert!(!cache.is_whole());
    for number in 910..1000 {
        let verdict = cache.observe(
            &observation(&number.to_string(), 1, false, number),
            ObservationSource::Live,
        );
        assert_eq!(verdict, Verdict::Known, "{number}");
    }
    assert_eq!(
        cache.observe(&observation("steady", 2, false, 1), ObservationSource::Live),
        Verdict::Updated
    );
}
