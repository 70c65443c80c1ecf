//! A TLS server that hands out one document as fast as it can be encrypted, or at the pace of a
//! slow link. Blocking threads, one a connection.

use std::io::{BufRead, BufReader, Read, Write};
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
    /// pxGrid's control API and a session directory.
    Pxgrid {
        /// How many sessions.
        rows: u64,
    },
}

/// The topic of sessions.
pub(crate) const TOPIC: &str = "/topic/com.cisco.ise.session";

/// Rows that repeat to make the document.
const BLOCK_ROWS: u64 = 1000;

/// A connection that is read through a buffer.
pub(crate) type Connection = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// See the module's documentation.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) ca: PathBuf,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Starts on a free loopback port; `bytes_per_second` is the pace.
    pub(crate) fn start(body: Body, bytes_per_second: Option<u64>) -> Self {
        let block = match body {
            Body::Pxgrid { .. } => json_block(),
            _ => block(),
        };
        Self::listen(move |connection| serve(connection, body, &block, bytes_per_second))
    }

    /// Starts on a free loopback port; each connection is served on a thread of its own.
    pub(crate) fn listen(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
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
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, serve) = (config.clone(), serve.clone());
                std::thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    let connection = ServerConnection::new(config).unwrap();
                    serve(BufReader::new(StreamOwned::new(connection, stream)));
                });
            }
        });
        Self {
            address,
            ca,
            _dir: dir,
        }
    }
}

/// A document: its beginning, a block that is repeated, what stands between blocks, its end.
struct Document {
    kind: &'static str,
    start: String,
    block: Vec<u8>,
    between: &'static str,
    blocks: u64,
    end: &'static str,
}

impl Document {
    fn small(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind,
            start: text.into(),
            block: Vec::new(),
            between: "",
            blocks: 0,
            end: "",
        }
    }

    fn length(&self) -> u64 {
        let between = self.between.len() as u64 * self.blocks.saturating_sub(1);
        self.start.len() as u64
            + self.blocks * self.block.len() as u64
            + between
            + self.end.len() as u64
    }
}

fn serve(mut connection: Connection, body: Body, block: &[u8], pace: Option<u64>) {
    let port = connection.get_ref().sock.local_addr().unwrap().port();
    while let Some(Request { path, .. }) = request(&mut connection) {
        let document = document(body, &path, port, block);
        if answer(connection.get_mut(), &document, pace).is_err() {
            return;
        }
    }
}

/// A request, as far as an answer depends on it.
pub(crate) struct Request {
    pub(crate) path: String,
    /// The key of a WebSocket upgrade.
    pub(crate) key: Option<String>,
}

/// Reads a request, its body too.
pub(crate) fn request(reader: &mut impl BufRead) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "sec-websocket-key" => key = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    Some(Request { path, key })
}

fn document(body: Body, path: &str, port: u16, block: &[u8]) -> Document {
    let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
    match body {
        Body::Count => Document::small(
            "application/xml",
            format!("{xml}<sessionCount><count>1284</count></sessionCount>"),
        ),
        Body::List { rows } => Document {
            kind: "application/xml",
            start: format!("{xml}<activeList noOfActiveSession=\"{rows}\">"),
            block: block.to_vec(),
            between: "",
            blocks: rows / BLOCK_ROWS,
            end: "</activeList>",
        },
        Body::Pxgrid { rows } => match control(path, port) {
            Some(text) => Document::small("application/json", text),
            None => Document {
                kind: "application/json",
                start: r#"{"sessions":["#.to_owned(),
                block: block.to_vec(),
                between: ",",
                blocks: rows / BLOCK_ROWS,
                end: "]}",
            },
        },
    }
}

/// What pxGrid's control API answers. One node carries every service.
pub(crate) fn control(path: &str, port: u16) -> Option<String> {
    let text = match path.rsplit('/').next().unwrap_or_default() {
        "AccountActivate" => r#"{"accountState":"ENABLED","version":"2.0.2.1"}"#.to_owned(),
        "AccessSecret" => r#"{"secret":"0123456789abcdef"}"#.to_owned(),
        "ServiceLookup" => format!(
            r#"{{"services":[{{"name":"com.cisco.ise.session","nodeName":"ise-mnt-bench","properties":{{"restBaseUrl":"https://localhost:{port}/pxgrid/ise/session","sessionTopic":"{TOPIC}","wsPubsubService":"com.cisco.ise.pubsub","wsUrl":"wss://localhost:{port}/pxgrid/ise/pubsub"}}}}]}}"#
        ),
        _ => return None,
    };
    Some(text)
}

fn answer(out: &mut impl Write, document: &Document, pace: Option<u64>) -> std::io::Result<()> {
    let length = document.length();
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {length}\r\n\r\n{}",
        document.kind, document.start
    )?;
    let began = Instant::now();
    let mut sent = 0;
    for index in 0..document.blocks {
        if index > 0 {
            out.write_all(document.between.as_bytes())?;
        }
        out.write_all(&document.block)?;
        sent += document.block.len() as u64;
        if let Some(pace) = pace {
            let due = Duration::from_micros(sent * 1_000_000 / pace);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
    out.write_all(document.end.as_bytes())?;
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

/// A thousand pxGrid sessions of about 1,060 bytes.
fn json_block() -> Vec<u8> {
    let mut out = Vec::new();
    for row in 0..BLOCK_ROWS {
        if row > 0 {
            out.push(b',');
        }
        let (a, b) = (row / 256, row % 256);
        write!(
            out,
            r#"{{"timestamp":"2026-03-09T08:14:55.207Z","state":"STARTED","macAddress":"00:00:5E:00:{a:02X}:{b:02X}","ipAddresses":["198.51.{a}.{b}"],"callingStationId":"00:00:5E:00:{a:02X}:{b:02X}","calledStationId":"00:00:5E:00:00:FF","auditSessionId":"C0000201{row:08X}5D2E7781","userName":"LAB\\user{row:06}.surname","nasIpAddress":"192.0.2.{b}","nasPortId":"GigabitEthernet1/0/{b}","nasPortType":"Ethernet","nasIdentifier":"sw-lab-{a}","selectedAuthzProfiles":["Wired_Staff","PermitAccess"],"endpointProfile":"Windows11-Workstation","endpointOperatingSystem":"Windows 11 Enterprise","ctsSecurityGroup":"Employees","adNormalizedUser":"user{row:06}.surname","adUserDomainName":"lab.example","adUserNetBiosName":"LAB","adUserResolvedIdentities":"user{row:06}.surname@lab.example","adUserResolvedDns":"CN=User {row:06},OU=Staff,DC=lab,DC=example","providers":["None"],"identitySourcePortStart":0,"identitySourcePortEnd":0,"identitySourcePortFirst":0,"isMachineAuthentication":"false","serviceType":"Framed","tunnelPrivateGroupId":"(tag=1) 20","networkDeviceProfileName":"Cisco","radiusFlowType":"Wired802_1x","mdmRegistered":false,"mdmCompliant":false,"mdmDiskEncrypted":false,"mdmJailBroken":false,"mdmPinLocked":false}}"#
        )
        .unwrap();
    }
    out
}
