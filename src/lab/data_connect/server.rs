//! Connections of Data Connect: TLS, packets in, packets out, entries of the log. What is said is
//! the session's affair.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use super::session::{Action, Session};
use super::stage::Stage;
use super::tns::Framing;
use super::{NODE, Shared};
use crate::lab::faults::FaultKind;
use crate::lab::log::RequestEntry;

/// A handshake that takes longer is given up, so that silent connections do not pile up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failed accept (mostly: no file descriptors left) connections get this long to end.
const BREATH: Duration = Duration::from_millis(50);
/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_hours(1);

/// Serves until it is dropped, and ends every connection with itself.
pub(in crate::lab) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                connections.spawn(connection(Arc::clone(&shared), stream, number));
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection. How it ends is the client's affair: the log has what was asked.
async fn connection(shared: Arc<Shared>, mut stream: TcpStream, number: u64) {
    // Where Data Connect is switched off nobody listens.
    if !shared.account.is_enabled() || stream.set_nodelay(true).is_err() {
        return;
    }
    let flavour = shared.faults.of_connection();
    let Some((_, acceptor)) = shared.tls.iter().find(|(known, _)| *known == flavour) else {
        return;
    };
    let tls = Stage::Tls.name();
    if shared.faults.of_data_connect(FaultKind::DcDrop, tls) {
        return;
    }
    if shared.faults.of_data_connect(FaultKind::DcHang, tls) {
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await.is_ok_and(|count| count > 0) {}
        return;
    }
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else {
        return;
    };
    let session = Session::new(Arc::clone(&shared), number);
    // Whether it ends in order or not, there is nobody to tell.
    let _ = converse(&shared, session, stream, number).await;
}

async fn converse(
    shared: &Shared,
    mut session: Session,
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    number: u64,
) -> io::Result<()> {
    let mut framing = Framing::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut wake: Option<Instant> = None;
    loop {
        let mut actions = Vec::new();
        let until = wake.unwrap_or_else(|| Instant::now() + IDLE);
        // Packets first: an interrupt comes before the rest of what it interrupts.
        tokio::select! {
            biased;
            count = stream.read(&mut buffer) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                framing.push(buffer.get(..count).unwrap_or_default());
            }
            () = passed(until) => {
                if wake.take().is_none() {
                    return Ok(());
                }
                actions = session.waited();
            }
        }
        loop {
            for action in actions.drain(..) {
                match action {
                    Action::Send(bytes) => stream.write_all(&bytes).await?,
                    Action::Wait(time) => wake = Some(Instant::now() + time),
                    Action::Note(method, subject, user, code) => {
                        note(shared, number, method, subject, user, code);
                    }
                    Action::Close => {
                        stream.flush().await?;
                        return stream.shutdown().await;
                    }
                }
            }
            stream.flush().await?;
            let Ok(packet) = framing.next(session.is_wide()) else {
                return Ok(());
            };
            let Some(packet) = packet else {
                break;
            };
            // What was to come later is the session's affair to begin again.
            wake = None;
            actions = session.packet(&packet, Timestamp::now());
        }
    }
}

/// Waits until then. What is due lets the others run first: a client's interrupt is seen only then.
async fn passed(until: Instant) {
    if until <= Instant::now() {
        yield_now().await;
    } else {
        sleep_until(until).await;
    }
}

fn note(
    shared: &Shared,
    connection: u64,
    method: &str,
    path: String,
    user: Option<String>,
    code: u32,
) {
    let now = Timestamp::now();
    shared.log.add(RequestEntry {
        time: now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        node: NODE.to_owned(),
        connection,
        method: method.to_owned(),
        path,
        authorization: method == "LOGON",
        user,
        status: u16::try_from(code).ok(),
    });
}
