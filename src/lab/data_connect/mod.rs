//! Data Connect: the database of the Monitoring node, spoken to as an Oracle server over TLS, with
//! its one account and its views; and the control interface that sets it up.
//!
//! | part | holds |
//! | --- | --- |
//! | `tns`, `ttc` | packets; integers and strings of messages |
//! | `greeting`, `logon`, `request`, `answer` | messages read and written |
//! | `session` | what is answered to what: a state machine without I/O |
//! | `server` | connections: TLS, packets in, packets out |
//! | `account` | password, expiry, locks |
//! | `control` | the HTTP interface of the administration node |
//! | `sql` | the statements that it understands |
//! | `views` | what they are about |
//!
//! Its wire is written from the reference (dataconnect, A7) and from what Oracle's drivers accept,
//! and shares no code with this project's client. It is no proof of what an appliance does.

mod account;
mod answer;
pub(super) mod control;
mod greeting;
mod logon;
mod request;
mod server;
mod session;
mod sql;
mod stage;
mod tns;
mod ttc;
mod views;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_rustls::TlsAcceptor;

use self::account::Account;
use self::logon::Verifier;
use super::certificates::Flavour;
use super::faults::{FaultKind, Faults};
use super::log::RequestLog;
use super::session_directory::Directory;

pub use self::greeting::Release;
pub(super) use self::server::serve;
pub use self::stage::Stage;

/// The service's name.
pub const SERVICE: &str = "cpm10";
/// The one user.
pub const USER: &str = "dataconnect";
/// The user's password when the lab starts. It opens nothing but a lab on this machine, so it is no
/// secret.
pub const PASSWORD: &str = "Lab-Connect-1";
/// The name of the node in the log.
const NODE: &str = "data-connect";

/// What the connections share.
pub(super) struct Shared {
    directory: Arc<Directory>,
    faults: Arc<Faults>,
    log: Arc<RequestLog>,
    account: Account,
    release: Release,
    port: u16,
    tls: Vec<(Flavour, TlsAcceptor)>,
}

impl Shared {
    pub(super) fn new(
        directory: Arc<Directory>,
        faults: Arc<Faults>,
        log: Arc<RequestLog>,
        release: Release,
        port: u16,
        tls: Vec<(Flavour, TlsAcceptor)>,
    ) -> Self {
        let account = Account::new(PASSWORD, directory.population.started_at());
        Self {
            directory,
            faults,
            log,
            account,
            release,
            port,
            tls,
        }
    }

    fn release(&self) -> Release {
        self.release
    }

    /// How the password is kept.
    fn verifier(&self) -> Verifier {
        if self
            .faults
            .of_data_connect(FaultKind::DcOldVerifier, "logon1")
        {
            Verifier::Of11g
        } else {
            Verifier::Of12c
        }
    }

    fn world(&self, now: Timestamp, session_minutes: Option<i16>) -> sql::World {
        sql::World {
            directory: Arc::clone(&self.directory),
            now: now.as_millisecond(),
            zone: TimeZone::system(),
            session_minutes,
            missing: self.faults.texts_of(FaultKind::DcMissing),
            spoils_text: self.faults.has(FaultKind::DcInvalidUtf8),
            names_regions: self.faults.has(FaultKind::DcRegions),
        }
    }
}
