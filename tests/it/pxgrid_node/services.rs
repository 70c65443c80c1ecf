//! What a node answers when nothing is wrong: the control API and one page of every service, as the
//! reference (pxgrid-api, sections 1 and 3) has them.

use serde_json::{Value, json};

use super::{Answer, Arrived, CLIENT};

/// What a node answers when nothing is wrong.
pub(super) fn usual(arrived: &Arrived, ports: &[u16]) -> Answer {
    match arrived.operation.as_str() {
        "AccountActivate" => {
            Answer::json(&json!({"accountState": "ENABLED", "version": "2.0.2.1"}))
        }
        "AccountCreate" => Answer::json(&json!({
            "nodeName": arrived.body["nodeName"], "password": "made-by-ise", "userName": arrived.body["nodeName"]
        })),
        "ServiceLookup" => Answer::json(&lookup(arrived.body["name"].as_str().unwrap(), ports)),
        "AccessSecret" => {
            let peer = arrived.body["peerNodeName"].as_str().unwrap();
            Answer::json(&json!({ "secret": secret(peer) }))
        }
        // Only our own name with the secret of the node that was asked opens a service.
        _ if arrived.basic != format!("{CLIENT}:{}", secret(&format!("~ise-{}", arrived.node))) => {
            Answer::Text(401, String::new())
        }
        operation => service(operation, &arrived.body),
    }
}

fn secret(peer: &str) -> String {
    format!("secret-of-{peer}")
}

fn lookup(service: &str, ports: &[u16]) -> Value {
    if matches!(service, "com.cisco.ise.echo" | "com.example.nobody") {
        return json!({ "services": [] });
    }
    let services: Vec<Value> = ports
        .iter()
        .enumerate()
        .map(|(node, port)| {
            let name = service
                .trim_start_matches("com.cisco.ise.")
                .replace('.', "/");
            json!({
                "name": service,
                "nodeName": format!("~ise-{node}"),
                "properties": {
                    "restBaseUrl": format!("https://localhost:{port}/pxgrid/ise/{name}"),
                    "wsPubsubService": "com.cisco.ise.pubsub",
                    "sessionTopic": "/topic/com.cisco.ise.session"
                }
            })
        })
        .collect();
    json!({ "services": services })
}

/// The sessions that a node has.
pub(crate) fn session(number: u64) -> Value {
    json!({
        "timestamp": "2026-03-09T07:40:01.554Z",
        "state": if number.is_multiple_of(5) { "POSTURED" } else { "STARTED" },
        "macAddress": format!("C8:5B:76:00:00:{number:02X}"),
        "callingStationId": format!("C8:5B:76:00:00:{number:02X}"),
        "ipAddresses": [format!("10.50.10.{number}")],
        "userName": format!("LAB\\user{number}"),
        "nasIpAddress": format!("10.50.1.{}", number % 2),
        "ctsSecurityGroup": "Employees",
        "endpointProfile": "Windows10-Workstation",
        "newInALaterRelease": 1.10
    })
}

fn service(operation: &str, body: &Value) -> Answer {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let value = match operation {
        "getSessions" => json!({"sessions": (0..50).map(session).collect::<Vec<_>>()}),
        "getSessionByMacAddress" | "getSessionByIpAddress" => {
            let found = (0..50).map(session).find(|one| {
                one["macAddress"] == body["macAddress"]
                    || one["ipAddresses"][0] == body["ipAddress"]
            });
            match found {
                Some(found) => found,
                None => return Answer::Text(204, String::new()),
            }
        }
        "getUserGroups" => {
            json!({"userGroups": [{"userName": "pat", "groups": [{"name": "Staff", "type": "ACTIVE_DIRECTORY"}, {"name": "VPN", "type": "IDENTITY"}]}]})
        }
        "getUserGroupByUserName" if text("userName") == "pat" => {
            json!({"groups": [{"name": "Staff", "type": "ACTIVE_DIRECTORY"}]})
        }
        "getPolicies" => json!({"policies": [{"name": "quarantine", "actions": ["QUARANTINE"]}]}),
        "getPolicyByName" if text("name") == "quarantine" => {
            json!({"name": "quarantine", "actions": ["QUARANTINE"]})
        }
        "createPolicy" => body.clone(),
        "deletePolicyByName" if text("name") == "quarantine" => {
            return Answer::Text(200, String::new());
        }
        "getEndpoints" if body.get("startIndex").is_some() => page(body),
        "getEndpoints" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:01", "policyName": "quarantine", "osVersion": "17.1", "registered": true}]})
        }
        "getEndpointPolicies" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:01", "nasIpAddress": "10.50.1.1", "policyName": "quarantine"}]})
        }
        "getEndpointByMacAddress" | "getEndpointByNasIpAddress"
            if text("macAddress") == "C8:5B:76:00:00:01" =>
        {
            json!({"macAddress": "C8:5B:76:00:00:01", "policyName": "quarantine", "registered": true})
        }
        "getEndpointsByType" | "getEndpointsByOsType" => {
            json!({"endpoints": [{"macAddress": "C8:5B:76:00:00:02", "model": "phone"}]})
        }
        _ if operation.starts_with("applyEndpoint") || operation.starts_with("clearEndpoint") => {
            order(operation, body)
        }
        "getOperationStatus" => match text("operationId").as_str() {
            "ise:7" => {
                json!({"operationId": "ise:7", "status": "SUCCESS", "macAddress": "C8:5B:76:00:00:07"})
            }
            "ise:8" => {
                json!({"operationId": "ise:8", "status": "FAILURE", "failureReason": "Session lookup failure"})
            }
            "ise:99" => json!({"operationId": "ise:99", "status": "RUNNING"}),
            _ => return Answer::Text(204, String::new()),
        },
        "getSecurityGroups" => {
            json!({"totalCount": 1, "securityGroups": [{"id": "1", "name": "Employees", "tag": 4, "description": "d"}]})
        }
        "getSecurityGroupAcls" => {
            json!({"totalCount": 1, "securityGroupAcls": [{"id": "2", "name": "Deny", "ipVersion": "IPV4", "generationId": "0"}]})
        }
        "getVirtualNetwork" => {
            json!({"totalCount": 1, "virtualNetworks": [{"id": "3", "name": "Campus"}]})
        }
        "getEgressPolicies" => {
            json!({"totalCount": 1, "egressPolicies": [{"id": "4", "name": "cell", "status": "ENABLED", "matrixId": body["matrixId"], "sgaclIds": ["2"]}]})
        }
        "getEgressMatrices" => {
            json!({"egressMatrices": [{"id": "5", "name": "Production", "monitorAll": false}]})
        }
        "getBindings" => {
            json!({"bindings": [{"ipPrefix": "10.0.0.1/32", "tag": 4, "source": "10.0.0.9", "peerSequence": "10.0.0.9", "vpn": "default"}]})
        }
        "getFailures" => json!({"failures": [failure()]}),
        "getFailureById" if text("id") == "77" => failure(),
        "getHealths" => {
            json!({"healths": [{"timestamp": "2026-03-09T07:40:01Z", "serverName": "ise-psn-1", "cpuUsage": 12.50, "memoryUsage": 40.0}]})
        }
        "getPerformances" => {
            json!({"performances": [{"timestamp": "2026-03-09T07:40:01Z", "serverName": "ise-psn-1", "radiusRate": 3.1, "radiusCount": 9, "radiusLatency": 8}]})
        }
        "getProfiles" => {
            json!({"profiles": [{"id": "6", "name": "Apple-Device", "fullName": "Apple-Device:x"}]})
        }
        "getPosturedMacs" => json!({"macAddresses": ["C8:5B:76:00:00:05"]}),
        "getPostureDataByMacList" => {
            json!({"category": body["category"], "macAddresses": body["macAddresses"]})
        }
        _ => return Answer::Text(204, String::new()),
    };
    Answer::json(&value)
}

fn failure() -> Value {
    json!({"id": "77", "timestamp": "2026-03-09T07:40:01Z", "callingStationId": "C8:5B:76:00:00:09", "userName": "pat", "failureReason": "5440 Endpoint abandoned EAP session", "nasIpAddress": "10.50.1.1", "serverName": "ise-psn-1"})
}

/// 2,500 endpoints, by pages.
fn page(body: &Value) -> Value {
    let start = body["startIndex"].as_u64().unwrap();
    let count = body["count"].as_u64().unwrap();
    let rows: Vec<Value> = (start..(start + count).min(2500))
        .map(|number| json!({"id": number.to_string(), "mac": format!("00:00:00:00:{:02X}:{:02X}", number / 256, number % 256)}))
        .collect();
    json!({ "endpoints": rows })
}

/// ANC as the reference has it (section 3.3): the last byte of the address says what becomes of the
/// order.
fn order(operation: &str, body: &Value) -> Value {
    let mac = body["macAddress"].as_str().unwrap_or_default();
    let reason = |reason: &str| json!({"operationId": "ise:1", "status": "FAILURE", "macAddress": mac, "failureReason": reason});
    if operation.starts_with("applyEndpoint") && body["policyName"] != "quarantine" {
        return reason("Policy is not configured");
    }
    match mac.rsplit(':').next().unwrap_or_default() {
        "01" if operation.starts_with("apply") => {
            reason("mac address is already associated with this policy")
        }
        "00" if operation.starts_with("clear") => {
            reason("mac address is not associated with a policy")
        }
        "07" => json!({"operationId": "ise:7", "status": "RUNNING", "macAddress": mac}),
        "99" => json!({"operationId": "ise:99", "status": "RUNNING", "macAddress": mac}),
        _ if body["ipAddress"] == "10.9.9.9" => reason("Session lookup failure"),
        _ => {
            json!({"operationId": "ise:2", "status": "SUCCESS", "macAddress": mac, "policyName": body["policyName"]})
        }
    }
}
