//! Managed devices, endpoints and posture.

use super::*;

#[tokio::test]
async fn managed_devices_agree_with_their_sessions() {
    let setting = Setting::new(&[]);
    let mdm = "com.cisco.ise.mdm";
    let rows = async |operation, body| setting.ask(mdm, operation, body).await.rows("endpoints");
    let all = rows("getEndpoints", json!({})).await;
    let sessions = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    let registered = sessions
        .iter()
        .filter(|session| session["mdmRegistered"] == true);
    assert_eq!(registered.count(), all.len());
    let bad = rows("getEndpointsByType", json!({ "type": "NON_COMPLIANT" })).await;
    let example = json!({ "filter": { "compliant": false } });
    assert_eq!(rows("getEndpoints", example).await, bad);
    assert!(bad.len() < all.len());
    let mut by_system = 0;
    for os in ["ANDROID", "IOS", "WINDOWS"] {
        by_system += rows("getEndpointsByOsType", json!({ "osType": os }))
            .await
            .len();
    }
    assert_eq!(by_system, all.len());
    let mac = json!({ "macAddress": all[0]["macAddress"] });
    assert_eq!(
        setting
            .ask(mdm, "getEndpointByMacAddress", mac)
            .await
            .json(),
        all[0]
    );
    let other = json!({ "macAddress": "C8:5B:76:C6:59:62" });
    assert_eq!(
        setting
            .ask(mdm, "getEndpointByMacAddress", other)
            .await
            .status,
        204
    );
    let wrong = json!({ "osType": "OS/2" });
    assert_eq!(
        setting.ask(mdm, "getEndpointsByOsType", wrong).await.status,
        400
    );
}

#[tokio::test]
async fn endpoints_are_paged_in_either_order_and_posture_follows_the_sessions() {
    let setting = Setting::new(&[]);
    let service = "com.cisco.ise.endpoint";
    let page = async |body| {
        setting
            .ask(service, "getEndpoints", body)
            .await
            .rows("endpoints")
    };
    let all = page(json!({ "startIndex": 0, "count": 1000 })).await;
    assert!(all.len() > 45, "{}", all.len());
    assert_eq!(
        page(json!({ "startIndex": 10, "count": 5 })).await,
        all[10..15]
    );
    assert!(
        page(json!({ "startIndex": 1000, "count": 5 }))
            .await
            .is_empty()
    );
    let backwards = page(json!({ "order": "DESC", "startIndex": 0, "count": 1 })).await;
    assert_eq!(backwards[0], all[all.len() - 1]);
    let posture = "com.cisco.ise.posture";
    let macs = setting
        .ask(posture, "getPosturedMacs", json!({}))
        .await
        .rows("macAddresses");
    let sessions = setting
        .session("getSessions", json!({}))
        .await
        .rows("sessions");
    let postured = sessions
        .iter()
        .filter(|one| one["state"] == "POSTURED" && one.get("macAddress").is_some());
    assert_eq!(postured.count(), macs.len());
    if let Some(mac) = macs.first() {
        let body = json!({ "macAddresses": [mac, "00:00:5E:00:53:FF"], "category": "hardware" });
        let data = setting
            .ask(posture, "getPostureDataByMacList", body)
            .await
            .rows("postureData");
        assert_eq!(data.len(), 1);
    }
    let none = json!({ "macAddresses": [], "category": "app" });
    assert_eq!(
        setting
            .ask(posture, "getPostureDataByMacList", none)
            .await
            .status,
        204
    );
}
