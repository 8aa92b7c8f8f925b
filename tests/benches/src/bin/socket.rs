//! What the local socket costs: lists of many members, and events for many clients.
//!
//! Clients are a process of their own (this program again), so that memory and processor time are
//! those of the server alone. A beat of a millisecond stands for the protocol: how late it comes is
//! how long the protocol's turns are held up.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use muster_benches::crowd::{self, Crowd};
use muster_benches::rows::Options;
use muster_sidecar::agent::{Clock, Handle};
use muster_sidecar::api::events::EventLog;
use muster_sidecar::api::{self, Access, model};
use muster_swim::{Config, Epoch, Event, EventKind, Node, View};
use rustix::time::{ClockId, clock_gettime};
use smol::channel::{Receiver, bounded};
use smol::future::or;
use smol::{LocalExecutor, Timer};
use tempfile::TempDir;

const LIST: &str = "list of all members";
const EVENTS: &str = "events to subscribers";

/// Events that are kept, as by default.
const BUFFER: usize = 65_536;

/// Most events of one beat that comes late.
const BURST: usize = 10_000;

const BEAT: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let result = match words[..] {
        ["ask", socket, times] => ask(Path::new(socket), number(times)),
        ["subscribe", socket, count, rate, events] => subscribe(
            Path::new(socket),
            number(count),
            number(rate),
            number(events),
        ),
        _ => measure(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-socket: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("this program names numbers to itself")
}

fn measure() -> io::Result<()> {
    let options = Options::parse().map_err(io::Error::other)?;
    if options.wants(EVENTS) && options.only_members().is_none() {
        println!("\n/v1/events: each subscriber gets all, in order");
        println!(
            "{:>7} {:>9} {:>9} {:>7} {:>9} {:>10} {:>9} {:>9} {:>12} {:>8}",
            "clients",
            "events/s",
            "published",
            "resets",
            "late ms",
            "late worst",
            "cpu %",
            "us/event",
            "beat late ms",
            "RSS MB"
        );
        let cases: &[(usize, usize, usize)] = if options.smoke {
            &[(10, 1_000, 500)]
        } else {
            &[
                (1, 10_000, 50_000),
                (10, 10_000, 50_000),
                (100, 1_000, 5_000),
                (100, 10_000, 50_000),
            ]
        };
        for (clients, rate, events) in cases.iter().copied() {
            fan_out(clients, rate, events)?;
        }
    }
    if options.wants(LIST) {
        println!("\nGET /v1/members, one client, one request after the other");
        println!(
            "{:>7} {:>9} {:>9} {:>9} {:>9} {:>12}",
            "members", "KB", "ms least", "ms median", "ms most", "beat late ms"
        );
        for members in options.sizes() {
            list(members, if options.smoke { 3 } else { 50 })?;
        }
    }
    Ok(())
}

/// A server for a member of a cluster of so many.
struct World {
    handle: Handle,
    folder: TempDir,
    /// Nobody asks for changes, but the server would be told if nobody took them.
    _requests: Receiver<muster_sidecar::agent::Request>,
}

impl World {
    fn new(members: usize) -> World {
        let node = Crowd::new(members).insider(0, members, Config::lan());
        let log = Rc::new(RefCell::new(EventLog::new(1, BUFFER)));
        let (handle, requests) = Handle::new(node, log, Clock::start());
        World {
            handle,
            folder: TempDir::new().expect("a temporary folder"),
            _requests: requests,
        }
    }

    /// Serves while the client runs, as the agent does; `beat` is called each millisecond. Gives
    /// how late it was called at worst, and what the client wrote.
    fn serve(&self, client: &mut Client, mut beat: impl FnMut()) -> io::Result<(Duration, String)> {
        let listener = api::bind(&self.socket(), &Access::default()).map_err(io::Error::other)?;
        let executor = LocalExecutor::new();
        let serving = api::serve(listener, self.handle.clone(), Access::default());
        let server = executor.spawn(serving);
        let worst = Cell::new(Duration::ZERO);
        let beats = async {
            // A beat that is missed is not made up for: the next one comes late.
            let mut due = Instant::now();
            loop {
                due = due.max(Instant::now()) + BEAT;
                Timer::at(due).await;
                worst.set(worst.get().max(due.elapsed()));
                beat();
            }
        };
        let ended = client.start(&self.socket())?;
        let done = async { ended.recv().await.map_err(io::Error::other)? };
        let text = smol::block_on(api::in_turns(&executor, or(done, beats)))?;
        drop(server);
        Ok((worst.get(), text))
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("s")
    }
}

/// The process of the clients.
struct Client {
    words: Vec<String>,
}

impl Client {
    fn start(&mut self, socket: &Path) -> io::Result<Receiver<io::Result<String>>> {
        let mut child = self.spawn(socket)?;
        let (sender, ended) = bounded(1);
        thread::spawn(move || {
            let mut text = String::new();
            let read = child
                .stdout
                .take()
                .map(|mut pipe| pipe.read_to_string(&mut text));
            let status = child.wait();
            let result = match (read, status) {
                (Some(Ok(_)), Ok(status)) if status.success() => Ok(text),
                (_, status) => Err(io::Error::other(format!("the clients failed: {status:?}"))),
            };
            // Whoever waits for it is there as long as the client runs.
            let _ = sender.send_blocking(result);
        });
        Ok(ended)
    }

    fn spawn(&self, socket: &Path) -> io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(&self.words[0])
            .arg(socket)
            .args(&self.words[1..]);
        command.stdout(Stdio::piped()).spawn()
    }
}

fn list(members: usize, times: usize) -> io::Result<()> {
    let world = World::new(members);
    let mut client = Client {
        words: vec!["ask".into(), times.to_string()],
    };
    let (worst, text) = world.serve(&mut client, || {})?;
    println!("{members:>7} {} {:>12.2}", text.trim_end(), millis(worst));
    Ok(())
}

/// Asks for the list again and again; says how much it is and how long it takes.
fn ask(socket: &Path, times: usize) -> io::Result<()> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for _ in 0..times {
        let start = Instant::now();
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"GET /v1/members HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        taken.push(start.elapsed());
        bytes = answer.len();
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other("the list was refused"));
        }
    }
    taken.sort_unstable();
    let (least, most) = (taken[0], taken[taken.len() - 1]);
    let median = taken[taken.len() / 2];
    println!(
        "{:>9} {:>9.2} {:>9.2} {:>9.2}",
        bytes / 1000,
        millis(least),
        millis(median),
        millis(most)
    );
    Ok(())
}

fn fan_out(clients: usize, rate: usize, events: usize) -> io::Result<()> {
    let world = World::new(10);
    let event = some_event(&world.handle);
    let numbers = [clients, rate, events].map(|number| number.to_string());
    let mut client = Client {
        words: [vec!["subscribe".to_owned()], numbers.to_vec()].concat(),
    };
    let go = world.folder.path().join("s.go");
    let mut start: Option<(Instant, Duration)> = None;
    let mut published = 0;
    let cpu = Cell::new(Duration::ZERO);
    let log = world.handle.log();
    let (worst, text) = world.serve(&mut client, || {
        let (start, before) = match start {
            Some(start) => start,
            // The clients say when all are there; what is measured begins then.
            None if go.exists() => *start.insert((Instant::now(), processor_time())),
            None => return,
        };
        let due = (start.elapsed().as_secs_f64() * rate as f64) as usize;
        let until = due.min(events).min(published + BURST);
        for _ in published..until {
            log.borrow_mut().publish(event.clone());
        }
        published = published.max(until);
        cpu.set(processor_time() - before);
    })?;
    let took = start.map_or(Duration::ZERO, |(start, _)| start.elapsed());
    let share = cpu.get().as_secs_f64() / took.as_secs_f64();
    let each = cpu.get().as_secs_f64() * 1e6 / (events * clients) as f64;
    println!(
        "{clients:>7} {rate:>9} {published:>9} {} {:>9.0} {each:>9.2} {:>12.2} {:>8.1}",
        text.trim_end(),
        share * 100.0,
        millis(worst),
        resident_mb()
    );
    Ok(())
}

/// Many clients, each on a thread: says how many snapshots they were sent for what they lost, and
/// how late they got events, in the median and at worst. Fails unless each got all that it was not
/// told to have lost, in order.
fn subscribe(socket: &Path, count: usize, rate: usize, events: usize) -> io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: m\r\n\r\n")?;
        let mut reader = BufReader::with_capacity(128 * 1024, stream);
        let mut line = String::new();
        // The greeting ends with the cursor.
        while !line.starts_with("id: ") {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        streams.push(reader);
    }
    let start = monotonic();
    std::fs::write(socket.with_extension("go"), "")?;
    let readers = streams.into_iter().map(|stream| {
        thread::spawn(move || read_all(stream, events, |seq, now| lateness(start, rate, seq, now)))
    });
    let readers: Vec<_> = readers.collect();
    let (mut late, mut resets) = (Vec::new(), 0);
    for reader in readers {
        let (own, lost) = reader.join().expect("readers do not panic")?;
        late.extend(own);
        resets += lost;
    }
    late.sort_unstable();
    let at = |place: usize| late.get(place).copied().unwrap_or_default();
    println!(
        "{resets:>7} {:>9.1} {:>10.1}",
        millis(at(late.len() / 2)),
        millis(at(late.len().saturating_sub(1)))
    );
    Ok(())
}

/// How long after it should have been published an event came.
fn lateness(start: Duration, rate: usize, seq: usize, now: Duration) -> Duration {
    now.saturating_sub(start + Duration::from_secs_f64(seq as f64 / rate as f64))
}

fn read_all(
    mut stream: BufReader<UnixStream>,
    events: usize,
    late: impl Fn(usize, Duration) -> Duration,
) -> io::Result<(Vec<Duration>, usize)> {
    let (mut seen, mut resets, mut found) = (0, 0, Vec::new());
    let (mut line, mut cursor) = (Vec::new(), 0);
    while seen < events {
        line.clear();
        if stream.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(id) = line.strip_prefix(b"id: ") {
            let text = String::from_utf8_lossy(id);
            let seq = text.trim_end().rsplit('.').next().map(str::parse);
            cursor = seq.and_then(Result::ok).unwrap_or(0);
        } else if line.starts_with(b"event: ") {
            let is_reset = line.starts_with(b"event: reset");
            if !is_reset && cursor != seen + 1 {
                let what = format!("event {cursor} came after {seen}");
                return Err(io::Error::other(what));
            }
            resets += usize::from(is_reset);
            seen = cursor;
            if seen % 100 == 0 {
                found.push(late(seen, monotonic()));
            }
        }
    }
    Ok((found, resets))
}

fn some_event(handle: &Handle) -> model::Event {
    let event = Event {
        time: handle.clock().now(),
        member: handle.read(Node::me),
        kind: EventKind::Updated,
        view: View(1),
        epoch: Epoch(1),
    };
    assert_eq!(event.member.name, crowd::name(0));
    model::Event::new(&event, handle.clock())
}

fn monotonic() -> Duration {
    spent(ClockId::Monotonic)
}

/// Of this thread, which serves.
fn processor_time() -> Duration {
    spent(ClockId::ThreadCPUTime)
}

fn spent(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1));
    kb.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}
