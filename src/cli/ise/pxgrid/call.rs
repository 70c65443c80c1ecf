//! `netapi ise pxgrid call`: any operation of any service. The answer is printed as it came, while
//! it comes, and checked to be one whole JSON value as it passes by.

use std::io::{self, BufRead, BufReader, Read, Write};

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::read_operation::ready;
use crate::cli::Context;
use crate::cli::change_under_way::{self, Attempt};
use crate::cli::pager::PagedOutput;
use crate::error::{Error, Kind, Result, from_output};
use crate::pxgrid::ServiceClient;
use crate::pxgrid::catalogue::{self, Operation, Reply};
use crate::record::encoding::{Format as Encoded, Utf8};
use crate::record::json_scan::{Nesting, TOO_DEEP};
use crate::record::{MAX_DEPTH, Record, read_bounded_json};
use crate::render::{Column, Format, Renderer, Shape, pretty_json};
use crate::sanitize::{Content, SafeStream};
use crate::transport::{BodyReader, Effect};

const COLUMNS: &[Column] = &[];

/// Largest request that is read from standard input.
const MAX_REQUEST: u64 = 16 * 1024 * 1024;

/// A longer answer goes to a terminal as it came: nobody looks at all of it.
const LARGEST_INDENTED: usize = 16 << 20;

/// What is copied at once.
const PIECE: usize = 64 * 1024;

/// Arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  netapi ise pxgrid call session getSessions
  netapi ise pxgrid call com.cisco.ise.config.anc getPolicyByName \\
    '{\"name\":\"Quarantine\"}'
  netapi ise pxgrid call anc createPolicy - < policy.json
  netapi ise pxgrid call sxp getBindings --jq '.bindings[].ipPrefix'

An operation that netapi does not know is taken to change something unless its
name begins with 'get': --read-only refuses it, and it is sent at most once.")]
pub(crate) struct Call {
    /// The service, by its name or by the short one (session, anc, sxp, …)
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The operation
    #[arg(value_name = "OPERATION")]
    operation: String,
    /// The request, a JSON object, or '-' for standard input
    #[arg(value_name = "JSON", default_value = "{}", hide_default_value = true)]
    request: String,
}

impl Call {
    /// Asks and prints.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if context.global.limit.is_some() {
            return Err(Error::usage(
                "--limit does not go with the whole answer, which call prints",
            )
            .hint("cut it with --jq, such as --jq '.sessions[:10]'"));
        }
        let body = request(&self.request, context)?;
        let client = ready(context, &self.service, &self.operation, &body).await?;
        if catalogue::effect(&self.service, &self.operation) != Effect::Change {
            return self.ask(context, &client, &body).await;
        }
        let attempt = Attempt::default();
        attempt.sending()?;
        let what = format!("{} of {}", self.operation, self.service);
        let look = |_: Option<&Value>| "look what became of it before you repeat it".to_owned();
        change_under_way::alone(&attempt, &what, look, self.ask(context, &client, &body)).await
    }

    async fn ask(&self, context: &Context, client: &ServiceClient, body: &Value) -> Result<()> {
        let global = &context.global;
        let as_it_came = matches!(global.chosen_format(), None | Some(Format::Json))
            && global.jq.is_none()
            && global.fields.is_empty()
            && global.sort.is_none()
            && !context.is_one_of_several();
        if !as_it_came {
            let answer = client
                .query_any(&self.service, &self.operation, body)
                .await?;
            let answer = Record::Json(answer);
            if catalogue::effect(&self.service, &self.operation) == Effect::Change {
                // Its members are known only now; the answer must not be lost over it.
                let style = context.style();
                let output = Renderer::new(style, COLUMNS, Shape::Single, io::stdout())?;
                return context.print_change(output, &answer);
            }
            return context.print(&[answer], COLUMNS, Shape::Single, "");
        }
        let response = client.send(&self.service, &self.operation, body).await?;
        let host = response.host.to_string();
        if response.status == 204 {
            return self.nothing(&host, context);
        }
        let charset = response.charset();
        let body = response.into_reader().telling_pauses();
        let reader = Utf8::new(body, Encoded::Json, charset.as_deref());
        let changes = catalogue::effect(&self.service, &self.operation) == Effect::Change;
        let terminal = Context::on_terminal().then(|| OnTerminal {
            safe: SafeStream::new(Content::Json),
            held: Some(Vec::new()),
            color: context.style().screen.color,
        });
        let output = if changes {
            PagedOutput::direct()
        } else {
            context.paged()
        };
        let outcome = tokio::task::spawn_blocking(move || copy(reader, output, terminal))
            .await
            .map_err(|error| Error::new(Kind::Failed, format!("the copy ended: {error}")))?;
        outcome.map_err(|error| match error.kind() {
            Kind::Malformed | Kind::Truncated if error.host_name().is_none() => {
                let message = format!("{host} answered {}: {}", self.operation, error.message());
                error.reworded(message).host(host)
            }
            _ => error,
        })
    }

    /// 204: for one thing it says that there is none, for a list that it is empty, for a change and
    /// for an operation that nobody knows it is an answer.
    fn nothing(&self, host: &str, context: &Context) -> Result<()> {
        let known = catalogue::operation(&self.service, &self.operation);
        let lacks = |known: &Operation| match known.reply {
            Reply::List(_) => false,
            Reply::Object => known.effect == Effect::Read,
            Reply::Empty => true,
        };
        if known.is_some_and(lacks) {
            return Err(Error::new(
                Kind::NotFound,
                format!(
                    "{host} knows nothing for this request ({} of {})",
                    self.operation, self.service
                ),
            )
            .host(host)
            .status(204));
        }
        context.reporter.note("the answer is empty (HTTP 204)");
        Ok(())
    }
}

/// The request's body: an argument, or standard input.
fn request(text: &str, context: &Context) -> Result<Value> {
    let read;
    let text = if text == "-" {
        read = context.stdin_text("request", MAX_REQUEST)?;
        read.as_str()
    } else {
        text
    };
    if text.len() as u64 > MAX_REQUEST {
        return Err(Error::usage("the request is over 16 MiB"));
    }
    match read_bounded_json(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Error::usage("the request is no JSON object")
            .hint("write it in braces: '{\"name\":\"value\"}'")),
        Err(error) => Err(
            Error::usage(format!("the request is no JSON: {error}")).hint(
                "quote it for the shell: '{\"name\":\"value\"}'; '-' reads it from standard input",
            ),
        ),
    }
}

/// Copies an answer to standard output, checking on the way that it is one whole JSON value.
fn copy(reader: Utf8<BodyReader>, output: PagedOutput, terminal: Option<OnTerminal>) -> Result<()> {
    let mut tee = Tee {
        reader,
        output,
        terminal,
        nesting: Nesting::default(),
        failed: None,
        last: b'\n',
    };
    if tee.first()? == Some(b'<') {
        return Err(Error::new(
            Kind::Malformed,
            "the answer is a web page, not JSON",
        ));
    }
    // The parser takes single bytes; the buffer makes it the tee's pieces.
    let mut parser =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(PIECE, &mut tee));
    let whole = IgnoredAny::deserialize(&mut parser).and_then(|_| parser.end());
    drop(parser);
    if let Some(error) = tee.failed.take() {
        return Err(error);
    }
    tee.finish(whole.is_ok())?;
    match whole {
        Ok(()) => Ok(()),
        Err(error) if error.is_eof() => Err(Error::new(
            Kind::Truncated,
            "the JSON breaks off before its end",
        )),
        Err(error) => Err(Error::new(Kind::Malformed, format!("no JSON ({error})"))),
    }
}

/// What a terminal gets: JSON that cannot steer it, indented where it is short enough to be looked
/// at.
struct OnTerminal {
    safe: SafeStream,
    /// What came so far, while it is short.
    held: Option<Vec<u8>>,
    color: bool,
}

impl OnTerminal {
    /// What is to be written now, of what came.
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::new();
        match &mut self.held {
            Some(held) if held.len() + bytes.len() <= LARGEST_INDENTED => {
                held.extend_from_slice(bytes);
                return shown;
            }
            _ => {}
        }
        let held = self.held.take().unwrap_or_default();
        self.safe.push(&held, &mut shown);
        self.safe.push(bytes, &mut shown);
        shown
    }

    /// The rest; `whole`: it was one JSON value.
    fn end(&mut self, whole: bool) -> Vec<u8> {
        let mut shown = Vec::new();
        let held = self.held.take().unwrap_or_default();
        match std::str::from_utf8(&held) {
            Ok(text) if whole && !text.is_empty() => pretty_json(text, self.color, &mut shown),
            _ => self.safe.push(&held, &mut shown),
        }
        self.safe.end(&mut shown);
        shown
    }
}

/// A reader that writes to standard output what it reads.
struct Tee {
    reader: Utf8<BodyReader>,
    output: PagedOutput,
    terminal: Option<OnTerminal>,
    nesting: Nesting,
    failed: Option<Error>,
    last: u8,
}

impl Tee {
    /// The first byte that is no white space, without consuming it.
    fn first(&mut self) -> Result<Option<u8>> {
        loop {
            let piece = match self.reader.fill_buf() {
                Ok(piece) => piece,
                Err(error) if is_pause(&error) => continue,
                Err(error) => return Err(read_error(&error)),
            };
            if piece.is_empty() {
                return Ok(None);
            }
            if let Some(at) = piece.iter().position(|byte| !byte.is_ascii_whitespace()) {
                return Ok(piece.get(at).copied());
            }
            let length = piece.len();
            self.reader.consume(length);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.terminal {
            Some(terminal) => self.output.write_all(&terminal.push(bytes))?,
            None => self.output.write_all(bytes)?,
        }
        if let Some(last) = bytes.last() {
            self.last = *last;
        }
        Ok(())
    }

    /// The rest after what the parser took, and a line end.
    fn finish(&mut self, whole: bool) -> Result<()> {
        let mut rest = vec![0; PIECE];
        loop {
            match self.read(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    return Err(self.failed.take().unwrap_or_else(|| read_error(&error)));
                }
            }
        }
        let terminal = self.terminal.as_mut();
        let mut end = terminal.map_or_else(Vec::new, |terminal| terminal.end(whole));
        if self.last != b'\n' {
            end.push(b'\n');
        }
        self.output
            .write_all(&end)
            .and_then(|()| self.output.flush())
            .map_err(|error| from_output(&error))
    }
}

impl Read for Tee {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = loop {
            match self.reader.read(into) {
                Ok(read) => break read,
                // The server pauses: what it has sent is not held back.
                Err(error) if is_pause(&error) => {
                    if let Err(error) = self.output.flush() {
                        self.failed = Some(from_output(&error));
                        return Err(error);
                    }
                }
                Err(error) => {
                    self.failed = Some(read_error(&error));
                    return Err(error);
                }
            }
        };
        let piece = into.get(..read).unwrap_or_default();
        if self.nesting.is_over(MAX_DEPTH, piece) {
            let error = Error::new(
                Kind::Malformed,
                format!("no JSON that this program takes: {TOO_DEEP}"),
            );
            self.failed = Some(error.clone());
            return Err(io::Error::other(error));
        }
        if let Err(error) = self.write(piece) {
            self.failed = Some(from_output(&error));
            return Err(error);
        }
        Ok(read)
    }
}

fn is_pause(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn read_error(error: &io::Error) -> Error {
    Error::inside(error)
        .unwrap_or_else(|| Error::new(Kind::Failed, format!("cannot read the answer: {error}")))
}
