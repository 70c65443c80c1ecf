//! Tests of the control API's requests and answers.

use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::authority::Authority;
use crate::transport::{Effect, Method};

fn account(password: Option<&str>) -> Account {
    Account {
        name: "our-client".parse().unwrap(),
        password: password.map(SecretString::from),
    }
}

#[test]
fn node_names_follow_the_rules() {
    for name in ["a", "Client_1.example-x", &"n".repeat(100)] {
        assert_eq!(name.parse::<NodeName>().unwrap().as_str(), name);
    }
    for name in ["", "a b", "~ise-admin", "ä", "a:b", &"n".repeat(101)] {
        assert_eq!(name.parse::<NodeName>().unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn requests_are_the_references() {
    let request = Call::service_lookup("com.cisco.ise.session")
        .request(&Authority::new("ise", 8910), &account(None));
    assert_eq!(request.url, "https://ise:8910/pxgrid/control/ServiceLookup");
    assert_eq!(request.method, Method::Post);
    assert_eq!(
        request.json.as_deref(),
        Some(br#"{"name":"com.cisco.ise.session"}"#.as_slice())
    );
    let basic = request.basic.unwrap();
    assert_eq!(basic.user, "our-client");
    assert_eq!(basic.password.expose_secret(), "");

    let name = account(None).name;
    let create =
        Call::account_create(&name).request(&Authority::new("ise", 8910), &account(Some("pw")));
    assert!(create.basic.is_none());
    assert_eq!(create.effect, Effect::Change);

    let activate =
        Call::account_activate(None).request(&Authority::new("ise", 8910), &account(Some("pw")));
    assert_eq!(activate.json.as_deref(), Some(b"{}".as_slice()));
    assert_eq!(activate.basic.unwrap().password.expose_secret(), "pw");
    assert_eq!(activate.effect, Effect::Read);

    assert_eq!(
        Call::service_register("com.example", &[("restBaseUrl".into(), "https://x".into())]).body,
        json!({"name":"com.example","properties":{"restBaseUrl":"https://x"}})
    );
}

#[test]
fn account_states_are_told_apart() {
    let read = |state: &str| {
        read_activation(
            &json!({"accountState": state, "version": "2.0.2.1", "new": 1}),
            "h",
        )
    };
    let name = account(None).name;
    assert!(require_enabled(&read("ENABLED").unwrap(), &name).is_ok());
    for (state, kind) in [
        ("PENDING", Kind::Pending),
        ("INIT", Kind::Pending),
        ("DISABLED", Kind::Refused),
    ] {
        let error = require_enabled(&read(state).unwrap(), &name).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains("our-client"));
        assert!(error.hint_text().unwrap().contains("pxGrid Services"));
    }
    assert_eq!(read("LOST").unwrap_err().kind(), Kind::Malformed);
    assert_eq!(
        read_activation(&json!({}), "h").unwrap_err().kind(),
        Kind::Malformed
    );
}

#[test]
fn lookups_are_read_tolerantly() {
    let nodes = read_lookup(
        &json!({"services":[{"name":"s","nodeName":"~ise-admin-1","properties":{"restBaseUrl":"https://a/b","port":8910},"new":{}},
                            {"name":"s","nodeName":"ise-2"}],"more":true}),
        "h",
    )
    .unwrap();
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[0].property("restBaseUrl"), Some("https://a/b"));
    assert_eq!(nodes[0].property("port"), Some("8910"));
    assert_eq!(nodes[1].property("restBaseUrl"), None);
    assert!(
        read_lookup(&json!({"services":[]}), "h")
            .unwrap()
            .is_empty()
    );
    assert!(read_lookup(&json!({}), "h").unwrap().is_empty());
    for answer in [
        json!({"services":{}}),
        json!({"services":[1]}),
        json!({"services":[{"name":"s"}]}),
    ] {
        assert_eq!(
            read_lookup(&answer, "h").unwrap_err().kind(),
            Kind::Malformed
        );
    }
}

#[test]
fn refusals_say_what_to_do() {
    let name = account(None).name;
    let kinds = |call: &Call, status| {
        let error = call.refusal(&name, "ise:8910", status, b"");
        assert_eq!(error.http_status(), Some(status));
        assert!(error.message().contains("ise:8910"));
        error.kind()
    };
    let create = Call::account_create(&name);
    assert_eq!(kinds(&create, 403), Kind::Refused);
    assert_eq!(kinds(&create, 503), Kind::Refused);
    assert_eq!(kinds(&create, 409), Kind::Server);
    let lookup = Call::service_lookup("s");
    assert_eq!(kinds(&lookup, 401), Kind::Refused);
    assert_eq!(kinds(&lookup, 403), Kind::Refused);
    assert_eq!(kinds(&lookup, 404), Kind::Server);
    assert_eq!(kinds(&lookup, 503), Kind::Overloaded);
    assert_eq!(kinds(&lookup, 500), Kind::Server);
}

#[test]
fn no_secret_shows_in_debug() {
    let account = account(Some("hunter2"));
    let new = read_new_account(
        &json!({"nodeName":"our-client","password":"hunter2","userName":"x"}),
        "h",
    )
    .unwrap();
    assert_eq!(new.password.expose_secret(), "hunter2");
    let request = Call::account_activate(None).request(&Authority::new("h", 8910), &account);
    for text in [
        format!("{account:?}"),
        format!("{new:?}"),
        format!("{request:?}"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn registrations_and_descriptions_are_checked() {
    let registration =
        read_registration(&json!({"id":"u","reregisterTimeMillis":300_000}), "h").unwrap();
    assert_eq!(registration.reregister_after.as_secs(), 300);
    assert!(read_registration(&json!({"id":"u","reregisterTimeMillis":0}), "h").is_err());
    assert!(check_description("netapi on host-1, floor_2.").is_ok());
    assert!(check_description(&"x".repeat(51)).is_err());
    assert!(check_description("a;b").is_err());
}
