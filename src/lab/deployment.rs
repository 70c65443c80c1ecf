//! The deployment: starts the nodes and stops everything. What a client must be told of it is in
//! `environment`.

mod environment;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::certificates::{Certificates, Flavour};
use super::data_connect::{self, Release};
use super::fault_commands;
use super::faults::{Fault, FaultKind, Faults};
use super::log::{RequestEntry, RequestLog};
use super::mnt::{self, MntNode};
use super::nats_server::NatsServer;
use super::population::Population;
use super::pxgrid::churn::{self, EventRate};
use super::pxgrid::hub::Events;
use super::pxgrid::pubsub::PubsubTimes;
use super::pxgrid::{self, Grid, PxGridNode, Tls};
use super::session_directory::Directory;
use crate::error::{Error, Kind, Result};

#[cfg(test)]
pub use environment::EVENTS_VARIABLE;

/// Short name of the Monitoring node.
pub const MNT_NODE: &str = "ise-mnt";
/// The administrator whom the MnT node lets in.
pub const USER: &str = "lab-admin";
/// The administrator's password. It opens nothing but a lab on this machine, so it is no secret; it
/// holds a colon, which clients get wrong.
pub const PASSWORD: &str = "Lab:Pass-1";

/// The most pxGrid nodes, as in the largest deployments (reference pxgrid-api, section 6).
pub const MOST_NODES: u16 = 4;

/// What the lab is to be.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Number of sessions, to [`MOST_SESSIONS`](super::population::MOST_SESSIONS).
    pub sessions: u64,
    /// Which network: the same seed gives the same.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Where certificates are written; a private temporary directory if `None`. With it, and
    /// without `log`, the request log is `requests.jsonl` there.
    pub dir: Option<PathBuf>,
    /// Port of the MnT node; a free one if `None`.
    pub listen_mnt: Option<u16>,
    /// Port of Data Connect; a free one if `None`.
    pub listen_data_connect: Option<u16>,
    /// As which release of Oracle's Data Connect shows itself.
    pub data_connect: Release,
    /// How many pxGrid nodes there are, 1 to [`MOST_NODES`].
    pub nodes: u16,
    /// Port of the first pxGrid node, the others on the ports after it; free ones if `None`.
    pub listen_pxgrid: Option<u16>,
    /// `wsUrl` of another broker, which the lookup gives in place of the lab's own pubsub: one
    /// node, the first one by name.
    pub pubsub_url: Option<String>,
    /// File for the request log, JSON lines; also has a line for every published event.
    pub log: Option<PathBuf>,
    /// How many sessions change by themselves.
    pub events_per_second: EventRate,
    /// How long the pubsub nodes wait.
    pub pubsub_times: PubsubTimes,
    /// Whether a nats-server runs beside it.
    pub nats: bool,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            sessions: 50,
            seed: 1,
            faults: Vec::new(),
            dir: None,
            listen_mnt: None,
            listen_data_connect: None,
            data_connect: Release::Of19c,
            nodes: 2,
            listen_pxgrid: None,
            pubsub_url: None,
            log: None,
            events_per_second: EventRate::None,
            pubsub_times: PubsubTimes::default(),
            nats: false,
        }
    }
}

/// A running deployment on the runtime it was started on. Stops when dropped.
pub struct Lab {
    certificates: Certificates,
    directory: Arc<Directory>,
    log: Arc<RequestLog>,
    faults: Arc<Faults>,
    mnt: SocketAddr,
    data_connect: SocketAddr,
    grid: Arc<Grid>,
    pxgrid: Vec<SocketAddr>,
    rate: EventRate,
    nats: Option<NatsServer>,
    tasks: Vec<AbortHandle>,
}

impl Lab {
    /// Starts the deployment on loopback; it answers when this returns.
    pub async fn start(options: LabOptions) -> Result<Self> {
        let started_at = Timestamp::now().as_millisecond();
        let nodes = usize::from(options.nodes);
        for fault in &options.faults {
            fault_commands::check_node(fault, nodes)?;
        }
        let nats = if options.nats {
            Some(NatsServer::start().await?)
        } else {
            None
        };
        let faults = Arc::new(Faults::new(options.faults));
        let population = Population::new(
            options.seed,
            options.sessions,
            faults.has(FaultKind::HostileNames),
            started_at,
        )?;
        let directory = Arc::new(Directory::new(population));
        let certificates = Certificates::create(options.dir.as_deref())?;
        let log = Arc::new(request_log(options.log, options.dir)?);
        let (listener, mnt) = listen(options.listen_mnt, "--listen-mnt").await?;
        let (data_listener, data_connect) =
            listen(options.listen_data_connect, "--listen-dc").await?;
        let mut listeners = Vec::new();
        let mut pxgrid = Vec::new();
        for port in pxgrid_ports(options.nodes, options.listen_pxgrid)? {
            let (listener, address) = listen(port, "--listen-pxgrid").await?;
            listeners.push(listener);
            pxgrid.push(address);
        }
        let ports = pxgrid.iter().map(SocketAddr::port).collect();
        let grid = Arc::new(Grid::new(
            Arc::clone(&directory),
            ports,
            options.pubsub_url,
            options.seed,
            Arc::clone(&log),
            Arc::clone(&faults),
        ));
        let database = Arc::new(data_connect::Shared::new(
            Arc::clone(&directory),
            Arc::clone(&faults),
            Arc::clone(&log),
            options.data_connect,
            data_connect.port(),
            tls_flavours(&certificates, &faults)?,
        ));
        let node = MntNode {
            directory: Arc::clone(&directory),
            grid: Arc::clone(&grid),
            tls: tls_flavours(&certificates, &faults)?,
            faults: Arc::clone(&faults),
            log: Arc::clone(&log),
            data_connect: Arc::clone(&database),
        };
        let flood = (options.events_per_second == EventRate::Max)
            .then(|| Arc::new(grid.bodies(started_at)));
        let mut nodes = Vec::new();
        for (number, listener) in (1..).zip(listeners) {
            let node = PxGridNode {
                grid: Arc::clone(&grid),
                number,
                faults: Arc::clone(&faults),
                log: Arc::clone(&log),
                tls: pxgrid_tls(&certificates, &faults, number)?,
                flood: flood.clone(),
                times: options.pubsub_times,
            };
            nodes.push((node, listener));
        }
        let mut tasks = vec![tokio::spawn(mnt::serve(node, listener)).abort_handle()];
        let serving = data_connect::serve(database, data_listener);
        tasks.push(tokio::spawn(serving).abort_handle());
        tasks.extend(
            nodes
                .into_iter()
                .map(|(node, listener)| tokio::spawn(pxgrid::serve(node, listener)).abort_handle()),
        );
        if let EventRate::PerSecond(rate) = options.events_per_second {
            let churn = churn::run(Arc::clone(&grid), rate, options.seed);
            tasks.push(tokio::spawn(churn).abort_handle());
        }
        Ok(Self {
            certificates,
            directory,
            log,
            faults,
            mnt,
            data_connect,
            grid,
            pxgrid,
            rate: options.events_per_second,
            nats,
            tasks,
        })
    }

    /// Starts the deployment on a thread and a runtime of its own, so that it never waits for its
    /// client's work nor the client for its.
    pub fn spawn_in_thread(options: LabOptions) -> Result<RunningLab> {
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("lab".to_owned())
            .spawn(move || run(options, &ready, stopped))
            .map_err(|error| Error::new(Kind::Failed, format!("cannot start the lab: {error}")))?;
        let lab = started.recv().map_err(|_| {
            Error::new(Kind::Failed, "the lab's thread ended before it was ready")
        })??;
        Ok(RunningLab {
            lab,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Address of the MnT node.
    pub fn mnt_address(&self) -> SocketAddr {
        self.mnt
    }

    /// Address of Data Connect.
    pub fn data_connect_address(&self) -> SocketAddr {
        self.data_connect
    }

    /// Addresses of the pxGrid nodes.
    pub fn pxgrid_addresses(&self) -> &[SocketAddr] {
        &self.pxgrid
    }

    /// The events of the deployment.
    pub fn events(&self) -> &Events {
        self.grid.events()
    }

    /// Where the certificates are.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Who is on the network.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Carries out an order to the running lab; answers what was done, in a few words. See
    /// [`fault_commands`].
    pub fn order(&self, line: &str) -> Result<String> {
        fault_commands::carry_out(&self.faults, self.pxgrid.len(), line)
    }

    /// How many requests came so far.
    pub fn request_count(&self) -> u64 {
        self.log.count()
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.log.entries()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A lab on its own thread. Stops when dropped.
pub struct RunningLab {
    lab: Lab,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl std::ops::Deref for RunningLab {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for RunningLab {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread: one reactor, until the other half of `stopped` goes.
fn run(options: LabOptions, ready: &mpsc::Sender<Result<Lab>>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            // The receiver waits for exactly this; if it has gone nobody wants the lab.
            if ready.send(Lab::start(options).await).is_ok() {
                let _ = stopped.await;
            }
        }),
        Err(error) => {
            let _ = ready.send(Err(Error::new(
                Kind::Failed,
                format!("cannot start the lab: {error}"),
            )));
        }
    }
}

/// In `path`, else in the directory of the certificates, else in memory alone.
fn request_log(path: Option<PathBuf>, directory: Option<PathBuf>) -> Result<RequestLog> {
    let path = path.or_else(|| directory.map(|directory| directory.join("requests.jsonl")));
    RequestLog::new(path.as_deref())
}

/// The ports to listen on; `None` is a free one.
fn pxgrid_ports(nodes: u16, first: Option<u16>) -> Result<Vec<Option<u16>>> {
    if !(1..=MOST_NODES).contains(&nodes) {
        return Err(Error::usage(format!(
            "the lab has 1 to {MOST_NODES} pxGrid nodes, {nodes} were asked for"
        )));
    }
    (0..nodes)
        .map(|number| match first {
            None | Some(0) => Ok(None),
            Some(first) => first.checked_add(number).map(Some).ok_or_else(|| {
                Error::usage(format!("there are not {nodes} ports from {first} on"))
                    .hint("choose another port with --listen-pxgrid")
            }),
        })
        .collect()
}

async fn listen(port: Option<u16>, option: &str) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        let port = port.map_or_else(|| "a free port".to_owned(), |port| format!("port {port}"));
        Error::new(
            Kind::Failed,
            format!("the lab cannot listen on 127.0.0.1, {port}: {error}"),
        )
        .hint(if error.kind() == std::io::ErrorKind::PermissionDenied {
            format!(
                "ports below 1024 are root's: sudo, `unshare -rn` for a network of its own, or another port with {option}"
            )
        } else {
            format!("choose another port with {option}, or none for a free one")
        })
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The flavours of certificates that may be shown: the right one, and the wrong ones that the
/// faults ask for.
fn flavours(faults: &Faults) -> impl Iterator<Item = Flavour> {
    let wrong = Fault::ALL
        .iter()
        .filter(|(kind, ..)| faults.has(*kind))
        .filter_map(|(kind, ..)| kind.flavour());
    std::iter::once(Flavour::Good).chain(wrong)
}

/// A pxGrid node's configurations: each flavour with each way of treating client certificates that
/// may be wanted.
fn pxgrid_tls(certificates: &Certificates, faults: &Faults, number: usize) -> Result<Vec<Tls>> {
    let modes = [
        None,
        Some(FaultKind::ClientCertRefused),
        Some(FaultKind::TlsNoClientAuth),
    ];
    let mut all = Vec::new();
    for flavour in flavours(faults) {
        let identity = certificates.server(&format!("ise-pxgrid-{number}"), flavour)?;
        for mode in modes {
            if mode.is_some_and(|kind| !faults.has(kind)) {
                continue;
            }
            let config = match mode {
                Some(FaultKind::TlsNoClientAuth) => identity.server_config()?,
                Some(_) => identity.server_config_asking(certificates.stranger_pem())?,
                None => identity.server_config_asking(certificates.ca_pem())?,
            };
            all.push(Tls {
                flavour,
                client_authentication: mode,
                acceptor: TlsAcceptor::from(config),
            });
        }
    }
    Ok(all)
}

/// The Monitoring node's configurations.
fn tls_flavours(
    certificates: &Certificates,
    faults: &Faults,
) -> Result<Vec<(Flavour, TlsAcceptor)>> {
    flavours(faults)
        .map(|flavour| {
            let identity = certificates.server(MNT_NODE, flavour)?;
            Ok((flavour, TlsAcceptor::from(identity.server_config()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_and_a_dropped_lab_frees_it() {
        let lab = Lab::spawn_in_thread(LabOptions::default()).unwrap();
        let options = LabOptions {
            listen_mnt: Some(lab.mnt_address().port()),
            ..LabOptions::default()
        };
        let error = Lab::spawn_in_thread(options.clone()).err().unwrap();
        assert!(error.hint_text().unwrap().contains("--listen-mnt"));
        drop(lab);
        Lab::spawn_in_thread(options).unwrap();
        let many = LabOptions {
            sessions: 2_000_001,
            ..LabOptions::default()
        };
        assert_eq!(
            Lab::spawn_in_thread(many).err().unwrap().kind(),
            Kind::Usage
        );
    }
}
