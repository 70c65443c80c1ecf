//! A pubsub node that publishes sessions, as fast as they can be encrypted or at a pace. Frames are
//! made once; only their numbers and times are written over before each is sent, so that its own cost hardly
//! counts.

use std::io::{BufRead, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::server::{Connection, Request, Server, TOPIC, control, request};

/// The sequence number of the first message; all have as many digits.
const FIRST: u64 = 1_000_000_000;

/// How often the time in the messages is set.
const TICK: Duration = Duration::from_millis(10);

/// How many messages are written at once when there is no pace: three records of TLS.
const AT_ONCE: u64 = 36;

/// What is published.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// How many messages, of one session each.
    pub(crate) events: u64,
    /// Of how many different sessions.
    pub(crate) sessions: u64,
    /// At what pace; `None`: as fast as they are taken.
    pub(crate) per_second: Option<u64>,
}

/// See the module's documentation.
pub(crate) struct Node {
    pub(crate) server: Server,
    seen: Arc<Mutex<Seen>>,
}

/// What happened since the last client subscribed.
#[derive(Default)]
struct Seen {
    subscribed: Option<Instant>,
    /// When each message was sent, in nanoseconds since the epoch; noted with a pace only.
    sent: Vec<u128>,
}

impl Node {
    /// Starts on a free loopback port.
    pub(crate) fn start(plan: Plan) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let theirs = Arc::clone(&seen);
        let server = Server::listen(move |mut connection| {
            // A client may leave when it likes.
            let _left = serve(&mut connection, plan, &theirs);
        });
        Self { server, seen }
    }

    /// How long ago the last client subscribed, in seconds.
    pub(crate) fn since_subscribed(&self) -> f64 {
        let subscribed = self.seen.lock().unwrap().subscribed;
        subscribed
            .expect("the client has subscribed")
            .elapsed()
            .as_secs_f64()
    }

    /// When the message of this sequence number was sent to the last client, in nanoseconds since
    /// the epoch.
    pub(crate) fn sent(&self, sequence: u64) -> u128 {
        let index = usize::try_from(sequence - FIRST).unwrap();
        self.seen.lock().unwrap().sent[index]
    }
}

fn serve(connection: &mut Connection, plan: Plan, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let port = connection.get_ref().sock.local_addr()?.port();
    while let Some(Request { path, key }) = request(connection) {
        if let Some(key) = key {
            let accept = derive_accept_key(key.as_bytes());
            write!(
                connection.get_mut(),
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )?;
            connection.get_mut().flush()?;
            return pubsub(connection, plan, seen);
        }
        // Over REST nobody is there.
        let text = control(&path, port).unwrap_or_else(|| r#"{"sessions":[]}"#.to_owned());
        write!(
            connection.get_mut(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )?;
        connection.get_mut().flush()?;
    }
    Ok(())
}

/// Answers frames, and publishes everything as soon as somebody subscribes.
fn pubsub(connection: &mut Connection, plan: Plan, seen: &Mutex<Seen>) -> std::io::Result<()> {
    loop {
        let (kind, payload) = receive(connection)?;
        let text = String::from_utf8_lossy(&payload);
        let header = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_default()
        };
        match (kind, text.lines().next().unwrap_or_default()) {
            (8, _) => {
                send(connection, 8, &payload)?;
                return Ok(());
            }
            (9, _) => send(connection, 10, &payload)?,
            (_, "CONNECT") => send(connection, 2, b"CONNECTED\nversion:1.2\n\n\0")?,
            (_, "SUBSCRIBE") => {
                *seen.lock().unwrap() = Seen {
                    subscribed: Some(Instant::now()),
                    sent: Vec::new(),
                };
                let subscription = header("id");
                // The client of pxgrid-util asks nothing; netapi does, and is answered before it
                // hears of anything, as by a node that reads while it publishes.
                let pings = subscription != "my-id";
                if pings && let (9, asked) = receive(connection)? {
                    send(connection, 10, &asked)?;
                }
                publish(connection, plan, subscription, seen)?;
                if !pings {
                    // pxgrid-util would wait for more until it is told that there is none.
                    send(connection, 8, &1000_u16.to_be_bytes())?;
                }
            }
            (_, "DISCONNECT") => {
                let receipt = format!("RECEIPT\nreceipt-id:{}\n\n\0", header("receipt"));
                send(connection, 2, receipt.as_bytes())?;
            }
            _ => {}
        }
    }
}

/// One frame of a client: opcode and payload. They are short, whole and masked.
fn receive(connection: &mut impl BufRead) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    connection.read_exact(&mut head)?;
    let mut length = u64::from(head[1] & 127);
    if length == 126 {
        let mut long = [0; 2];
        connection.read_exact(&mut long)?;
        length = u64::from(u16::from_be_bytes(long));
    }
    let mut mask = [0; 4];
    connection.read_exact(&mut mask)?;
    let mut payload = Vec::new();
    connection.take(length).read_to_end(&mut payload)?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((head[0] & 15, payload))
}

fn send(connection: &mut Connection, opcode: u8, payload: &[u8]) -> std::io::Result<()> {
    let mut frame = Vec::new();
    websocket(opcode, payload, &mut frame);
    connection.get_mut().write_all(&frame)?;
    connection.get_mut().flush()
}

fn websocket(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
        out.push(short);
    } else {
        out.push(126);
        out.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    out.extend_from_slice(payload);
}

fn publish(
    connection: &mut Connection,
    plan: Plan,
    subscription: &str,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let at_once = if plan.per_second.is_some() {
        1
    } else {
        AT_ONCE
    };
    let mut block = Block::new(subscription, at_once);
    let began = Instant::now();
    let (mut number, mut ticked) = (0, began);
    while number < plan.events {
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            block.set_time();
        }
        if let Some(per_second) = plan.per_second {
            let due = Duration::from_micros(number * 1_000_000 / per_second);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            seen.lock().unwrap().sent.push(now.as_nanos());
        }
        let count = at_once.min(plan.events - number);
        connection
            .get_mut()
            .write_all(block.numbered(number, count, plan.sessions))?;
        number += count;
    }
    connection.get_mut().flush()
}

/// Messages one after the other.
struct Block {
    bytes: Vec<u8>,
    /// Of one message.
    length: usize,
    sequence: usize,
    /// Where its time stands.
    time: usize,
    /// Where the session's number stands.
    session: [usize; 3],
    /// Where the message's number stands in the session, so that no two are alike.
    content: usize,
}

impl Block {
    fn new(subscription: &str, count: u64) -> Self {
        let body = body();
        let frame = format!(
            "MESSAGE\ncontent-length:{}\ndestination:{TOPIC}\nmessage-id:0-1\nsubscription:{subscription}\n\n{body}\0",
            body.len()
        );
        let mut one = Vec::new();
        websocket(2, frame.as_bytes(), &mut one);
        let text = String::from_utf8_lossy(one.get(4..).unwrap()).into_owned();
        let after = |name: &str| 4 + text.find(name).unwrap() + name.len();
        let mut block = Self {
            length: one.len(),
            sequence: after("\"sequence\":"),
            time: after("\"timestamp\":\""),
            session: [
                after("\"macAddress\":\"C8:5B:"),
                after("\"callingStationId\":\"C8:5B:"),
                after("\"auditSessionId\":\"C0000201"),
            ],
            content: after("\"acctSessionId\":\""),
            bytes: one.repeat(usize::try_from(count).unwrap()),
        };
        block.set_time();
        block
    }

    /// What happens, happens now.
    fn set_time(&mut self) {
        let time = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string();
        for message in self.bytes.chunks_exact_mut(self.length) {
            message[self.time..self.time + time.len()].copy_from_slice(time.as_bytes());
        }
    }

    /// The first `count` messages, numbered from `first` on.
    fn numbered(&mut self, first: u64, count: u64, sessions: u64) -> &[u8] {
        let count = usize::try_from(count).unwrap();
        for (number, message) in (first..).zip(self.bytes.chunks_exact_mut(self.length).take(count))
        {
            let session = number % sessions;
            digits(message, self.sequence, 10, 10, FIRST + number);
            digits(message, self.content, 8, 16, number);
            let [mac, calling, audit] = self.session;
            for at in [mac, calling] {
                for (position, shift) in [24, 16, 8, 0].into_iter().enumerate() {
                    digits(message, at + 3 * position, 2, 16, (session >> shift) & 0xFF);
                }
            }
            digits(message, audit, 8, 16, session);
        }
        &self.bytes[..count * self.length]
    }
}

/// Writes a number over so many digits.
fn digits(message: &mut [u8], at: usize, count: usize, base: u64, mut number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in message[at..at + count].iter_mut().rev() {
        *byte = DIGITS[usize::try_from(number % base).unwrap()];
        number /= base;
    }
}

/// A message with one session, 1.3 kB as on a live network.
fn body() -> String {
    concat!(
        r#"{"sequence":1000000000,"sessions":[{"timestamp":"2026-03-09T08:14:55.207Z","state":"STARTED","macAddress":"C8:5B:00:00:00:00","#,
        r#""ipAddresses":["198.51.100.7","2001:db8:7::4f1a"],"callingStationId":"C8:5B:00:00:00:00","calledStationId":"00:00:5E:00:00:FF","#,
        r#""auditSessionId":"C0000201000000005D2E7781","acctSessionId":"00000000","userName":"LAB\\pat.surname","nasIpAddress":"192.0.2.14","#,
        r#""nasPortId":"GigabitEthernet1/0/14","nasPortType":"Ethernet","nasIdentifier":"sw-lab-2","postureStatus":"Compliant","#,
        r#""selectedAuthzProfiles":["Wired_Staff","PermitAccess"],"endpointProfile":"Windows11-Workstation","endpointOperatingSystem":"Windows 11 Enterprise","#,
        r#""ctsSecurityGroup":"Employees","adNormalizedUser":"pat.surname","adUserDomainName":"lab.example","adUserNetBiosName":"LAB","#,
        r#""adUserResolvedIdentities":"pat.surname@lab.example","adUserResolvedDns":"CN=Pat Surname,OU=Staff,OU=Campus,DC=lab,DC=example","#,
        r#""adHostDomainName":"lab.example","adHostNetBiosName":"LAB","adHostResolvedIdentities":"pc-0417$@lab.example","providers":["None"],"#,
        r#""identitySourcePortStart":0,"identitySourcePortEnd":0,"identitySourcePortFirst":0,"isMachineAuthentication":"false","serviceType":"Framed","#,
        r#""tunnelPrivateGroupId":"(tag=1) 20","airespaceWlanId":"1","networkDeviceProfileName":"Cisco","radiusFlowType":"Wired802_1x","ssid":"","#,
        r#""mdmRegistered":false,"mdmCompliant":false,"mdmDiskEncrypted":false,"mdmJailBroken":false,"mdmPinLocked":false}]}"#
    )
    .to_owned()
}
