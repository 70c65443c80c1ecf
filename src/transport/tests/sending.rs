//! What is sent, how often, and what of it is said: repeats, redirects, `--read-only`, `--dry-run`,
//! the trace.

use std::sync::{Arc, Mutex};

use super::{client, get, read_all};
use crate::error::Kind;
use crate::transport::test_server::{TestCa, start};
use crate::transport::{ClientOptions, Effect, Method, Sending};

#[tokio::test]
async fn one_connection_carries_request_after_request() {
    let authority = TestCa::new();
    let (port, counts) = start(authority.server(), |mut peer, _| async move {
        while let Some(request) = peer.request().await {
            assert!(request.starts_with("GET /admin/API/mnt/Version HTTP/1.1\r\n"));
            assert!(request.contains("authorization: Basic YWRtaW46aHVudGVyMg==\r\n"));
            assert!(request.contains("accept: application/xml\r\n"));
            peer.answer("<product/>").await;
        }
    })
    .await;
    let client = client(authority.options(port));
    for _ in 0..3 {
        let response = client.send(get(port, Effect::Read)).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.content_type.as_deref(), Some("application/xml"));
        assert_eq!(
            response.host,
            crate::authority::Authority::new("ise.test", port)
        );
        let (body, error) = read_all(response.into_reader()).await;
        assert_eq!((body.as_slice(), error), (&b"<product/>"[..], None));
    }
    assert_eq!((counts.connections(), counts.requests()), (1, 3));
}

#[tokio::test]
async fn a_status_is_an_answer_and_a_redirect_is_not_followed() {
    let authority = TestCa::new();
    let (port, counts) = start(authority.server(), |mut peer, number| async move {
        peer.request().await;
        if number == 1 {
            peer.say("HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
                .await;
        } else {
            peer.say("HTTP/1.1 302 Found\r\nLocation: https://ise.test/admin/login.jsp\r\nContent-Length: 0\r\n\r\n")
                .await;
            peer.until_closed().await;
        }
    })
    .await;
    let client = client(authority.options(port));
    let response = client.send(get(port, Effect::Read)).await.unwrap();
    assert_eq!(response.status, 500);
    assert_eq!(response.bytes(10).await.unwrap(), b"no");
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.http_status()),
        (Kind::Redirected, Some(302))
    );
    assert!(error.message().contains("/admin/login.jsp"), "{error}");
    assert_eq!(counts.requests(), 2);
}

/// A server that takes requests and closes without a word.
async fn silent_closer(authority: &TestCa) -> (u16, crate::transport::test_server::Counts) {
    start(authority.server(), |mut peer, _| async move {
        peer.request().await;
    })
    .await
}

#[tokio::test]
async fn a_read_is_repeated_once_and_a_change_never() {
    let authority = TestCa::new();
    for (effect, sent) in [(Effect::Read, 2), (Effect::Change, 1)] {
        let (port, counts) = silent_closer(&authority).await;
        let client = client(authority.options(port));
        let error = client.send(get(port, effect)).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Connect, "{error}");
        assert!(!error.was_nothing_sent());
        assert_eq!(counts.requests(), sent, "{effect:?}");
        let unsure = error
            .hint_text()
            .unwrap()
            .contains("may have been carried out");
        assert_eq!(unsure, effect == Effect::Change);
    }
}

#[tokio::test]
async fn the_second_try_of_a_read_may_succeed() {
    let authority = TestCa::new();
    let (port, counts) = start(authority.server(), |mut peer, number| async move {
        peer.request().await;
        if number == 1 {
            peer.reset();
        } else {
            peer.answer("<x/>").await;
        }
    })
    .await;
    let client = client(authority.options(port));
    assert_eq!(
        client.send(get(port, Effect::Read)).await.unwrap().status,
        200
    );
    assert_eq!(counts.requests(), 2);
}

#[tokio::test]
async fn a_refused_connection_is_certain_to_have_sent_nothing() {
    let authority = TestCa::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = client(authority.options(port))
        .send(get(port, Effect::Change))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.was_nothing_sent());
    assert!(
        error.message().contains(&format!("ise.test:{port}")),
        "{error}"
    );
    assert!(error.message().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_change_has_a_connection_of_its_own_and_is_sent_at_most_once() {
    let authority = TestCa::new();
    let (port, counts) = start(authority.server(), |mut peer, number| async move {
        peer.request().await;
        if number == 1 {
            peer.answer("<x/>").await;
            // The kept connection: a belated answer to the first question would be taken for the
            // change's.
            if peer.request().await.is_some() {
                peer.answer("<wrong/>").await;
            }
        }
        // The second takes the change and dies: the client cannot know whether it was carried out.
    })
    .await;
    let client = client(authority.options(port));
    let first = client.send(get(port, Effect::Read)).await.unwrap();
    first.bytes(100).await.unwrap();
    let error = client.send(get(port, Effect::Change)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.was_nothing_sent());
    assert_eq!((counts.connections(), counts.requests()), (2, 2));
}

/// A password that is rotated in the middle of many questions is refused twice, however many wait.
#[tokio::test]
async fn a_password_is_refused_at_most_twice() {
    let authority = TestCa::new();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = Arc::clone(&asked);
    let (port, counts) = start(authority.server(), move |mut peer, _| {
        let seen = Arc::clone(&seen);
        async move {
            while peer.request().await.is_some() {
                if seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 5 {
                    peer.answer("<x/>").await;
                } else {
                    // Those that are out together are all out before the first is refused.
                    while seen.load(std::sync::atomic::Ordering::SeqCst) < 7 {
                        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    }
                    peer.say("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
                        .await;
                }
            }
        }
    })
    .await;
    let client = client(authority.options(port));
    let asking = (0..20).map(|_| client.send(get(port, Effect::Read)));
    let answers = futures_util::future::join_all(asking).await;
    let statuses: Vec<u16> = answers.iter().flatten().map(|one| one.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 2);
    assert_eq!(counts.requests(), 7);
    let errors: Vec<Kind> = answers
        .iter()
        .filter_map(|one| one.as_ref().err())
        .map(crate::error::Error::kind)
        .collect();
    assert_eq!(errors, vec![Kind::Refused; 13]);
}

#[tokio::test]
async fn read_only_and_show_come_before_the_wire() {
    let authority = TestCa::new();
    let shown = Arc::new(Mutex::new(String::new()));
    let (port, counts) = start(authority.server(), |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.answer("<x/>").await;
        }
    })
    .await;
    let mut options = authority.options(port);
    options.read_only = true;
    let error = client(options.clone())
        .send(get(port, Effect::Change))
        .await;
    let error = error.err().unwrap();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(
        error
            .message()
            .contains("changes the network, and --read-only is set")
    );
    assert!(error.hint_text().unwrap().contains("NETAPI_READ_ONLY"));

    options.read_only = false;
    let texts = Arc::clone(&shown);
    options.sending = Sending::Show {
        curl: true,
        reads: true,
        show: Arc::new(move |text| texts.lock().unwrap().push_str(text)),
    };
    let client = client(options);
    client.send(get(port, Effect::Read)).await.unwrap();
    let error = client.send(get(port, Effect::Change)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::NotSent);
    assert_eq!(counts.requests(), 1);
    let text = shown.lock().unwrap().clone();
    assert!(text.contains("--user admin --cacert "), "{text}");
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn a_url_that_is_not_https_or_hides_credentials_is_refused() {
    let client = client(ClientOptions {
        tls: crate::transport::TlsOptions {
            insecure: true,
            ..Default::default()
        },
        ..ClientOptions::default()
    });
    for url in [
        "http://ise.test/x",
        "https://user:hunter2@ise.test/",
        "/x",
        "https://",
    ] {
        let mut request = get(1, Effect::Read);
        request.method = Method::Post;
        request.url = url.to_owned();
        let error = client.send(request).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Usage, "{url}: {error}");
        assert!(!error.message().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_said_as_the_dialer_says_it() {
    let authority = TestCa::new();
    let client = client(authority.options(1));
    let mut request = get(1, Effect::Read);
    request.url = "https://ise.invalid:8910/pxgrid".to_owned();
    let error = client.send(request).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Resolve, "{error}");
    let hint = error.hint_text().unwrap();
    assert!(
        hint.contains("--resolve ise.invalid:8910:ADDRESS"),
        "{hint}"
    );
    assert!(error.was_nothing_sent());
}

/// A writer that keeps what it is given.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_trace_has_a_line_each_way_and_neither_password_nor_forged_lines() {
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, number| async move {
        while peer.request().await.is_some() {
            peer.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: a\u{9b}b\r\nContent-Length: 4\r\n\r\n<x{number}>"
            ))
            .await;
        }
    })
    .await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut options = authority.options(port);
    options.trace = true;
    let client = client(options);
    for _ in 0..2 {
        let response = client.send(get(port, Effect::Read)).await.unwrap();
        response.bytes(10).await.unwrap();
    }
    drop(client.send(get(port, Effect::Read)).await.unwrap());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("netapi::wire"))
        .collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(
        lines[0].contains(&format!("> GET https://ise.test:{port}/admin")),
        "{text}"
    );
    assert!(lines[1].contains("< 200 GET https://"), "{text}");
    assert!(lines[1].contains("(new connection) 4 bytes "), "{text}");
    assert!(lines[3].contains("(kept connection) 4 bytes "), "{text}");
    assert!(lines[5].contains("0 bytes (not to the end)"), "{text}");
    assert!(lines[1].contains("a\\x9bb"), "{text}");
    for secret in ["hunter2", "YWRtaW46", "uthorization"] {
        assert!(!text.contains(secret), "{text}");
    }
}
