//! One endpoint's facts, computed from its index: who, where, with what, since when.
//!
//! `push_…` methods write into a buffer that lists reuse; the others are for documents of a single
//! session.

use std::net::Ipv4Addr;

use super::nas::{Access, Nas};
use super::roles::{self, Device, Role};
use super::{Population, numbering};
use crate::lab::fast_text::{
    low_byte, mix, pick, push_hex, push_hex_lower, push_ipv4, push_mac, push_number,
};

const MINUTE: i64 = 60_000;
const INTERIM: i64 = 15 * MINUTE;
/// Sessions began at most this long before the lab, a working day.
const OLDEST: u64 = 8 * 60 * 60 * 1000;
/// Audit session ids and accounting ids do not count from zero on a device that has been up for a
/// while.
const FIRST_COUNTER: u64 = 0xA1;
const FIRST_ACCOUNTING: u64 = 0xA2F1;

/// Index of the first endpoint that only failed: the same however many sessions there are, and so
/// are its MAC and name.
pub(super) const FIRST_FAILED: u64 = super::MOST_SESSIONS;
/// Its MAC.
pub(super) const FIRST_FAILED_MAC: [u8; 6] = [0x00, 0x00, 0x5E, 0x00, 0x53, 0xF0];

const FIRST_NAMES: &[&str] = &[
    "pat", "robin", "alex", "sam", "kim", "noor", "maria", "jürgen", "søren", "zoë", "anaïs",
    "olga", "wei", "yuki", "amina", "paweł", "ingrid", "luis", "grace", "ivan", "leila", "tom",
    "ada", "björn", "chloé", "dmitri", "elif", "farid", "gwen", "haruka", "ines", "jonas",
];
const LAST_NAMES: &[&str] = &[
    "kim", "lee", "müller", "garcia", "novak", "smith", "tanaka", "okafor", "jensen", "rossi",
    "dubois", "kowalski", "haddad", "silva", "nguyen", "larsson", "weiß", "costa", "brown",
    "ivanova", "çelik", "maier", "peeters", "moreau", "fischer", "popescu", "horvat", "singh",
    "adams", "berg", "doyle", "eriksen", "núñez",
];
/// The index that an audit session id's counter stands for.
pub(super) fn index_of_counter(counter: u64) -> Option<u64> {
    counter.checked_sub(FIRST_COUNTER)
}

/// One endpoint and its session. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabSession {
    index: u64,
    seed: u64,
    hash: u64,
    nas: Nas,
    port: u64,
    role: &'static Role,
    device: &'static Device,
    failed_number: Option<u64>,
    hostile: bool,
    connected_at: i64,
    authenticated_at: i64,
    accounted_at: i64,
    reconnections: u32,
    pub(super) quarantined: bool,
    pub(super) failed_at: Option<i64>,
}

impl LabSession {
    pub(super) fn new(population: &Population, index: u64) -> Self {
        let hash = mix(population.seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let failed_number = index.checked_sub(FIRST_FAILED);
        // One in six of those that never came in stands at one switch (see `attempts`).
        let nas = match failed_number {
            Some(number) if number % 6 == 4 => Nas::new(1),
            _ => Nas::new(index % population.nas_count),
        };
        let role = if failed_number == Some(0) {
            &roles::STAFF_PASSWORD
        } else {
            roles::of(nas.kind(), index, hash)
        };
        let age = if index < numbering::FIXED {
            (index + 1) * 180_000
        } else {
            // Printers, cameras and forgotten phones stay for days.
            let days = if index >= 50 && index % 40 == 17 {
                3 + index / 40 % 9
            } else {
                0
            };
            180_000 + (hash >> 8) % OLDEST + days * 86_400_000
        };
        let age = i64::try_from(age).unwrap_or(0);
        let authenticated_at = population.started_at.saturating_sub(age);
        Self {
            index,
            seed: population.seed,
            hash,
            nas,
            port: failed_number.unwrap_or(index) / population.nas_count,
            role,
            device: pick(role.devices, hash >> 40).unwrap_or(&roles::UNKNOWN_DEVICE),
            failed_number,
            hostile: population.hostile_names
                && (matches!(index, 4 | 9 | 10 | 14..=16) || failed_number == Some(1)),
            connected_at: authenticated_at,
            authenticated_at,
            accounted_at: authenticated_at + age / INTERIM * INTERIM,
            reconnections: 0,
            quarantined: false,
            failed_at: None,
        }
    }

    /// Marks a new authentication at `at`; the connection stays.
    pub(in crate::lab) fn reauthenticated(mut self, at: i64) -> Self {
        self.authenticated_at = at;
        self.accounted_at = self.accounted_at.max(at);
        self
    }

    /// Marks a new connection at `at`, the `times`th since the lab started: it gets a new audit
    /// session id.
    pub(in crate::lab) fn reconnected(mut self, at: i64, times: u32) -> Self {
        self.connected_at = at;
        self.authenticated_at = at;
        self.accounted_at = at;
        self.reconnections = times;
        self
    }

    /// Marks that an ANC policy holds the endpoint in quarantine.
    pub(in crate::lab) fn quarantined(mut self) -> Self {
        self.quarantined = true;
        self
    }

    /// Marks that it failed again at `at`. Of several such failures one is remembered: ISE
    /// suppresses repeated ones.
    pub(in crate::lab) fn failed(mut self, at: i64) -> Self {
        self.failed_at = Some(at);
        self
    }

    /// Its index in the population.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// A number that depends on seed and index only, for facts that have no place here.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether this endpoint never came in.
    pub fn is_failed_only(&self) -> bool {
        self.failed_number.is_some()
    }

    /// Its role.
    pub fn role(&self) -> &'static Role {
        self.role
    }

    /// The device as the profiler sees it.
    pub fn device(&self) -> &'static Device {
        self.device
    }

    /// The NAS; `None` in a partial row.
    pub fn nas(&self) -> Option<Nas> {
        (!self.is_sparse()).then_some(self.nas)
    }

    /// The NAS's address; `None` in a partial row.
    pub fn nas_ip(&self) -> Option<Ipv4Addr> {
        self.nas().map(Nas::ip)
    }

    /// A row with MAC and PSN only.
    fn is_sparse(&self) -> bool {
        self.index % 64 == 8 && !self.is_failed_only()
    }

    /// A row whose calling station was not sent.
    fn lacks_mac(&self) -> bool {
        self.index % 64 == 24 && !self.is_failed_only()
    }

    /// Whether the calling station is an IP address.
    pub fn is_vpn(&self) -> bool {
        self.nas.kind() == Access::Vpn && !self.is_failed_only()
    }

    /// The MAC, where the calling station is one and was sent.
    pub fn mac(&self) -> Option<[u8; 6]> {
        (!self.is_vpn() && !self.lacks_mac()).then(|| self.hardware_address())
    }

    fn hardware_address(&self) -> [u8; 6] {
        if self.failed_number == Some(0) {
            return FIRST_FAILED_MAC;
        }
        numbering::mac(self.seed, self.index, self.device.oui)
    }

    /// [`mac`](Self::mac) in upper case with colons.
    pub fn mac_text(&self) -> Option<String> {
        self.mac().map(|mac| {
            let mut text = String::with_capacity(17);
            push_mac(&mut text, mac, b':', true);
            text
        })
    }

    /// Appends the calling station: a MAC, an IP address for the VPN, nothing in a partial row.
    pub fn push_calling_station(&self, out: &mut String) {
        if self.is_vpn() {
            self.push_public_address(out);
        } else if let Some(mac) = self.mac() {
            push_mac(out, mac, b':', true);
        }
    }

    /// Appends the calling station as the NAS sent it, lower case with dashes.
    pub fn push_original_calling_station(&self, out: &mut String) {
        if self.is_vpn() {
            self.push_public_address(out);
        } else if let Some(mac) = self.mac() {
            push_mac(out, mac, b'-', false);
        }
    }

    fn push_public_address(&self, out: &mut String) {
        if self.index == 7 {
            out.push_str("203.0.113.90");
        } else {
            let host = u32::from_be_bytes([
                0,
                low_byte(self.hash) & 1,
                low_byte(self.hash >> 16),
                low_byte(self.hash >> 24),
            ]);
            push_ipv4(out, u32::from_be_bytes([198, 18, 0, 0]) + host);
        }
    }

    /// Appends the user name; nothing in a partial row.
    pub fn push_user_name(&self, out: &mut String) {
        if self.hostile {
            out.push_str(match self.index {
                4 => "LAB\\mal\u{9b}31mlory\u{202e}nimda\u{200b}",
                9 => "=HYPERLINK(\"http://203.0.113.66/\",\"pat\")",
                14 => "</td></style></script><script>document.title='ran'</script>",
                15 => "\"'><img src=\"http://203.0.113.66/\" onerror=\"document.title='ran'\">",
                16 => "😀𝕏 `|` [pat](javascript:alert(1)) @all www.lab.example",
                FIRST_FAILED.. => "<svg onload=document.title='ran'>{{7*7}}",
                _ => "two\nlines\tand a tab",
            });
            return;
        }
        if self.is_sparse() {
            return;
        }
        match self.index {
            FIRST_FAILED => return out.push_str("robin"),
            0 => return out.push_str("host/workstation.example.com"),
            1 => return out.push_str("LAB\\pat.kim"),
            2 => return out.push_str("jsmith"),
            4 => return out.push_str("host/WS-0417.lab.example"),
            5 => return out.push_str("jürgen.müller@lab.example"),
            6 => return out.push_str("pat.kim@lab.example"),
            7 => return out.push_str("vpn.user@lab.example"),
            9 => return out.push_str("R&D\\lee"),
            _ => {}
        }
        if self.role.method == "mab" {
            push_mac(out, self.hardware_address(), b'-', true);
        } else if self.role.user_type == "Host" {
            out.push_str("host/");
            self.push_host_name(out);
        } else if (self.hash >> 20).is_multiple_of(3) || self.nas.kind() != Access::Wired {
            self.push_person(out);
            out.push_str("@lab.example");
        } else if (self.hash >> 20) % 3 == 1 {
            out.push_str("LAB\\");
            self.push_person(out);
        } else {
            self.push_person(out);
        }
    }

    /// Appends `pat.kim`, with a number once the names are used up.
    fn push_person(&self, out: &mut String) {
        out.push_str(pick(FIRST_NAMES, self.hash >> 32).copied().unwrap_or("pat"));
        out.push('.');
        out.push_str(pick(LAST_NAMES, self.hash >> 48).copied().unwrap_or("kim"));
        let generation = self.index / 1000;
        if generation > 0 {
            push_number(out, generation, 1);
        }
    }

    /// Appends `WS-0417.lab.example`.
    pub fn push_host_name(&self, out: &mut String) {
        out.push_str(if self.role == &roles::LINUX_CERTIFICATE {
            "LX-"
        } else {
            "WS-"
        });
        push_number(out, self.index, 4);
        out.push_str(".lab.example");
    }

    /// [`push_user_name`](Self::push_user_name) as a string.
    pub fn user_name(&self) -> String {
        let mut name = String::new();
        self.push_user_name(&mut name);
        name
    }

    /// The assigned address; `None` where none was assigned or reported.
    pub fn framed_ip(&self) -> Option<Ipv4Addr> {
        let silent = self.index >= numbering::FIXED && self.index % 16 == 12;
        (!silent && !self.is_sparse() && !self.is_failed_only())
            .then(|| Ipv4Addr::from(numbering::framed_ip(self.index)))
    }

    /// How many entries the IPv6 list has: 0, 1, or 3 of which the first is empty (reference
    /// mnt-api, section 2.3, quirk 8).
    pub fn ipv6_entries(&self) -> u64 {
        match self.index % 4 {
            _ if self.is_sparse() || self.is_failed_only() => 0,
            1 => 3,
            3 if self.index >= numbering::FIXED => 1,
            _ => 0,
        }
    }

    /// Appends entry `entry` (from 0) of the IPv6 list, as it is on the wire: the middle one of
    /// three begins with a blank.
    pub fn push_ipv6(&self, entry: u64, out: &mut String) {
        match (self.ipv6_entries(), entry) {
            (3, 0) => {}
            (3, 1) => {
                let [first, second, third, rest @ ..] = self.hardware_address();
                out.push_str(" fe80::");
                push_hex_lower(out, u64::from(u16::from_be_bytes([first ^ 2, second])), 4);
                out.push(':');
                push_hex_lower(out, u64::from(third), 2);
                out.push_str("ff:fe");
                let [fourth, fifth, sixth] = rest;
                push_hex_lower(out, u64::from(fourth), 2);
                out.push(':');
                push_hex_lower(out, u64::from(u16::from_be_bytes([fifth, sixth])), 4);
            }
            _ => {
                out.push_str("2001:db8:7::");
                push_hex_lower(out, (self.index >> 16) + 1, 4);
                out.push(':');
                push_hex_lower(out, self.index & 0xFFFF, 4);
            }
        }
    }

    /// The addresses a client should end up with: v4 first, then v6 without the empty entry and the
    /// blank.
    pub fn addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self.framed_ip().iter().map(ToString::to_string).collect();
        for entry in 0..self.ipv6_entries() {
            let mut text = String::new();
            self.push_ipv6(entry, &mut text);
            if !text.is_empty() {
                addresses.push(text.trim_start().to_owned());
            }
        }
        addresses
    }

    /// Port on the NAS, a stack of at most eight switches; empty in a partial row.
    pub fn port(&self) -> String {
        if self.is_sparse() {
            return String::new();
        }
        match self.nas.kind() {
            Access::Wired => format!(
                "GigabitEthernet{}/0/{}",
                1 + self.port / 48 % 8,
                1 + (self.port + 4) % 48
            ),
            Access::Wireless => "capwap_9000000b".to_owned(),
            Access::Vpn => (self.index * 4096 % 0x0FFF_FFFF).to_string(),
        }
    }

    /// The wireless network's name; empty elsewhere.
    pub fn ssid(&self) -> &'static str {
        if self.nas.kind() == Access::Wireless {
            "lab-staff"
        } else {
            ""
        }
    }

    /// The PSN's short name.
    pub fn psn(&self) -> &'static str {
        if self.index == 0 || self.hash & 1 == 0 {
            "psn-a"
        } else {
            "psn-b"
        }
    }

    /// Appends the audit session id: the NAS's address, a counter, and what stands for the time.
    /// Some NAS write it in lower case.
    pub fn push_audit_session_id(&self, out: &mut String) {
        let nas = u64::from(numbering::nas_ip(self.nas.number()));
        let counter = FIRST_COUNTER + self.index;
        let time = (self.hash >> 32).wrapping_add(u64::from(self.reconnections) * 0x1_0001);
        let push = if self.nas.number() % 16 == 1 {
            push_hex_lower
        } else {
            push_hex
        };
        push(out, nas, 8);
        push(out, counter, 8);
        push(out, time, 8);
    }

    /// [`push_audit_session_id`](Self::push_audit_session_id) as a string.
    pub fn audit_session_id(&self) -> String {
        let mut id = String::new();
        self.push_audit_session_id(&mut id);
        id
    }

    /// Appends the accounting session id, eight hexadecimal digits with leading zeros.
    pub fn push_acct_session_id(&self, out: &mut String) {
        push_hex(
            out,
            FIRST_ACCOUNTING + self.index + (u64::from(self.reconnections) << 24),
            8,
        );
    }

    /// Whether accounting ids were reported: not in a partial row.
    pub fn has_ids(&self) -> bool {
        !self.is_sparse()
    }

    /// When the endpoint connected.
    pub fn connected_at(&self) -> i64 {
        self.connected_at
    }

    /// When it was last authenticated.
    pub fn authenticated_at(&self) -> i64 {
        self.authenticated_at
    }

    /// When the NAS last reported accounting: every fifteen minutes.
    pub fn accounted_at(&self) -> i64 {
        self.accounted_at
    }

    /// Seconds between connection and last accounting.
    pub fn session_time(&self) -> u64 {
        u64::try_from((self.accounted_at - self.connected_at) / 1000).unwrap_or(0)
    }

    /// Octets in and out, packets in and out, at the last accounting.
    pub fn traffic(&self) -> [u64; 4] {
        let seconds = self.session_time();
        let octets_in = seconds * (self.hash % 2_000_003);
        let octets_out = seconds * (self.hash % 90_001);
        [octets_in, octets_out, octets_in / 1320, octets_out / 320]
    }

    /// Milliseconds that the last authentication took.
    pub fn response_time(&self) -> u64 {
        20 + self.hash % 90
    }
}
