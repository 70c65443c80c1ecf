//! `netapi ise pxgrid fleet`: what runs on more than one machine. How it stands, what no callback
//! took, and what an account of a NATS server needs.

mod dead;
mod status;
mod subscribers;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::nats_login::NatsLoginArgs;
use crate::cli::Context;
use crate::cli::context::{DONE, write_out};
use crate::error::Result;
use crate::nats::address::stream_name;
use crate::nats::subscribers::bucket_name;
use crate::nats::{Connection, StreamAddress};
use crate::pxgrid::subscription::DEPLOYMENT;

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Fleet {
    /// The stream, the workers, and what each group still has to do
    Status(Box<status::Status>),
    /// Events that no callback of a worker took: list, deliver again
    #[command(subcommand, arg_required_else_help = true)]
    Dead(dead::Dead),
    /// What accounts of a NATS server need, as the server's configuration
    Permissions(Permissions),
}

/// Which stream, and how to log in.
#[derive(Args, Debug)]
struct FleetStream {
    /// The stream: nats://HOST[,HOST…]/STREAM, or its name alone for one at NATS_URL
    #[arg(value_name = "URL", group = "stream")]
    url: String,
    #[command(flatten)]
    login: NatsLoginArgs,
}

/// Connects to the stream's servers.
async fn opened(context: &Context, stream: &FleetStream) -> Result<(Connection, StreamAddress)> {
    let address = StreamAddress::parse(&stream.url, context.settings.nats_url()?.as_deref())?;
    let mut login = stream.login.login(context)?;
    "netapi fleet".clone_into(&mut login.name);
    let connection = Connection::open(&address, login).await?;
    Ok((connection, address))
}

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid fleet permissions EVENTS
  netapi ise pxgrid fleet permissions EVENTS --for subscriber,worker,fleet \\
    > /etc/nats/netapi.conf

In the server's configuration, beside its users:
  authorization {
    include netapi.conf
    users = [
      { user: sub, password: $SECRET, permissions: $NETAPI_SUBSCRIBER }
      { user: work, password: $SECRET_2, permissions: $NETAPI_WORKER }
      { user: look, password: $SECRET_3, permissions: $NETAPI_FLEET }
    ]
  }")]
pub(crate) struct Permissions {
    /// The stream's name
    #[arg(value_name = "STREAM")]
    stream: String,
    /// The deployment's name, as `subscribe` has it
    #[arg(long, value_name = "NAME", default_value = DEPLOYMENT, value_parser = super::subscribe::deployment)]
    deployment: String,
    /// For which accounts; the server refuses what none of its users has
    #[arg(
        long = "for",
        value_name = "ROLE,…",
        value_enum,
        value_delimiter = ',',
        default_value = "subscriber"
    )]
    roles: Vec<Role>,
}

/// What an account is for.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// `subscribe --to`.
    Subscriber,
    /// `worker`.
    Worker,
    /// `fleet status` and `fleet dead`.
    Fleet,
}

impl Fleet {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Status(status) => status.run(context).await.map(|()| DONE),
            Self::Dead(dead) => dead.run(context).await,
            Self::Permissions(permissions) => permissions.run(),
        }
    }
}

impl Permissions {
    fn run(&self) -> Result<ExitCode> {
        let stream = stream_name(&self.stream)?;
        let blocks = [Role::Subscriber, Role::Worker, Role::Fleet]
            .into_iter()
            .filter(|role| self.roles.contains(role))
            .map(|role| match role {
                Role::Subscriber => self.of_subscribers(&stream),
                Role::Worker => of_workers(&stream),
                Role::Fleet => of_fleet(&stream),
            });
        write_out(&blocks.collect::<Vec<String>>().join("\n"))?;
        Ok(DONE)
    }

    fn of_subscribers(&self, stream: &str) -> String {
        let consumer = |what: &str| format!("$JS.API.CONSUMER.{what}.{stream}.>");
        let bucket = bucket_name(stream);
        let mut subjects = vec![
            format!("netapi.{}.>", self.deployment),
            format!("$JS.API.STREAM.INFO.{stream}"),
            format!("$JS.API.STREAM.MSG.GET.{stream}"),
            format!("$JS.API.STREAM.CREATE.{stream}"),
            format!("$JS.API.CONSUMER.CREATE.{stream}"),
            consumer("CREATE"),
            consumer("INFO"),
            consumer("MSG.NEXT"),
            consumer("DELETE"),
            format!("$JS.API.STREAM.CREATE.KV_{bucket}"),
            format!("$KV.{bucket}.>"),
        ];
        subjects.extend(reading_whole(&format!("KV_{bucket}")));
        let comment = format!(
            "netapi ise pxgrid subscribe --to nats://HOST/{stream}: stores events, and reads what is there.\n\
            # STREAM.CREATE.{stream} is for --create-stream alone, what has {bucket} for fleet status,\n\
            # and for subscribers to see each other: without it each takes it that others are there."
        );
        block(&comment, "SUBSCRIBER", &subjects)
    }
}

/// An account's part of the configuration.
fn block(comment: &str, name: &str, subjects: &[String]) -> String {
    let lines: Vec<String> = subjects
        .iter()
        .map(|subject| format!("      \"{subject}\""))
        .collect();
    let lines = lines.join("\n");
    format!(
        "\
# {comment}
NETAPI_{name} = {{
  publish = {{
    allow = [
{lines}
    ]
  }}
  subscribe = {{ allow = [ \"_INBOX.>\" ] }}
}}
"
    )
}

/// What reading a stream needs.
fn reading(stream: &str) -> Vec<String> {
    let mut subjects: Vec<String> = ["", ".>"]
        .map(|end| format!("$JS.API.CONSUMER.CREATE.{stream}{end}"))
        .into();
    let consumer = ["MSG.NEXT", "DELETE"];
    subjects.extend(consumer.map(|what| format!("$JS.API.CONSUMER.{what}.{stream}.>")));
    subjects.push(format!("$JS.API.STREAM.INFO.{stream}"));
    subjects
}

/// What reading a stream to its end needs.
fn reading_whole(stream: &str) -> Vec<String> {
    let mut subjects = reading(stream);
    subjects.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
    subjects
}

/// The buckets in which workers say who has what.
fn buckets(stream: &str) -> [String; 2] {
    ["members", "claims"].map(|name| format!("NETAPI_{stream}_{name}"))
}

fn of_workers(stream: &str) -> String {
    let mut subjects = reading(stream);
    subjects.extend([
        format!("$JS.API.CONSUMER.INFO.{stream}.>"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.>"),
        format!("$JS.ACK.{stream}.>"),
        format!("$JS.API.STREAM.CREATE.{stream}_DEAD"),
        format!("netapi_dead.{stream}.>"),
    ]);
    for bucket in buckets(stream) {
        subjects.extend(reading_whole(&format!("KV_{bucket}")));
        subjects.extend([
            format!("$JS.API.STREAM.CREATE.KV_{bucket}"),
            format!("$KV.{bucket}.>"),
        ]);
    }
    // For a lease that is longer than the one that the bucket was made for.
    let [members, _] = buckets(stream);
    subjects.push(format!("$JS.API.STREAM.UPDATE.KV_{members}"));
    let comment = format!("netapi ise pxgrid worker --from nats://HOST/{stream}");
    block(&comment, "WORKER", &subjects)
}

fn of_fleet(stream: &str) -> String {
    let mut subjects = reading(&format!("{stream}_DEAD"));
    subjects.extend([
        format!("$JS.API.STREAM.INFO.{stream}"),
        format!("$JS.API.STREAM.MSG.GET.{stream}"),
        format!("$JS.API.CONSUMER.LIST.{stream}"),
        format!("$JS.API.STREAM.MSG.DELETE.{stream}_DEAD"),
    ]);
    let [members, claims] = buckets(stream);
    for bucket in [members, claims, bucket_name(stream)] {
        subjects.extend(reading_whole(&format!("KV_{bucket}")));
    }
    let comment = format!("netapi ise pxgrid fleet status|dead nats://HOST/{stream}");
    block(&comment, "FLEET", &subjects)
}
