//! A certificate authority and hand-written TLS servers on loopback, good and bad, for the room's
//! tests.

use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{ClientOptions, Identity, TlsOptions, provider};

/// The name that test servers have; reached through an override.
pub(super) const NAME: &str = "ise.test";

/// A CA of one test.
pub(super) struct TestCa {
    certificate: rcgen::Certificate,
    pub(super) issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    params
}

impl TestCa {
    pub(super) fn new() -> Self {
        Self::named("Test CA")
    }

    pub(super) fn named(name: &str) -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(certificate.pem().as_bytes()).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            file,
        }
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    pub(super) fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![leaf.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    /// A client's certificate.
    pub(super) fn identity(&self, name: &str) -> Identity {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    /// A good server's settings.
    pub(super) fn server(&self) -> ServerConfig {
        server_with(self.issue(&params(&[NAME])))
    }

    /// Settings of a server that wants a client certificate of this CA.
    pub(super) fn mutual(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ServerConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from(self.der().to_vec()))
            .unwrap();
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            provider(),
        )
        .build()
        .unwrap();
        let own = self.issue(&params(&[NAME]));
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(own.chain, own.key)
            .unwrap()
    }

    /// Options of a client that trusts this CA and finds [`NAME`] on loopback.
    pub(super) fn options(&self, port: u16) -> ClientOptions {
        ClientOptions {
            tls: TlsOptions {
                ca: Some(self.file.path().to_owned()),
                ..TlsOptions::default()
            },
            overrides: vec![format!("{NAME}:{port}:127.0.0.1").parse().unwrap()],
            ..ClientOptions::default()
        }
    }
}

pub(super) fn server_with(own: Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(own.chain, own.key)
        .unwrap()
}

/// What a server saw.
#[derive(Clone, Default)]
pub(super) struct Counts {
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) requests: Arc<AtomicUsize>,
}

impl Counts {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// One connection of a client.
pub(super) struct Peer {
    pub(super) stream: TlsStream<TcpStream>,
    counts: Counts,
}

impl Peer {
    /// The next request's head, and its body as far as it came with it; `None` when the client has
    /// gone.
    pub(super) async fn request(&mut self) -> Option<String> {
        let mut seen = Vec::new();
        while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
            if self.stream.read_buf(&mut seen).await.ok()? == 0 {
                return None;
            }
        }
        self.counts.requests.fetch_add(1, Ordering::SeqCst);
        Some(String::from_utf8(seen).unwrap())
    }

    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) {
        // The client may be gone by then: some tests want just that.
        let _ = self.stream.write_all(text.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    pub(super) async fn answer(&mut self, body: &str) {
        let length = body.len();
        self.say(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// Waits until the client closes.
    pub(super) async fn until_closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
    }

    /// Resets instead of closing.
    pub(super) fn reset(self) {
        let (tcp, _) = self.stream.into_inner();
        let socket = tcp.into_std().unwrap();
        tokio::net::TcpStream::from_std(socket)
            .unwrap()
            .set_zero_linger()
            .unwrap();
    }
}

/// Starts a server on a free port; `serve` gets each connection with its number, from 1.
pub(super) async fn start<F, S>(config: ServerConfig, serve: S) -> (u16, Counts)
where
    S: Fn(Peer, usize) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let counts = Counts::default();
    let seen = counts.clone();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let number = seen.connections.fetch_add(1, Ordering::SeqCst) + 1;
            // A failed handshake is what many tests are about.
            if let Ok(stream) = acceptor.accept(tcp).await {
                let counts = seen.clone();
                tokio::spawn(serve(Peer { stream, counts }, number));
            }
        }
    });
    (port, counts)
}

/// Starts a server that is not even TLS: `first` is written, and the connection closed once the
/// client has said something.
pub(super) async fn start_plain(first: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut hello = [0; 4096];
            let _ = tcp.read(&mut hello).await;
            let _ = tcp.write_all(first).await;
            let _ = tcp.shutdown().await;
        }
    });
    port
}

/// Settings of a server that shows these certificates and signs with whatever it was given.
pub(super) fn showing(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn rustls::sign::SigningKey>,
) -> ServerConfig {
    #[derive(Debug)]
    struct Show(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Show {
        fn resolve(
            &self,
            _hello: rustls::server::ClientHello<'_>,
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let shown = rustls::sign::CertifiedKey::new(chain, key);
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Show(Arc::new(shown))))
}

/// A key that rustls signs with.
pub(super) fn signing(key: &KeyPair) -> Arc<dyn rustls::sign::SigningKey> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    provider().key_provider.load_private_key(key).unwrap()
}

/// Settings of a server that shows `own`'s certificate without its key.
pub(super) fn thief(own: &Identity) -> ServerConfig {
    showing(own.chain.clone(), signing(&KeyPair::generate().unwrap()))
}
