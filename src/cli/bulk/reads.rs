//! A list that is only asked for: the records are printed as they come, in the list's order, and
//! what failed is named.

use std::net::IpAddr;

use futures_util::stream;

use super::list::{Address, Entry, EntryKind, List, reason};
use super::progress::Watched;
use super::row::{Row, RowOutcome};
use super::{Bulk, Earlier, Item, Left, ListOptions, Tally, about, was_held_back};
use crate::cli::Context;
use crate::cli::context::RecordOutput;
use crate::cli::input::Station;
use crate::error::{Error, Result};
use crate::record::Record;

/// What is said of a list without an address.
const EMPTY_LIST: &str = "no addresses on standard input";

/// A command that asks about each endpoint of a list.
pub(crate) struct Reading<'a> {
    /// The command, the same for the same question: it tells reports apart.
    pub command: String,
    /// Its options.
    pub options: &'a ListOptions,
    /// What is said when nothing was found.
    pub nothing: &'a str,
    /// Told which addresses stand in the list in place of MAC addresses, before the first call.
    pub expect: &'a dyn Fn(Vec<IpAddr>),
}

impl Reading<'_> {
    /// Reads the list, asks about each address once, and prints what comes into `output`.
    ///
    /// Errors: as [`Tally::outcome`], and a refusal at once.
    pub(crate) async fn run<A: Address + Into<Station>>(
        self,
        context: &Context,
        output: RecordOutput,
        call: impl AsyncFn(A) -> Result<Vec<Record>>,
    ) -> Result<()> {
        if context.is_one_of_several() {
            self.options.of_one_deployment()?;
        }
        let list = List::<A>::from_stdin(context)?;
        let (left, ledger) = if context.global.shows_only() {
            (Left::default(), None)
        } else {
            self.options.open(&self.command)?
        };
        list.say_what_is_wrong(&context.reporter);
        let stations = list.addresses().map(Into::into);
        (self.expect)(stations.filter_map(Station::address).collect());
        let bulk = Bulk::of_reads(self.options.jobs);
        let rows: Vec<_> = list
            .entries
            .iter()
            .map(|_| std::cell::OnceCell::new())
            .collect();
        let ask = async |index: usize, entry: &Entry<A>| -> Item {
            let (item, row) = match &entry.kind {
                EntryKind::Invalid(_) => {
                    let row = Row::new(&entry.text, RowOutcome::Invalid, reason(entry));
                    (Item::from(Ok(Vec::new())), row)
                }
                EntryKind::Repeat(..) => return Item::from(Ok(Vec::new())),
                EntryKind::First(address) if left.of(*address) == Some(&Earlier::Good) => {
                    return Item::from(Ok(Vec::new()));
                }
                EntryKind::First(address) => {
                    let found = bulk.call(async || call(*address).await).await;
                    let row = row_of(&entry.text, &found);
                    (
                        Item::from(found.map_err(|error| about(*address, error))),
                        row,
                    )
                }
            };
            let written = match &ledger {
                Some(ledger) => ledger.row(&row),
                None => Ok(()),
            };
            if let Some(cell) = rows.get(index) {
                let _first = cell.set(row);
            }
            match written {
                Ok(()) => item,
                Err(error) => {
                    bulk.end(&error);
                    Item::from(Err(error))
                }
            }
        };
        let items = list.entries.iter().enumerate();
        let items = stream::iter(items.map(|(index, entry)| ask(index, entry)));
        // Several lists at once have no one line.
        let quiet = context.global.quiet || context.is_one_of_several();
        let mut output = Watched::new(output, list.entries.len(), quiet);
        let report = |error: &Error| context.reporter.error(error);
        let drained = bulk.drain(items, &mut output, report).await;
        output.line.clear();
        let nothing = if list.entries.is_empty() {
            EMPTY_LIST
        } else {
            self.nothing
        };
        let ended = context.end_list(output.output, drained, nothing);
        if let Some(ledger) = ledger {
            let final_row = |(index, entry): (usize, &Entry<A>)| {
                let known = |index: usize| rows.get(index).and_then(|cell| cell.get()).cloned();
                let row = match &entry.kind {
                    EntryKind::Repeat(first) => known(*first),
                    EntryKind::First(address) if left.of(*address) == Some(&Earlier::Good) => {
                        Some(Row::new(&entry.text, RowOutcome::Done, None))
                    }
                    _ => known(index),
                };
                let mut row =
                    row.unwrap_or_else(|| Row::new(&entry.text, RowOutcome::NotSent, None));
                row.input.clone_from(&entry.text);
                row
            };
            ledger.finish(list.entries.iter().enumerate().map(final_row))?;
        }
        let invalid = list
            .entries
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::Invalid(_)));
        let mut tally: Tally = ended?;
        tally.failed += invalid.count() as u64;
        tally.outcome()
    }
}

fn row_of(input: &str, found: &Result<Vec<Record>>) -> Row {
    match found {
        Ok(_) => Row::new(input, RowOutcome::Done, None),
        Err(error) if was_held_back(error) => {
            Row::new(input, RowOutcome::NotSent, error.message().to_owned())
        }
        Err(error) => Row::new(input, RowOutcome::Failed, error.message().to_owned()),
    }
}
