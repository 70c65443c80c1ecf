//! `netapi ise dc views`: what there is to ask, as this node's own catalogue has it.

use std::ops::ControlFlow;

use clap::Args;

use super::data_connect::{DataConnect, TakeRows, only_shows};
use super::rows::Layout;
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::oracle::{Bind, Column as Described, Row};
use crate::record::{Fields, Record};
use crate::render::{CellKind, Column, Shape, column};

const VIEWS: &str = "SELECT table_name, COUNT(*) FROM user_tab_columns \
                     GROUP BY table_name ORDER BY table_name";
const OF_ONE: &str = "SELECT column_name, data_type, data_length FROM user_tab_columns \
                      WHERE table_name = :view ORDER BY column_id";

const LIST: &[Column] = &[
    column("VIEW", "view"),
    column("COLUMNS", "columns").kind(CellKind::Number),
];
const ONE: &[Column] = &[
    column("COLUMN", "column"),
    column("TYPE", "type"),
    column("LENGTH", "length").kind(CellKind::Number),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  netapi ise dc views
  netapi ise dc views radius_authentications")]
pub(crate) struct Views {
    /// Show the columns of this view
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Views {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let sql = if self.name.is_some() { OF_ONE } else { VIEWS };
        only_shows(context, sql)?;
        let names = match self.name {
            Some(_) => &["column", "type", "length"][..],
            None => &["view", "columns"],
        };
        let name = self.name.map(|name| name.trim().to_uppercase());
        let binds: Vec<Bind> = name.clone().map(Bind::Text).into_iter().collect();
        let mut database = DataConnect::open(context).await?;
        let mut list = Collected::named(names.to_vec());
        let outcome = database.run(sql, &binds, &mut list).await;
        let host = database.host();
        database.close().await;
        outcome?;
        let Some(name) = name else {
            return context.print(&list.records, LIST, Shape::List, "the account sees no view");
        };
        if list.records.is_empty() {
            return Err(
                Error::new(Kind::NotFound, format!("{host} has no view {name}"))
                    .hint("`netapi ise dc views` lists those it has")
                    .host(host),
            );
        }
        context.print(&list.records, ONE, Shape::List, "")
    }
}

/// Rows with names of our own.
#[derive(Default)]
pub(super) struct Collected {
    names: Vec<&'static str>,
    pub(super) records: Vec<Record>,
    layout: Option<Layout>,
    /// Bytes of all values so far.
    bytes: usize,
}

/// Most bytes of values that are held.
const MOST_BYTES: usize = 128 << 20;

/// What a row takes beside its values, and each of them.
const ROW: usize = 64;

impl Collected {
    /// No rows yet; the names of their columns, in their order.
    pub(super) fn named(names: Vec<&'static str>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }
}

impl TakeRows for Collected {
    fn begin(&mut self, columns: &[Described]) -> Result<()> {
        self.layout = Some(Layout::of(columns));
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<ControlFlow<()>> {
        let values = (0..self.names.len()).filter_map(|at| row.value(at));
        let bytes: usize = values.map(<[u8]>::len).sum();
        self.bytes = self
            .bytes
            .saturating_add(bytes + ROW * (1 + self.names.len()));
        if self.bytes > MOST_BYTES {
            return Err(Error::new(
                Kind::Failed,
                "the answer is more than can be held (128 MiB)",
            )
            .hint("narrow --since, or ask for fewer with --limit N; `netapi ise dc sql` holds nothing"));
        }
        if let Some(layout) = &self.layout {
            let mut record = Record::Fields(Fields::new());
            layout.fill_as(&self.names, row, &mut record);
            self.records.push(record);
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_a_bound() {
        let mut list = Collected::named(vec!["a"]);
        list.bytes = MOST_BYTES - 2 * ROW;
        assert!(list.row(&Row::default()).is_ok());
        let error = list.row(&Row::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed);
        assert!(error.hint_text().is_some());
    }
}
