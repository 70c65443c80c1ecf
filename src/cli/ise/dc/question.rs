//! What the questions have in common: a list of columns of which a release may lack some, rows
//! under names of ours, at most so many. Windows of time are `window`'s.

use super::data_connect::{DataConnect, StatementFailure};
use super::views::Collected;
use super::window::ZONED;
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::oracle::Bind;
use crate::record::Record;

/// Rows where nobody said how many.
const USUAL_ROWS: u64 = 1000;

/// And where they are passed on: they are held until all have come.
const MOST_ROWS: u64 = 100_000;

/// And where they are sorted here first.
const MOST_SORTED: u64 = 50_000;

/// ORA-00942: there is no such view.
const NO_SUCH_VIEW: u32 = 942;

/// ORA-00904: there is no such column.
const NO_SUCH_COLUMN: u32 = 904;

/// The newest time of a group of rows whose view has the node's own clock alone, in UTC by the zone
/// that the node has today: an hour off for what is older than the last change of clocks.
pub(super) const NEWEST: &str = "FROM_TZ(MAX(TIMESTAMP), TO_CHAR(SYSTIMESTAMP, 'TZH:TZM'))";

/// The condition on a host name; its letters' case means nothing.
pub(super) const HOST: &str = "UPPER(HOSTNAME) = UPPER(:host)";

/// A question to one view.
pub(super) struct Question {
    /// What is asked for, as SQL, and our name of it.
    pub(super) columns: Vec<(&'static str, &'static str)>,
    /// `FROM` and all behind it.
    pub(super) rest: String,
    /// The part of it that a release without the column of moments is not asked; may be empty.
    pub(super) exact: String,
    /// Those of `exact` come last.
    pub(super) binds: Vec<Bind>,
}

impl Question {
    /// The statement.
    pub(super) fn sql(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(sql, _)| *sql).collect();
        format!("SELECT {} {}", columns.join(", "), self.rest)
    }

    /// Asks. A column that this release lacks is left out from then on, and said once.
    pub(super) async fn ask(
        &mut self,
        context: &Context,
        database: &mut DataConnect<'_>,
    ) -> Result<Vec<Record>> {
        let asked = self.asked(context, database).await;
        asked.map_err(|failure| failure.error)
    }

    /// The same for a part of an answer: `None` where this release lacks the view, which is said
    /// once.
    pub(super) async fn ask_if_there(
        &mut self,
        context: &Context,
        database: &mut DataConnect<'_>,
    ) -> Result<Option<Vec<Record>>> {
        match self.asked(context, database).await {
            Ok(records) => Ok(Some(records)),
            Err(failure) if failure.is(NO_SUCH_VIEW) => {
                context.warn_once(&format!(
                    "{} has no view {}: what stands there is left out",
                    database.host(),
                    self.view()
                ));
                Ok(None)
            }
            Err(failure) => Err(failure.error),
        }
    }

    /// The name behind FROM.
    fn view(&self) -> &str {
        let mut words = self.rest.split_whitespace();
        words.nth(1).unwrap_or_default()
    }

    fn leave_out_exact(&mut self) {
        let exact = std::mem::take(&mut self.exact);
        self.rest = self.rest.replacen(&exact, "", 1);
        let binds = exact.matches("(:").count();
        self.binds.truncate(self.binds.len().saturating_sub(binds));
    }

    async fn asked(
        &mut self,
        context: &Context,
        database: &mut DataConnect<'_>,
    ) -> std::result::Result<Vec<Record>, StatementFailure> {
        loop {
            let sql = self.sql();
            let names: Vec<&'static str> = self.columns.iter().map(|(_, name)| *name).collect();
            let mut list = Collected::named(names);
            let Err(failure) = database.run(&sql, &self.binds, &mut list).await else {
                return Ok(list.records);
            };
            let told = failure.told.as_ref().filter(|_| failure.is(NO_SUCH_COLUMN));
            let lacking = told.and_then(|told| named(&told.text));
            if lacking == Some(ZONED) && !self.exact.is_empty() {
                self.leave_out_exact();
                context.warn_once(&format!(
                    "{} has no column {ZONED}: the window may be 90 minutes longer at its ends",
                    database.host()
                ));
                continue;
            }
            let place = lacking.and_then(|name| {
                let mut columns = self.columns.iter();
                columns.position(|(sql, _)| sql.eq_ignore_ascii_case(name))
            });
            let Some(place) = place.filter(|_| self.columns.len() > 1) else {
                return Err(failure);
            };
            let (sql, name) = self.columns.remove(place);
            context.warn_once(&format!(
                "{} has no column {sql}: {name} is left out",
                database.host()
            ));
        }
    }
}

/// What there is of parts of an answer.
///
/// Errors: [`Kind::NotFound`](crate::error::Kind) where none of them is there.
pub(super) async fn ask_parts(
    parts: impl IntoIterator<Item = Question>,
    context: &Context,
    database: &mut DataConnect<'_>,
) -> Result<Vec<Record>> {
    let mut found = None;
    let mut lacking = Vec::new();
    for mut part in parts {
        match part.ask_if_there(context, database).await? {
            Some(records) => found.get_or_insert_with(Vec::new).extend(records),
            None => lacking.push(part.view().to_owned()),
        }
    }
    found.ok_or_else(|| {
        let views = lacking.join(" and ");
        Error::new(
            Kind::NotFound,
            format!("{} has no view {views}", database.host()),
        )
        .hint("`netapi ise dc views` lists those of this node")
    })
}

/// The name in `ORA-00904: "VIEW"."COLUMN": invalid identifier`.
fn named(text: &str) -> Option<&str> {
    let (before, _) = text.rsplit_once('"')?;
    before.rsplit_once('"').map(|(_, name)| name)
}

/// Whether rows are passed on to a file or a program, all of them, and not shown or rearranged.
pub(super) fn passes_on(context: &Context) -> bool {
    let global = &context.global;
    let rearranged = global.sort.is_some() || global.jq.is_some() || !global.by.is_empty();
    !Context::on_terminal() && !rearranged
}

/// How many rows are asked for at most. What is sorted here is wanted whole: the first of it may be
/// any of them.
fn most(context: &Context) -> u64 {
    let global = &context.global;
    match global.limit {
        Some(limit) if limit > 0 && global.sort.is_some() => limit.max(MOST_SORTED),
        Some(limit) => limit,
        None if passes_on(context) => MOST_ROWS,
        None => USUAL_ROWS,
    }
}

/// How many rows to ask for: one more than are printed, to know whether there are more.
pub(super) fn rows(context: &Context) -> u64 {
    most(context).saturating_add(1)
}

/// Leaves as many as were wanted, and says that there are more.
pub(super) fn cut(context: &Context, records: &mut Vec<Record>) {
    let most = usize::try_from(most(context)).unwrap_or(usize::MAX);
    if records.len() <= most {
        return;
    }
    records.truncate(most);
    let global = &context.global;
    let what = match (&global.sort, global.limit) {
        (_, None) => format!("these are the first {most} rows"),
        (Some(_), Some(_)) => format!("only the first {most} rows are sorted"),
        (None, Some(_)) => return,
    };
    context.reporter.warn(&format!(
        "{what}, and there are more: narrow --since, or --limit N"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_on_moments_goes_with_its_binds() {
        let exact = " AND Z >= TIMESTAMP '2026-03-01 08:00:00 +00:00' AND Z >= TO_NUMBER(:age)";
        let mut question = Question {
            columns: vec![("A", "a")],
            rest: format!("FROM t WHERE b = :b{exact} ORDER BY 1"),
            exact: exact.to_owned(),
            binds: vec![Bind::Text("1".to_owned()), Bind::Text("2".to_owned())],
        };
        question.leave_out_exact();
        assert_eq!(question.sql(), "SELECT A FROM t WHERE b = :b ORDER BY 1");
        assert_eq!(question.binds, [Bind::Text("1".to_owned())]);
    }

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
}
