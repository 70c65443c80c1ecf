//! What a subscriber's notices say of its connection: whether it stands, to which node, whether
//! one ever did; for summaries. It connects and counts nothing.

use crate::cli::long_running::{Metric, Sample};
use crate::pxgrid::subscription::Notice;

static CONNECTED: Metric = Metric::gauge(
    "netapi_connected",
    "1 while a connection to a pubsub node stands, else 0.",
);
static RECONNECTS: Metric = Metric::counter(
    "netapi_reconnects_total",
    "Connections to a pubsub node after the first.",
);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct ConnectionState {
    node: Option<String>,
    stood: bool,
}

impl ConnectionState {
    /// Takes a notice.
    pub(super) fn hear(&mut self, notice: &Notice) {
        match notice {
            Notice::Subscribed { node, .. } => {
                self.node = Some(node.clone());
                self.stood = true;
            }
            Notice::ConnectionLost { .. } | Notice::Stopping => self.node = None,
            _ => {}
        }
    }

    /// Whether a connection ever stood.
    pub(super) fn ever_stood(&self) -> bool {
        self.stood
    }

    /// In a few words.
    pub(super) fn state(&self) -> String {
        match &self.node {
            Some(node) => format!("connected to {node}"),
            None => "not connected".to_owned(),
        }
    }

    /// For Prometheus; `reconnects`: connections that stood, after the first.
    pub(super) fn samples(&self, reconnects: u64) -> [Sample; 2] {
        [
            CONNECTED.counts(u64::from(self.node.is_some())),
            RECONNECTS.counts(reconnects),
        ]
    }
}
