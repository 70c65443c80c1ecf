//! The terminal of the live screen: taken at the start, given back as it was at every end: quit,
//! signal, stop, panic.
//!
//! One thread writes: it takes the newest picture out of a mailbox with one place, and what of it
//! differs from the picture before goes out. Who draws faster than the terminal takes loses
//! pictures and waits for nothing. Another thread reads keys.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, EnableBracketedPaste, Event as Input, read,
};
use ratatui::crossterm::style::ResetColor;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::Rect;
use tokio::sync::mpsc;

use crate::error::{Error, Kind, Result};
use crate::record::Mac;
use crate::threads;
use crate::unix::signals::{Arrivals, SIGCONT, SIGTSTP, act_as_if_unhandled};
use crate::unix::{files, terminal};

/// The largest picture, whatever a terminal says of itself.
const LARGEST: (u16, u16) = (500, 200);
/// The size of a terminal that says none.
const USUAL: (u16, u16) = (80, 24);
/// How long the last words to a terminal may take that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Keys that may wait.
const KEYS: usize = 256;

/// Whether the terminal is ours now: a panic gives it back.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Held while something is written: a panic waits for it, so that no picture comes behind what gives
/// the terminal back.
static WRITING: Mutex<()> = Mutex::new(());
/// A panic gave the terminal back: nothing more is written.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Refuses what cannot be drawn on.
pub(super) fn check_terminal() -> Result<()> {
    let term = std::env::var("TERM").unwrap_or_default();
    let instead = "without a screen: `netapi ise pxgrid subscribe --topic session` prints events, `netapi ise mnt watch` changes";
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Error::usage(
            "top needs a terminal to draw on, and standard input or output is none",
        )
        .hint(instead));
    }
    if term.is_empty() || term == "dumb" {
        let is = if term.is_empty() {
            "TERM is not set".to_owned()
        } else {
            format!("TERM={term}")
        };
        return Err(
            Error::usage(format!("top cannot draw on this terminal: {is}")).hint(format!(
                "set TERM to what the terminal is (xterm-256color); {instead}"
            )),
        );
    }
    Ok(())
}

/// The terminal's size now.
pub(super) fn size() -> Rect {
    let size = terminal::size(std::io::stdout());
    let size = size.map(|size| (size.columns, size.rows));
    let (width, height) = size.filter(|(w, h)| *w > 0 && *h > 0).unwrap_or(USUAL);
    Rect::new(0, 0, width.min(LARGEST.0), height.min(LARGEST.1))
}

/// What waits for the thread that writes.
#[derive(Default)]
struct Mail {
    picture: Option<Buffer>,
    copied: Option<Mac>,
    /// What was drawn is gone: the next picture is written whole.
    forget: bool,
    /// The terminal is to be given back, and whether that is the end.
    leave: Option<Leave>,
    /// The thread holds the terminal as ours.
    inside: bool,
    /// The thread has ended.
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    ForNow,
    ForGood,
}

/// A mailbox with one place for a picture.
#[derive(Default)]
struct Mailbox {
    mail: Mutex<Mail>,
    moved: Condvar,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, change: impl FnOnce(&mut Mail)) {
        change(&mut self.lock());
        self.moved.notify_all();
    }

    /// Waits until the thread has done what `is_done` looks for, but not for ever: false where the
    /// terminal takes nothing.
    fn wait_until(&self, is_done: impl Fn(&Mail) -> bool) -> bool {
        let (mail, _) = self
            .moved
            .wait_timeout_while(self.lock(), LAST_WORDS, |mail| !is_done(mail))
            .unwrap_or_else(PoisonError::into_inner);
        is_done(&mail)
    }
}

/// See the module's documentation.
pub(super) struct Screen {
    mailbox: Arc<Mailbox>,
    keys: mpsc::Receiver<Input>,
    /// They end with the process: a read of the terminal cannot be called off.
    _threads: [JoinHandle<()>; 2],
    closed: bool,
}

impl Screen {
    /// Takes the terminal. It is given back when this is closed or dropped.
    pub(super) fn open() -> Result<Self> {
        restore_on_panic();
        let output = files::file_of(std::io::stdout()).map_err(|error| no_terminal(&error))?;
        enable_raw_mode().map_err(|error| no_terminal(&error))?;
        TAKEN.store(true, Ordering::SeqCst);
        let mailbox = Arc::new(Mailbox::default());
        mailbox.put(|mail| mail.inside = true);
        let theirs = Arc::clone(&mailbox);
        let (give, keys) = mpsc::channel(KEYS);
        let threads = threads::spawn("screen", move || {
            write(output, &theirs);
            theirs.put(|mail| mail.over = true);
        })
        .and_then(|writer| {
            let reader = threads::spawn("keys", move || {
                while let Ok(input) = read() {
                    if give.blocking_send(input).is_err() {
                        break;
                    }
                }
            });
            Ok([writer, reader?])
        });
        match threads {
            Ok(threads) => Ok(Self {
                mailbox,
                keys,
                _threads: threads,
                closed: false,
            }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// The next key, paste or change of size; `None`: the terminal is gone.
    pub(super) async fn input(&mut self) -> Option<Input> {
        self.keys.recv().await
    }

    /// Shows a picture, in place of one that still waits.
    pub(super) fn show(&self, picture: Buffer) {
        self.mailbox.put(|mail| mail.picture = Some(picture));
    }

    /// Puts an address into the terminal's clipboard.
    pub(super) fn copy(&self, mac: Mac) {
        self.mailbox.put(|mail| mail.copied = Some(mac));
    }

    /// The next picture is written whole.
    pub(super) fn forget_picture(&self) {
        self.mailbox.put(|mail| mail.forget = true);
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does. It goes on in
    /// [`resume`](Self::resume), at the signal that wakes it.
    pub(super) fn suspend(&mut self) {
        self.leave(Leave::ForNow);
        act_as_if_unhandled(SIGTSTP);
    }

    /// Takes the terminal again, also where somebody else changed it while the process stood.
    pub(super) fn resume(&mut self) -> Result<()> {
        // What it was before is what it is now, unless it never was given back.
        let again = if TAKEN.swap(true, Ordering::SeqCst) {
            disable_raw_mode().and_then(|()| enable_raw_mode())
        } else {
            enable_raw_mode()
        };
        again.map_err(|error| no_terminal(&error))?;
        self.mailbox.put(|mail| {
            mail.inside = true;
            mail.forget = true;
        });
        Ok(())
    }

    /// Gives the terminal back for good. Where it takes no more words, at least its modes are as
    /// they were.
    pub(super) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.leave(Leave::ForGood);
        }
    }

    fn leave(&self, leave: Leave) {
        self.mailbox.put(|mail| {
            mail.leave = Some(leave);
            mail.picture = None;
        });
        if !self
            .mailbox
            .wait_until(|mail| mail.leave.is_none() || mail.over)
        {
            // What it did not take is dropped.
            terminal::drop_output(std::io::stdout());
            self.mailbox
                .wait_until(|mail| mail.leave.is_none() || mail.over);
        }
        TAKEN.store(false, Ordering::SeqCst);
        // Where the terminal has gone there is nothing to put back.
        let _gone = disable_raw_mode();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread that writes.
fn write(output: File, mailbox: &Mailbox) {
    let mut backend = CrosstermBackend::new(BufWriter::with_capacity(64 << 10, output));
    let mut shown: Option<Buffer> = None;
    let mut inside = false;
    loop {
        let mut mail = mailbox.lock();
        let idle = |mail: &mut Mail| {
            // While the terminal is not ours a picture waits.
            let shown = mail.inside && (mail.picture.is_some() || mail.copied.is_some());
            !shown && mail.leave.is_none() && mail.inside == inside
        };
        mail = mailbox
            .moved
            .wait_while(mail, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let enter = mail.inside && !inside;
        let (picture, copied) = (mail.picture.take(), mail.copied.take());
        let leave = mail.leave;
        if std::mem::take(&mut mail.forget) {
            shown = None;
        }
        let writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        drop(mail);
        if PANICKED.load(Ordering::SeqCst) {
            return;
        }
        let written = (|| {
            if enter {
                queue!(backend, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
                inside = true;
            }
            if let Some(mac) = copied {
                // Only an address that was read as one is ever written here.
                let text = BASE64_STANDARD.encode(mac.to_string());
                write!(backend, "\x1b]52;c;{text}\x07")?;
            }
            if let Some(picture) = picture {
                draw(&mut backend, shown.as_ref(), &picture)?;
                shown = Some(picture);
            }
            if leave.is_some() {
                queue!(
                    backend,
                    DisableBracketedPaste,
                    ResetColor,
                    Show,
                    LeaveAlternateScreen
                )?;
                (inside, shown) = (false, None);
            }
            Write::flush(&mut backend)
        })();
        drop(writing);
        if leave.is_some() {
            mailbox.put(|mail| (mail.leave, mail.inside) = (None, false));
        }
        // Where the terminal has gone, its reader tells.
        if leave == Some(Leave::ForGood) || written.is_err() {
            return;
        }
    }
}

/// What differs goes out; a picture of another size is written whole.
fn draw<W: Write>(
    backend: &mut CrosstermBackend<W>,
    shown: Option<&Buffer>,
    picture: &Buffer,
) -> std::io::Result<()> {
    let shown = shown.filter(|shown| shown.area() == picture.area());
    if let Some(shown) = shown {
        return backend.draw(shown.diff(picture).into_iter());
    }
    queue!(backend, ResetColor, Clear(ClearType::All))?;
    let blank = Buffer::empty(*picture.area());
    backend.draw(blank.diff(picture).into_iter())
}

/// From now on a panic in any thread gives the terminal back before its words.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.store(true, Ordering::SeqCst);
            restore();
            usual(panic);
        }));
    });
}

/// Gives the terminal back without the thread that writes.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let until = Instant::now() + LAST_WORDS;
        let mut writing = WRITING.try_lock();
        while matches!(writing, Err(TryLockError::WouldBlock)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
            writing = WRITING.try_lock();
        }
        let mut output = std::io::stdout();
        let _gone = execute!(
            output,
            DisableBracketedPaste,
            ResetColor,
            Show,
            LeaveAlternateScreen
        );
        let _gone = disable_raw_mode();
    }
}

fn no_terminal(error: &std::io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot use the terminal: {error}"))
}

/// The signals that stop the process and let it go on.
pub(super) struct StopSignals {
    stop: Arrivals,
    go_on: Arrivals,
}

/// One of them.
pub(super) enum StopSignal {
    /// To give the terminal back and stop.
    Stop,
    /// To take it again.
    GoOn,
}

impl StopSignals {
    /// Must be called inside a runtime.
    pub(super) fn listen() -> Result<Self> {
        let open = |signal| {
            Arrivals::of(signal).map_err(|error| {
                Error::new(Kind::Failed, format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            stop: open(SIGTSTP)?,
            go_on: open(SIGCONT)?,
        })
    }

    /// Waits for the next. Safe to drop and to call again.
    pub(super) async fn next(&mut self) -> StopSignal {
        tokio::select! {
            () = self.stop.next() => StopSignal::Stop,
            () = self.go_on.next() => StopSignal::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Command;

    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

    use super::*;

    /// Run by the test below, in a process and on a terminal of its own.
    #[test]
    #[ignore = "panics on purpose"]
    fn panics_with_the_terminal_taken() {
        let screen = Screen::open().unwrap();
        screen
            .mailbox
            .put(|mail| mail.picture = Some(Buffer::empty(size())));
        assert!(screen.mailbox.wait_until(|mail| mail.picture.is_none()));
        // Some other thread, as any may.
        let other = std::thread::spawn(|| panic!("on purpose"));
        assert!(other.join().is_err());
        // Nothing more is put back by an end like this.
        std::mem::forget(screen);
        panic!("the end");
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a word to whoever runs the tests")]
    fn a_panic_gives_the_terminal_back_before_its_words() {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let open = || -> File {
            let file = rustix::fs::open(name.as_c_str(), flags, Mode::empty());
            file.unwrap().into()
        };
        // Held open, so that its modes can be read when the process has ended.
        let held = open();
        let mut command = Command::new("setsid");
        let name = "cli::ise::top::screen::tests::panics_with_the_terminal_taken";
        let child = command
            .args(["--ctty", "--wait"])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact", "--ignored", "--nocapture"])
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: setsid (util-linux) is not there");
            return;
        };
        let mut reader = File::from(person.try_clone().unwrap());
        let (give, take) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut block) {
                if give.send(block[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let status = child.wait().unwrap();
        let modes = tcgetattr(&held).unwrap().local_modes;
        drop((held, command));
        // All were written before the end; no more comes when the last holder has let go.
        let written: Vec<u8> = take.into_iter().flatten().collect();
        let written = String::from_utf8_lossy(&written);
        assert_eq!(status.code(), Some(101), "{written}");
        let place = |what: &str| written.rfind(what);
        let (taken, given_back) = (place("\x1b[?1049h"), place("\x1b[?1049l"));
        let (cursor, words) = (place("\x1b[?25h"), place("on purpose"));
        assert!(taken.is_some() && taken < given_back, "{written:?}");
        assert!(cursor.is_some() && cursor < words, "{written:?}");
        assert!(given_back < words, "{written:?}");
        assert!(
            modes.contains(LocalModes::ECHO | LocalModes::ICANON),
            "{modes:?}"
        );
    }
}
