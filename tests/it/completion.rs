//! Completion in the shells themselves, each on a terminal with keys typed; where the script goes;
//! what is asked of a server, and what is not.

use std::ffi::OsString;
use std::path::Path;

use crate::support::lab::lab;
use crate::support::terminal::Terminal;
use crate::support::{netapi, stderr, stdout};

fn program_directory() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_netapi")).parent().unwrap()
}

/// A home of its own, and this program first on the path.
fn environment(home: &Path) -> Vec<(String, OsString)> {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program_directory().display());
    [
        ("HOME", home.as_os_str().to_owned()),
        ("PATH", path.into()),
        ("TERM", "xterm".into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("PS1", "ready> ".into()),
        ("HISTFILE", "/dev/null".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// What one Tab makes of `typed`, and what several show: the shell is told to print the line.
struct Shell {
    terminal: Terminal,
}

impl Shell {
    /// A shell that has run `setup` and is ready.
    fn start(program: &str, args: &[&str], setup: &str, home: &Path) -> Option<Self> {
        let mut terminal = Terminal::start(program, args, environment(home))?;
        // What is typed has the quotes, what is printed has not.
        terminal.types(&format!("{setup}; echo beg''in\n"));
        terminal.until("begin");
        Some(Self { terminal })
    }

    /// Types a line with its Tabs, and waits for what must come.
    fn shows(&mut self, typed: &str, wanted: &[&str]) -> String {
        self.terminal.types(typed);
        let mut seen = String::new();
        for one in wanted {
            seen.push_str(&self.terminal.until(one));
        }
        // The line is thrown away.
        self.terminal.types("\u{15}");
        seen
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let home = tempfile::tempdir().unwrap();
    let setup = "bind 'set bell-style none'; bind 'set completion-query-items 0'; \
                 bind 'set page-completions off'; source <(netapi completion bash)";
    let Some(mut bash) = Shell::start("bash", &["--norc", "--noprofile", "-i"], setup, home.path())
    else {
        return;
    };
    let seen = bash.shows("netapi ise mnt \t\t", &["auth-list", "watch"]);
    assert!(!seen.contains("--"), "{seen}");
    bash.shows("netapi ise mnt coa --ty\t", &["--type "]);
    bash.shows("netapi ise mnt coa -t port-b\t", &["port-bounce"]);
    bash.shows(
        "netapi ise pxgrid subscribe --topic radi\t",
        &["radius-failure"],
    );
    bash.shows("netapi ise lab run -- netapi ise mnt cou\t", &["count"]);
    // Aliases, as commands and as what they stand for.
    let alias = "netapi alias set quar ise pxgrid anc apply --policy Quarantine; \
                 netapi alias set grid ise pxgrid; netapi alias set act grid anc; echo do''ne\n";
    bash.terminal.types(alias);
    bash.terminal.until("done");
    bash.shows("netapi qu\t", &["quar "]);
    bash.shows("netapi quar --no-w\t", &["--no-wait"]);
    bash.shows("netapi grid serv\t", &["services "]);
    bash.shows("netapi act cle\t", &["clear "]);
    bash.shows("netapi grid sessions --fields macA\t", &["macAddress"]);
    bash.terminal.types("exit\n");
    let (status, _) = bash.terminal.end();
    assert!(status.success(), "{status}");
}

#[test]
fn zsh_completes_commands_with_descriptions_options_and_values() {
    let home = tempfile::tempdir().unwrap();
    let setup = "unsetopt prompt_sp auto_menu; LISTMAX=1000; autoload -Uz compinit; compinit -D -u; \
                 source <(netapi completion zsh)";
    let Some(mut zsh) = Shell::start("zsh", &["-f", "-i"], setup, home.path()) else {
        return;
    };
    let seen = zsh.shows("netapi ise mnt \t", &["How many sessions are active"]);
    assert!(!seen.contains("--mnt-host"), "{seen}");
    zsh.shows("netapi ise mnt coa --ty\t", &["--type"]);
    zsh.shows("netapi ise mnt coa -t port-b\t", &["port-bounce"]);
    zsh.shows(
        "netapi ise pxgrid subscribe --topic radi\t",
        &["radius-failure"],
    );
}

#[test]
fn fish_completes_commands_with_descriptions_options_and_values() {
    let home = tempfile::tempdir().unwrap();
    let setup = "function fish_prompt; echo 'ready> '; end; netapi completion fish | source";
    let Some(mut fish) = Shell::start("fish", &["--no-config", "-i"], setup, home.path()) else {
        return;
    };
    let seen = fish.shows("netapi ise mnt \t", &["How many sessions are active"]);
    assert!(!seen.contains("--mnt-host"), "{seen}");
    fish.shows("netapi ise mnt coa --ty\t", &["--type"]);
    fish.shows("netapi ise mnt coa -t port-b\t", &["port-bounce"]);
    fish.shows(
        "netapi ise pxgrid subscribe --topic radi\t",
        &["radius-failure"],
    );
}

/// What a script would ask: the words, the last of them typed so far.
fn offered(command: &mut assert_cmd::Command, words: &[&str]) -> Vec<String> {
    let run = command.env("COMPLETE", "fish").args(["--", "netapi"]);
    let run = run.args(words).assert().success();
    assert_eq!(stderr(&run), "");
    let lines = stdout(&run);
    lines
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_script_is_installed_where_the_shell_looks() {
    for (shell, file, more) in [
        (
            "bash",
            ".local/share/bash-completion/completions/netapi",
            "",
        ),
        ("zsh", ".zfunc/_netapi", "fpath+=(~/.zfunc)"),
        ("fish", ".config/fish/completions/netapi.fish", ""),
        (
            "powershell",
            ".local/share/netapi/completion.ps1",
            "$PROFILE",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let install = || {
            let mut command = netapi();
            command
                .env("HOME", home.path())
                .args(["completion", shell, "--install"]);
            command.assert().success()
        };
        install();
        let run = install();
        assert_eq!(stdout(&run), "");
        let text = stderr(&run);
        assert!(text.contains(file) && text.contains(more), "{text}");
        let script = std::fs::read_to_string(home.path().join(file)).unwrap();
        let printed = netapi().args(["completion", shell]).assert().success();
        assert_eq!(script, stdout(&printed));
        assert!(script.len() < 4096, "{shell}: {}", script.len());
    }
}

#[test]
fn profiles_come_from_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    std::fs::write(
        &config,
        "[profiles.campus]\n[profiles.\"a b\"]\n[profiles.branch]\n",
    )
    .unwrap();
    let words = ["--config", config.to_str().unwrap(), "--profile", ""];
    assert_eq!(offered(&mut netapi(), &words), ["branch", "campus"]);
    // What is no configuration is no profile, and no message in the middle of a line.
    std::fs::write(&config, "[profiles").unwrap();
    assert_eq!(offered(&mut netapi(), &words), [""; 0]);
}

#[test]
fn policies_come_from_pxgrid_and_are_kept_for_a_minute() {
    let lab = lab();
    let home = tempfile::tempdir().unwrap();
    let ask = |words: &[&str]| {
        let mut command = lab.netapi();
        command.env("XDG_CACHE_HOME", home.path());
        offered(&mut command, words)
    };
    let policies = || {
        let asked = lab.requests();
        let asked = asked.iter().filter(|line| line.ends_with("/getPolicies"));
        asked.count()
    };
    let words = ["ise", "pxgrid", "anc", "apply", "--policy", "Qua"];
    assert_eq!(ask(&words), ["Quarantine"]);
    assert_eq!(policies(), 1);
    assert_eq!(ask(&words), ["Quarantine"]);
    assert_eq!(policies(), 1);
    let nodes = ask(&["ise", "pxgrid", "system", "health", "--node", ""]);
    assert!(nodes.len() > 1, "{nodes:?}");
    // The Monitoring node is never asked: a wrong password there can lock an account.
    let entries = lab.requests();
    assert!(
        !entries.iter().any(|line| line.contains("/admin/API/")),
        "{entries:?}"
    );
}

/// Where there is no server, a Tab costs a moment once and says nothing.
#[test]
fn no_server_is_no_name_and_a_secret_command_is_not_run() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let ran = home.path().join("ran");
    std::fs::write(
        &config,
        format!(
            "default_profile = 'a'\n[profiles.a]\npxgrid_hosts = ['127.0.0.1:1']\n\
             client_name = 'x'\nclient_password_command = ['touch', '{}']\n",
            ran.display()
        ),
    )
    .unwrap();
    let words = ["ise", "pxgrid", "anc", "apply", "--policy", ""];
    let words = [&["--config", config.to_str().unwrap()][..], &words].concat();
    let mut command = netapi();
    command.env("XDG_CACHE_HOME", home.path());
    assert_eq!(offered(&mut command, &words), [""; 0]);
    assert!(!ran.exists());
}
