//! A lab of its own for each test, in this process, and the program pointed at it.

use assert_cmd::Command;
use netapi::testing::lab::{Lab, LabOptions, RequestEntry, RunningLab};

use super::running::Running;

/// A running lab.
pub(crate) struct TestLab {
    lab: RunningLab,
}

/// The lab as it is without options.
pub(crate) fn lab() -> TestLab {
    with(LabOptions::default())
}

/// A lab in which these faults are injected.
pub(crate) fn faulty(faults: &[&str]) -> TestLab {
    with(LabOptions {
        faults: faults
            .iter()
            .map(|text| text.parse().expect("a fault's name"))
            .collect(),
        ..LabOptions::default()
    })
}

/// A lab with these options.
pub(crate) fn with(options: LabOptions) -> TestLab {
    let lab = Lab::spawn_in_thread(options).expect("the lab starts");
    TestLab { lab }
}

impl TestLab {
    /// `netapi ise mnt …`, pointed at this lab.
    pub(crate) fn mnt(&self, arguments: &[&str]) -> Command {
        let mut command = self.netapi();
        command.args(["ise", "mnt"]).args(arguments);
        command
    }

    /// `netapi`, pointed at this lab.
    pub(crate) fn netapi(&self) -> Command {
        let mut command = super::netapi();
        command.envs(self.lab.environment());
        command
    }

    /// `netapi ise mnt …` as a plain process, pointed at this lab.
    pub(crate) fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = super::process();
        command
            .envs(self.lab.environment())
            .args(["ise", "mnt"])
            .args(arguments);
        command
    }

    /// `netapi ise pxgrid …`, pointed at this lab.
    pub(crate) fn pxgrid(&self, arguments: &[&str]) -> Command {
        let mut command = self.netapi();
        command.args(["ise", "pxgrid"]).args(arguments);
        command
    }

    /// `netapi ise pxgrid …`, running beside the test.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = super::process();
        command
            .envs(self.lab.environment())
            .args(["ise", "pxgrid"])
            .args(arguments);
        Running::start(command)
    }

    /// `netapi ise pxgrid subscribe --topic TOPIC …`, running beside the test and subscribed.
    pub(crate) fn subscribed(&self, topic: &str, more: &[&str]) -> Running {
        let running = self.start(&[&["subscribe", "--topic", topic], more].concat());
        running.says("subscribed");
        running
    }

    /// The variables that make a subscriber the second pxGrid client.
    pub(crate) fn second_member(&self) -> [(&'static str, String); 3] {
        [
            ("ISE_PXGRID_CLIENT_NAME", "ISE_PXGRID_CLIENT_NAME_2"),
            ("PXGRID_CERT", "PXGRID_CERT_2"),
            ("PXGRID_KEY", "PXGRID_KEY_2"),
        ]
        .map(|(ours, theirs)| (ours, self.variable(theirs)))
    }

    /// Any command, running beside the test in an environment that points at this lab.
    pub(crate) fn start_command(&self, mut command: std::process::Command) -> Running {
        let ours = super::process();
        let ours = ours.get_envs();
        command
            .env_clear()
            .envs(ours.filter_map(|(name, value)| Some((name, value?))))
            .envs(self.lab.environment());
        Running::start(command)
    }

    /// Any command of the program, running beside the test, with these variables as well.
    pub(crate) fn start_netapi(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut command = super::process();
        command
            .args(arguments)
            .envs(self.lab.environment())
            .envs(variables.iter().copied());
        Running::start(command)
    }

    /// `netapi ise pxgrid …`, by a shell that does `first` and then becomes the program.
    pub(crate) fn start_after(&self, first: &str, arguments: &[&str]) -> Running {
        let program = super::process();
        let mut command = std::process::Command::new("/bin/sh");
        command
            .args(["-c", &format!("{first}; exec \"$0\" ise pxgrid \"$@\"")])
            .arg(program.get_program())
            .args(arguments)
            .stdin(std::process::Stdio::null());
        self.start_command(command)
    }

    /// The program on a terminal of its own, with these variables as well. `None` where there is no
    /// way to have one.
    pub(crate) fn on_terminal(
        &self,
        arguments: &[&str],
        variables: &[(&str, std::ffi::OsString)],
    ) -> Option<super::terminal::Terminal> {
        let program = super::process();
        let ours = program.get_envs();
        let ours = ours.filter_map(|(name, value)| {
            Some((name.to_string_lossy().into_owned(), value?.to_owned()))
        });
        let lab = self.lab.environment().into_iter();
        let lab = lab.map(|(name, value)| (name.to_owned(), value.into()));
        let path = std::env::var_os("PATH").map(|path| ("PATH".to_owned(), path));
        let more = variables.iter();
        let more = more.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let terminal = ("TERM".to_owned(), "xterm".into());
        let environment = ours.chain(path).chain([terminal]).chain(lab).chain(more);
        let program = program.get_program().to_string_lossy().into_owned();
        super::terminal::Terminal::start(&program, arguments, environment)
    }

    /// An order to the running lab, as `lab up` takes them.
    pub(crate) fn order(&self, line: &str) {
        self.lab.order(line).expect("an order");
    }

    /// Its certificates, for servers that a test puts beside it.
    pub(crate) fn certificates(&self) -> &netapi::testing::lab::certificates::Certificates {
        self.lab.certificates()
    }

    /// What was published.
    pub(crate) fn event_log(&self) -> Vec<netapi::testing::lab::Event> {
        self.lab.events().event_log()
    }

    /// Waits until that many subscriptions of a topic have reached the lab: "subscribed" is said
    /// when the frame is on its way.
    pub(crate) fn listened_to(&self, topic: &str, times: usize) {
        let frame = format!("SUBSCRIBE {topic}");
        super::wait_for(&frame, || {
            let requests = self.requests();
            requests.iter().filter(|line| **line == frame).count() >= times
        });
    }

    /// Publishes on a topic that somebody subscribed to.
    pub(crate) fn publish(&self, topic: &str, body: &serde_json::Value) {
        self.listened_to(topic, 1);
        self.lab.events().publish(topic, body);
    }

    /// `localhost:PORT`, as messages name it.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.variable("ISE_MNT_PORT"))
    }

    /// What arrived, as `METHOD path`, oldest first.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.entries()
            .iter()
            .map(|entry| format!("{} {}", entry.method, entry.path))
            .collect()
    }

    /// What arrived, in full.
    pub(crate) fn entries(&self) -> Vec<RequestEntry> {
        self.lab.requests()
    }

    /// The variables that point at this lab.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.lab.environment()
    }

    /// One of the lab's variables.
    pub(crate) fn variable(&self, name: &str) -> String {
        let found = self
            .lab
            .environment()
            .into_iter()
            .find(|(known, _)| *known == name);
        found.expect("a variable of the lab").1
    }
}
