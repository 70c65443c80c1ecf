//! What goes wrong with a proxy, in words: whose fault it is, the proxy's or the host's behind it.

use crate::proxies::{proxied, proxy_url};
use crate::support::lab::lab;
use crate::support::proxy::{Does, Way, start};
use crate::support::stderr;

/// What a proxy says, the exit status, a part of the message, a part of the hint.
const ANSWERS: &[(&[u8], i32, &str, &str)] = &[
    (
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
        4,
        "it wants a user and a password (HTTP 407)",
        "--proxy-credentials-file FILE",
    ),
    (
        b"HTTP/1.1 407 X\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
        4,
        "it lets in by Negotiate, NTLM only, and netapi speaks Basic (HTTP 407)",
        "cntlm",
    ),
    (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret",
        6,
        "it does not let us through to this host (HTTP 403)",
        "allow CONNECT",
    ),
    (
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        6,
        "it could not reach this host (HTTP 502)",
        "--resolve HOST:PORT:ADDRESS",
    ),
    (
        b"HTTP/1.1 504 X\r\n\r\n",
        7,
        "this host did not answer it in time (HTTP 504)",
        "--no-proxy",
    ),
    (
        b"HTTP/1.1 405 X\r\n\r\n",
        6,
        "it did not take CONNECT, which is what makes an HTTPS proxy (HTTP 405)",
        "a web server answers so",
    ),
    (
        b"220 smtp.test ESMTP\r\n",
        6,
        "what it answered is not HTTP",
        "socks5h://",
    ),
    (b"\x05\xff", 6, "what it answered is not HTTP", "socks5h://"),
    (b"", 6, "it closed the connection", "which kind of proxy"),
    (
        b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03",
        6,
        "it sent data of its own",
        "--no-proxy",
    ),
];

#[test]
fn each_fault_of_an_http_proxy_names_it_and_is_told_from_the_hosts() {
    let lab = lab();
    for (answer, code, message, hint) in ANSWERS {
        let proxy = start(Way::Http, Does::Say(answer));
        let url = proxy_url("http", &proxy);
        let run = proxied(&lab, &["mnt", "count"])
            .env("HTTPS_PROXY", &url)
            .assert();
        let text = stderr(&run);
        let told = format!(
            "netapi: cannot reach {} through the proxy {url} (environment HTTPS_PROXY): {message}\nhint: ",
            lab.host()
        );
        assert!(
            text.starts_with(told.trim_end_matches("\nhint: ")) && text.contains("\nhint: "),
            "{text}"
        );
        let (_, hinted) = text.split_once("\nhint: ").unwrap();
        assert!(hinted.contains(hint), "{text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(run.get_output().status.code(), Some(*code), "{text}");
    }
    assert!(lab.requests().is_empty());
}

#[test]
fn each_fault_of_a_socks_proxy_names_it() {
    let lab = lab();
    for (answer, code, message) in [
        (
            &b"\x05\x02\x00\x01\0\0\0\0\0\0"[..],
            6,
            "its rules do not let us through",
        ),
        (
            b"\x05\x04\x00\x01\0\0\0\0\0\0",
            6,
            "it could not reach this host",
        ),
        (
            b"\x05\x05\x00\x01\0\0\0\0\0\0",
            6,
            "this host refused its connection",
        ),
        (
            b"\x05\x06\x00\x01\0\0\0\0\0\0",
            7,
            "this host did not answer it in time",
        ),
        (
            b"\x05\x07\x00\x01\0\0\0\0\0\0",
            6,
            "it makes no connections",
        ),
        (
            b"\x05\x08\x00\x01\0\0\0\0\0\0",
            6,
            "it takes no address of this kind",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            6,
            "what it answered is not SOCKS 5",
        ),
        (b"", 6, "it closed the connection"),
    ] {
        let proxy = start(Way::Socks(None), Does::Say(answer));
        let url = proxy_url("socks5h", &proxy);
        let run = proxied(&lab, &["mnt", "count"])
            .env("ALL_PROXY", &url)
            .assert();
        let text = stderr(&run);
        let named = format!("through the proxy {url} (environment ALL_PROXY): {message}");
        assert!(text.contains(&named), "{text}");
        assert!(text.contains("\nhint: "), "{text}");
        assert_eq!(run.get_output().status.code(), Some(code), "{text}");
    }
    let wrong = start(Way::Socks(Some(("kim", "right"))), Does::Relay);
    for (url, message) in [
        (
            format!("socks5h://kim:wrong@127.0.0.1:{}", wrong.port),
            "it refused the password of kim",
        ),
        (
            proxy_url("socks5h", &wrong),
            "it wants a user and a password",
        ),
    ] {
        let run = proxied(&lab, &["mnt", "count"])
            .env("ALL_PROXY", url)
            .assert()
            .code(4);
        assert!(stderr(&run).contains(message), "{}", stderr(&run));
    }
}

#[test]
fn a_proxy_that_is_not_there_or_hangs_is_named() {
    let lab = lab();
    let hangs = start(Way::Http, Does::Wait);
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for (url, code, message) in [
        (
            proxy_url("http", &hangs),
            7,
            "no connection within 300ms".to_owned(),
        ),
        (
            proxy_url("socks5", &hangs),
            7,
            "no connection within 300ms".to_owned(),
        ),
        (
            format!("http://127.0.0.1:{port}"),
            6,
            format!("cannot connect to 127.0.0.1:{port}: the connection was refused"),
        ),
        (
            "http://proxy.invalid:1".to_owned(),
            6,
            "cannot resolve proxy.invalid".to_owned(),
        ),
    ] {
        let run = proxied(&lab, &["mnt", "count", "--connect-timeout", "300ms"])
            .env("https_proxy", &url)
            .assert();
        let text = stderr(&run);
        let named = format!("through the proxy {url} (environment https_proxy): {message}");
        assert!(text.contains(&named), "{text}");
        assert!(text.contains("--no-proxy goes without it"), "{text}");
        assert_eq!(run.get_output().status.code(), Some(code), "{text}");
    }
}
