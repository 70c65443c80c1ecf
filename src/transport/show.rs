//! A request as text: for people (`--dry-run`), for a shell (`--curl`), and one line for the log
//! (`--trace`).
//!
//! Pure functions that send nothing. No password is ever in the text: curl asks for it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::dial::Override;
use super::proxy::Proxy;
use super::request::{Method, Request};
use crate::sanitize::{json_safe, terminal_safe};

/// What of the client's options a curl command needs.
#[derive(Debug, Clone, Default)]
pub struct CurlOptions {
    /// The CA bundle.
    pub ca: Option<PathBuf>,
    /// The client certificate's file, and the key's if it is another.
    pub identity_files: Option<(PathBuf, Option<PathBuf>)>,
    /// Name overrides.
    pub overrides: Vec<Override>,
    /// The proxy, where one stands before the host.
    pub proxy: Option<Proxy>,
    /// There is a proxy, but not for this host.
    pub no_proxy: bool,
    /// `--insecure`.
    pub insecure: bool,
    /// A certificate is pinned, or the host name not checked: curl has no option for either.
    pub beyond_curl: bool,
}

impl Method {
    /// The method's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The request as it would go out, one header a line, the password masked; ends in a line feed.
pub fn plain(request: &Request) -> String {
    let mut text = format!(
        "{} {}\n",
        request.method.name(),
        terminal_safe(&request.url)
    );
    let _ = writeln!(text, "Accept: {}", request.accept);
    if let Some(basic) = &request.basic {
        let _ = writeln!(
            text,
            "Authorization: Basic **** (user {})",
            terminal_safe(&basic.user)
        );
    }
    if let Some(json) = &request.json {
        let body = String::from_utf8_lossy(json);
        // The same value, and nothing in it that could steer the terminal.
        let body = json_safe(&body);
        let _ = writeln!(text, "Content-Type: application/json\n\n{body}");
    }
    text
}

/// A curl command that does the same and can be pasted into a POSIX shell; ends in a line feed.
pub fn curl(request: &Request, options: &CurlOptions) -> String {
    let mut words = vec!["curl".to_owned()];
    let mut option = |name: &str, value: &str| {
        words.push(name.to_owned());
        words.push(quote(value));
    };
    match (request.method, &request.json) {
        (Method::Get, None) | (Method::Post, Some(_)) => {}
        (method, _) => option("--request", method.name()),
    }
    option("--header", &format!("Accept: {}", request.accept));
    if let Some(basic) = &request.basic {
        option("--user", &basic.user);
    }
    if let Some(ca) = &options.ca {
        option("--cacert", &path(ca));
    }
    if let Some((certificate, key)) = &options.identity_files {
        // curl splits FILE:PASSWORD at a colon unless it is escaped, and takes a backslash as that
        // escape.
        let escaped = path(certificate).replace('\\', "\\\\").replace(':', "\\:");
        option("--cert", &escaped);
        if let Some(key) = key {
            option("--key", &path(key));
        }
    }
    for entry in &options.overrides {
        option("--resolve", &entry.to_string());
    }
    if let Some(proxy) = &options.proxy {
        option("--proxy", &proxy.address().to_string());
        if let Some(login) = &proxy.address().login {
            option("--proxy-user", &login.user);
        }
        if let Some(ca) = proxy.ca() {
            option("--proxy-cacert", &path(ca));
        }
    } else if options.no_proxy {
        option("--noproxy", "*");
    }
    if let Some(json) = &request.json {
        option("--header", "Content-Type: application/json");
        option("--data-raw", &json_safe(&String::from_utf8_lossy(json)));
    }
    if options.insecure {
        words.push("--insecure".to_owned());
    }
    // Without it curl reads these characters as patterns.
    if request.url.contains(['[', ']', '{', '}']) {
        words.push("--globoff".to_owned());
    }
    words.push("--compressed".to_owned());
    words.push(quote(&request.url));
    let mut text = words.join(" ");
    text.push('\n');
    if options.beyond_curl {
        text.insert_str(
            0,
            "# curl cannot pin a certificate or leave out the name check alone: it needs the right --cacert, or --insecure\n",
        );
    }
    text
}

fn path(path: &Path) -> String {
    // A path that begins with a hyphen would still be read as a value; one that is no UTF-8 cannot
    // be shown exactly.
    path.to_string_lossy().into_owned()
}

/// One word for a POSIX shell. NUL cannot be in a word and is left out.
pub fn quote(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':' | '=' | '%');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let inside = word.replace('\0', "").replace('\'', "'\\''");
    format!("'{inside}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::proxy::ProxyOptions;
    use crate::transport::{Basic, Effect};
    use proptest::prelude::*;
    use std::process::Command;

    fn request() -> Request {
        Request {
            method: Method::Post,
            url: "https://ise.test:8910/pxgrid/control/ServiceLookup".to_owned(),
            accept: "application/json",
            basic: Some(Basic {
                user: "o'brien".to_owned(),
                password: "hunter2".into(),
            }),
            json: Some(b"{\"name\":\"it's\"}".to_vec()),
            effect: Effect::Read,
        }
    }

    fn proxy(url: &str) -> Proxy {
        Proxy::new(ProxyOptions {
            address: url.parse().unwrap(),
            source: "environment HTTPS_PROXY".to_owned(),
            except: Vec::new(),
            ca: None,
        })
        .unwrap()
    }

    #[test]
    fn neither_text_has_the_password() {
        let plain = plain(&request());
        assert!(plain.starts_with("POST https://ise.test:8910/pxgrid/control/ServiceLookup\n"));
        assert!(plain.contains("Authorization: Basic ****"), "{plain}");
        assert!(plain.ends_with("\n\n{\"name\":\"it's\"}\n"), "{plain}");
        let curl = curl(&request(), &CurlOptions::default());
        assert!(curl.contains("--user 'o'\\''brien'"), "{curl}");
        for text in [plain, curl] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn curl_gets_files_overrides_and_switches() {
        let options = CurlOptions {
            ca: Some("/my ca.pem".into()),
            identity_files: Some(("/c:1.pem".into(), Some("/k.pem".into()))),
            overrides: vec!["ise.test:8910:[::1]".parse().unwrap()],
            proxy: Some(proxy("http://kim:hunter2@p:3128")),
            insecure: true,
            beyond_curl: false,
            ..CurlOptions::default()
        };
        let text = curl(&request(), &options);
        for part in [
            "--cacert '/my ca.pem'",
            "--cert '/c\\:1.pem' --key /k.pem",
            "--resolve 'ise.test:8910:[::1]'",
            "--proxy http://p:3128 --proxy-user kim",
            "--insecure",
            "--data-raw '{\"name\":\"it'\\''s\"}'",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        let options = CurlOptions {
            no_proxy: true,
            ..CurlOptions::default()
        };
        let text = curl(&request(), &options);
        assert!(text.contains("--noproxy '*'"), "{text}");
    }

    #[test]
    fn a_change_by_delete_names_its_method() {
        let delete = Request {
            method: Method::Delete,
            json: None,
            url: "https://[::1]/x".to_owned(),
            ..request()
        };
        let text = curl(&delete, &CurlOptions::default());
        assert!(text.contains("--request DELETE"), "{text}");
        assert!(
            text.contains("--globoff --compressed 'https://[::1]/x'"),
            "{text}"
        );
    }

    #[test]
    fn a_shown_body_has_its_value_and_steers_nothing() {
        let request = Request {
            json: Some("{\"name\":\"a\u{9b}31m\u{202e}\"}".as_bytes().to_vec()),
            ..request()
        };
        for text in [plain(&request), curl(&request, &CurlOptions::default())] {
            assert!(text.contains("{\"name\":\"a\\u009b31m\\u202e\"}"), "{text}");
        }
    }

    fn shell(words: &str) -> Vec<u8> {
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("printf '%s\\n' {words}"))
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shell_gives_every_quoted_word_back(words in prop::collection::vec("[^\\x00]{0,30}", 1..4)) {
            let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
            let expected: String = words.iter().flat_map(|word| [word.as_str(), "\n"]).collect();
            prop_assert_eq!(shell(&quoted.join(" ")), expected.into_bytes());
        }

        #[test]
        fn shell_syntax_stays_data(word in "[$`'\"\\\\;&|<>(){}!*? \t\n~#%=-]{0,24}") {
            let mut expected = word.clone().into_bytes();
            expected.push(b'\n');
            prop_assert_eq!(shell(&quote(&word)), expected);
        }
    }
}
