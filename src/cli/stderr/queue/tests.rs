use std::io::Read;
use std::sync::Arc;

use super::*;

fn queue() -> Queue {
    Queue::new(Box::new(|left_out| {
        format!("left out: {} {}", left_out.output, left_out.steps)
    }))
}

/// A queue whose thread stands before a full pipe, with nothing else waiting; what is read from
/// `reader` goes on to the end.
fn stuck() -> (Arc<Queue>, std::io::PipeReader, std::thread::JoinHandle<()>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let queue = Arc::new(queue());
    let theirs = Arc::clone(&queue);
    let writing = std::thread::spawn(move || theirs.write(writer));
    // More than a pipe takes.
    queue.push(&"x".repeat(ROOM - 1), Line::Output);
    while !queue.state().waiting.is_empty() {
        std::thread::yield_now();
    }
    (queue, reader, writing)
}

fn end(queue: &Queue) {
    queue.state().ended = true;
    queue.more.notify_one();
}

#[test]
fn a_callbacks_output_waits_for_a_moment_and_is_then_counted() {
    let (queue, mut reader, writing) = stuck();
    queue.push(&"y".repeat(ROOM), Line::Output);
    let begun = Instant::now();
    for _ in 0..1000 {
        queue.push("lost", Line::Output);
    }
    let took = begun.elapsed();
    // All of them together, not each.
    assert!(took >= PATIENCE && took < 5 * PATIENCE, "{took:?}");
    queue.push("a step", Line::Step);
    end(&queue);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    writing.join().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[2..], ["a step", "left out: 1000 0"]);
}

#[test]
fn a_reader_that_goes_on_in_time_loses_nothing() {
    let (queue, mut reader, writing) = stuck();
    let line = "x".repeat(1023);
    let many = 2 * ROOM / 1024;
    let theirs = Arc::clone(&queue);
    let saying = std::thread::spawn(move || {
        for _ in 0..many {
            theirs.push(&line, Line::Output);
        }
        end(&theirs);
    });
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    saying.join().unwrap();
    writing.join().unwrap();
    assert_eq!(text.lines().count(), many + 1);
}

#[test]
fn steps_wait_for_nobody_and_a_report_has_a_reserve() {
    let queue = queue();
    queue.push(&"x".repeat(FULL), Line::Data);
    for _ in 0..7 {
        queue.push("lost", Line::Step);
    }
    queue.push("report", Line::Report);
    assert!(queue.state().waiting.ends_with(b"\nreport\n"));
    queue.push(&"x".repeat(ROOM), Line::Report);
    queue.push("lost", Line::Report);
    let left_out = queue.state().left_out;
    assert_eq!((left_out.output, left_out.steps), (0, 8));
}

#[test]
fn in_a_hurry_nobody_waits() {
    let queue = queue();
    queue.hasten(Haste::Hurried);
    queue.push(&"x".repeat(ROOM), Line::Output);
    queue.push("lost", Line::Output);
    assert_eq!(queue.state().left_out.output, 1);
    assert_eq!(queue.state().waiting.len(), ROOM + 1);
}

#[test]
fn the_last_words_are_waited_for_while_they_are_taken() {
    let mut state = QueueState {
        writing: true,
        ..QueueState::default()
    };
    let mut patience = Patience::new();
    assert!(patience.left(&state).is_some());
    state.haste = Haste::Hurried;
    let long_ago = Instant::now().checked_sub(2 * PATIENCE).unwrap();
    patience.progress = long_ago;
    assert_eq!(patience.left(&state), None);
    state.taken = 1;
    assert!(patience.left(&state).is_some());
    patience.begun = Instant::now().checked_sub(LAST_WORDS).unwrap();
    assert_eq!(patience.left(&state), None);
    state.writing = false;
    assert_eq!(Patience::new().left(&state), None);
}
