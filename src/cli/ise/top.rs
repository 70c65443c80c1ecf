//! `netapi ise top`: the live screen. State, keys and picture are in [`crate::top`]; here is what
//! they are connected to.
//!
//! | part | holds |
//! | --- | --- |
//! | `ending_signals` | signals that end the process, as soon as the terminal is given back |
//! | `feed` | sessions and failures as they come: a subscription, or polls of the Monitoring node |
//! | `requests` | what a key asks of ISE, once |
//! | `screen` | the terminal: raw mode, keys, a thread that writes pictures |
//!
//! One loop on the program's thread takes keys before anything else, and writes nothing itself: a
//! slow terminal holds up neither events nor keys, only pictures, of which the newest is kept.

mod ending_signals;
mod feed;
mod requests;
mod screen;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event as Input, KeyEventKind};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use self::ending_signals::EndingSignals;
use self::feed::{News, Source};
use self::requests::{Answer, LastHour, Requests};
use self::screen::Screen;
use super::idle_lab_hint;
use super::interfaces::{Interfaces, MNT, PXGRID};
use super::session_source::{self, SourceName};
use crate::cli::Context;
use crate::cli::change_under_way::stopped;
use crate::cli::context::DONE;
use crate::cli::filters::{Filters, Window, kinds};
use crate::cli::input;
use crate::cli::long_running::Signals;
use crate::error::{Error, Kind, Result};
use crate::snapshot::Source as Interface;
use crate::top::{Action, Change, Feed, Pacer, Setup, Top, draw};
use crate::unix::signals::SIGINT;

/// Rates fall, minutes begin.
const TICK: Duration = Duration::from_secs(1);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise top
  netapi ise top --nas sw-lab-02
  netapi ise top --read-only
  netapi ise lab run --events-per-second 20 --sessions 500 -- netapi ise top

From pxGrid (a subscription, the current sessions first) where it is set up,
else by polling the Monitoring node's active list. ? lists the keys. A change
(ANC, CoA) is asked for, naming the endpoint, and sent once; never with
--read-only. The address that y copies goes to the clipboard by OSC 52.")]
pub(crate) struct TopArgs {
    /// Where the sessions come from [default: pxgrid where it is set up, else mnt]
    #[arg(long, value_name = "INTERFACE", value_enum)]
    source: Option<SourceName>,
    /// Pause between polls of the Monitoring node, at least 1s
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = input::pause)]
    interval: Duration,
    #[command(flatten)]
    filters: Filters,
}

impl TopArgs {
    /// Runs until it is quit or stopped.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        refuse_other_output(context)?;
        screen::check_terminal()?;
        let interface = session_source::choose(context, self.source);
        let of_pxgrid = interface == Interface::Pxgrid;
        let kind = if of_pxgrid {
            &kinds::EVENT
        } else {
            &kinds::ACTIVE
        };
        let selection = self.filters.over(kind, &Window::default())?;
        let interfaces = Interfaces::new(context)?;
        let host = session_source::host(context, interface).unwrap_or_default();
        let feed = Feed::new(host, of_pxgrid);
        let lacks = |what: &str, there: bool| (!there).then(|| format!("{what} is not set up"));
        let read_only = context.settings.read_only()?;
        let style = context.style();
        let mut top = Top::new(Setup {
            feed,
            read_only: read_only.then(|| "--read-only is set".to_owned()),
            no_mnt: lacks(MNT, interfaces.mnt.is_some()),
            no_anc: lacks(PXGRID, interfaces.pxgrid.is_some()),
            color: style.screen.color,
            zone: style.zone.clone(),
            now: Timestamp::now(),
        });
        let host = if of_pxgrid { "pxgrid-host" } else { "mnt-host" };
        if let Some(notice) = idle_lab_hint::notice(context, host) {
            top.say(notice, false);
        }
        let requests = Requests::new(interfaces, style);
        let source = match requests.pxgrid() {
            Some(services) if of_pxgrid => Source::subscription(services, selection),
            _ => Source::polling(requests.mnt()?, selection, self.interval),
        };
        let (signals, ending) = (Signals::listen()?, EndingSignals::listen()?);
        let mut under_way = Vec::new();
        let result = {
            let screen = Screen::open()?;
            let live = Live {
                top,
                source,
                requests: &requests,
                answers: FuturesUnordered::new(),
                under_way: &mut under_way,
                asks_failures: false,
                pacer: Pacer::default(),
                began: Instant::now(),
                screen,
            };
            live.run(signals, ending).await
        };
        // Only now the terminal is as it was.
        for change in &under_way {
            let words = change.words();
            let look = change.look();
            context.reporter.warn(&format!(
                "{words}: it was under way, and what became of it is not known; {look}"
            ));
        }
        result
    }
}

/// Refuses options that say how records are printed, or that nothing is sent.
fn refuse_other_output(context: &Context) -> Result<()> {
    let global = &context.global;
    let given = [
        ("--format", global.chosen_format().is_some()),
        ("--fields", !global.fields.is_empty()),
        ("--sort", global.sort.is_some()),
        ("--limit", global.limit.is_some()),
        ("--by", !global.by.is_empty()),
        ("--jq", global.jq.is_some()),
        ("--dry-run", global.dry_run),
        ("--curl", global.curl),
    ];
    let given = given.into_iter().find(|(_, given)| *given);
    if let Some((option, _)) = given {
        return Err(Error::usage(format!("top is a screen: {option} does not go with it"))
            .hint("`netapi ise pxgrid subscribe --topic session --snapshot --json` prints what it shows"));
    }
    if global.trace && std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        return Err(Error::usage("--trace would write over the screen")
            .hint("send it elsewhere: netapi ise top --trace 2> trace.log"));
    }
    Ok(())
}

/// The loop and what it holds.
struct Live<'r> {
    top: Top,
    source: Source<'r>,
    requests: &'r Requests,
    answers: FuturesUnordered<LocalBoxFuture<'r, Answer>>,
    /// Changes that were asked for and not answered.
    under_way: &'r mut Vec<Change>,
    /// Earlier failures are asked for with the first connection.
    asks_failures: bool,
    pacer: Pacer,
    began: Instant,
    screen: Screen,
}

impl<'r> Live<'r> {
    async fn run(mut self, mut signals: Signals, mut ending: EndingSignals) -> Result<ExitCode> {
        self.answers
            .push(Box::pin(self.requests.nodes(Duration::ZERO)));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stops = screen::StopSignals::listen()?;
        loop {
            let due = self.draw_or_wait();
            tokio::select! {
                biased;
                signal = signals.stopped() => {
                    self.screen.close();
                    return Err(stopped(signal));
                }
                signal = ending.next() => {
                    self.screen.close();
                    return Err(stopped(signal));
                }
                stop = stops.next() => match stop {
                    screen::StopSignal::Stop => self.screen.suspend(),
                    screen::StopSignal::GoOn => self.go_on()?,
                },
                input = self.screen.input() => {
                    let Some(input) = input else {
                        self.screen.close();
                        return Err(Error::new(Kind::Failed, "the terminal is gone"));
                    };
                    if let Some(end) = self.take_input(input) {
                        self.screen.close();
                        return end;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
                Some(answer) = self.answers.next() => self.take_answer(answer),
                _ = tick.tick() => self.top.until(Timestamp::now()),
                news = self.source.next() => {
                    if let Some(error) = self.take_news(news) {
                        self.screen.close();
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Draws what is due; else when it will be.
    fn draw_or_wait(&mut self) -> Option<Instant> {
        let urgency = self.top.wants_picture()?;
        let now = self.began.elapsed();
        let due = self.pacer.due(urgency, now);
        if due > now {
            return Some(self.began + due);
        }
        let area = screen::size();
        self.top.prepare(area.width, area.height, Timestamp::now());
        let mut picture = Buffer::empty(area);
        draw(&self.top, &mut picture);
        self.screen.show(picture);
        self.pacer.drew(now);
        None
    }

    fn go_on(&mut self) -> Result<()> {
        self.screen.resume()?;
        self.top.touch();
        Ok(())
    }

    /// Takes a key, a paste or a change of size; `Some`: it is the end.
    fn take_input(&mut self, input: Input) -> Option<Result<ExitCode>> {
        let action = match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.top.key(key),
            Input::Paste(text) => {
                self.top.paste(&text);
                None
            }
            Input::Resize(..) => {
                self.top.touch();
                None
            }
            _ => None,
        };
        let requests = self.requests;
        let request: LocalBoxFuture<'r, Answer> = match action {
            None => return None,
            Some(Action::Quit) => return Some(Ok(DONE)),
            Some(Action::Interrupt) => return Some(Err(stopped(SIGINT))),
            Some(Action::Suspend) => {
                self.screen.suspend();
                return None;
            }
            Some(Action::Redraw) => {
                self.screen.forget_picture();
                return None;
            }
            Some(Action::Copy(mac)) => {
                self.screen.copy(mac);
                return None;
            }
            Some(Action::Detail(mac)) => Box::pin(requests.detail(mac)),
            Some(Action::Explain(mac)) => Box::pin(requests.explain(mac)),
            Some(Action::Policies(mac)) => Box::pin(requests.policies(mac)),
            Some(Action::Causes) => Box::pin(requests.causes()),
            Some(Action::Change(change)) => {
                self.under_way.push(change.clone());
                Box::pin(requests.change(change))
            }
        };
        self.answers.push(request);
        None
    }

    fn take_answer(&mut self, answer: Answer) {
        let now = Timestamp::now();
        match answer {
            Answer::Detail(mac, record) => self.top.detailed(mac, record),
            Answer::Explain(mac, text) => self.top.explained(mac, text),
            Answer::Policies(mac, names) => self.top.policies_are(mac, names),
            Answer::Causes(causes) => self.top.causes_are(causes),
            Answer::Change(change, outcome) => {
                let place = self.under_way.iter().position(|known| *known == change);
                if let Some(place) = place {
                    self.under_way.remove(place);
                }
                self.top.changed(&change, outcome);
            }
            Answer::Nodes(nodes) => {
                if let Some(nodes) = nodes {
                    self.top.feed().nodes = Some(nodes);
                }
                self.answers
                    .push(Box::pin(self.requests.nodes(requests::NODES_EVERY)));
            }
            Answer::Failures(Ok(LastHour { newest, earlier })) => {
                self.top.earlier_failures(&earlier, now);
                for failure in &newest {
                    self.top.failure(failure, now);
                }
            }
            Answer::Failures(Err(error)) => {
                let text = format!("earlier failures are not known: {}", error.message());
                self.top.say(&text, true);
            }
        }
    }

    /// Takes what the source tells; an error is the end.
    fn take_news(&mut self, news: News) -> Option<Error> {
        let now = Timestamp::now();
        match news {
            News::Begins { failures } => {
                self.asks_failures = failures;
                if !failures {
                    let why = "pxGrid offers no list of RADIUS failures here";
                    self.top.feed().no_failures = Some(why.into());
                }
            }
            News::Update(update) => {
                for notice in &update.notices {
                    self.top.feed().hear(notice, now);
                }
                if self.asks_failures && self.top.feed().is_connected() {
                    self.asks_failures = false;
                    self.answers.push(Box::pin(self.requests.failures()));
                }
                for event in &update.events {
                    let wanted = self.source.wants(event.message.object());
                    self.top.event(event, wanted, now);
                }
                if let Some(warning) = self.source.warning() {
                    self.top.say(&warning, true);
                }
                if let Some(end) = update.ended {
                    let gone = || Error::new(Kind::Connect, "the subscription has ended");
                    return Some(end.err().unwrap_or_else(gone));
                }
            }
            News::ListBegins => self.top.begin_list(),
            News::Listed { sessions, first } => self.top.listed(&sessions, first, now),
            News::ListEnds { host } => {
                self.top.end_list(now);
                self.top.feed().polled(&host);
            }
            News::NoAnswer { why, pause } => {
                self.top.feed().no_answer(&why, pause, now);
            }
            News::Ended(error) => return Some(error),
        }
        None
    }
}
