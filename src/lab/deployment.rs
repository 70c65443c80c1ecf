//! The deployment: starts the nodes, knows what a client must be told, stops everything.

use std::collections::BTreeSet;
use std::ffi::OsString;
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
use super::directory::Directory;
use super::faults::{Fault, FaultKind, Faults};
use super::log::{RequestEntry, RequestLog};
use super::mnt::{self, MntNode};
use super::population::Population;
use crate::error::{Error, Kind, Result};

/// Short name of the Monitoring node.
pub const MNT_NODE: &str = "ise-mnt";
/// The administrator whom the MnT node lets in.
pub const USER: &str = "lab-admin";
/// The administrator's password. It opens nothing but a lab on this machine, so it is no secret; it holds a colon, which clients get wrong.
pub const PASSWORD: &str = "Lab:Pass-1";

/// Safety settings of the surrounding shell that stay in force inside the lab.
const KEPT_VARIABLES: &[&str] = &["NETAPI_READ_ONLY"];
const OUR_PREFIXES: &[&str] = &["ISE_", "PXGRID_", "NETAPI_"];

/// What the lab is to be.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// Number of sessions, to [`MOST_SESSIONS`](super::population::MOST_SESSIONS).
    pub sessions: u64,
    /// Which network: the same seed gives the same.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Where certificates are written; a private temporary directory if `None`. With it, and without `log`, the request log is `requests.jsonl` there.
    pub dir: Option<PathBuf>,
    /// Port of the MnT node; a free one if `None`.
    pub listen_mnt: Option<u16>,
    /// File for the request log, JSON lines.
    pub log: Option<PathBuf>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            sessions: 50,
            seed: 1,
            faults: Vec::new(),
            dir: None,
            listen_mnt: None,
            log: None,
        }
    }
}

/// A running deployment on the runtime it was started on. Stops when dropped.
pub struct Lab {
    certificates: Certificates,
    directory: Arc<Directory>,
    log: Arc<RequestLog>,
    mnt: SocketAddr,
    task: AbortHandle,
}

impl Lab {
    /// Starts the deployment on loopback; it answers when this returns.
    pub async fn start(options: LabOptions) -> Result<Self> {
        let started_at = Timestamp::now().as_millisecond();
        let faults = Arc::new(Faults::new(options.faults));
        let population = Population::new(
            options.seed,
            options.sessions,
            faults.has(FaultKind::HostileNames),
            started_at,
        )?;
        let directory = Arc::new(Directory::new(population));
        let certificates = Certificates::create(options.dir.as_deref())?;
        let log_path = options.log.or_else(|| {
            options
                .dir
                .map(|directory| directory.join("requests.jsonl"))
        });
        let log = Arc::new(RequestLog::new(log_path.as_deref())?);
        let listener = listen(options.listen_mnt).await?;
        let mnt = listener
            .local_addr()
            .map_err(|error| cannot_listen(options.listen_mnt, &error))?;
        let node = MntNode {
            directory: Arc::clone(&directory),
            tls: tls_flavours(&certificates, &faults)?,
            faults,
            log: Arc::clone(&log),
        };
        let task = tokio::spawn(mnt::serve(node, listener)).abort_handle();
        Ok(Self {
            certificates,
            directory,
            log,
            mnt,
            task,
        })
    }

    /// Starts the deployment on a thread and a runtime of its own, so that it never waits for its client's work nor the client for its.
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

    /// Where the certificates are.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Who is on the network.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.log.entries()
    }

    /// What a client's environment must hold to reach this lab (contract, section 3), and `MAC`, the first session's, for examples.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        vec![
            ("ISE_MNT_FQDN", "localhost".to_owned()),
            ("ISE_MNT_PORT", self.mnt.port().to_string()),
            ("ISE_MNT_USER", USER.to_owned()),
            ("ISE_MNT_PASS", PASSWORD.to_owned()),
            ("ISE_CA_CERT", path(self.certificates.ca_path())),
            ("PXGRID_CERT", path(self.certificates.client_path())),
            ("PXGRID_KEY", path(self.certificates.client_key_path())),
            ("PXGRID_CA", path(self.certificates.ca_path())),
            (
                "MAC",
                self.directory
                    .population
                    .session(0)
                    .mac_text()
                    .unwrap_or_default(),
            ),
        ]
    }

    /// Which variables of `present` (names of the surrounding environment) would contradict the lab and must not reach its client:
    /// every other one of ours, except the safety setting `NETAPI_READ_ONLY`.
    pub fn environment_to_remove(
        &self,
        present: impl IntoIterator<Item = OsString>,
    ) -> BTreeSet<OsString> {
        let set: BTreeSet<&str> = self
            .environment()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        present
            .into_iter()
            .filter(|name| {
                let name = name.to_string_lossy();
                OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                    && !set.contains(name.as_ref())
                    && !KEPT_VARIABLES.contains(&name.as_ref())
            })
            .collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.task.abort();
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

async fn listen(port: Option<u16>) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))
        .await
        .map_err(|error| cannot_listen(port, &error))
}

fn cannot_listen(port: Option<u16>, error: &std::io::Error) -> Error {
    let port = port.map_or_else(|| "a free port".to_owned(), |port| format!("port {port}"));
    Error::new(
        Kind::Failed,
        format!("the lab cannot listen on 127.0.0.1, {port}: {error}"),
    )
    .hint("choose another port with --listen-mnt, or none for a free one")
}

/// The right certificate, and the wrong ones that the faults ask for.
fn tls_flavours(
    certificates: &Certificates,
    faults: &Faults,
) -> Result<Vec<(Flavour, TlsAcceptor)>> {
    let wrong = Fault::ALL
        .iter()
        .filter(|(kind, ..)| faults.has(*kind))
        .filter_map(|(kind, ..)| kind.flavour());
    std::iter::once(Flavour::Good)
        .chain(wrong)
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
    fn the_environment_is_whole_and_contradictions_are_named() {
        let lab = Lab::spawn_in_thread(LabOptions::default()).unwrap();
        let environment = lab.environment();
        let value = |name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(value("MAC"), "C8:5B:76:C6:59:62");
        assert_eq!(value("ISE_MNT_PORT"), lab.mnt_address().port().to_string());
        assert!(
            std::fs::read_to_string(value("PXGRID_KEY"))
                .unwrap()
                .contains("PRIVATE KEY")
        );
        let present = [
            "ISE_MNT_IP",
            "ISE_MNT_FQDN",
            "PXGRID_KEY_PASSWORD",
            "NETAPI_READ_ONLY",
            "NETAPI_PROFILE",
            "HOME",
            "MAC",
        ];
        let removed = lab.environment_to_remove(present.map(OsString::from));
        assert_eq!(
            removed.into_iter().collect::<Vec<_>>(),
            ["ISE_MNT_IP", "NETAPI_PROFILE", "PXGRID_KEY_PASSWORD"]
        );
    }

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
