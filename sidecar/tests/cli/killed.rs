//! What others find of an agent that was killed.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::{Agent, Place, stdout, wait_for};

/// Streams of others to an agent, as its links are.
const STREAMS: usize = 8;

/// The state of an open stream in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// Whoever asks what became of it is let in no more, and does not have to wait for an answer.
#[test]
fn who_sees_a_stream_of_a_killed_agent_end_is_refused_by_its_host() {
    let place = Place::new();
    for number in 0..10 {
        let mut agent = Agent::start(&place, &format!("n{number}"));
        let status = stdout(&mut agent.ask(&["status", "--output", "json"]));
        let status: serde_json::Value = serde_json::from_str(&status).expect("a document");
        let addr: SocketAddr = status["addr"]
            .as_str()
            .and_then(|addr| addr.parse().ok())
            .expect("it says where it listens");
        let streams: Vec<TcpStream> = (0..STREAMS)
            .map(|_| TcpStream::connect(addr).expect("it listens"))
            .collect();
        let shown = || format!("{} of {STREAMS}", accepted(addr));
        wait_for("all streams to be accepted", shown, || {
            (accepted(addr) == STREAMS).then_some(())
        });
        let killed = Arc::new(AtomicBool::new(false));
        let asking = streams.into_iter().map(|mut stream| {
            let killed = Arc::clone(&killed);
            thread::spawn(move || {
                // Closed or reset; before that only by an agent that waited for a word for seconds.
                let _ = stream.read(&mut [0]);
                let ask = || TcpStream::connect(addr).map_err(|error| error.kind());
                killed.load(Ordering::SeqCst).then(ask)
            })
        });
        let asking: Vec<_> = asking.collect();
        killed.store(true, Ordering::SeqCst);
        agent.running.kill();
        for asked in asking {
            let Some(answer) = asked.join().expect("it does not panic") else {
                continue;
            };
            let refused = matches!(answer, Err(ErrorKind::ConnectionRefused));
            assert!(refused, "n{number} is killed, and then: {answer:?}");
        }
    }
}

/// How many streams to `addr` have a descriptor: before `accept` a socket has no inode (proc(5),
/// `/proc/net/tcp`).
fn accepted(addr: SocketAddr) -> usize {
    let local = format!(":{:04X}", addr.port());
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux shows its sockets");
    let rows = table
        .lines()
        .map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1].ends_with(&local) && row[3] == ESTABLISHED && row[9] != "0")
        .count()
}
