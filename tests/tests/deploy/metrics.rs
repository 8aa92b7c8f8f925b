//! Real scrapers read the metrics: Debian's `prometheus`, and `promtool`, which also judges them.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use muster_tests::wait;

use crate::agent::Agent;
use crate::{SOON, root, succeed};

fn curl(url: &str) -> Command {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "10",
        url,
    ]);
    command
}

/// Ended when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let agent = Agent::start();
    let page = succeed(&mut curl(&format!("http://{}/metrics", agent.http)));
    let mut promtool = Command::new("promtool");
    let mut judge = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed: `tests/run deploy`");
    let mut stdin = judge.stdin.take().expect("standard input is a pipe");
    stdin.write_all(page.as_bytes()).expect("it reads");
    drop(stdin);
    let verdict = judge.wait_with_output().expect("it ends");
    let text = [verdict.stdout, verdict.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        verdict.status.success() && text.is_empty(),
        "{text}\n{page}"
    );
}

/// The names in the page of metrics.
fn documented() -> Vec<String> {
    let page = fs::read_to_string(root().join("sidecar/deploy/metrics.md"));
    let page = page.expect("there is a page of metrics");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    names.map(str::to_owned).collect()
}

#[test]
fn prometheus_scrapes_every_metric_of_the_page() {
    let agent = Agent::start();
    let folder = agent.folder.path();
    let settings = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: muster\n    \
         static_configs: [{{ targets: ['{}'] }}]\n",
        agent.http
    );
    fs::write(folder.join("prometheus.yml"), settings).expect("the folder can be written");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = free.local_addr().expect("it is bound");
    drop(free);
    let log = File::create(folder.join("prometheus.log")).expect("a log can be written");
    let mut prometheus = Command::new("prometheus");
    prometheus
        .arg("--config.file")
        .arg(folder.join("prometheus.yml"))
        .arg("--storage.tsdb.path")
        .arg(folder.join("tsdb"))
        .arg(format!("--web.listen-address={addr}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let _prometheus = Ended(
        prometheus
            .spawn()
            .expect("it is installed: `tests/run deploy`"),
    );

    let names = format!("http://{addr}/api/v1/label/__name__/values");
    // A histogram has three names, and nobody else is there whose round trip could be measured.
    let expected: Vec<String> = documented()
        .into_iter()
        .filter(|name| !name.contains("_round_trip_"))
        .map(|name| match name.as_str() {
            "muster_store_save_seconds" => format!("{name}_bucket"),
            _ => name,
        })
        .collect();
    assert!(expected.len() > 40, "{expected:?}");
    let scraped = wait::until(SOON, || {
        let answer = curl(&names).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let is_there = |name: &&String| text.contains(&format!("\"{name}\""));
        let missing: Vec<_> = expected.iter().filter(|name| !is_there(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("not scraped: {missing:?}; there are {text}"))
    });
    scraped.unwrap_or_else(|why| {
        let log = fs::read_to_string(folder.join("prometheus.log")).unwrap_or_default();
        panic!("{why}\n{log}")
    });
    // The newer of the two texts was asked for, and is understood whole.
    let targets = succeed(&mut curl(&format!("http://{addr}/api/v1/targets")));
    assert!(targets.contains("\"health\":\"up\""), "{targets}");
    let value = succeed(&mut curl(&format!(
        "http://{addr}/api/v1/query?query=muster_ready"
    )));
    assert!(value.contains(",\"1\"]"), "{value}");
    let kinds = succeed(&mut curl(&format!(
        "http://{addr}/api/v1/metadata?metric=muster_view"
    )));
    assert!(kinds.contains("\"type\":\"gauge\""), "{kinds}");
    println!("{} metrics scraped", expected.len());
}
