//! Options in groups: what happens to an event, and how a lost connection is made again.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::input;

/// What happens to an event.
#[derive(Args, Debug)]
#[command(next_help_heading = "Delivery")]
pub(super) struct DeliveryArgs {
    /// Run this program for each event, with the event on its standard input
    #[arg(long, value_name = "SCRIPT")]
    pub(super) callback: Option<PathBuf>,
    /// How many callbacks run at a time; events of one endpoint stay in order [default: the cores]
    #[arg(long, value_name = "N", requires = "callback", conflicts_with = "keep_running",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// How long a callback may take
    #[arg(long, value_name = "DURATION", default_value = "30s", requires = "callback", value_parser = input::duration)]
    pub(super) callback_timeout: Duration,
    /// How long it may take to end after TERM
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "callback", value_parser = input::duration)]
    pub(super) callback_grace: Duration,
    /// How often a failed callback is run again before the event becomes a dead letter
    #[arg(long, value_name = "N", default_value_t = 3, requires = "callback")]
    pub(super) retries: u32,
    /// Start the callback once, and give it one event a line
    #[arg(long, requires = "callback")]
    pub(super) keep_running: bool,
    /// Keep events here until they are delivered, also over a crash, and fetch what was missed
    /// meanwhile
    #[arg(long, value_name = "DIR")]
    pub(super) spool: Option<PathBuf>,
    /// Append events that could not be delivered [default: DIR/dead-letters.jsonl, else standard
    /// error]
    #[arg(long, value_name = "FILE", requires = "callback")]
    pub(super) dead_letters: Option<PathBuf>,
}

/// How a lost connection is made again.
#[derive(Args, Debug)]
#[command(next_help_heading = "Reconnecting")]
pub(super) struct Reconnecting {
    /// The first pause before the next try, at least 1s; each further one is twice as long
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = input::pause)]
    pub(super) reconnect_min: Duration,
    /// The longest pause
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::pause)]
    pub(super) reconnect_max: Duration,
    /// The pause before a new lookup when every node failed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = input::pause)]
    pub(super) lookup_pause: Duration,
    /// A connection without data or ping for this time counts as dead; we ping three times within
    /// it
    #[arg(long, value_name = "DURATION", default_value = "75s", value_parser = input::pause)]
    pub(super) silence: Duration,
}
