//! The node over the wire: every endpoint and every fault, asked by an ordinary HTTPS client.

mod endpoints;
mod faults;

use std::time::Duration;

use crate::lab::{Lab, LabOptions, PASSWORD, RunningLab, USER};

/// A running lab and a client that trusts it.
struct Setting {
    lab: RunningLab,
    client: reqwest::Client,
}

/// What came back.
struct Reply {
    status: u16,
    content_type: String,
    text: String,
}

fn options(faults: &[&str]) -> LabOptions {
    LabOptions {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..LabOptions::default()
    }
}

fn client(lab: &Lab) -> reqwest::Client {
    let ca = std::fs::read(lab.certificates().ca_path()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&ca) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = rustls::ClientConfig::builder_with_provider(crate::lab::certificates::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap()
}

impl Setting {
    fn new(faults: &[&str]) -> Self {
        Self::with(options(faults))
    }

    fn with(options: LabOptions) -> Self {
        let lab = Lab::spawn_in_thread(options).unwrap();
        let client = client(&lab);
        Self { lab, client }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let port = self.lab.mnt_address().port();
        let url = format!("https://localhost:{port}/admin/API/mnt/{path}");
        let method = method.parse().unwrap();
        self.client
            .request(method, url)
            .basic_auth(USER, Some(PASSWORD))
    }

    async fn send(&self, method: &str, path: &str) -> Reply {
        let response = self.request(method, path).send().await.unwrap();
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let bytes = response.bytes().await.unwrap();
        Reply {
            status,
            content_type,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send("GET", path).await
    }
}

impl Reply {
    /// The text of the first element called `name`.
    fn field(&self, name: &str) -> Option<&str> {
        field(&self.text, name)
    }

    fn assert_not_found(&self) {
        assert_eq!((self.status, self.field("cpm-code")), (500, Some("34110")));
        assert!(
            self.text.contains("Session data is not available for"),
            "{}",
            self.text
        );
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}"))?;
    let (_, rest) = rest.split_once('>')?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}
