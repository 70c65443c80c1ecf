//! A Monitoring node that does what no node should: each request gets exactly the bytes that a test
//! gives it, on a kept TLS connection.

use std::io::Write;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::running::Running;

/// What follows a request.
pub(crate) enum Reply {
    /// These bytes, and the connection is kept.
    Bytes(String),
    /// The end of the connection.
    Close,
    /// Nothing, for as long as the client waits.
    Silence,
}

impl Reply {
    /// A good answer with this document.
    pub(crate) fn xml(document: &str) -> Self {
        Self::Bytes(answer(200, document))
    }

    /// This status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self::Bytes(answer(status, ""))
    }
}

/// A whole answer as bytes.
pub(crate) fn answer(status: u16, document: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    )
}

/// A session of `mac`, on the node `psn-a`.
pub(crate) fn session_of(mac: &str) -> String {
    format!(
        "<sessionParameters><passed>true</passed><user_name>pat</user_name>\
         <calling_station_id>{mac}</calling_station_id><acs_server>psn-a</acs_server></sessionParameters>"
    )
}

type Handler = dyn Fn(&str) -> Reply + Send + Sync;

/// A running node, until the test ends.
pub(crate) struct HostileNode {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    ca: tempfile::NamedTempFile,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A node that answers paths below `/admin/API/mnt/` as `reply` says.
pub(crate) fn node(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> HostileNode {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(own.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(netapi::testing::transport::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (reply, log): (Arc<Handler>, _) = (Arc::new(reply), Arc::clone(&asked));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            tokio::spawn(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (acceptor, reply, log) = (acceptor.clone(), reply.clone(), log.clone());
                    tokio::spawn(async move { serve(acceptor, tcp, &*reply, &log).await });
                }
            });
            let _ended = stopped.await;
        });
    });
    HostileNode {
        port,
        asked,
        ca,
        _stop: stop,
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    reply: &Handler,
    log: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut tls = acceptor.accept(tcp).await.ok()?;
    let mut seen = Vec::new();
    loop {
        while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
            if tls.read_buf(&mut seen).await.ok()? == 0 {
                return None;
            }
        }
        let head = String::from_utf8(std::mem::take(&mut seen)).unwrap();
        let path = head.split(' ').nth(1)?;
        let path = path.trim_start_matches("/admin/API/mnt/").to_owned();
        log.lock().unwrap().push(path.clone());
        match reply(&path) {
            Reply::Bytes(bytes) => {
                tls.write_all(bytes.as_bytes()).await.ok()?;
                tls.flush().await.ok()?;
            }
            Reply::Close => return None,
            Reply::Silence => std::future::pending().await,
        }
    }
}

impl HostileNode {
    /// `netapi ise mnt …`, pointed at this node.
    pub(crate) fn mnt(&self, arguments: &[&str]) -> Command {
        self.ise(&[&["mnt"][..], arguments].concat())
    }

    /// `netapi ise …`, the same.
    pub(crate) fn ise(&self, arguments: &[&str]) -> Command {
        let mut command = super::netapi();
        command.arg("ise").args(arguments).envs(self.environment());
        command
    }

    /// The same, running beside the test, with this file as standard input.
    pub(crate) fn start(&self, arguments: &[&str], input: std::fs::File) -> Running {
        let mut command = super::process();
        command
            .args(["ise", "mnt"])
            .args(arguments)
            .envs(self.environment())
            .stdin(input);
        Running::start(command)
    }

    fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("ISE_MNT_FQDN", "localhost".to_owned()),
            ("ISE_MNT_PORT", self.port.to_string()),
            ("ISE_MNT_USER", "admin".to_owned()),
            ("ISE_MNT_PASS", "hunter2".to_owned()),
            ("ISE_CA_CERT", self.ca.path().display().to_string()),
        ]
    }

    /// The paths that were asked for, oldest first.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
