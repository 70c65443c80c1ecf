//! What does a [`Machine`](super::machine::Machine)'s actions and tells it what was heard. It decides nothing.
//!
//! The machine is behind a lock, since what may begin is asked from the threads that run callbacks;
//! everything else happens on the runtime that it was started on.

mod asking;
mod shared;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::machine::Action;
use super::values::{ClaimValue, MemberValue};
use super::{Moment, moment};
use crate::delivery::{Deliverer, Listener, Stop};
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::nats::Connection;
use crate::nats::bucket::{Bucket, News, Put};
use crate::nats::consumer::PartitionConsumer;
use crate::nats::dead::DeadStream;
use asking::{Heard, ask, pull};
pub use shared::Shared;

/// How often time passes for the machine.
const TICK: Duration = Duration::from_millis(50);

/// How long the server keeps a pull: what is handed over waits for its end.
const LONGEST_PULL: Duration = Duration::from_secs(1);

/// Changes of what is ours are said together when nothing changed for so long.
const QUIET: Duration = Duration::from_millis(700);

/// How long removing our key may take at the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long handing over may take when nothing runs any more.
const HAND_OVER: Duration = Duration::from_secs(5);

/// How long, when we are leaving, what is done may wait for the server to hear of it.
const HEARING: Duration = Duration::from_secs(2);

/// Most kinds of refusals that are said.
const REFUSALS: usize = 16;

/// What a worker needs from outside.
pub struct Parts {
    /// The connection.
    pub connection: Connection,
    /// The bucket of members.
    pub members: Bucket,
    /// The bucket of claims.
    pub claims: Bucket,
    /// One a partition, in their order.
    pub consumers: Vec<PartitionConsumer>,
    /// Where dead letters go.
    pub dead: DeadStream,
    /// The group's name.
    pub group: String,
    /// Our name among the members.
    pub me: String,
    /// How long a lease is.
    pub lease: Duration,
    /// What we say of ourselves, but for the figures.
    pub value: MemberValue,
    /// Who hears what there is to say.
    pub listener: Arc<dyn Listener>,
}

/// See the module's documentation.
pub struct Driver {
    parts: Arc<Parts>,
    shared: Arc<Shared>,
    deliverer: Arc<Deliverer>,
    tasks: JoinSet<()>,
    tell: mpsc::UnboundedSender<Heard>,
    heard: mpsc::UnboundedReceiver<Heard>,
    members: mpsc::UnboundedReceiver<News>,
    claims: mpsc::UnboundedReceiver<News>,
    /// Whether all members were told once.
    members_known: bool,
    /// Whether all claims were told since their watch began.
    claims_complete: bool,
    said: Said,
    refusals: Refusals,
    /// When we were asked to leave.
    leave: Arc<Notify>,
    leaving: bool,
}

/// What was said of how we stand.
#[derive(Default)]
struct Said {
    partitions: usize,
    members: usize,
    /// What is to be said, and since when it is so.
    next: Option<(usize, usize, Moment)>,
    /// Whether a lease ran out and that was said.
    lost: bool,
    /// Why dead letters cannot be stored, as it was said last.
    not_buried: Option<String>,
    unreadable: bool,
}

/// What was heard of permissions.
#[derive(Default)]
struct Refusals {
    /// Whether we have joined at some time.
    joined: bool,
    /// The kinds that were said.
    said: BTreeSet<String>,
}

impl Driver {
    /// A worker that joins when it is run. Inside a runtime.
    pub fn new(
        parts: Parts,
        shared: Arc<Shared>,
        deliverer: Arc<Deliverer>,
        leave: Arc<Notify>,
    ) -> Self {
        let (tell, heard) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut watch = |bucket: &Bucket| {
            let (tell, news) = mpsc::unbounded_channel();
            let (bucket, filter) = (bucket.clone(), format!("{}.>", parts.group));
            tasks.spawn(async move { bucket.watch(&filter, tell).await });
            news
        };
        Self {
            members: watch(&parts.members),
            claims: watch(&parts.claims),
            parts: Arc::new(parts),
            shared,
            deliverer,
            tasks,
            tell,
            heard,
            members_known: false,
            claims_complete: false,
            said: Said::default(),
            refusals: Refusals::default(),
            leave,
            leaving: false,
        }
    }

    /// Works until it was asked to leave and has handed over everything, or delivery ended.
    ///
    /// Errors: what it cannot go on after.
    pub async fn run(mut self) -> Result<()> {
        let leave = Arc::clone(&self.leave);
        let mut failure = None;
        // When nothing ran any more and all that was left was to hand over.
        let mut idle_since: Option<Moment> = None;
        let mut leaving_since: Option<Moment> = None;
        let mut tick_at = Moment::ZERO;
        loop {
            let over = self.leaving && self.deliverer.is_over();
            let left = {
                let mut machine = self.shared.machine();
                let now = moment();
                if now >= tick_at {
                    machine.tick(now);
                    tick_at = now + TICK;
                }
                machine.has_left()
            };
            self.perform().await?;
            if self.leaving {
                let since = *leaving_since.get_or_insert_with(moment);
                if moment().saturating_sub(since) > HEARING {
                    // No other event begins any more: nobody need wait for an answer.
                    self.shared.settle(None);
                }
            }
            if self.leaving && (left || over) {
                let since = *idle_since.get_or_insert_with(moment);
                let waited = moment().saturating_sub(since);
                let hopeless = !self.parts.connection.stands() || waited > HAND_OVER;
                if left || hopeless {
                    break;
                }
            }
            self.say();
            self.say_refusals(&mut failure);
            tokio::select! {
                Some(heard) = self.heard.recv() => {
                    self.hear(heard, &mut failure);
                    while let Ok(heard) = self.heard.try_recv() {
                        self.hear(heard, &mut failure);
                    }
                }
                Some(news) = self.members.recv() => self.hear_members(news),
                Some(news) = self.claims.recv() => self.hear_claims(news),
                () = leave.notified() => self.begin_leaving(),
                () = self.deliverer.over(), if !self.leaving => self.begin_leaving(),
                () = self.shared.wake.notified() => {}
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    while self.tasks.try_join_next().is_some() {}
                }
                () = sleep(tick_at.saturating_sub(moment())) => {}
            }
            if let (Some(error), false) = (&failure, self.leaving) {
                if self.shared.standing().in_hand > 0 {
                    self.notice(&format!(
                        "{error}: what runs is finished, and nothing more begins"
                    ));
                }
                self.begin_leaving();
                self.deliverer.stop(Stop::Finish);
            }
        }
        let left = self.shared.machine().has_left();
        if left {
            let key = self.member_key();
            let _late = tokio::time::timeout(GOODBYE, self.parts.members.remove(&key)).await;
        } else {
            self.notice(
                "what was ours could not be handed over: others take it when our lease is over",
            );
        }
        failure.map_or(Ok(()), Err)
    }

    fn begin_leaving(&mut self) {
        self.leaving = true;
        self.shared.machine().leave(moment());
    }

    fn notice(&self, text: &str) {
        self.parts.listener.notice(text);
    }

    fn member_key(&self) -> String {
        format!("{}.{}", self.parts.group, self.parts.me)
    }

    /// Does what the machine wants done.
    async fn perform(&mut self) -> Result<()> {
        let actions = self.shared.machine().take_actions();
        let mut offered = Vec::new();
        for action in actions {
            match action {
                Action::Offer(_, event) => offered.push(event),
                Action::Settled(number) => self.shared.settle(Some(number)),
                Action::Lost => {
                    if !self.said.lost && !self.leaving {
                        self.said = Said {
                            lost: true,
                            ..Said::default()
                        };
                        let connection = &self.parts.connection;
                        let why = if connection.stands() {
                            "not renewed in time by"
                        } else {
                            "no connection to"
                        };
                        self.notice(&format!(
                            "our lease ran out, {why} NATS at {}; nothing begins until we have joined again, and that is tried all the time",
                            connection.hosts()
                        ));
                    }
                }
                action => self.begin(action),
            }
        }
        if !offered.is_empty() {
            self.deliverer
                .offer_batch(offered, Progress::default())
                .await?;
        }
        Ok(())
    }

    /// Begins one action; its answer comes as [`Heard`].
    fn begin(&mut self, action: Action) {
        let parts = Arc::clone(&self.parts);
        let tell = self.tell.clone();
        let value = matches!(action, Action::Renew { .. }).then(|| self.value());
        let key = self.member_key();
        self.tasks.spawn(async move {
            let heard = match (action, value) {
                (Action::Renew { leaving }, Some(value)) => {
                    let value = MemberValue { leaving, ..value };
                    let sent = moment();
                    let value = serde_json::to_string(&value).unwrap_or_default();
                    let done = parts.members.put(&key, value).await == Put::Done;
                    Some(Heard::Renewed(sent, done))
                }
                (Action::Pull(partition, count), _) => pull(&parts, &tell, partition, count).await,
                (action, _) => ask(&parts, action).await,
            };
            if let Some(heard) = heard {
                // Nobody listens at the end.
                let _gone = tell.send(heard);
            }
        });
    }

    /// What we say of ourselves.
    fn value(&self) -> MemberValue {
        let figures = self.deliverer.counters().figures();
        let standing = self.shared.standing();
        MemberValue {
            partitions: standing.partitions as u64,
            in_hand: standing.in_hand as u64,
            repeated: standing.repeated,
            delivered: figures.delivered,
            failed: figures.failed,
            ..self.parts.value.clone()
        }
    }

    fn hear(&mut self, heard: Heard, failure: &mut Option<Error>) {
        let now = moment();
        let shared = Arc::clone(&self.shared);
        let mut machine = shared.machine();
        match heard {
            Heard::Renewed(sent, done) => machine.renewed(sent, done, now),
            Heard::Wrote(partition, written) => machine.wrote(partition, written, now),
            Heard::Confirmed(member, found) => machine.confirmed(&member, found, now),
            Heard::Asked(partition, question, state) => {
                machine.asked(partition, question, state, now);
            }
            Heard::Delivered(partition, sent, pulled) => {
                let sequence = pulled.sequence;
                let unreadable = pulled.event.is_none();
                machine.delivered(partition, pulled, sent, now);
                drop(machine);
                if unreadable && !std::mem::replace(&mut self.said.unreadable, true) {
                    self.notice(&format!(
                        "message {sequence} of the stream is no event, and is left out; further ones are not said"
                    ));
                }
            }
            Heard::PullEnded(partition, well) => machine.pull_ended(partition, well, now),
            Heard::Acked(partition, sequence, heard) => {
                machine.acked(partition, sequence, heard, now);
            }
            Heard::Progressed(partition, sequence, sent, heard) => {
                machine.progressed(partition, sequence, sent, heard, now);
            }
            Heard::Buried(partition, sequence, stored) => {
                machine.buried(partition, sequence, stored.is_ok(), now);
                drop(machine);
                match stored {
                    Ok(()) => self.said.not_buried = None,
                    Err(why) if self.said.not_buried.as_ref() != Some(&why) => {
                        self.notice(&format!(
                            "a dead letter cannot be stored ({why}); it is tried until it is"
                        ));
                        self.said.not_buried = Some(why);
                    }
                    Err(_) => {}
                }
            }
            Heard::Broken(error) => {
                failure.get_or_insert(error);
            }
        }
    }

    fn hear_members(&mut self, news: News) {
        let now = moment();
        let prefix = format!("{}.", self.parts.group);
        let mut machine = self.shared.machine();
        match news {
            News::Began => {}
            News::Complete => {
                let known = std::mem::replace(&mut self.members_known, true);
                if known {
                    machine.members_told_anew(now);
                } else if self.claims_complete {
                    machine.view_complete(now);
                }
            }
            News::Entry(entry) => {
                let Some(name) = entry.key.strip_prefix(&prefix) else {
                    return;
                };
                let told = entry.value.and_then(|value| {
                    let value: MemberValue = serde_json::from_slice(&value).ok()?;
                    Some((Duration::from_millis(value.lease), value.leaving))
                });
                machine.member(name, entry.revision, told, now);
            }
        }
    }

    fn hear_claims(&mut self, news: News) {
        let now = moment();
        let prefix = format!("{}.", self.parts.group);
        let mut machine = self.shared.machine();
        match news {
            News::Began => {
                self.claims_complete = false;
                machine.view_began();
            }
            News::Complete => {
                self.claims_complete = true;
                if self.members_known {
                    machine.view_complete(now);
                }
            }
            News::Entry(entry) => {
                let partition = entry.key.strip_prefix(&prefix);
                let Some(partition) = partition.and_then(|text| text.parse().ok()) else {
                    return;
                };
                let value = entry.value.as_deref();
                machine.claim(partition, ClaimValue::claim(entry.revision, value), now);
            }
        }
    }

    /// Says once of each kind what permissions forbid. Who may not even join fails.
    fn say_refusals(&mut self, failure: &mut Option<Error>) {
        self.refusals.joined |= self.shared.standing().sure;
        for text in self.parts.connection.refusals() {
            // What may not be removed goes by itself.
            let harmless = text.contains(".CONSUMER.DELETE.");
            let said = &mut self.refusals.said;
            if harmless || said.len() >= REFUSALS || !said.insert(kind_of_refusal(&text)) {
                continue;
            }
            let connection = &self.parts.connection;
            if !self.refusals.joined && text.contains("\"$KV.") {
                failure.get_or_insert(connection.no_permission("joining the group", &text));
                return;
            }
            self.notice(&format!(
                "{} forbids what a worker does: {text}; `netapi ise pxgrid fleet permissions STREAM --for worker` prints what it needs",
                connection.hosts()
            ));
        }
    }

    /// Says what is ours, when it has not changed for a moment.
    fn say(&mut self) {
        let now = moment();
        let standing = self.shared.standing();
        if !standing.sure || self.leaving {
            return;
        }
        let (partitions, members) = (standing.partitions, standing.members);
        if (partitions, members) == (self.said.partitions, self.said.members) {
            self.said.next = None;
            return;
        }
        let since = match self.said.next {
            Some((p, m, since)) if (p, m) == (partitions, members) => since,
            _ => {
                self.said.next = Some((partitions, members, now));
                now
            }
        };
        if now < since + QUIET {
            return;
        }
        (self.said.partitions, self.said.members) = (partitions, members);
        self.said.next = None;
        self.said.lost = false;
        let all = self.parts.consumers.len();
        let workers = match members {
            1 => "1 worker".to_owned(),
            count => format!("{count} workers"),
        };
        self.notice(&format!(
            "{partitions} of {all} partitions are ours; the group {} has {workers}",
            self.parts.group
        ));
    }
}

/// A refusal without what differs from message to message: the first two words of its subject.
fn kind_of_refusal(text: &str) -> String {
    let dots = text.match_indices('.').map(|(at, _)| at);
    let end = dots.take(2).last().unwrap_or(text.len());
    text.get(..end).unwrap_or(text).to_owned()
}

impl Drop for Driver {
    fn drop(&mut self) {
        // An endpoint that is free would go on before the server has heard.
        self.deliverer.stop(Stop::Finish);
        self.shared.settle(None);
    }
}
