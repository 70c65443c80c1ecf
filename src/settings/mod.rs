//! Settings: flag, environment, profile, default, in this order; each value with its source
//! (contract, section 3).
//!
//! [`Settings::resolve`] reads the config file and the `--env-file` and keeps what is wrong with
//! them for whoever demands a setting; so commands that need none (completion, help, lab) never
//! fail on them, and `config show` shows what it can. [`Settings::mnt`] and [`Settings::pxgrid`]
//! check their group and fetch its secrets (file, command, question on the terminal): call each
//! once. This room does no network, prints nothing but that question, and knows no command-line
//! parser.
//!
//! Decided here, where the contract leaves room:
//!
//! - An empty variable is an unset one; an empty flag (`--cacert "$UNSET"`) is an error.
//! - The process's environment wins over `--env-file`, variable by variable, but a pair comes whole
//!   from one of the two.
//! - `--mnt-user U` without a password file takes the password of a pair whose user is the same U,
//!   else asks.
//! - A host may carry its port. Against a port setting the nearer to the hand wins; two equally
//!   near that differ are an error, but for a list of hosts, where the setting is for those without
//!   a port of their own.
//! - `--insecure` switches off what a CA bundle or a pin from farther away would check, as in curl.
//!   A CA bundle or a pin nearer to the hand (a flag against `NETAPI_INSECURE`) switches checking
//!   on again. Both as flags, or both in one profile, contradict each other: an error. Of two
//!   variables, `NETAPI_INSECURE` wins over `ISE_CA_CERT`, since the latter is set for good.

pub mod duration;

mod credentials;
mod data_connect;
mod echo_signals;
mod edit;
mod env_file;
mod environment;
mod flags;
mod given_secrets;
mod hidden_input;
mod layers;
#[cfg(feature = "nats")]
mod nats;
mod profile;
mod proxy;
mod secret;
mod show;
mod source;
mod table;
mod template;
mod value;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use data_connect::DataConnectSettings;
pub use edit::ConfigFile;
pub use environment::Environment;
pub use flags::Flags;
pub use hidden_input::ask as ask_hidden;
#[cfg(feature = "nats")]
pub use nats::{NatsFlags, NatsLogin};
pub use secret::while_nobody_is_asked;
pub use template::init;
pub use variables::Server;

use crate::authority::Authority;
use crate::error::{Error, Result};
use crate::transport::Override;
use crate::transport::proxy::ProxyOptions;
use credentials::Credentials;
use layers::Layers;
use source::{Setting, Source};
use table::Spec;
use value::RawValue;

/// Everything that was given, resolved on demand. Not `Debug`: it holds secrets.
pub struct Settings {
    layers: Layers,
}

/// How to reach a server and why to believe it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The CA bundle; the system's trust where there is none.
    pub ca: Option<PathBuf>,
    /// No certificate check at all; `ca` and `pin_sha256` are then `None`.
    pub insecure: bool,
    /// Whether the certificate must name the host.
    pub verify_hostname: bool,
    /// SHA-256 of the server's certificate, checked in place of its chain.
    pub pin_sha256: Option<[u8; 32]>,
    /// Addresses of hosts that are not resolved.
    pub overrides: Vec<Override>,
    /// The proxy, where one is set; which hosts go without it is in there.
    pub proxy: Option<ProxyOptions>,
    /// For name, connection and TLS handshake together; 10 s by default.
    pub connect_timeout: Duration,
    /// Idle time, not total; 60 s by default.
    pub timeout: Duration,
    /// Whether changing requests are refused.
    pub read_only: bool,
    /// What the user should be told on standard error, every time.
    pub warnings: Vec<String>,
}

/// What the client of the Monitoring node needs.
#[derive(Debug, Clone)]
pub struct MntSettings {
    /// The Monitoring node.
    pub node: Authority,
    /// An internal ISE administrator (reference mnt-api, section 5).
    pub user: String,
    /// The administrator's password.
    pub password: SecretString,
    /// How to connect.
    pub connection: Connection,
}

/// What the pxGrid client needs. Which of certificate, name and password a command cannot do
/// without is the command's to say.
#[derive(Debug, Clone)]
pub struct PxgridSettings {
    /// Control nodes in the order to try them; never empty.
    pub nodes: Vec<Authority>,
    /// Our node name; without one, the certificate's CN.
    pub client_name: Option<String>,
    /// The client certificate: PEM or PKCS#12.
    pub certificate: Option<PathBuf>,
    /// The private key, where it has a file of its own.
    pub key: Option<PathBuf>,
    /// The passphrase of the key or of the PKCS#12 file.
    pub key_password: Option<SecretString>,
    /// The password of a password account.
    pub account_password: Option<SecretString>,
    /// How to connect.
    pub connection: Connection,
}

impl Settings {
    /// Reads the files that `flags` and `environment` name. Never fails: what is wrong is told when
    /// a setting is demanded.
    pub fn resolve(flags: Flags, environment: Environment) -> Self {
        Self {
            layers: Layers::read(flags, environment),
        }
    }

    /// Settings for the Monitoring node, secrets fetched.
    pub fn mnt(&self) -> Result<MntSettings> {
        let node = self.mnt_node()?;
        let mut connection = self.connection(&table::MNT_CA)?;
        let Credentials { user, password } = self.mnt_credentials()?;
        let password = self.fetch(&password, &mut connection.warnings)?;
        self.log_in_at_proxy(&mut connection)?;
        Ok(MntSettings {
            node,
            user: user.value,
            password,
            connection,
        })
    }

    /// Settings for pxGrid, secrets fetched.
    pub fn pxgrid(&self) -> Result<PxgridSettings> {
        let nodes = self.pxgrid_nodes()?;
        let mut connection = self.connection(&table::PXGRID_CA)?;
        let client_name = self.layers.find(&table::CLIENT_NAME);
        let client_name = client_name.map(|found| found.name().map(str::to_owned));
        let pair = credentials::certificate(&self.layers)?;
        let mut fetch = |secret: Option<secret::Secret>| {
            secret
                .map(|secret| self.fetch(&secret, &mut connection.warnings))
                .transpose()
        };
        let key_password = fetch(credentials::key_password(&self.layers)?)?;
        let account_password = fetch(credentials::account_password(&self.layers)?)?;
        self.log_in_at_proxy(&mut connection)?;
        Ok(PxgridSettings {
            nodes,
            client_name: client_name.transpose()?,
            certificate: pair.certificate.map(|setting| setting.value),
            key: pair.key.map(|setting| setting.value),
            key_password,
            account_password,
            connection,
        })
    }

    /// How to connect, for who has not settled yet whom to trust: name overrides, proxy, time limits.
    pub fn way(&self) -> Result<Connection> {
        let mut connection = self.connection(&table::MNT_CA)?;
        self.log_in_at_proxy(&mut connection)?;
        Ok(Connection {
            ca: None,
            insecure: false,
            pin_sha256: None,
            warnings: Vec::new(),
            ..connection
        })
    }

    /// Whether changing commands are refused.
    pub fn read_only(&self) -> Result<bool> {
        self.usable()?;
        Ok(self.boolean(&table::READ_ONLY)?.value)
    }

    /// `path` with a leading `~` replaced by the home directory, and from here.
    pub fn absolute(&self, path: &str) -> Result<PathBuf> {
        let path = self.layers.environment.expand(path.as_ref())?;
        std::path::absolute(&path)
            .map_err(|error| Error::usage(format!("{}: {error}", path.display())))
    }

    /// Where the config file is, or would be.
    pub fn config_path(&self) -> Result<PathBuf> {
        self.layers.config.clone()
    }

    /// The profile in use.
    pub fn profile(&self) -> Option<&str> {
        Some(self.layers.profile.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The names of the profiles in the config file; none where there is no file.
    pub fn profiles(&self) -> Result<Vec<String>> {
        profile::names(&self.config_path()?)
    }

    /// The settings in force as variables, for a program that goes on with them: what a flag, a
    /// variable or a profile set, and no secret.
    pub fn exported(&self) -> Result<Vec<(&'static str, OsString)>> {
        self.usable()?;
        let mut found: Vec<(&'static str, OsString)> = Vec::new();
        if let Some(profile) = self.profile() {
            found.push(("NETAPI_PROFILE", profile.into()));
        }
        for (name, spec) in [
            ("ISE_MNT_FQDN", &table::MNT_HOST),
            ("ISE_MNT_PORT", &table::MNT_PORT),
            ("ISE_PXGRID_HOST", &table::PXGRID_HOSTS),
            ("ISE_PXGRID_PORT", &table::PXGRID_PORT),
            ("ISE_PXGRID_CLIENT_NAME", &table::CLIENT_NAME),
            ("ISE_DC_HOST", &table::DC_HOST),
            ("ISE_DC_PORT", &table::DC_PORT),
            ("ISE_DC_SERVICE", &table::DC_SERVICE),
            ("ISE_DC_USER", &table::DC_USER),
            ("NETAPI_RESOLVE", &table::RESOLVE),
            ("NETAPI_INSECURE", &table::INSECURE),
            ("NETAPI_READ_ONLY", &table::READ_ONLY),
        ] {
            let set = self.layers.find(spec);
            if let Some(set) = set.filter(|set| set.source != Source::Default) {
                found.push((name, set.values.join(OsStr::new(","))));
            }
        }
        for (name, spec) in [
            ("ISE_CA_CERT", &table::MNT_CA),
            ("PXGRID_CA", &table::PXGRID_CA),
        ] {
            if let Some(set) = self.layers.find(spec) {
                found.push((name, set.path(&self.layers.environment)?.into()));
            }
        }
        let pair = credentials::certificate(&self.layers)?;
        if let Some(certificate) = pair.certificate {
            found.push(("PXGRID_CERT", certificate.value.into()));
            found.extend(pair.key.map(|key| ("PXGRID_KEY", key.value.into())));
        }
        Ok(found)
    }

    /// Whether a secret that pxGrid needs is printed by a command, which may ask somebody.
    pub fn runs_commands(&self) -> bool {
        let keys = [
            "key_password_command",
            "client_password_command",
            "proxy_credentials_command",
        ];
        keys.iter().any(|key| self.layers.in_profile(key).is_some())
    }

    /// The first thing that is wrong with the files or the flags as a whole.
    fn usable(&self) -> Result<()> {
        match self.layers.broken.first() {
            Some(error) => Err(error.clone()),
            None => credentials::one_reader_of_stdin(&self.layers),
        }
    }

    /// The Monitoring node.
    pub fn mnt_node(&self) -> Result<Authority> {
        self.usable()?;
        let found = self.layers.find(&table::MNT_HOST).ok_or_else(|| {
            self.missing(
                "no MnT host is set",
                "mnt_host",
                "--mnt-host HOST",
                "ISE_MNT_FQDN",
                "ise mnt count",
            )
        })?;
        let nodes = self.nodes(&found, &table::MNT_PORT)?;
        nodes
            .into_iter()
            .next()
            .ok_or_else(|| found.wrong("is empty"))
    }

    fn pxgrid_nodes(&self) -> Result<Vec<Authority>> {
        self.usable()?;
        let found = self.layers.find(&table::PXGRID_HOSTS).ok_or_else(|| {
            self.missing(
                "no pxGrid host is set",
                "pxgrid_hosts",
                "--pxgrid-host HOST",
                "ISE_PXGRID_HOST",
                "ise pxgrid test",
            )
        })?;
        self.nodes(&found, &table::PXGRID_PORT)
    }

    fn missing(&self, what: &str, key: &str, flag: &str, variables: &str, example: &str) -> Error {
        let hint = if self.layers.flags.profile_alone {
            format!(
                "`netapi config set {key} VALUE --profile {}`: where several deployments are asked, each has what its profile says and nothing else",
                self.layers.profile.name
            )
        } else {
            format!(
                "give `{flag}`, set {variables}, or write a profile with `netapi config init`; to try it without an ISE: `netapi ise lab run -- netapi {example}`"
            )
        };
        Error::usage(what).hint(hint)
    }

    fn mnt_credentials(&self) -> Result<Credentials> {
        credentials::mnt_credentials(&self.layers)?.ok_or_else(|| {
            self.missing(
                "no MnT user is set",
                "mnt_user",
                "--mnt-user NAME",
                "ISE_MNT_USER and ISE_MNT_PASS",
                "ise mnt count",
            )
        })
    }

    /// Hosts, each with its own port or with the setting's, whichever is nearer to the hand.
    fn nodes(&self, found: &RawValue, spec: &Spec) -> Result<Vec<Authority>> {
        let port = self
            .layers
            .find(spec)
            .ok_or_else(|| found.wrong("has no port"))?;
        let number = port.port()?;
        let rank = |source: &Source| source.rank();
        let hosts = found.hosts()?;
        // Of several hosts each may have its own port, and the setting is for those that have none.
        let only_one = hosts.len() == 1;
        let node = |(host, own): (String, Option<u16>)| match own {
            Some(own) if only_one && own != number && rank(&port.source) == rank(&found.source) => {
                Err(Error::usage(format!(
                    "{} says port {own}, {} says {number}",
                    found.source.name(),
                    port.source.name()
                ))
                .hint("leave one of the two out"))
            }
            Some(own) if rank(&found.source) >= rank(&port.source) => {
                Ok(Authority::new(&host, own))
            }
            _ => Ok(Authority::new(&host, number)),
        };
        hosts.into_iter().map(node).collect()
    }

    fn connection(&self, ca: &Spec) -> Result<Connection> {
        self.usable()?;
        let layers = &self.layers;
        let insecure = self.boolean(&table::INSECURE)?;
        let (ca, pin) = (layers.find(ca), layers.find(&table::PIN));
        let off = unchecked(&insecure, ca.as_ref(), pin.as_ref())?;
        let (ca, pin) = if off { (None, None) } else { (ca, pin) };
        let overrides = match layers.find(&table::RESOLVE) {
            Some(found) => {
                let texts = found.texts()?.into_iter();
                texts.map(str::parse).collect::<Result<Vec<Override>>>()?
            }
            None => Vec::new(),
        };
        let mut warnings = layers.warnings.clone();
        warnings.extend(self.proxy_warnings());
        warnings.extend(off.then(|| {
            format!(
                "certificates are not checked ({}): anyone on the way to ISE can read passwords and change answers",
                insecure.source
            )
        }));
        Ok(Connection {
            ca: ca
                .map(|found| found.path(&layers.environment))
                .transpose()?,
            insecure: off,
            verify_hostname: self.boolean(&table::VERIFY_HOSTNAME)?.value,
            pin_sha256: pin.map(|found| found.fingerprint()).transpose()?,
            overrides,
            proxy: self.proxy()?,
            connect_timeout: self.timeout(&table::CONNECT_TIMEOUT)?,
            timeout: self.timeout(&table::TIMEOUT)?,
            read_only: self.boolean(&table::READ_ONLY)?.value,
            warnings,
        })
    }

    fn log_in_at_proxy(&self, connection: &mut Connection) -> Result<()> {
        match &mut connection.proxy {
            Some(proxy) => self.log_in(proxy, &mut connection.warnings),
            None => Ok(()),
        }
    }

    fn boolean(&self, spec: &Spec) -> Result<Setting<bool>> {
        let found = self.demand(spec)?;
        Ok(Setting {
            value: found.boolean()?,
            source: found.source,
        })
    }

    fn timeout(&self, spec: &Spec) -> Result<Duration> {
        self.demand(spec)?.timeout()
    }

    fn demand(&self, spec: &Spec) -> Result<RawValue> {
        self.layers
            .find(spec)
            .ok_or_else(|| Error::usage(format!("{} is not set", spec.name)))
    }

    fn fetch(&self, secret: &secret::Secret, warnings: &mut Vec<String>) -> Result<SecretString> {
        secret.fetch(
            &self.layers.environment,
            self.layers.flags.no_input,
            warnings,
        )
    }
}

/// Whether certificates go unchecked; see the module's documentation for who wins.
fn unchecked(
    insecure: &Setting<bool>,
    ca: Option<&RawValue>,
    pin: Option<&RawValue>,
) -> Result<bool> {
    if !insecure.value {
        return Ok(false);
    }
    let off = insecure.source.rank();
    for found in [ca, pin].into_iter().flatten() {
        let checks = found.source.rank();
        if checks > off {
            return Ok(false);
        }
        let both_variables = matches!(found.source, Source::Environment(_) | Source::EnvFile(..));
        if checks == off && !both_variables {
            return Err(Error::usage(format!(
                "{} and {} contradict each other",
                insecure.source.name(),
                found.source.name()
            ))
            .hint(format!(
                "leave out {}: the certificate is then checked",
                insecure.source.name()
            )));
        }
    }
    Ok(true)
}

/// Every key that a profile can have.
pub fn profile_keys() -> impl Iterator<Item = &'static str> {
    profile::keys()
}

#[cfg(test)]
mod tests;
