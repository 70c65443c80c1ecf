//! Where events go: straight to the printer, or through delivery, which has the spool, the
//! callbacks and the dead letters.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use super::backlog::End;
use super::options::DeliveryArgs;
use super::printer::{Paper, Printer};
use crate::cli::report::Reporter;
use crate::delivery::callback::Callback;
use crate::delivery::spool;
use crate::delivery::tally::Tally;
use crate::delivery::{self, Deliverer, Ending, Listener, Stop};
use crate::error::{Kind, Result};
use crate::event::{Event, Figures, Mark, Memory, Progress};

/// The pause before a failed callback is run again, and the longest such pause.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub(super) struct Sink {
    way: Way,
    tally: Arc<Tally>,
    reporter: Reporter,
    /// Whether marks outlive this run.
    durable: bool,
}

enum Way {
    Print(Printer),
    Deliver(Deliverer),
}

impl Sink {
    /// Starts whatever delivers. Blocks on the disk for a moment.
    pub(super) fn start(
        arguments: &DeliveryArgs,
        callback: Option<Callback>,
        paper: Option<Paper>,
        reporter: Reporter,
    ) -> Result<Self> {
        if let Some(dir) = &arguments.spool {
            reporter.report_panics_in(spool::LIBRARY, spool::damaged(dir));
        }
        let tally = Arc::new(Tally::default());
        let sink = match (callback, paper) {
            (Some(callback), _) if arguments.keep_running => delivery::Sink::KeepRunning(callback),
            (Some(callback), _) => delivery::Sink::Callback(callback),
            (None, Some(mut paper)) if arguments.spool.is_some() => {
                delivery::Sink::Print(Box::new(move |event, repeated| paper.one(event, repeated)))
            }
            (None, Some(paper)) => {
                let listener = Arc::new(StderrListener {
                    reporter: reporter.clone(),
                    waits: true,
                });
                let printer = Printer::start(paper, Arc::clone(&tally), listener)?;
                return Ok(Self {
                    way: Way::Print(printer),
                    tally,
                    reporter,
                    durable: false,
                });
            }
            (None, None) => delivery::Sink::Print(Box::new(|_, _| Ok(()))),
        };
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let deliverer = Deliverer::start(delivery::Options {
            sink,
            jobs: arguments.jobs.map_or_else(cores, usize::from),
            retries: arguments.retries,
            first_pause: FIRST_PAUSE,
            longest_pause: LONGEST_PAUSE,
            spool: arguments.spool.clone(),
            dead_letters: arguments.dead_letters.clone(),
            listener: Arc::new(StderrListener {
                reporter: reporter.clone(),
                waits: false,
            }),
            tally: Arc::clone(&tally),
        })?;
        Ok(Self {
            way: Way::Deliver(deliverer),
            tally,
            reporter,
            durable: arguments.spool.is_some(),
        })
    }

    /// The figures.
    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Whether marks are worth keeping without events.
    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// How many events an earlier run left.
    pub(super) fn left_over(&self) -> u64 {
        match &self.way {
            Way::Print(_) => 0,
            Way::Deliver(deliverer) => deliverer.left_over(),
        }
    }

    /// How far an earlier run got.
    pub(super) fn marks(&self) -> Result<Vec<Mark>> {
        let Way::Deliver(deliverer) = &self.way else {
            return Ok(Vec::new());
        };
        deliverer.marks()
    }

    /// What earlier runs told, where that is kept.
    pub(super) fn memory(&self) -> Option<Arc<dyn Memory>> {
        match &self.way {
            Way::Print(_) => None,
            Way::Deliver(deliverer) => deliverer.memory(),
        }
    }

    /// Takes events, and the progress that holds once they are safe. Waits for the disk, or for a
    /// reader that does not keep up. When it is [`over`](Self::over) it takes nothing, and
    /// [`finish`](Self::finish) says why.
    pub(super) async fn take(&self, events: Vec<Event>, progress: Progress) -> Result<()> {
        match &self.way {
            Way::Print(printer) => {
                let recovered = events.iter().filter(|event| event.recovered).count();
                self.tally.received(events.len() as u64, recovered as u64);
                if printer.take(events).await? {
                    self.reporter
                        .step("the reader does not keep up; events wait on disk");
                }
                Ok(())
            }
            Way::Deliver(deliverer) => deliverer
                .offer_batch(events, progress)
                .await
                .map(|_taken| ()),
        }
    }

    /// Whether what was taken is best delivered now, since the next run would not find it.
    pub(super) fn is_gone(&self) -> bool {
        matches!(&self.way, Way::Deliver(deliverer) if deliverer.is_gone())
    }

    /// The user wants to end: no further callback is started. What was received before can still be
    /// brought.
    pub(super) fn hold(&self) {
        if let Way::Deliver(deliverer) = &self.way {
            deliverer.stop(Stop::Finish);
        }
    }

    /// Tells it to end: nothing more is brought.
    pub(super) fn stop(&self, stop: Stop) {
        match &self.way {
            Way::Print(printer) => printer.stop(match stop {
                Stop::No | Stop::Drained => End::Drained,
                Stop::Finish | Stop::AtOnce => End::MemoryOnly,
            }),
            Way::Deliver(deliverer) => deliverer.stop(stop),
        }
    }

    /// Waits until it has ended, by itself or since it was told to.
    pub(super) async fn over(&self) {
        match &self.way {
            Way::Print(printer) => printer.over().await,
            Way::Deliver(deliverer) => deliverer.over().await,
        }
    }

    /// A word about what was left, and how it ended. To be called when it is [`over`](Self::over).
    pub(super) async fn finish(self) -> (Option<String>, Result<()>) {
        let ended = match self.way {
            Way::Print(printer) => match printer.finish() {
                Ok(left) => Ok(Ending {
                    left,
                    spool: None,
                    failure: None,
                }),
                Err(error) if error.kind() == Kind::ClosedPipe => {
                    return (unread(&self.tally.figures()), Ok(()));
                }
                Err(error) => Err(error),
            },
            Way::Deliver(deliverer) => deliverer.finish().await,
        };
        match ended {
            Ok(ending) => {
                let word = (ending.left > 0).then(|| ending.to_string());
                (word, ending.failure.map_or(Ok(()), Err))
            }
            Err(error) => (None, Err(error)),
        }
    }
}

/// A word about what was received when nobody read any more.
fn unread(figures: &Figures) -> Option<String> {
    let printed = figures.delivered.saturating_add(figures.failed);
    match figures.received.saturating_sub(printed) {
        0 => None,
        1 => Some("the reader is gone; 1 event was not printed".to_owned()),
        left => Some(format!(
            "the reader is gone; {left} events were not printed"
        )),
    }
}

/// Passes on what delivery says.
pub(in crate::cli::ise::pxgrid) struct StderrListener {
    reporter: Reporter,
    /// Dead letters wait for room: nothing else is done by the thread that brings them.
    waits: bool,
}

impl StderrListener {
    /// One that waits for nobody.
    pub(in crate::cli::ise::pxgrid) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            waits: false,
        }
    }
}

impl Listener for StderrListener {
    fn callback_line(&self, line: &str) {
        self.reporter.pass_on(line);
    }

    fn notice(&self, text: &str) {
        self.reporter.step(text);
    }

    fn dead_letter(&self, json: &str) {
        if self.waits {
            self.reporter.wait_for_data_room();
        }
        self.reporter.data(json);
    }

    fn has_room(&self) -> bool {
        self.reporter.has_room_for_data()
    }
}
