//! Network access devices: switches, wireless controllers and a VPN gateway among every eight,
//! known by their number.

use std::net::Ipv4Addr;

use super::numbering;
use crate::lab::fast_text::{pick, push_number};

const FLOORS: &[&str] = &["Floor-1", "Floor-2", "Floor-3", "Warehouse", "Data-Center"];

/// A network access device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nas {
    number: u64,
}

impl Nas {
    pub(super) fn new(number: u64) -> Self {
        Self { number }
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Its address.
    pub fn ip(self) -> Ipv4Addr {
        Ipv4Addr::from(numbering::nas_ip(self.number))
    }

    /// What kind of access it gives.
    pub(super) fn kind(self) -> Access {
        match self.number % numbering::NAS_KINDS {
            0..=4 => Access::Wired,
            5 | 6 => Access::Wireless,
            _ => Access::Vpn,
        }
    }

    /// Its name in ISE, `sw-lab-07`.
    pub fn name(self) -> String {
        let mut name = String::from(match self.kind() {
            Access::Wired => "sw-lab-",
            Access::Wireless => "wlc-lab-",
            Access::Vpn => "vpn-lab-",
        });
        push_number(&mut name, self.number + 1, 2);
        name
    }

    /// `All Locations#…`.
    pub fn location(self) -> String {
        format!(
            "All Locations#Lab#{}",
            pick(FLOORS, self.number).copied().unwrap_or("Floor-1")
        )
    }

    /// `All Device Types#…`.
    pub fn device_type(self) -> &'static str {
        match self.kind() {
            Access::Wired => "All Device Types#Switch",
            Access::Wireless => "All Device Types#Wireless-Controller",
            Access::Vpn => "All Device Types#VPN-Gateway",
        }
    }

    /// RADIUS `NAS-Port-Type`.
    pub fn port_type(self) -> &'static str {
        match self.kind() {
            Access::Wired => "Ethernet",
            Access::Wireless => "Wireless - IEEE 802.11",
            Access::Vpn => "Virtual",
        }
    }
}

/// The kinds of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Wired,
    Wireless,
    Vpn,
}
