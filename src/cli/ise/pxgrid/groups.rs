//! `netapi ise pxgrid groups`: the groups of all users, or of one.

use clap::Args;
use serde_json::json;

use super::read_operation::{Ask, ready};
use crate::cli::Context;
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::render::Shape;

const OF_USER: &str = "getUserGroupByUserName";

/// Arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  netapi ise pxgrid groups\n  netapi ise pxgrid groups pat.kim --json"
)]
pub(crate) struct Groups {
    /// The user name, exactly as ISE has it
    #[arg(value_name = "USER")]
    user: Option<String>,
}

impl Groups {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self.user {
            None => {
                Ask::new("session", "getUserGroups", "no user has a group")
                    .list(context)
                    .await
            }
            Some(user) => of_user(&user, context).await,
        }
    }
}

/// A list, but 204 says that there is no such user, which is not the same as a user without groups.
async fn of_user(user: &str, context: &Context) -> Result<()> {
    let body = json!({ "userName": user });
    let columns = Ask::new("session", OF_USER, "").columns()?;
    let client = ready(context, "session", OF_USER, &body).await?;
    let answer = client
        .query("session", OF_USER, &body)
        .await
        .map_err(|error| match error.kind() {
            Kind::NotFound => {
                error.hint("`netapi ise pxgrid groups` lists the users as ISE spells them")
            }
            _ => error,
        })?;
    let Some(list) = answer
        .value()
        .get("groups")
        .and_then(|groups| groups.as_array())
    else {
        return Err(Error::new(
            Kind::Malformed,
            format!("the answer to {OF_USER} has no list 'groups'"),
        ));
    };
    let records: Vec<Record> = list.iter().cloned().map(Record::from_value).collect();
    context.print(&records, columns, Shape::List, "no groups")
}
