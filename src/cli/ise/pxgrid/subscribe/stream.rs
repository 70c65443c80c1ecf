//! `--to`: events into a NATS JetStream stream. Options, and what they come to; what is stored and
//! how is [`crate::nats`]'s affair.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::super::nats_login::NatsLoginArgs;
use crate::cli::Context;
use crate::cli::input;
use crate::delivery::Sink;
use crate::error::{Error, Kind, Result};
use crate::nats::message::{MOST_PARTITIONS, MessageMaker, TopicFacts};
use crate::nats::open::Wanted;
use crate::nats::subscribers::{self, SubscriberValue};
use crate::nats::{Connection, CreateOptions, Login, OpenStream, Publisher, StreamAddress};
use crate::process::host_name;
use crate::pxgrid::catalogue::{Occurrence, SERVICES, Topic, TopicName};
use crate::threads::RuntimeThread;

/// Where events go, and how to get there.
#[derive(Args, Debug)]
#[command(next_help_heading = "Into a stream")]
pub(super) struct StreamArgs {
    /// Store events in this NATS JetStream stream; a stream's name alone is one at NATS_URL
    #[arg(
        long,
        value_name = "nats://HOST[,HOST…]/STREAM",
        groups = ["handler", "stream"],
        conflicts_with = "callback"
    )]
    pub(super) to: Option<String>,
    /// Make the stream if it is not there
    #[arg(long, requires = "to", requires = "max_bytes", hide_short_help = true)]
    create_stream: bool,
    /// Most bytes of the new stream, as in 500M or 10G; a full one makes events wait in the spool
    #[arg(long, value_name = "SIZE", requires = "create_stream", value_parser = size, hide_short_help = true)]
    max_bytes: Option<i64>,
    /// How long the new stream keeps an event
    #[arg(long, value_name = "DURATION", default_value = "72h", requires = "create_stream", value_parser = input::some_time, hide_short_help = true)]
    max_age: Duration,
    /// On how many servers the new stream lies; one server alone can lose its last seconds with
    /// the power
    #[arg(long, value_name = "N", default_value_t = 1, requires = "create_stream", value_parser = clap::value_parser!(u8).range(1..=5), hide_short_help = true)]
    replicas: u8,
    /// How long the new stream knows the ids of events by itself
    #[arg(long, value_name = "DURATION", default_value = "2m", requires = "create_stream", value_parser = input::pause, hide_short_help = true)]
    dedupe_window: Duration,
    /// How many partitions the stream has [default: what it says; 32 for a new one]
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PARTITIONS)), hide_short_help = true)]
    partitions: Option<u32>,
    #[command(flatten)]
    login: NatsLoginArgs,
}

/// For clap: a number of bytes; K, M, G and T are powers of 1024.
fn size(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no size; write 500M or 10G");
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_end_matches('B').trim_end_matches('i');
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// A stream that was named, before anything is asked of it.
pub(super) struct StreamTarget {
    address: StreamAddress,
    login: Login,
    create: Option<CreateOptions>,
    partitions: Option<u32>,
    deployment: String,
    member: String,
    /// The names of the topics in subjects.
    aliases: Vec<String>,
    /// Topics on which the copies of several subscribers cannot be told apart.
    untold: Vec<&'static str>,
}

impl StreamArgs {
    /// The stream that `--to` names, if it does. Reads files; connects to nothing.
    pub(super) fn target(
        &self,
        context: &Context,
        topics: &[TopicName],
        deployment: &str,
    ) -> Result<Option<StreamTarget>> {
        let Some(to) = &self.to else {
            return Ok(None);
        };
        let address = StreamAddress::parse(to, context.settings.nats_url()?.as_deref())?;
        let known = topics.iter().filter_map(|topic| match topic {
            TopicName::Known(_, topic) => Some(topic),
            _ => None,
        });
        let untold = known
            .clone()
            .filter(|topic| topic.occurrence == Occurrence::Number);
        Ok(Some(StreamTarget {
            address,
            login: self.login.login(context)?,
            create: self.max_bytes.map(|max_bytes| CreateOptions {
                max_bytes,
                max_age: self.max_age,
                replicas: self.replicas.into(),
                dedupe_window: self.dedupe_window,
            }),
            partitions: self.partitions,
            deployment: deployment.to_owned(),
            member: String::new(),
            untold: untold.map(|topic| topic.alias).collect(),
            aliases: known.map(|topic| topic.alias.to_owned()).collect(),
        }))
    }
}

impl StreamTarget {
    /// The same for the pxGrid client of this name.
    pub(super) fn of_member(mut self, member: &str) -> Self {
        member.clone_into(&mut self.member);
        self.login.name = format!("netapi subscribe {member}");
        self
    }

    /// Connects, finds or makes the stream, and checks that it takes what will come.
    pub(super) async fn open(self, context: &Context) -> Result<Sink> {
        // The connection has a thread of its own, beside the one that follows the subscription.
        let thread = RuntimeThread::start("nats")?;
        let (address, login) = (self.address.clone(), self.login);
        let opening = async move { Connection::open(&address, login).await };
        let opening = thread.handle().spawn(opening);
        let connection = opening.await.map_err(|error| {
            Error::new(Kind::Failed, format!("connecting broke off: {error}"))
        })??;
        let wanted = Wanted {
            deployment: &self.deployment,
            aliases: &self.aliases,
            partitions: self.partitions,
            create: self.create.as_ref(),
        };
        let stream = OpenStream::open(&connection, &self.address, wanted).await?;
        for notice in &stream.notices {
            context.reporter.step(notice);
        }
        let known = SERVICES.iter().flat_map(|service| service.topics);
        let facts = |topic: &Topic| TopicFacts {
            alias: topic.alias.to_owned(),
            exact: topic.occurrence != Occurrence::Number,
        };
        let topics: HashMap<_, _> = known
            .map(|topic| (topic.path.to_owned(), facts(topic)))
            .collect();
        let maker = MessageMaker {
            deployment: self.deployment,
            member: self.member,
            partitions: stream.partitions,
            topics: Arc::new(topics),
        };
        let me = SubscriberValue {
            name: maker.member.clone(),
            deployment: maker.deployment.clone(),
            topics: self.aliases.clone(),
            host: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: format!("{:.0}", Timestamp::now()),
            stored: 0,
            duplicates: 0,
        };
        let name = self.address.stream.clone();
        let reporter = context.reporter.clone();
        let warn = move |text: &str| reporter.warn(text);
        let warn_too = warn.clone();
        let publisher = Publisher::new(connection.clone(), thread, name, &stream, maker, warn);
        if let Some(alias) = self.aliases.first() {
            publisher.check_permission(alias).await?;
        }
        context.reporter.step(&format!(
            "events go to the {}, in {} partitions",
            self.address, stream.partitions
        ));
        if !self.untold.is_empty() {
            context.reporter.step(&format!(
                "events of {} carry no time: where they have no number either, each of several subscribers stores its own copy",
                self.untold.join(", ")
            ));
        }
        let publisher = Arc::new(publisher);
        let replicas = stream.replicas;
        subscribers::tell(
            connection,
            &self.address,
            replicas,
            &publisher,
            me,
            warn_too,
        );
        Ok(Sink::Stream(publisher))
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1", Ok(1)),
            ("500M", Ok(500 << 20)),
            ("10G", Ok(10 << 30)),
            ("10GiB", Ok(10 << 30)),
            ("2TB", Ok(2 << 40)),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        for text in ["", "0", "G", "-1", "1.5G", "10g", "9999999999T", "1GG"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
