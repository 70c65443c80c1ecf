//! `netapi ise mnt coa`: change of authorization, of one endpoint or of a list. The policy service
//! node is found from the session; the request is sent exactly once.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cli::Context;
use crate::cli::bulk::{Changing, ListOptions, Yes};
use crate::cli::change_under_way::{self, Attempt, Carried, Change};
use crate::cli::input::{self, MacOrList};
use crate::cli::ise::session_wait::{BEFORE, Counts, Sessions, Stamp, WaitFor, Waiting};
use crate::error::{Error, Kind, Result};
use crate::mnt::{Coa as Kinds, Holders, MntClient, psn_of};
use crate::record::{Mac, Presence, Record};
use crate::render::{Column, column};

const COLUMNS: &[Column] = &[
    column("MAC", "mac"),
    column("ACTION", "action"),
    column("SERVER", "server"),
    column("RESULT", "result"),
];

/// How long it is believed which nodes hold active sessions.
const HOLDERS_LAST: Duration = Duration::from_secs(10);

/// What the endpoint's switch or controller is told.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Authenticate again
    #[value(alias = "Reauth", alias = "reauthenticate")]
    Reauth,
    /// End the session
    #[value(alias = "Disconnect")]
    Disconnect,
    /// Take the switch port down and up again
    #[value(alias = "PortBounce", alias = "portbounce")]
    PortBounce,
    /// Shut the switch port
    #[value(alias = "PortShutdown", alias = "portshutdown")]
    PortShutdown,
}

/// Arguments.
#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("endpoint").required(true).multiple(false),
    after_help = "\
Examples:
  netapi ise mnt coa C8:5B:76:C6:59:62
  netapi ise mnt coa C8:5B:76:C6:59:62 --type port-bounce
  netapi ise mnt coa --mac C8:5B:76:C6:59:62 --action reauth
  netapi ise mnt coa C8:5B:76:C6:59:62 -t disconnect --dry-run
  netapi ise mnt coa - -t reauth --report done.jsonl < macs.txt
  netapi ise mnt coa C8:5B:76:C6:59:62 --wait-for \"posture_status=='Compliant'\"

The PSN is that of the endpoint's active session; where its latest document is
of a refused attempt, or of a session that is over, the active list tells it.
The request is never repeated. 'sent' means that the node sent it, not that the
endpoint came back: --wait-for wants its session, as `netapi ise mnt session`
shows it, to satisfy a JMESPath expression (null without a session: '!@'). The
session of before does not count, only one with another id or authenticated
anew. Where none does within --wait, the exit status is 7, and in a list the
row failed. A list has one row for each input: done, already, failed, invalid
or not-sent, and why."
)]
pub(crate) struct Coa {
    /// The endpoint's MAC address, or '-' for one a line on standard input
    #[arg(value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list)]
    mac: Option<MacOrList>,
    /// The same, as an option
    #[arg(long = "mac", value_name = "MAC", group = "endpoint", value_parser = input::mac_or_list, hide = true)]
    mac_option: Option<MacOrList>,
    /// What to do
    #[arg(
        long = "type",
        short = 't',
        alias = "action",
        value_name = "TYPE",
        ignore_case = true,
        default_value = "reauth"
    )]
    action: Action,
    /// The policy service node that sends it, when the session does not tell
    #[arg(long, value_name = "PSN")]
    server: Option<String>,
    #[command(flatten)]
    back: WaitFor,
    /// With --wait-for: how long
    #[arg(long, value_name = "DURATION", default_value = "60s", requires = "wait_for", value_parser = input::some_time, hide_short_help = true)]
    wait: Duration,
    #[command(flatten)]
    list: ListOptions,
    #[command(flatten)]
    yes: Yes,
}

impl Coa {
    /// Finds the node, sends once, reads the result.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let Some(endpoint) = self.mac.or(self.mac_option) else {
            return Err(Error::usage("no MAC address given"));
        };
        let client = context.mnt_that_reads()?;
        let sessions = Sessions::Mnt(client.clone());
        let coa = Authorization {
            action: self.action,
            server: self.server,
            look_up: !context.global.curl,
            back: self.back.waiting(sessions, self.wait),
            holders: Mutex::default(),
            client,
        };
        let mac = match endpoint {
            MacOrList::One(mac) => mac,
            MacOrList::List => {
                let changing = Changing {
                    change: &coa,
                    options: &self.list,
                    yes: self.yes,
                };
                return changing.run(context).await;
            }
        };
        self.list.for_one()?;
        let output = context.before_change(COLUMNS, &[])?;
        let attempt = Attempt::default();
        let look = |answer: Option<&Value>| coa.look(mac, answer);
        let carrying = coa.carry_out(mac, &attempt);
        let carried = change_under_way::alone(&attempt, &coa.what(mac), look, carrying).await?;
        context.print_change(output, &carried.record)
    }
}

/// A change of authorization of one endpoint, whose node its session tells.
pub(in crate::cli::ise) fn alone(client: MntClient, kind: Kinds) -> impl Change {
    Authorization {
        client,
        action: match kind {
            Kinds::Reauth => Action::Reauth,
            Kinds::Disconnect => Action::Disconnect,
            Kinds::PortBounce => Action::PortBounce,
            Kinds::PortShutdown => Action::PortShutdown,
        },
        server: None,
        look_up: true,
        back: None,
        holders: Mutex::default(),
    }
}

/// One kind of change of authorization.
struct Authorization {
    client: MntClient,
    action: Action,
    server: Option<String>,
    /// Whether the session may be asked for its node.
    look_up: bool,
    /// What its session is to be afterwards.
    back: Option<Waiting<'static>>,
    /// Which nodes hold active sessions, and when that was asked for.
    holders: Mutex<Option<(Instant, Holders)>>,
}

impl Authorization {
    fn name(&self) -> String {
        let value = self.action.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The session as it is, and the node that holds it.
    async fn node(&self, mac: Mac) -> Result<(Option<Record>, String)> {
        // Only a lookup could tell (contract, section 8).
        if !self.look_up {
            let unknown = || "PSN-OF-THE-SESSION".to_owned();
            return Ok((None, self.server.clone().unwrap_or_else(unknown)));
        }
        let Some(server) = &self.server else {
            let answer = self.client.session_by_mac(mac).await;
            let session = answer.map_err(|error| no_session(error, mac))?.record;
            let server = psn_of(&session, mac)?;
            let server = match server {
                Some(server) => server,
                None => self.holder(&session, mac).await?,
            };
            return Ok((Some(session), server));
        };
        let session = match &self.back {
            Some(back) => back.sessions.of(mac).await?,
            None => None,
        };
        Ok((session, server.clone()))
    }

    /// The node that holds the endpoint's active session, by the active list; `latest` is its
    /// document, which is not of an active session. A list that was just read serves many
    /// endpoints.
    async fn holder(&self, latest: &Record, mac: Mac) -> Result<String> {
        let mut read = self.holders.lock().await;
        let holders = match read.take() {
            Some((at, holders)) if at.elapsed() < HOLDERS_LAST => (at, holders),
            _ => {
                let before = Instant::now();
                (before, self.client.holders().await?)
            }
        };
        let holder = holders.1.of(mac);
        *read = Some(holders);
        let none = || {
            let latest = match latest.presence() {
                Presence::Refused => "its last attempt was refused",
                Presence::Ended => "its last one is over",
                Presence::Active => "its document does not tell that it has one",
            };
            let message = format!("no active session of {mac}: {latest}");
            no_session(Error::new(Kind::NotFound, message), mac)
        };
        holder?.ok_or_else(none)
    }

    fn carried(&self, mac: Mac, server: &str, answer: Value, seen: Option<Value>) -> Carried {
        let mut record = json!({
            "mac": mac.to_string(),
            "action": self.name(),
            "server": server,
            "result": if seen.is_some() { "satisfied" } else { "sent" },
        });
        let mut reason = format!("sent by {server}");
        if let (Some(seen), Some(members)) = (seen, record.as_object_mut()) {
            reason.push_str(", and its session is as wanted");
            members.insert("seen".to_owned(), seen);
        }
        Carried {
            already: false,
            reason: Some(reason),
            answer: Some(answer),
            record: Record::from_value(record),
        }
    }
}

impl Change for Authorization {
    fn command(&self) -> String {
        format!("coa {}", self.name())
    }

    fn question(&self) -> String {
        format!("Send a change of authorization ({}) to", self.name())
    }

    fn what(&self, mac: Mac) -> String {
        format!("the change of authorization ({}) of {mac}", self.name())
    }

    fn look(&self, mac: Mac, answer: Option<&Value>) -> String {
        if let (Some(back), Some(answer)) = (&self.back, answer) {
            let counts = Counts::read(answer.get(BEFORE));
            return format!("ask again with `{}`", back.command(mac, &counts));
        }
        format!(
            "look with `netapi ise mnt session {mac}` and `netapi ise mnt auth-status {mac}` before you send it again"
        )
    }

    async fn carry_out(&self, mac: Mac, attempt: &Attempt<'_>) -> Result<Carried> {
        let kind = match self.action {
            Action::Reauth => Kinds::Reauth,
            Action::Disconnect => Kinds::Disconnect,
            Action::PortBounce => Kinds::PortBounce,
            Action::PortShutdown => Kinds::PortShutdown,
        };
        let (session, server) = self.node(mac).await?;
        let request = self.client.requests().coa(mac, kind, &server)?;
        attempt.sending()?;
        let answer = self.client.coa(request).await.map_err(|error| {
            let message = format!("{} (PSN {server})", error.message());
            error.reworded(message)
        })?;
        let answer = answer.record.to_value();
        let Some(back) = &self.back else {
            attempt.settled();
            return Ok(self.carried(mac, &server, answer, None));
        };
        let counts = Counts::Unlike(session.as_ref().map(Stamp::of));
        attempt.waits(json!({ BEFORE: counts.json(), "server": server, "answer": answer }));
        let session = back.until(mac, &counts).await?;
        attempt.settled();
        let seen = back.condition.facts(session.as_ref());
        Ok(self.carried(mac, &server, answer, Some(seen)))
    }

    async fn ask_again(&self, mac: Mac, answer: &Value) -> Option<Result<Carried>> {
        let back = self.back.as_ref()?;
        let counts = Counts::read(Some(answer.get(BEFORE)?));
        let server = answer.get("server").and_then(Value::as_str)?;
        let sent = answer.get("answer").cloned().unwrap_or_default();
        let found = back.until(mac, &counts).await;
        Some(found.map(|session| {
            let seen = back.condition.facts(session.as_ref());
            self.carried(mac, server, sent, Some(seen))
        }))
    }
}

fn no_session(error: Error, mac: Mac) -> Error {
    if error.kind() == Kind::NotFound {
        return error.hint(format!(
            "a change of authorization needs a session; `netapi ise mnt explain {mac}` shows the last attempts"
        ));
    }
    error
}
