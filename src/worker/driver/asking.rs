//! One action of the machine, said to the servers, and what was heard.

use tokio::sync::mpsc;

use super::{LONGEST_PULL, Parts};
use crate::error::Error;
use crate::nats::bucket::Written;
use crate::nats::consumer::{ConsumerState, PartitionConsumer, Pulled, Saying};
use crate::worker::machine::Action;
use crate::worker::values::ClaimValue;
use crate::worker::{Moment, moment};

/// What was heard.
pub(super) enum Heard {
    Renewed(Moment, bool),
    Wrote(u32, Written),
    Confirmed(String, Result<Option<u64>, ()>),
    Asked(u32, u64, Option<ConsumerState>),
    Delivered(u32, Moment, Pulled),
    PullEnded(u32, bool),
    Acked(u32, u64, bool),
    Progressed(u32, u64, Moment, bool),
    Buried(u32, u64, Result<(), String>),
    /// It cannot go on.
    Broken(Error),
}

/// Asks a partition for events, each of which is told; then, that the pull ended.
pub(super) async fn pull(
    parts: &Parts,
    tell: &mpsc::UnboundedSender<Heard>,
    partition: u32,
    count: usize,
) -> Option<Heard> {
    let sent = moment();
    let expires = LONGEST_PULL.min(parts.lease / 4);
    let pulling = consumer(parts, partition)?.pull(count, expires, |pulled| {
        // Nobody listens at the end.
        let _gone = tell.send(Heard::Delivered(partition, sent, pulled));
    });
    Some(Heard::PullEnded(partition, pulling.await))
}

/// Says or asks something; what was answered, where an answer is wanted.
pub(super) async fn ask(parts: &Parts, action: Action) -> Option<Heard> {
    Some(match action {
        Action::Claim {
            partition,
            ours,
            expected,
            before,
        } => {
            let value = ClaimValue {
                owner: ours.then(|| parts.me.clone()),
                done_to: before.done_to,
                marks: before.marks,
            };
            let key = format!("{}.{partition}", parts.group);
            let value = serde_json::to_string(&value).unwrap_or_default();
            Heard::Wrote(partition, parts.claims.put_if(&key, value, expected).await)
        }
        Action::Confirm(member) => {
            let key = format!("{}.{member}", parts.group);
            let found = parts.members.revision(&key).await;
            Heard::Confirmed(member, found)
        }
        Action::Ask {
            partition,
            question,
        } => match consumer(parts, partition)?.state().await {
            Ok(state) => Heard::Asked(partition, question, state),
            Err(error) => Heard::Broken(error),
        },
        Action::Ack(receipt) => {
            let heard = parts.connection.say(&receipt.reply, Saying::Done).await;
            Heard::Acked(receipt.partition, receipt.sequence, heard)
        }
        Action::Progress(receipt) => {
            let sent = moment();
            let heard = parts.connection.say(&receipt.reply, Saying::UnderWay).await;
            Heard::Progressed(receipt.partition, receipt.sequence, sent, heard)
        }
        Action::HandBack(reply) => {
            // Should it be lost, it comes to its new owner later.
            let _heard = parts.connection.say(&reply, Saying::HandedBack).await;
            return None;
        }
        Action::Bury(receipt, id, letter) => {
            let (partition, sequence) = (receipt.partition, receipt.sequence);
            let event = (sequence, id);
            let stored = parts.dead.store(&parts.group, partition, event, letter);
            Heard::Buried(partition, sequence, stored.await)
        }
        Action::Renew { .. }
        | Action::Pull(..)
        | Action::Offer(..)
        | Action::Settled(_)
        | Action::Lost => return None,
    })
}

fn consumer(parts: &Parts, partition: u32) -> Option<&PartitionConsumer> {
    parts.consumers.get(usize::try_from(partition).ok()?)
}
