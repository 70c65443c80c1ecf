//! The options that `lab run` and `lab up` share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::Url;

use crate::error::Error;
use crate::lab::population::MOST_SESSIONS;
use crate::lab::{EventRate, Fault, LabOptions, MOST_NODES, PubsubTimes, Release};

/// What the lab is like.
#[derive(Args, Debug)]
pub(crate) struct LabArgs {
    /// How many sessions there are, to 2,000,000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=MOST_SESSIONS))]
    sessions: u64,
    /// How many sessions start, change or end a second, to 50,000; max: as fast as subscribers take
    /// them, changing nothing
    #[arg(long, value_name = "R", default_value = "0", value_parser = rate)]
    events_per_second: EventRate,
    /// Another seed makes another population
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Port of the Monitoring node instead of a free one
    #[arg(long, value_name = "PORT")]
    listen_mnt: Option<u16>,
    /// Port of Data Connect instead of a free one
    #[arg(long, value_name = "PORT")]
    listen_dc: Option<u16>,
    /// As which Oracle release Data Connect shows itself
    #[arg(
        long,
        value_name = "RELEASE",
        value_enum,
        default_value = "19c",
        hide_possible_values = false
    )]
    dc_release: DataConnectRelease,
    /// How many pxGrid nodes there are, 1 to 4
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_NODES)))]
    nodes: u16,
    /// Port of the first pxGrid node instead of a free one; the others take the ports after it
    #[arg(long, value_name = "PORT")]
    listen_pxgrid: Option<u16>,
    /// Say that events come from this WebSocket, of another STOMP broker, instead of the lab's own
    #[arg(long, value_name = "WSS-URL", value_parser = wss_url)]
    pubsub_url: Option<String>,
    /// Directory for the certificates instead of a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Inject a fault, NAME or NAME@N:PATHPART, see `netapi ise lab faults`; repeatable
    #[arg(long = "fault", value_name = "FAULT", value_parser = fault)]
    faults: Vec<Fault>,
    /// Start a nats-server beside it, which has to be installed: with JetStream, on loopback;
    /// NATS_URL leads to it
    #[arg(long)]
    nats: bool,
    /// Write every request that arrives and every event published to this file, one JSON object a
    /// line
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// A release of Oracle's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DataConnectRelease {
    /// What ISE 3.x runs
    #[value(name = "19c")]
    Of19c,
    /// Fast logon, answers that say where they end
    #[value(name = "23ai")]
    Of23ai,
}

fn fault(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|error| why(&error))
}

fn rate(text: &str) -> Result<EventRate, String> {
    text.parse().map_err(|error| why(&error))
}

fn wss_url(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "wss" => Ok(text.to_owned()),
        _ => Err("it is no wss address, such as wss://localhost:15673/ws".to_owned()),
    }
}

fn why(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{}; {hint}", error.message()),
        None => error.message().to_owned(),
    }
}

impl LabArgs {
    /// Whether the lab changes only when a client changes it.
    pub(crate) fn makes_no_events(&self) -> bool {
        self.events_per_second == EventRate::None
    }

    /// Directories that a lab writes to.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let log = self.log.as_deref().and_then(std::path::Path::parent);
        let written = self.dir.as_deref().into_iter().chain(log);
        written.map(std::path::Path::to_path_buf).collect()
    }

    /// For the lab.
    pub(crate) fn into_lab(self) -> LabOptions {
        LabOptions {
            sessions: self.sessions,
            seed: self.seed,
            faults: self.faults,
            dir: self.dir,
            listen_mnt: self.listen_mnt,
            listen_data_connect: self.listen_dc,
            data_connect: match self.dc_release {
                DataConnectRelease::Of19c => Release::Of19c,
                DataConnectRelease::Of23ai => Release::Of23ai,
            },
            nodes: self.nodes,
            listen_pxgrid: self.listen_pxgrid,
            pubsub_url: self.pubsub_url,
            log: self.log,
            events_per_second: self.events_per_second,
            pubsub_times: PubsubTimes::default(),
            nats: self.nats,
        }
    }
}
