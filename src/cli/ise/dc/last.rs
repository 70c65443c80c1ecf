//! `netapi ise dc last`: when endpoints or switches authenticated last, and who has been silent.

use std::collections::HashSet;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::data_connect::{DataConnect, only_shows};
use super::question::{NEWEST, Question, cut, rows};
use super::window::{HistoryWindow, LATEST, Within, interval};
use crate::cli::Context;
use crate::cli::filters::Window;
use crate::error::{Error, Result};
use crate::record::{Fields, Record, Value};
use crate::render::{CellKind, Column, Columns, Shape, column};
use crate::settings::duration::parse_when;

const MONTH: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Switches that are compared with each other, whatever is shown of them.
const MOST_SWITCHES: usize = 100_000;

const SUMMARY: &str = "RADIUS_AUTHENTICATION_SUMMARY";

const OF_ENDPOINTS: &[Column] = &[
    column("MAC", "mac"),
    column("LAST", "last").kind(CellKind::Age),
    column("AUTHENTICATIONS", "authentications").kind(CellKind::Number),
];

const OF_SWITCHES: &[Column] = &[
    column("NAS", "nas"),
    column("LAST", "last").kind(CellKind::Age),
    column("PASSED", "passed").kind(CellKind::Number),
    column("FAILED", "failed").kind(CellKind::Number),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc last --nas --silent 7d     # switches that fell silent
  netapi ise dc last --silent 14d",
    after_help = "\
30 days are looked at unless --since says otherwise: who was silent for longer is
not known to the view. With --nas --silent switches that never authenticated
anything are listed without a time. Of switches LAST and the window are up to an
hour off beyond a change of the node's clocks; of endpoints they are not."
)]
pub(crate) struct Last {
    /// Of switches instead of endpoints
    #[arg(long)]
    nas: bool,
    /// Only who has been silent for so long
    #[arg(long, value_name = "DURATION")]
    silent: Option<String>,
    #[command(flatten)]
    window: Window,
}

impl Last {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let window = HistoryWindow::of(&self.window, MONTH)?;
        let within = if self.nas {
            Within {
                rough: window.of_clock(),
                exact: String::new(),
            }
        } else {
            window.within()
        };
        let having = match &self.silent {
            None => String::new(),
            Some(text) => {
                let silent = silence(text)?;
                // Of switches those that are not in the view at all are found all the same.
                if !self.nas && silent >= window.length() {
                    return Err(Error::usage(format!(
                        "nobody can be found: --silent {text} is as long as the time that is looked at, or longer"
                    ))
                    .hint("--since looks further back; 30 days are usual"));
                }
                if self.nas {
                    let days = silent.as_secs_f64() / 86_400.0;
                    format!("HAVING MAX(TIMESTAMP) < SYSDATE - {days:.6} ")
                } else {
                    format!("HAVING {LATEST} < SYSTIMESTAMP - {} ", interval(silent))
                }
            }
        };
        let most = rows(context);
        let question = if self.nas {
            of_switches(&within, &having, most)
        } else {
            of_endpoints(&within, &having, most)
        };
        only_shows(context, &question.sql())?;
        let mut database = DataConnect::open(context).await?;
        let with_unheard = self.nas && self.silent.is_some();
        let found = ask(context, &mut database, question, &within, with_unheard).await;
        database.close().await;
        let mut records = found?;
        cut(context, &mut records);
        let columns = if self.nas { OF_SWITCHES } else { OF_ENDPOINTS };
        let columns = Columns::of(columns, &[]);
        context.print(&records, columns, Shape::List, "nobody in that time")
    }
}

/// How long somebody is to have been silent.
fn silence(text: &str) -> Result<SignedDuration> {
    let now = Timestamp::now();
    let silent = now.duration_since(parse_when(text, now)?);
    if silent <= SignedDuration::ZERO {
        return Err(Error::usage("--silent lies in the future"));
    }
    Ok(silent)
}

fn of_endpoints(within: &Within, having: &str, most: u64) -> Question {
    Question {
        columns: vec![
            ("CALLING_STATION_ID", "mac"),
            (LATEST, "last"),
            ("COUNT(*)", "authentications"),
        ],
        rest: format!(
            "FROM RADIUS_AUTHENTICATIONS WHERE {}{} GROUP BY CALLING_STATION_ID \
             {having}ORDER BY 2 DESC FETCH FIRST {most} ROWS ONLY",
            within.rough, within.exact
        ),
        exact: within.exact.clone(),
        binds: Vec::new(),
    }
}

fn of_switches(within: &Within, having: &str, most: u64) -> Question {
    Question {
        columns: vec![
            ("DEVICE_NAME", "nas"),
            (NEWEST, "last"),
            ("SUM(PASSED_COUNT)", "passed"),
            ("SUM(FAILED_COUNT)", "failed"),
        ],
        rest: format!(
            "FROM {SUMMARY} WHERE {} GROUP BY DEVICE_NAME \
             {having}ORDER BY 2 DESC FETCH FIRST {most} ROWS ONLY",
            within.rough
        ),
        exact: String::new(),
        binds: Vec::new(),
    }
}

async fn ask(
    context: &Context,
    database: &mut DataConnect<'_>,
    mut question: Question,
    within: &Within,
    with_unheard: bool,
) -> Result<Vec<Record>> {
    let mut records = question.ask(context, database).await?;
    if with_unheard {
        records.extend(unheard(context, database, within).await?);
    }
    Ok(records)
}

/// Switches that are configured and not in the view at all. All of both lists are compared: who is
/// cut off from one would be told as silent.
async fn unheard(
    context: &Context,
    database: &mut DataConnect<'_>,
    within: &Within,
) -> Result<Vec<Record>> {
    let names = |column: &'static str, from: String| Question {
        columns: vec![(column, "nas")],
        rest: format!("{from} FETCH FIRST {} ROWS ONLY", MOST_SWITCHES + 1),
        exact: String::new(),
        binds: Vec::new(),
    };
    let heard = format!("FROM {SUMMARY} WHERE {} GROUP BY DEVICE_NAME", within.rough);
    let heard = names("DEVICE_NAME", heard).ask(context, database).await?;
    let mut configured = names("NAME", "FROM NETWORK_DEVICES ORDER BY NAME".to_owned());
    let configured = configured.ask_if_there(context, database).await?;
    let configured = configured.unwrap_or_default();
    if heard.len().max(configured.len()) > MOST_SWITCHES {
        context.reporter.warn(&format!(
            "there are more than {MOST_SWITCHES} switches: those that never authenticated anything are not told"
        ));
        return Ok(Vec::new());
    }
    let heard: HashSet<_> = heard.iter().filter_map(|one| one.text("nas")).collect();
    let names = configured.iter().filter_map(|device| device.text("nas"));
    let silent = names.filter(|name| !heard.contains(name)).map(|name| {
        let mut fields = Fields::new();
        fields.push("nas", Value::Text(name.into_owned()));
        for member in ["last", "passed", "failed"] {
            fields.push(member, Value::Empty);
        }
        Record::Fields(fields)
    });
    Ok(silent.collect())
}
