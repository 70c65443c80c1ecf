//! The room's tests against real TLS servers on loopback, good and bad.

mod certificates;
mod http_faults;
mod sending;
mod tls_faults;

use std::io::{BufRead, Read};

use super::{Basic, BodyReader, Client, ClientOptions, Effect, Method, Request};
use crate::error::Error;

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

fn client(options: ClientOptions) -> Client {
    Client::new(options).unwrap()
}

/// Reads a body on a blocking thread.
async fn read_all(reader: BodyReader) -> (Vec<u8>, Option<Error>) {
    tokio::task::spawn_blocking(move || {
        let mut reader = reader;
        let mut all = Vec::new();
        let error = reader.read_to_end(&mut all).err();
        let error = error.map(|error| Error::inside(&error).expect("an error of ours"));
        if error.is_some() {
            assert!(
                reader.fill_buf().is_err(),
                "a failed body does not end well later"
            );
        }
        (all, error)
    })
    .await
    .unwrap()
}
