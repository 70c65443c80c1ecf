//! What is measured of a node: its names, where samples tell it, and the limits that users set. It
//! keeps no samples.

use serde_json::Value;

/// What is measured of a node, or counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Percent of the processor.
    Cpu,
    /// Percent of the memory.
    Memory,
    /// Load average.
    Load,
    /// RADIUS requests of the newest sample.
    Authentications,
    /// Milliseconds that a RADIUS request takes.
    Latency,
    /// Percent of the time that is spent waiting for disks.
    IoWait,
    /// Percent of the fuller one of the two disks that are measured.
    Disk,
    /// Active sessions.
    Sessions,
}

/// What the worst node is found by, where the user gave no limits.
pub(super) const USUAL: &[(Metric, f64)] = &[
    (Metric::Cpu, 90.0),
    (Metric::Memory, 90.0),
    (Metric::Latency, 500.0),
    (Metric::Disk, 90.0),
];

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Cpu,
        Self::Memory,
        Self::Load,
        Self::Authentications,
        Self::Latency,
        Self::IoWait,
        Self::Disk,
        Self::Sessions,
    ];

    /// As it is typed, and called in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Load => "load",
            Self::Authentications => "authentications",
            Self::Latency => "latency",
            Self::IoWait => "iowait",
            Self::Disk => "disk",
            Self::Sessions => "sessions",
        }
    }

    /// Whether only a node that answers endpoints has it.
    pub(super) fn is_of_answers(self) -> bool {
        matches!(self, Self::Authentications | Self::Latency)
    }

    /// The members of samples that tell it.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["cpuUsage"],
            Self::Memory => &["memoryUsage"],
            Self::Load => &["loadAverage"],
            Self::Authentications => &["radiusCount"],
            Self::Latency => &["radiusLatency"],
            Self::IoWait => &["ioWait"],
            Self::Disk => &["diskUsageRoot", "diskUsageOpt"],
            Self::Sessions => &[],
        }
    }

    /// The value in a sample as it was sent, of several the highest.
    pub(super) fn of(self, sample: &Value) -> Option<(f64, &Value)> {
        let sent = self.members().iter().filter_map(|name| sample.get(name));
        let numbers = sent.filter_map(|value| Some((number(value)?, value)));
        numbers.max_by(|(a, _), (b, _)| a.total_cmp(b))
    }
}

/// A number, also one that was sent as a text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A limit that a user set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Of what.
    pub metric: Metric,
    /// What is over it is too much.
    pub most: f64,
}
