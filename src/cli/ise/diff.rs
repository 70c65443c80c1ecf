//! `netapi ise diff`: what came, went and changed between two snapshots, or between one and now.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::session_source::{SourceName, take};
use super::snapshot::kept;
use crate::cli::Context;
use crate::cli::context::{DONE, RecordOutput};
use crate::cli::filters::{Filters, kinds, say_of_expression};
use crate::error::{Error, Kind, Result};
use crate::record::selection::Selection;
use crate::record::{Record, RecordSink};
use crate::render::{CellKind, Column, Columns, Shape, column, first_of, with};
use crate::settings::duration::parse_when;
use crate::snapshot::{Change, Compared, Found, Snapshot, Source, compare};

const COLUMNS: &[Column] = &[
    column("CHANGE", "change"),
    column("MAC", "mac"),
    first_of("USER", &["session.userName", "session.user_name"]),
    first_of(
        "IP",
        &[
            "session.ipAddresses",
            "session.framed_ip_address",
            "session.framed_ipv6_address",
        ],
    )
    .kind(CellKind::Addresses),
    first_of(
        "NAS",
        &[
            "session.nasIdentifier",
            "session.nasIpAddress",
            "session.nas_ip_address",
        ],
    ),
    column("PORT", "session.nasPortId").kind(CellKind::Port),
    with("WHAT", what),
];

/// The columns, and the members that are none.
pub(super) const ALL: Columns =
    Columns::of(COLUMNS, &["change", "mac", "session", "before", "changed"]);

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise snapshot --keep 30d           # keep one, by cron
  netapi ise diff yesterday
  netapi ise diff 2h --nas sw-lab-02 --by CHANGE
  netapi ise diff before.gz after.gz --json
  netapi ise diff 1d --members ctsSecurityGroup,postureStatus

A and B are `now` (the live list), files, or times: 15m, 3d, today, yesterday,
a date, RFC 3339. A time means the newest snapshot kept by then, or the oldest
where none is that old; which one is said. B is `now` unless it is given.
Compared by endpoint; times and counters that move by themselves are no change.
A filter wants a row whose session, or the one before it, matches.
Differences are no failure: exit status 0, or 1 with --exit-code. JSON:
{\"change\":\"changed\",\"mac\":…,\"session\":{…},\"before\":{…},
 \"changed\":{\"member\":[old,new]}}")]
pub(crate) struct Diff {
    /// The earlier list: a time, a file, or now
    #[arg(value_name = "A")]
    before: String,
    /// The later list
    #[arg(value_name = "B", default_value = "now")]
    after: String,
    /// Only snapshots of this interface
    #[arg(long, value_name = "mnt|pxgrid", hide_possible_values = true)]
    source: Option<SourceName>,
    /// Only changes of these members
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = crate::cli::input::field)]
    members: Vec<String>,
    /// Changes of every member, also times and counters
    #[arg(long, conflicts_with = "members")]
    all_members: bool,
    /// Exit status 1 where there are differences
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    filters: Filters,
}

/// One side of the comparison as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    Now,
    File(PathBuf),
    Moment(Timestamp),
}

impl Side {
    /// What is there is a file, and so is what is written as one.
    fn read(text: &str) -> Result<Self> {
        if text == "now" {
            return Ok(Self::Now);
        }
        let path = Path::new(text);
        let ending = path.extension().is_some_and(|ending| ending == "gz");
        if text.contains('/') || ending || path.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        match parse_when(text, Timestamp::now()) {
            Ok(moment) => Ok(Self::Moment(moment)),
            Err(_) => Err(Error::usage(format!(
                "'{text}' is neither 'now', nor a snapshot, nor a time"
            ))
            .hint("a time is 15m, 3d, today, yesterday, a date, or RFC 3339; `netapi ise snapshot list` has the snapshots")),
        }
    }
}

impl Diff {
    /// Reads, compares and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        let (first, second) = (Side::read(&self.before)?, Side::read(&self.after)?);
        if first == second {
            return Err(Error::usage(format!("A and B are both '{}'", self.before))
                .hint("give what to compare it with: `netapi ise diff yesterday`"));
        }
        let compared = match (self.all_members, &*self.members) {
            (true, _) => Compared::All,
            (false, []) => Compared::Usual,
            (false, names) => Compared::Only(names.to_vec()),
        };
        // Checked before anything is asked for, for each source that can be meant.
        self.filters
            .within(&kinds::SESSION, (None, None))
            .or_else(|_| self.filters.within(&kinds::ACTIVE, (None, None)))?;
        let output = context.output_of("changes", ALL, Shape::List)?;
        let wanted = self.source.map(Source::from);
        // The one that is kept says which interface the other is to come from.
        let (before, after) = if first == Side::Now {
            let after = open(context, &self.after, &second, wanted)?;
            let source = after.head.source;
            (live(context, source).await?, after)
        } else {
            let before = open(context, &self.before, &first, wanted)?;
            let source = Some(before.head.source);
            let after = match second {
                Side::Now => live(context, before.head.source).await?,
                side => open(context, &self.after, &side, source)?,
            };
            (before, after)
        };
        check_pair(&before, &after)?;
        let kind = match before.head.source {
            Source::Mnt => &kinds::ACTIVE,
            Source::Pxgrid => &kinds::SESSION,
        };
        let printing = Printing {
            selection: self.filters.within(kind, (None, None))?,
            output: output.without_progress(),
            counts: Counts::default(),
        };
        let totals = (before.head.sessions, after.head.sessions);
        let (printing, outcome) = printing.on_a_thread((before, after), compared).await?;
        let Printing {
            selection,
            output,
            counts,
        } = printing;
        context.end_list(output, outcome, "no differences")?;
        say_of_expression(context, selection);
        if std::io::stderr().is_terminal() && counts.any() {
            context.reporter.note(&counts.words(totals));
        }
        Ok(if self.exit_code && counts.any() {
            ExitCode::from(Kind::Failed.exit_status())
        } else {
            DONE
        })
    }
}

/// What is kept, by its file or by its time.
fn open(context: &Context, text: &str, side: &Side, wanted: Option<Source>) -> Result<Snapshot> {
    let moment = match side {
        Side::File(path) => return Snapshot::open(path),
        Side::Moment(moment) => *moment,
        Side::Now => return Err(Error::usage("'now' is not kept")),
    };
    let sources = match wanted {
        Some(source) => vec![source],
        None => vec![Source::Pxgrid, Source::Mnt],
    };
    let mut all = Vec::new();
    for source in sources {
        let (kept, wrong) = kept::list(&kept::directory(context, source)?)?;
        for error in wrong {
            context.reporter.warn(error.message());
        }
        all.extend(kept);
    }
    crate::order::sort_by_key(&mut all, |one| one.head.taken);
    let Some(one) = kept::nearest(&all, moment) else {
        let of = wanted.map_or("this deployment".to_owned(), |source| match source {
            Source::Mnt => "the Monitoring node's list".to_owned(),
            Source::Pxgrid => "pxGrid's sessions".to_owned(),
        });
        return Err(Error::new(
            Kind::NotFound,
            format!("no snapshot of {of} is kept"),
        )
        .hint("`netapi ise snapshot` keeps one; by cron, once an hour, there is one to compare with"));
    };
    let snapshot = Snapshot::open(&one.path)?;
    let taken = one.head.taken.to_zoned(jiff::tz::TimeZone::system());
    let late = if one.head.taken > moment {
        ", the oldest that is kept"
    } else {
        ""
    };
    context.reporter.step(&format!(
        "{text} is the snapshot of {}{late}: {} sessions of {}",
        taken.strftime("%Y-%m-%d %H:%M:%S"),
        one.head.sessions,
        one.head.source
    ));
    Ok(snapshot)
}

/// The live list, in a file that nobody else sees and that is gone at the end.
async fn live(context: &Context, source: Source) -> Result<Snapshot> {
    let cannot = |error: &std::io::Error| {
        Error::new(Kind::Failed, format!("cannot hold the live list: {error}")).hint_of_file(error)
    };
    let file = tempfile::tempfile_in(scratch()).map_err(|error| cannot(&error))?;
    let handle = file.try_clone().map_err(|error| cannot(&error))?;
    let head = take(context, source, handle).await?;
    context
        .reporter
        .step(&format!("now: {} sessions of {source}", head.sessions));
    Snapshot::of_file(file, "the live list".to_owned())
}

/// Where temporary files lie: beside the snapshots, which is no memory, else in the usual place.
fn scratch() -> PathBuf {
    let ours = kept::root().ok();
    let made = ours.filter(|path| crate::unix::files::make_private_directory(path).is_ok());
    made.unwrap_or_else(std::env::temp_dir)
}

/// Two snapshots, of one kind.
fn check_pair(before: &Snapshot, after: &Snapshot) -> Result<()> {
    if before.name() == after.name() {
        return Err(Error::new(
            Kind::NotFound,
            format!("A and B are the same snapshot, {}", before.name()),
        )
        .hint("`netapi ise snapshot list` has those that are kept"));
    }
    if before.head.source == after.head.source {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{} is of {}, and {} of {}: their members have other names",
        before.name(),
        before.head.source,
        after.name(),
        after.head.source
    ))
    .hint("compare two of one source; `netapi ise snapshot --source mnt|pxgrid` takes one"))
}

/// The differences on their way to standard output.
struct Printing {
    selection: Selection,
    output: RecordOutput,
    counts: Counts,
}

impl Printing {
    /// Compares and prints away from the thread that hears signals.
    async fn on_a_thread(
        mut self,
        snapshots: (Snapshot, Snapshot),
        compared: Compared,
    ) -> Result<(Self, Result<()>)> {
        let work = tokio::task::spawn_blocking(move || {
            let outcome = self.output.begin(None).and_then(|()| {
                compare(snapshots, &compared, &scratch(), |found| self.take(&found))
            });
            (self, outcome)
        });
        work.await
            .map_err(|error| Error::new(Kind::Failed, format!("comparing broke off: {error}")))
    }

    fn take(&mut self, found: &Found) -> Result<std::ops::ControlFlow<()>> {
        let before = found.before.as_ref();
        let wanted = self.selection.wants(&found.session)
            || before.is_some_and(|before| self.selection.wants(before));
        if !wanted {
            return Ok(std::ops::ControlFlow::Continue(()));
        }
        self.counts.add(found.change);
        self.output.record(&found.record)
    }
}

/// How many there were of each.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    came: u64,
    went: u64,
    changed: u64,
}

impl Counts {
    fn add(&mut self, change: Change) {
        *match change {
            Change::Came => &mut self.came,
            Change::Went => &mut self.went,
            Change::Changed => &mut self.changed,
        } += 1;
    }

    fn any(self) -> bool {
        self.came + self.went + self.changed > 0
    }

    fn words(self, (before, after): (u64, u64)) -> String {
        let Self {
            came,
            went,
            changed,
        } = self;
        format!("{came} came, {went} went, {changed} changed; {before} sessions then, {after} now")
    }
}

/// The changed members in words: `nasPortId Gi1/0/3 → Gi1/0/7, ctsSecurityGroup – → Employees`.
fn what(record: &Record) -> Option<Cow<'_, str>> {
    let Value::Object(members) = record.to_value().get("changed")?.clone() else {
        return None;
    };
    let word = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            let text = |value: &Value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            };
            list.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    };
    let one = |(name, pair): (&String, &Value)| {
        format!("{name} {} → {}", word(pair.get(0)), word(pair.get(1)))
    };
    Some(
        members
            .iter()
            .map(one)
            .collect::<Vec<_>>()
            .join(", ")
            .into(),
    )
}
