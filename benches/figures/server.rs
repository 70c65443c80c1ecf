//! A TLS server that hands out one document as fast as it can be encrypted, or at the pace of a slow link. Blocking threads, one a connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What every path answers.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// A session count.
    Count,
    /// An active list.
    List {
        /// How many rows.
        rows: u64,
    },
}

/// Rows that repeat to make the document.
const BLOCK_ROWS: u64 = 1000;

/// See the module's documentation.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) ca: PathBuf,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts on a free loopback port; `bytes_per_second` is the pace.
    pub(crate) fn start(body: Body, bytes_per_second: Option<u64>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let block = Arc::new(block());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, block) = (config.clone(), block.clone());
                std::thread::spawn(move || serve(stream, config, body, &block, bytes_per_second));
            }
        });
        Self {
            address,
            ca,
            _dir: dir,
        }
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    body: Body,
    block: &[u8],
    pace: Option<u64>,
) {
    stream.set_nodelay(true).unwrap();
    let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    loop {
        let mut head = 0;
        {
            let mut reader = BufReader::new(&mut tls);
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                head += line.len();
                line.clear();
            }
        }
        if head == 0 || answer(&mut tls, body, block, pace).is_err() {
            return;
        }
    }
}

fn answer(
    out: &mut impl Write,
    body: Body,
    block: &[u8],
    pace: Option<u64>,
) -> std::io::Result<()> {
    let Body::List { rows } = body else {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><sessionCount><count>1284</count></sessionCount>";
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )?;
        return out.flush();
    };
    let start = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><activeList noOfActiveSession=\"{rows}\">"
    );
    let end = "</activeList>";
    let blocks = rows / BLOCK_ROWS;
    let length = start.len() as u64 + blocks * block.len() as u64 + end.len() as u64;
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n{start}"
    )?;
    let began = Instant::now();
    let mut sent = 0;
    for _ in 0..blocks {
        out.write_all(block)?;
        sent += block.len() as u64;
        if let Some(pace) = pace {
            let due = Duration::from_micros(sent * 1_000_000 / pace);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    out.write_all(end.as_bytes())?;
    out.flush()
}

/// A thousand rows of about 400 bytes (reference: the size of a live row).
fn block() -> Vec<u8> {
    let mut out = Vec::new();
    for row in 0..BLOCK_ROWS {
        let (a, b) = (row / 256, row % 256);
        write!(
            out,
            "<activeSession><user_name>LAB\\user{row:06}.surname</user_name><calling_station_id>00:00:5E:00:{a:02X}:{b:02X}</calling_station_id>\
             <nas_ip_address>192.0.2.{b}</nas_ip_address><acct_session_id>{row:08X}</acct_session_id>\
             <audit_session_id>C0000201{row:08X}5D2E7781</audit_session_id><server>psn-a</server>\
             <framed_ip_address>198.51.{a}.{b}</framed_ip_address><framed_ipv6_address><ipv6_address>2001:db8:7::{row:x}</ipv6_address></framed_ipv6_address></activeSession>"
        )
        .unwrap();
    }
    out
}
