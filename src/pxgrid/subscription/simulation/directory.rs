//! A publisher that restarts with its directory: for a while the list of sessions lacks some that
//! go on. None of them may be told as ended, and all that did end are told in the end.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::pxgrid::subscription::topic::CONFIRM;

/// One session, as the directory has it after the restart.
#[derive(Debug, Clone, Copy)]
enum Listed {
    /// It ended unseen.
    Never,
    /// After so many seconds.
    After(u64),
}

/// The machine, its clock, and what it wants next.
struct Subscriber {
    machine: Subscription,
    now: Duration,
    timer: Option<Duration>,
    read: Option<(u64, Read)>,
    told: BTreeSet<usize>,
}

impl Subscriber {
    fn give(&mut self, input: Input) {
        let moment = Moment {
            elapsed: self.now,
            wall: Timestamp::from_millisecond(EPOCH).unwrap() + self.now,
            random: u32::MAX,
        };
        let mut out = Vec::new();
        self.machine.handle(moment, input, &mut out);
        for action in out {
            match action {
                Action::SetTimer {
                    timer: Timer::Confirm(_),
                    after,
                } => self.timer = Some(self.now + after),
                Action::Recover { id, read } => self.read = Some((id, read)),
                Action::Emit(event) if event.event == "sessionDeleted" => {
                    let text = event.message.object().to_owned();
                    let number = text.split("00:00:00:00:").nth(1).unwrap();
                    let number = usize::from_str_radix(&number[..5].replace(':', ""), 16).unwrap();
                    assert!(self.told.insert(number), "twice: {text}");
                }
                _ => {}
            }
        }
    }

    fn message(&mut self, body: String) {
        self.give(Input::Frame(Frame::message("0", TOPIC, 1, None, body)));
    }
}

fn row(number: usize) -> String {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    let timestamp = Timestamp::from_millisecond(EPOCH).unwrap();
    format!(
        r#"{{"timestamp":"{timestamp}","state":"STARTED","macAddress":"00:00:00:00:{high:02X}:{low:02X}","auditSessionId":"s{number}"}}"#
    )
}

fn listed() -> impl Strategy<Value = Vec<Listed>> {
    let minutes = CONFIRM.as_secs() - 5;
    let one = move |hidden: u32, ended: u32| {
        prop_oneof![
            10 => Just(Listed::After(0)),
            hidden => (1..minutes).prop_map(Listed::After),
            ended => Just(Listed::Never),
        ]
    };
    (0_u32..100, 0_u32..20, 2_usize..60)
        .prop_flat_map(move |(hidden, ended, count)| {
            proptest::collection::vec(one(hidden + 1, ended + 1), count)
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn who_is_alive_is_not_ended_and_who_is_not_is(directory in listed(), pause in 0_u64..300) {
        let ended = |one: &&Listed| matches!(one, Listed::Never);
        let late = |one: &&Listed| matches!(one, Listed::After(after) if *after > 0);
        let (ended, late) = (
            directory.iter().filter(ended).count(),
            directory.iter().filter(late).count(),
        );
        // What lacks only a few is believed: that is the bound of what can be known.
        prop_assume!(late == 0 || (ended + late) * 5 > directory.len() && ended + late > 1);

        let mut all = Subscriber {
            machine: Subscription::new(SubscriptionOptions::default(), Vec::new()).unwrap(),
            now: Duration::ZERO,
            timer: None,
            read: None,
            told: BTreeSet::new(),
        };
        all.give(Input::Started);
        all.give(Input::LookedUp {
            destinations: vec![TOPIC.to_owned()],
            nodes: vec![PubsubNode { name: "n".to_owned(), url: String::new() }],
        });
        all.give(Input::SecretGot);
        all.give(Input::Connected { date: None });
        all.give(Input::Frame(Frame::connected()));
        all.give(Input::Pong);
        let rows: Vec<String> = (0..directory.len()).map(row).collect();
        all.message(format!(r#"{{"sequence":7,"sessions":[{}]}}"#, rows.join(",")));
        all.now += Duration::from_secs(pause);
        let restart = all.now;
        all.message(r#"{"sequence":0,"sessions":[]}"#.to_owned());

        for _ in 0..100 {
            while let Some((id, _)) = all.read.take() {
                let since = all.now.saturating_sub(restart).as_secs();
                let shown = |one: &Listed| matches!(one, Listed::After(after) if *after <= since);
                let rows = (0..directory.len()).filter(|number| shown(&directory[*number]));
                let rows = rows.map(row).collect();
                all.give(Input::Rows { id, rows, deleted: false });
                all.give(Input::ReadDone { id });
                all.give(Input::Fired(Timer::CatchUp(0)));
            }
            let Some(at) = all.timer.take() else { break };
            all.now = at;
            all.give(Input::Fired(Timer::Confirm(0)));
        }
        let gone: BTreeSet<usize> = (0..directory.len())
            .filter(|number| matches!(directory[*number], Listed::Never))
            .collect();
        prop_assert_eq!(&all.told, &gone);
        prop_assert!(all.machine.is_at_rest());
    }
}
