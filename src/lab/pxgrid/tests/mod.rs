//! The pxGrid nodes over the wire: every call, every operation and every fault, asked by an
//! ordinary HTTPS client.

mod anc;
mod control;
mod devices;
mod faults;
mod services;
mod volume;

use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::lab::certificates::provider;
use crate::lab::{Lab, LabOptions, PASSWORD, RunningLab, USER};

const NAME: &str = "tester";

/// A running lab and a client with its certificate.
struct Setting {
    lab: RunningLab,
    client: reqwest::Client,
}

/// What came back.
struct Reply {
    status: u16,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The list `member` of the document.
    fn rows(&self, member: &str) -> Vec<Value> {
        self.json()[member].as_array().unwrap().clone()
    }
}

fn client(lab: &Lab, certificate: bool) -> reqwest::Client {
    let certificates = lab.certificates();
    let mut roots = rustls::RootCertStore::empty();
    for one in CertificateDer::pem_file_iter(certificates.ca_path()).unwrap() {
        roots.add(one.unwrap()).unwrap();
    }
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = if certificate {
        let chain = CertificateDer::pem_file_iter(certificates.client_path())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(certificates.client_key_path()).unwrap();
        config.with_client_auth_cert(chain, key).unwrap()
    } else {
        config.with_no_client_auth()
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap()
}

fn options(faults: &[&str]) -> LabOptions {
    LabOptions {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..LabOptions::default()
    }
}

impl Setting {
    fn new(faults: &[&str]) -> Self {
        Self::with(options(faults))
    }

    fn with(options: LabOptions) -> Self {
        let lab = Lab::spawn_in_thread(options).unwrap();
        let client = client(&lab, true);
        Self { lab, client }
    }

    fn control_url(&self, method: &str) -> String {
        let port = self.lab.pxgrid_addresses()[0].port();
        format!("https://localhost:{port}/pxgrid/control/{method}")
    }

    fn request(
        &self,
        url: &str,
        user: &str,
        password: &str,
        body: &Value,
    ) -> reqwest::RequestBuilder {
        self.client
            .post(url)
            .header("content-type", "application/json")
            .basic_auth(user, Some(password))
            .body(body.to_string())
    }

    async fn post(&self, url: &str, user: &str, password: &str, body: Value) -> Reply {
        read(self.request(url, user, password, &body)).await
    }

    async fn control(&self, method: &str, body: Value) -> Reply {
        self.post(&self.control_url(method), NAME, "", body).await
    }

    /// The base of a service and the secret for it.
    async fn login(&self, service: &str) -> (String, String) {
        self.control("AccountActivate", json!({})).await;
        let found = self.control("ServiceLookup", json!({ "name": service }));
        let found = found.await.rows("services");
        let node = &found[0];
        let peer = json!({ "peerNodeName": node["nodeName"] });
        let secret = self.control("AccessSecret", peer).await.json();
        let base = node["properties"]["restBaseUrl"].as_str().unwrap();
        let secret = secret["secret"].as_str().unwrap();
        (base.trim_end_matches('/').to_owned(), secret.to_owned())
    }

    /// One operation of a service, asked from the start.
    async fn ask(&self, service: &str, operation: &str, body: Value) -> Reply {
        let (base, secret) = self.login(service).await;
        self.post(&format!("{base}/{operation}"), NAME, &secret, body)
            .await
    }

    async fn session(&self, operation: &str, body: Value) -> Reply {
        self.ask("com.cisco.ise.session", operation, body).await
    }

    /// A document of the Monitoring node.
    async fn mnt(&self, path: &str) -> String {
        let port = self.lab.mnt_address().port();
        let url = format!("https://localhost:{port}/admin/API/mnt/{path}");
        let request = self.client.get(url).basic_auth(USER, Some(PASSWORD));
        read(request).await.text
    }
}

async fn read(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    Reply { status, text }
}

/// The text of the first element called `name`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Asks again until `done`.
async fn until<T>(mut ask: impl AsyncFnMut() -> T, done: impl Fn(&T) -> bool) -> T {
    let begin = Instant::now();
    loop {
        let found = ask().await;
        if done(&found) {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "it never came");
    }
}
