//! `lab run` without a command: the user's shell, marked, and in the lab whatever its start-up
//! files say.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{netapi, process, skipped, stderr, stdout, wait_for};

/// Where there is a shell of this name.
fn find(shell: &str) -> Option<String> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {shell}")])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    if path.is_empty() {
        skipped(&format!("there is no {shell}"));
    }
    (!path.is_empty()).then_some(path)
}

/// What somebody sees who types `lines` into `lab run` with that shell in this home, and the exit
/// status.
fn typed(shell: &str, home: &std::path::Path, lines: &str) -> (String, Option<i32>) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    // A terminal of its own: setsid makes it the controlling one.
    let mut command = process();
    let program = command.get_program().to_owned();
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = Command::new("setsid");
    let mut child = command
        .args(["--ctty", "--wait"])
        .arg(program)
        .args(["ise", "lab", "run"])
        .env_clear()
        .envs(environment)
        .env("SHELL", shell)
        .env("HOME", home)
        .env("TERM", "dumb")
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal)
        .spawn()
        .unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let mut screen = File::from(master);
    let mut keyboard = screen.try_clone().unwrap();
    // Not waited for: what a shell leaves in the background keeps the terminal open.
    std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            let mut some = [0; 4096];
            // The end of a terminal is an error.
            while let Ok(count) = screen.read(&mut some) {
                let text = String::from_utf8_lossy(&some[..count]).into_owned();
                seen.lock().unwrap().push_str(&text);
            }
        }
    });
    wait_for("the prompt", || seen.lock().unwrap().contains("(lab) "));
    keyboard.write_all(lines.as_bytes()).unwrap();
    let status = child.wait().unwrap();
    wait_for("the last answer", || {
        seen.lock().unwrap().contains("is:localhost")
    });
    let seen = seen.lock().unwrap().clone();
    (seen, status.code())
}

/// Start-up files that name a real deployment, as a careful administrator's do.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let posix = "export ISE_MNT_FQDN=prod.example.com ISE_MTLS_CA=/nowhere NETAPI_PROFILE=prod\n\
                 PATH=/usr/bin:/bin\nPS1='mine> '\n";
    let fish = "set -gx ISE_MNT_FQDN prod.example.com\nset -gx NETAPI_PROFILE prod\n\
                set -gx PATH /usr/bin /bin\n";
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    // As pyenv leaves it.
    write(".bashrc", &format!("{posix}PROMPT_COMMAND='true; '\n"));
    write(".zshrc", posix);
    write(".config/fish/config.fish", fish);
    // So that fish does not read every man page first.
    write(".local/share/fish/generated_completions/none.fish", "");
    home
}

#[test]
fn a_shell_is_marked_and_in_the_lab_whatever_its_own_files_say() {
    if find("setsid").is_none() {
        return;
    }
    for shell in ["bash", "zsh", "fish", "dash", "sh"] {
        let Some(path) = find(shell) else { continue };
        let home = home();
        let (seen, status) = typed(
            &path,
            home.path(),
            "echo \"counted:$(netapi ise mnt count):\"\necho \"is:$ISE_MNT_FQDN:$NETAPI_PROFILE:$ISE_MTLS_CA:\"\nexit 7\n",
        );
        assert_eq!(status, Some(7), "{shell}: {seen}");
        assert!(seen.contains("counted:50:"), "{shell}: {seen}");
        assert!(seen.contains("is:localhost:::"), "{shell}: {seen}");
        assert!(
            seen.starts_with("a shell in the lab; nothing happens in it by itself"),
            "{seen}"
        );
        if ["bash", "zsh"].contains(&shell) {
            assert!(seen.contains("(lab) mine> "), "{shell}: {seen}");
        }
    }
}

/// No terminal, nobody to talk to: the shell reads its commands from the pipe.
#[test]
fn without_a_terminal_the_shell_runs_what_it_is_given() {
    let run = netapi()
        .args(["ise", "lab", "run", "--sessions", "3"])
        .env("SHELL", "/bin/sh")
        .write_stdin("netapi ise mnt count\nexit 4\n")
        .assert()
        .code(4);
    assert_eq!(stdout(&run), "3\n");
    assert_eq!(stderr(&run), "");
    let run = netapi()
        .args(["ise", "lab", "run"])
        .env("SHELL", "/no/such/shell")
        .assert()
        .code(2);
    assert!(
        stderr(&run).contains("cannot run '/no/such/shell'"),
        "{}",
        stderr(&run)
    );
}

/// Two subscribers have a name and a certificate each.
#[test]
fn the_lab_has_a_second_client() {
    let line = "netapi ise pxgrid account show --fields accountState && \
        PXGRID_CERT=$PXGRID_CERT_2 PXGRID_KEY=$PXGRID_KEY_2 ISE_PXGRID_CLIENT_NAME=$ISE_PXGRID_CLIENT_NAME_2 \
        netapi ise pxgrid test --fields STEP,RESULT,DETAIL";
    let run = netapi()
        .args(["ise", "lab", "run", "--", "sh", "-c", line])
        .assert()
        .success();
    let text = stdout(&run);
    assert!(
        text.contains("client name\tok\tlab-client-2 (account by certificate)"),
        "{text}"
    );
    assert!(!text.contains("warn"), "{text}");
}

/// Who waits for events in a lab that makes none is told so; in one that makes some, and at a real
/// deployment, nothing is.
#[test]
fn who_waits_in_a_quiet_lab_is_told() {
    const WORD: &str = "this lab makes no events by itself: one with --events-per-second 5 does";
    let waiting = [
        "timeout 20 netapi ise pxgrid subscribe --topic session --for 200ms",
        "timeout -s INT 4 netapi ise mnt watch --interval 1s",
    ];
    for line in waiting {
        for (options, told) in [(&[][..], true), (&["--events-per-second", "5"], false)] {
            let run = netapi()
                .args(["ise", "lab", "run"])
                .args(options)
                .args(["--", "sh", "-c", line])
                .assert();
            assert_eq!(
                stderr(&run).contains(WORD),
                told,
                "{line} {options:?}: {}",
                stderr(&run)
            );
        }
    }
    let elsewhere = netapi()
        .args([
            "ise",
            "mnt",
            "watch",
            "--mnt-host",
            "127.0.0.1",
            "--mnt-port",
            "1",
        ])
        .arg("--insecure")
        .env("ISE_MNT_USER", "x")
        .env("ISE_MNT_PASS", "x")
        .env("NETAPI_LAB_EVENTS", "0")
        .timeout(std::time::Duration::from_secs(2))
        .assert()
        .interrupted();
    assert!(stderr(&elsewhere).contains("cannot connect"));
    assert!(!stderr(&elsewhere).contains(WORD), "{}", stderr(&elsewhere));
}
