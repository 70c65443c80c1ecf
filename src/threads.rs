//! Threads and runtimes, made so that a system without room for another thread is an error and no
//! panic.
//!
//! The standard library's `thread::spawn` panics then, and so does a runtime whose first blocking
//! task finds no thread. Every thread of the program is made here, or with a `Builder` whose error
//! is looked at. Nothing here knows what a thread is for.

#[cfg(feature = "nats")]
mod runtime_thread;

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Kind, Result};
#[cfg(feature = "nats")]
pub(crate) use runtime_thread::RuntimeThread;

/// A thread that waits for blocking work does not end before the program.
const FOR_GOOD: Duration = Duration::from_hours(24 * 365);

/// Starts a thread.
///
/// Errors: [`Kind::Failed`] where the system has no room for another one.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(|error| no_room(&error))
}

/// A runtime on the thread that runs it. It has one thread for blocking work from the start:
/// without any, the first such work would panic where there is no room for a thread; with one,
/// work waits for it.
pub(crate) fn runtime() -> Result<Runtime> {
    runtime_with_stack(None)
}

/// The same, whose threads for blocking work have so many bytes of stack.
pub(crate) fn runtime_with_stack(stack: Option<usize>) -> Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().thread_keep_alive(FOR_GOOD);
    let mut tried = std::thread::Builder::new().name("room".to_owned());
    if let Some(bytes) = stack {
        builder.thread_stack_size(bytes);
        tried = tried.stack_size(bytes);
    }
    let runtime = builder
        .build()
        .map_err(|error| Error::new(Kind::Failed, format!("cannot start: {error}")))?;
    // Room is tried out first.
    let tried = tried.spawn(|| ()).map_err(|error| no_room(&error))?;
    let _ended = tried.join();
    drop(runtime.spawn_blocking(|| ()));
    Ok(runtime)
}

fn no_room(error: &std::io::Error) -> Error {
    Error::new(
        Kind::Failed,
        format!("the system has no room for another thread: {error}"),
    )
    .hint("see ulimit -u, ulimit -v, and the pids and memory limits of the service or container")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_work_is_done_and_a_name_is_given() {
        let runtime = runtime().unwrap();
        let done = runtime.block_on(async { tokio::task::spawn_blocking(|| 7).await.unwrap() });
        assert_eq!(done, 7);
        let thread = spawn("named", || std::thread::current().name().map(str::to_owned));
        assert_eq!(thread.unwrap().join().unwrap().as_deref(), Some("named"));
    }
}
