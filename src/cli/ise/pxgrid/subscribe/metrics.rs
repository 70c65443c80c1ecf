//! The summary's figures as metrics. It counts nothing.

use crate::cli::long_running::{Metric, Sample};
use crate::event::Figures;

static RECEIVED: Metric = Metric::counter("netapi_events_received_total", "Events received.");
static DELIVERED: Metric = Metric::counter(
    "netapi_events_delivered_total",
    "Events printed, or taken by the callback; those of an earlier run too.",
);
static FAILED: Metric = Metric::counter(
    "netapi_events_failed_total",
    "Events that went to the dead letters.",
);
static RECOVERED: Metric = Metric::counter(
    "netapi_events_recovered_total",
    "Events fetched over REST, not seen live.",
);
static HAD_ALREADY: Metric = Metric::counter(
    "netapi_events_in_stream_already_total",
    "Events that the stream had, from another subscriber or an earlier try.",
);
static MESSAGES: Metric = Metric::counter(
    "netapi_messages_received_total",
    "Messages received, duplicates and unreadable ones among them.",
);
static RESTARTS: Metric = Metric::counter(
    "netapi_publisher_restarts_total",
    "Times that a publisher began to count anew.",
);
static DUPLICATES: Metric = Metric::counter(
    "netapi_messages_duplicate_total",
    "Messages that came twice and were left out.",
);
static GAPS: Metric = Metric::counter("netapi_sequence_gaps_total", "Gaps in a topic's numbers.");
static MISSED: Metric = Metric::counter(
    "netapi_messages_missed_total",
    "Messages missing in those gaps.",
);
static REPEATED: Metric = Metric::counter(
    "netapi_events_repeated_total",
    "Sessions or messages that had come before, or something newer, and were left out.",
);
static UNREADABLE: Metric = Metric::counter(
    "netapi_messages_unreadable_total",
    "Messages, or sessions in one, that could not be read.",
);
static POSSIBLY_LOST: Metric = Metric::counter(
    "netapi_possible_losses_total",
    "Times that something may have been lost for good.",
);
static CONDITION_FAILED: Metric = Metric::counter(
    "netapi_expression_failures_total",
    "Changes or events on which the user's --jq or --where failed.",
);
static WAITING: Metric = Metric::gauge(
    "netapi_spool_events",
    "Events that wait to be delivered or printed, in memory or on disk.",
);
static OLDEST: Metric = Metric::gauge(
    "netapi_spool_oldest_seconds",
    "How long the oldest undelivered event has been waiting.",
);
static LAG: Metric = Metric::gauge(
    "netapi_lag_max_seconds",
    "The longest that any event waited from its receipt to its delivery.",
);

/// Those of delivery alone.
#[cfg(feature = "nats")]
pub(in super::super) fn delivery_samples(figures: &Figures) -> Vec<Sample> {
    vec![
        DELIVERED.counts(figures.delivered),
        FAILED.counts(figures.failed),
        LAG.is(figures.max_lag.as_secs_f64()),
    ]
}

/// `left_over`: how many events an earlier run left.
pub(super) fn samples(figures: &Figures, left_over: u64) -> Vec<Sample> {
    let waiting = left_over
        .saturating_add(figures.received)
        .saturating_sub(figures.delivered)
        .saturating_sub(figures.failed);
    vec![
        RECEIVED.counts(figures.received),
        DELIVERED.counts(figures.delivered),
        FAILED.counts(figures.failed),
        RECOVERED.counts(figures.recovered),
        HAD_ALREADY.counts(figures.had_already),
        MESSAGES.counts(figures.messages),
        RESTARTS.counts(figures.restarts),
        DUPLICATES.counts(figures.duplicates),
        GAPS.counts(figures.gaps),
        MISSED.counts(figures.missed),
        REPEATED.counts(figures.repeated),
        UNREADABLE.counts(figures.unreadable),
        POSSIBLY_LOST.counts(figures.possibly_lost),
        CONDITION_FAILED.counts(figures.condition_failed),
        WAITING.counts(waiting),
        OLDEST.is(figures.lag.as_secs_f64()),
        LAG.is(figures.max_lag.as_secs_f64()),
    ]
}
