//! What goes wrong on demand.

use super::*;

const SESSION: &str = "com.cisco.ise.session";

#[tokio::test]
async fn answers_are_replaced() {
    for (fault, status) in [
        ("unauthorized:getSessions", 401),
        ("policy-refused:getSessions", 403),
        ("not-found-path:getSessions", 404),
        ("bad-request:getSessions", 400),
        ("server-error:getSessions", 500),
        ("overload-502:getSessions", 502),
        ("overload-503:getSessions", 503),
        ("gateway-timeout-504:getSessions", 504),
        ("redirect:getSessions", 302),
    ] {
        let setting = Setting::new(&[fault]);
        let reply = setting.session("getSessions", json!({})).await;
        assert_eq!(reply.status, status, "{fault}");
        let other = setting.session("getUserGroups", json!({})).await;
        assert_eq!(other.status, 200, "{fault}");
    }
    let setting = Setting::new(&["login-page:getSessions"]);
    let reply = setting.session("getSessions", json!({})).await;
    assert!(reply.status == 200 && reply.text.contains("<html"));
    let setting = Setting::new(&["empty-body:getSessions"]);
    let reply = setting.session("getSessions", json!({})).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
}

#[tokio::test]
async fn documents_are_spoilt() {
    let setting = Setting::new(&["truncated:getSessions"]);
    let reply = setting.session("getSessions", json!({})).await;
    let error = serde_json::from_str::<Value>(&reply.text).unwrap_err();
    assert!(reply.text.starts_with("{\"sessions\":[{") && error.is_eof());
    let setting = Setting::new(&["wrong-shape:getSessions"]);
    let reply = setting.session("getSessions", json!({})).await.json();
    assert!(reply.get("sessionsRenamed").is_some() && reply.get("sessions").is_none());
    let setting = Setting::new(&["deep-nesting:getSessions"]);
    let reply = setting.session("getSessions", json!({})).await;
    assert!(
        reply
            .text
            .starts_with(&format!("{{\"sessions\":{}", "[".repeat(1000)))
    );
    assert!(reply.text.len() > 200_000);
    let setting = Setting::new(&["invalid-utf8:getSessions"]);
    let (base, secret) = setting.login(SESSION).await;
    let request = setting.request(&format!("{base}/getSessions"), NAME, &secret, &json!({}));
    let bytes = request.send().await.unwrap().bytes().await.unwrap();
    assert!(std::str::from_utf8(&bytes).is_err());
}

#[tokio::test]
async fn a_huge_element_is_made_as_it_is_sent() {
    let setting = Setting::new(&["huge-element:getSessions"]);
    let (base, secret) = setting.login(SESSION).await;
    let request = setting.request(&format!("{base}/getSessions"), NAME, &secret, &json!({}));
    let mut response = request.send().await.unwrap();
    let mut bytes = 0;
    while let Some(piece) = response.chunk().await.unwrap() {
        bytes += piece.len();
    }
    assert!(bytes > 300_000_000, "{bytes}");
}

#[tokio::test]
async fn connections_break() {
    for fault in ["reset:getSessions", "reset-early:getSessions"] {
        let setting = Setting::new(&[fault]);
        let (base, secret) = setting.login(SESSION).await;
        let request = setting.request(&format!("{base}/getSessions"), NAME, &secret, &json!({}));
        let outcome = match request.send().await {
            Ok(response) => response.bytes().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(outcome.is_err(), "{fault}");
    }
    for fault in ["slow:getSessions", "stalled:getSessions"] {
        let setting = Setting::new(&[fault]);
        let (base, secret) = setting.login(SESSION).await;
        let request = setting.request(&format!("{base}/getSessions"), NAME, &secret, &json!({}));
        let request = request.timeout(Duration::from_millis(300));
        let response = request.send().await.unwrap();
        assert!(response.bytes().await.unwrap_err().is_timeout(), "{fault}");
    }
}

#[tokio::test]
async fn accounts_wait_or_are_refused() {
    let setting = Setting::new(&["account-pending@2"]);
    let lookup = json!({ "name": SESSION });
    for _ in 0..2 {
        let state = setting.control("AccountActivate", json!({})).await.json();
        assert_eq!(state["accountState"], "PENDING");
        let early = setting.control("ServiceLookup", lookup.clone()).await;
        assert_eq!(early.status, 403);
    }
    let state = setting.control("AccountActivate", json!({})).await.json();
    assert_eq!(state["accountState"], "ENABLED");
    let setting = Setting::new(&["account-disabled"]);
    let state = setting.control("AccountActivate", json!({})).await.json();
    assert_eq!(state["accountState"], "DISABLED");
    for (fault, status) in [("account-create-403", 403), ("account-create-503", 503)] {
        let setting = Setting::new(&[fault]);
        let reply = setting
            .control("AccountCreate", json!({ "nodeName": "app" }))
            .await;
        assert_eq!(reply.status, status);
    }
}

#[tokio::test]
async fn lookups_are_empty_or_name_the_dead() {
    let setting = Setting::new(&["lookup-empty:com.cisco.ise.session"]);
    setting.control("AccountActivate", json!({})).await;
    let found = async |name: &str| {
        let body = json!({ "name": name });
        setting
            .control("ServiceLookup", body)
            .await
            .rows("services")
            .len()
    };
    assert_eq!(found(SESSION).await, 0);
    assert_eq!(found("com.cisco.ise.radius").await, 2);
    for fault in ["dead-replica", "dead-replica-shuffled"] {
        let setting = Setting::new(&[fault]);
        setting.control("AccountActivate", json!({})).await;
        let mut places = std::collections::HashSet::new();
        for _ in 0..60 {
            let found = setting.control("ServiceLookup", json!({ "name": SESSION }));
            let found = found.await.rows("services");
            assert_eq!(found.len(), 3);
            let dead = found.iter().position(|node| {
                node["properties"]["restBaseUrl"]
                    .as_str()
                    .unwrap()
                    .contains(":1/")
            });
            places.insert(dead.unwrap());
        }
        let expected = if fault == "dead-replica" { 1 } else { 3 };
        assert_eq!(places.len(), expected, "{fault}: {places:?}");
    }
}

#[tokio::test]
async fn secrets_are_refused_and_rotated() {
    let setting = Setting::new(&["secret-rotation@1"]);
    let (base, secret) = setting.login(SESSION).await;
    let url = format!("{base}/getSessions");
    for _ in 0..2 {
        assert_eq!(
            setting.post(&url, NAME, &secret, json!({})).await.status,
            401
        );
    }
    for _ in 0..8 {
        // The other node's secret may be the one that comes back; it was never rotated.
        let (base, fresh) = setting.login(SESSION).await;
        let reply = setting
            .post(&format!("{base}/getSessions"), NAME, &fresh, json!({}))
            .await;
        assert_eq!(reply.status, 200);
        assert_ne!(fresh, secret);
    }
    let setting = Setting::new(&["secret-refused-once"]);
    let (base, secret) = setting.login(SESSION).await;
    let url = format!("{base}/getSessions");
    assert_eq!(
        setting.post(&url, NAME, &secret, json!({})).await.status,
        401
    );
    assert_eq!(
        setting.post(&url, NAME, &secret, json!({})).await.status,
        200
    );
    let setting = Setting::new(&["secret-refused"]);
    for _ in 0..3 {
        assert_eq!(setting.session("getSessions", json!({})).await.status, 401);
    }
    let setting = Setting::new(&["secret-ignored"]);
    let (base, _) = setting.login(SESSION).await;
    let url = format!("{base}/getSessions");
    assert_eq!(
        setting.post(&url, NAME, "none", json!({})).await.status,
        200
    );
    assert_eq!(
        setting
            .post(&url, "~ise-mnt-lab-1", "none", json!({}))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn handshakes_refuse_or_do_not_ask() {
    let setting = Setting::new(&["client-cert-refused@1"]);
    let url = setting.control_url("AccountActivate");
    let request = setting.request(&url, NAME, "", &json!({}));
    assert!(request.send().await.is_err());
    assert_eq!(
        setting.control("AccountActivate", json!({})).await.status,
        200
    );
    let setting = Setting::new(&["tls-no-client-auth"]);
    assert_eq!(
        setting.control("AccountActivate", json!({})).await.status,
        401
    );
    let setting = Setting::new(&["tls-expired@1"]);
    let request = setting.request(
        &setting.control_url("AccountActivate"),
        NAME,
        "",
        &json!({}),
    );
    assert!(request.send().await.is_err());
    assert_eq!(
        setting.control("AccountActivate", json!({})).await.status,
        200
    );
}

#[tokio::test]
async fn a_strangers_certificate_does_not_get_in() {
    let setting = Setting::new(&[]);
    let certificates = setting.lab.certificates();
    let stranger = certificates
        .client("tester", crate::lab::certificates::Flavour::UnknownIssuer)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for one in CertificateDer::pem_file_iter(certificates.ca_path()).unwrap() {
        roots.add(one.unwrap()).unwrap();
    }
    let chain = vec![CertificateDer::from_pem_slice(stranger.certificate_pem.as_bytes()).unwrap()];
    let key = secrecy::ExposeSecret::expose_secret(&stranger.key_pem);
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            chain,
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .build()
        .unwrap();
    let url = setting.control_url("AccountActivate");
    assert!(client.post(url).body("{}").send().await.is_err());
}
