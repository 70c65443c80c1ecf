//! One operation of the catalogue, asked and printed: what every command that only reads a service
//! runs. The catalogue says whether the answer is a list or one thing, which columns it has and how
//! it is paged; a command adds the request's members and its own filter.

use std::io::Stdout;

use serde_json::{Map, Value, json};

use super::columns;
use crate::cli::Context;
use crate::cli::bulk::{ListOptions, Reading};
use crate::cli::command_effects;
use crate::cli::filters::say_of_expression;
use crate::error::{Error, Kind, Result};
use crate::pxgrid::catalogue::{self, Operation};
use crate::pxgrid::{ServiceClient, rest};
use crate::record::jmespath::Filter;
use crate::record::selection::{Selected, Selection};
use crate::record::{Mac, Record};
use crate::render::{Columns, Renderer, Shape};
use crate::transport::Effect;

/// An operation and its request.
#[derive(Clone)]
pub(super) struct Ask {
    service: &'static str,
    operation: &'static str,
    body: Map<String, Value>,
    nothing: &'static str,
}

impl Ask {
    /// An operation of a service (by alias); `nothing` is said of an empty list, and is the hint
    /// where one thing is not there.
    pub(super) fn new(
        service: &'static str,
        operation: &'static str,
        nothing: &'static str,
    ) -> Self {
        Self {
            service,
            operation,
            body: Map::new(),
            nothing,
        }
    }

    /// Adds a member to the request.
    pub(super) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.body.insert(member.to_owned(), value.into());
        self
    }

    /// The same where there is a value.
    pub(super) fn with_some(self, member: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(member, value),
            None => self,
        }
    }

    /// Adds the server's filter, where there is one.
    ///
    /// Errors: [`Kind::Usage`] for what is no JMESPath expression over one row.
    pub(super) fn filtered(self, filter: Option<&str>) -> Result<Self> {
        let _ = filter.map(Filter::compile).transpose()?;
        Ok(self.with_some("filter", filter))
    }

    fn row(&self) -> Result<&'static Operation> {
        catalogue::operation(self.service, self.operation).ok_or_else(|| {
            Error::new(
                Kind::Failed,
                format!("{} has no operation {}", self.service, self.operation),
            )
        })
    }

    /// The columns of the answer.
    pub(super) fn columns(&self) -> Result<Columns> {
        self.row().map(columns::of)
    }

    /// How the answer of an operation that changes something will be printed; before it is sent.
    pub(super) fn before_change(&self, context: &Context) -> Result<Renderer<Stdout>> {
        let row = self.row()?;
        context.before_change(columns::of(row), row.members)
    }

    /// What is said of an empty list.
    pub(super) fn nothing(&self) -> &'static str {
        self.nothing
    }

    /// The client when it may be sent, the operation, and the request.
    pub(super) async fn ready(
        self,
        context: &Context,
    ) -> Result<(ServiceClient, &'static str, Value)> {
        let body = Value::Object(self.body);
        let client = ready(context, self.service, self.operation, &body).await?;
        Ok((client, self.operation, body))
    }

    /// Streams a list to standard output, page by page where the service pages.
    pub(super) async fn list(self, context: &Context) -> Result<()> {
        self.list_of(context, Selection::default()).await
    }

    /// The same; only rows that are selected are printed.
    pub(super) async fn list_of(mut self, context: &Context, selection: Selection) -> Result<()> {
        let row = self.row()?;
        if let Some(paging) = row.paging
            && let Some(limit) = context.global.limit
            && context.global.sort.is_none()
            && selection.is_empty()
        {
            // A page larger than what is wanted would be thrown away.
            let rows = limit.clamp(1, paging.rows);
            self.body.insert(paging.count.to_owned(), json!(rows));
        }
        let body = Value::Object(self.body);
        let client = ready(context, self.service, self.operation, &body).await?;
        let inner = context.output_of("rows", columns::of(row), Shape::List)?;
        let rows = Selected { selection, inner };
        let (rows, outcome) = client.list(self.service, self.operation, &body, rows).await;
        context.end_list(rows.inner, outcome, self.nothing)?;
        say_of_expression(context, rows.selection);
        Ok(())
    }

    /// One thing, for a list of them.
    ///
    /// Errors: as [`one`](Self::one).
    pub(super) async fn answer_of(
        self,
        context: &Context,
        client: &ServiceClient,
    ) -> Result<Record> {
        let body = Value::Object(self.body);
        show_instead(context, client, self.service, self.operation, &body).await?;
        let answer = client.query(self.service, self.operation, &body).await;
        let answer = answer.map_err(|error| match error.kind() {
            Kind::NotFound => error.hint(self.nothing),
            _ => error,
        })?;
        Ok(Record::Json(answer))
    }

    /// The same of one endpoint.
    pub(super) fn of(self, mac: Mac) -> Self {
        self.with("macAddress", mac.to_string())
    }

    /// Asks for each MAC address on standard input. `command` tells reports apart; `none` is said
    /// where nothing is known of any.
    ///
    /// Errors: as [`Reading::run`].
    pub(super) async fn of_each(
        self,
        context: &Context,
        options: &ListOptions,
        command: &str,
        none: &str,
    ) -> Result<()> {
        let columns = self.columns()?;
        let client = context.pxgrid()?;
        let output = context.output_of("rows", columns, Shape::List)?;
        let reading = Reading {
            command: command.to_owned(),
            options,
            nothing: none,
            expect: &|_| {},
        };
        let answer = async |mac: Mac| {
            let ask = self.clone().of(mac);
            Ok(vec![ask.answer_of(context, &client).await?])
        };
        reading.run(context, output, answer).await
    }

    /// Prints one thing in full.
    ///
    /// Errors: [`Kind::NotFound`] where the service knows nothing.
    pub(super) async fn one(self, context: &Context) -> Result<()> {
        let columns = self.columns()?;
        let (_, answer) = self.answer(context).await?;
        context.print(&[answer?], columns, Shape::Single, "")
    }

    /// Asks for one thing. The client that asked can ask on.
    ///
    /// Errors: outside those of getting ready, within those of the answer: [`Kind::NotFound`] where
    /// the service knows nothing.
    pub(super) async fn answer(self, context: &Context) -> Result<(ServiceClient, Result<Record>)> {
        let body = Value::Object(self.body);
        let client = ready(context, self.service, self.operation, &body).await?;
        let answer = client
            .query(self.service, self.operation, &body)
            .await
            .map(Record::Json)
            .map_err(|error| match error.kind() {
                Kind::NotFound => error.hint(self.nothing),
                _ => error,
            });
        Ok((client, answer))
    }
}

/// The client for one operation, when it may be sent: `--read-only` refuses a change before
/// anything is connected, `--dry-run` and `--curl` show the request and end in [`Kind::NotSent`].
pub(in crate::cli::ise) async fn ready(
    context: &Context,
    service: &str,
    operation: &str,
    body: &Value,
) -> Result<ServiceClient> {
    require_change_allowed(context, service, operation)?;
    let client = context.pxgrid()?;
    show_instead(context, &client, service, operation, body).await?;
    Ok(client)
}

/// Refuses a changing operation under `--read-only`.
fn require_change_allowed(context: &Context, service: &str, operation: &str) -> Result<()> {
    match catalogue::effect(service, operation) {
        Effect::Read => Ok(()),
        Effect::Change => command_effects::require_change_allowed(context, || {
            format!("{operation} of {service} changes the network")
        }),
    }
}

/// Under `--dry-run` and `--curl`: shows the request and ends in [`Kind::NotSent`]. What only a
/// lookup could tell is a placeholder in it.
pub(super) async fn show_instead(
    context: &Context,
    client: &ServiceClient,
    service: &str,
    operation: &str,
    body: &Value,
) -> Result<()> {
    if !context.global.shows_only() {
        return Ok(());
    }
    let control = client.control();
    let request = rest::preview(service, operation, body, control.account())?;
    control.client().send(request).await.map(|_| ())
}
