//! A Monitoring node written by hand: real TLS on loopback, each path answered by a closure with
//! status, content type and bytes. It knows no document, so that what the program reads was not
//! written by the program.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Status, content type and body.
pub(crate) type Document = (u16, &'static str, Vec<u8>);

/// XML as ISE sends it.
pub(crate) fn xml(text: impl Into<Vec<u8>>) -> Document {
    (200, "application/xml", text.into())
}

/// What a node answers to what it does not have.
pub(crate) fn no_session(whom: &str) -> Document {
    let body = format!(
        "<mnt-rest-result><http-code>500</http-code><cpm-code>34110</cpm-code><internal-error-info>Error in generating XML output. Error message = Session data is not available for {whom}.</internal-error-info><status>SERVER_ERROR</status></mnt-rest-result>"
    );
    (500, "application/xml", body.into_bytes())
}

/// The node, until the test ends.
pub(crate) struct Node {
    port: u16,
    ca: tempfile::NamedTempFile,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    /// Answers each path below `/admin/API/mnt/`.
    pub(crate) fn answering(answer: impl Fn(&str) -> Document + Send + Sync + 'static) -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der())),
            )
            .unwrap();
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), key.cert.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (config, answer, log) = (Arc::new(config), Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, answer, log) = (config.clone(), answer.clone(), log.clone());
                std::thread::spawn(move || serve(stream, config, &*answer, &log));
            }
        });
        Self { port, ca, asked }
    }

    /// `netapi ise mnt …`, pointed at this node.
    pub(crate) fn mnt(&self, arguments: &[&str]) -> Command {
        self.ise(&[&["mnt"], arguments].concat())
    }

    /// `netapi ise …`, the same; pxGrid is not set up.
    pub(crate) fn ise(&self, arguments: &[&str]) -> Command {
        let mut command = super::netapi();
        command
            .env("ISE_MNT_FQDN", "localhost")
            .env("ISE_MNT_PORT", self.port.to_string())
            .env("ISE_CA_CERT", self.ca.path())
            .env("ISE_MNT_USER", "reader")
            .env("ISE_MNT_PASS", "secret")
            .arg("ise")
            .args(arguments);
        command
    }

    /// The paths that were asked for, below the base.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request a connection; a client that goes away is no failure.
fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &dyn Fn(&str) -> Document,
    log: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut tls = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?.strip_prefix("/admin/API/mnt/")?;
    log.lock().unwrap().push(path.to_owned());
    let (status, kind, body) = answer(path);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    tls.write_all(head.as_bytes()).ok()?;
    tls.write_all(&body).ok()?;
    tls.conn.send_close_notify();
    tls.flush().ok()
}
