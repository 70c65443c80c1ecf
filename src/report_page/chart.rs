//! Charts: numbers to places in a drawing. Nothing is drawn here; templates do.

use super::table::{brief, cut, grouped};
use crate::render::page::visible;

/// Where bars begin, and how long the longest is, in units of the drawing.
const BAR_FROM: f64 = 190.0;
const BAR_ROOM: f64 = 200.0;
const BAR_HEIGHT: f64 = 22.0;
/// Columns of text that a bar's name has room for.
const BAR_NAME: usize = 24;
/// A chart of columns.
const COLUMNS_WIDTH: f64 = 640.0;
const COLUMNS_HEIGHT: f64 = 120.0;
/// A small line.
const SPARK_WIDTH: f64 = 96.0;
const SPARK_HEIGHT: f64 = 18.0;

/// One chart.
#[derive(Debug, Clone)]
pub enum Chart {
    /// Groups.
    Bars(Bars),
    /// A trend.
    Columns(Columns),
}

/// Horizontal bars, one a group.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What is shown, for readers that do not see it.
    pub(super) title: String,
    pub(super) groups: Vec<Bar>,
    pub(super) height: f64,
    /// Its class, which colours it.
    pub(super) class: &'static str,
}

/// One bar.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) y: f64,
    pub(super) length: f64,
}

impl Bars {
    /// Bars of groups with their numbers; `class` is `calm` or `bad`.
    pub fn new(title: &str, groups: &[(&str, u64)], class: &'static str) -> Self {
        let most = groups.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let drawn: Vec<Bar> = groups
            .iter()
            .zip(0_u32..)
            .map(|((name, count), at)| Bar {
                name: cut(&visible(name), BAR_NAME),
                value: grouped(*count),
                y: f64::from(at) * BAR_HEIGHT,
                length: rounded(share(*count, most) * BAR_ROOM).max(1.0),
            })
            .collect();
        let rows = u32::try_from(drawn.len()).unwrap_or(0);
        Self {
            title: title.to_owned(),
            height: f64::from(rows) * BAR_HEIGHT,
            groups: drawn,
            class,
        }
    }

    pub(super) const fn from() -> f64 {
        BAR_FROM
    }
}

/// Columns over time.
#[derive(Debug, Clone)]
pub struct Columns {
    pub(super) title: String,
    pub(super) parts: Vec<TimeColumn>,
    /// The highest number, for the axis.
    pub(super) most: String,
    /// What stands below the first and the last column.
    pub(super) ends: (String, String),
    pub(super) class: &'static str,
}

/// One part of the time.
#[derive(Debug, Clone)]
pub(super) struct TimeColumn {
    /// When, and how much.
    pub(super) words: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Columns {
    /// Columns of numbers, each with the name of its part of the time.
    pub fn new(title: &str, parts: &[(String, u64)], class: &'static str) -> Self {
        let most = parts.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let step = COLUMNS_WIDTH / f64::from(u32::try_from(parts.len().max(1)).unwrap_or(1));
        let drawn = parts
            .iter()
            .zip(0_u32..)
            .map(|((when, count), at)| {
                // What is there is never as low as nothing.
                let least = if *count > 0 { 1.5 } else { 0.0 };
                let height = rounded(share(*count, most) * COLUMNS_HEIGHT).max(least);
                TimeColumn {
                    words: format!("{}: {}", visible(when), grouped(*count)),
                    x: rounded(f64::from(at) * step + step * 0.1),
                    y: rounded(COLUMNS_HEIGHT - height),
                    width: rounded(step * 0.8),
                    height,
                }
            })
            .collect();
        let end = |part: Option<&(String, u64)>| {
            part.map_or(String::new(), |(when, _)| visible(when).into_owned())
        };
        Self {
            title: title.to_owned(),
            parts: drawn,
            most: grouped(most),
            ends: (end(parts.first()), end(parts.last())),
            class,
        }
    }
}

/// A small line of a table's cell, with the numbers that it is drawn from.
#[derive(Debug, Clone)]
pub(super) struct Spark {
    /// The lines, each as points; a hole ends one.
    pub(super) lines: Vec<String>,
    /// Dots for numbers between holes.
    pub(super) dots: Vec<(f64, f64)>,
    /// All numbers, for who reads them.
    pub(super) words: String,
    /// The newest number.
    pub(super) last: f64,
}

impl Spark {
    pub(super) fn new(values: &[Option<f64>]) -> Self {
        let most = values.iter().flatten().copied().fold(0.0, f64::max);
        let gaps = u32::try_from(values.len().saturating_sub(1).max(1)).unwrap_or(1);
        let step = SPARK_WIDTH / f64::from(gaps);
        let (mut lines, mut dots) = (Vec::new(), Vec::new());
        let mut line: Vec<(f64, f64)> = Vec::new();
        let mut end = |line: &mut Vec<(f64, f64)>| {
            match line.as_slice() {
                [] => {}
                [alone] => dots.push(*alone),
                points => {
                    let points = points.iter().map(|(x, y)| format!("{x},{y}"));
                    lines.push(points.collect::<Vec<_>>().join(" "));
                }
            }
            line.clear();
        };
        for (value, at) in values.iter().zip(0_u32..) {
            match value {
                Some(value) => {
                    let part = if most > 0.0 { value / most } else { 0.0 };
                    let y = rounded(SPARK_HEIGHT - part.clamp(0.0, 1.0) * SPARK_HEIGHT + 1.0);
                    line.push((rounded(f64::from(at) * step + 2.0), y));
                }
                None => end(&mut line),
            }
        }
        end(&mut line);
        let words = values.iter();
        let words = words.map(|value| value.map_or("–".to_owned(), brief));
        Self {
            lines,
            dots,
            words: words.collect::<Vec<_>>().join(" "),
            last: values
                .iter()
                .rev()
                .flatten()
                .next()
                .copied()
                .unwrap_or(-1.0),
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a drawing has a thousand points"
)]
fn share(count: u64, most: u64) -> f64 {
    if most == 0 {
        return 0.0;
    }
    count as f64 / most as f64
}

/// To one decimal: the page stays small.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
