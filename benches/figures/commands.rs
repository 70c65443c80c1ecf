//! Runs whole commands and takes their time or their memory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::server::Server;

/// One command, ready to be run many times.
pub(crate) struct Run {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    output: Option<PathBuf>,
    /// The exit status that is success.
    status: i32,
    /// Whether its words on standard error are thrown away.
    silent: bool,
    /// What is removed before each run.
    forgotten: Option<PathBuf>,
}

/// Times in seconds.
pub(crate) struct Times {
    pub(crate) best: f64,
    pub(crate) mean: f64,
}

impl Run {
    /// netapi, built as releases are (`profile.bench`).
    pub(crate) fn netapi(arguments: &[&str]) -> Self {
        Self::program(Path::new(env!("CARGO_BIN_EXE_netapi")), arguments)
    }

    /// Any program.
    pub(crate) fn program(program: &Path, arguments: &[&str]) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: Vec::new(),
            output: None,
            status: 0,
            silent: false,
            forgotten: None,
        }
    }

    /// Points netapi at the server.
    pub(crate) fn against(mut self, server: &Server) -> Self {
        self.environment = [
            ("ISE_MNT_FQDN", "localhost".to_owned()),
            ("ISE_MNT_PORT", server.address.port().to_string()),
            ("ISE_MNT_USER", "admin".to_owned()),
            ("ISE_MNT_PASS", "secret".to_owned()),
            ("ISE_CA_CERT", server.ca.display().to_string()),
            (
                "NETAPI_RESOLVE",
                format!("localhost:{}:127.0.0.1", server.address.port()),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        self
    }

    /// Points netapi at the server as a pxGrid node, with a password account.
    pub(crate) fn against_pxgrid(mut self, server: &Server) -> Self {
        self.environment = [
            ("ISE_PXGRID_HOST", "localhost".to_owned()),
            ("ISE_PXGRID_PORT", server.address.port().to_string()),
            ("ISE_PXGRID_CLIENT_NAME", "bench".to_owned()),
            ("ISE_PXGRID_PASSWORD", "secret".to_owned()),
            ("PXGRID_CA", server.ca.display().to_string()),
            (
                "NETAPI_RESOLVE",
                format!("localhost:{}:127.0.0.1", server.address.port()),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        self
    }

    /// Cisco's own client for the same sessions. `None` where pxgrid-util is not installed.
    pub(crate) fn session_query_all(server: &Server) -> Option<Self> {
        let found = Command::new("session-query-all")
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.ok()?;
        let port = server.address.port().to_string();
        let ca = server.ca.display().to_string();
        let arguments = [
            "-a",
            "localhost",
            "--port",
            &port,
            "-n",
            "bench",
            "-w",
            "secret",
            "-s",
            &ca,
        ];
        Some(Self::program(Path::new("session-query-all"), &arguments))
    }

    /// Cisco's own subscriber. `None` where pxgrid-util is not installed.
    pub(crate) fn px_subscribe(server: &Server) -> Option<Self> {
        let mut run = Self::session_query_all(server)?;
        run.program = PathBuf::from("px-subscribe");
        let more = ["--subscribe", "--service", "com.cisco.ise.session"];
        run.arguments.extend(more.map(str::to_owned));
        run.arguments
            .extend(["--topic", "sessionTopic"].map(str::to_owned));
        Some(run)
    }

    /// In this environment.
    pub(crate) fn in_environment(mut self, environment: &[(String, String)]) -> Self {
        environment.clone_into(&mut self.environment);
        self
    }

    /// Without what an earlier run left in this directory.
    pub(crate) fn forgetting(mut self, directory: &Path) -> Self {
        self.forgotten = Some(directory.to_owned());
        self
    }

    /// Without its words on standard error.
    pub(crate) fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// With its output in a file.
    pub(crate) fn into_file(mut self, file: &Path) -> Self {
        self.output = Some(file.to_owned());
        self
    }

    /// With Ctrl-C after so many seconds.
    pub(crate) fn interrupted_after(mut self, seconds: u64) -> Self {
        let program = std::mem::replace(&mut self.program, PathBuf::from("timeout"));
        let words = ["--preserve-status", "-s", "INT"].map(str::to_owned);
        let words = words
            .into_iter()
            .chain([seconds.to_string(), program.display().to_string()]);
        self.arguments.splice(0..0, words);
        self.status = 130;
        self
    }

    /// curl, throwing the document away; a path of pxGrid is posted to.
    pub(crate) fn curl(server: &Server, path: &str) -> Self {
        let url = format!("https://localhost:{}{path}", server.address.port());
        let ca = server.ca.display().to_string();
        let override_ = format!("localhost:{}:127.0.0.1", server.address.port());
        let post: &[&str] = if path.starts_with("/pxgrid/") {
            &["-X", "POST", "-d", "{}"]
        } else {
            &[]
        };
        let mut run = Self::program(
            Path::new("curl"),
            &[
                "-sf",
                "--http1.1",
                "-u",
                "admin:secret",
                "--cacert",
                &ca,
                "--resolve",
                &override_,
                "-o",
                "/dev/null",
                &url,
            ],
        );
        run.arguments
            .extend(post.iter().map(|text| (*text).to_owned()));
        run
    }

    /// What people do without netapi: `curl | xq | jq`. `None` where xq is not installed.
    pub(crate) fn pipeline(server: &Server) -> Option<Self> {
        Command::new("xq")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok()?;
        let line = format!(
            "curl -sf --http1.1 -u admin:secret --cacert '{}' --resolve localhost:{port}:127.0.0.1 https://localhost:{port}/admin/API/mnt/Session/ActiveList \
             | xq . | jq -r '.activeList.activeSession[] | [.calling_station_id, .framed_ip_address, .user_name] | @csv'",
            server.ca.display(),
            port = server.address.port()
        );
        Some(Self::program(Path::new("sh"), &["-c", &line]))
    }

    fn command(&self, program: &Path) -> Command {
        if let Some(directory) = self.forgotten.as_ref().filter(|one| one.exists()) {
            std::fs::remove_dir_all(directory).expect("the directory can be removed");
        }
        let mut command = Command::new(program);
        // No settings but ours, and nothing of what cargo adds: a user's shell has none of that,
        // and every process would pay for it.
        let strange = ["ISE_", "PXGRID_", "NETAPI_", "CARGO", "RUST", "LD_LIBRARY"];
        for (name, _) in std::env::vars()
            .filter(|(name, _)| strange.iter().any(|strange| name.starts_with(strange)))
        {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = self.output.as_ref();
        let output = output.map(|file| std::fs::File::create(file).expect("the file can be made"));
        command
            .stdin(Stdio::null())
            .stdout(output.map_or_else(Stdio::null, Stdio::from));
        if self.silent {
            command.stderr(Stdio::null());
        }
        command
    }

    /// Starts it.
    pub(crate) fn spawn(&self) -> Child {
        self.command(&self.program)
            .args(&self.arguments)
            .spawn()
            .expect("the command starts")
    }

    /// Wall time of one run, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        let began = Instant::now();
        let status = self
            .command(&self.program)
            .args(&self.arguments)
            .status()
            .expect("the command starts");
        assert!(
            status.success(),
            "{} {:?}: {status}",
            self.program.display(),
            self.arguments
        );
        began.elapsed().as_secs_f64()
    }

    /// Peak resident memory of one run, by GNU time.
    pub(crate) fn peak_mebibytes(&self) -> f64 {
        let output = self
            .command(Path::new("/usr/bin/time"))
            .args(["-f", "%M"])
            .arg(&self.program)
            .args(&self.arguments)
            .stderr(Stdio::piped())
            .output()
            .expect("GNU time is installed");
        assert!(
            output.status.code() == Some(self.status),
            "{:?}: {}",
            self.arguments,
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stderr);
        let kibibytes: f64 = text
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .parse()
            .expect("GNU time prints kibibytes");
        kibibytes / 1024.0
    }
}

/// Runs both in turn, so that whatever else the machine does hits both.
pub(crate) fn best_of(rounds: u32, ours: &Run, theirs: &Run) -> (Times, Times) {
    let mut times = (Vec::new(), Vec::new());
    ours.seconds();
    theirs.seconds();
    for _ in 0..rounds {
        times.0.push(ours.seconds());
        times.1.push(theirs.seconds());
    }
    (summary(&times.0), summary(&times.1))
}

fn summary(times: &[f64]) -> Times {
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    #[allow(clippy::cast_precision_loss, reason = "a count of runs")]
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Times { best, mean }
}

/// Compiles the reference for start-up: a Rust program that prints one line.
pub(crate) fn one_line_program() -> PathBuf {
    compiled("one_line", "fn main() { println!(\"netapi 0.0.0\"); }")
}

/// Compiles a small program.
pub(crate) fn compiled(name: &str, source: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = dir.join(format!("{name}.rs"));
    let program = dir.join(name);
    std::fs::write(&file, source).unwrap();
    let status = Command::new("rustc")
        .arg("-O")
        .arg("-o")
        .arg(&program)
        .arg(&file)
        .status()
        .expect("rustc is installed");
    assert!(status.success());
    program
}
