//! The client's messages: what is sent ([`sent`]), what real servers answer ([`real`]), and what is
//! read of made answers here.

mod real;
mod sent;

use super::answer::{Answers, Message};
use super::reader::Reader;

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let digits = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Two rows, of which the second has the first's text, with a server's addition between them.
const ANSWER: &str = "10070000000000000001640102000100000001640000000002036901016400010101010141000000\
     00020000000116000000000000000001010101014200000000000000000000060000000000000007\
     017802c102170700150101020702c103040101000000000001070000000000000000000000000000\
     0000000000000002057b00184f52412d30313430333a206e6f206461746120666f756e64";

#[test]
fn an_answer_is_read_the_same_wherever_packets_part_it() {
    let answer = bytes(ANSWER);
    for split in 0..=answer.len() {
        let mut answers = Answers::new(12);
        let mut rows = Vec::new();
        let (mut at, mut there, mut ended) = (0, split, false);
        while !ended {
            let mut reader = Reader::new(&answer[at..there]);
            match answers.next(&mut reader) {
                Ok(message) => {
                    at += reader.position();
                    match message {
                        Message::Row => rows.push((
                            answers.row.value(0).map(<[u8]>::to_vec),
                            answers.row.value(1).map(<[u8]>::to_vec),
                        )),
                        Message::Ended(end) => {
                            assert!(end.exhausted && end.cursor == 7);
                            ended = true;
                        }
                        Message::Described | Message::Aside => {}
                    }
                }
                Err(super::reader::Fault::Incomplete(needed)) => {
                    assert!(there < answer.len() && needed > there - at);
                    there = answer.len();
                }
                Err(fault) => panic!("{split}: {fault:?}"),
            }
        }
        assert_eq!(
            rows,
            [
                (Some(b"x".to_vec()), Some(vec![193, 2])),
                (Some(b"x".to_vec()), Some(vec![193, 3])),
            ]
        );
    }
}

#[test]
fn a_million_columns_are_refused() {
    // A description, its count, and nothing behind it.
    let lies = bytes("10000164030f4240");
    let mut answers = Answers::new(12);
    let read = answers.next(&mut Reader::new(&lies));
    assert!(matches!(read, Err(super::reader::Fault::Malformed(_))));
}

/// No bytes make the readers panic, or read for ever.
#[test]
fn any_bytes_are_read_without_harm() {
    use proptest::prelude::*;
    proptest!(|(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), at in 0usize..600)| {
        super::read_anything(&bytes);
        // Half of an answer that is sound.
        let sound = self::bytes(ANSWER);
        let mut mixed = sound.get(..at.min(sound.len())).unwrap_or_default().to_vec();
        mixed.append(&mut bytes);
        super::read_anything(&mixed);
    });
}
