//! Tests of the orders' requests, of reading their status, and of waiting.

use super::*;

fn status(value: Value) -> Result<Status> {
    read_status(JsonText::from_value(value))
}

fn apply() -> PolicyChange {
    PolicyChange::Apply("Quarantine".to_owned())
}

#[test]
fn requests_are_the_references() {
    let mac: Mac = "c85b76c65962".parse().unwrap();
    let ip: IpAddr = "10.50.10.100".parse().unwrap();
    let nas: IpAddr = "10.50.1.10".parse().unwrap();
    for (order, target, name, body) in [
        (
            apply(),
            Target::Mac(mac),
            "applyEndpointByMacAddress",
            json!({"policyName":"Quarantine","macAddress":"C8:5B:76:C6:59:62"}),
        ),
        (
            apply(),
            Target::Ip(ip),
            "applyEndpointByIpAddress",
            json!({"policyName":"Quarantine","ipAddress":"10.50.10.100"}),
        ),
        (
            apply(),
            Target::MacAtNas(mac, nas),
            "applyEndpointPolicy",
            json!({"policyName":"Quarantine","macAddress":"C8:5B:76:C6:59:62","nasIpAddress":"10.50.1.10"}),
        ),
        (
            PolicyChange::Clear,
            Target::Mac(mac),
            "clearEndpointByMacAddress",
            json!({"macAddress":"C8:5B:76:C6:59:62"}),
        ),
        (
            PolicyChange::Clear,
            Target::Ip(ip),
            "clearEndpointByIpAddress",
            json!({"ipAddress":"10.50.10.100"}),
        ),
        (
            PolicyChange::Clear,
            Target::MacAtNas(mac, nas),
            "clearEndpointPolicy",
            json!({"macAddress":"C8:5B:76:C6:59:62","nasIpAddress":"10.50.1.10"}),
        ),
    ] {
        let (found, sent) = operation(&order, &target);
        assert_eq!((found, &sent), (name, &body));
        let known = crate::pxgrid::catalogue::operation(SERVICE, name).unwrap();
        for field in known.fields.iter().filter(|field| field.required) {
            assert!(sent.get(field.name).is_some(), "{name}: {}", field.name);
        }
    }
}

#[test]
fn a_failure_under_http_200_is_a_failure() {
    let failed = status(
        json!({"operationId":"ise:1","status":"FAILURE","failureReason":"Policy is not configured"}),
    )
    .unwrap();
    let error = outcome(&apply(), &failed).unwrap_err();
    assert_eq!(error.kind(), Kind::Server);
    assert!(error.message().contains("Policy is not configured"));
    assert!(outcome(&apply(), &status(json!({"status":"SUCCESS"})).unwrap()).is_ok());
}

#[test]
fn a_policy_that_is_there_already_is_done_but_not_for_clear() {
    let there = status(
        json!({"status":"FAILURE","failureReason":"mac address is already associated with this policy"}),
    )
    .unwrap();
    assert!(outcome(&apply(), &there).is_ok());
    assert_eq!(
        outcome(&PolicyChange::Clear, &there).unwrap_err().kind(),
        Kind::Server
    );
    let other = status(
        json!({"status":"FAILURE","failureReason":"mac address is not associated with a policy"}),
    )
    .unwrap();
    assert!(outcome(&apply(), &other).is_err());
    assert!(outcome(&PolicyChange::Clear, &other).is_err());
}

#[test]
fn running_is_pending_with_the_id() {
    let running = status(json!({"operationId":"ise:7","status":"RUNNING"})).unwrap();
    let error = outcome(&apply(), &running).unwrap_err();
    assert_eq!(error.kind(), Kind::Pending);
    assert!(error.hint_text().unwrap().contains("anc status ise:7"));
}

#[test]
fn what_is_no_status_is_malformed() {
    for value in [json!({}), json!({"status":"DONE"}), json!([])] {
        assert_eq!(status(value).unwrap_err().kind(), Kind::Malformed);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn waiting_ends_with_the_operation() {
    let running = || status(json!({"operationId":"ise:7","status":"RUNNING"})).unwrap();
    let mut looks = 0;
    let last = run(settle(
        running(),
        Duration::from_mins(1),
        Duration::from_millis(1),
        async |id| {
            assert_eq!(id, "ise:7");
            looks += 1;
            if looks < 3 {
                // An answer without the id must not lose it.
                status(json!({"status":"RUNNING"}))
            } else {
                status(json!({"status":"SUCCESS"}))
            }
        },
    ))
    .unwrap();
    assert_eq!((last.state, looks), (OperationState::Success, 3));
}

#[test]
fn waiting_ends_with_the_patience_and_with_an_error() {
    let running = || status(json!({"operationId":"ise:7","status":"RUNNING"})).unwrap();
    let mut looks = 0;
    let last = run(settle(
        running(),
        Duration::from_millis(20),
        Duration::from_millis(1),
        async |_| {
            looks += 1;
            Ok(running())
        },
    ))
    .unwrap();
    assert_eq!(last.state, OperationState::Running);
    assert!((1..10).contains(&looks), "{looks}");

    let error = run(settle(
        running(),
        Duration::from_mins(1),
        Duration::from_millis(1),
        async |_| Err(Error::new(Kind::NotFound, "gone")),
    ));
    assert_eq!(error.unwrap_err().kind(), Kind::NotFound);
}
