//! `--nats-creds` against a server in operator mode: the file that `nsc` writes, with an account's
//! token for the user and the user's seed. Tokens are made here as NATS has them: JWT whose
//! signatures are nkeys.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::support::lab;
use crate::support::nats::{JETSTREAM, Servers, secret_file, server};
use crate::support::stderr;

/// A token: `about` is whom it says something of, what it says is `nats`, and `issuer` signs it.
fn token(issuer: &KeyPair, about: &KeyPair, name: &str, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = encode(&json!({
        "jti": about.public_key(),
        "iat": jiff::Timestamp::now().as_second(),
        "iss": issuer.public_key(),
        "sub": about.public_key(),
        "name": name,
        "nats": nats,
    }));
    let signed = format!("{head}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// No limits, but for the store of an account that has one.
fn account(store: i64) -> Value {
    json!({
        "type": "account", "version": 2,
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1, "mem_storage": store, "disk_storage": store, "streams": store,
            "consumer": store,
        },
        "default_permissions": { "pub": {}, "sub": {} },
    })
}

struct Operator {
    /// What the server needs in its configuration.
    settings: String,
    account: KeyPair,
}

fn operator() -> Operator {
    let (operator, system, account_key) = (
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_account(),
    );
    let own = token(
        &operator,
        &operator,
        "operator",
        &json!({ "type": "operator", "version": 2 }),
    );
    let of_system = token(&operator, &system, "SYS", &account(0));
    let of_account = token(&operator, &account_key, "events", &account(-1));
    let (system, events) = (system.public_key(), account_key.public_key());
    let settings = format!(
        "{JETSTREAM}operator: {own}\nsystem_account: {system}\nresolver: MEMORY\n\
         resolver_preload: {{ {system}: {of_system}\n {events}: {of_account} }}\n"
    );
    Operator {
        settings,
        account: account_key,
    }
}

/// The credentials file of a user that this account lets in, with this in its token.
fn credentials(dir: &Path, account: &KeyPair, permissions: &Value) -> String {
    let user = KeyPair::new_user();
    let mut claims = json!({
        "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
        "pub": {}, "sub": {},
    });
    let claims_map = claims.as_object_mut().unwrap();
    claims_map.extend(permissions.as_object().unwrap().clone());
    let token = token(account, &user, "netapi", &claims);
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\
         NKEY Seed printed below can be used to sign and prove identity.\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    secret_file(dir, &user.public_key(), &text)
}

#[test]
fn a_user_of_the_account_stores_events_and_others_are_refused() {
    let operator = operator();
    let Some(server) = server(&operator.settings) else {
        return;
    };
    let lab = lab::lab();
    let dir = tempfile::tempdir().unwrap();
    let to = server.to();
    let run = |file: &str| {
        lab.pxgrid(&[
            "subscribe",
            "--topic",
            "session",
            "--snapshot",
            "--count",
            "3",
            "--to",
            &to,
            "--nats-creds",
            file,
            "--create-stream",
            "--max-bytes",
            "10M",
        ])
        .assert()
    };
    let right = credentials(dir.path(), &operator.account, &json!({}));
    let stored = run(&right).success();
    assert!(
        stderr(&stored).contains("delivered 3"),
        "{}",
        stderr(&stored)
    );

    // An account that the server does not know signed it.
    let stranger = credentials(dir.path(), &KeyPair::new_account(), &json!({}));
    let err = stderr(&run(&stranger).code(4));
    assert!(err.contains("refused the credentials"), "{err}");
    // What the token allows is no word of ours.
    let poor = json!({ "pub": { "allow": ["other.>", "$JS.API.INFO"] } });
    let poor = credentials(dir.path(), &operator.account, &poor);
    let err = stderr(&run(&poor).code(4));
    assert!(err.contains("Permissions Violation"), "{err}");
    // The token of one user, the seed of another.
    let text = std::fs::read_to_string(&right).unwrap();
    let seed = text.lines().find(|line| line.starts_with("SU")).unwrap();
    let other = KeyPair::new_user().seed().unwrap();
    let mixed = secret_file(dir.path(), "mixed", &text.replace(seed, &other));
    let err = stderr(&run(&mixed).code(4));
    assert!(err.contains("refused the credentials"), "{err}");
    assert!(!err.contains(&other), "{err}");
}
