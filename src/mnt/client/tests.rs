//! The client against a node on loopback: what it asks, in which order, and what it makes of the
//! answers.

use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::error::Kind;
use crate::mnt::{Coa, Count, DeleteTarget, MntClient, Requests, samples};
use crate::record::{Collect, Mac};
use crate::transport::{Basic, Client, ClientOptions, TlsOptions, provider};

/// What the node answers to a path below the base: status, content type, body. The body says more
/// than it holds when it is cut.
type Route = fn(&str) -> (u16, &'static str, String);

const XML: &str = "application/xml";

struct Node {
    client: MntClient,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn node(route: Route) -> Node {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(tcp).await.unwrap();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let line: Vec<&str> = head.split(' ').collect();
                let path = line[1].strip_prefix("/admin/API/mnt/").unwrap();
                seen.lock().unwrap().push(format!("{} {path}", line[0]));
                let (status, kind, body) = route(path);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let options = ClientOptions {
        tls: TlsOptions {
            insecure: true,
            ..TlsOptions::default()
        },
        ..ClientOptions::default()
    };
    let basic = Basic {
        user: "ops".to_owned(),
        password: SecretString::from("hush"),
    };
    let requests = Requests::new(Authority::new("127.0.0.1", port), basic);
    Node {
        client: MntClient::new(Client::new(options).unwrap(), requests),
        asked,
    }
}

fn xml(text: &str) -> (u16, &'static str, String) {
    (200, XML, text.to_owned())
}

fn missing() -> (u16, &'static str, String) {
    (500, XML, samples::NOT_FOUND.to_owned())
}

fn mac() -> Mac {
    "00:00:5E:00:53:01".parse().unwrap()
}

#[tokio::test]
async fn lists_stream_and_short_answers_keep_their_bytes() {
    let node = node(|path| match path {
        "Session/ActiveList" => xml(samples::ACTIVE_LIST),
        "Session/AuthList/null/null" => xml("<activeList noOfActiveSession='0'/>"),
        "Session/ActiveCount" => xml(samples::COUNT),
        "Version" => xml(samples::PRODUCT),
        "FailureReasons" => xml(samples::FAILURE_REASONS),
        "Session/Active/SessionID/x/0" => xml("<activeSessionList/>"),
        _ => (404, "text/html", "<html>".to_owned()),
    })
    .await;
    let (sink, outcome) = node.client.sessions(Collect::default()).await;
    assert_eq!(
        (outcome.unwrap().announced, sink.records.len()),
        (Some(5), 5)
    );
    let (_, outcome) = node.client.auth_list(None, None, Collect::default()).await;
    assert_eq!(outcome.unwrap().rows, 0);
    let counted = node.client.count(Count::Active).await.unwrap();
    assert_eq!(
        (counted.count, counted.raw.as_slice()),
        (1284, samples::COUNT.as_bytes())
    );
    assert!(node.client.version().await.is_ok());
    assert_eq!(
        node.client.failure_reasons().await.unwrap().records.len(),
        2
    );
    let unknown = node.client.sessions_by_id("x").await.unwrap_err();
    assert_eq!(unknown.kind(), Kind::NotFound);
    let wrong = node.client.count(Count::Posture).await.unwrap_err();
    assert_eq!(
        (wrong.kind(), wrong.http_status()),
        (Kind::Server, Some(404))
    );
    assert!(wrong.message().starts_with("127.0.0.1:"), "{wrong}");
    assert!(wrong.host_name().is_some());
    let (_, outcome) = node
        .client
        .get_records("/admin/API/mnt/Version", Collect::default())
        .await;
    assert_eq!(outcome.unwrap().rows, 1);
    let response = node.client.get("/admin/API/mnt/Version").await.unwrap();
    assert_eq!(
        response.bytes(1000).await.unwrap(),
        samples::PRODUCT.as_bytes()
    );
}

#[tokio::test]
async fn awkward_user_names_are_looked_up_in_the_list() {
    let node = node(|path| match path {
        "Session/ActiveList" => xml(samples::ACTIVE_LIST),
        "Session/MACAddress/00:00:5E:00:53:01" => xml(samples::SESSION),
        "Session/UserName/broken" => (500, XML, String::new()),
        "Session/UserName/x%2Fy" => (404, XML, String::new()),
        _ => missing(),
    })
    .await;
    let answer = node.client.session_by_user("LAB\\pat.kim").await.unwrap();
    assert_eq!(answer.record.mac(), Some(mac()));
    assert_eq!(
        node.asked(),
        [
            "GET Session/UserName/LAB%5Cpat.kim",
            "GET Session/ActiveList",
            "GET Session/MACAddress/00:00:5E:00:53:01"
        ]
    );
    for (user, kind) in [
        ("x/y", Kind::NotFound),
        ("nobody", Kind::NotFound),
        ("broken", Kind::Server),
    ] {
        let error = node.client.session_by_user(user).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{user}");
    }
    // A plain name is asked for once; only the awkward one reads the list.
    let lists = node
        .asked()
        .iter()
        .filter(|path| path.contains("ActiveList"))
        .count();
    assert_eq!(lists, 2);
}

#[tokio::test]
async fn an_endpoints_address_is_looked_up_in_the_list() {
    let node = node(|path| match path {
        "Session/ActiveList" => xml(samples::ACTIVE_LIST),
        "Session/MACAddress/00:00:5E:00:53:01" => xml(samples::SESSION),
        _ => missing(),
    })
    .await;
    let ip = "198.51.100.21".parse().unwrap();
    assert!(node.client.session_by_endpoint_ip(ip).await.is_ok());
    let ip = "198.51.100.99".parse().unwrap();
    let error = node.client.session_by_endpoint_ip(ip).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    // The NAS's own call has no such fallback.
    let before = node.asked().len();
    assert!(node.client.session_by_nas_ip(ip).await.is_err());
    assert_eq!(node.asked().len(), before + 1);
}

#[tokio::test]
async fn histories() {
    let node = node(|path| match path {
        path if path.starts_with("AuthStatus/") && path.ends_with("/60/1/All") => {
            xml(samples::AUTH_STATUS)
        }
        "AcctStatus/MACAddress/00:00:5E:00:53:01/60" => xml(samples::ACCT_STATUS),
        path if path.starts_with("AcctStatusTT/") => (404, XML, String::new()),
        _ => missing(),
    })
    .await;
    let sixth: Mac = "00:00:5E:00:53:06".parse().unwrap();
    let rows = node.client.auth_status(sixth, 60, 1).await.unwrap();
    assert_eq!(rows.records.len(), 1);
    let others = node.client.auth_status(mac(), 60, 1).await.unwrap_err();
    assert_eq!(others.kind(), Kind::Malformed);
    let absent: Mac = "00:00:5E:00:53:99".parse().unwrap();
    let empty = node.client.auth_status(absent, 61, 0).await.unwrap();
    assert!(empty.records.is_empty());
    assert_eq!(
        node.client
            .acct_status(mac(), 60)
            .await
            .unwrap()
            .records
            .len(),
        1
    );
    let asked = node.asked().len();
    let error = node
        .client
        .auth_status(mac(), 500_000, 0)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert_eq!(node.asked().len(), asked);
}

/// Answers about somebody else are asked for once more and then not taken, whatever was asked.
#[tokio::test]
async fn nobody_elses_answer_is_taken() {
    let node = node(|path| match path {
        path if path.contains("/SessionID/") => xml(samples::SESSION_BY_ID),
        path if path.starts_with("AcctStatus") => xml(samples::ACCT_STATUS),
        path if path.ends_with("00:00:5E:00:53:98") => missing(),
        _ => xml(samples::SESSION),
    })
    .await;
    let client = &node.client;
    let other: Mac = "00:00:5E:00:53:02".parse().unwrap();
    let unknown: Mac = "00:00:5E:00:53:98".parse().unwrap();
    let ip = "192.0.2.200".parse().unwrap();
    let kinds = [
        client.session_by_mac(other).await.unwrap_err().kind(),
        client.session_by_mac(unknown).await.unwrap_err().kind(),
        client.session_by_user("robin").await.unwrap_err().kind(),
        client.session_by_nas_ip(ip).await.unwrap_err().kind(),
        client.session_by_endpoint_ip(ip).await.unwrap_err().kind(),
        client.sessions_by_id("C0FFEE").await.unwrap_err().kind(),
        client.acct_status(other, 60).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [Kind::Malformed; 7]);
    assert_eq!(node.asked().len(), 14);
    // In every spelling of whom was asked for.
    assert!(client.session_by_mac(mac()).await.is_ok());
    assert!(client.session_by_user("pat.kim").await.is_ok());
    let device = "192.0.2.11".parse().unwrap();
    assert!(client.session_by_nas_ip(device).await.is_ok());
    let id = "c0000201000000a15d2e7781";
    assert!(client.sessions_by_id(id).await.is_ok());
}

#[tokio::test]
async fn refusals_pages_and_cut_answers() {
    let node = node(|path| match path {
        "Session/ActiveCount" => (401, "text/html", "<html><br>login</html>".to_owned()),
        "Session/PostureCount" => (200, "Text/HTML; charset=utf-8", "<p>".to_owned()),
        "Session/ProfilerCount" => (200, XML, samples::WRONG_NODE.to_owned()),
        "Session/ActiveList" => xml("<activeList noOfActiveSession='9'><activeSession/>"),
        _ => (502, "text/html", "<html>".to_owned()),
    })
    .await;
    let fails = async |count, kind| {
        let error = node.client.count(count).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.hint_text().is_some());
    };
    fails(Count::Posture, Kind::Malformed).await;
    fails(Count::Profiler, Kind::WrongNode).await;
    let (sink, outcome) = node.client.sessions(Collect::default()).await;
    assert_eq!(
        (sink.records.len(), outcome.unwrap_err().kind()),
        (1, Kind::Truncated)
    );
    assert_eq!(
        node.client.version().await.unwrap_err().kind(),
        Kind::Overloaded
    );
    fails(Count::Active, Kind::Refused).await;
    // After a refusal nothing more is sent.
    let held_back = node.client.version().await.unwrap_err();
    assert!(held_back.was_nothing_sent());
    assert_eq!(node.asked().len(), 5, "nothing is asked twice");
}

#[tokio::test]
async fn changes_are_sent_once_and_their_outcome_is_read() {
    let node = node(|path| match path {
        "Session/MACAddress/00:00:5E:00:53:01" => xml(samples::SESSION),
        "CoA/Reauth/psn-a/00:00:5E:00:53:01/0" => xml(samples::COA_FALSE),
        "CoA/Disconnect/psn-a/00:00:5E:00:53:01/1" => {
            xml("<remoteCoA><results>true</results></remoteCoA>")
        }
        "Session/Delete/MACAddress/00:00:5E:00:53:01" => xml(samples::DELETED),
        _ => missing(),
    })
    .await;
    let session = node.client.session_by_mac(mac()).await.unwrap();
    let psn = crate::mnt::psn_of(&session.record, mac()).unwrap().unwrap();
    let requests = node.client.requests();
    let reauth = Coa::Reauth;
    let reauth = requests.coa(mac(), reauth, &psn).unwrap();
    assert_eq!(
        node.client.coa(reauth).await.unwrap_err().kind(),
        Kind::Server
    );
    let bounce = requests.coa(mac(), Coa::PortBounce, &psn).unwrap();
    assert!(node.client.coa(bounce).await.is_ok());
    let delete = requests.delete(&DeleteTarget::Mac(mac())).unwrap();
    assert!(node.client.delete(delete).await.is_ok());
    let all = requests.delete(&DeleteTarget::All).unwrap();
    assert_eq!(
        node.client.delete(all).await.unwrap_err().kind(),
        Kind::NotFound
    );
    assert_eq!(
        node.asked()[1..],
        [
            "GET CoA/Reauth/psn-a/00:00:5E:00:53:01/0",
            "GET CoA/Disconnect/psn-a/00:00:5E:00:53:01/1",
            "DELETE Session/Delete/MACAddress/00:00:5E:00:53:01",
            "DELETE Session/Delete/All"
        ]
    );
}
