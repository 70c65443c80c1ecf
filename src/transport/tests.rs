//! The room's tests against real TLS servers on loopback, good and bad.

mod http_faults;
mod tls_faults;

use super::{Basic, Effect, Method, Request};

fn get(port: u16, effect: Effect) -> Request {
    Request {
        method: Method::Get,
        url: format!(
            "https://{}:{port}/admin/API/mnt/Version",
            super::test_server::NAME
        ),
        accept: "application/xml",
        basic: Some(Basic {
            user: "admin".to_owned(),
            password: "hunter2".into(),
        }),
        json: None,
        effect,
    }
}
