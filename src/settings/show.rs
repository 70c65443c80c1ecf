//! What `config show` shows: every setting of the contract's section 3 with its value and source,
//! secrets as `****`.
//!
//! Nothing is fetched (no file of a secret is opened, no command run, nobody asked), and nothing
//! aborts: what is wrong stands beside the setting it is wrong with.

use super::secret::{Secret, SecretPlace};
use super::source::{Setting, Source};
use super::table::{self, Spec};
use super::value::RawValue;
use super::{Settings, credentials};
use crate::error::Error;

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The setting's name, as its flag without dashes.
    pub setting: String,
    /// The value; empty where unset, `****` for a secret.
    pub value: String,
    /// Where it comes from; for an unset one, what would set it.
    pub source: String,
    /// What is wrong with it.
    pub problem: Option<String>,
}

pub(super) const BEFORE_PAIRS: [&Spec; 2] = [&table::MNT_HOST, &table::MNT_PORT];
pub(super) const PXGRID: [&Spec; 3] = [
    &table::PXGRID_HOSTS,
    &table::PXGRID_PORT,
    &table::CLIENT_NAME,
];
pub(super) const DATA_CONNECT: [&Spec; 4] = [
    &table::DC_HOST,
    &table::DC_PORT,
    &table::DC_SERVICE,
    &table::DC_USER,
];
/// How to connect to any server of ISE.
pub(super) const ISE: [&Spec; 6] = [
    &table::PIN,
    &table::VERIFY_HOSTNAME,
    &table::INSECURE,
    &table::RESOLVE,
    &table::CONNECT_TIMEOUT,
    &table::TIMEOUT,
];

impl Settings {
    /// The rows of `config show`.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = vec![self.config_row(), self.profile_row()];
        rows.extend(BEFORE_PAIRS.map(|spec| self.row(spec)));
        rows.extend(self.credential_rows());
        rows.extend(PXGRID.map(|spec| self.row(spec)));
        rows.extend(self.certificate_rows());
        rows.push(secret_row(
            "key-password",
            credentials::key_password(&self.layers),
            "--key-password-file, PXGRID_KEY_PASSWORD, profile key_password_file or key_password_command",
        ));
        rows.push(secret_row(
            "client-password",
            credentials::account_password(&self.layers),
            "--client-password-file, ISE_PXGRID_PASSWORD, profile client_password_file or client_password_command",
        ));
        rows.extend(DATA_CONNECT.map(|spec| self.row(spec)));
        rows.push(secret_row(
            "dc-password",
            credentials::data_connect_password(&self.layers),
            "--dc-password-file, ISE_DC_PASS, profile dc_password_file or dc_password_command",
        ));
        rows.extend([&table::MNT_CA, &table::PXGRID_CA].map(|spec| self.row(spec)));
        rows.extend(ISE.map(|spec| self.row(spec)));
        rows.push(self.row(&table::READ_ONLY));
        rows.extend(self.proxy_rows());
        self.add_contradictions(&mut rows);
        rows
    }

    fn config_row(&self) -> Row {
        let source = match self.layers.flags.config {
            Some(_) => Source::Flag("--config"),
            None => Source::Default,
        };
        match &self.layers.config {
            Ok(path) => {
                let mut row = set("config", path.display().to_string(), &source);
                if !path.exists() {
                    row.source.push_str(" (no such file)");
                }
                row
            }
            Err(error) => troubled("config", error),
        }
    }

    fn profile_row(&self) -> Row {
        match self.profile() {
            Some(name) => {
                let source = if self.layers.flags.profile.is_some() {
                    Source::Flag("--profile")
                } else {
                    match self.layers.variable("NETAPI_PROFILE") {
                        Some(found) => found.source,
                        None => Source::Derived("default_profile of the config file"),
                    }
                };
                set("profile", name.to_owned(), &source)
            }
            None => unset(
                "profile",
                "--profile, NETAPI_PROFILE, default_profile of the config file",
            ),
        }
    }

    pub(super) fn row(&self, spec: &Spec) -> Row {
        let Some(found) = self.layers.find(spec) else {
            let mut names = vec![spec.flag];
            names.extend(spec.variables);
            let mut row = unset(
                spec.name,
                &format!("{}, profile {}", names.join(", "), spec.key),
            );
            if spec.flag == table::CLIENT_NAME.flag {
                row.source = format!("the certificate's CN ({})", row.source);
            }
            return row;
        };
        Row {
            problem: (spec.check)(&found)
                .err()
                .map(|error| message_with_hint(&error)),
            ..set(spec.name, joined(&found), &found.source)
        }
    }

    fn credential_rows(&self) -> [Row; 2] {
        let names = |with: fn(&(&'static str, &'static str)) -> &'static str| {
            table::MNT_PAIRS.each_ref().map(with).join(", ")
        };
        match credentials::mnt_credentials(&self.layers) {
            Ok(Some(found)) => [
                set("mnt-user", found.user.value, &found.user.source),
                password_row("password", &found.password),
            ],
            Ok(None) => [
                unset(
                    "mnt-user",
                    &format!("--mnt-user, {}, profile mnt_user", names(|pair| pair.0)),
                ),
                unset(
                    "password",
                    &format!(
                        "--password-file, {}, profile mnt_password_file or mnt_password_command",
                        names(|pair| pair.1)
                    ),
                ),
            ],
            Err(error) => [troubled("mnt-user", &error), troubled("password", &error)],
        }
    }

    fn certificate_rows(&self) -> [Row; 2] {
        let row = |name: &str, path: Option<Setting<std::path::PathBuf>>, names: &str| match path {
            Some(path) => set(name, path.value.display().to_string(), &path.source),
            None => unset(name, names),
        };
        match credentials::certificate(&self.layers) {
            Ok(pair) => [
                row(
                    "cert",
                    pair.certificate,
                    "--cert, PXGRID_CERT, ISE_MTLS_CERT, profile cert",
                ),
                row(
                    "key",
                    pair.key,
                    "--key, PXGRID_KEY, ISE_MTLS_KEY, profile key",
                ),
            ],
            Err(error) => [troubled("cert", &error), troubled("key", &error)],
        }
    }

    /// What is wrong between settings or with the files, where no row has said it yet.
    fn add_contradictions(&self, rows: &mut Vec<Row>) {
        let mut errors: Vec<(&str, Error)> = self
            .layers
            .broken
            .iter()
            .map(|error| ("settings", error.clone()))
            .collect();
        // These stop at a broken file, which is told already, so they are asked only without one.
        if errors.is_empty() {
            let mnt = self.layers.find(&table::MNT_HOST).map(|_| self.mnt_node());
            let pxgrid = self
                .layers
                .find(&table::PXGRID_HOSTS)
                .map(|_| self.pxgrid_nodes());
            errors.extend(mnt.and_then(Result::err).map(|error| ("mnt-host", error)));
            errors.extend(
                pxgrid
                    .and_then(Result::err)
                    .map(|error| ("pxgrid-host", error)),
            );
            for ca in [&table::MNT_CA, &table::PXGRID_CA] {
                errors.extend(self.connection(ca).err().map(|error| ("connection", error)));
            }
        }
        for (setting, error) in errors {
            let row = troubled(setting, &error);
            if !rows.iter().any(|other| other.problem == row.problem) {
                rows.push(row);
            }
        }
    }
}

pub(super) fn set(setting: &str, value: String, source: &Source) -> Row {
    Row {
        setting: setting.to_owned(),
        value,
        source: source.to_string(),
        problem: None,
    }
}

pub(super) fn unset(setting: &str, names: &str) -> Row {
    Row {
        setting: setting.to_owned(),
        value: String::new(),
        source: format!("unset: {names}"),
        problem: None,
    }
}

pub(super) fn troubled(setting: &str, error: &Error) -> Row {
    Row {
        setting: setting.to_owned(),
        value: String::new(),
        source: String::new(),
        problem: Some(message_with_hint(error)),
    }
}

fn message_with_hint(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error} (hint: {hint})"),
        None => error.to_string(),
    }
}

pub(super) fn secret_row(
    setting: &str,
    secret: crate::error::Result<Option<Secret>>,
    names: &str,
) -> Row {
    match secret {
        Ok(Some(secret)) => password_row(setting, &secret),
        Ok(None) => unset(setting, names),
        Err(error) => troubled(setting, &error),
    }
}

fn password_row(setting: &str, secret: &Secret) -> Row {
    let value = match secret.place {
        SecretPlace::Asked(_) => "",
        _ => "****",
    };
    set(setting, value.to_owned(), &secret.source)
}

fn joined(found: &RawValue) -> String {
    let shown = |value: &std::ffi::OsString| {
        let text = value.display().to_string();
        // Where a host is wanted, someone may have put a URL with a password in it; where a file
        // is, its content.
        if text.contains('@') || !crate::files::may_be_path(value.as_ref()) {
            return "****".to_owned();
        }
        text
    };
    let values: Vec<_> = found.values.iter().map(shown).collect();
    values.join(", ")
}
