//! The one output of several deployments: records come from their threads, get the deployment in
//! front, and go through one renderer, so that `--sort`, `--by`, `--limit` and `--jq` mean all of
//! them. Lists are written as they come; of what is one thing for each deployment, the order is
//! that of the profiles.

use std::io::{IsTerminal, Stdout};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{DEPLOYMENT, Deployment, Shared};
use crate::error::{Error, Result};
use crate::record::{Record, RecordSink};
use crate::render::{Columns, Format, Renderer, Shape, Style, column};
use crate::settings::while_nobody_is_asked;

/// See the module's documentation.
pub(super) struct Output {
    style: Style,
    state: Mutex<MergeState>,
}

struct MergeState {
    /// `None` until the first deployment has something to print.
    renderer: Option<Renderer<Stdout>>,
    /// By deployment, what is written at the end.
    held: Vec<Vec<Record>>,
    /// What went wrong with the output itself.
    broken: Option<Error>,
    /// `--limit` is reached.
    full: bool,
    /// A deployment has told all that it had to tell.
    whole: bool,
    /// A deployment's list broke off after its first row.
    cut: bool,
}

impl Output {
    pub(super) fn new(style: Style, names: &[String]) -> Self {
        Self {
            style,
            state: Mutex::new(MergeState {
                renderer: None,
                held: names.iter().map(|_| Vec::new()).collect(),
                broken: None,
                full: false,
                whole: false,
                cut: false,
            }),
        }
    }

    pub(super) fn style(&self) -> Style {
        self.style.clone()
    }

    /// Makes the renderer, by the columns of whoever comes first: it is one command.
    pub(super) fn start(&self, columns: Columns, shape: Shape) -> Result<()> {
        let mut state = self.state();
        if state.renderer.is_none() {
            let lines = self.style.format.is_none_or(Format::has_columns);
            // Without columns of their own, things are shown one below the other.
            let single = shape == Shape::Single && columns.list.is_empty() && lines;
            let shape = if single && self.style.jq.is_none() {
                Shape::Single
            } else {
                Shape::List
            };
            let mut list = columns.list.into_owned();
            if shape == Shape::List {
                list.insert(0, column("DEPLOYMENT", DEPLOYMENT));
            }
            let columns = Columns {
                list: list.into(),
                members: columns.members,
            };
            state.renderer = Some(Renderer::new(
                self.style(),
                columns,
                shape,
                std::io::stdout(),
            )?);
        }
        Ok(())
    }

    /// Writes what is held and ends the output: as a whole, unless a list broke off. What is to be
    /// said of names that stood in no record.
    pub(super) fn finish(&self) -> Result<Vec<String>> {
        let mut state = self.state();
        let held = std::mem::take(&mut state.held);
        for record in held.into_iter().flatten() {
            if state.write(&record).is_break() {
                break;
            }
        }
        if let Some(error) = state.broken.take() {
            return Err(error);
        }
        let complete = state.whole && !state.cut;
        let Some(renderer) = &mut state.renderer else {
            return Ok(Vec::new());
        };
        if complete {
            renderer.finish()?;
        } else {
            renderer.broke_off()?;
        }
        Ok(renderer.unknown_fields())
    }

    fn state(&self) -> MutexGuard<'_, MergeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MergeState {
    fn write(&mut self, record: &Record) -> ControlFlow<()> {
        if self.full || self.broken.is_some() {
            return ControlFlow::Break(());
        }
        let written = match &mut self.renderer {
            Some(renderer) => renderer.record(record),
            None => return ControlFlow::Break(()),
        };
        match written {
            Ok(ControlFlow::Continue(())) => return ControlFlow::Continue(()),
            Ok(ControlFlow::Break(())) => self.full = true,
            Err(error) => self.broken = Some(error),
        }
        ControlFlow::Break(())
    }
}

/// The way of one deployment's records into the [`Output`].
pub(crate) struct MergedOutput {
    shared: Arc<Shared>,
    name: String,
    place: usize,
    held: bool,
    rows: u64,
    terminal: bool,
}

impl MergedOutput {
    pub(super) fn new(deployment: &Deployment, shape: Shape) -> Self {
        Self {
            shared: Arc::clone(&deployment.shared),
            name: deployment.name.clone(),
            place: deployment.place,
            held: shape != Shape::List,
            rows: 0,
            terminal: std::io::stdout().is_terminal(),
        }
    }

    /// The same, with its rows together at the end.
    pub(crate) fn held(self) -> Self {
        Self { held: true, ..self }
    }

    /// This deployment has nothing more to tell; `whole`, unless its list broke off. How many rows
    /// it had.
    pub(crate) fn end(self, whole: bool) -> u64 {
        let mut state = self.shared.output.state();
        if whole {
            state.whole = true;
        } else if self.rows > 0 {
            state.cut = true;
        }
        self.rows
    }
}

impl RecordSink for MergedOutput {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let record = record.led_by(DEPLOYMENT, &self.name);
        self.rows += 1;
        // Rows of others are not written over a question.
        let _question = self.terminal.then(while_nobody_is_asked);
        let mut state = self.shared.output.state();
        if self.held {
            if let Some(held) = state.held.get_mut(self.place) {
                held.push(record);
            }
            return Ok(ControlFlow::Continue(()));
        }
        Ok(state.write(&record))
    }

    fn pause(&mut self) -> Result<()> {
        let _question = self.terminal.then(while_nobody_is_asked);
        let mut state = self.shared.output.state();
        let paused = match &mut state.renderer {
            Some(renderer) => renderer.pause(),
            None => Ok(()),
        };
        if let (Err(error), None) = (paused, &state.broken) {
            state.broken = Some(error);
        }
        Ok(())
    }
}
