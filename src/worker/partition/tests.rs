//! What histories of faults reach too rarely.

use super::*;
use crate::delivery::gate::End;
use crate::worker::partition::settling::Ended;

const NOW: Moment = Moment::ZERO;
const ROOM: Room = Room {
    events: 8,
    worth_a_pull: 8,
    share: 6,
};

fn pulled(sequence: u64, delivery: u64, id: u8) -> Pulled {
    Pulled {
        sequence,
        delivery,
        times: 1,
        reply: "reply".into(),
        event: Some(Event {
            id: EventId::from([id; 16]).into(),
            ..unreadable()
        }),
    }
}

/// One that is ours and holds nothing.
fn open() -> Partition {
    opened(Before::default())
}

fn opened(before: Before) -> Partition {
    let mut partition = Partition::new();
    partition.open(before);
    assert_eq!(answered(&mut partition, 0), []);
    partition
}

/// Its consumer is asked, and has so many events delivered, all of them under way.
fn answered(partition: &mut Partition, delivered: u64) -> Vec<Task> {
    let tasks = partition.tick(ROOM, NOW);
    let Some(Task::Ask(question)) = tasks.first() else {
        panic!("{tasks:?}");
    };
    let found = ConsumerState {
        delivered,
        pending: usize::try_from(delivered).unwrap(),
        ack_wait: Duration::from_secs(4),
        most_pending: 64,
    };
    partition.asked(*question, Some(found), NOW)
}

fn deliver(partition: &mut Partition, pulled: Pulled) -> Vec<Task> {
    partition.delivered(pulled, NOW, NOW).1
}

/// Its count may be lost with the server, so it is not enough.
#[test]
fn what_may_have_been_done_is_told_to_whoever_has_it_next() {
    let before = Before {
        done_to: 3,
        marks: Before::UNKNOWN,
    };
    let mut never_asked = Partition::new();
    never_asked.open(before);
    assert_eq!(never_asked.drain(), (vec![], vec![]));
    assert_eq!(never_asked.close(), before);

    // At most so many are under way, twice.
    let mut partition = opened(before);
    assert_eq!(
        deliver(&mut partition, pulled(7, 1, b'a')),
        [Task::Offer(7)]
    );
    assert_eq!(
        deliver(&mut partition, pulled(8, 2, b'b')),
        [Task::Offer(8)]
    );
    partition.offered(7, 0);
    partition.offered(8, 1);
    assert!(partition.begin(7, NOW).0.is_some_and(|one| one.repeated));
    assert_eq!(
        partition.ended(7, End::Delivered, NOW).tasks,
        [Task::Ack(7)]
    );
    // One was done; the other one is handed back, and is in doubt as it was.
    let (withdrawn, tasks) = partition.drain();
    assert_eq!(
        (withdrawn, tasks),
        (vec![1], vec![Task::HandBack("reply".into())])
    );
    assert_eq!(partition.acked(7, true, NOW), Some(Task::Settled(0)));
    assert!(partition.is_drained());
    let left = Before {
        done_to: 7,
        marks: 127,
    };
    assert_eq!(partition.close(), left);
}

/// A server that was killed may have lost acknowledgements, and its last messages with them.
#[test]
fn a_finished_event_is_known_by_its_id_and_not_by_its_number_alone() {
    let mut partition = open();
    assert_eq!(
        deliver(&mut partition, pulled(7, 1, b'a')),
        [Task::Offer(7)]
    );
    partition.offered(7, 0);
    assert!(partition.begin(7, NOW).0.is_some());
    let Ended { over, tasks, .. } = partition.ended(7, End::Delivered, NOW);
    assert_eq!((over, tasks), (true, vec![Task::Ack(7)]));
    assert_eq!(partition.acked(7, true, NOW), Some(Task::Settled(0)));
    assert_eq!(deliver(&mut partition, pulled(7, 2, b'a')), [Task::Ack(7)]);
    assert_eq!(partition.acked(7, true, NOW), None);
    assert_eq!(
        deliver(&mut partition, pulled(7, 3, b'b')),
        [Task::Offer(7)]
    );
}

#[test]
fn another_event_of_a_number_takes_the_place_of_one_that_has_not_begun() {
    let mut partition = open();
    assert_eq!(
        deliver(&mut partition, pulled(7, 1, b'a')),
        [Task::Offer(7)]
    );
    partition.offered(7, 0);
    let (withdrawn, tasks) = partition.delivered(pulled(7, 2, b'b'), NOW, NOW);
    assert_eq!((withdrawn, tasks), (vec![0], vec![Task::Offer(7)]));
    partition.offered(7, 1);
    assert!(partition.begin(7, NOW).0.is_some());
    // What runs is not replaced: the other comes again.
    let (withdrawn, tasks) = partition.delivered(pulled(7, 3, b'c'), NOW, NOW);
    assert_eq!((withdrawn, tasks), (vec![], vec![]));
    assert_eq!(partition.event(7).unwrap().id(), EventId::from([b'b'; 16]));
}

#[test]
fn a_share_is_asked_for_when_a_third_of_it_is_left() {
    let full = Room {
        events: 0,
        share: 9,
        ..ROOM
    };
    for (in_hand, tasks) in [(3, vec![Task::Pull(9)]), (4, vec![])] {
        let mut partition = open();
        for number in 1..=in_hand {
            deliver(&mut partition, pulled(number, number, 1));
        }
        assert_eq!(partition.tick(full, NOW), tasks, "{in_hand}");
    }
}

#[test]
fn with_events_in_hand_no_few_are_asked_for() {
    let less = Room { events: 7, ..ROOM };
    let mut partition = open();
    assert_eq!(partition.tick(less, NOW), [Task::Pull(7)]);
    partition.pull_ended(true, NOW);
    for number in 1..=4 {
        deliver(&mut partition, pulled(number, number, 1));
    }
    let pulls = |partition: &mut Partition, room| {
        let tasks = partition.tick(room, NOW);
        tasks.iter().any(|task| matches!(task, Task::Pull(_)))
    };
    assert!(!pulls(&mut partition, less));
    assert!(pulls(&mut partition, ROOM));
}

/// The answer was made after its acknowledgement, and counts one that was lost on its way.
#[test]
fn what_ends_while_the_consumer_is_asked_stands_for_no_other() {
    let mut partition = open();
    deliver(&mut partition, pulled(5, 1, b'a'));
    partition.offered(5, 0);
    assert!(partition.begin(5, NOW).0.is_some());
    // The second delivery did not come.
    assert_eq!(deliver(&mut partition, pulled(7, 3, b'c')), []);
    let later = NOW + Duration::from_secs(1);
    let tasks = partition.tick(ROOM, later);
    let question = tasks.iter().find_map(|task| match task {
        Task::Ask(question) => Some(*question),
        _ => None,
    });
    partition.ended(5, End::Delivered, later);
    partition.acked(5, true, later);
    let found = ConsumerState {
        delivered: 3,
        pending: 2,
        ack_wait: Duration::from_secs(4),
        most_pending: 64,
    };
    assert_eq!(partition.asked(question.unwrap(), Some(found), later), []);
}

#[test]
fn dead_letters_that_find_no_place_are_tried_less_and_less_and_keep_new_events_away() {
    let mut partition = open();
    deliver(&mut partition, pulled(5, 1, b'a'));
    partition.offered(5, 0);
    assert!(partition.begin(5, NOW).0.is_some());
    let tasks = partition
        .ended(5, End::GaveUp("letter".to_owned()), NOW)
        .tasks;
    assert!(matches!(tasks.as_slice(), [Task::Bury(5, _)]), "{tasks:?}");
    let mut tries = 0;
    partition.buried(5, false, NOW);
    for moment in 1..=600 {
        let now = NOW + Duration::from_millis(100) * moment;
        for task in partition.tick(ROOM, now) {
            match task {
                Task::Bury(..) => {
                    tries += 1;
                    partition.buried(5, false, now);
                }
                Task::Pull(_) => panic!("more events at {now:?}"),
                _ => {}
            }
        }
    }
    assert!((40..=60).contains(&tries), "{tries}");
    let now = NOW + Duration::from_secs(70);
    assert_eq!(partition.buried(5, true, now), [Task::Ack(5)]);
    assert!(
        partition
            .tick(ROOM, now)
            .iter()
            .any(|task| matches!(task, Task::Pull(_)))
    );
}

fn repeated(partition: &mut Partition, number: u64, delivery: u64) -> bool {
    let id = u8::try_from(number).unwrap();
    let tasks = deliver(partition, pulled(number, delivery, id));
    assert_eq!(tasks, [Task::Offer(number)]);
    partition.offered(number, number);
    let (delivery, _) = partition.begin(number, NOW);
    delivery.is_some_and(|delivery| delivery.repeated)
}

/// A server that was killed twice gives the same events twice to one that took over from a dead one.
#[test]
fn what_is_marked_or_known_anyway_uses_up_no_mark() {
    let mut partition = opened(Before {
        done_to: 2,
        marks: 2,
    });
    // Marked by its number.
    assert!(repeated(&mut partition, 1, 1));
    // The first of two.
    assert!(repeated(&mut partition, 3, 2));
    assert_eq!(
        partition.ended(3, End::Delivered, NOW).tasks,
        [Task::Ack(3)]
    );
    partition.acked(3, true, NOW);
    // It is known.
    assert_eq!(deliver(&mut partition, pulled(3, 3, 3)), [Task::Ack(3)]);
    partition.acked(3, true, NOW);
    assert!(repeated(&mut partition, 4, 4));
    assert!(!repeated(&mut partition, 5, 5));
    // What is below one that began here.
    assert!(repeated(&mut partition, 2, 6));
}

/// Another worker may have had it meanwhile, and the server have forgotten that.
#[test]
fn what_began_before_the_partition_was_lost_is_marked_when_it_comes_again() {
    let mut partition = open();
    assert!(!repeated(&mut partition, 7, 1));
    partition.lose();
    partition.open(Before {
        done_to: 0,
        marks: Before::UNKNOWN,
    });
    let mut again = pulled(7, 1, 7);
    again.reply = "later".into();
    deliver(&mut partition, again);
    answered(&mut partition, 1);
    // It could not be begun after all.
    assert!(!partition.ended(7, End::NotBegun, NOW).over);
    let (delivery, _) = partition.begin(7, NOW);
    assert!(delivery.is_some_and(|delivery| delivery.repeated));
}

fn taken_back(partition: &mut Partition, sequence: u64) -> Vec<u64> {
    let ended = partition.ended(sequence, End::TakenBack, NOW);
    assert!(ended.over && ended.tasks.is_empty(), "{ended:?}");
    ended.withdrawn
}

fn begun(partition: &mut Partition, sequence: u64) -> Delivery {
    partition.begin(sequence, NOW).0.unwrap()
}

/// It took so long to get ready that somebody else may have had it.
#[test]
fn what_was_not_started_in_time_comes_again_before_anything_newer() {
    let mut partition = open();
    assert!(!repeated(&mut partition, 7, 1));
    deliver(&mut partition, pulled(8, 2, 8));
    partition.offered(8, 8);
    assert!(partition.may_start(7, 7, NOW + Duration::from_millis(3599)));
    assert!(!partition.may_start(7, 7, NOW + Duration::from_millis(3600)));
    assert_eq!(taken_back(&mut partition, 7), [8]);
    assert!(partition.begin(8, NOW).0.is_none());
    assert_eq!(
        answered(&mut partition, 2),
        [Task::Offer(7), Task::Offer(8)]
    );
    partition.offered(7, 9);
    // That was no attempt.
    let expected = Delivery {
        attempt: 1,
        repeated: true,
    };
    assert_eq!(begun(&mut partition, 7), expected);
    assert!(!partition.may_start(7, 7, NOW));
    assert!(partition.may_start(7, 9, NOW));
}

#[test]
fn what_began_before_the_partition_was_lost_is_not_started() {
    let mut partition = open();
    assert!(!repeated(&mut partition, 7, 1));
    partition.lose();
    assert!(!partition.may_start(7, 7, NOW));
    // It is ours again, and so is the event; but others had it.
    partition.open(Before::default());
    let again = Pulled {
        times: 2,
        ..pulled(7, 2, 7)
    };
    deliver(&mut partition, again);
    assert!(!partition.may_start(7, 7, NOW));
    // How the consumer stands is not known yet: it is not given back.
    assert!(taken_back(&mut partition, 7).is_empty());
    assert_eq!(answered(&mut partition, 1), [Task::Offer(7)]);
    partition.offered(7, 9);
    assert!(begun(&mut partition, 7).repeated);
    assert!(partition.may_start(7, 9, NOW));
    // It is somebody else's for good.
    partition.lose();
    assert!(taken_back(&mut partition, 7).is_empty());
    assert_eq!(partition.len(), 0);
}
