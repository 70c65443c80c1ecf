//! Packets and messages of a database from hostile bytes: never a panic, never more memory than the
//! bounds of the room allow.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netapi::testing::oracle::read_anything;

fuzz_target!(|data: &[u8]| read_anything(data));
