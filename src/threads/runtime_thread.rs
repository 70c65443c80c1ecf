//! A thread with a runtime of its own. What is served there, and why, is its user's affair.

use std::sync::mpsc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{runtime, spawn};
use crate::error::{Error, Kind, Result};

/// A thread that serves a runtime until this is dropped. What still runs there is given up then.
pub(crate) struct RuntimeThread {
    handle: Handle,
    /// Never answered, only dropped.
    _stay: oneshot::Sender<()>,
}

impl RuntimeThread {
    /// Starts it.
    ///
    /// Errors: as [`spawn`] and [`runtime`].
    pub(crate) fn start(name: &str) -> Result<Self> {
        let (stay, stayed) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        // It ends by itself, perhaps after us: nobody waits for it. A runtime must not be dropped
        // where another one is at work, so it is made there.
        let _thread = spawn(name, move || match runtime() {
            Ok(runtime) => {
                let _heard = tell.send(Ok(runtime.handle().clone()));
                let _dropped = runtime.block_on(stayed);
            }
            Err(error) => {
                let _heard = tell.send(Err(error));
            }
        })?;
        let started = told.recv();
        let handle = started.map_err(|_| Error::new(Kind::Failed, "a thread broke off"))??;
        Ok(Self {
            handle,
            _stay: stay,
        })
    }

    /// What runs tasks there.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_thread_runs_tasks_and_gives_up_what_runs_when_it_is_dropped() {
        let thread = RuntimeThread::start("served").unwrap();
        let name = async { std::thread::current().name().map(str::to_owned) };
        let name = thread.handle().spawn(name);
        let forever = thread.handle().spawn(std::future::pending::<()>());
        runtime().unwrap().block_on(async {
            assert_eq!(name.await.unwrap().as_deref(), Some("served"));
            drop(thread);
            assert!(forever.await.unwrap_err().is_cancelled());
        });
    }
}
