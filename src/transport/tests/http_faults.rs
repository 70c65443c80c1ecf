//! Every way an answer can go wrong: late, cut, malformed, too long.

use std::io::BufRead;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{client, get, read_all};
use crate::error::Kind;
use crate::transport::Effect;
use crate::transport::test_server::{TestCa, start};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_silent_server_times_out_and_is_not_asked_again() {
    let authority = TestCa::new();
    let (port, counts) = start(authority.server(), |mut peer, _| async move {
        peer.request().await;
        peer.until_closed().await;
    })
    .await;
    let mut options = authority.options(port);
    options.idle_timeout = SHORT;
    let error = client(options)
        .send(get(port, Effect::Read))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert!(error.message().contains("200ms"), "{error}");
    assert_eq!(counts.requests(), 1);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_the_connect_timeouts_affair() {
    let authority = TestCa::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut options = authority.options(port);
    options.connect_timeout = SHORT * 2;
    options.idle_timeout = SHORT / 4;
    let client = client(options);
    let started = Instant::now();
    let error = client.send(get(port, Effect::Change)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert!(error.message().contains("no connection"), "{error}");
    assert!(error.was_nothing_sent());
    assert!(started.elapsed() >= SHORT * 2);
    let other = client
        .connect(&crate::authority::Authority::new("ise.test", port))
        .await
        .err()
        .unwrap();
    assert_eq!(other, error);
}

#[tokio::test]
async fn bytes_that_trickle_are_a_time_out() {
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, _| async move {
        peer.request().await;
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            .await;
        let mut tick = tokio::time::interval(SHORT / 10);
        loop {
            tick.tick().await;
            peer.say("x").await;
        }
    })
    .await;
    let mut options = authority.options(port);
    options.idle_timeout = SHORT * 3;
    let response = client(options).send(get(port, Effect::Read)).await.unwrap();
    let (body, error) = read_all(response.into_reader()).await;
    let error = error.unwrap();
    assert_eq!(error.kind(), Kind::TimedOut, "{error}");
    assert!(!body.is_empty() && body.len() < 100, "{}", body.len());
}

#[tokio::test]
async fn a_slow_reader_is_not_the_servers_fault() {
    const SIZE: usize = 8 << 20;
    const ALLOWED: Duration = Duration::from_secs(1);
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, _| async move {
        peer.request().await;
        peer.answer(&"x".repeat(SIZE)).await;
        peer.until_closed().await;
    })
    .await;
    let mut options = authority.options(port);
    options.idle_timeout = ALLOWED;
    let response = client(options).send(get(port, Effect::Read)).await.unwrap();
    let mut reader = response.into_reader();
    let size = tokio::task::spawn_blocking(move || {
        reader.fill_buf().unwrap();
        // Longer than the idle timeout, with far more on the way than fits into channel and
        // sockets: the subject of the test, not a wait.
        std::thread::sleep(ALLOWED + SHORT);
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap()
    })
    .await
    .unwrap();
    assert_eq!(size, SIZE as u64);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_truncated_however_it_does() {
    let authority = TestCa::new();
    let heads = [
        "Content-Length: 100\r\n\r\nshort",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "Transfer-Encoding: chunked\r\n\r\nff\r\nshort",
    ];
    for head in heads {
        for reset in [false, true] {
            let (port, counts) = start(authority.server(), move |mut peer, _| async move {
                peer.request().await;
                peer.say(format!("HTTP/1.1 200 OK\r\n{head}")).await;
                if reset {
                    peer.reset();
                }
            })
            .await;
            let client = client(authority.options(port));
            let response = client.send(get(port, Effect::Read)).await;
            // A reset may overtake the head; then the request was repeated, and failed as a
            // connection.
            let Ok(response) = response else {
                assert!(reset);
                continue;
            };
            let (_, error) = read_all(response.into_reader()).await;
            let error = error.unwrap();
            assert_eq!(error.kind(), Kind::Truncated, "{head} {reset}: {error}");
            assert!(error.message().contains(&format!("ise.test:{port}")));
            assert_eq!(counts.requests(), 1);
        }
    }
}

#[tokio::test]
async fn a_broken_chunk_size_or_gzip_is_malformed() {
    let authority = TestCa::new();
    for head in [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n",
        "Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot gzip, no",
    ] {
        let (port, _) = start(authority.server(), move |mut peer, _| async move {
            peer.request().await;
            peer.say(format!("HTTP/1.1 200 OK\r\n{head}")).await;
            peer.until_closed().await;
        })
        .await;
        let client = client(authority.options(port));
        let response = client.send(get(port, Effect::Read)).await.unwrap();
        let error = response.bytes(1000).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed, "{head}: {error}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, _| async move {
        peer.request().await;
        peer.say("220 smtp.example.com ESMTP\r\n").await;
        peer.until_closed().await;
    })
    .await;
    let client = client(authority.options(port));
    let error = client.send(get(port, Effect::Read)).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Malformed, "{error}");
}

#[tokio::test]
async fn a_body_above_the_limit_is_malformed() {
    let authority = TestCa::new();
    let (port, _) = start(authority.server(), |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.answer("0123456789").await;
        }
    })
    .await;
    let client = client(authority.options(port));
    let response = client.send(get(port, Effect::Read)).await.unwrap();
    assert_eq!(response.bytes(10).await.unwrap(), b"0123456789");
    let response = client.send(get(port, Effect::Read)).await.unwrap();
    assert_eq!(response.bytes(9).await.unwrap_err().kind(), Kind::Malformed);
}

#[tokio::test]
async fn dropping_the_reader_stops_the_download() {
    let authority = TestCa::new();
    let (gone, closed) = tokio::sync::oneshot::channel();
    let gone = Mutex::new(Some(gone));
    let (port, _) = start(authority.server(), move |mut peer, _| {
        let gone = gone.lock().unwrap().take();
        async move {
            peer.request().await;
            peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nx")
                .await;
            peer.until_closed().await;
            gone.unwrap().send(()).unwrap();
        }
    })
    .await;
    let client = client(authority.options(port));
    let response = client.send(get(port, Effect::Read)).await.unwrap();
    drop(response.into_reader());
    closed.await.unwrap();
}

/// `<sessionCount/>` as gzip.
const PACKED: [u8; 35] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 179, 41, 78, 45, 46, 206, 204, 207, 115, 206, 47, 205, 43,
    209, 183, 3, 0, 31, 152, 1, 98, 15, 0, 0, 0,
];

#[tokio::test]
async fn gzip_is_unpacked_and_cut_gzip_is_truncated() {
    let authority = TestCa::new();
    for cut in [false, true] {
        let (port, _) = start(authority.server(), move |mut peer, _| async move {
            let request = peer.request().await.unwrap();
            assert!(request.contains("accept-encoding: gzip\r\n"), "{request}");
            let body = if cut { &PACKED[..20] } else { &PACKED[..] };
            let length = body.len();
            peer.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
            ))
            .await;
            peer.say(body).await;
            peer.until_closed().await;
        })
        .await;
        let client = client(authority.options(port));
        let response = client.send(get(port, Effect::Read)).await.unwrap();
        match response.bytes(100).await {
            Ok(body) => assert!(!cut && body == b"<sessionCount/>"),
            Err(error) => assert!(cut && error.kind() == Kind::Truncated, "{error}"),
        }
    }
}
