//! Every fault.

use super::*;
use futures_util::StreamExt;

/// The error of a request that cannot succeed, with its causes, whether it comes with the head or
/// in the body.
async fn failure(lab: &Setting, path: &str) -> String {
    let result = match lab.request("GET", path).send().await {
        Ok(response) => response.bytes().await.map(|_| ()),
        Err(error) => Err(error),
    };
    let error = result.unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn answers_are_replaced() {
    for (fault, status, part) in [
        ("unauthorized", 401, ""),
        ("unauthorized-html", 401, "<html"),
        ("forbidden", 403, "<html"),
        ("not-found-path", 404, "<html"),
        ("bad-request", 400, "<html"),
        ("wrong-node", 500, "This host is not a MnT node"),
        ("server-error", 500, "<cpm-code>34101</cpm-code>"),
        ("overload-502", 502, "<html"),
        ("overload-503", 503, ""),
        ("gateway-timeout-504", 504, ""),
        ("login-page", 200, "<html"),
        ("redirect", 302, ""),
        ("empty-body", 200, ""),
    ] {
        let lab = Setting::new(&[fault]);
        let reply = lab.get("Session/ActiveCount").await;
        assert_eq!(reply.status, status, "{fault}");
        assert!(reply.text.contains(part), "{fault}: {}", reply.text);
        assert!(!reply.text.contains("<count>"), "{fault}");
        assert_eq!(
            reply.content_type.starts_with("text/html"),
            reply.text.contains("<html")
        );
        assert_eq!(lab.lab.requests()[0].status, Some(status));
    }
}

#[tokio::test]
async fn documents_are_spoilt() {
    for (fault, path, part) in [
        ("doctype", "Version", "?><!DOCTYPE lab [<!ENTITY e0"),
        ("entity", "Session/ActiveList", "&undeclared;</user_name>"),
        ("invalid-utf8", "Session/ActiveList", "\u{FFFD}"),
        (
            "count-mismatch",
            "Session/ActiveList",
            "noOfActiveSession=\"53\"",
        ),
        (
            "count-mismatch",
            "Session/AuthList/null/null",
            "noOfActiveSession=\"53\"",
        ),
        (
            "old-root",
            "Session/ActiveList",
            "</activeSession></activeSessionList>",
        ),
        (
            "verdict-strings",
            "Session/UserName/jsmith",
            "<passed xsi:type=\"xs:string\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">1<",
        ),
        ("hostile-names", "Session/ActiveList", "\u{9b}31m"),
        ("hostile-names", "Session/ActiveList", "\u{202e}"),
        (
            "hostile-names",
            "Session/ActiveList",
            "<user_name>=HYPERLINK",
        ),
        (
            "coa-false",
            "CoA/Reauth/psn-a/C8:5B:76:C6:59:62/1",
            "<results>false</results>",
        ),
    ] {
        let lab = Setting::new(&[fault]);
        let reply = lab.get(path).await;
        assert_eq!(reply.status, 200, "{fault}");
        assert!(reply.text.contains(part), "{fault}: {}", reply.text);
        let right = Setting::new(&[]).get(path).await;
        assert!(!right.text.contains(part), "{fault} without the fault");
    }
}

#[tokio::test]
async fn a_refused_change_does_nothing() {
    for fault in ["coa-false", "coa-empty"] {
        let lab = Setting::new(&[fault]);
        let reply = lab.get("CoA/Disconnect/psn-a/C8:5B:76:C6:59:62/0").await;
        assert_ne!(reply.field("results"), Some("true"));
        assert_eq!(reply.text.is_empty(), fault == "coa-empty");
        assert_eq!(
            lab.get("Session/ActiveCount").await.field("count"),
            Some("50")
        );
    }
}

#[tokio::test]
async fn look_ups_fail_as_some_releases_do() {
    let lab = Setting::new(&["user-backslash", "endpoint-ip-unreliable"]);
    assert_eq!(lab.get("Session/UserName/LAB%5Cpat.kim").await.status, 400);
    assert_eq!(
        lab.get("Session/UserName/host%2FWS-0417.lab.example")
            .await
            .status,
        404
    );
    assert_eq!(lab.get("Session/UserName/jsmith").await.status, 200);
    lab.get("Session/EndPointIPAddress/10.50.10.100")
        .await
        .assert_not_found();
}

#[tokio::test]
async fn a_truncated_answer_ends_properly_inside_a_tag() {
    let lab = Setting::with(LabOptions {
        sessions: 1_000,
        ..options(&["truncated"])
    });
    for path in ["Session/ActiveList", "Version"] {
        let text = lab.get(path).await.text;
        let last = text.rfind('<').unwrap();
        assert!(
            text[last..].starts_with("</") && !text[last..].contains('>'),
            "{path}"
        );
    }
}

#[tokio::test]
async fn connections_are_reset() {
    let lab = Setting::new(&["reset:ActiveList", "reset-early:Version"]);
    let response = lab
        .request("GET", "Session/ActiveList")
        .send()
        .await
        .unwrap();
    let mut body = response.bytes_stream();
    let begin = body.next().await.unwrap().unwrap();
    assert!(begin.starts_with(b"<?xml"));
    while let Some(Ok(_)) = body.next().await {}
    assert!(
        failure(&lab, "Session/ActiveList")
            .await
            .to_lowercase()
            .contains("reset")
    );
    assert!(
        failure(&lab, "Version")
            .await
            .to_lowercase()
            .contains("reset")
    );
    assert_eq!(lab.lab.requests().last().unwrap().status, None);
    assert_eq!(lab.get("Session/ActiveCount").await.status, 200);
}

#[tokio::test]
async fn slow_and_stalled_answers_have_a_head() {
    let lab = Setting::new(&["slow:Version", "stalled:ActiveCount"]);
    let response = lab.request("GET", "Version").send().await.unwrap();
    let begun = std::time::Instant::now();
    let mut body = response.bytes_stream();
    for expected in [b"<", b"?", b"x"] {
        assert_eq!(body.next().await.unwrap().unwrap().as_ref(), expected);
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(1_500),
        "{:?}",
        begun.elapsed()
    );
    let response = lab
        .request("GET", "Session/ActiveCount")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.bytes_stream();
    let silence = tokio::time::timeout(Duration::from_millis(200), body.next()).await;
    assert!(silence.is_err());
}

#[tokio::test]
async fn huge_and_deep_documents_are_made_as_they_are_sent() {
    for (fault, letter, expected) in [
        ("huge-field", b'x', 100_000_000),
        ("deep-nesting", b'n', 200_000),
    ] {
        let lab = Setting::new(&[fault]);
        let response = lab
            .request("GET", "Session/ActiveList")
            .send()
            .await
            .unwrap();
        let mut body = response.bytes_stream();
        let mut count = 0;
        while let Some(piece) = body.next().await {
            count += memchr::memchr_iter(letter, &piece.unwrap()).count();
        }
        assert!(
            (expected..expected + 20_000).contains(&count),
            "{fault}: {count}"
        );
    }
}

#[tokio::test]
async fn wrong_certificates_are_refused_until_their_number_is_used_up() {
    for (fault, words) in [
        ("tls-expired", "expired"),
        ("tls-not-yet-valid", "not valid yet"),
        ("tls-wrong-name", "not valid for name"),
        ("tls-self-signed", "UnknownIssuer"),
        ("tls-unknown-issuer", "UnknownIssuer"),
    ] {
        let lab = Setting::new(&[&format!("{fault}@1")]);
        let text = failure(&lab, "Version").await;
        assert!(text.contains(words), "{fault}: {text}");
        assert_eq!(lab.get("Version").await.status, 200, "{fault}");
    }
}

#[tokio::test]
async fn faults_end_after_their_number_and_spare_other_paths() {
    let lab = Setting::new(&["overload-503@2:ActiveCount"]);
    assert_eq!(lab.get("Version").await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(lab.get("Session/ActiveCount").await.status);
    }
    assert_eq!(statuses, [503, 503, 200]);
}
