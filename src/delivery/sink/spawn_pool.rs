//! The threads that start callbacks: one a core, or fewer where fewer may run at a time.
//!
//! Starting a process holds a thread up until the child has become another program, so a single
//! thread would leave the other cores idle meanwhile. Each thread has a runtime of its own, which
//! also waits for what was started there: a callback begins and ends on one thread.
//!
//! It knows nothing of events, and of no order among what it is given.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::delivery::Listener;
use crate::delivery::deliverer::cannot_start;
use crate::error::Result;

/// That a task is at work on its thread. One that rests is not counted when others are spread.
pub(super) struct Busy {
    tasks: Arc<AtomicUsize>,
    works: bool,
}

impl Busy {
    fn on(thread: &SpawnThread) -> Self {
        let mut busy = Self {
            tasks: Arc::clone(&thread.busy),
            works: false,
        };
        busy.works();
        busy
    }

    /// It goes on.
    pub(super) fn works(&mut self) {
        if !std::mem::replace(&mut self.works, true) {
            self.tasks.fetch_add(1, Relaxed);
        }
    }

    /// It waits for something else than a process.
    pub(super) fn rests(&mut self) {
        if std::mem::replace(&mut self.works, false) {
            self.tasks.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.rests();
    }
}

/// Files that a running callback keeps open here: both ends of its output's pipe, and what tells of
/// its end.
const FILES_A_JOB: u64 = 3;

/// Files that are kept for everything else: connections, the spool, the threads' own, and what is
/// open for a moment while one is started.
const OTHER_FILES: u64 = 96;

/// How many of `jobs` may run at a time; where that is fewer, says so.
pub(super) fn affordable(jobs: usize, listener: &dyn Listener) -> usize {
    let files = crate::process::most_open_files();
    let fewer = with_open_files(jobs, files);
    if let (true, Some(files)) = (fewer < jobs, files) {
        listener.notice(&format!(
            "only {files} files may be open (ulimit -n): {fewer} callbacks at a time, not {jobs}"
        ));
    }
    fewer
}

/// The same where so many files may be open (`None`: any number); at least one.
fn with_open_files(jobs: usize, files: Option<u64>) -> usize {
    let Some(files) = files else {
        return jobs;
    };
    let most = files.saturating_sub(OTHER_FILES) / FILES_A_JOB;
    usize::try_from(most).map_or(jobs, |most| jobs.min(most.max(1)))
}

/// See the module's documentation. Its threads end when it is dropped, and whatever still runs
/// there is given up.
pub(super) struct SpawnPool(Vec<SpawnThread>);

struct SpawnThread {
    handle: Handle,
    /// How many tasks are at work on this thread.
    busy: Arc<AtomicUsize>,
    /// Dropped to end the thread.
    stay: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SpawnPool {
    /// Starts the threads for at most `jobs` tasks at work at a time.
    pub(super) fn new(jobs: usize) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = jobs.clamp(1, cores);
        (0..threads)
            .map(|_| SpawnThread::new())
            .collect::<std::io::Result<_>>()
            .map(Self)
            .map_err(|error| cannot_start(&error))
    }

    /// Runs a task, as one of `tasks`, on the thread that has the fewest at work.
    pub(super) fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        tasks: &mut JoinSet<T>,
        task: impl FnOnce(Busy) -> F,
    ) {
        let idlest = self.0.iter().min_by_key(|thread| thread.busy.load(Relaxed));
        // There is at least one; see `new`.
        if let Some(thread) = idlest {
            tasks.spawn_on(task(Busy::on(thread)), &thread.handle);
        }
    }
}

impl SpawnThread {
    fn new() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stay, stayed) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("callbacks".to_owned())
            .spawn(move || {
                // Never answered, only dropped.
                let _dropped = runtime.block_on(stayed);
            })?;
        Ok(Self {
            handle,
            busy: Arc::default(),
            stay: Some(stay),
            thread: Some(thread),
        })
    }
}

impl Drop for SpawnThread {
    fn drop(&mut self) {
        self.stay = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was one of a task's, and told to whoever waits for the task.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tasks_spread_over_the_threads_and_all_end() {
        let spawn_pool = SpawnPool::new(4).unwrap();
        let threads = spawn_pool.0.len();
        assert!((1..=4).contains(&threads));
        let waiting = Builder::new_current_thread().build().unwrap();
        waiting.block_on(async {
            let mut tasks = JoinSet::new();
            let barrier = Arc::new(tokio::sync::Barrier::new(4));
            for _ in 0..4 {
                let barrier = Arc::clone(&barrier);
                spawn_pool.spawn(&mut tasks, |busy| async move {
                    // All are under way before the first ends.
                    barrier.wait().await;
                    drop(busy);
                    std::thread::current().id()
                });
            }
            let used: HashSet<_> = tasks.join_all().await.into_iter().collect();
            assert_eq!(used.len(), threads);
            assert!(!used.contains(&std::thread::current().id()));
        });
    }

    #[test]
    fn a_task_that_rests_keeps_no_other_from_its_thread() {
        let spawn_pool = SpawnPool::new(1).unwrap();
        let at_work = || spawn_pool.0[0].busy.load(Relaxed);
        let mut busy = Busy::on(&spawn_pool.0[0]);
        assert_eq!(at_work(), 1);
        busy.rests();
        busy.rests();
        assert_eq!(at_work(), 0);
        busy.works();
        busy.works();
        assert_eq!(at_work(), 1);
        drop(busy);
        assert_eq!(at_work(), 0);
    }

    #[test]
    fn no_more_callbacks_run_than_there_are_files_for() {
        assert_eq!(with_open_files(1024, None), 1024);
        assert_eq!(with_open_files(1024, Some(1_000_000)), 1024);
        assert_eq!(with_open_files(4, Some(1024)), 4);
        assert_eq!(with_open_files(1024, Some(1024)), 309);
        assert_eq!(with_open_files(1024, Some(20)), 1);
    }

    #[test]
    fn no_jobs_count_as_one() {
        assert_eq!(SpawnPool::new(0).unwrap().0.len(), 1);
    }
}
