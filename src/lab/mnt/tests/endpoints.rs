//! Every endpoint of the reference's section 1 but the dashboard.

use super::*;
use crate::lab::shared_changes::BOUNCE;

const MAC: &str = "C8:5B:76:C6:59:62";

/// Names of the elements directly below the root, in order; quick-xml fails if the document is not
/// well formed.
fn children(text: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut depth, mut names) = (0, Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                if depth == 1 {
                    names.push(String::from_utf8_lossy(tag.name().as_ref().as_ref()).into_owned());
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    names
}

#[tokio::test]
async fn counts_version_and_catalogue() {
    let lab = Setting::new(&[]);
    for (path, count) in [
        ("ActiveCount", "50"),
        ("PostureCount", "2"),
        ("ProfilerCount", "45"),
    ] {
        let reply = lab.get(&format!("Session/{path}")).await;
        assert_eq!(
            (reply.status, reply.field("count")),
            (200, Some(count)),
            "{path}"
        );
        assert!(reply.content_type.starts_with("application/xml"));
        assert!(
            reply
                .text
                .starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>")
        );
    }
    let version = lab.get("Version").await;
    assert!(version.text.contains("<product name=\"Cisco Identity Services Engine\"><version>3.3.0.430</version><type_of_node>1</type_of_node></product>"));
    let reasons = lab.get("FailureReasons").await;
    assert!(children(&reasons.text).len() >= 40);
    assert!(
        reasons
            .text
            .contains("<failureReason id=\"22040\"><code>22040 Wrong password")
    );
}

#[tokio::test]
async fn the_lists_stream_and_windows_select() {
    let lab = Setting::with(LabOptions {
        sessions: 3_000,
        ..LabOptions::default()
    });
    let list = lab.get("Session/ActiveList").await;
    assert_eq!(children(&list.text).len(), 3_000);
    assert!(list.text.len() > 1_000_000);
    for (window, rows) in [
        ("null/null", Some(3_000)),
        ("2001-01-01%2000:00:00/null", Some(3_000)),
        ("null/2001-01-01%2000:00:00.5", Some(0)),
    ] {
        let reply = lab.get(&format!("Session/AuthList/{window}")).await;
        let announced = reply
            .text
            .split('"')
            .nth(7)
            .map(|count| count.parse().unwrap());
        assert_eq!(
            (announced, children(&reply.text).len()),
            (rows, rows.unwrap()),
            "{window}"
        );
    }
    assert_eq!(lab.get("Session/AuthList/yesterday/null").await.status, 400);
    assert_eq!(lab.get("Session/AuthList/null").await.status, 404);
}

#[tokio::test]
async fn the_detail_is_the_same_by_every_key_and_agrees_with_the_list() {
    let lab = Setting::new(&[]);
    let detail = lab.get(&format!("Session/MACAddress/{MAC}")).await;
    for path in [
        "Session/MACAddress/C8%3A5B%3A76%3AC6%3A59%3A62",
        "Session/UserName/host%2Fworkstation.example.com",
        "Session/EndPointIPAddress/10.50.10.100",
    ] {
        let other = lab.get(path).await;
        assert_eq!((other.status, &other.text), (200, &detail.text), "{path}");
    }
    assert_eq!(detail.field("nas_port_id"), Some("GigabitEthernet1/0/5"));
    assert_eq!(
        detail.field("selected_azn_profiles"),
        Some("Linux-EAP-TLS-Access")
    );
    assert!(detail.text.contains(":!:ISEPolicySetName=Wired dot1x:!:"));
    assert!(
        detail
            .text
            .contains("AuthorizationPolicyMatchedRule=EAP-TLS Full Access")
    );
    let id = detail.field("audit_session_id").unwrap();
    let list = lab.get("Session/ActiveList").await;
    assert!(list.text.contains(id));
    let by_id = lab.get(&format!("Session/Active/SessionID/{id}/0")).await;
    for (here, there) in [
        ("auth_acs_timestamp", "auth_timestamp"),
        ("acct_session_id", "acct_session_id"),
        ("user_name", "username"),
        ("acs_server", "server"),
        ("acct_input_octets", "bytes_in"),
        ("cts_security_group", "cts_security_group"),
    ] {
        assert!(detail.field(here).is_some());
        assert_eq!(detail.field(here), by_id.field(there), "{here}");
    }
    for path in ["AcctStatus", "AcctStatusTT"] {
        let reply = lab.get(&format!("{path}/MACAddress/{MAC}/86400")).await;
        assert_eq!(reply.field("bytes_in"), detail.field("acct_input_octets"));
        assert_eq!(
            reply.field("session_time"),
            detail.field("acct_session_time")
        );
    }
    let nas = lab.get("Session/IPAddress/10.50.1.10").await;
    assert_eq!(nas.field("nas_ip_address"), Some("10.50.1.10"));
    lab.get("Session/IPAddress/10.50.10.100")
        .await
        .assert_not_found();
}

#[tokio::test]
async fn a_detail_has_the_forty_three_elements_in_order() {
    let lab = Setting::new(&[]);
    let printer = lab.get("Session/MACAddress/00:00:5E:00:53:03").await;
    let mut names = children(&printer.text);
    // The captured document is of a Start, which has no session time; the lab always tells it.
    names.retain(|name| !["framed_ipv6_address", "acct_session_time"].contains(&name.as_str()));
    assert_eq!(
        names.join(" "),
        "passed failed user_name nas_ip_address calling_station_id orig_calling_station_id cpmsession_id \
         destination_ip_address device_ip_address network_device_name acs_server authentication_method \
         authentication_protocol framed_ip_address auth_acs_timestamp execution_steps response audit_session_id \
         nas_port_id posture_status selected_azn_profiles service_type message_code auth_acsview_timestamp auth_id \
         identity_store location device_type response_time other_attr_string acct_id acct_acs_timestamp \
         acct_acsview_timestamp acct_session_id acct_status_type acct_input_octets \
         acct_output_octets acct_input_packets acct_output_packets acct_authentic started stopped endpoint_policy"
    );
    assert_eq!(names.len(), 43);
    assert_eq!(printer.field("user_name"), Some("00-00-5E-00-53-03"));
    assert_eq!(
        printer.field("orig_calling_station_id"),
        Some("00-00-5e-00-53-03")
    );
    let escaped = lab.get("Session/UserName/R%26D%5Clee").await;
    assert_eq!(escaped.field("user_name"), Some("R&amp;D\\lee"));
    let partial = lab.get("Session/MACAddress/00:00:5E:00:53:08").await;
    assert_eq!((partial.status, partial.field("user_name")), (200, None));
    children(&partial.text);
    let umlauts = lab
        .get("Session/UserName/j%C3%BCrgen.m%C3%BCller@lab.example")
        .await;
    assert_eq!(
        umlauts.field("calling_station_id"),
        Some("00:00:5E:00:53:05")
    );
}

#[tokio::test]
async fn what_is_not_there_is_34110_and_wrong_paths_are_404() {
    let lab = Setting::new(&[]);
    for path in [
        "Session/MACAddress/00:00:5E:00:53:99",
        "Session/MACAddress/c8:5b:76:c6:59:62",
        "Session/MACAddress/C8-5B-76-C6-59-62",
        "Session/MACAddress/00:00:5E:00:53:F0",
        "Session/UserName/nobody",
        "Session/IPAddress/192.0.2.1",
        "Session/IPAddress/2001:db8::1",
        "Session/EndPointIPAddress/192.0.2.1",
        "Session/Active/SessionID/0A32010A000000A100000000/0",
        "AuthStatus/MACAddress/c8:5b:76:c6:59:62/3600/0/All",
    ] {
        lab.get(path).await.assert_not_found();
    }
    for path in [
        "AccountStatus/MACAddress/C8:5B:76:C6:59:62/60",
        "session/ActiveCount",
        "Session/activecount",
        "",
        "Nothing",
    ] {
        assert_eq!(lab.get(path).await.status, 404, "{path}");
    }
    for path in [
        "AuthStatus/MACAddress/C8:5B:76:C6:59:62/86400/all/all",
        "AuthStatus/MACAddress/C8:5B:76:C6:59:62/x/0/All",
        "AuthStatus/MACAddress/C8:5B:76:C6:59:62/432001/0/All",
        "AcctStatus/MACAddress/C8:5B:76:C6:59:62/x",
        "CoA/Reauth/psn-a/C8:5B:76:C6:59:62/x",
        "Session/UserName/%FF",
    ] {
        assert_eq!(lab.get(path).await.status, 400, "{path}");
    }
    assert_eq!(lab.get("Session/Delete/All").await.status, 405);
    assert_eq!(
        lab.send("PUT", "CoA/Reauth/psn-a/C8:5B:76:C6:59:62/1")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn histories_are_newest_first_and_limited() {
    let lab = Setting::new(&[]);
    let path = "AuthStatus/MACAddress/00:00:5E:00:53:02";
    let reply = lab.get(&format!("{path}/3600/0/All")).await;
    let elements: Vec<&str> = reply.text.split("<authStatusElements>").skip(1).collect();
    let passed: Vec<_> = elements
        .iter()
        .map(|element| field(element, "passed").unwrap())
        .collect();
    assert_eq!(passed, ["true", "false", "false", "false"]);
    assert!(elements[1].contains("<failure_reason>22040 Wrong password"));
    assert!(
        elements
            .iter()
            .map(|element| field(element, "acs_timestamp"))
            .is_sorted_by(|a, b| a > b)
    );
    assert!(
        reply
            .text
            .contains("<authStatusList key=\"00:00:5E:00:53:02\">")
    );
    let two = lab.get(&format!("{path}/3600/2/All")).await;
    assert_eq!(two.text.matches("<authStatusElements>").count(), 2);
    let filtered = lab.get(&format!("{path}/3600/0/0")).await;
    assert!(filtered.text.contains("<restAuthStatusOutputList>"));
    assert_eq!(filtered.field("other_attr_string"), None);
    let robin = lab
        .get("AuthStatus/MACAddress/00:00:5E:00:53:F0/432000/0/All")
        .await;
    assert_eq!(robin.field("user_name"), Some("robin"));
    let elements = robin.text.split("<authStatusElements>").skip(1);
    assert!(elements.clone().count() > 3);
    for element in elements {
        assert_eq!(field(element, "passed"), Some("false"));
    }
    let stranger = lab
        .get("AuthStatus/MACAddress/00:00:5E:00:53:99/3600/0/All")
        .await;
    assert_eq!(
        (stranger.status, stranger.field("authStatusElements")),
        (200, None)
    );
}

#[tokio::test]
async fn a_change_of_authorization_changes_the_session() {
    let lab = Setting::new(&[]);
    let before = lab.get(&format!("Session/MACAddress/{MAC}")).await;
    for path in [
        format!("CoA/Reauth/psn-b/{MAC}/1"),
        "CoA/Reauth/psn-a/00:00:5E:00:53:99/1".to_owned(),
        format!("CoA/Reauth/psn-a/{}/1", MAC.to_lowercase()),
    ] {
        assert_eq!(
            lab.get(&path).await.field("results"),
            Some("false"),
            "{path}"
        );
    }
    let unchanged = lab.get(&format!("Session/MACAddress/{MAC}")).await;
    assert_eq!(unchanged.text, before.text);

    let reply = lab.get(&format!("CoA/Reauth/psn-a/{MAC}/1")).await;
    assert_eq!(reply.field("results"), Some("true"));
    let after = lab.get(&format!("Session/MACAddress/{MAC}")).await;
    assert!(after.field("auth_acs_timestamp") > before.field("auth_acs_timestamp"));
    assert_eq!(
        after.field("audit_session_id"),
        before.field("audit_session_id")
    );
    let history = lab
        .get(&format!("AuthStatus/MACAddress/{MAC}/60/0/All"))
        .await;
    assert_eq!(
        history.field("acs_timestamp"),
        after.field("auth_acs_timestamp")
    );

    let long = format!("CoA/Disconnect/psn-a.lab.example/{MAC}/1/10.50.1.10/10.50.0.21");
    assert_eq!(lab.get(&long).await.field("results"), Some("true"));
    lab.get(&format!("Session/MACAddress/{MAC}"))
        .await
        .assert_not_found();
    let deadline = std::time::Instant::now() + Duration::from_millis(BOUNCE.unsigned_abs() * 10);
    while lab.get("Session/ActiveCount").await.field("count") != Some("50") {
        assert!(
            std::time::Instant::now() < deadline,
            "the session did not come back"
        );
    }
    let back = lab.get(&format!("Session/MACAddress/{MAC}")).await;
    assert_ne!(
        back.field("audit_session_id"),
        before.field("audit_session_id")
    );

    let end = lab.get(&format!("CoA/Disconnect/psn-a/{MAC}/0")).await;
    assert_eq!(end.field("results"), Some("true"));
    assert!(!lab.get("Session/ActiveList").await.text.contains(MAC));
    assert_eq!(
        lab.get("Session/ActiveCount").await.field("count"),
        Some("49")
    );
}

#[tokio::test]
async fn deleted_records_are_gone() {
    let lab = Setting::new(&[]);
    let id = lab.lab.directory().population.session(1).audit_session_id();
    for path in [format!("MACAddress/{MAC}"), format!("SessionID/{id}")] {
        let path = format!("Session/Delete/{path}");
        assert_eq!(
            lab.send("DELETE", &path).await.field("status"),
            Some("SUCCESSFUL")
        );
        lab.send("DELETE", &path).await.assert_not_found();
    }
    assert_eq!(
        lab.get("Session/ActiveCount").await.field("count"),
        Some("48")
    );
    assert_eq!(lab.send("DELETE", "Session/Delete/All").await.status, 200);
    let empty = lab.get("Session/ActiveList").await;
    assert!(
        empty
            .text
            .ends_with("<activeList noOfActiveSession=\"0\"></activeList>")
    );
}

#[tokio::test]
async fn only_the_administrator_is_let_in_and_everything_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Setting::with(LabOptions {
        dir: Some(directory.path().join("lab")),
        ..LabOptions::default()
    });
    let url = format!(
        "https://localhost:{}/admin/API/mnt/Version?a=b",
        lab.lab.mnt_address().port()
    );
    let none = lab.client.get(&url).send().await.unwrap();
    let wrong = lab
        .client
        .get(&url)
        .basic_auth(USER, Some("guess"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (none.status().as_u16(), wrong.status().as_u16()),
        (401, 401)
    );
    assert!(none.headers().get("www-authenticate").is_none());
    assert_eq!(lab.get("Session/UserName/R%26D%5Clee").await.status, 200);
    let requests = lab.lab.requests();
    let facts: Vec<_> = requests
        .iter()
        .map(|entry| {
            (
                entry.authorization,
                entry.user.as_deref(),
                entry.status,
                entry.connection,
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (false, None, Some(401), 1),
            (true, Some(USER), Some(401), 1),
            (true, Some(USER), Some(200), 1)
        ]
    );
    assert_eq!(requests[0].path, "/admin/API/mnt/Version?a=b");
    assert_eq!(
        requests[2].path,
        "/admin/API/mnt/Session/UserName/R%26D%5Clee"
    );
    let file = std::fs::read_to_string(directory.path().join("lab/requests.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = file
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["user"], USER);
    assert!(!file.contains("guess") && !file.contains(PASSWORD));
}
