//! A real sidecar on loopback.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster_tests::{muster_binary, wait};

/// One that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Sidecar {
    pub(crate) socket: PathBuf,
    child: Child,
}

impl Sidecar {
    /// Starts one, `n1` unless told otherwise, and waits until it can be asked.
    pub(crate) fn start(folder: &Path, settings: &[&str]) -> Sidecar {
        let socket = folder.join("agent.sock");
        let mut command = Command::new(muster_binary());
        command.args([
            "agent",
            "--bind=127.0.0.1:0",
            "--cluster=test",
            "--preset=local",
        ]);
        if !settings.iter().any(|setting| setting.starts_with("--name")) {
            command.arg("--name=n1");
        }
        command
            .args(settings)
            .arg("--socket")
            .arg(&socket)
            .arg("--exit-with-parent");
        let child = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the sidecar can be run");
        let sidecar = Sidecar { socket, child };
        let answers = || {
            let connected = UnixStream::connect(&sidecar.socket);
            connected
                .map(drop)
                .map_err(|error| format!("the sidecar: {error}"))
        };
        wait::until(Duration::from_secs(20), answers).expect("it comes up");
        sidecar
    }

    /// Where others reach it.
    pub(crate) fn address(&self) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--unix-socket"]).arg(&self.socket);
        let output = curl
            .arg("http://muster/v1/status")
            .output()
            .expect("curl can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let start = text.find("\"addr\":\"").expect("it says where it listens") + 8;
        text[start..]
            .split('"')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Killed already: fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
