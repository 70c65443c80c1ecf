//! A hand-written database server in the form of 19c: a TLS listener, a logon with a 12c verifier,
//! and then exactly the bytes that a test gives it. It can fall silent at each stage.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aes::Aes256;
use assert_cmd::Command;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha512};

pub(crate) const PASSWORD: &str = "Lab-Password-1";

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Where the server says nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    Tls,
    Listener,
    Protocol,
    Types,
    FirstLogon,
    SecondLogon,
    Statement,
    MoreRows,
}

/// What the server does.
pub(crate) struct Script {
    pub(crate) silent_at: Option<Stage>,
    /// In the place of the listener's answer.
    pub(crate) listener: Option<Vec<u8>>,
    /// In the place of the protocol's answer; where it is `endless`, again and again.
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) endless: bool,
    /// Whether it shows that it knows the password.
    pub(crate) proves_itself: bool,
    /// Whether an interrupt is answered.
    pub(crate) obeys: bool,
    /// The error that answers a right password.
    pub(crate) refusal: Option<(u64, &'static [u8])>,
    /// The messages that answer a SELECT, and the call for more rows.
    pub(crate) first: Vec<u8>,
    pub(crate) more: Vec<u8>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            silent_at: None,
            listener: None,
            protocol: None,
            endless: false,
            proves_itself: true,
            obeys: true,
            refusal: None,
            first: [described(&[("A", 1)]), row(&[Some(b"x")]), end(0)].concat(),
            more: end(1403),
        }
    }
}

/// A running server, until the test ends.
pub(crate) struct Database {
    port: u16,
    directory: tempfile::TempDir,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    logons: AtomicUsize,
    interrupts: AtomicUsize,
    statements: AtomicUsize,
    times: Mutex<Times>,
}

/// What was when, for who measures it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    /// The latest connection came.
    pub(crate) connected: Option<Instant>,
    /// The latest SELECT came.
    pub(crate) asked: Option<Instant>,
    /// The latest interrupt came.
    pub(crate) interrupted: Option<Instant>,
    /// The latest connection that ended was closed.
    pub(crate) left: Option<Instant>,
}

impl Database {
    pub(crate) fn start(script: Script) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = names.self_signed(&key).unwrap();
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
        let counts = Arc::new(Counts::default());
        let (config, script, counted) = (Arc::new(config), Arc::new(script), Arc::clone(&counts));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (config, script) = (Arc::clone(&config), Arc::clone(&script));
                let counts = Arc::clone(&counted);
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = serve(socket, config, &script, &counts);
                    counts.times.lock().unwrap().left = Some(Instant::now());
                });
            }
        });
        Self {
            port,
            directory,
            counts,
        }
    }

    /// `netapi ise dc …`, pointed at it, with a place of its own to remember in.
    pub(crate) fn dc(&self, arguments: &[&str]) -> Command {
        let mut command = super::netapi();
        command.envs(self.environment()).args(["ise", "dc"]);
        command.args(arguments);
        command
    }

    /// The same as a plain process.
    pub(crate) fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = super::process();
        command.envs(self.environment()).args(["ise", "dc"]);
        command.args(arguments);
        command
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| {
            let path = self.directory.path().join(name);
            path.to_str().unwrap().to_owned()
        };
        vec![
            ("ISE_DC_HOST", "localhost".to_owned()),
            ("ISE_DC_PORT", self.port.to_string()),
            ("ISE_DC_PASS", PASSWORD.to_owned()),
            ("ISE_CA_CERT", path("ca.pem")),
            ("XDG_STATE_HOME", path("state")),
        ]
    }

    /// Where its commands remember.
    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    /// How many passwords were sent to it.
    pub(crate) fn logons(&self) -> usize {
        self.counts.logons.load(Ordering::SeqCst)
    }

    /// How many SELECTs came.
    pub(crate) fn statements(&self) -> usize {
        self.counts.statements.load(Ordering::SeqCst)
    }

    /// What was when.
    pub(crate) fn times(&self) -> Times {
        *self.counts.times.lock().unwrap()
    }

    /// How many interrupts it saw.
    pub(crate) fn interrupts(&self) -> usize {
        self.counts.interrupts.load(Ordering::SeqCst)
    }
}

/// Says nothing until the client goes.
fn silence(stream: &mut impl Read) {
    let mut taken = [0; 1024];
    while stream.read(&mut taken).is_ok_and(|count| count > 0) {}
}

fn serve(
    mut socket: TcpStream,
    config: Arc<ServerConfig>,
    script: &Script,
    counts: &Counts,
) -> std::io::Result<()> {
    let at = |stage| script.silent_at == Some(stage);
    counts.times.lock().unwrap().connected = Some(Instant::now());
    if at(Stage::Tls) {
        silence(&mut socket);
        return Ok(());
    }
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let (_, head) = packet(&mut stream, false)?;
    if u16::from_be_bytes([head[16], head[17]]) > 230 {
        packet(&mut stream, false)?;
    }
    if let Some(bytes) = &script.listener {
        stream.write_all(bytes)?;
        silence(&mut stream);
        return Ok(());
    }
    if at(Stage::Listener) {
        silence(&mut stream);
        return Ok(());
    }
    let mut accept = vec![0, 45, 0, 0, 2, 0, 0, 0, 1, 62, 0, 1];
    accept.extend([0; 10]);
    accept.push(4);
    accept.extend([0; 9]);
    accept.extend(8192u32.to_be_bytes());
    accept.extend([0; 9]);
    stream.write_all(&accept)?;
    let answers = [
        (Stage::Protocol, protocol()),
        (Stage::Types, vec![2, 0, 0]),
        (
            Stage::FirstLogon,
            [parameters(&session_key()), end(0)].concat(),
        ),
    ];
    for (stage, answer) in answers {
        packet(&mut stream, true)?;
        if at(stage) {
            silence(&mut stream);
            return Ok(());
        }
        if let (Stage::Protocol, Some(bytes)) = (stage, &script.protocol) {
            loop {
                stream.write_all(bytes)?;
                if !script.endless {
                    silence(&mut stream);
                    return Ok(());
                }
            }
        }
        send(&mut stream, &answer)?;
    }
    let (_, logon) = packet(&mut stream, true)?;
    counts.logons.fetch_add(1, Ordering::SeqCst);
    if at(Stage::SecondLogon) {
        silence(&mut stream);
        return Ok(());
    }
    let answer = match script.refusal {
        Some((number, text)) => failed(number, text, 0),
        None => second_answer(&logon, script.proves_itself),
    };
    send(&mut stream, &answer)?;
    statements(&mut stream, script, counts)
}

fn statements(stream: &mut Stream, script: &Script, counts: &Counts) -> std::io::Result<()> {
    loop {
        let (kind, message) = packet(stream, true)?;
        if kind == 12 {
            counts.times.lock().unwrap().interrupted = Some(Instant::now());
            counts.interrupts.fetch_add(1, Ordering::SeqCst);
            if !script.obeys {
                continue;
            }
            marker(stream, 1)?;
            packet(stream, true)?;
            marker(stream, 2)?;
            send(
                stream,
                &failed(1013, b"ORA-01013: user requested cancel", 0),
            )?;
            continue;
        }
        let has = |text: &[u8]| message.windows(text.len()).any(|part| part == text);
        let (stage, answer) = if has(b"ALTER SESSION") {
            send(stream, &end(0))?;
            continue;
        } else if has(b"SELECT") {
            counts.times.lock().unwrap().asked = Some(Instant::now());
            counts.statements.fetch_add(1, Ordering::SeqCst);
            (Stage::Statement, &script.first)
        } else if message.get(1) == Some(&5) {
            (Stage::MoreRows, &script.more)
        } else {
            send(stream, &end(0))?;
            return Ok(());
        };
        if script.silent_at != Some(stage) {
            send(stream, answer)?;
        }
    }
}

fn marker(stream: &mut Stream, kind: u8) -> std::io::Result<()> {
    stream.write_all(&[0, 0, 0, 11, 12, 0, 0, 0, 1, 0, kind])
}

/// A packet's type and what it carries.
fn packet(stream: &mut Stream, long: bool) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let length = if long {
        u32::from_be_bytes([head[0], head[1], head[2], head[3]])
    } else {
        u32::from(u16::from_be_bytes([head[0], head[1]]))
    };
    let mut content = vec![0; usize::try_from(length).unwrap() - 8];
    stream.read_exact(&mut content)?;
    if head[4] == 6 {
        content.drain(..2);
    }
    Ok((head[4], content))
}

/// Messages in as many packets as they take.
fn send(stream: &mut Stream, message: &[u8]) -> std::io::Result<()> {
    for part in message.chunks(8000) {
        let length = u32::try_from(part.len() + 10).unwrap();
        let mut packet = length.to_be_bytes().to_vec();
        packet.extend([6, 0, 0, 0, 0, 0]);
        packet.extend(part);
        stream.write_all(&packet)?;
    }
    stream.flush()
}

fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let short: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    [vec![u8::try_from(short.len()).unwrap()], short].concat()
}

/// A list of bytes with its length in front.
pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    if value.len() < 253 {
        return [vec![u8::try_from(value.len()).unwrap()], value.to_vec()].concat();
    }
    let mut out = vec![254];
    for part in value.chunks(32_767) {
        out.extend(integer(part.len() as u64));
        out.extend(part);
    }
    out.push(0);
    out
}

fn counted(value: &[u8]) -> Vec<u8> {
    [integer(value.len() as u64), bytes(value)].concat()
}

fn protocol() -> Vec<u8> {
    let mut compile = vec![0; 42];
    compile[7] = 12;
    let mut out = b"\x01\x06\0test\0".to_vec();
    out.extend(873u16.to_le_bytes());
    out.extend([1, 0, 0, 0, 0]);
    out.extend(bytes(&compile));
    out.extend(bytes(&[0; 11]));
    out
}

/// The end of a call, with the error of this number (0: none).
pub(crate) fn end(number: u64) -> Vec<u8> {
    failed(number, b"ORA-01403: no data found", 0)
}

/// The end of a call with an error that points to `offset`.
pub(crate) fn failed(number: u64, text: &[u8], offset: u64) -> Vec<u8> {
    let mut out = vec![4, 1, 1, 0, 0, 0, 0, 0, 1, 7];
    out.extend(integer(offset));
    out.extend([0; 6 + 5 + 1 + 2 + 2 + 1 + 3]);
    out.extend(integer(number));
    out.push(0);
    if number != 0 {
        out.extend(bytes(text));
    }
    out
}

/// The description of a result: names and the numbers of their types.
pub(crate) fn described(columns: &[(&str, u8)]) -> Vec<u8> {
    let mut out = vec![16, 0, 1, 100];
    out.extend(integer(columns.len() as u64));
    out.push(0);
    for (name, kind) in columns {
        let text = u8::from(*kind == 1);
        out.extend([*kind, 0, 0, 0, 1, 200, 0, 0, 0, 0, 0, text, 1, 200, 0, 1, 1]);
        out.extend(counted(name.as_bytes()));
        out.extend([0; 4]);
    }
    out.extend([0; 6]);
    out.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    out
}

/// A row; `None` is null.
pub(crate) fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let values = values.iter().map(|value| bytes(value.unwrap_or_default()));
    [vec![7], values.flatten().collect()].concat()
}

fn hash() -> [u8; 64] {
    let mut stretched = [0; 64];
    let salt = [&SALT[..], b"AUTH_PBKDF2_SPEEDY_KEY"].concat();
    pbkdf2::pbkdf2_hmac::<Sha512>(PASSWORD.as_bytes(), &salt, 4096, &mut stretched);
    stretched
}

const SALT: [u8; 16] = [3; 16];
const HALF: [u8; 32] = [5; 32];

fn key() -> Vec<u8> {
    let hash = Sha512::new().chain_update(hash()).chain_update(SALT);
    hash.finalize()[..32].to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn session_key() -> Vec<(&'static str, String, u64)> {
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key(), &[0; 16]).unwrap();
    let half = cipher.encrypt_padded_vec::<NoPadding>(&HALF);
    vec![
        ("AUTH_SESSKEY", hex(&half), 1),
        ("AUTH_VFR_DATA", hex(&SALT), 0x4815),
        ("AUTH_PBKDF2_CSK_SALT", hex(&SALT), 0),
        ("AUTH_PBKDF2_VGEN_COUNT", "4096".to_owned(), 0),
        ("AUTH_PBKDF2_SDER_COUNT", "3".to_owned(), 0),
    ]
}

fn parameters(list: &[(&str, String, u64)]) -> Vec<u8> {
    let mut out = vec![8];
    out.extend(integer(list.len() as u64));
    for (name, value, flags) in list {
        out.extend(counted(name.as_bytes()));
        out.extend(counted(value.as_bytes()));
        out.extend(integer(*flags));
    }
    out
}

/// The text behind a name in a logon message.
fn sent(message: &[u8], name: &str) -> Vec<u8> {
    let at = message
        .windows(name.len())
        .position(|part| part == name.as_bytes());
    let rest = &message[at.unwrap() + name.len()..];
    let length = usize::from(rest[1]);
    let digits = &rest[3..3 + length];
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// ORA-01017 for another password, else the proof.
fn second_answer(message: &[u8], proves_itself: bool) -> Vec<u8> {
    let open = |key: &[u8], bytes: &[u8]| {
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, &[0; 16]).unwrap();
        cipher.decrypt_padded_vec::<NoPadding>(bytes).unwrap()
    };
    let theirs = open(&key(), &sent(message, "AUTH_SESSKEY"));
    let both = hex(&[&theirs[..], &HALF[..]].concat());
    let mut session = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha512>(both.as_bytes(), &SALT, 3, &mut session);
    let password = open(&session, &sent(message, "AUTH_PASSWORD"));
    if !password[16..].starts_with(PASSWORD.as_bytes()) {
        let text = b"ORA-01017: invalid username/password; logon denied";
        return failed(1017, text, 0);
    }
    let proof: &[u8] = if proves_itself {
        b"0123456789abcdefSERVER_TO_CLIENT"
    } else {
        b"0123456789abcdefSOMEBODY_ELSE_XX"
    };
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&session, &[0; 16]).unwrap();
    let proof = cipher.encrypt_padded_vec::<Pkcs7>(proof);
    [parameters(&[("AUTH_SVR_RESPONSE", hex(&proof), 0)]), end(0)].concat()
}
