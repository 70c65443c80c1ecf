//! The pxGrid side of a profile: the nodes, who we are there, and the account's approval.

use secrecy::SecretString;

use super::draft::{Kept, Who};
use super::trust::Settled;
use super::{Conversation, Next, Turn};
use crate::authority::{self, Authority};
use crate::error::{Error, Result};
use crate::pxgrid::control::{NodeName, require_enabled};
use crate::pxgrid::{Account, AccountState, Control};
use crate::transport::Identity;
use crate::transport::identity::{IdentityFacts, read_identity};

/// The port of pxGrid's control.
const PORT: u16 = 8910;

/// What is typed for a deployment that has no pxGrid, or not yet.
const NONE: &str = "none";

impl Conversation<'_> {
    /// The nodes.
    pub(super) fn nodes(&mut self) -> Result<Turn> {
        let host = self
            .draft
            .mnt
            .as_ref()
            .map(|(_, node)| node.host().to_owned());
        let flags: Vec<String> = self.context.global.pxgrid_host.clone();
        let known = self.known("pxgrid_hosts");
        let default = if flags.is_empty() {
            known.or(host)
        } else {
            Some(flags.join(","))
        };
        self.terminal.say("")?;
        let nodes = self.terminal.checked(
            "pxGrid nodes, with commas between ('none' to leave pxGrid out)",
            default.as_deref(),
            |list| {
                if list == NONE {
                    return Ok(Vec::new());
                }
                let hosts = list
                    .split(',')
                    .map(str::trim)
                    .filter(|host| !host.is_empty());
                hosts.map(|host| server(host, PORT)).collect()
            },
        )?;
        match nodes {
            Some(nodes) => {
                self.draft.nodes = nodes;
                Ok(Turn::Asked)
            }
            None => Ok(Turn::Back),
        }
    }

    /// Who we are, and whether the nodes can be trusted.
    pub(super) fn identity(&mut self) -> Result<Turn> {
        if self.draft.nodes.is_empty() {
            self.draft.who = None;
            return Ok(Turn::Unasked);
        }
        loop {
            let how = self.terminal.choose(
                "How does ISE know us?",
                &[
                    "by a client certificate (a file)",
                    "by an account with a password, which is made now",
                ],
            )?;
            let who = match how {
                None => return Ok(Turn::Back),
                Some(0) => self.certificate()?,
                Some(_) => self.name()?.map(|name| {
                    let made = match &self.draft.who {
                        Some(Who::Password {
                            name: old,
                            password,
                        }) if *old == name => password.clone(),
                        _ => None,
                    };
                    Who::Password {
                        name,
                        password: made,
                    }
                }),
            };
            let Some(who) = who else { continue };
            let identity = Self::opened(&who)?.map(|(identity, _)| identity);
            self.draft.who = Some(who);
            let mut back = false;
            for (_, node) in self.draft.nodes.clone() {
                back |= matches!(self.settle(&node, identity.as_ref())?, Settled::Back);
                if back {
                    break;
                }
            }
            if !back {
                return Ok(Turn::Asked);
            }
        }
    }

    /// Certificate, key and passphrase, tried together.
    fn certificate(&mut self) -> Result<Option<Who>> {
        let settings = &self.context.settings;
        let exists = |path: &str| {
            let path = settings.absolute(path)?;
            crate::files::open(&path, "client certificate").map(|_| path)
        };
        let global = &self.context.global;
        let given = |path: &Option<std::path::PathBuf>| path.as_ref()?.to_str().map(str::to_owned);
        let (cert, key) = (given(&global.cert), given(&global.key));
        let cert = cert.or_else(|| self.known("cert"));
        let key = key.or_else(|| self.known("key"));
        let question = "Client certificate (PEM, or PKCS#12 with its key)";
        let Some(cert) = self.terminal.checked(question, cert.as_deref(), exists)? else {
            return Ok(None);
        };
        let question = "Its private key ('-' where it is in the same file)";
        let same = |path: &str| match path {
            "-" => Ok(None),
            path => exists(path).map(Some),
        };
        let key = key.as_deref().or(Some("-"));
        let Some(key) = self.terminal.checked(question, key, same)? else {
            return Ok(None);
        };
        let locked = match read_identity(&cert, key.as_deref()) {
            Ok(files) => files.needs_password(),
            Err(error) => {
                self.terminal.error(&error)?;
                return Ok(None);
            }
        };
        let passphrase = if locked {
            let file = key.as_ref().unwrap_or(&cert).display().to_string();
            let Some(kept) = self.secret(&format!("Passphrase of {file}"))? else {
                return Ok(None);
            };
            Some(kept)
        } else {
            None
        };
        let mut who = Who::Certificate {
            cert,
            key,
            passphrase,
            name: None,
        };
        let facts = match Self::opened(&who) {
            Ok(opened) => opened.map(|(_, facts)| facts),
            Err(error) => {
                self.terminal.error(&error)?;
                return Ok(None);
            }
        };
        let common_name = facts.as_ref().and_then(|facts| facts.common_name.clone());
        if let Some(facts) = &facts {
            self.terminal.fact("subject", &facts.subject)?;
            self.terminal
                .fact("valid", &format!("until {}", facts.not_after))?;
        }
        if common_name.is_none_or(|name| name.parse::<NodeName>().is_err())
            && let Who::Certificate { name, .. } = &mut who
        {
            *name = self.name()?;
            if name.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(who))
    }

    fn name(&mut self) -> Result<Option<String>> {
        let default = self.context.global.client_name.clone();
        let default = default
            .or_else(|| self.known("client_name"))
            .unwrap_or_else(|| "netapi".to_owned());
        let read = |name: &str| name.parse::<NodeName>().map(|name| name.to_string());
        self.terminal
            .checked("Our name on the grid", Some(&default), read)
    }

    /// The certificate, opened.
    fn opened(who: &Who) -> Result<Option<(Identity, IdentityFacts)>> {
        let Who::Certificate {
            cert,
            key,
            passphrase,
            ..
        } = who
        else {
            return Ok(None);
        };
        let files = read_identity(cert, key.as_deref())?;
        let password: Option<&SecretString> = passphrase.as_ref().map(|kept: &Kept| &kept.secret);
        files.open(password).map(Some)
    }

    /// Makes the account where it is to have a password, activates it, and waits for approval as
    /// long as the user does.
    pub(super) fn account(&mut self) -> Result<Turn> {
        let Some(who) = self.draft.who.clone() else {
            return Ok(Turn::Unasked);
        };
        let mut asked = false;
        loop {
            let (what, error) = match self.activated(&who) {
                Ok((name, AccountState::Enabled)) => {
                    self.terminal
                        .say(&format!("The pxGrid account '{name}' is enabled."))?;
                    return Ok(if asked { Turn::Asked } else { Turn::Unasked });
                }
                Ok((name, AccountState::Pending)) => (
                    Some(format!(
                        "The pxGrid account '{name}' awaits approval in ISE: Administration > pxGrid Services > Client Management > Clients."
                    )),
                    None,
                ),
                Ok((name, AccountState::Disabled)) => {
                    let activation = crate::pxgrid::control::Activation {
                        state: AccountState::Disabled,
                        version: None,
                    };
                    (None, require_enabled(&activation, &name).err())
                }
                Err(error) => (None, Some(error)),
            };
            if let Some(what) = what {
                self.terminal.say(&what)?;
            }
            if let Some(error) = &error {
                self.terminal.error(error)?;
            }
            asked = true;
            match self.repeat_or_keep("ask ISE again, when it is approved", "go on without it")? {
                Next::Again => {}
                Next::Keep => return Ok(Turn::Asked),
                Next::Back => return Ok(Turn::Back),
            }
        }
    }

    fn activated(&mut self, who: &Who) -> Result<(NodeName, AccountState)> {
        let opened = Self::opened(who)?;
        let (identity, facts) = opened.unzip();
        let client = self.client(identity.as_ref(), Some(&self.draft.trust))?;
        let nodes: Vec<Authority> = self
            .draft
            .nodes
            .iter()
            .map(|(_, node)| node.clone())
            .collect();
        let name = match who {
            Who::Certificate { name, .. } => name.clone().or(facts.and_then(|f| f.common_name)),
            Who::Password { name, .. } => Some(name.clone()),
        };
        let name: NodeName = name.unwrap_or_default().parse()?;
        let mut account = Account {
            name: name.clone(),
            password: None,
        };
        if let Some(Who::Password { password, .. }) = &mut self.draft.who {
            if password.is_none() {
                let control = Control::new(client.clone(), nodes.clone(), account.clone())?;
                let made = self.context.run(control.create_account())?;
                *password = Some(made.password);
                self.terminal.say(&format!(
                    "The account '{name}' is made in ISE; its password is kept when the profile is written."
                ))?;
            }
            account.password.clone_from(password);
        }
        let control = Control::new(client, nodes, account)?;
        let activation = self.context.run(control.activate(None))?;
        Ok((name, activation.state))
    }
}

/// A server as it was typed, and where it is.
pub(super) fn server(text: &str, port: u16) -> Result<(String, Authority)> {
    let (host, own) = authority::parse(text).ok_or_else(|| {
        Error::usage(format!("'{text}' is no host")).hint(
            "write ise.example.com, 10.0.0.1 or [2001:db8::1]; with a port, ise.example.com:443",
        )
    })?;
    Ok((text.to_owned(), Authority::new(&host, own.unwrap_or(port))))
}
