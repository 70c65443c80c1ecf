//! The filters of session lists, applied while rows stream by: the MnT node has none of its own
//! (reference mnt-api, section 1, row 4).

use std::net::IpAddr;
use std::ops::ControlFlow;

use clap::Args;

use crate::cli::input::{self, Stations, matches_name};
use crate::error::Result;
use crate::record::{Record, RecordSink};

/// Which rows are wanted. Several conditions must all hold.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Only sessions on the switch or controller with this address
    #[arg(long, value_name = "IP", value_parser = input::ip)]
    nas: Option<IpAddr>,
    /// Only this user name, whole, in any case; '*' stands for any text
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only the endpoint with this address, v4 or v6
    #[arg(long, value_name = "IP", value_parser = input::ip)]
    ip: Option<IpAddr>,
    /// Only sessions of this policy service node
    #[arg(long, value_name = "PSN")]
    server: Option<String>,
    /// Only this MAC address, those that begin so (3 bytes: the vendor), or what a VPN row shows
    #[arg(long, value_name = "MAC-OR-PREFIX", value_parser = input::stations)]
    mac: Option<Stations>,
}

impl Filter {
    /// Whether nothing is filtered.
    pub(crate) fn is_empty(&self) -> bool {
        self.nas.is_none()
            && self.user.is_none()
            && self.ip.is_none()
            && self.server.is_none()
            && self.mac.is_none()
    }

    /// Whether a row is wanted.
    pub(crate) fn wants(&self, record: &Record) -> bool {
        self.nas.is_none_or(|ip| {
            record.has_address("nas_ip_address", ip) || record.has_address("nas_ipv6_address", ip)
        }) && self.ip.is_none_or(|ip| {
            record.has_address("framed_ip_address", ip)
                || record.has_address("framed_ipv6_address", ip)
        }) && self.server.as_ref().is_none_or(|server| {
            record
                .text("server")
                .or_else(|| record.text("acs_server"))
                .is_some_and(|text| text.eq_ignore_ascii_case(server))
        }) && self.user.as_ref().is_none_or(|user| {
            record
                .text("user_name")
                .or_else(|| record.text("username"))
                .is_some_and(|text| matches_name(user, &text))
        }) && self.mac.is_none_or(|stations| {
            record
                .text("calling_station_id")
                .is_some_and(|text| stations.contain(&text))
        })
    }
}

/// Passes on the rows that a [`Filter`] wants.
pub(crate) struct Filtered<S> {
    filter: Filter,
    /// Where wanted rows go.
    pub inner: S,
}

impl<S> Filtered<S> {
    /// A filter in front of `inner`.
    pub(crate) fn new(filter: Filter, inner: S) -> Self {
        Self { filter, inner }
    }
}

impl<S: RecordSink> RecordSink for Filtered<S> {
    fn begin(&mut self, announced: Option<u64>) -> Result<()> {
        self.inner.begin(announced)
    }

    fn record(&mut self, record: &Record) -> Result<ControlFlow<()>> {
        if self.filter.wants(record) {
            self.inner.record(record)
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }

    fn pause(&mut self) -> Result<()> {
        self.inner.pause()
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.raw(bytes)
    }

    fn wants_raw(&self) -> bool {
        self.inner.wants_raw()
    }
}
