//! `LAB_VALUES` and `LAB_ROWS`: views that no ISE has, for tests of clients. The first has every
//! kind of value, the second two million rows of about 280 bytes.

use std::fmt::Write;

use super::{Clock, Hints, Row, Rows};
use crate::lab::data_connect::sql::World;
use crate::lab::data_connect::sql::decimal::Decimal;
use crate::lab::data_connect::sql::value::{DAY, Value, Zone};

/// 2026-11-24 03:04:05.250 UTC.
const MOMENT: i64 = 1_795_489_445_250_000;
const ROWS: u64 = 2_000_000;

/// One of five rows: full, empty, short, long, odd.
struct Values(u64);

impl Row for Values {
    fn value(&self, column: &str) -> Value {
        let Self(number) = *self;
        if column == "ID" {
            return Value::from(number);
        }
        if number == 2 {
            return Value::Null;
        }
        let text = |text: &str, times: usize| Value::from(text.repeat(times));
        match (column, number) {
            ("TEXT", 1) => Value::from("häuser & \"quotes\""),
            ("TEXT", 4) => text("x", 3900),
            ("TEXT", 5) => Value::from("=1+1\u{202e}\n\tend"),
            ("TEXT", _) => Value::from("x"),
            ("LONG_TEXT", 4) => text("0123456789", 3276),
            ("LONG_TEXT", _) => Value::from("short"),
            ("FIXED", _) => Value::from("fixed   "),
            ("AMOUNT", _) => {
                let amounts = [
                    "-12.5",
                    "0",
                    "0.001",
                    "12345678901234567890123456789012345678",
                ];
                let index = usize::try_from(number.saturating_sub(2)).unwrap_or(0);
                let amount = amounts.get(index).and_then(|text| Decimal::parse(text));
                amount.map_or(Value::Null, Value::Number)
            }
            ("DAY", _) => Value::Date(MOMENT - 250_000),
            ("MOMENT", 3) => Value::Timestamp(MOMENT - 250_000),
            ("MOMENT", _) => Value::Timestamp(MOMENT),
            ("MOMENT_AT_OFFSET", 3) => Value::Zoned(MOMENT, Zone::Offset(-210)),
            ("MOMENT_AT_OFFSET", _) => Value::Zoned(MOMENT, Zone::Offset(60)),
            ("MOMENT_IN_REGION", _) => Value::Zoned(MOMENT, Zone::Region(super::REGION, 60)),
            ("LENGTH", _) => Value::Interval(DAY + 3_723_500_000),
            ("RAW_BYTES", _) => Value::Bytes(vec![0, 1, 254, 255]),
            ("NOTES", 4) => text("0123456789", 10_000),
            ("NOTES", _) => Value::from("a note"),
            ("PICTURE", 4) => Value::Bytes((0..=255).cycle().take(70_000).collect()),
            ("PICTURE", _) => Value::Bytes(vec![0x89, b'P', b'N', b'G']),
            ("BROKEN_TEXT", 5) => Value::Text(b"caf\xE9 \xFF\xFE end".to_vec()),
            ("BROKEN_TEXT", _) => Value::from("whole"),
            _ => Value::Null,
        }
    }
}

const MESSAGE: &str = " authentication succeeded on the wired port of this building, \
     and nothing else is to be told of it. \
     and nothing else is to be told of it. and nothing else is to be told of it. ";

struct Numbered {
    number: u64,
    clock: Clock,
}

impl Row for Numbered {
    fn value(&self, column: &str) -> Value {
        let number = self.number;
        match column {
            "N" => Value::from(number),
            "LOGGED_AT" => {
                let offset = i64::try_from(number).unwrap_or(0);
                self.clock.local(MOMENT / 1000 + offset)
            }
            "MAC_ADDRESS" => {
                let [_, _, _, _, _, a, b, c] = number.to_be_bytes();
                Value::from(format!("02:00:5E:{a:02X}:{b:02X}:{c:02X}"))
            }
            "USERNAME" => Value::from(format!("user.{number:07}@lab.example")),
            "DEVICE_NAME" => Value::from(format!("sw-lab-{:02}.lab.example", number / 100 % 40)),
            "MESSAGE" => {
                // Formatting all of it would take most of a row's time.
                let mut text = String::with_capacity(200);
                let _ = write!(text, "{number:09}");
                text.push_str(MESSAGE);
                Value::from(text)
            }
            _ => Value::Null,
        }
    }
}

pub(super) fn rows(name: &str, world: &World, _: &Hints) -> Option<Rows> {
    match name {
        "LAB_VALUES" => Some(Box::new(
            (1..=5).map(|number| Box::new(Values(number)) as Box<dyn Row>),
        )),
        "LAB_ROWS" => {
            let clock = Clock::of(world);
            Some(Box::new((1..=ROWS).map(move |number| {
                let clock = clock.clone();
                Box::new(Numbered { number, clock }) as Box<dyn Row>
            })))
        }
        _ => None,
    }
}
