//! What the questions have in common: a window of time in the node's own clock, a list of columns
//! of which a release may lack some, rows under names of ours, at most so many.

use jiff::{SignedDuration, Timestamp};

use super::data_connect::DataConnect;
use super::views::Collected;
use crate::cli::Context;
use crate::cli::filters::Window;
use crate::error::{Error, Result};
use crate::oracle::Bind;
use crate::record::Record;

/// Rows where nobody said how many.
const USUAL_ROWS: u64 = 1000;

/// ORA-00904: there is no such column.
const NO_SUCH_COLUMN: u32 = 904;

/// A window, as days before now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    since: f64,
    until: Option<f64>,
}

impl Days {
    /// Of what was typed; `usual`: where nobody said since when.
    pub(super) fn of(window: &Window, usual: SignedDuration) -> Result<Self> {
        let (since, until) = window.times()?;
        let now = Timestamp::now();
        let before = |time: Timestamp| now.duration_since(time).as_secs_f64() / 86_400.0;
        let since = since.map_or(usual.as_secs_f64() / 86_400.0, before);
        if since <= 0.0 {
            return Err(Error::usage("--since lies in the future"));
        }
        Ok(Self {
            since,
            until: until.map(before).filter(|days| *days > 0.0),
        })
    }

    /// The condition on a column that holds the node's own clock: that clock is compared with
    /// itself, so that nobody's zone matters.
    pub(super) fn condition(self, column: &str) -> String {
        let since = format!("{column} >= SYSDATE - {:.6}", self.since);
        match self.until {
            Some(until) => format!("{since} AND {column} <= SYSDATE - {until:.6}"),
            None => since,
        }
    }
}

/// A question to one view.
pub(super) struct Question {
    /// What is asked for, as SQL, and our name of it.
    pub(super) columns: Vec<(&'static str, &'static str)>,
    /// `FROM` and all behind it.
    pub(super) rest: String,
    pub(super) binds: Vec<Bind>,
}

impl Question {
    /// Asks. A column that this release lacks is left out and said, once.
    pub(super) async fn ask(
        mut self,
        context: &Context,
        database: &mut DataConnect<'_>,
    ) -> Result<Vec<Record>> {
        loop {
            let sql: Vec<&str> = self.columns.iter().map(|(sql, _)| *sql).collect();
            let sql = format!("SELECT {} {}", sql.join(", "), self.rest);
            let names: Vec<&'static str> = self.columns.iter().map(|(_, name)| *name).collect();
            let mut list = Collected::named(names);
            let Err(failure) = database.run(&sql, &self.binds, &mut list).await else {
                return Ok(list.records);
            };
            let told = failure.told.as_ref();
            let lacking = told.filter(|told| told.number == NO_SUCH_COLUMN);
            let lacking = lacking.and_then(|told| named(&told.text));
            let place = lacking.and_then(|name| {
                let mut columns = self.columns.iter();
                columns.position(|(sql, _)| sql.eq_ignore_ascii_case(name))
            });
            let Some(place) = place.filter(|_| self.columns.len() > 1) else {
                return Err(failure.error);
            };
            let (sql, name) = self.columns.remove(place);
            context.warn_once(&format!(
                "{} has no column {sql}: {name} is left out",
                database.host()
            ));
        }
    }
}

/// The name in `ORA-00904: "VIEW"."COLUMN": invalid identifier`.
fn named(text: &str) -> Option<&str> {
    let (before, _) = text.rsplit_once('"')?;
    before.rsplit_once('"').map(|(_, name)| name)
}

/// How many rows to ask for: one more than are shown, to know whether there are more.
pub(super) fn rows(context: &Context) -> u64 {
    context.global.limit.unwrap_or(USUAL_ROWS).saturating_add(1)
}

/// Leaves as many as were wanted, and says that there are more.
pub(super) fn cut(context: &Context, records: &mut Vec<Record>) {
    let most = context.global.limit.unwrap_or(USUAL_ROWS);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if records.len() > most {
        records.truncate(most);
        if context.global.limit.is_none() {
            context.reporter.warn(&format!(
                "these are the first {most} rows, and there are more: narrow --since, or --limit N"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_that_is_lacking_is_named_last() {
        for (text, name) in [
            ("ORA-00904: \"SGT\": invalid identifier", Some("SGT")),
            ("ORA-00904: \"A\".\"SGT\": invalid identifier", Some("SGT")),
            ("ORA-00904: invalid identifier", None),
        ] {
            assert_eq!(named(text), name);
        }
    }

    #[test]
    fn a_window_is_counted_from_the_nodes_own_clock() {
        let window = Days {
            since: 1.5,
            until: Some(0.25),
        };
        assert_eq!(
            window.condition("T"),
            "T >= SYSDATE - 1.500000 AND T <= SYSDATE - 0.250000"
        );
    }
}
