//! `netapi ise pxgrid trustsec`: TrustSec's configuration.

mod names;

use clap::{Args, Subcommand};

use super::read_operation::Ask;
use crate::cli::Context;
use crate::error::Result;
use crate::render::Shape;
use names::{Named, Names};

const SERVICE: &str = "trustsec-config";

/// `netapi ise pxgrid trustsec …`
#[derive(Subcommand, Debug)]
pub(crate) enum Trustsec {
    /// Security groups and their tags
    #[command(after_help = "Example:\n  netapi ise pxgrid trustsec groups --sort TAG")]
    Groups,
    /// Security group ACLs
    #[command(after_help = "Example:\n  netapi ise pxgrid trustsec acls --json")]
    Acls,
    /// Egress policies: the cells of the matrix
    Policies(Policies),
    /// Egress matrices
    #[command(after_help = "Example:\n  netapi ise pxgrid trustsec matrices")]
    Matrices,
    /// Virtual networks (ISE 3.1)
    #[command(after_help = "Example:\n  netapi ise pxgrid trustsec networks")]
    Networks,
}

/// Arguments of `policies`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netapi ise pxgrid trustsec policies\n  netapi ise pxgrid trustsec policies --matrix ID --format csv"
)]
pub(crate) struct Policies {
    /// Only the matrix with this id (`trustsec matrices` shows them)
    #[arg(long, value_name = "ID")]
    matrix: Option<String>,
}

impl Ask {
    /// Lists policies with names for what they refer to.
    async fn list_by_name(self, context: &Context) -> Result<()> {
        let columns = self.columns()?;
        let nothing = self.nothing();
        let (client, operation, body) = self.ready(context).await?;
        let names = Names::ask(&client, context).await;
        let inner = context.output_of("rows", columns, Shape::List)?;
        let rows = Named { names, inner };
        let (rows, outcome) = client.list(SERVICE, operation, &body, rows).await;
        context.end_list(rows.inner, outcome, nothing).map(drop)
    }
}

impl Trustsec {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let ask = match self {
            Self::Groups => Ask::new(SERVICE, "getSecurityGroups", "no security groups"),
            Self::Acls => Ask::new(SERVICE, "getSecurityGroupAcls", "no security group ACLs"),
            Self::Policies(Policies { matrix }) => {
                let ask = Ask::new(SERVICE, "getEgressPolicies", "no egress policies")
                    .with_some("matrixId", matrix);
                if context.shows_a_person() {
                    return ask.list_by_name(context).await;
                }
                ask
            }
            Self::Matrices => Ask::new(SERVICE, "getEgressMatrices", "no egress matrices"),
            Self::Networks => Ask::new(SERVICE, "getVirtualNetwork", "no virtual networks"),
        };
        ask.list(context).await
    }
}
