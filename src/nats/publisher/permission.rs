//! Whether the server would take an event from us and let us read the stream, asked before anything
//! is stored.

use std::time::Instant;

use async_nats::jetstream::ErrorCode;
use async_nats::{HeaderMap, header};
use bytes::Bytes;

use super::Publisher;
use super::since::at_work;
use crate::error::{Error, Kind, Result};
use crate::nats::acknowledgement::Failure;
use crate::nats::connection::{NO_MAJORITY, until_answered};
use crate::nats::message::subject;
use crate::nats::open::said;

/// A stream that no server has, to be refused by: it shows that the server would take an event.
const NO_STREAM: &str = "netapi-nobody";

impl Publisher {
    /// Whether the server would take an event from us, and let us read the stream: asked without
    /// storing anything.
    ///
    /// Errors: [`Kind::Refused`] without the permission, [`Kind::Server`] and [`Kind::TimedOut`]
    /// where the stream does not answer.
    pub async fn check_permission(&self, alias: &str) -> Result<()> {
        until_answered(|| self.may_publish(alias)).await?;
        until_answered(|| self.may_read()).await
    }

    async fn may_publish(&self, alias: &str) -> Result<()> {
        let subject = subject(&self.maker.deployment, alias, 0);
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_EXPECTED_STREAM, NO_STREAM);
        let ours = subject.clone();
        let doing = "trying whether events may be published";
        let began = Instant::now();
        let timed_out = || {
            let denied = self.connection.denied_since(began, Some(&ours));
            denied.map_or_else(
                || {
                    Error::new(
                        Kind::TimedOut,
                        format!("{}: no answer while {doing}", self.connection.hosts()),
                    )
                    .hint(NO_MAJORITY)
                },
                |why| self.connection.no_permission(doing, &why),
            )
        };
        let sent = self
            .connection
            .publish(subject.into(), headers, Bytes::new());
        match sent.await {
            Err(Failure::JetStream(error)) if error.error_code() == ErrorCode::STREAM_NOT_MATCH => {
            }
            Err(Failure::JetStream(error)) => return Err(said(&self.connection, doing, &error)),
            Err(Failure::NoResponders) => {
                return Err(Error::new(
                    Kind::Server,
                    format!(
                        "{}: nobody takes events of the stream {}",
                        self.connection.hosts(),
                        self.stream
                    ),
                )
                .hint(
                    "is the stream there, with netapi.> among its subjects, and has it a leader?",
                ));
            }
            Ok(_) | Err(_) => return Err(timed_out()),
        }
        Ok(())
    }

    async fn may_read(&self) -> Result<()> {
        let began = Instant::now();
        let mut known = self.known.lock().await;
        known
            .others_since(at_work())
            .await
            .map(drop)
            .map_err(|error| match self.connection.denied_since(began, None) {
                Some(why) => self.connection.no_permission("reading the stream", &why),
                None => error,
            })
    }
}
