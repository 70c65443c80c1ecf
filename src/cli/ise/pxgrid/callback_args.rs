//! The callback that is run for each event: the options of every command that runs one all the
//! time.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::input;
use crate::delivery::Sink;
use crate::delivery::sink::callback::Callback;
use crate::error::Result;

/// See the module's documentation.
#[derive(Args, Debug)]
#[command(next_help_heading = "Delivery")]
pub(super) struct CallbackArgs {
    /// Run this program for each event, with the event on its standard input
    #[arg(long, value_name = "SCRIPT", group = "handler")]
    callback: Option<PathBuf>,
    /// How many callbacks run at a time; events of one endpoint stay in order [default: the cores]
    #[arg(long, value_name = "N", requires = "callback", conflicts_with = "keep_running",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// How long a callback may take
    #[arg(long, value_name = "DURATION", default_value = "30s", requires = "callback", value_parser = input::duration)]
    callback_timeout: Duration,
    /// How long it may take to end after TERM
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "callback", value_parser = input::duration)]
    callback_grace: Duration,
    /// How often a failed callback is run again before the event becomes a dead letter
    #[arg(long, value_name = "N", default_value_t = 3, requires = "callback")]
    pub(super) retries: u32,
    /// Start the callback once, and give it one event a line
    #[arg(long, requires = "callback")]
    keep_running: bool,
}

impl CallbackArgs {
    /// The sink, where there is a callback, checked. Starts nothing.
    pub(super) fn sink(&self, arguments: &[OsString]) -> Result<Option<Sink>> {
        let Some(program) = &self.callback else {
            return Ok(None);
        };
        let (limit, grace) = (self.callback_timeout, self.callback_grace);
        let callback = Callback::new(program, arguments.to_vec(), limit, grace)?;
        Ok(Some(if self.keep_running {
            Sink::KeepRunning(callback)
        } else {
            Sink::Callback(callback)
        }))
    }

    /// How many run at a time.
    pub(super) fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        self.jobs.map_or_else(cores, usize::from)
    }

    /// The longest that one may go on; zero without one.
    pub(super) fn longest(&self) -> Duration {
        match &self.callback {
            Some(_) => self.callback_timeout + self.callback_grace,
            None => Duration::ZERO,
        }
    }
}
