//! The pxGrid side of a [`Context`]: our account, and a client over the nodes. All that can be
//! wrong with certificate, key and name is said here, before the first connection.

use jiff::Timestamp;

use super::Context;
use crate::error::{Error, Result};
use crate::pxgrid::{Account, Control, ServiceClient};
use crate::settings::PxgridSettings;
use crate::transport::identity::{IdentityFacts, read_identity};
use crate::transport::{Client, Identity};

impl Context {
    /// The client for pxGrid's services; nothing is sent yet. Asks for a missing passphrase or
    /// password.
    pub(crate) fn pxgrid(&self) -> Result<ServiceClient> {
        self.pxgrid_as().map(|(client, _)| client)
    }

    /// The same, with what our certificate says.
    pub(crate) fn pxgrid_as(&self) -> Result<(ServiceClient, Option<IdentityFacts>)> {
        let settings = self.settings.pxgrid()?;
        let identity = self.identity(&settings)?;
        let facts = identity.as_ref().map(|(_, facts)| facts);
        for warning in facts.map_or_else(Vec::new, |facts| facts.warnings(Timestamp::now())) {
            self.warn_once(&warning);
        }
        let account = self.account(&settings, facts)?;
        let (identity, facts) = identity.unzip();
        let client = self.pxgrid_http(&settings, identity)?;
        Ok((
            ServiceClient::new(control(&settings, client, account)?),
            facts,
        ))
    }

    /// The client certificate that the settings name, if they name one.
    pub(crate) fn identity(
        &self,
        settings: &PxgridSettings,
    ) -> Result<Option<(Identity, IdentityFacts)>> {
        let Some(certificate) = &settings.certificate else {
            return Ok(None);
        };
        let key = settings.key.as_deref();
        let files = read_identity(certificate, key)?;
        let mut password = settings.key_password.clone();
        if password.is_none() && files.needs_password() {
            let file = key.unwrap_or(certificate);
            password = Some(
                self.settings
                    .ask(&format!("Passphrase of {}", file.display()))?,
            );
        }
        let (identity, facts) = files.open(password.as_ref())?;
        for note in &facts.notes {
            self.warn_once(note);
        }
        Ok(Some((identity, facts)))
    }

    /// Our name, and the password of a password account.
    pub(crate) fn account(
        &self,
        settings: &PxgridSettings,
        certificate: Option<&IdentityFacts>,
    ) -> Result<Account> {
        let common_name = certificate.and_then(|facts| facts.common_name.as_deref());
        let name = settings.client_name.as_deref().or(common_name);
        let mut password = settings.account_password.clone();
        if certificate.is_none() && password.is_none() {
            let why = Error::usage("no client certificate and no pxGrid account password is set")
                .hint("give --cert FILE --key FILE (or PXGRID_CERT, PXGRID_KEY); for a password account, --client-name NAME --client-password-file FILE (or ISE_PXGRID_PASSWORD)");
            let Some(name) = name.filter(|_| self.settings.may_ask()) else {
                return Err(why);
            };
            let asked = format!("Password of the pxGrid account {name}");
            password = Some(self.settings.ask(&asked)?);
        }
        let name = name.ok_or_else(|| {
            Error::usage("no pxGrid client name is set, and no certificate has one")
                .hint("give --client-name NAME, or set ISE_PXGRID_CLIENT_NAME")
        })?;
        Ok(Account {
            name: name.parse()?,
            password,
        })
    }

    /// The HTTP client for control calls and services.
    pub(crate) fn pxgrid_http(
        &self,
        settings: &PxgridSettings,
        identity: Option<Identity>,
    ) -> Result<Client> {
        let mut options = self.client_options(&settings.connection, false);
        options.tls.identity = identity;
        options.identity_files = settings
            .certificate
            .clone()
            .map(|certificate| (certificate, settings.key.clone()));
        self.client(options)
    }
}

/// Control calls to the nodes of the settings.
pub(crate) fn control(
    settings: &PxgridSettings,
    client: Client,
    account: Account,
) -> Result<Control> {
    Control::new(client, settings.nodes.clone(), account)
}
