//! `netapi ise dc status`: what the administration node says of Data Connect, and with `--verbose`
//! what the database says of itself, for a bug report.

use clap::Args;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::data_connect::DataConnect;
use crate::cli::Context;
use crate::error::{Kind, Result};
use crate::record::Record;
use crate::render::{Column, Shape, column};

const COLUMNS: &[Column] = &[
    column("ENABLED", "enabled"),
    column("PASSWORD-SET", "passwordSet"),
    column("EXPIRES-IN-DAYS", "passwordExpiresInDays"),
    column("EXPIRES-ON", "passwordExpiresOn"),
    column("NODE", "node"),
    column("SERVICE", "service"),
    column("VERSION", "version"),
    column("BANNER", "banner"),
    column("PROTOCOL", "protocol"),
    column("FIELD-VERSION", "fieldVersion"),
    column("CHARACTER-SET", "characterSet"),
    column("COMPILE-CAPABILITIES", "compileCapabilities"),
    column("RUNTIME-CAPABILITIES", "runtimeCapabilities"),
];

/// Arguments.
#[derive(Args, Debug)]
#[command(
    before_help = "\
Examples:
  netapi ise dc status
  netapi ise dc status --verbose    # for a bug report: logs on to the database",
    after_help = "\
Data Connect (ISE 3.2 and later) is switched off until an administrator sets its
password and enables it: `dc password`, `dc enable`. Statements log on as
dataconnect with ISE_DC_PASS or --dc-password-file, over TLS to port 2484."
)]
pub(crate) struct Status {
    /// Log on to the database as well, and show what it says of itself
    #[arg(long)]
    verbose: bool,
}

impl Status {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut shown = Map::new();
        let asked = of_ise(context, &mut shown).await;
        match asked {
            Err(error) if !self.verbose || error.kind() == Kind::NotSent => return Err(error),
            // The administrator would be asked for once more, to find the node.
            Err(error) if error.http_status() == Some(401) && !is_node_set(context) => {
                return Err(error);
            }
            // The database may be there all the same, and is what the report is about.
            Err(error) => context.reporter.warn(&error.to_string()),
            Ok(()) => {}
        }
        if self.verbose {
            let mut database = DataConnect::open(context).await?;
            let facts = database.facts().await;
            let host = database.host();
            database.close().await;
            let facts = facts?;
            shown.insert("node".to_owned(), host.into());
            shown.insert("version".to_owned(), facts.version.into());
            shown.insert("banner".to_owned(), facts.banner.into());
            shown.insert("protocol".to_owned(), facts.protocol.into());
            shown.insert("fieldVersion".to_owned(), facts.field_version.into());
            shown.insert("characterSet".to_owned(), facts.character_set.into());
            let hex = [
                ("compileCapabilities", facts.compile_capabilities),
                ("runtimeCapabilities", facts.runtime_capabilities),
            ];
            shown.extend(hex.map(|(name, text)| (name.to_owned(), text.into())));
        }
        let record = Record::from_value(Value::Object(shown));
        context.print(&[record], COLUMNS, Shape::Single, "")
    }
}

async fn of_ise(context: &Context, shown: &mut Map<String, Value>) -> Result<()> {
    let control = Control::new(context)?;
    let state = control.state().await?;
    shown.insert("enabled".to_owned(), json!(state.enabled));
    shown.insert("passwordSet".to_owned(), json!(state.password_set));
    let days = state.expires_in_days;
    shown.insert("passwordExpiresInDays".to_owned(), json!(days));
    shown.insert("passwordExpiresOn".to_owned(), json!(state.expires_on));
    if state.enabled {
        let details = control.details().await?;
        shown.insert("node".to_owned(), details.node.to_string().into());
        shown.insert("service".to_owned(), details.service.into());
    } else if !state.password_set {
        context
            .reporter
            .note("`netapi ise dc password` sets a password first, then `netapi ise dc enable`");
    }
    if days.is_some_and(|days| days <= 7) && state.enabled {
        context
            .reporter
            .warn("the password expires within a week: `netapi ise dc password` sets a new one");
    }
    Ok(())
}

fn is_node_set(context: &Context) -> bool {
    let settings = context.settings.data_connect();
    settings.is_ok_and(|settings| settings.node.is_some())
}
