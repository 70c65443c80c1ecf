//! A headless Chromium, driven over its DevTools protocol: pages are opened, looked into, and what
//! they logged or asked for is told. Nothing of it is left when it is dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// How long an answer may take, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_mins(1);
/// What Debian and others call it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

pub(crate) struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    number: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None` where there is none, which is said.
    pub(crate) fn start() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = NAMES
            .iter()
            .find(|name| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
        let Some(name) = found else {
            super::skipped("there is no Chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(name)
            .args([
                "--headless=new",
                // Tests run as root in containers, where its sandbox has no user namespace.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap();
            if let Some(address) = line.trim().strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
            said.push_str(&line);
            assert!(read > 0, "{name} ended: {said}");
        };
        // It goes on saying things, which nobody wants to know.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let host = address.strip_prefix("ws://").unwrap();
        let stream = TcpStream::connect(host.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(address.as_str(), stream).unwrap();
        let mut browser = Self {
            child,
            socket,
            session: None,
            number: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.call(
            "Target.attachToTarget",
            &json!({"targetId": target["targetId"], "flatten": true}),
        );
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Runtime", "Log", "Network", "Page"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// One command's result; events that come meanwhile are kept.
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut command = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.socket
            .send(Message::text(command.to_string()))
            .unwrap();
        loop {
            let message = self.next();
            if message["id"] == self.number {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn next(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Opens a file in a window of this width and waits until it is loaded.
    pub(crate) fn open(&mut self, file: &Path, width: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", &json!({"url": url}));
        let is_loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(is_loaded) {
            let event = self.next();
            self.events.push(event);
        }
    }

    /// Lays the open page out as for paper of this width, in CSS pixels.
    pub(crate) fn lay_out_for_paper(&mut self, width: u32) {
        self.call("Emulation.setEmulatedMedia", &json!({"media": "print"}));
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// How many sheets the open page is, printed as it wishes.
    pub(crate) fn printed_pages(&mut self) -> usize {
        let options = json!({"preferCSSPageSize": true, "printBackground": true});
        let pdf = self.call("Page.printToPDF", &options);
        let pdf = STANDARD.decode(pdf["data"].as_str().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        // `/Type /Pages` is the tree that holds them.
        text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &parameters);
        let error = &answer["exceptionDetails"];
        assert!(error.is_null(), "{expression}: {error}");
        answer["result"]["value"].clone()
    }

    /// What the page logged or threw, and what it asked for beside itself, since it was opened.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.events.iter().filter(|event| {
            let method = event["method"].as_str().unwrap_or_default();
            let request = &event["params"]["request"]["url"];
            match method {
                "Network.requestWillBeSent" => {
                    event["params"]["type"] != "Document" || request.to_string().contains("http")
                }
                "Runtime.consoleAPICalled"
                | "Runtime.exceptionThrown"
                | "Log.entryAdded"
                | "Page.javascriptDialogOpening" => true,
                _ => false,
            }
        });
        told.map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes; where it does not, it is ended.
        let close = json!({"id": 0, "method": "Browser.close"});
        let _ = self.socket.send(Message::text(close.to_string()));
        while self.socket.read().is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
