//! Proxies, for HTTP and WebSocket: which one is taken and what it is asked, in bytes; what goes
//! wrong with it, in words; that it makes no request twice and no credential visible.

use assert_cmd::Command;
use base64::Engine;

use crate::support::lab::{TestLab, faulty, lab};
use crate::support::proxy::{Does, Proxy, Way, certified, start};
use crate::support::{json, stderr, stdout};

const PASSWORD: &str = "pro:xy@hunter2";
const ENCODED: &str = "kim:pro%3Axy%40hunter2";

/// A command of a lab that is not told to go without proxies.
pub(crate) fn proxied(lab: &TestLab, arguments: &[&str]) -> Command {
    let mut command = lab.netapi();
    command
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .args(["ise"])
        .args(arguments);
    command
}

fn port(lab: &TestLab) -> String {
    lab.variable("ISE_MNT_PORT")
}

fn basic(user: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{PASSWORD}"))
}

pub(crate) fn counted(command: &mut Command) {
    let run = command.assert();
    assert_eq!(stdout(&run), "50\n", "{}", stderr(&run));
    assert_eq!(stderr(&run), "");
}

pub(crate) fn proxy_url(scheme: &str, proxy: &Proxy) -> String {
    format!("{scheme}://127.0.0.1:{}", proxy.port)
}

#[test]
fn connect_asks_for_the_name_with_credentials_from_the_variable() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let url = format!("http://{ENCODED}@127.0.0.1:{}", proxy.port);
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        counted(proxied(&lab, &["mnt", "count"]).env(name, &url));
    }
    let wanted = format!(
        "CONNECT localhost:{0} HTTP/1.1\r\nhost: localhost:{0}\r\nuser-agent: netapi/{1}\r\nproxy-authorization: Basic {2}\r\n\r\n",
        port(&lab),
        env!("CARGO_PKG_VERSION"),
        basic("kim")
    );
    assert_eq!(proxy.heads(), vec![wanted; 4]);
}

#[test]
fn socks_asks_for_the_name_or_the_address_and_logs_in() {
    let lab = lab();
    let number: u16 = port(&lab).parse().unwrap();
    let [high, low] = number.to_be_bytes();
    let proxy = start(Way::Socks(Some(("kim", PASSWORD))), Does::Relay);
    let url = |scheme: &str| format!("{scheme}://{ENCODED}@127.0.0.1:{}", proxy.port);
    counted(proxied(&lab, &["mnt", "count"]).env("ALL_PROXY", url("socks5h")));
    let here = format!("localhost:{number}:127.0.0.1");
    counted(proxied(&lab, &["mnt", "count", "--resolve", &here]).env("ALL_PROXY", url("socks5")));
    let length = u8::try_from(PASSWORD.len()).unwrap();
    let login = [
        b"\x05\x02\x00\x02\x01\x03kim",
        &[length][..],
        PASSWORD.as_bytes(),
    ]
    .concat();
    let name = [&login, &b"\x05\x01\x00\x03\x09localhost"[..], &[high, low]].concat();
    let address = [
        &login,
        &b"\x05\x01\x00\x01\x7f\x00\x00\x01"[..],
        &[high, low],
    ]
    .concat();
    assert_eq!(proxy.asked(), [name, address]);

    let open = start(Way::Socks(None), Does::Relay);
    counted(proxied(&lab, &["mnt", "count"]).env("ALL_PROXY", proxy_url("socks5h", &open)));
    let asked = [
        &b"\x05\x01\x00\x05\x01\x00\x03\x09localhost"[..],
        &[high, low],
    ]
    .concat();
    assert_eq!(open.asked(), [asked]);
}

#[test]
fn resolve_gives_the_proxy_an_address_instead_of_the_name() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let over = format!("localhost:{}:127.0.0.1", port(&lab));
    counted(
        proxied(&lab, &["mnt", "count", "--resolve", &over])
            .env("HTTPS_PROXY", proxy_url("http", &proxy)),
    );
    let line = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", port(&lab));
    assert!(proxy.heads()[0].starts_with(&line), "{:?}", proxy.heads());
}

#[test]
fn a_proxy_in_tls_has_a_ca_of_its_own() {
    let lab = lab();
    let (config, ca) = certified();
    let proxy = start(Way::Https(config), Does::Relay);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca).unwrap();
    let url = proxy_url("https", &proxy);
    counted(proxied(&lab, &["mnt", "count", "--proxy", &url, "--proxy-cacert"]).arg(file.path()));
    assert_eq!(proxy.heads().len(), 1);
    // Neither ISE's CA nor --insecure is about the proxy.
    let run = proxied(&lab, &["mnt", "count", "--insecure", "--proxy", &url]).assert();
    let text = stderr(&run);
    assert_eq!(run.get_output().status.code(), Some(6), "{text}");
    assert!(
        text.contains(&format!("through the proxy {url} (flag --proxy): ")),
        "{text}"
    );
    assert!(
        text.contains("hint: give the CA that signed it: --proxy-cacert FILE"),
        "{text}"
    );
    assert_eq!(proxy.heads().len(), 1);
}

#[test]
fn no_proxy_exempts_and_switches_off() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Say(b"HTTP/1.1 500 No\r\n\r\n"));
    let url = proxy_url("http", &proxy);
    for list in [
        "localhost",
        "*",
        "other, localhost",
        "LOCALHOST",
        ".localhost",
    ] {
        for name in ["NO_PROXY", "no_proxy"] {
            counted(
                proxied(&lab, &["mnt", "count"])
                    .env("HTTPS_PROXY", &url)
                    .env(name, list),
            );
        }
        counted(proxied(&lab, &["mnt", "count", "--proxy", &url]).env("NO_PROXY", list));
    }
    counted(proxied(&lab, &["mnt", "count", "--no-proxy"]).env("HTTPS_PROXY", &url));
    let direct = [("--mnt-host", "127.0.0.1")];
    for list in ["127.0.0.1", "127.0.0.0/8"] {
        let mut command = proxied(&lab, &["mnt", "count", "--no-verify-hostname"]);
        command.args([direct[0].0, direct[0].1]);
        counted(command.env("HTTPS_PROXY", &url).env("NO_PROXY", list));
    }
    assert!(proxy.asked().is_empty());
    // http_proxy is for http://, which is not spoken, and loopback has no exception of its own.
    counted(proxied(&lab, &["mnt", "count"]).env("http_proxy", &url));
    proxied(&lab, &["mnt", "count"])
        .env("HTTPS_PROXY", &url)
        .assert()
        .code(6);
    assert_eq!(proxy.asked().len(), 2, "a read is tried once more");
}

/// An entry that can match nothing would send its host through the proxy, unseen.
#[test]
fn an_exception_that_can_never_match_is_said() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let url = proxy_url("http", &proxy);
    for entry in ["10.0.0.0/33", "localhost:443", "a.test,10.1.*"] {
        let mut run = proxied(&lab, &["mnt", "count"]);
        let run = run.env("HTTPS_PROXY", &url).env("NO_PROXY", entry).assert();
        let text = stderr(&run);
        let wrong = entry.rsplit(',').next().unwrap();
        let wanted = format!("warning: NO_PROXY has an entry that matches no host: {wrong}\n");
        assert_eq!(text, wanted);
        assert_eq!(stdout(&run.success()), "50\n");
    }
    // In a profile it is there for this program alone; what shows settings shows it.
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let profile = format!("[profiles.a]\nproxy = '{url}'\nno_proxy = ['10.0.0.0/33']\n");
    std::fs::write(&config, profile).unwrap();
    let count = ["mnt", "count", "--profile", "a", "--config"];
    let run = proxied(&lab, &count).arg(&config).assert().code(2);
    let wanted =
        "no_proxy of profile a has an entry that matches no host: 10.0.0.0/33\nhint: write names";
    assert!(stderr(&run).contains(wanted), "{}", stderr(&run));
    let mut show = crate::support::netapi();
    let run = show
        .env("NO_PROXY", "10.0.0.0/33")
        .args(["config", "show"])
        .assert();
    assert!(stderr(&run.code(2)).contains("matches no host: 10.0.0.0/33"));
}

#[test]
fn the_lab_goes_without_the_developers_proxy() {
    let proxy = start(Way::Http, Does::Wait);
    let mut command = crate::support::netapi();
    command
        .env("https_proxy", proxy_url("http", &proxy))
        .env("no_proxy", "mine.example")
        .args(["ise", "lab", "run", "--", "sh", "-c"])
        .arg("netapi ise mnt count && netapi ise doctor >/dev/null && echo \"$no_proxy\"");
    let run = command.assert().success();
    assert_eq!(stdout(&run), "50\nlocalhost,127.0.0.1,::1,mine.example\n");
    assert!(proxy.asked().is_empty());
}

#[test]
fn everything_of_pxgrid_goes_through_it_the_websocket_too() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let url = proxy_url("http", &proxy);
    let run = proxied(&lab, &["pxgrid", "test", "--json"])
        .env("HTTPS_PROXY", &url)
        .assert()
        .success();
    let steps = json(&run);
    let step = |name: &str| {
        let mut steps = steps.as_array().unwrap().iter();
        steps.find(|step| step["step"] == name).cloned()
    };
    let detail = format!("through {url} (environment HTTPS_PROXY)");
    assert_eq!(step("proxy").unwrap()["detail"], detail);
    assert_eq!(step("stomp").unwrap()["result"], "ok");
    assert_eq!(step("name"), None, "the proxy resolves");
    // Each node: a connection alone, one with TLS. Then one of HTTP, and the WebSocket's.
    assert!(proxy.heads().len() >= 4, "{:?}", proxy.heads());
    let run = proxied(&lab, &["pxgrid", "test"])
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .assert()
        .code(6);
    assert!(
        stdout(&run).contains("(environment HTTPS_PROXY)"),
        "{}",
        stdout(&run)
    );
}

#[test]
fn a_change_is_sent_once_through_a_proxy_whatever_happens_behind_it() {
    for (fault, code) in [("", 0), ("reset-early:CoA", 6), ("overload-503:CoA", 5)] {
        let lab = if fault.is_empty() {
            lab()
        } else {
            faulty(&[fault])
        };
        let proxy = start(Way::Http, Does::Relay);
        let mac = lab.variable("MAC");
        let run = proxied(&lab, &["mnt", "coa", &mac])
            .env("HTTPS_PROXY", proxy_url("http", &proxy))
            .assert();
        assert_eq!(
            run.get_output().status.code(),
            Some(code),
            "{fault}: {}",
            stderr(&run)
        );
        let sent = lab.requests();
        let coa = sent.iter().filter(|line| line.contains("/CoA/")).count();
        assert_eq!(coa, 1, "{fault}: {sent:?}");
    }
}

#[test]
fn a_change_that_the_proxy_stopped_was_not_sent_and_is_not_asked_for_again() {
    let lab = lab();
    let proxy = start(
        Way::Http,
        Does::Say(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n"),
    );
    let run = proxied(
        &lab,
        &[
            "pxgrid",
            "anc",
            "apply",
            "--mac",
            "00:00:5E:00:53:01",
            "--policy",
            "Q",
        ],
    )
    .env(
        "HTTPS_PROXY",
        format!("http://kim:wrong@127.0.0.1:{}", proxy.port),
    )
    .assert()
    .code(4);
    assert!(stderr(&run).contains("it refused the password of kim (HTTP 407)"));
    assert_eq!(proxy.heads().len(), 1, "a wrong password is sent once");
    assert!(lab.requests().is_empty());
}

#[test]
fn credentials_come_from_a_file_or_a_profile_and_never_from_an_argument() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let url = proxy_url("http", &proxy);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials");
    std::fs::write(&file, format!("file:{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    counted(
        proxied(
            &lab,
            &["mnt", "count", "--proxy", &url, "--proxy-credentials-file"],
        )
        .arg(&file),
    );
    let config = directory.path().join("config.toml");
    std::fs::write(
        &config,
        format!("[profiles.a]\nproxy = \"{url}\"\nproxy_credentials_command = [\"cat\", \"credentials\"]\n"),
    )
    .unwrap();
    let mut command = proxied(&lab, &["mnt", "count", "--profile", "a", "--config"]);
    command.arg(&config).current_dir(directory.path());
    counted(&mut command);
    for head in proxy.heads() {
        assert!(
            head.contains(&format!("Basic {}\r\n", basic("file"))),
            "{head}"
        );
    }
    assert_eq!(proxy.heads().len(), 2);

    let with_password = format!("http://kim:hunter2@127.0.0.1:{}", proxy.port);
    let run = proxied(&lab, &["mnt", "count", "--proxy", &with_password])
        .assert()
        .code(2);
    let text = stderr(&run);
    assert!(
        text.contains("--proxy holds a password") && !text.contains("hunter2"),
        "{text}"
    );
    std::fs::write(
        &config,
        format!("[profiles.a]\nproxy = \"{with_password}\"\n"),
    )
    .unwrap();
    let mut command = proxied(&lab, &["mnt", "count", "--profile", "a", "--config"]);
    let run = command.arg(&config).assert().code(2);
    let text = stderr(&run);
    assert!(
        text.contains("proxy_credentials_file") && !text.contains("hunter2"),
        "{text}"
    );
    assert_eq!(proxy.heads().len(), 2);
}

#[test]
fn nothing_that_is_printed_has_the_password() {
    let lab = lab();
    let proxy = start(Way::Http, Does::Relay);
    let url = format!("http://{ENCODED}@127.0.0.1:{}", proxy.port);
    let plain = proxy_url("http", &proxy);
    for arguments in [
        &["ise", "mnt", "count", "--trace"][..],
        &["ise", "mnt", "count", "--curl"],
        &["ise", "mnt", "count", "--dry-run"],
        &["ise", "doctor"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["ise", "mnt", "count", "--mnt-port", "1"],
    ] {
        let mut command = lab.netapi();
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        let run = command.args(arguments).env("HTTPS_PROXY", &url).assert();
        let all = stdout(&run) + &stderr(&run);
        for secret in ["hunter2", ENCODED, &basic("kim")] {
            assert!(!all.contains(secret), "{arguments:?}: {all}");
        }
        let shows = match arguments {
            [.., "--dry-run"] => continue,
            [.., "--curl"] => format!("--proxy {plain} --proxy-user kim"),
            ["config", ..] => format!("http://kim:****@127.0.0.1:{}", proxy.port),
            [_, "doctor"] => format!("through http://kim:****@127.0.0.1:{}", proxy.port),
            _ => format!("through the proxy {plain} (environment HTTPS_PROXY)"),
        };
        assert!(all.contains(&shows), "{arguments:?}: no {shows} in {all}");
    }
}

#[test]
fn config_show_says_which_proxy_is_in_the_way_of_what() {
    let rows = |set: &[(&str, &str)]| {
        let mut command = crate::support::netapi();
        command
            .args(["config", "show", "--json"])
            .envs(set.iter().copied());
        let run = command.assert().success();
        let rows = json(&run);
        let rows = rows.as_array().unwrap().iter();
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.filter(|row| row["setting"].as_str().unwrap().contains("proxy"))
            .map(|row| {
                format!(
                    "{}|{}|{}",
                    text(row, "setting"),
                    text(row, "value"),
                    text(row, "source")
                )
            })
            .collect::<Vec<_>>()
    };
    let hosts = [
        ("ISE_MNT_FQDN", "mnt.lab.example"),
        ("ISE_PXGRID_HOST", "px1.lab.example,px2.other.example"),
    ];
    let all = rows(&hosts);
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(
        all[0].starts_with("proxy||unset: --proxy, https_proxy, HTTPS_PROXY"),
        "{all:?}"
    );
    let mut set = hosts.to_vec();
    set.extend([
        ("HTTPS_PROXY", "p.example:3128"),
        ("NO_PROXY", "lab.example"),
    ]);
    let all = rows(&set);
    for row in [
        "proxy|http://p.example:3128|environment HTTPS_PROXY",
        "no-proxy|lab.example|environment NO_PROXY",
        "proxy (mnt)|none|environment NO_PROXY exempts mnt.lab.example",
        "proxy (pxgrid)|http://p.example:3128|environment HTTPS_PROXY; environment NO_PROXY exempts px1.lab.example",
    ] {
        assert!(all.iter().any(|found| found == row), "no {row} in {all:?}");
    }
}
