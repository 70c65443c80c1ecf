//! A window of time as a condition of a statement. What the rows of an answer say of time is not
//! read here.
//!
//! Views have two times: `TIMESTAMP` is the node's own clock, without a zone, and bounds what the
//! database reads; `TIMESTAMP_TIMEZONE` is a moment. The first is an hour off for what is older
//! than the last change of clocks, so the second decides, and the first is asked for with room at
//! both ends. The summary of authentications has the first alone.

use jiff::{SignedDuration, Timestamp};

use crate::cli::filters::{Moment, Window};
use crate::error::{Error, Result};

/// The column of moments.
pub(super) const ZONED: &str = "TIMESTAMP_TIMEZONE";

/// The newest moment of a group of rows.
pub(super) const LATEST: &str = "MAX(TIMESTAMP_TIMEZONE)";

/// Room for a change of clocks by an hour, and for how long our turn is waited for.
pub(super) const ROOM: SignedDuration = SignedDuration::from_mins(90);

/// From when until when rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryWindow {
    since: Moment,
    until: Option<Moment>,
}

impl HistoryWindow {
    /// Of what was typed; `usual`: how long it is where only its end was, or nothing. An end that
    /// is to come is none.
    pub(super) fn of(window: &Window, usual: SignedDuration) -> Result<Self> {
        let (since, until) = window.moments()?;
        let until = until.filter(|until| until.ago() > SignedDuration::ZERO);
        let since = match (since, until) {
            (Some(since), _) => since,
            (None, Some(until)) => {
                let since = until.before(usual);
                since.ok_or_else(|| Error::usage("--until is too early a time"))?
            }
            (None, None) => Moment::Ago(usual),
        };
        if since.ago() <= SignedDuration::ZERO {
            return Err(Error::usage("--since lies in the future"));
        }
        Ok(Self { since, until })
    }

    /// So far back from now.
    pub(super) fn back(length: SignedDuration) -> Self {
        Self {
            since: Moment::Ago(length),
            until: None,
        }
    }

    /// From one moment until another; an end that is to come is none.
    pub(super) fn between(since: Timestamp, until: Timestamp) -> Self {
        let until = Moment::At(until);
        Self {
            since: Moment::At(since),
            until: Some(until).filter(|until| until.ago() > SignedDuration::ZERO),
        }
    }

    /// From so long ago until so long ago.
    pub(super) fn ago(since: SignedDuration, until: SignedDuration) -> Self {
        Self {
            since: Moment::Ago(since),
            until: Some(Moment::Ago(until)),
        }
    }

    /// How far it reaches back.
    pub(super) fn length(self) -> SignedDuration {
        self.since.ago()
    }

    /// The same with so much more at its ends.
    pub(super) fn widened(self, before: SignedDuration, behind: SignedDuration) -> Self {
        let until = self.until.and_then(|until| until.before(-behind));
        Self {
            since: self.since.before(before).unwrap_or(self.since),
            until: until.filter(|until| until.ago() > SignedDuration::ZERO),
        }
    }

    /// Whether something that lasted from one moment until another (`None`: it goes on) was in it.
    pub(super) fn meets(self, from: Timestamp, until: Option<Timestamp>) -> bool {
        let ago = |moment: Timestamp| Timestamp::now().duration_since(moment);
        let begins_in_time = self.until.is_none_or(|end| ago(from) >= end.ago());
        begins_in_time && until.is_none_or(|until| ago(until) <= self.since.ago())
    }

    /// What of it lies between two moments, as a condition on the node's own clock.
    pub(super) fn part(self, from: Timestamp, until: Option<Timestamp>) -> String {
        let now = Timestamp::now();
        let until = until.map(|until| now.duration_since(until));
        let ends = [until, self.until.map(Moment::ago)];
        rough(
            self.since.ago().min(now.duration_since(from)),
            ends.into_iter().flatten().max(),
        )
    }

    /// The condition on a view that has the node's own clock alone.
    pub(super) fn of_clock(self) -> String {
        by_clock(self.since.ago(), self.until.map(Moment::ago))
    }

    /// The condition on a view that has both.
    pub(super) fn within(self) -> Within {
        Within {
            rough: rough(self.since.ago(), self.until.map(Moment::ago)),
            exact: self.exact(),
        }
    }

    /// The condition on moments, with `AND` in front.
    pub(super) fn exact(self) -> String {
        let since = format!(" AND {ZONED} >= {}", moment(self.since));
        match self.until {
            Some(until) => format!("{since} AND {ZONED} <= {}", moment(until)),
            None => since,
        }
    }
}

/// A condition on time.
#[derive(Debug, Clone)]
pub(super) struct Within {
    /// On the node's own clock.
    pub(super) rough: String,
    /// On moments, with `AND` in front; it can be left out where a release lacks their column.
    pub(super) exact: String,
}

/// The node's own clock is compared with itself, so that nobody's zone matters.
fn by_clock(since: SignedDuration, until: Option<SignedDuration>) -> String {
    let days = |ago: SignedDuration| ago.as_secs_f64() / 86_400.0;
    let since = format!("TIMESTAMP >= SYSDATE - {:.6}", days(since));
    match until.filter(|until| *until > SignedDuration::ZERO) {
        Some(until) => format!("{since} AND TIMESTAMP <= SYSDATE - {:.6}", days(until)),
        None => since,
    }
}

/// The same with room at both ends.
fn rough(since: SignedDuration, until: Option<SignedDuration>) -> String {
    by_clock(since + ROOM, until.map(|until| until - ROOM))
}

/// A moment as SQL. What was typed as a span is counted back when the statement runs, by the node's
/// clock; a date stays the same however long our turn was waited for.
fn moment(moment: Moment) -> String {
    match moment {
        Moment::Ago(ago) => format!("SYSTIMESTAMP - {}", interval(ago)),
        Moment::At(at) => format!(
            "TIMESTAMP '{} +00:00'",
            at.strftime("%Y-%m-%d %H:%M:%S.%3f")
        ),
    }
}

/// A span as SQL.
pub(super) fn interval(span: SignedDuration) -> String {
    format!("NUMTODSINTERVAL({:.3}, 'SECOND')", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn of(since: Option<&str>, until: Option<&str>) -> Result<HistoryWindow> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        HistoryWindow::of(&Window::between(text(since), text(until)), DAY)
    }

    #[test]
    fn moments_decide_and_the_nodes_own_clock_bounds_with_room() {
        let within = of(Some("36h"), Some("6h")).unwrap().within();
        assert_eq!(
            within.rough,
            "TIMESTAMP >= SYSDATE - 1.562500 AND TIMESTAMP <= SYSDATE - 0.187500"
        );
        assert_eq!(
            within.exact,
            " AND TIMESTAMP_TIMEZONE >= SYSTIMESTAMP - NUMTODSINTERVAL(129600.000, 'SECOND') \
             AND TIMESTAMP_TIMEZONE <= SYSTIMESTAMP - NUMTODSINTERVAL(21600.000, 'SECOND')"
        );
        // An end that is nearer than the room is none to the clock.
        let within = of(Some("2h"), Some("1h")).unwrap().within();
        assert_eq!(within.rough, "TIMESTAMP >= SYSDATE - 0.145833");
        let alone = of(Some("36h"), Some("6h")).unwrap().of_clock();
        assert_eq!(
            alone,
            "TIMESTAMP >= SYSDATE - 1.500000 AND TIMESTAMP <= SYSDATE - 0.250000"
        );
    }

    #[test]
    fn dates_stay_where_they_are() {
        let window = of(
            Some("2026-03-01T08:00:00.25Z"),
            Some("2026-03-01T11:00+01:00"),
        );
        assert_eq!(
            window.unwrap().exact(),
            " AND TIMESTAMP_TIMEZONE >= TIMESTAMP '2026-03-01 08:00:00.250 +00:00' \
             AND TIMESTAMP_TIMEZONE <= TIMESTAMP '2026-03-01 10:00:00.000 +00:00'"
        );
    }

    #[test]
    fn the_usual_length_is_counted_back_from_the_end() {
        let exact = of(None, Some("3d")).unwrap().exact();
        let same = of(Some("4d"), Some("3d")).unwrap().exact();
        assert_eq!(exact, same);
        let dated = of(None, Some("2026-03-02T08:00:00Z")).unwrap().exact();
        assert!(dated.contains(">= TIMESTAMP '2026-03-01 08:00:00.000 +00:00'"));
        assert!(dated.contains("<= TIMESTAMP '2026-03-02 08:00:00.000 +00:00'"));
        assert!(!of(None, Some("2999-01-01")).unwrap().exact().contains("<="));
        for (since, until) in [(Some("2999-01-01"), None), (Some("1d"), Some("2d"))] {
            assert!(of(since, until).is_err());
        }
    }

    #[test]
    fn what_lasted_into_a_window_meets_it() {
        let window = of(Some("5d"), Some("4d")).unwrap();
        let ago = |hours: i64| Timestamp::now() - SignedDuration::from_hours(hours);
        for (from, until, meets) in [
            (24 * 7, None, true),
            (24 * 7, Some(24 * 6), false),
            (24 * 7, Some(110), true),
            (100, Some(90), true),
            (90, None, false),
        ] {
            let until = until.map(ago);
            assert_eq!(window.meets(ago(from), until), meets, "{from} {until:?}");
        }
        let wide = window.widened(DAY, DAY).within().rough;
        assert_eq!(
            wide,
            "TIMESTAMP >= SYSDATE - 6.062500 AND TIMESTAMP <= SYSDATE - 2.937500"
        );
    }
}
