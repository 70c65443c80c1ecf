//! What ISE and the network make of the machine's actions: lookups, secrets, connections, frames
//! and REST reads that come to an end or fail as the history says.

use super::*;

impl World {
    fn fails(left: &mut u8) -> bool {
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }

    pub(super) fn act(&mut self, action: Action) {
        assert!(!self.finished, "{action:?} after the end");
        match action {
            Action::LookUp => {
                let input = if Self::fails(&mut self.fail_lookups) {
                    Input::LookupFailed(Error::new(Kind::Connect, "refused"))
                } else {
                    let node = |number| PubsubNode {
                        name: format!("node-{number}"),
                        url: format!("wss://node-{number}:8910/pxgrid/ise/pubsub"),
                    };
                    Input::LookedUp {
                        destinations: vec![TOPIC.to_owned()],
                        nodes: (0..NODES).map(node).collect(),
                    }
                };
                self.later(false, input);
            }
            Action::FetchSecret { node, .. } => {
                self.trying = usize::from(node.name == "node-1");
                let input = if Self::fails(&mut self.fail_secrets) {
                    Input::SecretFailed(Error::new(Kind::Overloaded, "503"))
                } else {
                    Input::SecretGot
                };
                self.later(true, input);
            }
            Action::Connect { .. } => {
                let refused = Self::fails(&mut self.refuse);
                let input = if refused || self.down[self.trying] {
                    let error = Error::new(Kind::Refused, "401");
                    Input::ConnectFailed { error, refused }
                } else {
                    // HTTP dates have seconds.
                    let date = (self.wall() + self.date_ahead) / 1000;
                    let date = Timestamp::from_second(date).ok();
                    Input::Connected { date }
                };
                self.later(true, input);
            }
            Action::Send(frame) => self.sent(&frame),
            Action::Ping if self.half_open => {}
            Action::Ping => self.later(true, Input::Pong),
            Action::Close => {
                self.coming.retain(|_, (dies, _)| !*dies);
                self.subscribing = false;
                self.subscribed = false;
                self.half_open = false;
            }
            Action::SetTimer { timer, after } => {
                let after = u64::try_from(after.as_millis()).unwrap();
                self.timers.insert(timer, self.now + after.max(1));
            }
            Action::Recover { id, read } => self.read(id, &read),
            Action::Emit(event) => {
                self.only_what_ended_is_told_as_such(&event);
                self.emitted.push(event);
            }
            Action::Remember(told) => self.kept.as_ref().unwrap().keep(&told),
            Action::Say(notice) => assert!(!notice.to_string().contains('\n')),
            Action::Finished(error) => {
                assert_eq!(error, None);
                self.finished = true;
            }
        }
    }

    fn only_what_ended_is_told_as_such(&self, event: &Event) {
        let goes_on = |(session, row): (&usize, &Row)| {
            let identity = format!(r#""auditSessionId":"s{session}a{}""#, row.audit);
            !row.ended && event.message.object().contains(&identity)
        };
        let told = event.event == "sessionDeleted";
        assert!(!told || !self.rows.iter().any(goes_on), "alive: {event:?}");
    }

    fn sent(&mut self, frame: &Frame) {
        use crate::pxgrid::stomp::Command;
        let answer = match frame.command {
            Command::Connect => Frame::connected(),
            Command::Subscribe => {
                self.subscribing = true;
                return;
            }
            Command::Disconnect => Frame::receipt(frame.header("receipt").unwrap()),
            _ => return,
        };
        if !self.half_open {
            self.later(true, Input::Frame(answer));
        }
    }

    fn read(&mut self, id: u64, read: &Read) {
        let after = 1 + u64::from(self.roll() % 3000);
        let recovery = read.operation == "getSessionsForRecovery";
        if recovery && !self.knows_recovery {
            let error = Error::new(Kind::Server, "unknown").status(404);
            return self.soon(after, false, Input::ReadFailed { id, error });
        }
        let since = read.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let rows: Vec<String> = self
            .rows
            .iter()
            .filter(|(_, row)| row.timestamp >= since && (recovery || !row.ended))
            .filter(|_| self.now >= self.empty_until)
            .map(|(session, row)| row.json(*session))
            .collect();
        let (first, second) = rows.split_at(rows.len() / 2);
        let (first, second) = (first.to_vec(), second.to_vec());
        let deleted = false;
        self.soon(
            after,
            false,
            Input::Rows {
                id,
                rows: first,
                deleted,
            },
        );
        if Self::fails(&mut self.fail_reads) {
            let error = Error::new(Kind::Truncated, "cut");
            return self.soon(after + 1, false, Input::ReadFailed { id, error });
        }
        self.soon(
            after + 1,
            false,
            Input::Rows {
                id,
                rows: second,
                deleted,
            },
        );
        self.soon(after + 2, false, Input::ReadDone { id });
    }
}
