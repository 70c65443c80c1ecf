//! Small proxies on loopback that keep what they were asked: HTTP CONNECT, the same in TLS, and
//! SOCKS 5; honest or not.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a proxy is spoken to in.
#[derive(Clone)]
pub(crate) enum Way {
    Http,
    Https(Arc<ServerConfig>),
    /// With the `USER`, `PASSWORD` that it lets in, or nobody's.
    Socks(Option<(&'static str, &'static str)>),
}

/// What it does once it was asked.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Connects to loopback, whatever the host is called.
    Relay,
    /// Says this and closes.
    Say(&'static [u8]),
    /// Says nothing.
    Wait,
}

/// A running proxy; its thread ends with the test's process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    /// What each connection asked, in bytes: the head of CONNECT, or all that SOCKS sends before
    /// the connection stands.
    pub(crate) fn asked(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().clone()
    }

    /// The same as text.
    pub(crate) fn heads(&self) -> Vec<String> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("a head is text");
        self.asked().iter().map(text).collect()
    }
}

/// Starts one.
pub(crate) fn start(way: Way, does: Does) -> Proxy {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("non-blocking");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, way.clone(), does, Arc::clone(&kept)));
            }
        });
    });
    Proxy { port, asked }
}

type Asked = Arc<Mutex<Vec<Vec<u8>>>>;

async fn serve(tcp: TcpStream, way: Way, does: Does, asked: Asked) -> Option<()> {
    match way {
        Way::Http => connect(tcp, does, asked).await,
        Way::Https(config) => {
            let tls = TlsAcceptor::from(config).accept(tcp).await.ok()?;
            connect(tls, does, asked).await
        }
        Way::Socks(login) => socks(tcp, login, does, asked).await,
    }
}

async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: S,
    does: Does,
    asked: Asked,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head.clone()).ok()?;
    asked.lock().unwrap().push(head);
    let target = text.split_whitespace().nth(1)?;
    let port: u16 = target.rsplit_once(':')?.1.parse().ok()?;
    go_on(
        client,
        port,
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        does,
    )
    .await
}

async fn go_on<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: S,
    port: u16,
    yes: &[u8],
    does: Does,
) -> Option<()> {
    match does {
        Does::Relay => {
            let mut host = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            client.write_all(yes).await.ok()?;
            client.flush().await.ok()?;
            copy_bidirectional(&mut client, &mut host).await.ok()?;
        }
        Does::Say(bytes) => {
            client.write_all(bytes).await.ok()?;
            client.shutdown().await.ok()?;
            // A close with bytes unread would be a reset.
            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        }
        Does::Wait => {
            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
        }
    }
    Some(())
}

async fn take<S: AsyncRead + Unpin>(client: &mut S, count: usize, all: &mut Vec<u8>) -> Option<()> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).await.ok()?;
    all.extend(bytes);
    Some(())
}

async fn socks(
    mut client: TcpStream,
    login: Option<(&str, &str)>,
    does: Does,
    asked: Asked,
) -> Option<()> {
    let mut all = Vec::new();
    take(&mut client, 2, &mut all).await?;
    let count = usize::from(*all.last()?);
    take(&mut client, count, &mut all).await?;
    let offered = all.get(2..)?.to_vec();
    match login {
        None => client.write_all(&[5, 0]).await.ok()?,
        Some(_) if !offered.contains(&2) => {
            asked.lock().unwrap().push(all);
            return client.write_all(&[5, 0xff]).await.ok();
        }
        Some((user, password)) => {
            client.write_all(&[5, 2]).await.ok()?;
            let mut pair = Vec::new();
            take(&mut client, 2, &mut pair).await?;
            let length = usize::from(*pair.last()?);
            take(&mut client, length + 1, &mut pair).await?;
            let length = usize::from(*pair.last()?);
            take(&mut client, length, &mut pair).await?;
            all.extend(&pair);
            let wanted = [
                &[1, u8::try_from(user.len()).ok()?],
                user.as_bytes(),
                &[u8::try_from(password.len()).ok()?],
                password.as_bytes(),
            ]
            .concat();
            let good = pair == wanted;
            client.write_all(&[1, u8::from(!good)]).await.ok()?;
            if !good {
                asked.lock().unwrap().push(all);
                return Some(());
            }
        }
    }
    let mut request = Vec::new();
    take(&mut client, 4, &mut request).await?;
    let length = match request.last()? {
        1 => 4,
        4 => 16,
        _ => {
            take(&mut client, 1, &mut request).await?;
            usize::from(*request.last()?)
        }
    };
    take(&mut client, length + 2, &mut request).await?;
    let port = match request.as_slice() {
        [.., high, low] => u16::from_be_bytes([*high, *low]),
        _ => return None,
    };
    all.extend(&request);
    asked.lock().unwrap().push(all);
    go_on(client, port, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 0], does).await
}

/// A certificate for `127.0.0.1` and the CA that signed it, in PEM.
pub(crate) fn certified() -> (Arc<ServerConfig>, String) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Proxy CA");
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("a CA").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(netapi::testing::transport::provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone()], key)
        });
    (Arc::new(config.expect("settings of a server")), ca)
}
