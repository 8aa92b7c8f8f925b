//! A Docker daemon in a folder of its own, with the image built and, if wanted, the compose file
//! up. Ended with all that it runs when it is dropped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_tests::{wait, within};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::SOON;

/// The image under test.
pub(crate) const IMAGE: &str = "muster:test";

/// The compose project: names of containers and networks begin with it.
const PROJECT: &str = "musterct";

/// The network's addresses, for which the compose file asks nobody else.
const SUBNET: &str = "10.213.7";

/// What a container has when it gets an address by number.
pub(crate) fn address(host: u8) -> String {
    format!("{SUBNET}.{host}")
}

/// A daemon and what is made in it.
pub(crate) struct Docker {
    daemon: Child,
    folder: TempDir,
}

impl Docker {
    /// Starts a daemon and builds the image from the binary that `MUSTER_STATIC` names.
    pub(crate) fn start() -> Docker {
        assert!(
            rustix::process::geteuid().is_root(),
            "a Docker daemon needs root: run `sudo tests/run container`"
        );
        let folder = tempfile::Builder::new().prefix("mct").tempdir();
        let folder = folder.expect("the temporary folder can be written");
        let log = File::create(folder.path().join("log")).expect("a log can be written");
        let at = |name: &str| folder.path().join(name).into_os_string();
        // It ends with this test's thread. The bridges that it makes are in a network namespace of
        // its own, and end with it: one that was left over would take this network's packets.
        let daemon = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "unshare", "--net"])
            .args(["dockerd", "--data-root"])
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("--host")
            .arg(format!("unix://{}", folder.path().join("s").display()))
            .args(["--bridge", "none", "--iptables=false", "--ip-masq=false"])
            .args(["--ip-forward=false", "--userland-proxy=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Docker is installed: `tests/run container`");
        let docker = Docker { daemon, folder };
        let up = wait::until(SOON, || docker.try_docker(&["info"]).map(drop));
        up.unwrap_or_else(|why| panic!("{why}\n{}", docker.log()));
        docker.build();
        docker
    }

    fn build(&self) {
        let binary = std::env::var_os("MUSTER_STATIC").map(PathBuf::from);
        let binary = binary.expect("MUSTER_STATIC names the binary: `tests/run container`");
        let context = self.folder.path().join("context");
        for folder in ["run/muster", "var/lib/muster"] {
            let folder = context.join("empty").join(folder);
            fs::create_dir_all(folder).expect("the folder can be written");
        }
        fs::copy(&binary, context.join("muster")).expect("MUSTER_STATIC names a binary");
        fs::copy(deploy().join("Dockerfile"), context.join("Dockerfile")).expect("it is there");
        let context = context.display().to_string();
        self.docker(&["build", "--target", "prebuilt", "--tag", IMAGE, &context]);
    }

    /// Brings up the compose file, on a network with addresses of ours.
    pub(crate) fn up(&self) {
        let subnet = format!(
            "version: \"3.8\"\nnetworks: {{ cluster: {{ ipam: {{ config: [{{ subnet: {SUBNET}.0/24 \
             }}] }} }} }}\n"
        );
        let more = self.folder.path().join("subnet.yaml");
        fs::write(more, subnet).expect("the folder can be written");
        let up = self.compose(&["up", "--detach", "--no-build"]);
        up.unwrap_or_else(|why| panic!("{why}\n{}", self.log()));
    }

    fn compose(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("docker-compose");
        command
            // Names are joined as the first version of this program did.
            .args(["--compatibility", "--project-name", PROJECT, "--file"])
            .arg(deploy().join("compose/compose.yaml"))
            .arg("--file")
            .arg(self.folder.path().join("subnet.yaml"))
            .args(arguments)
            .env("MUSTER_IMAGE", IMAGE);
        self.run(&mut command)
    }

    /// Runs `docker`, which must succeed.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments)
            .unwrap_or_else(|why| panic!("docker {arguments:?}: {why}"))
    }

    pub(crate) fn try_docker(&self, arguments: &[&str]) -> Result<String, String> {
        self.run(Command::new("docker").args(arguments))
    }

    fn run(&self, command: &mut Command) -> Result<String, String> {
        let socket = format!("unix://{}", self.folder.path().join("s").display());
        command
            .env("DOCKER_HOST", socket)
            .env("DOCKER_BUILDKIT", "0");
        let output = command.stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{command:?}: {error}"))?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        output.status.success().then_some(text.clone()).ok_or(text)
    }

    /// The container of a service.
    pub(crate) fn name(&self, service: &str) -> String {
        format!("{PROJECT}_{service}_1")
    }

    /// Runs `muster` in the container of an app.
    pub(crate) fn exec(&self, app: usize, arguments: &[&str]) -> Result<String, String> {
        let name = self.name(&format!("app{app}"));
        self.try_docker(&[&["exec", &name, "/usr/bin/muster"], arguments].concat())
    }

    pub(crate) fn logs(&self, service: &str) -> String {
        self.docker(&["logs", &self.name(service)])
    }

    /// All that Docker knows of an image or of the container of a service.
    pub(crate) fn inspect(&self, kind: &str, name: &str) -> Value {
        let name = match kind {
            "container" => self.name(name),
            _ => name.to_owned(),
        };
        let text = self.docker(&[kind, "inspect", &name]);
        let list: Value = serde_json::from_str(&text).expect("it speaks JSON");
        list[0].clone()
    }

    /// What the health check of a service says.
    pub(crate) fn health(&self, service: &str) -> String {
        let container = self.inspect("container", service);
        let health = container["State"]["Health"]["Status"].as_str();
        health.unwrap_or_default().to_owned()
    }

    pub(crate) fn disconnect(&self, service: &str) {
        let network = format!("{PROJECT}_cluster");
        self.docker(&["network", "disconnect", &network, &self.name(service)]);
    }

    /// Connects it again, under its name, at the address with this number.
    pub(crate) fn connect(&self, service: &str, host: u8) {
        let network = format!("{PROJECT}_cluster");
        let (address, name) = (address(host), self.name(service));
        let alias = ["--alias", service, "--ip", &address];
        let connect = ["network", "connect"];
        self.docker(&[&connect[..], &alias[..], &[&network, &name]].concat());
    }

    /// The number of its address.
    pub(crate) fn address_of(&self, service: &str) -> u8 {
        let container = self.inspect("container", service);
        let networks = &container["NetworkSettings"]["Networks"];
        let address = networks[format!("{PROJECT}_cluster")]["IPAddress"].as_str();
        let host = address.and_then(|address| address.rsplit('.').next()?.parse().ok());
        host.expect("it is connected")
    }

    /// What its TCP address answers.
    pub(crate) fn http(&self, service: &str, path: &str) -> String {
        let host = address(self.address_of(service));
        let namespace = format!("/proc/{}/ns/net", self.daemon.id());
        let connect = || TcpStream::connect((host.as_str(), 7980));
        let connected = within(Path::new(&namespace), connect);
        let mut stream = connected.expect("it listens");
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("it is no zero");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("it answers in text");
        answer
    }

    /// A fresh folder of the host that belongs to root.
    pub(crate) fn host_folder(&self) -> String {
        let folder = self.folder.path().join("host");
        fs::create_dir(&folder).expect("the folder can be written");
        let open = fs::Permissions::from_mode(0o755);
        // The folder above is closed to others, but containers see only this one.
        fs::set_permissions(&folder, open).expect("it is ours");
        folder.display().to_string()
    }

    /// All paths in a container that was never started.
    pub(crate) fn files(&self) -> Vec<String> {
        self.docker(&["create", "--name", "looked-at", IMAGE]);
        let archive = self.folder.path().join("image.tar").display().to_string();
        self.docker(&["export", "--output", &archive, "looked-at"]);
        let listed = self.run(Command::new("tar").args(["-tf", &archive]));
        let listed = listed.expect("it is an archive");
        listed.lines().map(str::to_owned).collect()
    }

    /// Waits for what `check` finds fine, or panics with all that the containers said.
    pub(crate) fn wait(
        &self,
        patience: Duration,
        what: &str,
        check: impl FnMut() -> Result<(), String>,
    ) {
        if let Err(why) = wait::until(patience, check) {
            let services = ["muster1", "muster2", "muster3", "app1", "app2", "app3"];
            let log = |service| {
                let log = self.try_docker(&["logs", &self.name(service)]);
                format!("---- {service}\n{}", log.unwrap_or_else(|why| why))
            };
            let logs: Vec<String> = services.into_iter().map(log).collect();
            panic!("in vain: {what}: {why}\n{}", logs.join("\n"));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // What is paused or was never made is no reason to leave the rest.
        let _ = self.compose(&["down", "--volumes", "--timeout", "0"]);
        let pid = i32::try_from(self.daemon.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = wait::until(SOON, || match self.daemon.try_wait() {
            Ok(None) => Err("it goes on".to_owned()),
            Ok(Some(_)) | Err(_) => Ok(()),
        });
        if ended.is_err() {
            let _ = self.daemon.kill();
        }
    }
}

fn deploy() -> PathBuf {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent
        .expect("the crate lies in the workspace")
        .join("sidecar/deploy")
}
