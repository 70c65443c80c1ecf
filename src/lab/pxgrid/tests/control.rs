//! The control API.

use super::*;

#[tokio::test]
async fn the_way_of_a_client_with_a_certificate() {
    let setting = Setting::new(&[]);
    let lookup = json!({ "name": "com.cisco.ise.session" });
    let early = setting.control("ServiceLookup", lookup.clone()).await;
    assert_eq!(early.status, 401);
    // Any password will do with a certificate.
    let url = setting.control_url("AccountActivate");
    let active = setting.post(&url, NAME, "None", json!({})).await.json();
    assert_eq!(
        active,
        json!({ "accountState": "ENABLED", "version": "2.0.2.1" })
    );
    let mut first = std::collections::HashSet::new();
    for _ in 0..40 {
        let found = setting.control("ServiceLookup", lookup.clone()).await;
        let found = found.rows("services");
        assert_eq!(found.len(), 2);
        first.insert(found[0]["nodeName"].to_string());
    }
    assert_eq!(first.len(), 2, "the order is another one each time");
    let pubsub = json!({ "name": "com.cisco.ise.pubsub" });
    let found = setting
        .control("ServiceLookup", pubsub)
        .await
        .rows("services");
    let url = found[0]["properties"]["wsUrl"].as_str().unwrap();
    assert!(url.starts_with("wss://localhost:") && url.ends_with("/pxgrid/ise/pubsub"));
    let unknown = json!({ "name": "com.example.none" });
    let unknown = setting.control("ServiceLookup", unknown).await;
    assert_eq!(unknown.json(), json!({ "services": [] }));
    assert_eq!(setting.control("NoSuchMethod", json!({})).await.status, 404);
    assert_eq!(
        setting.control("ServiceLookup", json!({})).await.status,
        400
    );
    let url = setting.control_url("AccountActivate");
    let request = setting.client.get(&url).basic_auth(NAME, Some(""));
    assert_eq!(read(request).await.status, 405);
    let request = setting
        .client
        .post(&url)
        .basic_auth(NAME, Some(""))
        .body("{");
    assert_eq!(read(request).await.status, 400);
    let peer = setting.post(&url, "~ise-mnt-lab-1", "", json!({})).await;
    assert_eq!(peer.status, 401);
    let strict = Setting::new(&["own-name-only"]);
    let url = strict.control_url("AccountActivate");
    assert_eq!(read(strict.client.post(&url).body("{}")).await.status, 401);
}

/// Recipes in circulation send no Basic header to the control API, and the peer's name with the
/// secret to services.
#[tokio::test]
async fn a_certificate_speaks_for_itself_unless_the_lab_is_strict() {
    let recipe = async |setting: &Setting| {
        let bare = |method: &str, body: Value| {
            let request = setting.client.post(setting.control_url(method));
            read(request.body(body.to_string()))
        };
        let lookup = json!({ "name": "com.cisco.ise.session" });
        let found = bare("ServiceLookup", lookup).await;
        if found.status != 200 {
            return (found.status, 0);
        }
        let node = found.rows("services")[0].clone();
        let secret = json!({ "peerNodeName": node["nodeName"] });
        let secret = bare("AccessSecret", secret).await.json();
        let url = format!(
            "{}/getSessions",
            node["properties"]["restBaseUrl"].as_str().unwrap()
        );
        let peer = node["nodeName"].as_str().unwrap();
        let secret = secret["secret"].as_str().unwrap();
        let right = setting.post(&url, peer, secret, json!({})).await;
        let wrong = setting.post(&url, peer, "none", json!({})).await;
        assert_eq!(wrong.status, 401, "the secret is looked at all the same");
        let elsewhere = setting.post(&url, "~ise-admin-lab-1", secret, json!({}));
        assert_eq!(elsewhere.await.status, 401);
        (found.status, right.status)
    };
    assert_eq!(recipe(&Setting::new(&[])).await, (200, 200));
    assert_eq!(recipe(&Setting::new(&["own-name-only"])).await, (401, 0));
    assert_eq!(
        recipe(&Setting::new(&["own-name-only:/session/"])).await,
        (200, 401)
    );
    assert_eq!(recipe(&Setting::new(&["account-pending"])).await, (401, 0));
}

#[tokio::test]
async fn another_broker_is_announced_in_place_of_every_pubsub() {
    let elsewhere = "wss://localhost:15673/ws";
    let setting = Setting::with(LabOptions {
        pubsub_url: Some(elsewhere.to_owned()),
        ..LabOptions::default()
    });
    let url = setting.control_url("AccountActivate");
    setting.post(&url, NAME, "", json!({})).await.json();
    let found = |name| setting.control("ServiceLookup", json!({ "name": name }));
    assert_eq!(
        found("com.cisco.ise.pubsub").await.rows("services"),
        [json!({
            "name": "com.cisco.ise.pubsub",
            "nodeName": "~ise-pubsub-lab-1",
            "properties": { "wsUrl": elsewhere },
        })]
    );
    let sessions = found("com.cisco.ise.session").await.rows("services");
    assert_eq!(sessions.len(), 2, "the other services stay");
}

#[tokio::test]
async fn every_service_is_announced_on_every_node() {
    let setting = Setting::with(LabOptions {
        nodes: 3,
        ..LabOptions::default()
    });
    setting.control("AccountActivate", json!({})).await;
    for service in crate::pxgrid::catalogue::SERVICES {
        let found = setting.control("ServiceLookup", json!({ "name": service.name }));
        let found = found.await.rows("services");
        if service.name == "com.cisco.endpoint.asset" {
            assert!(found.is_empty());
            continue;
        }
        assert_eq!(found.len(), 3, "{}", service.name);
        for node in &found {
            for topic in service.topics {
                assert_eq!(node["properties"][topic.property], topic.path);
                assert_eq!(
                    node["properties"]["wsPubsubService"],
                    "com.cisco.ise.pubsub"
                );
            }
            let has_base = node["properties"].get("restBaseUrl").is_some();
            assert_eq!(has_base, !service.operations.is_empty(), "{}", service.name);
        }
    }
}

#[tokio::test]
async fn a_password_account_needs_its_password_and_no_certificate() {
    let mut setting = Setting::new(&[]);
    setting.client = client(&setting.lab, false);
    let url = setting.control_url("AccountCreate");
    let create = || {
        read(
            setting
                .client
                .post(&url)
                .body(json!({ "nodeName": "app" }).to_string()),
        )
    };
    let account = create().await.json();
    assert_eq!(
        (&account["nodeName"], &account["userName"]),
        (&json!("app"), &json!("app"))
    );
    let password = account["password"].as_str().unwrap();
    let activate = setting.control_url("AccountActivate");
    for (user, password) in [("app", "wrong"), ("other", password), ("app", "")] {
        let refused = setting.post(&activate, user, password, json!({})).await;
        assert_eq!(refused.status, 401, "{user}");
    }
    let active = setting
        .post(&activate, "app", password, json!({}))
        .await
        .json();
    assert_eq!(active["accountState"], "ENABLED");
    assert_eq!(create().await.status, 409);
    let lookup = setting.control_url("ServiceLookup");
    let body = json!({ "name": "com.cisco.ise.session" });
    let found = setting
        .post(&lookup, "app", password, body)
        .await
        .rows("services");
    assert_eq!(found.len(), 2);
    let bad = setting
        .client
        .post(&url)
        .body(json!({ "nodeName": "a b" }).to_string());
    assert_eq!(read(bad).await.status, 400);
}

#[tokio::test]
async fn a_service_can_be_registered_and_asked_about() {
    let setting = Setting::new(&[]);
    setting.control("AccountActivate", json!({})).await;
    let name = "com.cisco.endpoint.asset";
    let properties = json!({ "assetTopic": "/topic/com.cisco.endpoint.asset" });
    let body = json!({ "name": name, "properties": properties });
    let done = setting.control("ServiceRegister", body).await.json();
    assert_eq!(done["reregisterTimeMillis"], 300_000);
    let found = setting
        .control("ServiceLookup", json!({ "name": name }))
        .await
        .rows("services");
    assert_eq!(
        found,
        [json!({ "name": name, "nodeName": NAME, "properties": properties })]
    );
    let id = json!({ "id": done["id"] });
    assert_eq!(
        setting
            .control("ServiceReregister", id.clone())
            .await
            .json(),
        json!({})
    );
    assert_eq!(
        setting
            .control("ServiceUnregister", id.clone())
            .await
            .json(),
        json!({})
    );
    assert_eq!(setting.control("ServiceReregister", id).await.status, 404);
    for (node, word) in [(NAME, "PERMIT"), ("stranger", "DENY")] {
        let body =
            json!({ "requestNodeName": node, "serviceName": name, "serviceOperation": "gets" });
        let answer = setting.control("Authorization", body).await.json();
        assert_eq!(answer, json!({ "authorization": word }));
    }
}

#[tokio::test]
async fn a_service_wants_the_clients_own_name_and_the_secret_of_that_node() {
    let setting = Setting::new(&["own-name-only"]);
    let (base, secret) = setting.login("com.cisco.ise.session").await;
    let url = format!("{base}/getSessions");
    let here = base.contains(&setting.lab.pxgrid_addresses()[0].port().to_string());
    let (peer, other) = if here {
        ("~ise-mnt-lab-1", "~ise-mnt-lab-2")
    } else {
        ("~ise-mnt-lab-2", "~ise-mnt-lab-1")
    };
    let other = setting
        .control("AccessSecret", json!({ "peerNodeName": other }))
        .await
        .json();
    let other = other["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 16);
    for (user, password) in [
        (NAME, other),
        (peer, &secret),
        (NAME, ""),
        ("stranger", &secret),
    ] {
        let refused = setting.post(&url, user, password, json!({})).await;
        assert_eq!(refused.status, 401, "{user}");
    }
    assert_eq!(
        setting.post(&url, NAME, &secret, json!({})).await.status,
        200
    );
    let doubled = format!("{base}//getSessions");
    assert_eq!(
        setting
            .post(&doubled, NAME, &secret, json!({}))
            .await
            .status,
        200
    );
    let unknown = format!("{base}/getNothing");
    assert_eq!(
        setting
            .post(&unknown, NAME, &secret, json!({}))
            .await
            .status,
        404
    );
}
