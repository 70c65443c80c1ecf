//! For tests: a connection to a server that is written here, since no real one answers so when it
//! is wanted. It knows what a client sends first, subscriptions and what is published.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::connection::{Login, Proof};
use super::{Connection, StreamAddress};
use crate::transport::{Tls, TlsOptions};

/// What a server says first.
pub(super) const INFO: &str = "INFO {\"server_id\":\"a\",\"server_name\":\"a\",\"version\":\"2.10.0\",\"proto\":1,\"host\":\"a\",\"port\":1,\"max_payload\":1048576,\"headers\":true}\r\n";

/// What the server answers to a message.
pub(super) enum Answer {
    Nothing,
    /// It hangs up.
    Gone,
    NoResponders,
    Body(&'static str),
}

/// A connection to whoever listens there, without login.
pub(super) async fn connect(listener: &TcpListener) -> Connection {
    let address = format!("nats://{}/EVENTS", listener.local_addr().unwrap());
    let address = StreamAddress::parse(&address, None).unwrap();
    let tls = ClientConfig::builder_with_provider(crate::transport::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let login = Login {
        name: "netapi".to_owned(),
        proof: Proof::None,
        tls,
        seen: Tls::new(&TlsOptions::default()).unwrap().no_handshake(),
    };
    Connection::open(&address, login).await.unwrap()
}

/// A connection to a server that answers each message by what `answer` says of its subject, and to
/// which one may connect again.
pub(super) async fn connection(
    mut answer: impl FnMut(&str) -> Answer + Send + 'static,
) -> Connection {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let accepting = Arc::clone(&listener);
    tokio::spawn(async move {
        loop {
            let (stream, _) = accepting.accept().await.unwrap();
            serve(stream, &mut answer).await;
        }
    });
    connect(&listener).await
}

async fn serve(stream: TcpStream, answer: &mut impl FnMut(&str) -> Answer) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    write.write_all(INFO.as_bytes()).await.unwrap();
    let mut subscription = String::new();
    let mut line = String::new();
    while read.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => write.write_all(b"PONG\r\n").await.unwrap(),
            ["SUB", _, number] => number.clone_into(&mut subscription),
            ["PUB" | "HPUB", subject, reply, .., length] => {
                let length: usize = length.parse().unwrap();
                let mut message = vec![0; length + 2];
                read.read_exact(&mut message).await.unwrap();
                let said = match answer(subject) {
                    Answer::Nothing => String::new(),
                    Answer::Gone => return,
                    Answer::NoResponders => {
                        format!("HMSG {reply} {subscription} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n")
                    }
                    Answer::Body(body) => {
                        format!("MSG {reply} {subscription} {}\r\n{body}\r\n", body.len())
                    }
                };
                write.write_all(said.as_bytes()).await.unwrap();
            }
            _ => {}
        }
        line.clear();
    }
}
