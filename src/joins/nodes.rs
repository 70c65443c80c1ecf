//! The nodes of a deployment: sessions of each, load and latency now and over a window, and which
//! of them is in trouble. Samples are those of pxGrid (reference pxgrid-api, section 3.8).

mod metric;

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use self::metric::USUAL;
pub use self::metric::{Limit, Metric};
use super::trend::{Means, Window};
use crate::record::{Record, time};

/// Nodes that are told apart; the largest documented deployment has 54.
const MOST_NODES: usize = 1_000;
/// Bytes of a sample that is kept.
const LARGEST_SAMPLE: usize = 64 << 10;
/// A newest sample that is older tells nothing of now: three samples did not come.
pub const STALE: SignedDuration = SignedDuration::from_mins(15);

/// See the module's documentation.
pub struct Nodes {
    window: Window,
    found: Vec<Node>,
    places: HashMap<String, usize>,
    /// Nodes that there was no room for, by how many of their rows.
    pub beyond: u64,
}

#[derive(Default)]
struct Node {
    name: String,
    sessions: Option<u64>,
    health: Option<(Timestamp, Value)>,
    performance: Option<(Timestamp, Value)>,
    trends: HashMap<&'static str, Means>,
}

/// A node as it is shown, and how near to its limits it is.
pub struct NodeState {
    /// The record: facts, trends, what is over, the newest samples as they were sent.
    pub record: Record,
    /// Its name.
    pub name: String,
    /// What is over its limit: what, how much as it was sent, the limit.
    pub over: Vec<(Metric, String, f64)>,
    /// What is limited and was not measured lately.
    pub missing: Vec<Metric>,
    /// The newest sample's age, where it is too old to tell of now.
    pub stale: Option<SignedDuration>,
    /// The largest share of a limit; infinite where nobody knows.
    share: f64,
    sessions: u64,
}

impl Nodes {
    /// None yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            found: Vec::new(),
            places: HashMap::new(),
            beyond: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// The node of this name: in whatever case, and by its first label where only one of the two
    /// interfaces knows the domain.
    fn node(&mut self, name: &str) -> Option<&mut Node> {
        let name = name.trim();
        let whole = name.to_lowercase();
        let place = self.places.get(&whole).copied().or_else(|| {
            let same = |known: &Node| same_host(&known.name.to_lowercase(), &whole);
            let mut alike = (0..).zip(&self.found).filter(|(_, known)| same(known));
            let first = alike.next().map(|(place, _)| place);
            first.filter(|_| alike.next().is_none())
        });
        let place = match place {
            Some(place) => place,
            None if name.is_empty() || name.len() > 255 => {
                self.beyond += 1;
                return None;
            }
            None if self.found.len() >= MOST_NODES => {
                self.beyond += 1;
                return None;
            }
            None => {
                self.found.push(Node {
                    name: name.to_owned(),
                    ..Node::default()
                });
                self.found.len() - 1
            }
        };
        if self.places.len() < 2 * MOST_NODES {
            self.places.insert(whole, place);
        }
        self.found.get_mut(place)
    }

    /// Adds sessions of a node.
    pub fn add_sessions(&mut self, name: &str, count: u64) {
        if let Some(node) = self.node(name) {
            *node.sessions.get_or_insert(0) += count;
        }
    }

    /// All sessions were counted: a node without any has none.
    pub fn sessions_are_counted(&mut self) {
        for node in &mut self.found {
            node.sessions.get_or_insert(0);
        }
    }

    /// Adds a sample of health.
    pub fn add_health(&mut self, sample: &Record) {
        let metrics = [Metric::Cpu, Metric::Memory, Metric::Load, Metric::IoWait];
        self.add(sample, &metrics, |node| &mut node.health);
    }

    /// Adds a sample of performance.
    pub fn add_performance(&mut self, sample: &Record) {
        let metrics = [Metric::Authentications, Metric::Latency];
        self.add(sample, &metrics, |node| &mut node.performance);
    }

    fn add(
        &mut self,
        sample: &Record,
        metrics: &[Metric],
        newest: impl Fn(&mut Node) -> &mut Option<(Timestamp, Value)>,
    ) {
        let window = self.window;
        let name = sample.text("serverName").unwrap_or_default().into_owned();
        let at = sample.text("timestamp");
        let Some(at) = at.and_then(|text| time::instant(&text)) else {
            self.beyond += 1;
            return;
        };
        let mut text = Vec::new();
        sample.write_json(&mut text);
        if text.len() > LARGEST_SAMPLE {
            self.beyond += 1;
            return;
        }
        let Some(node) = self.node(&name) else { return };
        let value = sample.to_value();
        for metric in metrics {
            if let Some((number, _)) = metric.of(&value) {
                let trend = node.trends.entry(metric.name()).or_default();
                trend.add(&window, at, number);
            }
        }
        let known = newest(node);
        if known.as_ref().is_none_or(|(known, _)| at > *known) {
            *known = Some((at, value));
        }
    }

    /// The nodes, worst first: those of which nobody knows, then those nearest to a limit.
    pub fn finish(self, limits: &[Limit], now: Timestamp) -> Vec<NodeState> {
        let window = self.window;
        let answers = |node: &Node| node.performance.is_some() || node.sessions.unwrap_or(0) > 0;
        let known = self.found.iter().any(|node| node.performance.is_some());
        let nodes = self.found.into_iter();
        let state = |node: Node| {
            // An MnT node answers no endpoint, so nobody measures how long that takes.
            let answers = !known || answers(&node);
            node.state(limits, answers, &window, now)
        };
        let mut states: Vec<NodeState> = nodes.map(state).collect();
        crate::order::sort_by(&mut states, |a, b| {
            let order = b.share.partial_cmp(&a.share).unwrap_or(Ordering::Equal);
            let order = order.then_with(|| b.sessions.cmp(&a.sessions));
            order.then_with(|| a.name.cmp(&b.name))
        });
        states
    }
}

/// Whether two names in lower case are of one host: the same, or one without its domain.
pub fn same_host(one: &str, other: &str) -> bool {
    let label = |name| str::split(name, '.').next().unwrap_or_default();
    let short = !one.contains('.') || !other.contains('.');
    one == other || (short && label(one) == label(other))
}

impl Node {
    /// A value of now: of the newest sample, unless that is too old.
    fn current(&self, metric: Metric, now: Timestamp) -> Option<(f64, Value)> {
        if metric == Metric::Sessions {
            #[allow(clippy::cast_precision_loss, reason = "nobody has so many sessions")]
            return self.sessions.map(|count| (count as f64, count.into()));
        }
        let samples = [&self.health, &self.performance].into_iter().flatten();
        let fresh = samples.filter(|(at, _)| now.duration_since(*at) <= STALE);
        let mut values = fresh.filter_map(|(_, sample)| metric.of(sample));
        values.next().map(|(number, value)| (number, value.clone()))
    }

    fn newest(&self) -> Option<Timestamp> {
        let samples = [&self.health, &self.performance].into_iter().flatten();
        samples.map(|(at, _)| *at).max()
    }

    /// `answers`: whether it answers endpoints, as far as anybody knows.
    fn state(self, limits: &[Limit], answers: bool, window: &Window, now: Timestamp) -> NodeState {
        let usual = USUAL.iter().map(|(metric, most)| Limit {
            metric: *metric,
            most: *most,
        });
        let asked: Vec<Limit> = if limits.is_empty() {
            usual.collect()
        } else {
            limits.to_vec()
        };
        let mut over = Vec::new();
        let mut missing = Vec::new();
        let mut share = 0.0_f64;
        for limit in asked {
            match self.current(limit.metric, now) {
                Some((number, sent)) => {
                    share = share.max(number / limit.most.max(0.01));
                    if number > limit.most {
                        over.push((limit.metric, text(&sent), limit.most));
                    }
                }
                None if limits.is_empty() => {}
                None if !answers && limit.metric.is_of_answers() => {}
                None => missing.push(limit.metric),
            }
        }
        let age = self.newest().map(|at| now.duration_since(at));
        let stale = age.filter(|age| *age > STALE);
        if stale.is_some() || !missing.is_empty() {
            share = f64::INFINITY;
        }
        if limits.is_empty() {
            over.clear();
        }
        NodeState {
            record: self.record(&over, &missing, window, now),
            sessions: self.sessions.unwrap_or(0),
            name: self.name,
            over,
            missing,
            stale,
            share,
        }
    }

    fn record(
        &self,
        over: &[(Metric, String, f64)],
        missing: &[Metric],
        window: &Window,
        now: Timestamp,
    ) -> Record {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("node", self.name.clone().into());
        put("sessions", self.sessions.into());
        for metric in Metric::ALL {
            if metric != Metric::Sessions {
                let value = self.current(metric, now).map(|(_, sent)| sent);
                put(metric.name(), value.unwrap_or(Value::Null));
            }
        }
        put("newest", self.newest().map(|at| at.to_string()).into());
        let words = over.iter();
        let words = words.map(|(metric, value, most)| format!("{} {value}>{most}", metric.name()));
        let lacking = missing.iter();
        let lacking = lacking.map(|metric| format!("{} unknown", metric.name()));
        put("over", words.chain(lacking).collect::<Vec<_>>().into());
        let trends = Metric::ALL.into_iter().filter_map(|metric| {
            let trend = self.trends.get(metric.name())?;
            Some((metric.name().to_owned(), trend.value(window)))
        });
        put("trend", Value::Object(trends.collect()));
        let sample = |sample: &Option<(Timestamp, Value)>| {
            let sample = sample.as_ref().map(|(_, sample)| sample.clone());
            sample.unwrap_or(Value::Null)
        };
        put("health", sample(&self.health));
        put("performance", sample(&self.performance));
        Record::from_value(json!(members))
    }
}

/// A value as it was sent, without quotes.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-03-01T11:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn nodes() -> Nodes {
        Nodes::new(Window {
            since: "2026-03-01T10:00:00Z".parse().unwrap(),
            until: now(),
            parts: 2,
        })
    }

    fn health(name: &str, minute: u32, cpu: &str) -> Record {
        let text = format!(
            r#"{{"timestamp":"2026-03-01T10:{minute:02}:00Z","serverName":"{name}","cpuUsage":{cpu},"memoryUsage":40.10}}"#
        );
        Record::from_value(serde_json::from_str(&text).unwrap())
    }

    fn performance(name: &str, minute: u32, latency: u64) -> Record {
        Record::from_value(json!({
            "timestamp": format!("2026-03-01T10:{minute:02}:00Z"), "serverName": name,
            "radiusRate": 3, "radiusCount": 900, "radiusLatency": latency
        }))
    }

    fn limit(metric: Metric, most: f64) -> Limit {
        Limit { metric, most }
    }

    #[test]
    fn one_row_a_node_with_the_newest_sample_and_the_trend() {
        let mut nodes = nodes();
        nodes.add_health(&health("psn-a", 55, "12.50"));
        nodes.add_health(&health("psn-a", 10, "30.00"));
        nodes.add_performance(&performance("psn-a", 55, 25));
        nodes.add_sessions("PSN-A.lab.example", 7);
        let states = nodes.finish(&[], now());
        assert_eq!(states.len(), 1);
        let row = states[0].record.to_value();
        assert_eq!(
            (&row["node"], &row["sessions"]),
            (&json!("psn-a"), &json!(7))
        );
        // The server's own spelling of numbers.
        assert_eq!(
            (row["cpu"].to_string(), row["memory"].to_string()),
            ("12.50".into(), "40.10".into())
        );
        assert_eq!(
            (&row["latency"], &row["authentications"]),
            (&json!(25), &json!(900))
        );
        assert_eq!(row["trend"]["cpu"], json!([30, 12.5]));
        assert_eq!(row["trend"]["latency"], json!([null, 25]));
        assert_eq!(row["health"]["timestamp"], "2026-03-01T10:55:00Z");
        assert_eq!(row["over"], json!([]));
    }

    #[test]
    fn worst_first_and_what_is_over_its_limit_is_said() {
        let mut nodes = nodes();
        for (name, cpu, latency) in [
            ("psn-a", "20.00", 30),
            ("psn-b", "95.50", 480),
            ("psn-c", "50.00", 90),
        ] {
            nodes.add_health(&health(name, 55, cpu));
            nodes.add_performance(&performance(name, 55, latency));
        }
        let limits = [limit(Metric::Cpu, 90.0), limit(Metric::Latency, 100.0)];
        let states = nodes.finish(&limits, now());
        let names: Vec<&str> = states.iter().map(|state| state.name.as_str()).collect();
        assert_eq!(names, ["psn-b", "psn-c", "psn-a"]);
        assert_eq!(
            states[0].record.to_value()["over"],
            json!(["cpu 95.50>90", "latency 480>100"])
        );
        assert_eq!(states[0].over.len(), 2);
        assert!(states[1].over.is_empty() && states[1].missing.is_empty());
    }

    #[test]
    fn what_was_not_measured_lately_is_never_well() {
        let mut nodes = nodes();
        nodes.add_health(&health("old", 40, "10.00"));
        nodes.add_health(&health("new", 55, "10.00"));
        nodes.add_sessions("bare", 3);
        let states = nodes.finish(&[limit(Metric::Cpu, 90.0)], now());
        let told: Vec<_> = states
            .iter()
            .map(|state| {
                (
                    state.name.as_str(),
                    state.missing.len(),
                    state.stale.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [("bare", 1, false), ("old", 1, true), ("new", 0, false)]
        );
        let row = states[1].record.to_value();
        assert_eq!(
            (&row["cpu"], &row["over"]),
            (&Value::Null, &json!(["cpu unknown"]))
        );
    }

    #[test]
    fn names_of_two_domains_are_two_nodes() {
        let mut nodes = nodes();
        nodes.add_health(&health("psn-a.one.example", 55, "1.00"));
        nodes.add_health(&health("psn-a.two.example", 55, "2.00"));
        nodes.add_sessions("psn-a", 5);
        nodes.add_sessions("psn-a.two.example", 5);
        let states = nodes.finish(&[], now());
        // The short name may be either one's: it stands alone.
        assert_eq!(states.len(), 3);
    }

    #[test]
    fn samples_that_make_no_sense_are_counted_and_names_bounded() {
        let mut nodes = nodes();
        nodes.add_health(&Record::from_value(json!({"serverName": "x"})));
        nodes.add_health(&Record::from_value(json!({"timestamp": NOW})));
        nodes.add_sessions(&"x".repeat(300), 1);
        for number in 0..MOST_NODES + 5 {
            nodes.add_sessions(&format!("node-{number}.example"), 1);
        }
        assert_eq!((nodes.len(), nodes.beyond), (MOST_NODES, 8));
        let mut odd = super::tests::nodes();
        odd.add_health(&health("x", 55, "\"93.20\""));
        odd.add_health(&health("y", 55, "1e999"));
        let states = odd.finish(&[limit(Metric::Cpu, 90.0)], now());
        assert_eq!(states[0].name, "y");
        assert_eq!(states[1].over[0].1, "93.20");
    }
}
