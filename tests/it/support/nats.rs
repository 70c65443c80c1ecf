//! A real nats-server beside a test, and what its stream holds. Where none is on PATH, a test says
//! so and ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::{self, consumer, stream};
use futures_util::StreamExt;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::account::{Account, Changes};
use super::{PATIENCE, wait_for};

/// Does something with the JetStream of this server.
pub(crate) fn ask<T>(host: &str, work: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(host).await.unwrap();
        work(jetstream::new(client)).await
    })
}

/// A running server with JetStream; ended when it is dropped.
pub(crate) struct NatsServer {
    program: PathBuf,
    dir: TempDir,
    settings: String,
    child: Option<Child>,
    /// The port it has kept since its first start.
    port: Option<u16>,
}

/// One stored message.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Stored {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

/// Starts one, with these lines in its configuration (`JETSTREAM` for the usual ones); `None` where
/// there is no nats-server, which is said.
pub(crate) fn server(settings: &str) -> Option<NatsServer> {
    let found = Command::new("nats-server").arg("--version").output();
    if found.is_err() {
        super::skipped("there is no nats-server on PATH");
        return None;
    }
    Some(NatsServer::of("nats-server".into(), settings))
}

/// JetStream with a store of its own.
pub(crate) const JETSTREAM: &str = "jetstream { store_dir: STORE, max_mem: 16M, max_file: 256M }\n";

impl NatsServer {
    /// Starts this program.
    pub(super) fn of(program: PathBuf, settings: &str) -> Self {
        let mut server = Self {
            program,
            dir: tempfile::tempdir().unwrap(),
            settings: settings.to_owned(),
            child: None,
            port: None,
        };
        server.start();
        server
    }

    /// Starts it, at the port of the last start.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none());
        let store = self.path("store");
        let settings = self.settings.replace("STORE", store.to_str().unwrap());
        let port = self.port.map_or("-1".to_owned(), |port| port.to_string());
        let ports = self.path("ports");
        let _gone = fs::remove_dir_all(&ports);
        fs::create_dir_all(&ports).unwrap();
        let config = self.path("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{}\"\n{settings}",
            ports.display()
        );
        fs::write(&config, text).unwrap();
        let log = fs::File::create(self.path("log")).unwrap();
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let file = ports.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        wait_for("the server's port", || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let ports: Value = serde_json::from_str(&text).unwrap_or_default();
            let url = ports["nats"][0].as_str().unwrap_or_default();
            let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
            self.port = port.or(self.port);
            port.is_some()
        });
        wait_for("the server", || {
            fs::read_to_string(self.path("log"))
                .unwrap()
                .contains("Server is ready")
        });
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().unwrap().id();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port.unwrap())
    }

    /// Does something with JetStream.
    pub(crate) fn ask<T>(&self, work: impl AsyncFnOnce(jetstream::Context) -> T) -> T {
        ask(&self.host(), work)
    }

    /// Makes the stream `EVENTS`, as changed.
    pub(crate) fn make_stream(&self, change: impl FnOnce(&mut stream::Config)) {
        let mut config = stream::Config {
            name: "EVENTS".to_owned(),
            subjects: vec!["netapi.ise.>".to_owned()],
            discard: stream::DiscardPolicy::New,
            ..stream::Config::default()
        };
        change(&mut config);
        self.ask(async |jetstream| {
            jetstream.create_stream(config).await.unwrap();
        });
    }

    /// How many messages the stream has.
    pub(crate) fn count(&self) -> u64 {
        self.ask(async |jetstream| {
            let mut stream = jetstream.get_stream("EVENTS").await.unwrap();
            stream.info().await.unwrap().state.messages
        })
    }

    /// How many events and questions were sent to the server meanwhile, and how many seconds that
    /// took.
    pub(crate) fn requests_while(&self, work: impl FnOnce()) -> (f64, f64) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(self.host()).await.unwrap();
            let events = client.subscribe("netapi.>").await.unwrap();
            let questions = client.subscribe("$JS.API.>").await.unwrap();
            client.flush().await.unwrap();
            let began = Instant::now();
            work();
            let seconds = began.elapsed().as_secs_f64();
            // What was sent before this comes before its answer.
            client.flush().await.unwrap();
            let mut asked = 0.0;
            for mut messages in [events, questions] {
                while tokio::time::timeout(Duration::from_millis(200), messages.next())
                    .await
                    .is_ok_and(|message| message.is_some())
                {
                    asked += 1.0;
                }
            }
            (asked, seconds)
        })
    }

    /// Another address of the server, where the first bytes that hold `text` wait until this is done.
    pub(crate) fn before(&self, text: &str, work: impl FnOnce() + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = listener.local_addr().unwrap();
        let work = Arc::new(Mutex::new(Some(work)));
        let (host, text) = (self.host(), text.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&host).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (work, text) = (Arc::clone(&work), text.clone());
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 65_536];
                    // Either side may leave when it likes.
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        if String::from_utf8_lossy(&bytes[..count]).contains(&text)
                            && let Some(work) = work.lock().unwrap().take()
                        {
                            work();
                        }
                        if to.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    let _gone = to.shutdown(Shutdown::Both);
                });
                let (mut from, mut to) = (server, client);
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        });
        format!("nats://{door}/EVENTS")
    }

    /// Takes away the stream's bound on the number of its messages.
    pub(crate) fn enlarge_stream(&self) {
        self.ask(async |jetstream| {
            let mut stream = jetstream.get_stream("EVENTS").await.unwrap();
            let config = stream.info().await.unwrap().config.clone();
            let larger = stream::Config {
                max_messages: -1,
                ..config
            };
            jetstream.update_stream(larger).await.unwrap();
        });
    }
}

/// Where a stream lies: one server, or three.
pub(crate) trait Servers {
    /// On how many servers each message is.
    const REPLICAS: &str;

    /// What `--to` and `--from` take.
    fn to(&self) -> String;

    /// All that the stream has, in its order.
    fn stored(&self) -> Vec<Stored>;
}

impl Servers for NatsServer {
    const REPLICAS: &str = "1";

    fn to(&self) -> String {
        format!("nats://{}/EVENTS", self.host())
    }

    fn stored(&self) -> Vec<Stored> {
        self.ask(all_stored).unwrap()
    }
}

/// All that the stream has, in its order; `None` where reading it broke off.
pub(super) async fn all_stored(jetstream: jetstream::Context) -> Option<Vec<Stored>> {
    let mut stream = jetstream.get_stream("EVENTS").await.ok()?;
    let state = stream.info().await.ok()?.state.clone();
    let settings = consumer::pull::Config {
        ack_policy: consumer::AckPolicy::None,
        ..consumer::pull::Config::default()
    };
    let consumer = stream.create_consumer(settings).await.ok()?;
    let mut found = Vec::new();
    while (found.len() as u64) < state.messages {
        let mut batch = consumer.fetch().max_messages(500).messages().await.ok()?;
        while let Some(message) = batch.next().await {
            let message = message.ok()?;
            found.push(Stored {
                subject: message.subject.to_string(),
                headers: message.headers.clone().unwrap_or_default(),
                body: serde_json::from_slice(&message.payload).unwrap(),
            });
        }
    }
    Some(found)
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// A file that only its owner reads; its path as an option's value.
pub(crate) fn secret_file(dir: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Waits until nothing of what the lab published of sessions lacks, and checks that nothing is
/// there twice and each endpoint's changes are in their order, but for those that are marked.
pub(crate) fn holds(server: &impl Servers, published: &Changes) -> Vec<Stored> {
    let began = Instant::now();
    let mut found = server.stored();
    let mut lacks = lacking(&found, published);
    while !lacks.is_empty() {
        assert!(
            began.elapsed() < PATIENCE,
            "{} stored, never came: {lacks:?}",
            found.len()
        );
        std::thread::sleep(Duration::from_millis(100));
        found = server.stored();
        lacks = lacking(&found, published);
    }
    in_order(&found);
    found
}

/// Checks that nothing is there twice. What a member received is stored in its order. A state
/// behind a newer one of its endpoint is marked as overtaken; so is an end that was found, not
/// told, behind a session of the endpoint that is newer than all that is known of the ended one.
/// Nothing else is marked.
pub(crate) fn in_order(found: &[Stored]) {
    let mut ids = BTreeSet::new();
    let mut received: BTreeMap<[&str; 2], Timestamp> = BTreeMap::new();
    let mut newest: BTreeMap<&str, (Timestamp, &Stored)> = BTreeMap::new();
    let mut of_session: BTreeMap<[&str; 2], Timestamp> = BTreeMap::new();
    let time = |value: &Value| -> Option<Timestamp> { value.as_str()?.parse().ok() };
    for message in found {
        let id = message.header("Nats-Msg-Id").unwrap();
        assert!(ids.insert(id), "twice: {message:?}");
        let session = &message.body["message"]["sessions"][0];
        let who = endpoint(session);
        let member = message.header("Netapi-Member").unwrap();
        let came = time(&message.body["receivedAt"]).unwrap();
        let before = received.insert([member, who], came);
        assert!(before <= Some(came), "{before:?} before {message:#?}");
        let marked = message.header("Netapi-Overtaken") == Some("true");
        assert_eq!(marked, message.body["overtaken"] == true, "{message:#?}");
        let this = [who, session["auditSessionId"].as_str().unwrap()];
        let told = time(&session["timestamp"]);
        let known = told.or_else(|| of_session.get(&this).copied());
        let overtaken = newest
            .get(who)
            .filter(|(newest, _)| known.is_some_and(|known| known < *newest));
        assert!(
            marked || overtaken.is_none(),
            "{:#?} before {message:#?}",
            overtaken.map(|(_, newer)| newer)
        );
        assert!(
            !marked || told.is_none() || overtaken.is_some(),
            "{message:#?}"
        );
        if let Some(told) = told {
            if newest.get(who).is_none_or(|(newest, _)| told > *newest) {
                newest.insert(who, (told, message));
            }
            let last = of_session.entry(this).or_insert(told);
            *last = told.max(*last);
        }
    }
}

/// What stands for a session's endpoint.
pub(crate) fn endpoint(session: &Value) -> &str {
    let names = ["macAddress", "callingStationId", "auditSessionId"];
    names
        .iter()
        .find_map(|name| session[*name].as_str())
        .unwrap()
}

/// What of the published is not there. A change that another followed while nobody listened is made
/// good by that one.
fn lacking(stored: &[Stored], published: &Changes) -> Vec<String> {
    let mut account = Account::default();
    for message in stored {
        account.note(&message.body.to_string());
    }
    account.lacks(published)
}
