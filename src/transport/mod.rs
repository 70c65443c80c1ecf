//! How bytes travel: TLS, the HTTP/1.1 client, name overrides, proxies, what may be repeated and
//! what never, and the redacted trace.
//!
//! It knows hosts, requests and bodies, not what they mean: which document answers which path is
//! `mnt`'s and `pxgrid`'s affair. It prints nothing; what `--dry-run` and `--curl` show goes to the
//! function that the caller gave.

mod body;
mod breaker;
mod bundle;
mod connection;
mod connector;
mod dial;
mod fault;
mod http;
pub mod identity;
mod pem;
pub mod proxy;
mod request;
mod response;
pub mod show;
mod tls;
pub mod tls_error;
mod tls_stream;
mod unconfirmed_password;
mod wire;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use body::BodyReader;
pub use breaker::{Breaker, CallOutcome, Pace};
pub use connection::Connection;
pub use dial::{Override, connect};
pub use http::{Client, ClientOptions, Sending};
pub use request::{Basic, Effect, Method, Request, is_basic_user, refused_by_read_only};
pub use response::Response;
#[cfg(feature = "nats")]
pub use tls::Tls;
pub use tls::{HandshakeNotes, Identity, PROVIDER_NAME, TlsOptions, provider};
