//! Which variables of the environment hold a setting, for who writes down how to run the same
//! command elsewhere (`--print-unit`). It decides nothing.

use super::{Settings, show, table};

/// A server that a command speaks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The Monitoring node.
    Mnt,
    /// pxGrid.
    Pxgrid,
    /// Data Connect, for which the Monitoring node's settings stand in.
    DataConnect,
    /// NATS.
    Nats,
}

impl Server {
    const ALL: [Self; 4] = [Self::Mnt, Self::Pxgrid, Self::DataConnect, Self::Nats];
}

/// Variables of each pxGrid account and of Data Connect that hold a secret.
const PXGRID_SECRETS: [&str; 2] = ["ISE_PXGRID_PASSWORD", "PXGRID_KEY_PASSWORD"];
const DATA_CONNECT_SECRETS: [&str; 1] = ["ISE_DC_PASS"];

/// Variables that no table has.
const NATS: [&str; 6] = [
    "NATS_URL",
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_CA",
    "NATS_CERT",
    "NATS_KEY",
];

/// The names of the variables that speaking with a server needs, and whether they are secret.
fn names(server: Server) -> Vec<(&'static str, bool)> {
    let mut names = Vec::new();
    let mut of = |specs: &[&table::Spec]| {
        let specs = specs.iter().flat_map(|spec| spec.variables);
        names.extend(specs.map(|name| (*name, false)));
    };
    if server != Server::Nats {
        of(&show::ISE);
        of(&[&table::PROXY, &table::NO_PROXY, &table::PROXY_CA]);
    }
    match server {
        Server::Mnt => {
            of(&show::BEFORE_PAIRS);
            of(&[&table::MNT_CA]);
            for (user, password) in table::MNT_PAIRS {
                names.extend([(user, false), (password, true)]);
            }
        }
        Server::Pxgrid => {
            of(&show::PXGRID);
            of(&[&table::PXGRID_CA]);
            let files = table::CERTIFICATE_PAIRS
                .iter()
                .flat_map(|(certificate, key)| [*certificate, *key]);
            names.extend(files.map(|name| (name, false)));
            names.extend(PXGRID_SECRETS.map(|name| (name, true)));
        }
        Server::DataConnect => {
            of(&show::BEFORE_PAIRS);
            of(&show::DATA_CONNECT);
            of(&[&table::MNT_CA]);
            names.extend(DATA_CONNECT_SECRETS.map(|name| (name, true)));
        }
        Server::Nats => names.extend(NATS.map(|name| (name, false))),
    }
    if server != Server::Nats {
        names.push(("NETAPI_PROXY_CREDENTIALS_FILE", false));
    }
    // Whether a command may run at all, and where else settings are, is asked by every one.
    names.extend(["NETAPI_PROFILE", "NETAPI_READ_ONLY"].map(|name| (name, false)));
    names
}

impl Settings {
    /// The settings' variables that are set in this process's environment and that speaking with
    /// these servers needs, by name. `None` for the value of one that is secret, or that might have
    /// a secret in it. `callbacks`: also those of all servers that are not, since a callback may
    /// speak with any.
    pub fn variables(
        &self,
        servers: &[Server],
        callbacks: bool,
    ) -> Vec<(&'static str, Option<String>)> {
        let set = |(name, secret): (&'static str, bool)| {
            let value = self.layers.environment.get(name)?;
            let shown = value.to_str().filter(|text| !secret && is_harmless(text));
            Some((name, shown.map(str::to_owned)))
        };
        let needed = servers.iter().flat_map(|server| names(*server));
        let others = Server::ALL
            .into_iter()
            .filter(|_| callbacks)
            .flat_map(names);
        let mut found: Vec<_> = needed
            .filter_map(set)
            .chain(others.filter_map(set).filter(|(_, value)| value.is_some()))
            .collect();
        crate::order::sort(&mut found);
        found.dedup();
        found
    }
}

/// Somebody may have put a URL with a password, or a file's content, where neither belongs.
fn is_harmless(value: &str) -> bool {
    !value.contains('@')
        && !value.chars().any(char::is_control)
        && crate::files::may_be_path(value.as_ref())
}

#[cfg(test)]
mod tests {
    use super::Server;
    use crate::settings::{Environment, Flags, Settings};

    #[test]
    fn secrets_are_named_and_never_given() {
        let environment = Environment::from_list([
            ("ISE_PXGRID_HOST", "a.example,b.example"),
            ("ISE_PXGRID_PASSWORD", "geheim"),
            ("ISE_MNT_PASS", "geheim"),
            ("https_proxy", "http://user:geheim@proxy.example"),
            ("PXGRID_KEY", "-----BEGIN PRIVATE KEY-----\ngeheim"),
            ("ISE_SOMETHING_ELSE", "geheim"),
        ]);
        let settings = Settings::resolve(Flags::default(), environment);
        let found = settings.variables(&[Server::Mnt, Server::Pxgrid], false);
        let hosts = Some("a.example,b.example".to_owned());
        assert_eq!(
            found,
            [
                ("ISE_MNT_PASS", None),
                ("ISE_PXGRID_HOST", hosts),
                ("ISE_PXGRID_PASSWORD", None),
                ("PXGRID_KEY", None),
                ("https_proxy", None),
            ]
        );
        assert_eq!(settings.variables(&[Server::Nats], false), []);
        assert_eq!(settings.variables(&[], false), []);
        // A callback gets no secrets.
        let open = found.into_iter().filter(|(_, value)| value.is_some());
        let for_callbacks = settings.variables(&[Server::Nats], true);
        assert!(for_callbacks.into_iter().eq(open));
    }
}
