//! The options that every command takes, before or after the subcommand, and what they become:
//! flags for `settings`, a style for `render`. Nothing is read or resolved here.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::render::Format;
use crate::settings::Flags;

/// When to colour.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` or `TERM=dumb` says otherwise
    #[default]
    Auto,
    /// Also into a pipe
    Always,
    /// Never
    Never,
}

/// Global options.
#[derive(Args, Debug, Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(crate) struct Global {
    /// How to print. table: TSV without header on a pipe; wide: no column left out or cut; name:
    /// the MAC address of each row and nothing else, for the next command; xml: the document as
    /// the MnT node sent it
    #[arg(
        short = 'o',
        long,
        global = true,
        value_name = "FORMAT",
        value_parser = layouts(),
        help_heading = "Output"
    )]
    pub format: Option<Layout>,

    /// Short for --format json
    #[arg(
        long,
        global = true,
        conflicts_with = "format",
        help_heading = "Output"
    )]
    pub json: bool,

    /// The columns or members to print, in this order (help formats: what an unknown name does)
    #[arg(
        long,
        global = true,
        value_name = "A,B,C",
        value_delimiter = ',',
        value_parser = super::input::field,
        help_heading = "Output"
    )]
    pub fields: Vec<String>,

    /// Sort by a column or member, descending with a leading '-'; holds the whole list in memory
    #[arg(
        long,
        global = true,
        value_name = "FIELD",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub sort: Option<String>,

    /// Stop after N rows
    #[arg(
        short = 'n',
        long,
        global = true,
        value_name = "N",
        help_heading = "Output"
    )]
    pub limit: Option<u64>,

    /// Count rows by the values of fields instead of listing them, most first
    #[arg(
        long,
        global = true,
        value_name = "A[,B]",
        value_delimiter = ',',
        value_parser = super::input::field,
        help_heading = "Output"
    )]
    pub by: Vec<String>,

    /// With --by: only the N largest groups
    #[arg(long, global = true, value_name = "N", help_heading = "Output")]
    pub top: Option<u64>,

    /// No header line in table, tsv and csv
    #[arg(long, global = true, help_heading = "Output")]
    pub no_header: bool,

    /// Run a jq expression over the JSON, the whole list held in memory (over each object with
    /// --format jsonl, and of what is printed as it happens)
    #[arg(long, global = true, value_name = "EXPR", help_heading = "Output")]
    pub jq: Option<String>,

    /// When to colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub color: Color,

    /// Print long lists and help without a pager (NETAPI_PAGER, else PAGER, else less)
    #[arg(long, global = true, help_heading = "Output")]
    pub no_pager: bool,

    /// Only warnings and errors on standard error: no progress, no notices
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Profile in the configuration file; with A,B what only reads asks several deployments, side
    /// by side
    #[arg(long, global = true, value_name = "NAME", help_heading = "Settings")]
    pub profile: Option<String>,

    /// Ask the deployments of all profiles
    #[arg(
        long,
        global = true,
        conflicts_with = "profile",
        help_heading = "Settings"
    )]
    pub all_profiles: bool,

    /// One of several deployments is asked, and the profile is its.
    #[arg(skip)]
    pub profile_alone: bool,

    /// Configuration file instead of the usual one
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,

    /// Read NAME=value lines as if they were in the environment; the environment itself wins
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub env_file: Option<PathBuf>,

    /// Never ask for anything
    #[arg(long, global = true, help_heading = "Settings")]
    pub no_input: bool,

    /// Monitoring node
    #[arg(long, global = true, value_name = "HOST", help_heading = "Connection")]
    pub mnt_host: Option<String>,

    /// Port of the Monitoring node [default: 443]
    #[arg(long, global = true, value_name = "PORT", help_heading = "Connection")]
    pub mnt_port: Option<u16>,

    /// Administrator for the Monitoring node
    #[arg(long, global = true, value_name = "USER", help_heading = "Connection")]
    pub mnt_user: Option<String>,

    /// File that holds the password, '-' for standard input
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub password_file: Option<PathBuf>,

    /// pxGrid node, repeatable: tried in this order
    #[arg(long, global = true, value_name = "HOST", help_heading = "Connection")]
    pub pxgrid_host: Vec<String>,

    /// Port of the pxGrid nodes [default: 8910]
    #[arg(long, global = true, value_name = "PORT", help_heading = "Connection")]
    pub pxgrid_port: Option<u16>,

    /// Our name on the grid [default: the certificate's CN]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub client_name: Option<String>,

    /// Client certificate for pxGrid: PEM, DER, PKCS#7, or PKCS#12 with its key
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub cert: Option<PathBuf>,

    /// Its private key, where that is in a file of its own
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub key: Option<PathBuf>,

    /// File that holds the passphrase of the key, '-' for standard input
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub key_password_file: Option<PathBuf>,

    /// File that holds the password of a pxGrid password account, '-' for standard input
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub client_password_file: Option<PathBuf>,

    /// Node that runs Data Connect [default: what ISE names, else the Monitoring node]
    #[arg(long, global = true, value_name = "HOST", help_heading = "Connection")]
    pub dc_host: Option<String>,

    /// Port of Data Connect [default: 2484]
    #[arg(long, global = true, value_name = "PORT", help_heading = "Connection")]
    pub dc_port: Option<u16>,

    /// Service of Data Connect [default: cpm10]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub dc_service: Option<String>,

    /// Account of Data Connect [default: dataconnect]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub dc_user: Option<String>,

    /// File that holds its password, '-' for standard input
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub dc_password_file: Option<PathBuf>,

    /// CA certificates (PEM, DER, PKCS#7) to trust instead of the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub cacert: Option<PathBuf>,

    /// Trust only the server certificate with this SHA-256 fingerprint
    #[arg(long, global = true, value_name = "HEX", help_heading = "Connection")]
    pub pin_sha256: Option<String>,

    /// Connect to ADDR where HOST:PORT is asked for
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT:ADDR",
        help_heading = "Connection"
    )]
    pub resolve: Vec<String>,

    /// Reach ISE through this proxy: http://, https://, socks5:// or socks5h://HOST:PORT, without a
    /// password
    #[arg(
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "no_proxy",
        help_heading = "Connection"
    )]
    pub proxy: Option<String>,

    /// Use no proxy, whatever the environment or the profile says
    #[arg(long, global = true, help_heading = "Connection")]
    pub no_proxy: bool,

    /// File that holds USER:PASSWORD for the proxy, '-' for standard input
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub proxy_credentials_file: Option<PathBuf>,

    /// CA certificates to check the certificate of an https:// proxy by, instead of the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub proxy_cacert: Option<PathBuf>,

    /// Do not check the server's certificate at all
    #[arg(long, global = true, help_heading = "Connection")]
    pub insecure: bool,

    /// Check the certificate's chain but not its name
    #[arg(long, global = true, help_heading = "Connection")]
    pub no_verify_hostname: bool,

    /// Time allowed for connecting [default: 10s]
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        help_heading = "Connection"
    )]
    pub connect_timeout: Option<String>,

    /// Time allowed without an answer, or with less than 1 kB of it; no limit on the whole
    /// [default: 60s]
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        help_heading = "Connection"
    )]
    pub timeout: Option<String>,

    /// Refuse every command that changes the network
    #[arg(long, global = true, help_heading = "Safety")]
    pub read_only: bool,

    /// Show the request and send nothing
    #[arg(long, global = true, conflicts_with = "curl", help_heading = "Safety")]
    pub dry_run: bool,

    /// Print the equivalent curl command and send nothing
    #[arg(long, global = true, help_heading = "Safety")]
    pub curl: bool,

    /// Log requests and answers, without secrets, on standard error
    #[arg(long, global = true, help_heading = "Safety")]
    pub trace: bool,
}

/// What `--format` takes: a format, or a way to lay one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A format.
    Format(Format),
    /// A table with all its columns, each as wide as its values.
    Wide,
    /// One column without header: what a row is known by.
    Name,
}

/// clap is to know the names, for its help, its errors and completion.
fn layouts() -> impl TypedValueParser<Value = Layout> {
    let names = Format::ALL.map(Format::name).into_iter();
    PossibleValuesParser::new(names.chain(["wide", "name"])).try_map(|name| match name.as_str() {
        "wide" => Ok(Layout::Wide),
        "name" => Ok(Layout::Name),
        name => name.parse().map(Layout::Format),
    })
}

impl Global {
    /// The format asked for; `None` is the table.
    pub(crate) fn chosen_format(&self) -> Option<Format> {
        if self.json {
            return Some(Format::Json);
        }
        self.format.map(|layout| match layout {
            Layout::Format(format) => format,
            Layout::Wide => Format::Table,
            Layout::Name => Format::Tsv,
        })
    }

    /// Whether an option was given that says how records are printed.
    pub(crate) fn shapes_output(&self) -> bool {
        self.chosen_format().is_some()
            || self.jq.is_some()
            || self.sort.is_some()
            || self.limit.is_some()
            || !self.by.is_empty()
            || self.no_header
            || !self.fields.is_empty()
    }

    /// Whether errors are to be JSON too.
    pub(crate) fn errors_as_json(&self) -> bool {
        matches!(self.chosen_format(), Some(Format::Json | Format::Jsonl))
    }

    /// Whether something only shows requests.
    pub(crate) fn shows_only(&self) -> bool {
        self.dry_run || self.curl
    }
}

impl Global {
    /// The connection and settings options, for
    /// [`Settings::resolve`](crate::settings::Settings::resolve).
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            profile: self.profile.clone(),
            profile_alone: self.profile_alone,
            config: self.config.clone(),
            env_file: self.env_file.clone(),
            no_input: self.no_input,
            mnt_host: self.mnt_host.clone(),
            mnt_port: self.mnt_port,
            mnt_user: self.mnt_user.clone(),
            password_file: self.password_file.clone(),
            cacert: self.cacert.clone(),
            pxgrid_host: self.pxgrid_host.clone(),
            pxgrid_port: self.pxgrid_port,
            client_name: self.client_name.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            key_password_file: self.key_password_file.clone(),
            client_password_file: self.client_password_file.clone(),
            dc_host: self.dc_host.clone(),
            dc_port: self.dc_port,
            dc_service: self.dc_service.clone(),
            dc_user: self.dc_user.clone(),
            dc_password_file: self.dc_password_file.clone(),
            pin_sha256: self.pin_sha256.clone(),
            resolve: self.resolve.clone(),
            proxy: self.proxy.clone(),
            no_proxy: self.no_proxy,
            proxy_credentials_file: self.proxy_credentials_file.clone(),
            proxy_cacert: self.proxy_cacert.clone(),
            insecure: self.insecure,
            no_verify_hostname: self.no_verify_hostname,
            connect_timeout: self.connect_timeout.clone(),
            timeout: self.timeout.clone(),
            read_only: self.read_only,
        }
    }
}
