//! What histories of faults reach too rarely.

use super::*;

const NOW: Moment = Moment::ZERO;

fn pulled(sequence: u64, delivery: u64, id: u8) -> Pulled {
    Pulled {
        sequence,
        delivery,
        times: 1,
        reply: "reply".into(),
        event: Some(Event {
            id: EventId::from([id; 16]),
            ..unreadable()
        }),
    }
}

/// One that is ours and holds nothing.
fn open() -> Partition {
    let mut partition = Partition::new();
    partition.open(false, 0);
    let question = match partition.tick(8, NOW).as_slice() {
        [Task::Ask(question)] => *question,
        other => panic!("{other:?}"),
    };
    let found = ConsumerState {
        delivered: 0,
        pending: 0,
        ack_wait: Duration::from_secs(4),
        most_pending: 64,
    };
    assert_eq!(partition.asked(question, Some(found), NOW), []);
    partition
}

fn deliver(partition: &mut Partition, pulled: Pulled) -> Vec<Task> {
    partition.delivered(pulled, NOW, NOW).1
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
    let (over, tasks) = partition.ended(7, End::Delivered, NOW);
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
    assert_eq!(partition.event(7).unwrap().id, EventId::from([b'b'; 16]));
}
