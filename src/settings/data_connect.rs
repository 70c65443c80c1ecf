//! What the client of Data Connect needs: node, service, account, and how long a statement may
//! take.

use std::time::Duration;

use secrecy::SecretString;

use super::secret::Secret;
use super::source::Source;
use super::{Connection, Settings, credentials, table};
use crate::authority::Authority;
use crate::error::{Error, Result};

/// How long a statement may take where nobody said.
const USUAL_LIMIT: Duration = Duration::from_secs(15);

/// And at most: a node has other work.
const LONGEST_LIMIT: Duration = Duration::from_mins(1);

/// Settings for Data Connect, secrets fetched.
#[derive(Debug, Clone)]
pub struct DataConnectSettings {
    /// The node, where it is set; else ISE is asked.
    pub node: Option<Authority>,
    /// The port for a node that ISE names.
    pub port: u16,
    /// The service's name.
    pub service: String,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// How long a statement may keep us waiting.
    pub statement_limit: Duration,
    /// How to connect.
    pub connection: Connection,
}

impl Settings {
    /// Settings for Data Connect, its password fetched: asked for where none is set.
    pub fn data_connect(&self) -> Result<DataConnectSettings> {
        let node = self.data_connect_node()?;
        let mut connection = self.connection(&table::MNT_CA)?;
        let service = self.demand(&table::DC_SERVICE)?.name()?.to_owned();
        let user = self.demand(&table::DC_USER)?.name()?.to_owned();
        let statement_limit = self.statement_limit()?;
        let secret = credentials::data_connect_password(&self.layers)?;
        let asked = secret.is_none();
        let secret = secret.unwrap_or_else(|| Secret::asked(&self.layers.of_profile(&user)));
        let password = self.fetch(&secret, &mut connection.warnings);
        let password = password.map_err(|error| {
            if !asked || self.may_ask() {
                return error;
            }
            Error::usage("no password of Data Connect is set").hint(
                "set ISE_DC_PASS or give --dc-password-file FILE: it is the password of the account dataconnect, not the administrator's (`netapi ise dc password` sets one); without an ISE: `netapi ise lab run -- netapi ise dc views`",
            )
        })?;
        self.log_in_at_proxy(&mut connection)?;
        Ok(DataConnectSettings {
            node,
            port: self.demand(&table::DC_PORT)?.port()?,
            service,
            user,
            password,
            statement_limit,
            connection,
        })
    }

    /// Whether a password of Data Connect is set: then it is taken for set up.
    pub fn has_data_connect(&self) -> Result<bool> {
        self.usable()?;
        Ok(credentials::data_connect_password(&self.layers)?.is_some())
    }

    /// The node of Data Connect, where it is set.
    pub fn data_connect_node(&self) -> Result<Option<Authority>> {
        self.usable()?;
        let found = self.layers.find(&table::DC_HOST);
        let nodes = found.map(|found| self.nodes(&found, &table::DC_PORT));
        Ok(nodes
            .transpose()?
            .and_then(|nodes| nodes.into_iter().next()))
    }

    /// The administration node: where it is named, else the host of the Monitoring node, which in a
    /// small deployment is the same.
    pub fn administration_node(&self) -> Result<Authority> {
        let named = ["ISE_PAN_FQDN", "ISE_PAN_IP"];
        let named = named.iter().find_map(|name| self.layers.variable(name));
        match named {
            Some(found) => {
                let nodes = self.nodes(&found, &table::MNT_PORT)?.into_iter().next();
                nodes.ok_or_else(|| found.wrong("is empty"))
            }
            None => self.mnt_node(),
        }
    }

    fn statement_limit(&self) -> Result<Duration> {
        let found = self.demand(&table::TIMEOUT)?;
        if found.source == Source::Default {
            return Ok(USUAL_LIMIT);
        }
        Ok(found.timeout()?.min(LONGEST_LIMIT))
    }

    /// That an option gives a statement no longer than a node bears. What a variable or a profile
    /// says is for all commands, and is cut to that.
    pub fn check_statement_limit(&self) -> Result<()> {
        let found = self.demand(&table::TIMEOUT)?;
        if matches!(found.source, Source::Flag(_)) && found.timeout()? > LONGEST_LIMIT {
            return Err(found
                .wrong("is too long for a statement")
                .hint("at most 60s is accepted: the node has other work"));
        }
        Ok(())
    }
}
