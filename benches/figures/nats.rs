//! A nats-server with file storage beside the figures, and what its stream EVENTS holds.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};
use async_nats::{HeaderMap, header};
use futures_util::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// How many messages the reference has under way.
const WINDOW: usize = 512;

/// A stored message.
pub(crate) struct Message {
    subject: String,
    headers: HeaderMap,
    body: bytes::Bytes,
}

/// A running server; ended when it is dropped.
pub(crate) struct NatsServer {
    child: Child,
    pub(crate) url: String,
    runtime: Runtime,
    jetstream: jetstream::Context,
    _dir: TempDir,
}

impl NatsServer {
    /// `None` where there is no nats-server, which is said.
    pub(crate) fn start() -> Option<Self> {
        if Command::new("nats-server")
            .arg("--version")
            .output()
            .is_err()
        {
            println!("     not measured: there is no nats-server on PATH");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{}\"\njetstream {{ store_dir: \"{}\", max_file: 4G }}\n",
            dir.path().display(),
            dir.path().join("store").display()
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new("nats-server")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let file = format!("nats-server_{}.ports", child.id());
        let url = url(&dir.path().join(file));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = async || {
            let client = async_nats::connect(&url).await.unwrap();
            jetstream::new(client)
        };
        let jetstream = runtime.block_on(client());
        Some(Self {
            child,
            url,
            runtime,
            jetstream,
            _dir: dir,
        })
    }

    /// What `--to` and `--from` take.
    pub(crate) fn stream(&self) -> String {
        format!("{}/EVENTS", self.url)
    }

    /// An empty stream.
    pub(crate) fn empty(&self) {
        let config = stream::Config {
            name: "EVENTS".to_owned(),
            subjects: vec!["netapi.ise.>".to_owned()],
            discard: stream::DiscardPolicy::New,
            ..stream::Config::default()
        };
        self.runtime.block_on(async {
            let _absent = self.jetstream.delete_stream("EVENTS").await;
            self.jetstream.create_stream(config).await.unwrap();
        });
    }

    /// How many messages it has.
    pub(crate) fn count(&self) -> u64 {
        self.runtime.block_on(async {
            let mut stream = self.jetstream.get_stream("EVENTS").await.unwrap();
            stream.info().await.unwrap().state.messages
        })
    }

    /// All of them.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let wanted = usize::try_from(self.count()).unwrap();
        self.runtime.block_on(async {
            let stream = self.jetstream.get_stream("EVENTS").await.unwrap();
            let settings = consumer::pull::OrderedConfig::default();
            let consumer = stream.create_consumer(settings).await.unwrap();
            let messages = consumer.messages().await.unwrap().take(wanted);
            let messages = messages.map_ok(|message| Message {
                subject: message.subject.to_string(),
                headers: message
                    .headers
                    .as_ref()
                    .map(unconditional)
                    .unwrap_or_default(),
                body: message.payload.clone(),
            });
            messages.try_collect().await.unwrap()
        })
    }

    /// How long the client alone takes to store these in the empty stream, in seconds.
    pub(crate) fn stored_by_client(&self, messages: &[Message], with_headers: bool) -> f64 {
        self.empty();
        let began = Instant::now();
        self.runtime.block_on(async {
            let sent = messages.iter().map(|message| async {
                let (subject, body) = (message.subject.clone(), message.body.clone());
                let acknowledged = if with_headers {
                    let headers = message.headers.clone();
                    self.jetstream
                        .publish_with_headers(subject, headers, body)
                        .await
                } else {
                    self.jetstream.publish(subject, body).await
                };
                acknowledged.unwrap().await.unwrap();
            });
            let mut sent = futures_util::stream::iter(sent).buffer_unordered(WINDOW);
            while sent.next().await.is_some() {}
        });
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(self.count(), messages.len() as u64, "a message is missing");
        seconds
    }

    /// How many events the stream's groups have not done yet.
    pub(crate) fn left(&self) -> u64 {
        self.runtime.block_on(async {
            let stream = self.jetstream.get_stream("EVENTS").await.unwrap();
            let each = stream.consumers().map_ok(|info| {
                let under_way = u64::try_from(info.num_ack_pending).unwrap();
                info.num_pending + under_way
            });
            let each: Vec<u64> = each.try_collect().await.unwrap();
            each.into_iter().sum()
        })
    }
}

/// An event that was compared with the stream expects a number that an empty one does not have.
fn unconditional(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter() {
        if *name != header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE {
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
    kept
}

/// The address that the server wrote into this file.
fn url(file: &Path) -> String {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if let Some(url) = ports["nats"][0].as_str() {
            return url.to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "no nats-server");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
