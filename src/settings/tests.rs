//! Which value wins, who is blamed, and what contradicts what.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::show::Row;
use super::*;
use crate::error::Kind;

mod conflicts;

/// A directory with a config file, and settings resolved against it.
struct Case {
    directory: tempfile::TempDir,
    flags: Flags,
    variables: Vec<(&'static str, String)>,
}

impl Case {
    fn new(profile: &str, variables: &[(&'static str, &str)]) -> Self {
        let case = Self {
            directory: tempfile::tempdir().unwrap(),
            flags: Flags::default(),
            variables: variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        };
        if !profile.is_empty() {
            let text = format!("default_profile = 'lab'\n[profiles.lab]\n{profile}\n");
            case.file("config/netapi/config.toml", &text);
        }
        case
    }

    fn flags(mut self, set: impl FnOnce(&mut Flags)) -> Self {
        set(&mut self.flags);
        self
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn env_file(mut self, text: &str) -> Self {
        self.flags.env_file = Some(self.file("ise.env", text));
        self
    }

    fn settings(&self) -> Settings {
        let environment = Environment::from_list(self.variables.clone())
            .with_home(self.directory.path())
            .with_config_home(self.directory.path().join("config"));
        Settings::resolve(self.flags.clone(), environment)
    }

    fn row(&self, name: &str) -> Row {
        let rows = self.settings().rows();
        rows.into_iter().find(|row| row.setting == name).unwrap()
    }

    /// User, password, as they would be sent.
    fn credentials(&self) -> Result<(String, String)> {
        let mnt = self.settings().mnt()?;
        Ok((mnt.user, mnt.password.expose_secret().to_owned()))
    }
}

fn case(variables: &[(&'static str, &str)]) -> Case {
    Case::new("", variables)
}

fn pair(user: &str, password: &str) -> (String, String) {
    (user.to_owned(), password.to_owned())
}

const MNT: [(&str, &str); 3] = [
    ("ISE_MNT_FQDN", "mnt"),
    ("ISE_MNT_USER", "u"),
    ("ISE_MNT_PASS", "hunter2"),
];

#[test]
fn each_setting_from_the_nearest_layer() {
    let variables = [
        "ISE_MNT_FQDN",
        "ISE_MNT_IP",
        "ISE_PAN_FQDN",
        "ISE_PAN_IP",
        "ISE_HOST",
    ];
    let profile = "mnt_host = 'from-profile'";
    for (first, name) in variables.iter().enumerate() {
        let set: Vec<(&'static str, &str)> = variables[first..]
            .iter()
            .map(|name| (*name, "a-host"))
            .collect();
        let row = Case::new(profile, &set).row("mnt-host");
        assert_eq!(row.value, "a-host");
        assert_eq!(row.source, format!("environment {name}"));
    }
    let flagged = Case::new(profile, &[("ISE_MNT_FQDN", "x")])
        .flags(|flags| flags.mnt_host = Some("typed".to_owned()));
    assert_eq!(flagged.row("mnt-host").source, "flag --mnt-host");
    let row = Case::new(profile, &[("ISE_MNT_FQDN", "")]).row("mnt-host");
    assert_eq!(
        (row.value.as_str(), row.source.as_str()),
        ("from-profile", "profile lab: mnt_host")
    );
    let row = case(&[]).row("mnt-host");
    assert_eq!(row.value, "");
    assert_eq!(
        row.source,
        "unset: --mnt-host, ISE_MNT_FQDN, ISE_MNT_IP, ISE_PAN_FQDN, ISE_PAN_IP, ISE_HOST, profile mnt_host"
    );
}

#[test]
fn orders_of_the_other_lists() {
    for (setting, order) in [
        ("mnt-port", &["ISE_MNT_PORT"][..]),
        ("cacert (mnt)", &["ISE_CA_CERT", "ISE_MTLS_CA"]),
        (
            "cacert (pxgrid)",
            &["PXGRID_CA", "ISE_MTLS_CA", "ISE_CA_CERT"],
        ),
        (
            "pxgrid-host",
            &["ISE_PXGRID_HOST", "ISE_PAN_FQDN", "ISE_PAN_IP"],
        ),
        ("pxgrid-port", &["ISE_PXGRID_PORT"]),
        (
            "client-name",
            &["ISE_PXGRID_CLIENT_NAME", "ISE_PXGRID_CLIENT"],
        ),
        ("cert", &["PXGRID_CERT", "ISE_MTLS_CERT"]),
        ("key-password", &["PXGRID_KEY_PASSWORD"]),
        ("client-password", &["ISE_PXGRID_PASSWORD"]),
        ("resolve", &["NETAPI_RESOLVE"]),
        ("no-proxy", &["no_proxy", "NO_PROXY"]),
        ("proxy-cacert", &["NETAPI_PROXY_CA"]),
        ("insecure", &["NETAPI_INSECURE"]),
        ("read-only", &["NETAPI_READ_ONLY"]),
    ] {
        for (first, name) in order.iter().enumerate() {
            let set: Vec<(&'static str, &str)> =
                order[first..].iter().map(|name| (*name, "1")).collect();
            assert_eq!(
                case(&set).row(setting).source,
                format!("environment {name}"),
                "{setting}"
            );
        }
    }
}

#[test]
fn defaults() {
    let mnt = case(&MNT).settings().mnt().unwrap();
    assert_eq!(mnt.node.url(""), "https://mnt:443");
    let connection = mnt.connection;
    assert_eq!(connection.connect_timeout, Duration::from_secs(10));
    assert_eq!(connection.timeout, Duration::from_mins(1));
    assert!(connection.verify_hostname && !connection.insecure && !connection.read_only);
    assert!(connection.ca.is_none() && connection.pin_sha256.is_none());
    assert!(connection.overrides.is_empty() && connection.warnings.is_empty());
    let pxgrid = case(&[("ISE_PXGRID_HOST", "a, b:8911 ,[::1],")])
        .settings()
        .pxgrid()
        .unwrap();
    let nodes: Vec<String> = pxgrid.nodes.iter().map(ToString::to_string).collect();
    assert_eq!(nodes, ["a:8910", "b:8911", "[::1]:8910"]);
    assert!(
        pxgrid.certificate.is_none()
            && pxgrid.client_name.is_none()
            && pxgrid.account_password.is_none()
    );
}

#[test]
fn a_whole_profile() {
    let case = Case::new(
        "mnt_host='m'\nmnt_port=9443\nmnt_user='pu'\nmnt_password_command=['echo','ps']\npxgrid_hosts=['a','b']\npxgrid_port=9910\nclient_name='n'\ncert='c.pem'\nkey='~/k.pem'\nkey_password_command=['echo','kp']\nclient_password_command=['echo','cp']\ncacert='/ca.pem'\nverify_hostname=false\nresolve=['a:1:b','c:2:d']\nconnect_timeout='3s'\ntimeout='2m'\nread_only=true",
        &[],
    );
    let settings = case.settings();
    assert_eq!(case.credentials().unwrap(), pair("pu", "ps"));
    let pxgrid = settings.pxgrid().unwrap();
    assert_eq!(pxgrid.nodes.len(), 2);
    assert_eq!(pxgrid.nodes[1].to_string(), "b:9910");
    assert_eq!(pxgrid.client_name.as_deref(), Some("n"));
    assert_eq!(
        pxgrid.certificate.unwrap(),
        case.directory.path().join("config/netapi/c.pem")
    );
    assert_eq!(pxgrid.key.unwrap(), case.directory.path().join("k.pem"));
    assert_eq!(pxgrid.key_password.unwrap().expose_secret(), "kp");
    assert_eq!(pxgrid.account_password.unwrap().expose_secret(), "cp");
    let connection = pxgrid.connection;
    assert_eq!(connection.ca.as_deref(), Some(Path::new("/ca.pem")));
    let overrides: Vec<String> = connection
        .overrides
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(overrides, ["a:1:b", "c:2:d"]);
    assert_eq!(connection.connect_timeout, Duration::from_secs(3));
    assert_eq!(connection.timeout, Duration::from_mins(2));
    assert!(!connection.verify_hostname && connection.read_only);
    assert!(settings.read_only().unwrap());
    assert_eq!(settings.profile(), Some("lab"));
}

#[test]
fn credentials_in_order_and_whole() {
    let all = [
        ("ISE_MNT_FQDN", "h"),
        ("ISE_MNT_USER", "a"),
        ("ISE_MNT_PASS", "1"),
        ("ISE_API_USER", "b"),
        ("ISE_API_PASS", "2"),
        ("ISE_USER", "c"),
        ("ISE_PASS", "3"),
    ];
    let profile = "mnt_user='p'\npassword_command=['echo','4']";
    assert_eq!(
        Case::new(profile, &all).credentials().unwrap(),
        pair("a", "1")
    );
    let without = |first: usize| [&all[..1], &all[first..]].concat();
    assert_eq!(
        Case::new(profile, &without(3)).credentials().unwrap(),
        pair("b", "2")
    );
    assert_eq!(
        Case::new(profile, &without(5)).credentials().unwrap(),
        pair("c", "3")
    );
    assert_eq!(
        Case::new(profile, &without(7)).credentials().unwrap(),
        pair("p", "4")
    );
}

#[test]
fn half_a_pair_names_both_halves() {
    for (user, password) in table::MNT_PAIRS {
        for (set, unset) in [(user, password), (password, user)] {
            let case = case(&[("ISE_MNT_FQDN", "h"), (set, "hunter2"), (unset, "")]);
            let error = case.credentials().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(
                error.message().contains(set) && error.message().contains(unset),
                "{error}"
            );
            assert!(!format!("{error:?}").contains("hunter2"));
            assert!(case.row("password").problem.unwrap().contains(unset));
        }
    }
    // A half before a whole pair is still a half; one behind it is never looked at.
    let before = [
        ("ISE_MNT_FQDN", "h"),
        ("ISE_MNT_USER", "a"),
        ("ISE_API_USER", "b"),
        ("ISE_API_PASS", "2"),
    ];
    assert!(case(&before).credentials().is_err());
    let behind = [
        ("ISE_MNT_FQDN", "h"),
        ("ISE_API_USER", "b"),
        ("ISE_API_PASS", "2"),
        ("ISE_USER", "c"),
    ];
    assert_eq!(case(&behind).credentials().unwrap(), pair("b", "2"));
    let profile = Case::new("password_command=['echo','x']", &[("ISE_MNT_FQDN", "h")]);
    let error = profile.credentials().unwrap_err();
    assert!(
        error.message().contains("mnt_user") && error.message().contains("mnt_password_command")
    );
}

#[test]
fn a_user_without_password_is_asked_for_it_on_a_terminal() {
    let on_terminal = |variables: &[(&'static str, &str)], no_input| {
        let environment = Environment::from_list(variables.iter().copied()).with_terminal();
        let flags = Flags {
            no_input,
            ..Flags::default()
        };
        let rows = Settings::resolve(flags, environment).rows();
        rows.into_iter().find(|row| row.setting == "password")
    };
    for (user, password) in table::MNT_PAIRS {
        let asked = on_terminal(&[(user, "u")], false).unwrap();
        assert_eq!(asked.source, "asked for on the terminal");
        assert_eq!(asked.problem, None);
        let forbidden = on_terminal(&[(user, "u")], true).unwrap();
        assert!(forbidden.problem.unwrap().contains(password));
        let nobody = on_terminal(&[(password, "hunter2")], false).unwrap();
        assert!(nobody.problem.unwrap().contains(user));
    }
}

#[test]
fn halves_from_two_places_make_no_pair() {
    let mixed = case(&[("ISE_MNT_FQDN", "h"), ("ISE_MNT_USER", "bob")])
        .env_file("ISE_MNT_USER=alice\nISE_MNT_PASS=hunter2\n");
    assert_eq!(mixed.credentials().unwrap_err().kind(), Kind::Usage);
    let certificates = case(&[("ISE_PXGRID_HOST", "h"), ("PXGRID_CERT", "/a")])
        .env_file("PXGRID_CERT=/b\nPXGRID_KEY=/k\n");
    let pxgrid = certificates.settings().pxgrid().unwrap();
    assert_eq!(pxgrid.certificate.as_deref(), Some(Path::new("/a")));
    assert!(pxgrid.key.is_none());
}

#[test]
fn the_environment_wins_over_the_env_file() {
    let case = case(&[("ISE_MNT_FQDN", "process")])
        .env_file("export ISE_MNT_FQDN=file\nISE_MNT_PORT='9443'\nISE_USER=u\nISE_PASS='p w'\n");
    let mnt = case.settings().mnt().unwrap();
    assert_eq!(mnt.node.to_string(), "process:9443");
    assert_eq!(case.credentials().unwrap(), pair("u", "p w"));
    assert!(
        case.row("mnt-port")
            .source
            .ends_with("ise.env: ISE_MNT_PORT")
    );
}

#[test]
fn users_and_password_files_given_by_flag() {
    let profile = "mnt_user='p'\npassword_command=['echo','4']";
    let case = Case::new(profile, &MNT);
    let file = case.file("password", "typed\n");
    let with_file = |case: Case| case.flags(|flags| flags.password_file = Some(file.clone()));
    let with_user =
        |case: Case, user: &str| case.flags(|flags| flags.mnt_user = Some(user.to_owned()));
    // The temporary directory of `case` must live while its file is read.
    let keep = case;
    assert_eq!(
        with_file(Case::new(profile, &MNT)).credentials().unwrap(),
        pair("u", "typed")
    );
    assert_eq!(
        with_file(Case::new(profile, &MNT[..1]))
            .credentials()
            .unwrap(),
        pair("p", "typed")
    );
    assert_eq!(
        with_user(with_file(Case::new(profile, &MNT)), "x")
            .credentials()
            .unwrap(),
        pair("x", "typed")
    );
    assert_eq!(
        with_user(Case::new(profile, &MNT), "u")
            .credentials()
            .unwrap(),
        pair("u", "hunter2")
    );
    assert_eq!(
        with_user(Case::new(profile, &MNT), "p")
            .credentials()
            .unwrap(),
        pair("p", "4")
    );
    // Nobody's password is sent for another user: it would be asked for, and here is no terminal.
    let error = with_user(Case::new(profile, &MNT), "x")
        .credentials()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.message().starts_with("Password of x is missing"));
    let error = with_file(Case::new("", &MNT[..1]))
        .credentials()
        .unwrap_err();
    assert!(error.message().contains("no user"));
    let colon = with_user(with_file(Case::new("", &MNT[..1])), "a:b");
    assert!(colon.credentials().is_err());
    drop(keep);
}

#[test]
fn a_missing_host_says_what_to_do() {
    let error = case(&MNT[1..]).settings().mnt().unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let hint = error.hint_text().unwrap();
    for word in [
        "--mnt-host",
        "ISE_MNT_FQDN",
        "netapi config init",
        "netapi ise lab run -- ",
    ] {
        assert!(hint.contains(word), "{hint}");
    }
    let error = case(&[]).settings().pxgrid().unwrap_err();
    assert!(error.hint_text().unwrap().contains("ISE_PXGRID_HOST"));
    let error = case(&MNT[..1]).settings().mnt().unwrap_err();
    assert!(error.hint_text().unwrap().contains("ISE_MNT_USER"));
}

#[test]
fn a_password_file_open_to_others_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::new("mnt_user='p'\npassword_file='pw'", &MNT[..1]);
    let path = case.file("config/netapi/pw", "s\n");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let mnt = case.settings().mnt().unwrap();
    assert_eq!(mnt.password.expose_secret(), "s");
    assert!(mnt.connection.warnings[0].contains("chmod 600"));
}

#[test]
fn no_secret_is_ever_shown() {
    let secret = "hunter2";
    let case = case(&[
        ("ISE_MNT_FQDN", "https://u:hunter2@ise/"),
        ("ISE_MNT_USER", "u"),
        ("ISE_MNT_PASS", secret),
        ("ISE_PXGRID_HOST", "h"),
        ("ISE_PXGRID_PASSWORD", secret),
        ("PXGRID_KEY_PASSWORD", secret),
    ]);
    let settings = case.settings();
    let shown = format!(
        "{:?}{:?}{:?}",
        settings.rows(),
        settings.mnt().err(),
        settings.pxgrid()
    );
    assert!(!shown.contains(secret), "{shown}");
    let row = case.row("password");
    assert_eq!(
        (row.value.as_str(), row.source.as_str()),
        ("****", "environment ISE_MNT_PASS")
    );
    assert!(case.row("mnt-host").problem.unwrap().contains("write ise"));
}
