//! The services' answers, and that they agree with the Monitoring node.

use super::*;

#[tokio::test]
async fn sessions_agree_with_the_monitoring_node() {
    let setting = Setting::new(&[]);
    let sessions = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    assert_eq!(sessions.len(), 50);
    let mut compared = 0;
    for session in &sessions {
        let Some(mac) = session["macAddress"].as_str() else {
            continue;
        };
        let detail = setting.mnt(&format!("Session/MACAddress/{mac}")).await;
        let text = |name| session[name].as_str();
        let user = field(&detail, "user_name").map(|user| user.replace("&amp;", "&"));
        assert_eq!(text("userName"), user.as_deref(), "{mac}");
        assert_eq!(text("auditSessionId"), field(&detail, "audit_session_id"));
        assert_eq!(text("nasIpAddress"), field(&detail, "nas_ip_address"));
        assert_eq!(
            text("ctsSecurityGroup"),
            field(&detail, "cts_security_group")
        );
        assert_eq!(text("endpointProfile"), field(&detail, "endpoint_policy"));
        assert_eq!(
            text("postureStatus").unwrap_or(""),
            field(&detail, "posture_status").unwrap()
        );
        let profiles: Vec<_> = field(&detail, "selected_azn_profiles")
            .unwrap()
            .split(',')
            .collect();
        assert_eq!(session["selectedAuthzProfiles"], json!(profiles));
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let authenticated = field(&detail, "auth_acs_timestamp").unwrap();
        assert_eq!(at(text("timestamp").unwrap()), at(authenticated));
        let address = field(&detail, "framed_ip_address").unwrap();
        let first = session["ipAddresses"][0].as_str().unwrap_or("");
        assert!(address.is_empty() || address == first, "{mac}");
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
    let states: std::collections::HashSet<_> = sessions
        .iter()
        .map(|session| session["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
}

#[tokio::test]
async fn single_sessions_are_found_and_missing_ones_are_204() {
    let setting = Setting::new(&[]);
    let mac = json!({ "macAddress": "C8:5B:76:C6:59:62" });
    let session = setting.session("getSessionByMacAddress", mac).await.json();
    assert_eq!(session["ipAddresses"], json!(["10.50.10.100"]));
    let by_ip = setting.session(
        "getSessionByIpAddress",
        json!({ "ipAddress": "10.50.10.100" }),
    );
    assert_eq!(by_ip.await.json(), session);
    let all = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    let (v6, with_v6) = all
        .iter()
        .find_map(|one| {
            let addresses = one["ipAddresses"].as_array()?;
            let v6 = addresses
                .iter()
                .find(|ip| ip.as_str().unwrap().starts_with("2001"))?;
            Some((v6.clone(), one))
        })
        .unwrap();
    let by_v6 = setting
        .session("getSessionByIpAddress", json!({ "ipAddress": v6 }))
        .await;
    assert_eq!(&by_v6.json(), with_v6);
    for (operation, body) in [
        (
            "getSessionByMacAddress",
            json!({ "macAddress": "00:00:5E:00:53:FF" }),
        ),
        (
            "getSessionByMacAddress",
            json!({ "macAddress": "c8:5b:76:c6:59:62" }),
        ),
        (
            "getSessionByIpAddress",
            json!({ "ipAddress": "10.50.10.99" }),
        ),
        (
            "getSessionByIpAddress",
            json!({ "ipAddress": "2001:db8:7::1:ffff" }),
        ),
        ("getUserGroupByUserName", json!({ "userName": "nobody" })),
    ] {
        let reply = setting.session(operation, body).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (204, ""),
            "{operation}"
        );
    }
    let lacking = setting.session("getSessionByMacAddress", json!({})).await;
    assert_eq!(lacking.status, 400);
}

#[tokio::test]
async fn sessions_are_filtered_by_time_and_expression() {
    let setting = Setting::new(&[]);
    let count = async |body| {
        setting
            .session("getSessions", body)
            .await
            .rows("sessions")
            .len()
    };
    assert_eq!(count(json!({ "filter": "userName=='jsmith'" })).await, 1);
    let wired = count(json!({ "filter": "in_subnet(nasIpAddress,'10.50.1.0/24')" })).await;
    assert!(wired > 40, "{wired}");
    assert_eq!(
        count(json!({ "filter": "in_array(userName,['jsmith','vpn.user@lab.example'])" })).await,
        2
    );
    let hour_ago = jiff::Timestamp::now() - jiff::Span::new().hours(1);
    let recent = count(json!({ "startTimestamp": hour_ago.to_string() })).await;
    assert!(recent > 5 && recent < 50, "{recent}");
    assert_eq!(
        count(json!({ "startTimestamp": "2999-01-01T00:00:00Z" })).await,
        0
    );
    for body in [
        json!({ "filter": "a &&" }),
        json!({ "startTimestamp": "yesterday" }),
    ] {
        assert_eq!(setting.session("getSessions", body).await.status, 400);
    }
}

#[tokio::test]
async fn what_ended_is_there_for_recovery() {
    let setting = Setting::new(&[]);
    let since = json!({ "startTimestamp": jiff::Timestamp::now().to_string() });
    setting
        .mnt("CoA/Disconnect/psn-a/C8:5B:76:C6:59:62/0")
        .await;
    let recovered = setting
        .session("getSessionsForRecovery", since.clone())
        .await;
    let recovered = recovered.rows("sessions");
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0]["state"], "DISCONNECTED");
    assert_eq!(recovered[0]["macAddress"], "C8:5B:76:C6:59:62");
    assert!(
        setting
            .session("getSessions", since)
            .await
            .rows("sessions")
            .is_empty()
    );
    let events = setting.lab.events().event_log();
    assert_eq!(events.len(), 2);
    assert_eq!(&*events[0].topic, "/topic/com.cisco.ise.session");
    assert!(
        events[0]
            .body
            .starts_with("{\"sequence\":0,\"sessions\":[{")
    );
    assert!(events[0].body.contains("\"state\":\"DISCONNECTED\""));
    assert_eq!(
        setting
            .session("getSessionsForRecovery", json!({}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_bounced_port_is_told_twice() {
    let setting = Setting::new(&[]);
    setting
        .mnt("CoA/Disconnect/psn-a/C8:5B:76:C6:59:62/1")
        .await;
    let events = until(
        async || {
            tokio::time::sleep(Duration::from_millis(10)).await;
            setting.lab.events().event_log()
        },
        |events| events.len() == 4,
    )
    .await;
    assert!(events[0].body.contains("\"state\":\"DISCONNECTED\""));
    assert!(events[2].body.contains("\"state\":\"STARTED\""));
    assert_eq!(events[2].sequence, Some(1));
}

#[tokio::test]
async fn user_groups() {
    let setting = Setting::new(&[]);
    let all = setting
        .session("getUserGroups", json!({}))
        .await
        .rows("userGroups");
    let users: std::collections::HashSet<_> =
        all.iter().map(|one| one["userName"].to_string()).collect();
    assert_eq!(users.len(), all.len());
    let one = setting.session("getUserGroups", json!({ "filter": "userName=='jsmith'" }));
    let one = one.await.rows("userGroups");
    let by_name = setting.session("getUserGroupByUserName", json!({ "userName": "jsmith" }));
    assert_eq!(one[0]["groups"], by_name.await.json()["groups"]);
    assert_eq!(one[0]["groups"][0]["type"], "ACTIVE_DIRECTORY");
}

#[tokio::test]
async fn radius_failures_are_those_of_auth_status() {
    let setting = Setting::new(&[]);
    let service = "com.cisco.ise.radius";
    let since = json!({ "startTimestamp": "2000-01-01T00:00:00Z" });
    let failures = setting
        .ask(service, "getFailures", since)
        .await
        .rows("failures");
    let robin: Vec<_> = failures
        .iter()
        .filter(|one| one["macAddress"] == "00:00:5E:00:53:F0")
        .collect();
    let status = setting
        .mnt("AuthStatus/MACAddress/00:00:5E:00:53:F0/432000/0/All")
        .await;
    assert_eq!(robin.len(), status.matches("<authStatusElements>").count());
    assert_eq!(
        robin[0]["failureReason"].as_str(),
        field(&status, "failure_reason")
    );
    assert_eq!(robin[0]["id"].as_str(), field(&status, "id"));
    for failure in &failures {
        let code = failure["messageCode"].as_u64().unwrap();
        assert!((5400..5500).contains(&code), "{code}");
    }
    let id = json!({ "id": robin[0]["id"] });
    let found = setting.ask(service, "getFailureById", id).await.json();
    assert_eq!(&found, robin[0]);
    for id in ["1", "1771000000000000", "x"] {
        let missing = setting
            .ask(service, "getFailureById", json!({ "id": id }))
            .await;
        assert_eq!(missing.status, 204);
    }
    let recent = setting
        .ask(service, "getFailures", json!({}))
        .await
        .rows("failures");
    assert!(!recent.is_empty() && recent.len() < failures.len());
}

#[tokio::test]
async fn trustsec_is_paged_counted_and_remembers_what_was_deleted() {
    let setting = Setting::new(&[]);
    let service = "com.cisco.ise.config.trustsec";
    let whole = setting
        .ask(service, "getSecurityGroups", json!({}))
        .await
        .json();
    let groups = whole["securityGroups"].as_array().unwrap();
    assert_eq!(whole["totalCount"], groups.len());
    assert_eq!(whole["deletedSecurityGroups"][0]["tag"], -1);
    let page = json!({ "startIndex": 2, "recordCount": 3 });
    let page = setting.ask(service, "getSecurityGroups", page).await.json();
    assert_eq!(page["totalCount"], groups.len());
    assert_eq!(page["securityGroups"].as_array().unwrap(), &groups[2..5]);
    let used = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    for session in used {
        let name = &session["ctsSecurityGroup"];
        assert!(
            name.is_null() || groups.iter().any(|group| group["name"] == *name),
            "{name}"
        );
    }
    let policies = setting
        .ask(service, "getEgressPolicies", json!({}))
        .await
        .rows("egressPolicies");
    let matrices = setting
        .ask(service, "getEgressMatrices", json!({}))
        .await
        .rows("egressMatrices");
    let acls = setting
        .ask(service, "getSecurityGroupAcls", json!({}))
        .await
        .rows("securityGroupAcls");
    for policy in &policies {
        assert_eq!(policy["matrixId"], matrices[0]["id"]);
        assert!(acls.iter().any(|acl| acl["id"] == policy["sgaclIds"][0]));
        for side in ["sourceSecurityGroupId", "destinationSecurityGroupId"] {
            assert!(groups.iter().any(|group| group["id"] == policy[side]));
        }
    }
    let none = json!({ "matrixId": "other" });
    let none = setting.ask(service, "getEgressPolicies", none).await.json();
    assert_eq!(none["totalCount"], 0);
    let one = json!({ "id": acls[0]["id"] });
    let one = setting
        .ask(service, "getSecurityGroupAcls", one)
        .await
        .rows("securityGroupAcls");
    assert_eq!(one, [acls[0].clone()]);
    let networks = setting.ask(service, "getVirtualNetwork", json!({})).await;
    assert_eq!(networks.rows("virtualNetworks").len(), 2);
    let future = json!({ "startTimestamp": "2999-01-01T00:00:00Z" });
    let future = setting
        .ask(service, "getVirtualNetwork", future)
        .await
        .json();
    assert_eq!(future["totalCount"], 0);
}

#[tokio::test]
async fn bindings_can_be_filtered_by_number() {
    let setting = Setting::new(&[]);
    let all = setting
        .ask("com.cisco.ise.sxp", "getBindings", json!({}))
        .await
        .rows("bindings");
    let tag = all[0]["tag"].as_u64().unwrap();
    let some = json!({ "filter": format!("tag == `{tag}`") });
    let some = setting
        .ask("com.cisco.ise.sxp", "getBindings", some)
        .await
        .rows("bindings");
    assert!(!some.is_empty() && some.len() < all.len());
    assert!(some.iter().all(|one| one["tag"] == tag));
    let subnet = json!({ "filter": "in_subnet(ipPrefix,'10.50.10.100/32')" });
    let subnet = setting
        .ask("com.cisco.ise.sxp", "getBindings", subnet)
        .await
        .rows("bindings");
    assert_eq!(subnet.len(), 1);
}

#[tokio::test]
async fn the_small_services_answer() {
    let setting = Setting::new(&[]);
    let system = "com.cisco.ise.system";
    for (operation, member) in [
        ("getHealths", "healths"),
        ("getPerformances", "performances"),
    ] {
        let all = setting.ask(system, operation, json!({})).await.rows(member);
        let one = json!({ "nodeName": "psn-a" });
        let one = setting.ask(system, operation, one).await.rows(member);
        assert_eq!(all.len(), 3 * one.len());
        assert!(one.len() >= 12);
    }
    let profiles = setting.ask("com.cisco.ise.config.profiler", "getProfiles", json!({}));
    let profiles = profiles.await.rows("profiles");
    let sessions = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    for session in &sessions {
        assert!(
            profiles
                .iter()
                .any(|profile| profile["name"] == session["endpointProfile"])
        );
    }
    let body = json!({ "any": ["thing", 1.10] });
    let echo = setting
        .ask("com.cisco.ise.echo", "query", body.clone())
        .await;
    assert_eq!(echo.text, body.to_string());
}

/// Every operation of the catalogue answers something sensible to a request with what it requires.
#[tokio::test]
async fn every_operation_is_there() {
    use crate::pxgrid::catalogue::{FieldKind, SERVICES};
    let setting = Setting::new(&[]);
    for service in SERVICES {
        for operation in service.operations {
            let mut body = serde_json::Map::new();
            for field in operation.fields.iter().filter(|field| field.required) {
                let value = match field.kind {
                    FieldKind::Mac => json!("00:00:5E:00:53:01"),
                    FieldKind::Ip => json!("10.50.10.101"),
                    FieldKind::Time => json!("2026-01-01T00:00:00Z"),
                    FieldKind::MacList => json!(["00:00:5E:00:53:01"]),
                    FieldKind::OneOf(words) => json!(words[0]),
                    FieldKind::ListOf(words) => json!([words[0]]),
                    _ => json!("Something"),
                };
                body.insert(field.name.to_owned(), value);
            }
            let body = Value::Object(body);
            let reply = setting.ask(service.name, operation.name, body).await;
            let sensible = match reply.status {
                200 => reply.text.is_empty() || reply.json().is_object(),
                204 => reply.text.is_empty(),
                _ => false,
            };
            assert!(
                sensible,
                "{} {}: {}",
                service.name, operation.name, reply.status
            );
        }
    }
}
