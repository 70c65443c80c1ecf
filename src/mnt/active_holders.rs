//! Which policy service nodes hold the active sessions of endpoints, by the active list: for
//! endpoints whose own latest document is that of a refused attempt, or of a session that is over.
//! A sink; it sends nothing.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::record::{Mac, Record, RecordSink};

/// Endpoints at most; a deployment has 2,000,000 sessions.
const MOST: usize = 2_000_000;
/// Policy service nodes at most; a deployment has 50.
const MOST_NODES: usize = 1000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Holders {
    /// The nodes of an endpoint's sessions, each once; `None` where a row names none.
    nodes: HashMap<Mac, Vec<Option<Arc<str>>>>,
    names: HashSet<Arc<str>>,
}

impl Holders {
    /// The node that holds the active sessions of `mac`; `None` where it has none.
    ///
    /// Errors: [`Kind::Usage`] where several nodes do, [`Kind::Server`] where none is named.
    pub fn of(&self, mac: Mac) -> Result<Option<String>> {
        let look = format!("`netapi ise mnt sessions --mac {mac}` lists them");
        match self.nodes.get(&mac).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([Some(node)]) => Ok(Some(node.to_string())),
            Some([None]) => Err(Error::new(
                Kind::Server,
                format!("the active session of {mac} does not name its PSN"),
            )
            .hint("name the PSN yourself: --server PSN")),
            Some(several) => {
                let nodes = several.iter().flatten().map(|node| &**node);
                let nodes = nodes.collect::<Vec<_>>().join(", ");
                let error = Error::usage(format!(
                    "{mac} has active sessions on more than one PSN: {nodes}"
                ));
                Err(error.hint(format!("name the one that is meant: --server PSN; {look}")))
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<Arc<str>> {
        if let Some(known) = self.names.get(name) {
            return Ok(known.clone());
        }
        if self.names.len() >= MOST_NODES {
            return Err(too_many(&format!("{MOST_NODES} PSNs")));
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        Ok(name)
    }
}

fn too_many(what: &str) -> Error {
    let error = Error::new(
        Kind::Malformed,
        format!("the active list has more than {what}"),
    );
    error.hint("name the PSN yourself: --server PSN")
}

impl RecordSink for Holders {
    fn begin(&mut self, _announced: Option<u64>) -> Result<()> {
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        let Some(mac) = record.mac() else {
            return Ok(ControlFlow::Continue(()));
        };
        let node = record.server().map(|name| self.name(&name)).transpose()?;
        if self.nodes.len() >= MOST && !self.nodes.contains_key(&mac) {
            return Err(too_many(&format!("{MOST} endpoints")));
        }
        let nodes = self.nodes.entry(mac).or_default();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_named_only_where_it_alone_holds_the_sessions() {
        let mac = |last: u8| format!("00:00:5E:00:53:{last:02X}");
        let mut holders = Holders::default();
        for (last, server) in [
            (1, Some("psn-a")),
            (1, Some("psn-a")),
            (2, Some("psn-a")),
            (2, Some("psn-b")),
            (3, None),
            (4, Some("psn-b")),
            (4, None),
        ] {
            let row = json!({"calling_station_id": mac(last), "server": server});
            holders
                .record(&Record::from_value(row))
                .unwrap()
                .is_continue();
        }
        let of = |last: u8| holders.of(mac(last).parse().unwrap());
        assert_eq!(of(1).unwrap().as_deref(), Some("psn-a"));
        assert_eq!(of(5).unwrap(), None);
        let several = of(2).unwrap_err();
        assert!(
            several.message().ends_with("PSN: psn-a, psn-b"),
            "{several}"
        );
        assert!(several.hint_text().unwrap().contains("--server PSN"));
        assert_eq!(of(3).unwrap_err().kind(), Kind::Server);
        assert_eq!(of(4).unwrap_err().kind(), Kind::Usage);
    }
}
