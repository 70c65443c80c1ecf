//! How bytes travel: TLS, the HTTP/1.1 client, name overrides, what may be repeated and what never, and the redacted trace.
//!
//! It knows hosts, requests and bodies, not what they mean: which document answers which path is `mnt`'s and `pxgrid`'s affair. It prints
//! nothing; what `--dry-run` and `--curl` show goes to the function that the caller gave.

mod http;
pub mod identity;
mod request;
mod tls;

pub use http::{BodyReader, Client, ClientOptions, Response, Sending};
pub use request::{Basic, Effect, Method, Request};
pub use tls::{Identity, provider};
