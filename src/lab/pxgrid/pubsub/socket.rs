//! One WebSocket connection: frames in, messages out, pings, time limits. What frames mean is in
//! `subscriber`.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::PubsubTimes;
use super::full_speed::{self, Flood};
use super::subscriber::{Fate, Reaction, Subscriber, refuse};
use crate::lab::faults::FaultKind;
use crate::lab::log::RequestEntry;
use crate::lab::pxgrid::hub::Event;
use crate::lab::pxgrid::server::PxGridNode;
use crate::pxgrid::stomp::{Decoder, Frame, Reading};

/// The longest message that a client may send (reference pxgrid-api, section 4, "Limits").
const LONGEST: usize = 300 * 1024;
/// How much may wait to be written to a client that reads slowly, one that never reads among
/// them; more is not written.
const MOST_UNWRITTEN: usize = 16 * 1024 * 1024;
/// Events that are taken together before what they make is flushed.
const TOGETHER: usize = 256;
/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// An upgrade that was granted.
pub(in crate::lab::pxgrid) struct Accepted {
    pub(in crate::lab::pxgrid) upgrade: OnUpgrade,
    pub(in crate::lab::pxgrid) user: String,
}

/// The connection ends here.
type Flow = ControlFlow<()>;

/// Serves one connection to its end.
pub(in crate::lab::pxgrid) async fn serve(
    node: Arc<PxGridNode>,
    accepted: Accepted,
    number: u64,
    reset: Arc<AtomicBool>,
) {
    // Before the upgrade is awaited, so that nothing published after the client saw the 101 is
    // missed.
    let events = node.grid.events().subscribe();
    let Ok(upgraded) = accepted.upgrade.await else {
        return;
    };
    let config = WebSocketConfig::default()
        .max_write_buffer_size(MOST_UNWRITTEN)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST));
    let stream =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let times = node.times;
    let mut socket = Socket {
        node,
        number,
        user: accepted.user,
        stream,
        decoder: Decoder::new(Reading::Client).max_body(LONGEST),
        subscriber: Subscriber::default(),
        times,
        reset,
        strike: None,
        flood: Flood::default(),
    };
    socket.run(events).await;
}

struct Socket {
    node: Arc<PxGridNode>,
    number: u64,
    user: String,
    stream: WebSocketStream<TokioIo<Upgraded>>,
    decoder: Decoder,
    subscriber: Subscriber,
    times: PubsubTimes,
    /// Set before the end, resets the connection.
    reset: Arc<AtomicBool>,
    /// The fault that this connection will meet.
    strike: Option<(Instant, FaultKind)>,
    flood: Flood,
}

impl Socket {
    async fn run(&mut self, mut events: Receiver<Event>) {
        let mut ping_at = Instant::now() + self.times.ping;
        let mut heard_by = Instant::now() + self.times.silence;
        let mut faults = self.node.faults.changes();
        loop {
            let strike = self.strike;
            let struck = async {
                match strike {
                    Some((at, kind)) => {
                        sleep_until(at).await;
                        kind
                    }
                    None => std::future::pending().await,
                }
            };
            let flooded = self.node.flood.is_some() && self.flooded().is_some();
            let step = tokio::select! {
                // In order, for the flood is always ready.
                biased;
                kind = struck => self.strike(kind).await,
                Ok(()) = faults.changed() => {
                    self.plan();
                    Flow::Continue(())
                }
                message = self.stream.next() => {
                    heard_by = Instant::now() + self.times.silence;
                    match message {
                        Some(Ok(message)) => self.message(message).await,
                        _ => Flow::Break(()),
                    }
                }
                event = events.recv() => match event {
                    Ok(event) => self.events(event, &mut events).await,
                    Err(RecvError::Lagged(_)) => self.cut("slow consumer"),
                    Err(RecvError::Closed) => Flow::Break(()),
                },
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + self.times.ping;
                    self.send(vec![Message::Ping(Bytes::new())]).await
                }
                () = sleep_until(heard_by) => self.cut("silent peer"),
                () = std::future::ready(()), if flooded => self.flood().await,
            };
            if step.is_break() {
                return;
            }
        }
    }

    async fn message(&mut self, message: Message) -> Flow {
        match message {
            Message::Binary(bytes) => {
                self.decoder.push(bytes);
                loop {
                    let reaction = match self.decoder.next_frame() {
                        Ok(None) => return Flow::Continue(()),
                        Ok(Some(frame)) => self.frame(&frame),
                        Err(malformed) => refuse(&malformed.to_string()),
                    };
                    self.react(reaction).await?;
                }
            }
            // ISE drops the connection on text (reference pxgrid-api, section 5).
            Message::Text(_) => {
                self.note("CUT", "text frame");
                self.close(CloseCode::Unsupported).await
            }
            _ => Flow::Continue(()),
        }
    }

    fn frame(&mut self, frame: &Frame) -> Reaction {
        let about = frame.header("destination").or_else(|| frame.header("id"));
        self.note(frame.command.as_str(), about.unwrap_or(""));
        let reaction = self.subscriber.take(frame);
        self.plan();
        reaction
    }

    /// Looks up what will happen to this connection: once subscribed it meets one fault of its
    /// kind.
    fn plan(&mut self) {
        let faults = &self.node.faults;
        if self.strike.is_some_and(|(_, kind)| !faults.has(kind)) {
            self.strike = None;
        }
        if self.strike.is_none() {
            let mut topics = self.subscriber.topics();
            let strike = topics.find_map(|topic| faults.of_subscription(topic));
            self.strike = strike.map(|strike| (Instant::now() + strike.after, strike.kind));
        }
    }

    /// The fault happens.
    async fn strike(&mut self, kind: FaultKind) -> Flow {
        match kind {
            FaultKind::WsClose => self.close(CloseCode::Away).await,
            FaultKind::WsReset => {
                self.reset.store(true, Ordering::Relaxed);
                Flow::Break(())
            }
            FaultKind::WsSilence => {
                // Only that the peer leaves is noticed.
                let mut heard = [0; 4096];
                let stream = self.stream.get_mut();
                while stream.read(&mut heard).await.is_ok_and(|count| count > 0) {}
                Flow::Break(())
            }
            FaultKind::SlowConsumerCut => {
                // A binary frame of 1,000 bytes, of which three come.
                let beginning = [0x82, 126, 3, 0xE8, b'M', b'E', b'S'];
                let stream = self.stream.get_mut();
                if stream.write_all(&beginning).await.is_ok() {
                    let _ = stream.flush().await;
                }
                self.cut("slow consumer")
            }
            _ => {
                let error = Frame::error("internal error", "the node has a fault");
                let reaction = Reaction {
                    reply: Some(error),
                    end: true,
                    ..Reaction::default()
                };
                self.react(reaction).await
            }
        }
    }

    async fn react(&mut self, reaction: Reaction) -> Flow {
        if let Some((topic, body)) = reaction.publish {
            // What is no text could only be published as something else.
            let Ok(text) = std::str::from_utf8(&body) else {
                return Box::pin(self.react(refuse("the body is not UTF-8"))).await;
            };
            self.node.grid.events().relay(&topic, text);
        }
        if let Some(reply) = reaction.reply {
            // A reply that echoes what cannot be written is not sent; the client waits for it in
            // vain, as it would at ISE.
            if let Ok(bytes) = reply.encode() {
                self.send(vec![Message::Binary(bytes.into())]).await?;
            }
        }
        if reaction.end {
            return self.close(CloseCode::Protocol).await;
        }
        Flow::Continue(())
    }

    /// Sends what this event and those waiting behind it are for the client.
    async fn events(&mut self, first: Event, events: &mut Receiver<Event>) -> Flow {
        let mut messages = self.messages(&first);
        for _ in 1..TOGETHER {
            match events.try_recv() {
                Ok(event) => messages.extend(self.messages(&event)),
                Err(TryRecvError::Lagged(_)) => return self.cut("slow consumer"),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.send(messages).await
    }

    fn messages(&mut self, event: &Event) -> Vec<Message> {
        // A flooded topic has numbers of its own.
        let flooded = self
            .flooded()
            .is_some_and(|(_, topic)| *topic == *event.topic);
        if self.node.flood.is_some() && flooded {
            return Vec::new();
        }
        let faults = &self.node.faults;
        let mine = self.subscriber.deliver(event, |had| {
            let strikes = |kind| had % 4 == 3 && faults.strikes(kind, &event.topic);
            if strikes(FaultKind::SequenceGap) {
                Fate::IsLost
            } else if strikes(FaultKind::Duplicate) {
                Fate::ComesTwice
            } else {
                Fate::Arrives
            }
        });
        mine.into_iter()
            .map(|bytes| Message::Binary(bytes.into()))
            .collect()
    }

    /// The subscription that is flooded: its id and topic.
    fn flooded(&self) -> Option<(&str, &str)> {
        self.subscriber.subscription_to(full_speed::TOPICS)
    }

    /// Sends one block of the flood.
    async fn flood(&mut self) -> Flow {
        let target = self.subscriber.subscription_to(full_speed::TOPICS);
        let (Some(bodies), Some((id, topic))) = (&self.node.flood, target) else {
            return Flow::Continue(());
        };
        let block = self.flood.block(bodies, id, topic);
        let stream = &mut self.stream;
        let sending = async {
            // What the WebSocket still holds must be out before anything goes past it.
            if stream.flush().await.is_err() {
                return false;
            }
            let stream = stream.get_mut();
            stream.write_all(block).await.is_ok() && stream.flush().await.is_ok()
        };
        match timeout(self.times.send, sending).await {
            Ok(true) => Flow::Continue(()),
            Ok(false) => Flow::Break(()),
            Err(_) => self.cut("slow consumer"),
        }
    }

    async fn send(&mut self, messages: Vec<Message>) -> Flow {
        if messages.is_empty() {
            return Flow::Continue(());
        }
        let stream = &mut self.stream;
        let sending = async {
            for message in messages {
                stream.feed(message).await?;
            }
            stream.flush().await
        };
        match timeout(self.times.send, sending).await {
            Ok(Ok(())) => Flow::Continue(()),
            Ok(Err(_)) => Flow::Break(()),
            Err(_) => self.cut("slow consumer"),
        }
    }

    /// Ends the connection without a word.
    fn cut(&self, why: &str) -> Flow {
        self.note("CUT", why);
        Flow::Break(())
    }

    /// Says that the connection ends, and waits a moment for the client to say so too.
    async fn close(&mut self, code: CloseCode) -> Flow {
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        let stream = &mut self.stream;
        let _ = timeout(FAREWELL, async {
            if stream.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        })
        .await;
        Flow::Break(())
    }

    /// An entry in the request log: a frame that came, or why the node ended the connection.
    fn note(&self, what: &str, about: &str) {
        let now = Timestamp::now();
        self.node.log.add(RequestEntry {
            time: now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            node: format!("ise-pxgrid-{}", self.node.number),
            connection: self.number,
            method: what.to_owned(),
            path: about.to_owned(),
            authorization: true,
            user: Some(self.user.clone()),
            status: None,
        });
    }
}
