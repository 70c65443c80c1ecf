//! What a client is told of the lab: environment variables to set, and those of its surroundings to
//! take away. It sets none itself.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{Lab, PASSWORD, USER};
use crate::lab::certificates::CLIENT_NAMES;
use crate::lab::data_connect;

/// The variable that says how many events a second the lab makes, as `--events-per-second` takes
/// it.
pub const EVENTS_VARIABLE: &str = "NETAPI_LAB_EVENTS";

/// Safety settings of the surrounding shell that stay in force inside the lab.
const KEPT_VARIABLES: &[&str] = &["NETAPI_READ_ONLY"];
const OUR_PREFIXES: &[&str] = &["ISE_", "PXGRID_", "NETAPI_"];

impl Lab {
    /// What a client's environment must hold to reach this lab (contract, section 3): the same
    /// facts also under the names that other people's recipes read, a second pxGrid client,
    /// [`EVENTS_VARIABLE`], and `MAC`, the first session's, for examples.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let [client, second] = CLIENT_NAMES;
        let mut variables = vec![
            ("ISE_MNT_FQDN", "localhost".to_owned()),
            ("ISE_MNT_PORT", self.mnt.port().to_string()),
            ("ISE_MNT_USER", USER.to_owned()),
            ("ISE_MNT_PASS", PASSWORD.to_owned()),
            ("ISE_API_USER", USER.to_owned()),
            ("ISE_API_PASS", PASSWORD.to_owned()),
            ("ISE_PAN_FQDN", "localhost".to_owned()),
            ("ISE_PAN_IP", Ipv4Addr::LOCALHOST.to_string()),
            ("ISE_DC_HOST", "localhost".to_owned()),
            ("ISE_DC_PORT", self.data_connect.port().to_string()),
            ("ISE_DC_SERVICE", data_connect::SERVICE.to_owned()),
            ("ISE_DC_USER", data_connect::USER.to_owned()),
            ("ISE_DC_PASS", data_connect::PASSWORD.to_owned()),
            ("ISE_CA_CERT", path(self.certificates.ca_path())),
            ("ISE_PXGRID_HOST", self.pxgrid_hosts()),
            (
                "ISE_PXGRID_PORT",
                self.pxgrid.first().map_or(0, SocketAddr::port).to_string(),
            ),
            ("ISE_PXGRID_CLIENT_NAME", client.to_owned()),
            ("PXGRID_CERT", path(self.certificates.client_path())),
            ("PXGRID_KEY", path(self.certificates.client_key_path())),
            ("PXGRID_CA", path(self.certificates.ca_path())),
            ("ISE_PXGRID_CLIENT_NAME_2", second.to_owned()),
            (
                "PXGRID_CERT_2",
                path(self.certificates.second_client_path()),
            ),
            (
                "PXGRID_KEY_2",
                path(self.certificates.second_client_key_path()),
            ),
            (EVENTS_VARIABLE, self.rate.to_string()),
            (
                "MAC",
                self.directory
                    .population
                    .session(0)
                    .mac_text()
                    .unwrap_or_default(),
            ),
            // Its nodes are on loopback, where no proxy leads.
            ("NO_PROXY", without_proxy()),
            ("no_proxy", without_proxy()),
        ];
        if let Some(nats) = &self.nats {
            variables.push(("NATS_URL", nats.url().to_owned()));
        }
        variables
    }

    /// Every pxGrid node with its port: a client must be able to lose the first.
    fn pxgrid_hosts(&self) -> String {
        let hosts = self.pxgrid.iter();
        let hosts: Vec<String> = hosts
            .map(|address| format!("localhost:{}", address.port()))
            .collect();
        hosts.join(",")
    }

    /// Which variables of `present` (names of the surrounding environment) would contradict the lab
    /// and must not reach its client: every other one of ours, except the safety setting
    /// `NETAPI_READ_ONLY`; with a nats-server also what leads to another and logs in there.
    pub fn environment_to_remove(
        &self,
        present: impl IntoIterator<Item = OsString>,
    ) -> BTreeSet<OsString> {
        let set: BTreeSet<&str> = self
            .environment()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        present
            .into_iter()
            .filter(|name| {
                let name = name.to_string_lossy();
                let nats = self.nats.is_some() && name.starts_with("NATS_");
                (nats || OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
                    && !set.contains(name.as_ref())
                    && !KEPT_VARIABLES.contains(&name.as_ref())
            })
            .collect()
    }
}

/// Loopback, and what goes without a proxy already.
fn without_proxy() -> String {
    const LOOPBACK: &str = "localhost,127.0.0.1,::1";
    let present = ["no_proxy", "NO_PROXY"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|list| !list.is_empty());
    match present {
        None => LOOPBACK.to_owned(),
        // Inside another lab, or after one.
        Some(list) if list.starts_with(LOOPBACK) => list,
        Some(list) => format!("{LOOPBACK},{list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn the_environment_is_whole_and_contradictions_are_named() {
        let lab = Lab::spawn_in_thread(LabOptions::default()).unwrap();
        let environment = lab.environment();
        let value = |name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(value("MAC"), "C8:5B:76:C6:59:62");
        assert_eq!(value("ISE_MNT_PORT"), lab.mnt_address().port().to_string());
        assert!(
            std::fs::read_to_string(value("PXGRID_KEY"))
                .unwrap()
                .contains("PRIVATE KEY")
        );
        for (one, same) in [
            ("ISE_API_USER", "ISE_MNT_USER"),
            ("ISE_API_PASS", "ISE_MNT_PASS"),
            ("ISE_PAN_FQDN", "ISE_MNT_FQDN"),
        ] {
            assert_eq!(value(one), value(same));
        }
        assert_eq!(value(EVENTS_VARIABLE), "0");
        let present = [
            "ISE_MNT_IP",
            "ISE_MNT_FQDN",
            "PXGRID_KEY_PASSWORD",
            "NETAPI_READ_ONLY",
            "NETAPI_PROFILE",
            "HOME",
            "MAC",
        ];
        let removed = lab.environment_to_remove(present.map(OsString::from));
        assert_eq!(
            removed.into_iter().collect::<Vec<_>>(),
            ["ISE_MNT_IP", "NETAPI_PROFILE", "PXGRID_KEY_PASSWORD"]
        );
    }
}
