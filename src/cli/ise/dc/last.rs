//! `netapi ise dc last`: when endpoints or switches authenticated last, and who has been silent.

use std::collections::HashSet;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::data_connect::DataConnect;
use super::question::{Days, Question, cut, rows};
use crate::cli::Context;
use crate::cli::filters::Window;
use crate::error::{Error, Result};
use crate::record::{Fields, Record, Value};
use crate::render::{CellKind, Column, Columns, Shape, column};
use crate::settings::duration::parse_when;

const MONTH: SignedDuration = SignedDuration::from_hours(24 * 30);

const OF_ENDPOINTS: &[Column] = &[
    column("MAC", "mac"),
    column("LAST", "last").kind(CellKind::Age),
    column("AUTHENTICATIONS", "authentications").kind(CellKind::Number),
];

const OF_SWITCHES: &[Column] = &[
    column("NAS", "nas"),
    column("LAST", "last"),
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
not known to the view. Of switches LAST is the node's own clock, and with
--silent those that never authenticated anything are listed without it."
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
        let days = Days::of(&self.window, MONTH)?.condition("TIMESTAMP");
        let having = match &self.silent {
            None => String::new(),
            Some(text) => {
                let now = Timestamp::now();
                let silent = now.duration_since(parse_when(text, now)?).as_secs_f64() / 86_400.0;
                if silent <= 0.0 {
                    return Err(Error::usage("--silent lies in the future"));
                }
                format!("HAVING MAX(TIMESTAMP) < SYSDATE - {silent:.6} ")
            }
        };
        let most = rows(context);
        let mut database = DataConnect::open(context).await?;
        let found = if self.nas {
            switches(
                context,
                &mut database,
                &days,
                &having,
                self.silent.is_some(),
            )
            .await
        } else {
            let question = Question {
                columns: vec![
                    ("CALLING_STATION_ID", "mac"),
                    ("MAX(TIMESTAMP_TIMEZONE)", "last"),
                    ("COUNT(*)", "authentications"),
                ],
                rest: format!(
                    "FROM RADIUS_AUTHENTICATIONS WHERE {days} GROUP BY CALLING_STATION_ID \
                     {having}ORDER BY 2 DESC FETCH FIRST {most} ROWS ONLY"
                ),
                binds: Vec::new(),
            };
            question.ask(context, &mut database).await
        };
        database.close().await;
        let mut records = found?;
        cut(context, &mut records);
        let columns = if self.nas { OF_SWITCHES } else { OF_ENDPOINTS };
        let columns = Columns::of(columns, &[]);
        context.print(&records, columns, Shape::List, "nobody in that time")
    }
}

async fn switches(
    context: &Context,
    database: &mut DataConnect<'_>,
    days: &str,
    having: &str,
    with_unheard: bool,
) -> Result<Vec<Record>> {
    let most = rows(context);
    let summary = |having: &str| Question {
        columns: vec![
            ("DEVICE_NAME", "nas"),
            ("MAX(TIMESTAMP)", "last"),
            ("SUM(PASSED_COUNT)", "passed"),
            ("SUM(FAILED_COUNT)", "failed"),
        ],
        rest: format!(
            "FROM RADIUS_AUTHENTICATION_SUMMARY WHERE {days} GROUP BY DEVICE_NAME \
             {having}ORDER BY 2 DESC FETCH FIRST {most} ROWS ONLY"
        ),
        binds: Vec::new(),
    };
    let mut records = summary(having).ask(context, database).await?;
    if !with_unheard {
        return Ok(records);
    }
    // Who is configured and not in the view at all.
    let heard = summary("").ask(context, database).await?;
    let heard: HashSet<String> = heard
        .iter()
        .filter_map(|record| record.text("nas").map(std::borrow::Cow::into_owned))
        .collect();
    let configured = Question {
        columns: vec![("NAME", "nas")],
        rest: format!("FROM NETWORK_DEVICES ORDER BY NAME FETCH FIRST {most} ROWS ONLY"),
        binds: Vec::new(),
    };
    for device in configured.ask(context, database).await? {
        let Some(name) = device
            .text("nas")
            .filter(|name| !heard.contains(name.as_ref()))
        else {
            continue;
        };
        let mut fields = Fields::new();
        fields.push("nas", Value::Text(name.into_owned()));
        for member in ["last", "passed", "failed"] {
            fields.push(member, Value::Empty);
        }
        records.push(Record::Fields(fields));
    }
    Ok(records)
}
