//! A hand-written HTTPS server: what it sends, and when, is the test's.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use assert_cmd::Command;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::running::Running;

/// A connection that has read the head of a request.
pub(crate) type Connection = StreamOwned<ServerConnection, TcpStream>;

/// A Monitoring node that answers each connection's only request as its handler does: the request's
/// path, and where to write.
pub(crate) struct Scripted {
    port: u16,
    directory: tempfile::TempDir,
}

impl Scripted {
    /// Starts it.
    pub(crate) fn start(
        handler: impl Fn(&str, &mut Connection) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, handler) = (Arc::new(config), Arc::new(handler));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (config, handler) = (Arc::clone(&config), Arc::clone(&handler));
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = serve(socket, config, &*handler);
                });
            }
        });
        Self { port, directory }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let ca = self.directory.path().join("ca.pem");
        vec![
            ("ISE_MNT_FQDN", "localhost".to_owned()),
            ("ISE_MNT_PORT", self.port.to_string()),
            ("ISE_MNT_USER", "reader".to_owned()),
            ("ISE_MNT_PASS", "secret".to_owned()),
            ("ISE_CA_CERT", ca.to_str().unwrap().to_owned()),
        ]
    }

    /// `netapi ise mnt …`, pointed at it.
    pub(crate) fn mnt(&self, arguments: &[&str]) -> Command {
        let mut command = super::netapi();
        command
            .envs(self.environment())
            .args(["ise", "mnt"])
            .args(arguments);
        command
    }

    /// The same as a plain process.
    pub(crate) fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = super::process();
        command
            .envs(self.environment())
            .args(["ise", "mnt"])
            .args(arguments);
        command
    }

    /// The same, running beside the test.
    pub(crate) fn start_mnt(&self, arguments: &[&str]) -> Running {
        Running::start(self.process(arguments))
    }

    /// The same on a terminal of its own, this wide; `None` where `script` is not installed.
    pub(crate) fn on_a_terminal(&self, words: &str, width: u16) -> Option<String> {
        let line = format!("{} ise mnt {words}", env!("CARGO_BIN_EXE_netapi"));
        let output = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .envs(
                super::process()
                    .get_envs()
                    .filter_map(|(n, v)| Some((n, v?))),
            )
            .envs(self.environment())
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("COLUMNS", width.to_string())
            .stdin(std::process::Stdio::null())
            .output()
            .ok()?;
        Some(
            String::from_utf8(output.stdout)
                .unwrap()
                .replace("\r\n", "\n"),
        )
    }
}

fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    handler: &dyn Fn(&str, &mut Connection) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut path = String::new();
    {
        let mut head = BufReader::new(&mut stream);
        let mut line = String::new();
        while head.read_line(&mut line)? > 2 {
            if path.is_empty() {
                path.push_str(line.split(' ').nth(1).unwrap_or_default());
            }
            line.clear();
        }
    }
    handler(&path, &mut stream)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// The head of an answer whose body ends with the connection.
pub(crate) fn head(status: &str, kind: &str, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n")
}
