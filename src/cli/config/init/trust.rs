//! Whom to trust: the server is looked at without a secret, what it shows is shown, and the answer
//! is tried before anything else is sent.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::draft::{Draft, Trust};
use super::{Conversation, Next};
use crate::authority::Authority;
use crate::error::{Error, Kind, Result};
use crate::transport::identity::{IdentityFacts, certificate_facts};
use crate::transport::{Client, Identity};

/// How a server was left.
pub(super) enum Settled {
    /// It was reached, and is trusted.
    Reached,
    /// It is kept as it was typed, unasked.
    Unchecked,
    /// Back to the question before.
    Back,
}

impl Conversation<'_> {
    /// Settles whom to trust for a server; what was settled for another one is tried first.
    pub(super) fn settle(
        &mut self,
        server: &Authority,
        identity: Option<&Identity>,
    ) -> Result<Settled> {
        loop {
            let trust = self.draft.trust.clone();
            let error = match self.look(server, identity, Some(&trust)) {
                Ok(chain) => {
                    let facts = chain.first().and_then(|leaf| certificate_facts(leaf).ok());
                    let whose = facts.map_or_else(String::new, |facts| {
                        format!(" {}, issued by {}", facts.subject, facts.issuer)
                    });
                    self.terminal
                        .say(&format!("{server} is reached and trusted:{whose}."))?;
                    remember(&mut self.draft, &chain);
                    return Ok(Settled::Reached);
                }
                Err(error) => error,
            };
            let shown = match error.kind() {
                Kind::Tls => self.look(server, identity, None).ok(),
                _ => None,
            };
            let Some(chain) = shown.filter(|chain| !chain.is_empty()) else {
                match self.whether_to_repeat(&error)? {
                    Next::Again => continue,
                    Next::Keep => return Ok(Settled::Unchecked),
                    Next::Back => return Ok(Settled::Back),
                }
            };
            if !self.choose_trust(server, &error, &chain)? {
                return Ok(Settled::Back);
            }
        }
    }

    /// Connects, and gives what the server showed, its own certificate first. Without `trust`
    /// nothing is checked, and nothing sent but the handshake.
    fn look(
        &self,
        server: &Authority,
        identity: Option<&Identity>,
        trust: Option<&Trust>,
    ) -> Result<Vec<Vec<u8>>> {
        let client = self.client(identity, trust)?;
        self.context
            .run(async { client.connect(server).await.map(|(_, seen)| seen.chain()) })
    }

    /// The HTTP client with this trust; `None` checks nothing.
    pub(super) fn client(
        &self,
        identity: Option<&Identity>,
        trust: Option<&Trust>,
    ) -> Result<Client> {
        let mut options = self.context.client_options(&self.way, false);
        options.tls.identity = identity.cloned();
        match trust {
            None => options.tls.insecure = true,
            Some(Trust::System) => {}
            Some(Trust::Roots(roots)) => options.tls.roots.clone_from(roots),
            Some(Trust::File(path)) => options.tls.ca = Some(path.clone()),
            Some(Trust::Pin(pin)) => options.tls.pin_sha256 = Some(*pin),
        }
        self.context.client(options)
    }

    /// Shows the certificate and asks; whether an answer was given.
    fn choose_trust(
        &mut self,
        server: &Authority,
        error: &Error,
        chain: &[Vec<u8>],
    ) -> Result<bool> {
        let (Some(leaf), Some(top)) = (chain.first(), chain.last()) else {
            return Ok(false);
        };
        self.terminal.say("")?;
        self.terminal.say(&format!(
            "{server} shows a certificate that is not trusted yet:"
        ))?;
        let facts = certificate_facts(leaf)?;
        self.show(&facts)?;
        let authority = certificate_facts(top)?;
        let own = chain.len() == 1 && facts.subject == facts.issuer;
        let has_ca = chain.len() > 1 || own;
        if chain.len() > 1 {
            self.terminal.say("and sends the CA along:")?;
            self.show(&authority)?;
        }
        self.terminal
            .say(&format!("Why not: {}", error.message()))?;
        self.terminal.say(
            "Compare the SHA-256 with the one in ISE (Administration > System > Certificates) before you keep it.",
        )?;
        let mut options = Vec::new();
        if has_ca {
            options.push((
                Choice::Authority,
                "keep its CA, and trust whatever that signed",
            ));
        }
        options.push((Choice::File, "name a file with the CA's certificate"));
        // A profile has one pin: it cannot be of two servers.
        if self.draft.seen.is_empty() || matches!(self.draft.trust, Trust::Pin(_)) && own {
            options.push((Choice::Pin, "keep this one certificate (a pin)"));
        }
        options.push((Choice::Back, "go back"));
        let words: Vec<&str> = options.iter().map(|(_, words)| *words).collect();
        let Some(place) = self.terminal.choose("Trust it?", &words)? else {
            return Ok(false);
        };
        match options.get(place).map(|(choice, _)| choice) {
            Some(Choice::Authority) => {
                let mut roots = self.draft.seen.clone();
                if !roots.contains(top) {
                    roots.push(top.clone());
                }
                self.draft.trust = Trust::Roots(roots);
            }
            Some(Choice::Pin) => self.draft.trust = Trust::Pin(Sha256::digest(leaf).into()),
            Some(Choice::File) => {
                let settings = &self.context.settings;
                let file = self.terminal.checked("File", None, |path| {
                    let path = settings.absolute(path)?;
                    is_readable(&path).map(|()| path)
                })?;
                match file {
                    Some(path) => self.draft.trust = Trust::File(path),
                    None => return Ok(false),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn show(&mut self, facts: &IdentityFacts) -> Result<()> {
        self.terminal.fact("subject", &facts.subject)?;
        self.terminal.fact("issuer", &facts.issuer)?;
        self.terminal.fact("SHA-256", &facts.sha256)?;
        let valid = format!("{} until {}", facts.not_before, facts.not_after);
        self.terminal.fact("valid", &valid)
    }
}

enum Choice {
    Authority,
    File,
    Pin,
    Back,
}

fn is_readable(path: &Path) -> Result<()> {
    crate::files::open(path, "CA certificates").map(drop)
}

/// Keeps the highest certificate, for a trust that is to hold for all servers.
fn remember(draft: &mut Draft, chain: &[Vec<u8>]) {
    if let Some(top) = chain.last()
        && !draft.seen.contains(top)
    {
        draft.seen.push(top.clone());
    }
}
