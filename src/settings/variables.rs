//! Which variables of the environment hold a setting, for who writes down how to run the same
//! command elsewhere (`--print-unit`). It decides nothing.

use super::{Settings, show, table};

/// Variables that hold a secret.
const SECRETS: [&str; 3] = ["ISE_PXGRID_PASSWORD", "PXGRID_KEY_PASSWORD", "ISE_DC_PASS"];

/// Variables that no table has.
const OTHERS: [&str; 8] = [
    "NETAPI_PROFILE",
    "NETAPI_PROXY_CREDENTIALS_FILE",
    "NATS_URL",
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_CA",
    "NATS_CERT",
    "NATS_KEY",
];

impl Settings {
    /// The settings' variables that are set in this process's environment, by name. `None` for the
    /// value of one that is secret, or that might have a secret in it.
    pub fn variables(&self) -> Vec<(&'static str, Option<String>)> {
        let specs = show::BEFORE_PAIRS
            .iter()
            .chain(&show::PXGRID)
            .chain(&show::DATA_CONNECT)
            .chain(&show::CONNECTION)
            .chain(&[&table::PROXY, &table::NO_PROXY, &table::PROXY_CA]);
        let users = table::MNT_PAIRS.iter().map(|(user, _)| *user);
        let passwords = table::MNT_PAIRS.iter().map(|(_, password)| *password);
        let files = table::CERTIFICATE_PAIRS
            .iter()
            .flat_map(|(certificate, key)| [*certificate, *key]);
        let open = specs
            .flat_map(|spec| spec.variables.iter().copied())
            .chain(users)
            .chain(files)
            .chain(OTHERS);
        let mut found: Vec<_> = open
            .map(|name| (name, false))
            .chain(passwords.chain(SECRETS).map(|name| (name, true)))
            .filter_map(|(name, secret)| {
                let value = self.layers.environment.get(name)?;
                let shown = value.to_str().filter(|text| !secret && is_harmless(text));
                Some((name, shown.map(str::to_owned)))
            })
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
        let found = Settings::resolve(Flags::default(), environment).variables();
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
    }
}
