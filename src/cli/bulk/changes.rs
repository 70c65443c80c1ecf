//! A list that is changed: asked for once where a person sits, each address sent once, one row for
//! each input (contract, section 1).
//!
//! After a refusal or a signal nothing more is sent; what is under way gets its row, and so does
//! what was not sent.

use std::cell::OnceCell;
use std::io::IsTerminal;

use clap::Args;
use futures_util::{StreamExt, stream};

use super::list::{Entry, EntryKind, List, reason};
use super::progress::Watched;
use super::row::{COLUMNS, Counts, MEMBERS, Row, RowOutcome};
use super::{
    Bulk, Earlier, Ledger, Left, ListOptions, SaidHints, Screen, about, next_or_pause,
    was_held_back,
};
use crate::cli::Context;
use crate::cli::change_under_way::{Attempt, Carried, Change, stopped};
use crate::cli::input;
use crate::cli::long_running::{first_stop, hear_first_stop};
use crate::error::{Error, Kind, Result};
use crate::record::{Mac, RecordSink};

/// More changes than this are asked for where a person sits.
const UNASKED: usize = 20;

/// `--yes`.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct Yes {
    /// Do not ask (before a deletion, or before more than 20 changes)
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Yes {
    /// Whether it was given.
    pub(crate) fn is_given(self) -> bool {
        self.yes
    }
}

/// A command that changes each endpoint of a list.
pub(crate) struct Changing<'a, C> {
    /// What is changed.
    pub change: &'a C,
    /// Its options.
    pub options: &'a ListOptions,
    /// Whether nobody is to be asked.
    pub yes: Yes,
}

impl<C: Change> Changing<'_, C> {
    /// Reads the list, asks, sends, and prints a row for each input.
    ///
    /// Errors: [`Kind::Partial`] when an input failed or is invalid, a refusal, [`Kind::Stopped`].
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let output = context.output_of_changes("rows", COLUMNS, MEMBERS)?;
        let list = List::from_stdin(context)?;
        let shows_only = context.global.shows_only();
        let (left, ledger) = if shows_only {
            (Left::default(), None)
        } else {
            self.options.open(&self.change.command())?
        };
        list.say_what_is_wrong(&context.reporter);
        let run = Run {
            bulk: Bulk::once_each(self.options.jobs),
            change: self.change,
            rows: list.entries.iter().map(|_| OnceCell::new()).collect(),
            list,
            left,
            ledger,
        };
        if !shows_only {
            run.ask_first(context, self.yes)?;
        }
        let mut output = Watched::new(output, run.list.entries.len(), context.global.quiet);
        output.begin(None)?;
        let drained = run.carry_out_all(context, &mut output).await;
        output.line.clear();
        let drained = context.end_list(output.output, drained, "no addresses on standard input");
        run.end(context, drained)
    }
}

struct Run<'a, C> {
    bulk: Bulk,
    change: &'a C,
    list: List<Mac>,
    left: Left,
    ledger: Option<Ledger>,
    /// What became of each entry, as soon as it is known.
    rows: Vec<OnceCell<Row>>,
}

impl<C: Change> Run<'_, C> {
    fn ask_first(&self, context: &Context, yes: Yes) -> Result<()> {
        let to_send = |entry: &&Entry<Mac>| match entry.kind {
            EntryKind::First(mac) => self.left.of(mac).is_none(),
            _ => false,
        };
        let many = self.list.entries.iter().filter(to_send).count();
        let asks = self.change.asks_always() || (many > UNASKED && std::io::stderr().is_terminal());
        if yes.yes || many == 0 || !asks {
            return Ok(());
        }
        let question = format!("{} {many} endpoints?", self.change.question());
        input::confirm_many(&question, context.global.no_input)
    }

    /// The counts of the rows that were printed.
    async fn carry_out_all(&self, context: &Context, output: &mut Watched) -> Result<Counts> {
        // Rows that nobody reads hold up everything but a second signal, which is the end.
        let mut stop = hear_first_stop(|_, _| {})?;
        let printing = self.print_all(context, output);
        tokio::pin!(printing);
        tokio::select! {
            biased;
            printed = &mut printing => return printed,
            signal = first_stop(&mut stop) => self.bulk.end(&stopped(signal)),
        }
        printing.await
    }

    async fn print_all(&self, context: &Context, output: &mut Watched) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut hints = SaidHints::default();
        let mut wanted = true;
        let items = self.list.entries.iter().enumerate();
        let items = items.map(|(index, entry)| self.one(index, entry));
        let mut items = std::pin::pin!(stream::iter(items).buffered(self.bulk.jobs));
        while let Some((index, error)) = next_or_pause(&mut items, output).await? {
            if let Some(error) = error {
                output.line.clear();
                context.reporter.error(&hints.once(error));
            }
            let Some(row) = self.row(index) else {
                continue;
            };
            counts.add(row.outcome);
            if wanted {
                match output.record(&row.record()) {
                    Ok(flow) => wanted = flow.is_continue(),
                    // It was carried out; `--jq` may do for the next one.
                    Err(error) if error.kind() == Kind::Expression => {
                        context.reporter.error(&error);
                        counts.unprinted += 1;
                    }
                    Err(error) => return Err(error),
                }
            }
            output.item();
        }
        Ok(counts)
    }

    /// The row of an entry, under its own name: a repeat has the row of the first one.
    fn row(&self, index: usize) -> Option<Row> {
        let entry = self.list.entries.get(index)?;
        let EntryKind::Repeat(first) = entry.kind else {
            return self.rows.get(index)?.get().cloned();
        };
        let number = self.list.entries.get(first)?.number;
        let mut row = self.rows.get(first)?.get()?.clone();
        row.input.clone_from(&entry.text);
        row.reason = Some(match (&row.reason, row.outcome) {
            (Some(reason), RowOutcome::Failed) => format!("the same as line {number}: {reason}"),
            _ => format!("the same address as line {number}, sent once"),
        });
        if row.outcome == RowOutcome::Done {
            row.outcome = RowOutcome::Already;
        }
        Some(row)
    }

    /// Sees to one entry; its index, and what is to be named beside its row.
    async fn one(&self, index: usize, entry: &Entry<Mac>) -> (usize, Option<Error>) {
        let (row, error) = match &entry.kind {
            EntryKind::Repeat(..) => return (index, None),
            EntryKind::Invalid(_) => {
                let why = reason(entry);
                (Some(Row::new(&entry.text, RowOutcome::Invalid, why)), None)
            }
            EntryKind::First(mac) => self.endpoint(&entry.text, *mac).await,
        };
        let Some(row) = row else {
            return (index, error);
        };
        let written = match &self.ledger {
            Some(ledger) => ledger.row(&row),
            None => Ok(()),
        };
        if let Some(cell) = self.rows.get(index) {
            let _first = cell.set(row);
        }
        if let Err(unwritten) = written {
            self.bulk.end(&unwritten);
        }
        (index, error)
    }

    /// What became of an endpoint: no row where its request was only shown.
    async fn endpoint(&self, input: &str, mac: Mac) -> (Option<Row>, Option<Error>) {
        match self.left.of(mac) {
            Some(Earlier::Good) => return (Some(Row::finished_earlier(input)), None),
            Some(Earlier::Unsure(answer)) => {
                return self.asked_again(input, mac, answer.as_ref()).await;
            }
            None => {}
        }
        let note = |answer: Option<&_>| match &self.ledger {
            Some(ledger) => ledger
                .sending(input, answer)
                .inspect_err(|error| self.bulk.end(error)),
            None => Ok(()),
        };
        let attempt = Attempt::noted(&note);
        let carrying = self
            .bulk
            .call(async || self.change.carry_out(mac, &attempt).await);
        let result = tokio::select! {
            biased;
            result = carrying => result,
            error = self.stopped() => Err(error),
        };
        let error = match result {
            Ok(carried) => return (Some(carried_row(input, carried)), None),
            Err(error) => error,
        };
        let lost = attempt.is_lost(&error);
        if was_held_back(&error) || (matches!(error.kind(), Kind::Stopped(_)) && !lost) {
            if self.bulk.why_ended().is_none() && error.kind() == Kind::NotSent {
                return (None, None);
            }
            return (Some(Row::new(input, RowOutcome::NotSent, None)), None);
        }
        let what = self.change.what(mac);
        let error = attempt.explain_lost(error, &what, |answer| self.change.look(mac, answer));
        let mut row = Row::new(input, RowOutcome::Failed, reason_of(&error, lost));
        let final_answer = error
            .answer_text()
            .and_then(|text| serde_json::from_str(text).ok());
        row.answer = final_answer.or_else(|| attempt.answer());
        row.unsure = lost;
        // What ends the run is told at its end.
        let told = (!super::ends_the_run(&error)).then(|| about(mac, error));
        (Some(row), told)
    }

    /// An endpoint that an earlier run sent without hearing what became of it: it is asked for by
    /// what the server answered, if it answered anything, and never sent again.
    async fn asked_again(
        &self,
        input: &str,
        mac: Mac,
        answer: Option<&serde_json::Value>,
    ) -> (Option<Row>, Option<Error>) {
        if let Some(answer) = answer {
            let asking = self
                .bulk
                .call(async || self.change.ask_again(mac, answer).await.transpose());
            if let Ok(Some(carried)) = asking.await {
                return (Some(carried_row(input, carried)), None);
            }
        }
        let error = Error::new(
            Kind::Failed,
            format!(
                "{} was sent by an earlier run, and what became of it is not known: not sent again",
                self.change.what(mac)
            ),
        )
        .hint(self.change.look(mac, answer));
        let mut row = Row::new(input, RowOutcome::Failed, reason_of(&error, true));
        row.answer = answer.cloned();
        row.unsure = true;
        (Some(row), Some(about(mac, error)))
    }

    /// Waits for a signal.
    async fn stopped(&self) -> Error {
        let mut ended = self.bulk.ended.subscribe();
        let signal = |ended: &Option<Error>| matches!(ended, Some(error) if matches!(error.kind(), Kind::Stopped(_)));
        let waited = ended.wait_for(signal).await.map(|error| error.clone());
        match waited {
            Ok(Some(error)) => error,
            _ => std::future::pending().await,
        }
    }

    /// Writes the report anew and says how the run ended.
    fn end(self, context: &Context, drained: Result<Counts>) -> Result<()> {
        let ended = self.bulk.why_ended();
        let entries = self.list.entries.iter().enumerate();
        let rows: Vec<Row> = entries
            .map(|(index, entry)| {
                let not_sent = || Row::new(&entry.text, RowOutcome::NotSent, None);
                self.row(index).unwrap_or_else(not_sent)
            })
            .collect();
        let written = match self.ledger {
            Some(ledger) => ledger.finish(rows.into_iter()),
            None => Ok(()),
        };
        let counts = drained?;
        let words = counts.words();
        if let Some(error) = ended {
            if !words.is_empty() {
                context.reporter.note(&words);
            }
            return Err(error);
        }
        written?;
        let failed = counts.failed + counts.invalid + counts.unprinted;
        if failed > 0 {
            let total = counts.total();
            return Err(Error::new(
                Kind::Partial,
                format!("{failed} of {total} failed: {words}"),
            ));
        }
        if context.global.shows_only() {
            let message = "the requests were shown and not sent";
            return Err(Error::new(Kind::NotSent, message));
        }
        if std::io::stderr().is_terminal() && counts.total() > 0 {
            context.reporter.note(&words);
        }
        Ok(())
    }
}

fn carried_row(input: &str, carried: Carried) -> Row {
    let outcome = if carried.already {
        RowOutcome::Already
    } else {
        RowOutcome::Done
    };
    let mut row = Row::new(input, outcome, carried.reason);
    row.answer = carried.answer;
    row
}

/// The error in one line; with its hint where the hint is how to find out what became of it.
fn reason_of(error: &Error, lost: bool) -> String {
    match error.hint_text().filter(|_| lost) {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    }
}
