//! `muster dev` on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OutputModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::{Place, muster, signal, wait_for};

/// A local cluster on a pseudo-terminal of 80 columns.
struct OnTerminal {
    place: Place,
    dev: Child,
    keyboard: File,
    terminal: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    fn start() -> OnTerminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keyboard).expect("it is ours");
        unlockpt(&keyboard).expect("it is ours");
        let path = ptsname(&keyboard, Vec::new()).expect("it has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&path, flags, Mode::empty()).expect("it can be opened");
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).expect("it has a size");
        let end = || Stdio::from(terminal.try_clone().expect("descriptors are left"));
        let place = Place::new();
        let mut command = muster(&["dev", "--members", "2"]);
        command
            .env("TMPDIR", place.path())
            .env("TERM", "xterm")
            .env_remove("NO_COLOR");
        command.stdin(end()).stdout(end()).stderr(end());
        let dev = command.spawn().expect("the built program can be started");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let keyboard = File::from(keyboard);
        collect(
            keyboard.try_clone().expect("descriptors are left"),
            Arc::clone(&screen),
        );
        OnTerminal {
            place,
            dev,
            keyboard,
            terminal,
            screen,
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("somebody reads the terminal");
    }

    fn drawn(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no holder panics")).into_owned()
    }

    fn wait_until_drawn(&self, text: &str) {
        wait_for(
            text,
            || self.drawn(),
            || self.drawn().contains(text).then_some(()),
        );
    }

    /// Whether lines are edited, echoed and ended as on a terminal that nobody changed.
    fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.terminal).expect("it is a terminal");
        modes
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
            && modes.output_modes.contains(OutputModes::OPOST)
    }

    fn wait_until_given_back(&self) {
        self.place.wait_until_empty();
        let given_back = || self.is_as_before() && self.drawn().contains(LEAVE);
        wait_for(
            "the terminal as it was",
            || self.drawn(),
            || given_back().then_some(()),
        );
    }
}

/// Ends the alternate screen (xterm's private mode 1049).
const LEAVE: &str = "\x1b[?1049l";

fn collect(mut from: File, into: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // Ends with an error when nobody has the terminal open any more.
        while let Ok(count) = from.read(&mut bytes) {
            into.lock()
                .expect("no holder panics")
                .extend_from_slice(&bytes[..count]);
        }
    });
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.dev.kill();
        let _ = self.dev.wait();
    }
}

#[test]
fn keys_are_commands_and_the_terminal_is_given_back_at_the_end() {
    let mut dev = OnTerminal::start();
    assert!(dev.is_as_before());
    dev.wait_until_drawn("2 of 2");
    assert!(!dev.is_as_before());
    dev.type_keys("kilx\x7fl n2\r");
    dev.wait_until_drawn("killed (9)");
    dev.wait_until_drawn("after its end: n1 ");
    dev.type_keys("quit\r");
    assert!(dev.dev.wait().expect("it is our child").success());
    dev.wait_until_given_back();
    dev.wait_until_drawn("Stopped 2 sidecars");
}

#[test]
fn the_terminal_is_given_back_also_when_it_is_killed() {
    let mut dev = OnTerminal::start();
    dev.wait_until_drawn("2 of 2");
    signal(dev.dev.id(), Signal::KILL);
    assert!(!dev.dev.wait().expect("it is our child").success());
    dev.wait_until_given_back();
}
