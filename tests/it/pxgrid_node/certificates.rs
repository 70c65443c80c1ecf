//! The certificates of a deployment, as files for the client and as the server's settings.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

use super::{CLIENT, Clients};

/// A CA, a server's certificate for localhost, a client's, and another CA with a client of its own,
/// as files; and the server's side of it.
pub(super) fn certificates(
    directory: &std::path::Path,
    clients: Clients,
    tls12: bool,
) -> rustls::ServerConfig {
    let ours = authority("Lab CA");
    let other = authority("Other CA");
    let write = |name: &str, text: String| {
        use std::os::unix::fs::PermissionsExt;
        let file = directory.join(name);
        std::fs::write(&file, text).unwrap();
        // A key that others may read is warned of.
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("ca.pem", ours.pem());
    write("other-ca.pem", other.pem());
    for (file, common_name, authority) in
        [("client", CLIENT, &ours), ("stranger", "stranger", &other)]
    {
        let (certificate, key) = leaf(common_name, authority, ExtendedKeyUsagePurpose::ClientAuth);
        write(&format!("{file}.pem"), certificate.pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
    let (certificate, key) = leaf("ise-px-1", &ours, ExtendedKeyUsagePurpose::ServerAuth);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = |der: &CertificateDer<'static>| {
        let mut roots = RootCertStore::empty();
        roots.add(der.clone()).unwrap();
        Arc::new(roots)
    };
    let verifier = match clients {
        Clients::Anyone => None,
        Clients::Ours => Some(roots(ours.der())),
        Clients::Strangers => Some(roots(other.der())),
    };
    let versions: &[&rustls::SupportedProtocolVersion] = if tls12 {
        &[&rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13]
    };
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .unwrap(),
        ),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    builder
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn leaf(
    name: &str,
    issuer: &Issuer<'static, KeyPair>,
    usage: ExtendedKeyUsagePurpose,
) -> (rcgen::Certificate, KeyPair) {
    let mut params =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}
