//! The proxy: its URL, the hosts that go without it, its credentials, and what of that is shown.
//!
//! `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` mean what they mean to curl: the spelling in lower
//! case comes first, and the exceptions count for `--proxy` too. Decided here: a URL with a
//! password may stand in a variable (there it stands for all programs), but neither on the command
//! line nor in the config file; `--no-proxy` and `no_proxy = ["*"]` are exceptions for every host;
//! credentials in a file win over those in a URL that is no nearer to the hand.

use secrecy::ExposeSecret;

use super::secret::{Secret, SecretPlace};
use super::show::{Row, secret_row, set, troubled, unset};
use super::source::{Setting, Source};
use super::table::{NO_PROXY, PROXY, PROXY_CA};
use super::value::RawValue;
use super::{Settings, credentials};
use crate::authority::Authority;
use crate::error::{Error, Result};
use crate::transport::proxy::{Exceptions, ProxyAddress, ProxyLogin, ProxyOptions};

const UNSET: &str = "--proxy, https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, profile proxy";

impl Settings {
    /// The proxy in use, without the credentials of a file; see [`Settings::log_in`].
    pub(crate) fn proxy(&self) -> Result<Option<ProxyOptions>> {
        let Some(found) = self.layers.find(&PROXY) else {
            return Ok(None);
        };
        let ca = self.layers.find(&PROXY_CA);
        Ok(Some(ProxyOptions {
            address: address(&found)?,
            source: found.source.to_string(),
            except: self
                .except()?
                .map(|except| except.value)
                .unwrap_or_default(),
            ca: ca
                .map(|found| found.path(&self.layers.environment))
                .transpose()?,
        }))
    }

    /// What is to be said of exceptions that can never match. A variable stands for all programs, so
    /// one that others read in another way stops nothing here.
    pub(crate) fn proxy_warnings(&self) -> Vec<String> {
        let set = self.layers.find(&PROXY).is_some();
        let found = self.layers.find(&NO_PROXY).filter(|_| set);
        let wrong = found.and_then(|found| exceptions(&found).err());
        wrong
            .map(|error| error.message().to_owned())
            .into_iter()
            .collect()
    }

    fn except(&self) -> Result<Option<Setting<Vec<String>>>> {
        let Some(found) = self.layers.find(&NO_PROXY) else {
            return Ok(None);
        };
        let texts = match &found.source {
            Source::Profile(..) => exceptions(&found)?,
            _ => found.texts()?,
        };
        Ok(Some(Setting {
            value: texts.into_iter().map(str::to_owned).collect(),
            source: found.source,
        }))
    }

    /// Fetches what the proxy is to be told of us: from a file or a command, and a password that is
    /// missing from the terminal. Nothing where every host goes without the proxy.
    pub(crate) fn log_in(
        &self,
        proxy: &mut ProxyOptions,
        warnings: &mut Vec<String>,
    ) -> Result<()> {
        if proxy.except.iter().any(|entry| entry == "*") {
            return Ok(());
        }
        let rank = self
            .layers
            .find(&PROXY)
            .map_or(0, |found| found.source.rank());
        let login = &mut proxy.address.login;
        match credentials::proxy_credentials(&self.layers)? {
            Some(secret) if login.is_none() || secret.source.rank() >= rank => {
                let pair = self.fetch(&secret, warnings)?;
                let pair = ProxyLogin::pair(pair.expose_secret()).map_err(|why| {
                    Error::usage(format!("{} {why}", secret.source.name()))
                        .hint("its first line is USER:PASSWORD, as the proxy knows them")
                })?;
                *login = Some(pair);
            }
            _ => {}
        }
        if let Some(ProxyLogin { user, password }) = login
            && password.is_none()
        {
            let asked = Secret {
                place: SecretPlace::Asked(format!("Password of {user} at the proxy")),
                source: Source::Derived("asked for on the terminal"),
            };
            let fetched = self.fetch(&asked, warnings).map_err(|error| {
                error.hint(
                    "give it in a file that holds USER:PASSWORD: --proxy-credentials-file FILE",
                )
            })?;
            *password = Some(fetched);
        }
        Ok(())
    }

    /// The rows of `config show`: the settings, and what of them stands before each API.
    pub(crate) fn proxy_rows(&self) -> Vec<Row> {
        let proxy = match self.layers.find(&PROXY) {
            None => unset("proxy", UNSET),
            Some(found) => match address(&found) {
                Ok(address) => set("proxy", address.masked(), &found.source),
                Err(error) => troubled("proxy", &error),
            },
        };
        let mut rows = vec![
            proxy,
            self.row(&NO_PROXY),
            secret_row(
                "proxy-credentials",
                credentials::proxy_credentials(&self.layers),
                "--proxy-credentials-file, NETAPI_PROXY_CREDENTIALS_FILE, profile proxy_credentials_file or proxy_credentials_command",
            ),
            self.row(&PROXY_CA),
        ];
        let Ok(Some(proxy)) = self.proxy() else {
            return rows;
        };
        for (setting, nodes) in [
            ("proxy (mnt)", self.mnt_node().map(|node| vec![node])),
            ("proxy (pxgrid)", self.pxgrid_nodes()),
        ] {
            if let Ok(nodes) = nodes {
                let hosts: Vec<&str> = nodes.iter().map(Authority::host).collect();
                rows.push(self.in_the_way(setting, &proxy, &hosts));
            }
        }
        rows
    }

    /// What stands between us and these hosts.
    fn in_the_way(&self, setting: &str, proxy: &ProxyOptions, hosts: &[&str]) -> Row {
        let exceptions = Exceptions::new(&proxy.except);
        let (without, through): (Vec<&str>, Vec<&str>) =
            hosts.iter().partition(|host| exceptions.contain(host));
        let why = match self.except() {
            Ok(Some(except)) if !without.is_empty() => {
                format!("{} exempts {}", except.source, without.join(", "))
            }
            _ => String::new(),
        };
        let address = if through.is_empty() {
            "none".to_owned()
        } else {
            proxy.address.to_string()
        };
        let source = match (through.is_empty(), why.is_empty()) {
            (true, _) => why,
            (false, true) => proxy.source.clone(),
            (false, false) => format!("{}; {why}", proxy.source),
        };
        Row {
            setting: setting.to_owned(),
            value: address,
            source,
            problem: None,
        }
    }
}

/// The hosts without proxy.
///
/// Errors: [`Kind::Usage`](crate::error::Kind::Usage) for an entry that can never match, so that its
/// host would be reached through the proxy.
pub(crate) fn exceptions(found: &RawValue) -> Result<Vec<&str>> {
    let texts = found.texts()?;
    let parts = texts.iter().flat_map(|text| text.split(','));
    let mut wrong = parts.filter(|part| Exceptions::is_no_rule(part));
    match wrong.next() {
        Some(entry) => Err(found
            .wrong(&format!(
                "has an entry that matches no host: {}",
                entry.trim()
            ))
            .hint("write names (with all below them), addresses, networks such as 10.0.0.0/8, or *; no port, no URL")),
        None => Ok(texts),
    }
}

/// The proxy's URL. A password where others can read it is refused, not used.
pub(crate) fn address(found: &RawValue) -> Result<ProxyAddress> {
    let address: ProxyAddress = found.text()?.parse().map_err(|error: Error| {
        let named = found.wrong(error.message());
        match error.hint_text() {
            Some(hint) => named.hint(hint),
            None => named,
        }
    })?;
    let password = address
        .login
        .as_ref()
        .is_some_and(|login| login.password.is_some());
    match &found.source {
        Source::Flag(_) if password => Err(found
            .wrong("holds a password, and everybody on this computer can read arguments")
            .hint("leave it out of the URL: --proxy-credentials-file FILE names a file that holds USER:PASSWORD; or set HTTPS_PROXY")),
        Source::Profile(..) if password => Err(found
            .wrong("holds a password; secrets do not stand in this file")
            .hint("leave it out of the URL and write proxy_credentials_file = \"FILE\" or proxy_credentials_command = [\"pass\", \"show\", \"proxy\"]; either gives USER:PASSWORD")),
        _ => Ok(address),
    }
}
