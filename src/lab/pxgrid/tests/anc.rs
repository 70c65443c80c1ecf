//! Adaptive Network Control, and what it does to the session.

use super::*;

const SERVICE: &str = "com.cisco.ise.config.anc";
const MAC: &str = "C8:5B:76:C6:59:62";

impl Setting {
    async fn anc(&self, operation: &str, body: Value) -> Reply {
        self.ask(SERVICE, operation, body).await
    }

    /// Starts an operation and waits for its end.
    async fn finished(&self, operation: &str, body: Value) -> Value {
        let status = self.anc(operation, body).await.json();
        if status["status"] != "RUNNING" {
            return status;
        }
        let id = json!({ "operationId": status["operationId"] });
        until(
            async || self.anc("getOperationStatus", id.clone()).await.json(),
            |status| status["status"] != "RUNNING",
        )
        .await
    }
}

#[tokio::test]
async fn a_quarantine_shows_on_both_sides_and_goes_again() {
    let setting = Setting::new(&[]);
    let mac = json!({ "macAddress": MAC });
    let before = setting
        .session("getSessionByMacAddress", mac.clone())
        .await
        .json();
    let apply = json!({ "policyName": "Quarantine", "macAddress": MAC });
    let running = setting
        .anc("applyEndpointByMacAddress", apply.clone())
        .await
        .json();
    assert_eq!(running["status"], "RUNNING");
    let id = json!({ "operationId": running["operationId"] });
    let status = until(
        async || setting.anc("getOperationStatus", id.clone()).await.json(),
        |status| status["status"] != "RUNNING",
    )
    .await;
    assert_eq!(
        (&status["status"], &status["macAddress"]),
        (&json!("SUCCESS"), &json!(MAC))
    );
    let session = setting
        .session("getSessionByMacAddress", mac.clone())
        .await
        .json();
    assert_eq!(session["ancPolicy"], "Quarantine");
    assert_eq!(session["ctsSecurityGroup"], "Quarantined_Systems");
    assert_eq!(session["selectedAuthzProfiles"], json!(["Quarantine"]));
    assert_eq!(session["auditSessionId"], before["auditSessionId"]);
    assert!(session["timestamp"].as_str() > before["timestamp"].as_str());
    let detail = setting.mnt(&format!("Session/MACAddress/{MAC}")).await;
    assert_eq!(
        field(&detail, "cts_security_group"),
        Some("Quarantined_Systems")
    );
    assert_eq!(field(&detail, "selected_azn_profiles"), Some("Quarantine"));
    assert!(detail.contains("AuthorizationPolicyMatchedRule=ANC Quarantine"));
    let endpoint = json!({ "macAddress": MAC, "policyName": "Quarantine" });
    assert_eq!(
        setting
            .anc("getEndpoints", json!({}))
            .await
            .rows("endpoints"),
        std::slice::from_ref(&endpoint)
    );
    assert_eq!(
        setting
            .anc("getEndpointByMacAddress", mac.clone())
            .await
            .json(),
        endpoint
    );
    let again = setting.anc("applyEndpointByMacAddress", apply).await.json();
    assert_eq!(
        again["failureReason"],
        "mac address is already associated with this policy"
    );
    let events = setting.lab.events().event_log();
    let told: Vec<_> = events.iter().map(|event| &*event.topic).collect();
    assert_eq!(
        told,
        [
            "/topic/com.cisco.ise.session",
            "/topic/com.cisco.ise.session.all",
            "/topic/com.cisco.ise.config.anc.status",
            "/topic/com.cisco.ise.config.anc.status",
        ]
    );
    assert_eq!(events[2].body.parse::<Value>().unwrap(), status);
    let cleared = setting
        .finished("clearEndpointByMacAddress", mac.clone())
        .await;
    assert_eq!(cleared["status"], "SUCCESS");
    let after = setting
        .session("getSessionByMacAddress", mac.clone())
        .await
        .json();
    assert_eq!(after["ctsSecurityGroup"], before["ctsSecurityGroup"]);
    assert!(after.get("ancPolicy").is_none());
    assert_eq!(
        setting.anc("getEndpointByMacAddress", mac).await.status,
        204
    );
}

#[tokio::test]
async fn the_reasons_of_failure() {
    let setting = Setting::new(&["anc-failure@1:The port is painted"]);
    let mac = json!({ "macAddress": MAC });
    let with = |policy: &str| json!({ "macAddress": MAC, "policyName": policy });
    for (operation, body, reason) in [
        (
            "applyEndpointByMacAddress",
            with("Quarantine"),
            "The port is painted",
        ),
        (
            "applyEndpointByMacAddress",
            with("None such"),
            "Policy is not configured",
        ),
        (
            "clearEndpointByMacAddress",
            mac,
            "mac address is not associated with a policy",
        ),
        (
            "applyEndpointByIpAddress",
            json!({ "ipAddress": "10.50.10.99", "policyName": "Quarantine" }),
            "Session lookup failure",
        ),
        (
            "clearEndpointByIpAddress",
            json!({ "ipAddress": "10.50.10.99" }),
            "Session lookup failure",
        ),
    ] {
        let status = setting.finished(operation, body).await;
        assert_eq!(status["status"], "FAILURE");
        assert_eq!(status["failureReason"], reason, "{operation}");
    }
    assert!(
        setting
            .anc("getEndpoints", json!({}))
            .await
            .rows("endpoints")
            .is_empty()
    );
    let unknown = json!({ "operationId": "ise-pan:99" });
    assert_eq!(setting.anc("getOperationStatus", unknown).await.status, 204);
    let bad = json!({ "macAddress": "nonsense", "policyName": "Quarantine" });
    assert_eq!(
        setting.anc("applyEndpointByMacAddress", bad).await.status,
        400
    );
}

#[tokio::test]
async fn an_operation_that_never_ends() {
    let setting = Setting::new(&["anc-running"]);
    let body = json!({ "policyName": "Quarantine", "ipAddress": "10.50.10.100" });
    let status = setting.anc("applyEndpointByIpAddress", body).await.json();
    assert_eq!(
        (&status["status"], &status["macAddress"]),
        (&json!("RUNNING"), &json!(MAC))
    );
    let id = json!({ "operationId": status["operationId"] });
    assert_eq!(setting.anc("getOperationStatus", id).await.json(), status);
}

#[tokio::test]
async fn policies_at_a_nas_and_either_spelling_of_their_name() {
    let setting = Setting::new(&[]);
    let at = json!({ "macAddress": MAC, "nasIpAddress": "10.50.1.10" });
    for key in ["policy", "policyName"] {
        let mut body = at.clone();
        body[key] = json!("Quarantine");
        let status = setting.finished("applyEndpointPolicy", body).await;
        assert_eq!(status["status"], "SUCCESS", "{status}");
        let row =
            json!({ "macAddress": MAC, "nasIpAddress": "10.50.1.10", "policyName": "Quarantine" });
        let rows = setting
            .anc("getEndpointPolicies", json!({}))
            .await
            .rows("endpoints");
        assert_eq!(rows, std::slice::from_ref(&row));
        assert!(
            setting
                .anc("getEndpoints", json!({}))
                .await
                .rows("endpoints")
                .is_empty()
        );
        assert_eq!(
            setting
                .anc("getEndpointByNasIpAddress", at.clone())
                .await
                .json(),
            row
        );
        let other = json!({ "macAddress": MAC, "nasIpAddress": "10.50.1.11" });
        assert_eq!(
            setting.anc("getEndpointByNasIpAddress", other).await.status,
            204
        );
        let status = setting.finished("clearEndpointPolicy", at.clone()).await;
        assert_eq!(status["status"], "SUCCESS");
    }
    assert_eq!(setting.anc("applyEndpointPolicy", at).await.status, 400);
    let without = json!({ "macAddress": MAC, "policyName": "Quarantine" });
    let status = setting.finished("applyEndpointPolicy", without).await;
    assert_eq!(status["nasIpAddress"], "10.50.1.10");
}

#[tokio::test]
async fn policies_are_made_and_removed() {
    let setting = Setting::new(&[]);
    let policies = setting.anc("getPolicies", json!({})).await.rows("policies");
    let names: Vec<_> = policies
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Quarantine", "Shutdown", "Bounce", "ReAuth"]);
    let new = json!({ "name": "New", "actions": ["PORT_BOUNCE"] });
    assert_eq!(setting.anc("createPolicy", new.clone()).await.json(), new);
    assert_eq!(setting.anc("createPolicy", new.clone()).await.status, 409);
    let wrong = json!({ "name": "Other", "actions": ["EXPLODE"] });
    assert_eq!(setting.anc("createPolicy", wrong).await.status, 400);
    let name = json!({ "name": "New" });
    assert_eq!(
        setting.anc("getPolicyByName", name.clone()).await.json(),
        new
    );
    let gone = setting.anc("deletePolicyByName", name.clone()).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(
        setting.anc("deletePolicyByName", name.clone()).await.status,
        204
    );
    assert_eq!(setting.anc("getPolicyByName", name).await.status, 204);
}

#[tokio::test]
async fn a_port_that_was_shut_down_comes_up_when_the_policy_is_cleared() {
    let setting = Setting::new(&[]);
    let mac = json!({ "macAddress": MAC });
    let before = setting
        .session("getSessionByMacAddress", mac.clone())
        .await
        .json();
    let body = json!({ "macAddress": MAC, "policyName": "Shutdown" });
    setting.finished("applyEndpointByMacAddress", body).await;
    assert_eq!(
        setting
            .session("getSessionByMacAddress", mac.clone())
            .await
            .status,
        204
    );
    assert!(
        setting
            .mnt(&format!("Session/MACAddress/{MAC}"))
            .await
            .contains("not available")
    );
    setting
        .finished("clearEndpointByMacAddress", mac.clone())
        .await;
    let after = setting.session("getSessionByMacAddress", mac).await.json();
    assert_ne!(after["auditSessionId"], before["auditSessionId"]);
}

#[tokio::test]
async fn an_endpoint_that_is_not_online_can_have_a_policy() {
    let setting = Setting::new(&[]);
    let body = json!({ "macAddress": "00:00:5E:00:53:FE", "policyName": "Quarantine" });
    let status = setting.finished("applyEndpointByMacAddress", body).await;
    assert_eq!(status["status"], "SUCCESS");
}
