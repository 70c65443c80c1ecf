//! Settings that contradict each other, and files that cannot be read.

use super::*;

#[test]
fn a_port_in_the_host() {
    let node = |host: &str, port: &str, flag: Option<u16>| {
        case(&[
            MNT[1],
            MNT[2],
            ("ISE_MNT_FQDN", host),
            ("ISE_MNT_PORT", port),
        ])
        .flags(|flags| flags.mnt_port = flag)
        .settings()
        .mnt()
        .map(|mnt| mnt.node.port())
    };
    assert_eq!(node("h:8443", "", None).unwrap(), 8443);
    assert_eq!(node("h:8443", "8443", None).unwrap(), 8443);
    assert_eq!(node("h:8443", "", Some(1)).unwrap(), 1);
    let error = node("h:8443", "9443", None).unwrap_err();
    assert_eq!(
        error.message(),
        "ISE_MNT_FQDN says port 8443, ISE_MNT_PORT says 9443"
    );
    let typed = case(&[MNT[1], MNT[2], ("ISE_MNT_PORT", "9443")])
        .flags(|flags| flags.mnt_host = Some("h:8443".to_owned()));
    assert_eq!(typed.settings().mnt().unwrap().node.port(), 8443);
}

#[test]
fn of_several_hosts_each_may_have_its_own_port() {
    let settings = case(&[
        ("ISE_PXGRID_HOST", "a:8911,b:8912,c"),
        ("ISE_PXGRID_PORT", "8910"),
    ])
    .settings();
    let nodes = settings.pxgrid().unwrap().nodes;
    let told: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["a:8911", "b:8912", "c:8910"]);
}

#[test]
fn insecure_against_what_checks() {
    let pin = "ab".repeat(32);
    let connection = |case: Case| case.settings().mnt().map(|mnt| mnt.connection);
    let with = |name: &'static str, value: &str| case(&[&MNT[..], &[(name, value)]].concat());
    let warned = connection(with("NETAPI_INSECURE", "1")).unwrap();
    assert!(warned.insecure && warned.warnings[0].contains("NETAPI_INSECURE"));
    // Farther away: switched off. Nearer: checked. Among variables: off.
    let off = connection(with("ISE_CA_CERT", "/ca").flags(|flags| flags.insecure = true)).unwrap();
    assert!(off.insecure && off.ca.is_none());
    let on = connection(
        with("NETAPI_INSECURE", "1").flags(|flags| flags.pin_sha256 = Some(pin.clone())),
    )
    .unwrap();
    assert!(!on.insecure && on.pin_sha256 == Some([0xab; 32]) && on.warnings.is_empty());
    let both = case(
        &[
            &MNT[..],
            &[("NETAPI_INSECURE", "yes"), ("ISE_CA_CERT", "/ca")],
        ]
        .concat(),
    );
    assert!(connection(both).unwrap().insecure);
    // Side by side: an error naming both.
    let error = connection(case(&MNT).flags(|flags| {
        flags.insecure = true;
        flags.cacert = Some("/ca".into());
    }))
    .unwrap_err();
    assert_eq!(
        error.message(),
        "--insecure and --cacert contradict each other"
    );
    let profile = Case::new(&format!("insecure=true\npin_sha256='{pin}'"), &MNT);
    assert!(
        connection(profile)
            .unwrap_err()
            .message()
            .contains("pin_sha256 of profile lab")
    );
    // The environment can say no to a profile.
    let no = Case::new(
        "insecure=true",
        &[&MNT[..], &[("NETAPI_INSECURE", "0")]].concat(),
    );
    assert!(!connection(no).unwrap().insecure);
}

#[test]
fn a_word_that_is_no_boolean_never_means_false() {
    for name in ["NETAPI_READ_ONLY", "NETAPI_INSECURE"] {
        let case = case(&[&MNT[..], &[(name, "on")]].concat());
        assert!(case.settings().mnt().unwrap_err().message().contains(name));
    }
    assert!(
        case(&[("NETAPI_READ_ONLY", "on")])
            .settings()
            .read_only()
            .is_err()
    );
    assert!(
        case(&[("NETAPI_READ_ONLY", "1")])
            .settings()
            .read_only()
            .unwrap()
    );
}

#[test]
fn certificates() {
    let error = case(&[("ISE_PXGRID_HOST", "h"), ("PXGRID_KEY", "/k")])
        .settings()
        .pxgrid()
        .unwrap_err();
    assert!(error.message().contains("PXGRID_KEY") && error.message().contains("PXGRID_CERT"));
    let error = case(&[("ISE_PXGRID_HOST", "h")])
        .flags(|flags| flags.key = Some("/k".into()))
        .settings()
        .pxgrid()
        .unwrap_err();
    assert!(error.message().contains("--key") && error.message().contains("--cert"));
    // A flag's certificate does not take a variable's key.
    let pxgrid = case(&[
        ("ISE_PXGRID_HOST", "h"),
        ("PXGRID_CERT", "/c"),
        ("PXGRID_KEY", "/k"),
    ])
    .flags(|flags| flags.cert = Some("~/id.p12".into()))
    .settings()
    .pxgrid()
    .unwrap();
    assert!(pxgrid.certificate.unwrap().ends_with("id.p12") && pxgrid.key.is_none());
}

#[test]
fn standard_input_has_one_first_line() {
    let case = case(&[("ISE_PXGRID_HOST", "h")]).flags(|flags| {
        flags.password_file = Some("-".into());
        flags.key_password_file = Some("-".into());
    });
    let error = case.settings().pxgrid().unwrap_err();
    assert!(
        error.message().contains("--password-file -")
            && error.message().contains("--key-password-file -")
    );
}

#[test]
fn broken_files_are_told_on_demand_and_shown() {
    let broken = Case::new("mnt_hots='h'", &MNT);
    let settings = broken.settings();
    let error = settings.mnt().unwrap_err();
    assert!(
        error
            .message()
            .contains("config.toml:3: unknown key mnt_hots")
    );
    assert!(settings.read_only().is_err());
    let rows = settings.rows();
    assert!(rows.iter().any(|row| {
        row.problem
            .as_ref()
            .is_some_and(|text| text.contains("mnt_hots"))
    }));
    assert!(
        rows.iter().any(|row| row.value == "mnt"),
        "the rest is still shown"
    );
    let bad = case(&MNT).env_file("A = 1");
    assert!(
        bad.settings()
            .mnt()
            .unwrap_err()
            .message()
            .contains("ise.env:1")
    );
    let unknown = Case::new("mnt_host='h'", &[("NETAPI_PROFILE", "nope")]);
    let error = unknown.settings().mnt().unwrap_err();
    assert!(error.message().ends_with("has no profile nope"));
    assert_eq!(error.hint_text(), Some("it has: lab"));
    let flag = Case::new("mnt_host='h'", &[("NETAPI_PROFILE", "nope")])
        .flags(|flags| flags.profile = Some("lab".to_owned()));
    assert_eq!(flag.row("profile").source, "flag --profile");
}

#[test]
fn no_home_is_no_trouble_until_a_profile_is_wanted() {
    let resolve = |flags| Settings::resolve(flags, Environment::from_list(MNT));
    assert!(resolve(Flags::default()).mnt().is_ok());
    assert!(resolve(Flags::default()).config_path().is_err());
    let wanted = Flags {
        profile: Some("a".to_owned()),
        ..Flags::default()
    };
    assert!(resolve(wanted).mnt().is_err());
}

#[test]
fn rows_tell_contradictions_once() {
    let case = case(&[
        ("ISE_MNT_FQDN", "h:1"),
        ("ISE_MNT_PORT", "2"),
        ("ISE_PXGRID_PORT", "x"),
    ])
    .flags(|flags| {
        flags.insecure = true;
        flags.cacert = Some("/ca".into());
    });
    let problems: Vec<String> = case
        .settings()
        .rows()
        .into_iter()
        .filter_map(|row| row.problem)
        .collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().any(|text| text.contains("says port 1")));
    assert!(
        problems
            .iter()
            .any(|text| text.contains("--insecure and --cacert"))
    );
    assert!(
        problems
            .iter()
            .any(|text| text.contains("ISE_PXGRID_PORT is no port"))
    );
}
