//! `netapi ise dc live`: authentications as they come, by asking again and again for those that
//! are new. Which are new is [`follower`]'s; the database and its guards are `data_connect`'s.
//!
//! Between two polls the turn at the node is given back, so that other commands may ask. A session
//! that the node ended is opened anew; a failed poll is said and the next one follows after a
//! longer pause, with ISE asked again which node it is. A refusal ends it at once.

mod figures;
mod follower;

use std::cell::Cell;
use std::io::Stdout;
use std::ops::ControlFlow;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use self::figures::Counts;
use self::follower::{Bounds, Follower};
use super::data_connect::{DataConnect, only_shows};
use super::history::{AUTHENTICATIONS, LIST, MEMBERS, VIEW, in_our_words};
use super::question::Question;
use super::window::{HistoryWindow, ROOM, ZONED};
use crate::backoff::Backoff;
use crate::cli::Context;
use crate::cli::context::DONE;
use crate::cli::filters::{Filters, Window, kinds};
use crate::cli::input;
use crate::cli::ise::doctor::is_set;
use crate::cli::ise::polling::{LONGEST_PAUSE, Printing, all_printed, ends};
use crate::cli::long_running::{LongRunning, Reader, Request, Service, ServiceArgs};
use crate::cli::state_directory;
use crate::error::{Error, Kind, Result};
use crate::oracle::Bind;
use crate::record::Record;
use crate::record::selection::Selection;
use crate::render::{Columns, Renderer, Shape, check_endless};
use crate::settings::Server;

/// Rows of one statement; where there are more the next statement goes on behind them.
const PAGE: usize = 1000;

/// Statements may keep a node busy for one part in so many of the time.
const SHARE: u32 = 100;

/// How long the end of a statement and of the session may take after the first signal.
const ENDING: Duration = Duration::from_secs(2);

/// How far back the number of the last authentication before the first poll is looked for.
const LOOK_BACK: [SignedDuration; 3] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(24 * 30),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise dc live
  netapi ise dc live --since 15m --nas sw-lab-02 --json
  netapi ise dc live --where \"what == 'fail'\"

A poll keeps the node busy for a moment; pauses are long enough that this stays
below 1 % of the time. A row is there some seconds after the authentication.
With --json one object a line.")]
pub(crate) struct Live {
    /// Pause between polls, at least 1s; longer where the node is slow
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = input::pause)]
    interval: Duration,
    /// Begin with those since then: 15m, today, RFC 3339
    #[arg(long, value_name = "T")]
    since: Option<String>,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    filters: Filters,
}

impl Live {
    /// Follows until it is stopped, or refused.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        let window = match &self.since {
            Some(since) => Window::beginning(since.clone()),
            None => Window::default(),
        };
        let (since, _) = window.times()?;
        HistoryWindow::of(&window, SignedDuration::from_hours(1))?;
        let selection = self.filters.over(&kinds::HISTORY, &Window::default())?;
        let style = context.style();
        check_endless(&style, "dc live")?;
        let columns = Columns::of(LIST, MEMBERS);
        let output = Renderer::new(style, columns, Shape::List, std::io::stdout())?
            .live()
            .following(context.width_now())
            .settled(MEMBERS)?;
        let service = || {
            Ok(Service {
                name: "dc-live",
                does: "authentications of ISE's Data Connect".to_owned(),
                callbacks: Duration::ZERO,
                speaks_with: if is_set(context, "dc-host") {
                    vec![Server::DataConnect]
                } else {
                    // An administrator asks ISE for the node.
                    vec![Server::DataConnect, Server::Mnt]
                },
                writes: state_directory::of("data-connect").into_iter().collect(),
            })
        };
        if self.service.prints_unit(context, service)? {
            return Ok(DONE);
        }
        let mut question = new_rows();
        only_shows(context, &question.sql())?;
        if context.global.limit == Some(0) {
            return Ok(DONE);
        }
        let mut running = LongRunning::begin(context, &self.service)?;
        let counts = Cell::default();
        let asked = Notify::new();
        let (stop, stopping) = watch::channel(false);
        let result = {
            let following = Following {
                context,
                counts: &counts,
                asked: &asked,
                stopping,
                selection,
                unprinted: 0,
            };
            let since_when = since.unwrap_or_else(Timestamp::now);
            let follower = Follower::from(since_when);
            let mut polling = pin!(following.poll_on(
                &mut question,
                follower,
                output,
                self.interval,
                since.is_some()
            ));
            loop {
                tokio::select! {
                    result = &mut polling => break result.map(|()| DONE),
                    () = asked.notified() => running.ready(),
                    request = running.next() => match request {
                        Request::Figures(reader) => running.report(reader, &counts.get().figures()),
                        Request::Stop(_) => {
                            // The statement hears the same signal, and tells the server.
                            let _ = stop.send(true);
                            let _ended = running.wait_for(ENDING, &mut polling).await;
                            running.report(Reader::Stderr, &counts.get().figures());
                            break Ok(DONE);
                        }
                    },
                }
            }
        };
        running.end(result).await
    }
}

/// The statement of a page; its binds are filled for each.
fn new_rows() -> Question {
    let room = ROOM.as_secs();
    let exact =
        format!(" AND {ZONED} >= SYSTIMESTAMP - NUMTODSINTERVAL(TO_NUMBER(:age), 'SECOND')");
    Question {
        columns: AUTHENTICATIONS.to_vec(),
        rest: format!(
            "FROM {VIEW} WHERE TIMESTAMP >= SYSDATE - (TO_NUMBER(:seconds) + {room}) / 86400 \
             AND ID > TO_NUMBER(:above){exact} ORDER BY ID FETCH FIRST {PAGE} ROWS ONLY"
        ),
        exact,
        binds: Vec::new(),
    }
}

/// What stays the same from poll to poll.
struct Following<'f> {
    context: &'f Context,
    counts: &'f Cell<Counts>,
    asked: &'f Notify,
    stopping: watch::Receiver<bool>,
    selection: Selection,
    unprinted: u64,
}

/// Where a poll is in all that is new.
#[derive(Debug, Clone, Copy)]
struct Round {
    began: Timestamp,
    bounds: Bounds,
    /// Whether anything new came.
    brought: bool,
}

/// What a page brought.
struct Polled {
    /// New rows, also those that came before an error.
    rows: Vec<Record>,
    /// The round that goes on with another page; `None`: it took in all there was.
    outcome: Result<Option<Round>>,
}

impl<'f> Following<'f> {
    async fn poll_on(
        mut self,
        question: &mut Question,
        mut follower: Follower,
        mut output: Renderer<Stdout>,
        interval: Duration,
        mut prints: bool,
    ) -> Result<()> {
        let mut database: Option<DataConnect<'f>> = None;
        let longest = LONGEST_PAUSE.max(interval);
        let mut backoff = Backoff::new(interval.saturating_mul(2), longest);
        let mut node = None;
        let mut began = false;
        let mut failing = false;
        let mut round = None;
        let mut busy = Duration::ZERO;
        loop {
            let polled = self
                .poll(
                    &mut database,
                    &mut node,
                    question,
                    &mut follower,
                    round.take(),
                )
                .await;
            busy += database.as_mut().map(DataConnect::rest).unwrap_or_default();
            self.count(&polled);
            let rows = if prints { polled.rows } else { Vec::new() };
            let flow;
            (output, flow) = self.print(rows, output).await?;
            if flow.is_break() {
                close(database).await;
                output.finish()?;
                return all_printed("authentications", self.unprinted);
            }
            // The share of the node's time; what failed kept it busy too.
            let mut pause = interval.max(busy.saturating_mul(SHARE - 1));
            match polled.outcome {
                Ok(Some(more)) if !*self.stopping.borrow() => {
                    // What came is printed and let go before more is asked for.
                    round = Some(more);
                    continue;
                }
                Ok(_) => {
                    backoff.reset();
                    prints = true;
                    if !began {
                        self.context.reporter.step("following authentications");
                    } else if failing {
                        self.context.reporter.step("Data Connect answers again");
                    }
                    (began, failing) = (true, false);
                    if follower.was_crowded() {
                        self.context.warn_once(
                            "so many authentications at once: one that comes late may be missed",
                        );
                    }
                    self.asked.notify_one();
                }
                Err(error) if matches!(error.kind(), Kind::Stopped(_)) => {
                    close(database).await;
                    return Ok(());
                }
                Err(error) if ends(&error) || !began && !error.passes() => {
                    close(database).await;
                    return Err(error);
                }
                Err(error) => {
                    failing = true;
                    pause = pause.max(backoff.next_pause());
                    self.context.reporter.error(&error);
                    self.context
                        .reporter
                        .step(&format!("next poll in {}", whole_seconds(pause)));
                    // Data Connect may have moved to another node.
                    close(database.take()).await;
                }
            }
            busy = Duration::ZERO;
            tokio::select! {
                _ = self.stopping.wait_for(|stopping| *stopping) => {
                    close(database).await;
                    return Ok(());
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes a page of what is new, the first one or the next of a round.
    async fn poll(
        &self,
        database: &mut Option<DataConnect<'f>>,
        node: &mut Option<String>,
        question: &mut Question,
        follower: &mut Follower,
        round: Option<Round>,
    ) -> Polled {
        let mut rows = Vec::new();
        let outcome = async {
            let database = match database {
                Some(database) => database,
                None => database.insert(DataConnect::open(self.context).await?),
            };
            let host = database.host();
            if node.as_ref().is_some_and(|before| *before != host) {
                self.context.reporter.warn(&format!(
                    "Data Connect is on {host} now: around the change one may come twice"
                ));
                follower.begin_anew();
            }
            *node = Some(host);
            let round = round.unwrap_or_else(|| {
                let began = Timestamp::now();
                Round {
                    began,
                    bounds: follower.bounds(began),
                    brought: false,
                }
            });
            self.take_page(database, question, follower, round, &mut rows)
                .await
        };
        let outcome = outcome.await;
        Polled { rows, outcome }
    }

    /// Takes the next page. A round ends with a page that is not full.
    async fn take_page(
        &self,
        database: &mut DataConnect<'_>,
        question: &mut Question,
        follower: &mut Follower,
        mut round: Round,
        rows: &mut Vec<Record>,
    ) -> Result<Option<Round>> {
        // The end of what is looked at stays where it is, however long our turn is waited for.
        database.wait_for_share().await?;
        let gone = Timestamp::now().duration_since(round.began).as_secs();
        question.binds = bound(round.bounds.seconds + gone, round.bounds.above, question);
        let page = question.ask(self.context, database).await?;
        let full = page.len() >= PAGE;
        let before = round.bounds.above;
        for mut record in page {
            let number = number_of(&record, &database.host())?;
            round.bounds.above = round.bounds.above.max(number);
            if follower.take(number) {
                in_our_words(&mut record);
                rows.push(record);
            }
        }
        round.brought |= !rows.is_empty();
        // Who sends the same again would be asked without a pause.
        if full && round.bounds.above > before {
            return Ok(Some(round));
        }
        if follower.lacks_floor() && !round.brought {
            let floor = self.last_before(database, follower).await?;
            follower.set_floor(floor);
        }
        follower.end_round(round.began, Timestamp::now());
        Ok(None)
    }

    /// The number of the last authentication before the first poll; 0 where there is none.
    async fn last_before(
        &self,
        database: &mut DataConnect<'_>,
        follower: &Follower,
    ) -> Result<u128> {
        let settled = follower.settled(Timestamp::now());
        for back in LOOK_BACK {
            let within = HistoryWindow::ago(settled + back, settled).within();
            let mut question = Question {
                columns: vec![("MAX(ID)", "id")],
                rest: format!("FROM {VIEW} WHERE {}{}", within.rough, within.exact),
                exact: within.exact,
                binds: Vec::new(),
            };
            let found = question.ask(self.context, database).await?;
            if let Some(record) = found.iter().find(|record| record.text("id").is_some()) {
                return number_of(record, &database.host());
            }
        }
        Ok(0)
    }

    fn count(&self, polled: &Polled) {
        let mut counts = self.counts.get();
        counts.brought(&polled.rows);
        match polled.outcome {
            Ok(Some(_)) => {}
            Ok(None) => counts.polled(true),
            Err(_) => counts.polled(false),
        }
        self.counts.set(counts);
    }

    /// Prints those that are wanted.
    async fn print(
        &mut self,
        rows: Vec<Record>,
        output: Renderer<Stdout>,
    ) -> Result<(Renderer<Stdout>, ControlFlow<()>)> {
        let selection = &mut self.selection;
        let wanted = rows.into_iter().filter(|row| selection.wants(row));
        let wanted = wanted.collect();
        if let Some(warning) = self.selection.warning("row") {
            self.context.reporter.warn(&warning);
        }
        let printing = Printing {
            rows: wanted,
            what: "authentications",
            output,
            reporter: self.context.reporter.clone(),
            unprinted: self.unprinted,
        };
        let (printing, flow) = printing.on_a_thread().await?;
        self.unprinted = printing.unprinted;
        let mut counts = self.counts.get();
        counts.unprinted = self.unprinted;
        self.counts.set(counts);
        Ok((printing.output, flow?))
    }
}

/// The binds of a page; the last one is of the condition that may be left out.
fn bound(seconds: i64, above: u128, question: &Question) -> Vec<Bind> {
    let age = Bind::Text(seconds.to_string());
    let mut binds = vec![age.clone(), Bind::Text(above.to_string())];
    if !question.exact.is_empty() {
        binds.push(age);
    }
    binds
}

fn number_of(record: &Record, host: &str) -> Result<u128> {
    let text = record.text("id");
    let number = text.as_deref().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        Error::new(
            Kind::Malformed,
            format!(
                "{host}: an authentication has no number of its own, so new ones cannot be told"
            ),
        )
        .hint("`netapi ise dc history` does not need it")
        .host(host.to_owned())
    })
}

async fn close(database: Option<DataConnect<'_>>) {
    if let Some(database) = database {
        database.close().await;
    }
}

fn whole_seconds(pause: Duration) -> String {
    format!("{:?}", Duration::from_secs(pause.as_secs()))
}
