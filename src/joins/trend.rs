//! A window of time in equal parts: how often something happened in each of them, or what was
//! measured there on average.

use jiff::Timestamp;
use serde_json::{Number, Value};

/// From when to when, and in how many parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The beginning.
    pub since: Timestamp,
    /// The end.
    pub until: Timestamp,
    /// How many parts, at least one.
    pub parts: usize,
}

impl Window {
    /// The part that a time falls into. What is later than the end is in the last: clocks of
    /// servers run ahead. `None` for what is earlier than the beginning.
    fn part(&self, at: Timestamp) -> Option<usize> {
        if at < self.since {
            return None;
        }
        let whole = self.until.as_millisecond() - self.since.as_millisecond();
        let parts = i64::try_from(self.parts.max(1)).ok()?;
        let into = at.as_millisecond() - self.since.as_millisecond();
        let part = into.saturating_mul(parts) / whole.max(1);
        usize::try_from(part.min(parts - 1)).ok()
    }
}

/// How often something happened.
#[derive(Debug, Clone, Default)]
pub struct Counts(Vec<u64>);

impl Counts {
    /// Counts one.
    pub fn add(&mut self, window: &Window, at: Timestamp) {
        self.0.resize(window.parts.max(1), 0);
        if let Some(count) = window.part(at).and_then(|part| self.0.get_mut(part)) {
            *count += 1;
        }
    }

    /// The counts, oldest part first; nothing but zeros where none was added.
    pub fn value(&self, window: &Window) -> Value {
        let mut counts = self.0.clone();
        counts.resize(window.parts.max(1), 0);
        counts.into()
    }
}

/// What was measured: a sum and how many samples it is of, for each part.
#[derive(Debug, Clone, Default)]
pub struct Means(Vec<(f64, u32)>);

impl Means {
    /// Adds a sample; one that is no number a machine can have is left out.
    pub fn add(&mut self, window: &Window, at: Timestamp, sample: f64) {
        self.0.resize(window.parts.max(1), (0.0, 0));
        let part = window.part(at).and_then(|part| self.0.get_mut(part));
        if let Some((sum, samples)) = part.filter(|_| sample.is_finite()) {
            *sum += sample;
            *samples += 1;
        }
    }

    /// The means, to two decimals, oldest part first; `null` for a part without a sample.
    pub fn value(&self, window: &Window) -> Value {
        let mut parts = self.0.clone();
        parts.resize(window.parts.max(1), (0.0, 0));
        let mean = |(sum, samples): (f64, u32)| {
            if samples == 0 {
                return Value::Null;
            }
            let mean = (sum / f64::from(samples) * 100.0).round() / 100.0;
            // Whole numbers are written as such.
            let number = mean.to_string().parse::<Number>();
            number.map_or(Value::Null, Value::Number)
        };
        parts.into_iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn window(parts: usize) -> Window {
        Window {
            since: "2026-03-01T10:00:00Z".parse().unwrap(),
            until: "2026-03-01T11:00:00Z".parse().unwrap(),
            parts,
        }
    }

    #[test]
    fn each_time_has_its_part_and_a_clock_that_is_ahead_the_last() {
        let window = window(12);
        let mut counts = Counts::default();
        for text in [
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:04:59.999Z",
            "2026-03-01T10:05:00Z",
            "2026-03-01T11:59:00+01:00",
            "2026-03-01T11:00:00Z",
            "2026-03-01T11:07:00Z",
            "2026-03-01T09:59:59Z",
        ] {
            counts.add(&window, text.parse().unwrap());
        }
        assert_eq!(
            counts.value(&window),
            json!([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3])
        );
        assert_eq!(Counts::default().value(&window), Value::from(vec![0; 12]));
    }

    #[test]
    fn means_have_holes_where_nothing_was_measured() {
        let window = window(4);
        let mut means = Means::default();
        for (text, sample) in [
            ("2026-03-01T10:01:00Z", 1.0),
            ("2026-03-01T10:02:00Z", 2.005),
            ("2026-03-01T10:55:00Z", 90.0),
            ("2026-03-01T10:56:00Z", f64::NAN),
            ("2026-03-01T10:57:00Z", f64::INFINITY),
        ] {
            means.add(&window, text.parse().unwrap(), sample);
        }
        assert_eq!(means.value(&window), json!([1.5, null, null, 90]));
    }

    #[test]
    fn a_window_of_nothing_divides_by_nothing() {
        let at: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let empty = Window {
            since: at,
            until: at,
            parts: 0,
        };
        let mut counts = Counts::default();
        counts.add(&empty, Timestamp::MAX);
        assert_eq!(counts.value(&empty), json!([1]));
    }
}
