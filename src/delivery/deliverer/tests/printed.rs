//! Events that are printed: a slow reader, one that is gone, and the end.

use std::sync::mpsc;

use super::*;
use crate::delivery::sink::print::{EventWriter, Printed};

/// More than is kept in memory.
const MEMORY: usize = 8 << 20;

/// Writes into a list, as often as it may.
struct Writer {
    /// Each stands for one write that may be done; when no more will come, all may.
    gate: mpsc::Receiver<()>,
    printed: Arc<Mutex<Vec<i64>>>,
    /// At which event nobody reads any more.
    gone_at: Option<i64>,
    /// Which events cannot be written.
    unprintable: fn(i64) -> bool,
}

impl EventWriter for Writer {
    fn write(&mut self, events: &[Printed<'_>]) -> Result<Vec<(usize, Error)>> {
        let _opened = self.gate.recv();
        let mut unprinted = Vec::new();
        for (place, printed) in events.iter().enumerate() {
            let number = printed.event.sequence.unwrap();
            if Some(number) == self.gone_at {
                return Err(Error::new(Kind::ClosedPipe, "standard output was closed"));
            }
            if (self.unprintable)(number) {
                unprinted.push((place, Error::new(Kind::Expression, "no number")));
            } else {
                self.printed.lock().unwrap().push(number);
            }
        }
        Ok(unprinted)
    }
}

/// A writer, what opens it, and what it has written.
fn writer() -> (Writer, mpsc::Sender<()>, Arc<Mutex<Vec<i64>>>) {
    let (open, gate) = mpsc::channel();
    let printed = Arc::default();
    let writer = Writer {
        gate,
        printed: Arc::clone(&printed),
        gone_at: None,
        unprintable: |_| false,
    };
    (writer, open, printed)
}

/// An event that fills the memory.
fn large(number: i64) -> Event {
    let mut event = event("a", number);
    event.message = crate::event::Message::whole("x".repeat(MEMORY - 2000));
    event
}

fn slow(place: &Place) -> usize {
    let notices = place.heard.notices.lock().unwrap();
    let slow = |notice: &&String| notice.contains("does not keep up; events wait on disk");
    notices.iter().filter(slow).count()
}

async fn offer(deliverer: &Deliverer, events: Vec<Event>) {
    assert_eq!(deliverer.offer_batch(events, Vec::new()).await, Ok(true));
}

#[test]
fn printing_counts_as_delivery_and_a_closed_pipe_ends_it() {
    let place = Place::new();
    let (mut writer, open, printed) = writer();
    writer.gone_at = Some(25_000);
    drop(open);
    block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.durable()).unwrap();
        for n in 0..30 {
            let batch = (n * 1000..(n + 1) * 1000).map(|n| event(&format!("{}", n % 7), n));
            let offered = deliverer.offer_batch(batch.collect(), Vec::new()).await;
            if !offered.unwrap() {
                break;
            }
        }
        deliverer.over().await;
        let taken = deliverer.offer_batch(Vec::new(), Vec::new()).await;
        assert_eq!(taken, Ok(false));
        let ending = deliverer.finish().await;
        assert!(ending.left >= 1 && ending.reader_gone && ending.failure.is_none());
    });
    let printed = printed.lock().unwrap();
    assert!(
        printed.is_sorted() && printed.len() >= 20_000,
        "{}",
        printed.len()
    );
    let spool = Spool::open(&place.path("spool")).unwrap();
    let waiting = spool.waiting(0, usize::MAX).unwrap();
    assert!(waiting.iter().any(|waiting| waiting.id == 25_000));
}

#[test]
fn what_is_not_read_in_time_waits_on_disk_which_is_said_once_and_keeps_its_order() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    let ending = block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, vec![large(0)]).await;
        assert_eq!(slow(&place), 0);
        // There is no room for these, nor will there be while the first one is not read.
        offer(&deliverer, vec![large(1), event("b", 2)]).await;
        assert_eq!(slow(&place), 1);
        offer(&deliverer, vec![large(3)]).await;
        // This one fits into memory again.
        offer(&deliverer, vec![event("c", 4)]).await;
        assert_eq!(slow(&place), 1);
        drop(open);
        deliverer.stop(Stop::Drained);
        deliverer.finish().await
    });
    assert_eq!(ending, Ending::default());
    assert_eq!(*printed.lock().unwrap(), [0, 1, 2, 3, 4]);
    let figures = place.counters.figures();
    assert_eq!((figures.received, figures.delivered), (5, 5));
}

#[test]
fn what_is_more_than_memory_ever_holds_waits_for_no_room_and_is_no_sign_of_a_slow_reader() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    drop(open);
    block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, vec![event("a", 0)]).await;
        offer(&deliverer, vec![large(1), large(2)]).await;
        assert!(deliverer.lag().since.is_none());
        offer(&deliverer, vec![event("a", 3)]).await;
        deliverer.stop(Stop::Drained);
        assert_eq!(deliverer.finish().await, Ending::default());
    });
    assert_eq!(slow(&place), 0);
    assert_eq!(*printed.lock().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_reader_that_catches_up_in_time_spares_the_disk() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, vec![large(0)]).await;
        let next = offer(&deliverer, vec![large(1)]);
        let reading = async { drop(open) };
        tokio::join!(next, reading);
        deliverer.stop(Stop::Drained);
        assert_eq!(deliverer.finish().await, Ending::default());
    });
    assert_eq!((slow(&place), printed.lock().unwrap().len()), (0, 2));
}

#[test]
fn after_the_first_ctrl_c_memory_is_printed_and_what_lies_on_disk_is_left_and_counted() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    let ending = block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        deliverer.hold();
        offer(&deliverer, vec![event("a", 0)]).await;
        offer(&deliverer, vec![large(1)]).await;
        offer(&deliverer, vec![large(2), event("b", 3)]).await;
        deliverer.stop(Stop::Finish);
        drop(open);
        deliverer.finish().await
    });
    assert_eq!(*printed.lock().unwrap(), [0, 1]);
    let words = "2 undelivered events discarded with the temporary spool; --spool DIR keeps them";
    assert_eq!((ending.left, ending.to_string().as_str()), (2, words));
}

#[test]
fn after_the_second_nothing_more_is_printed() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    let ending = block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, vec![event("a", 0)]).await;
        until(|| place.counters.figures().lag > Duration::ZERO).await;
        offer(&deliverer, vec![event("a", 1)]).await;
        deliverer.stop(Stop::AtOnce);
        drop(open);
        deliverer.finish().await
    });
    assert_eq!((ending.left, &*printed.lock().unwrap()), (1, &vec![0]));
}

#[test]
fn nobody_waits_for_a_reader_that_is_gone_and_what_it_missed_is_said() {
    let place = Place::new();
    let (mut writer, open, _) = writer();
    writer.gone_at = Some(0);
    let ending = block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, vec![large(0)]).await;
        let next = deliverer.offer_batch(vec![large(1)], Vec::new());
        let leaving = async { drop(open) };
        let (taken, ()) = tokio::join!(next, leaving);
        assert_eq!(taken, Ok(false));
        deliverer.finish().await
    });
    let words = "the reader is gone; up to 1 event was not printed";
    assert_eq!(ending.to_string(), words);
    assert!(ending.failure.is_none());
}

#[test]
fn what_cannot_be_printed_is_a_dead_letter_and_the_others_are_printed() {
    let place = Place::new();
    let (mut writer, open, printed) = writer();
    writer.unprintable = |number| number % 2 == 1;
    drop(open);
    block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.options()).unwrap();
        offer(&deliverer, numbers(0..4, "a")).await;
        deliverer.stop(Stop::Drained);
        assert_eq!(deliverer.finish().await, Ending::default());
    });
    assert_eq!(*printed.lock().unwrap(), [0, 2]);
    assert_eq!(place.heard.letters.lock().unwrap().len(), 2);
    let figures = place.counters.figures();
    assert_eq!((figures.delivered, figures.failed), (2, 2));
}

#[test]
fn what_a_killed_run_had_printed_is_not_waited_for() {
    let place = Place::new();
    let (writer, open, printed) = writer();
    drop(open);
    let killed = place.path("killed");
    let spool = Spool::open(&killed).unwrap();
    spool.append(numbers(0..3, "a"), &[]).unwrap();
    for id in 0..3 {
        spool.begin(id).unwrap();
        spool.delivered_event(id);
    }
    std::fs::create_dir(place.path("spool")).unwrap();
    for entry in std::fs::read_dir(&killed).unwrap() {
        let from = entry.unwrap().path();
        let to = place.path("spool").join(from.file_name().unwrap());
        std::fs::copy(from, to).unwrap();
    }
    let ending = block_on(async {
        let sink = Sink::Print(Box::new(writer));
        let deliverer = Deliverer::start(sink, place.durable()).unwrap();
        deliverer.stop(Stop::Drained);
        let patience = Duration::from_secs(15);
        tokio::time::timeout(patience, deliverer.finish()).await
    });
    assert_eq!(ending.expect("it ends").left, 0);
    assert!(printed.lock().unwrap().is_empty());
}
