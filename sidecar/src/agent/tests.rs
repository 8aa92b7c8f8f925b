use std::cell::RefCell;
use std::fs::Permissions;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args as _, Command as Clap, FromArgMatches as _};
use serde_json::Value;
use smol::channel::Sender;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::{Async, Task, Timer};
use tempfile::TempDir;

use super::*;
use crate::settings::Flags;

const PATIENCE: Duration = Duration::from_secs(30);

/// Agents on one executor, with their sockets in a folder of their own.
struct Agents {
    executor: Rc<LocalExecutor<'static>>,
    rest: Rc<Rest>,
    folder: TempDir,
}

struct Agent {
    socket: PathBuf,
    signals: Sender<Signal>,
    life: Task<Result<(), AgentError>>,
}

impl Agents {
    fn run(story: impl AsyncFnOnce(&Agents)) {
        let executor = Rc::new(LocalExecutor::new());
        let folder = TempDir::new().expect("a temporary folder");
        let rest = Rc::new(Rest::new().expect("descriptors are there"));
        let agents = Agents {
            executor: Rc::clone(&executor),
            rest: Rc::clone(&rest),
            folder,
        };
        rest.block_on(executor.run(story(&agents)));
    }

    fn start(&self, socket: &str, arguments: &[&str]) -> Agent {
        let socket = self.folder.path().join(socket);
        let path = socket.display().to_string();
        let mut all = vec!["--preset", "local", "--socket", &path];
        if !arguments.contains(&"--bind") {
            all.extend(["--bind", "127.0.0.1:0"]);
        }
        all.extend(arguments);
        let command = Flags::augment_args(Clap::new("agent").no_binary_name(true));
        let matches = command
            .try_get_matches_from(all)
            .expect("flags that clap knows");
        let flags = Flags::from_arg_matches(&matches).expect("taken as they are");
        let settings = Settings::load_with(flags, |_| None).expect("allowed");
        let (signals, receiver) = bounded(8);
        let (executor, rest) = (Rc::clone(&self.executor), Rc::clone(&self.rest));
        let life = async move { live(settings, executor, &rest, receiver, None, drop).await };
        Agent {
            socket,
            signals,
            life: self.executor.spawn(life),
        }
    }
}

impl Agent {
    async fn get(&self, path: &str) -> Option<Value> {
        ask(&self.socket, "GET", path, "").await
    }

    async fn addr(&self) -> String {
        wait(async || {
            self.get("/v1/status").await?["addr"]
                .as_str()
                .map(str::to_owned)
        })
        .await
    }

    /// Waits until the agent shows `name` as `state`, and returns how it shows it.
    async fn sees(&self, name: &str, state: &str) -> Value {
        wait(async || {
            let member = self.get(&format!("/v1/members/{name}")).await?;
            (member["state"] == state).then_some(member)
        })
        .await
    }

    async fn signal(&self, signal: Signal) {
        self.signals.send(signal).await.expect("it runs");
    }
}

/// Waits until `condition` gives something.
async fn wait<T>(condition: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain");
        Timer::after(Duration::from_millis(10)).await;
    }
}

/// The body of an answer that is no error.
async fn ask(socket: &Path, method: &str, path: &str, body: &str) -> Option<Value> {
    let mut stream = Async::<UnixStream>::connect(socket).await.ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: muster\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 2")
        .then(|| serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn two_agents_find_each_other_and_hear_of_tags_and_goodbyes() {
    Agents::run(async |agents| {
        let file = agents.folder.path().join("b.toml");
        std::fs::write(&file, "[tags]\nzone = \"x\"\n").expect("written");
        let a = agents.start("a.sock", &["--name", "a"]);
        let seed = a.addr().await;
        let config = file.display().to_string();
        let b = agents.start(
            "b.sock",
            &["--name", "b", "--join", &seed, "--config", &config],
        );
        assert_eq!(a.sees("b", "alive").await["tags"]["zone"], "x");
        assert_eq!(b.sees("a", "alive").await["addr"], *seed);

        ask(&b.socket, "PUT", "/v1/tags/role", "{\"value\":\"db\"}").await;
        std::fs::write(&file, "[tags]\nzone = \"y\"\n").expect("written");
        b.signal(Signal::Reload).await;
        wait(async || {
            let tags = a.get("/v1/members/b").await?["tags"].clone();
            (tags["zone"] == "y").then_some(())
        })
        .await;

        b.signal(Signal::Terminate).await;
        b.life.await.expect("it left");
        a.sees("b", "left").await;
        assert!(!b.socket.exists(), "the socket file is removed");
        let left = ask(&a.socket, "POST", "/v1/leave", "").await;
        assert!(left.is_some(), "the answer comes before the end");
        a.life.await.expect("it left");
    });
}

#[test]
fn keys_are_read_again_and_a_file_that_is_none_changes_nothing() {
    Agents::run(async |agents| {
        let key = |number: u8| muster_swim::Key::new([number; 32]).reveal().to_string();
        let (keys, config) = (
            agents.folder.path().join("keys"),
            agents.folder.path().join("t"),
        );
        let write = |text: &str, zone: &str| {
            std::fs::write(&keys, text).expect("written");
            std::fs::set_permissions(&keys, Permissions::from_mode(0o600)).expect("ours");
            std::fs::write(&config, format!("[tags]\nzone = \"{zone}\"\n")).expect("written");
        };
        let (keys_path, config_path) = (keys.display().to_string(), config.display().to_string());
        let files = ["--key-file", &keys_path, "--config", &config_path];
        write(&key(1), "1");
        let a = agents.start("a.sock", &[&["--name", "a"][..], &files].concat());
        let seed = a.addr().await;
        let joins = ["--join", &seed];
        let b = agents.start("b.sock", &[&["--name", "b"][..], &joins, &files].concat());
        a.sees("b", "alive").await;
        b.sees("a", "alive").await;
        let reloaded = async |zone: &str| {
            for agent in [&a, &b] {
                agent.signal(Signal::Reload).await;
                wait(async || {
                    let status = agent.get("/v1/members?state=alive").await?;
                    let mut members = status["members"].as_array()?.iter();
                    let own = members.find(|member| member["self"] == true)?;
                    (own["tags"]["zone"] == zone).then_some(())
                })
                .await;
            }
        };
        for (step, zone) in [([1, 2], "2"), ([2, 1], "3")] {
            write(&format!("{}\n{}\n", key(step[0]), key(step[1])), zone);
            reloaded(zone).await;
        }
        // A mistake: nothing of it counts, the tags beside it neither.
        write("no key at all", "4");
        a.signal(Signal::Reload).await;
        wait(async || a.signals.is_empty().then_some(())).await;
        // The file is read and written by one after the other: when this is answered, it was read.
        // It is not written, for what stands there was not taken.
        let id = muster_swim::Key::new([1; 32]).id();
        let used = ask(&a.socket, "PUT", &format!("/v1/keys/{id}/primary"), "").await;
        let left = std::fs::read_to_string(&keys).expect("it is there");
        assert_eq!((used, left.as_str()), (None, "no key at all"));
        assert_eq!(a.sees("a", "alive").await["tags"]["zone"], "3");
        write(&key(2), "5");
        reloaded("5").await;
        // With the first key nobody gets in any more, with the second one.
        let old = agents.folder.path().join("old");
        std::fs::write(&old, key(1)).expect("written");
        std::fs::set_permissions(&old, Permissions::from_mode(0o600)).expect("ours");
        let old = old.display().to_string();
        let late = agents.start(
            "c.sock",
            &["--name", "c", "--join", &seed, "--key-file", &old],
        );
        let error = wait(async || {
            let status = late.get("/v1/status").await?;
            status["seeds"][0]["last_error"].as_str().map(str::to_owned)
        });
        let error = error.await;
        assert!(
            error.contains("it has not the key of this member"),
            "{error}"
        );
        let new = ["--name", "d", "--join", &seed, "--key-file", &keys_path];
        let new = agents.start("d.sock", &new);
        new.sees("a", "alive").await;
        a.sees("d", "alive").await;
        a.sees("b", "alive").await;
        assert!(a.get("/v1/members/c").await.is_none());
    });
}

#[test]
fn a_second_signal_ends_at_once() {
    Agents::run(async |agents| {
        let a = agents.start("a.sock", &["--name", "a"]);
        let b = agents.start("b.sock", &["--name", "b", "--join", &a.addr().await]);
        b.sees("a", "alive").await;
        a.sees("b", "alive").await;
        b.signal(Signal::Interrupt).await;
        b.signal(Signal::Terminate).await;
        let error = b.life.await.expect_err("interrupted");
        assert_eq!(error.exit_code(), 143);
    });
}

#[test]
fn a_leave_that_is_ordered_twice_is_one() {
    Agents::run(async |agents| {
        let a = agents.start("a.sock", &["--name", "a"]);
        let b = agents.start("b.sock", &["--name", "b", "--join", &a.addr().await]);
        b.sees("a", "alive").await;
        a.sees("b", "alive").await;
        b.signal(Signal::Leave).await;
        b.signal(Signal::Leave).await;
        b.life.await.expect("it said goodbye");
        a.sees("b", "left").await;
    });
}

#[test]
fn the_older_of_two_with_one_name_stops_and_says_who_took_it() {
    Agents::run(async |agents| {
        let a = agents.start("a.sock", &["--name", "a"]);
        let seed = a.addr().await;
        let old = agents.start("old.sock", &["--name", "twin", "--join", &seed]);
        a.sees("twin", "alive").await;
        let new = agents.start("new.sock", &["--name", "twin", "--join", &seed]);
        let new_addr = new.addr().await;
        let error = old.life.await.expect_err("its name is taken");
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        assert!(
            text.contains("\"twin\" is taken") && text.contains(&new_addr),
            "{text}"
        );
        wait(async || (a.sees("twin", "alive").await["addr"] == *new_addr).then_some(())).await;
    });
}

#[test]
fn a_place_that_is_taken_is_an_error_that_says_where() {
    Agents::run(async |agents| {
        let a = agents.start("a.sock", &["--name", "a"]);
        let addr = a.addr().await;
        let error = agents
            .start("b.sock", &["--bind", &addr])
            .life
            .await
            .expect_err("in use");
        assert_eq!(error.exit_code(), 1);
        assert!(
            error
                .to_string()
                .starts_with(&format!("{addr} (UDP) is in use")),
            "{error}"
        );
        let error = agents.start("a.sock", &[]).life.await.expect_err("in use");
        assert!(
            matches!(error, AgentError::LocalSocket(SocketError::InUse { .. })),
            "{error}"
        );
        assert!(a.get("/v1/status").await.is_some(), "the first one goes on");
    });
}

#[test]
fn a_signal_ends_the_wait_for_a_seed_that_shows_no_address() {
    Agents::run(async |agents| {
        for signal in [Signal::Terminate, Signal::Interrupt] {
            // An IPv4 socket reaches no IPv6 address: the same as a name that does not resolve.
            let arguments = [
                "--bind",
                "0.0.0.0:0",
                "--plaintext",
                "send",
                "--join",
                "[2001:db8::5]:7946",
            ];
            let a = agents.start("a.sock", &arguments);
            a.signal(Signal::Reload).await;
            a.signal(signal).await;
            a.life
                .await
                .expect("it is in no cluster that it could leave");
            assert!(!a.socket.exists(), "it was not started");
        }
        let error = agents
            .start("a.sock", &["--bind", "0.0.0.0:0", "--plaintext", "send"])
            .life
            .await;
        let error = error.expect_err("without a seed there is nothing to wait for");
        assert_eq!(error.exit_code(), 1);
    });
}

#[test]
fn noise_from_the_network_is_counted_and_nothing_else() {
    Agents::run(async |agents| {
        let a = agents.start("a.sock", &["--name", "a"]);
        let addr = a.addr().await;
        let noise = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        // More than one turn takes, of every length up to beyond the longest.
        let sizes: Vec<usize> = (0..200).map(|n| n * 7).collect();
        for size in &sizes {
            noise.send_to(&vec![0xa5; *size], &*addr).expect("sent");
        }
        let dropped = RefCell::new(Value::Null);
        wait(async || {
            let counts = a.get("/v1/status").await?["stats"]["dropped"].clone();
            let sum: u64 = counts.as_object()?.values().filter_map(Value::as_u64).sum();
            *dropped.borrow_mut() = counts;
            (sum == sizes.len() as u64).then_some(())
        })
        .await;
        let too_long = sizes.iter().filter(|size| **size > 1200).count() as u64;
        assert_eq!(dropped.borrow()["too_long"], too_long);
    });
}
