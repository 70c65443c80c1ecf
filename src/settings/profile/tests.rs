//! What a config file may say, and what is told of its mistakes.

use super::*;
use crate::error::Kind;
use proptest::prelude::*;

fn parse(text: &str, wanted: Option<&str>) -> Result<Profile> {
    let path = Path::new("/etc/netapi/config.toml");
    File { path, text }.profile(wanted)
}

fn message(text: &str) -> String {
    let error = parse(text, Some("a")).err().unwrap();
    assert_eq!(error.kind(), Kind::Usage);
    let message = error.message().to_owned();
    assert!(!message.contains('\n'), "{message}");
    match error.hint_text() {
        Some(hint) => format!("{message} | {hint}"),
        None => message,
    }
}

#[test]
fn values_of_every_shape() {
    let profile = parse(
        "[profiles.a]\nmnt_host = 'h'\nmnt_port = 0x1bb\ninsecure = true\npxgrid_hosts = ['p', 'q']\nresolve = 'one'\ncacert = 'ca.pem'\ncert = '/x/c.pem'\nkey = '~/k.pem'\npassword_command = ['pass', '']\n",
        Some("a"),
    )
    .unwrap();
    assert_eq!(profile.name, "a");
    for (key, wanted) in [
        ("mnt_host", vec!["h"]),
        ("mnt_port", vec!["443"]),
        ("insecure", vec!["true"]),
        ("pxgrid_hosts", vec!["p", "q"]),
        ("resolve", vec!["one"]),
        ("cacert", vec!["/etc/netapi/ca.pem"]),
        ("cert", vec!["/x/c.pem"]),
        ("key", vec!["~/k.pem"]),
        ("mnt_password_command", vec!["pass", ""]),
    ] {
        assert_eq!(profile.get(key).unwrap(), wanted, "{key}");
    }
    assert!(profile.get("mnt_user").is_none());
}

#[test]
fn which_profile() {
    let text = "default_profile = 'b'\n[profiles.a]\nmnt_host = '1'\n[profiles.b]\n";
    assert_eq!(parse(text, None).unwrap().name, "b");
    assert_eq!(parse(text, Some("a")).unwrap().name, "a");
    assert_eq!(parse("[profiles.a]", None).unwrap().name, "");
    assert_eq!(parse("", None).unwrap().name, "");
    let error = parse(text, Some("c")).err().unwrap();
    assert_eq!(error.message(), "/etc/netapi/config.toml has no profile c");
    assert_eq!(error.hint_text(), Some("it has: a, b"));
    let error = parse("\ndefault_profile = 'c'\n[profiles.a]", None)
        .err()
        .unwrap();
    assert_eq!(
        error.message(),
        "/etc/netapi/config.toml:2: default_profile: there is no profile c"
    );
    assert!(
        parse("", Some("a"))
            .err()
            .unwrap()
            .hint_text()
            .unwrap()
            .contains("it has none")
    );
}

#[test]
fn mistakes_name_file_and_line() {
    for (text, wanted) in [
        (
            "[profiles.a]\n\nmnt_hots = 'h'",
            "/etc/netapi/config.toml:3: unknown key mnt_hots | did you mean mnt_host?",
        ),
        (
            "[profiles.b]\nmnt-port = 1",
            "/etc/netapi/config.toml:2: unknown key mnt-port | did you mean mnt_port?",
        ),
        (
            "mnt_host = 'h'",
            "/etc/netapi/config.toml:1: unknown key mnt_host | settings stand in a table `[profiles.NAME]`; above the tables only default_profile has a place",
        ),
        (
            "[profiles.a]\nmnt_port = 'hunter2'",
            "/etc/netapi/config.toml:2: mnt_port wants a port number, 1 to 65535",
        ),
        (
            "[profiles.a]\nmnt_port = 65536",
            "/etc/netapi/config.toml:2: mnt_port wants a port number, 1 to 65535",
        ),
        (
            "[profiles.a]\nmnt_port = 0",
            "/etc/netapi/config.toml:2: mnt_port wants a port number, 1 to 65535",
        ),
        (
            "[profiles.a]\ninsecure = 1",
            "/etc/netapi/config.toml:2: insecure wants true or false",
        ),
        (
            "[profiles.a]\nmnt_host = ''",
            "/etc/netapi/config.toml:2: mnt_host wants a text",
        ),
        (
            "[profiles.a]\nresolve = []",
            "/etc/netapi/config.toml:2: resolve wants a list of texts",
        ),
        (
            "[profiles.a]\npassword_command = 'hunter2'",
            "/etc/netapi/config.toml:2: password_command wants a list: the program, then its arguments, as in [\"pass\", \"show\", \"ise\"]",
        ),
        (
            "[profiles.a]\npassword_file = 'f'\nmnt_password_file = 'g'",
            "/etc/netapi/config.toml:2: password_file and mnt_password_file are the same setting; keep one",
        ),
        (
            "profiles = 1",
            "/etc/netapi/config.toml:1: profiles are tables: `[profiles.NAME]`",
        ),
        (
            "[profiles]\na = 1",
            "/etc/netapi/config.toml:2: profiles are tables: `[profiles.NAME]`",
        ),
    ] {
        assert_eq!(message(text), wanted, "{text}");
    }
    assert!(
        message("[profiles.a]\nmnt_host = hunter2")
            .starts_with("/etc/netapi/config.toml:2: no TOML")
    );
    assert!(!message("[profiles.a]\nmnt_host = hunter2").contains("hunter2"));
    assert!(message("[profiles.a]\nxyzzy_quux = 1").contains("known keys: mnt_host"));
}

#[test]
fn a_secret_in_plain_text_is_refused() {
    for (key, place) in [
        ("mnt_password", "mnt_password_file"),
        ("password", "mnt_password_file"),
        ("mnt_pass", "mnt_password_file"),
        ("key_password", "key_password_file"),
        ("key_passphrase", "key_password_file"),
        ("client_password", "client_password_file"),
        ("pxgrid_password", "client_password_file"),
        ("proxy_password", "proxy_credentials_file"),
    ] {
        let text = message(&format!("[profiles.a]\n{key} = 'hunter2'"));
        assert!(text.contains("secrets do not stand in this file"), "{text}");
        assert!(text.contains(place) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_template_sets_nothing_and_names_every_key_rightly() {
    let template = super::super::template::TEMPLATE;
    assert_eq!(parse(template, None).unwrap().name, "");
    // Uncommented, each key reads; keys that exclude each other do so only when used.
    let keys: String = template
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .flat_map(|line| [line, "\n"])
        .collect();
    let profile = parse(&keys, None).unwrap();
    assert_eq!(profile.name, "production");
    for (key, _) in KEYS {
        let alias = ALIASES.iter().any(|(short, _)| *short == key);
        assert!(alias || profile.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_missing_file_matters_only_to_who_named_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    assert!(read(&path, false, None).is_ok());
    assert!(read(&path, true, None).is_err());
    let error = read(&path, false, Some("a")).err().unwrap();
    assert!(error.hint_text().unwrap().contains("config init"));
}

proptest! {
    #[test]
    fn never_panics(text in "(\\[profiles\\.a\\]\n)?(mnt_|[a-z_]{0,8}|=| |'|\"|\\[|\\]|\n|[0-9]|é){0,20}") {
        let _ = parse(&text, Some("a"));
    }
}
