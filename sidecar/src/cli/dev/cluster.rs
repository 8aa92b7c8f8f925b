//! The local cluster: what runs, what each sidecar sees, and what is done to them.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use smol::channel::Sender;
use smol::{LocalExecutor, Task};

use super::super::output::tone_of;
use super::super::sse::Message;
use super::super::table::{Cell, Table, Tone};
use super::children::{Child, ProcessState, Setup};
use super::commands::{self, Act, Command, HELP};
use super::story::{Deed, Story};
use super::watchers::{self, Report, Sight, Source};
use super::{DevError, Input, Picture};
use crate::api::model::{Event, Members, RESET};

/// A sidecar that starts joins through at most so many others.
const SEEDS: usize = 3;

/// So long after it was paused or let go on, the kernel's word on it is taken.
const SETTLED: Duration = Duration::from_millis(300);

/// All sidecars and what is known of them.
pub(super) struct Cluster {
    setup: Setup,
    sidecars: Vec<Sidecar>,
    /// What happened.
    pub(super) story: Story,
    executor: Rc<LocalExecutor<'static>>,
    inputs: Sender<Input>,
}

struct Sidecar {
    child: Child,
    /// What it saw at the last look; none while it does not answer.
    sees: Option<Box<Sight>>,
    restart_when_ended: bool,
    /// When it was last seen to be paused or let go on.
    signalled: SystemTime,
    watchers: Vec<Task<()>>,
}

impl Cluster {
    /// No sidecars yet.
    pub(super) fn new(
        setup: Setup,
        executor: Rc<LocalExecutor<'static>>,
        inputs: Sender<Input>,
    ) -> Cluster {
        let story = Story::new(SystemTime::now());
        Cluster {
            setup,
            sidecars: Vec::new(),
            story,
            executor,
            inputs,
        }
    }

    /// Adds one more, which is started once there is somebody to join.
    pub(super) fn add(&mut self) {
        let name = format!("n{}", self.sidecars.len() + 1);
        let child = Child::new(name, &self.setup.folder);
        self.sidecars.push(Sidecar {
            child,
            sees: None,
            restart_when_ended: false,
            signalled: SystemTime::UNIX_EPOCH,
            watchers: Vec::new(),
        });
    }

    /// Starts those that wait, once the first one has told its address.
    pub(super) fn start_waiting(&mut self) -> Result<(), DevError> {
        for index in 0..self.sidecars.len() {
            let waits = self.sidecars[index].child.state == ProcessState::Waiting;
            if waits && (index == 0 || !self.seeds(index).is_empty()) {
                self.start(index).map_err(|error| {
                    let what = format!("sidecar {}", self.sidecars[index].child.name);
                    DevError::Start { what, error }
                })?;
            }
        }
        Ok(())
    }

    /// Kills all, waits for their ends and says how many there were.
    pub(super) fn stop(&mut self) -> usize {
        for sidecar in &self.sidecars {
            // Who does not run any more needs no signal.
            let _ = sidecar.child.signal(Signal::KILL);
        }
        let count = self.sidecars.len();
        // Dropping a child waits for its end.
        self.sidecars.clear();
        count
    }

    /// Does what a typed line says; true when it says to end.
    pub(super) fn obey(&mut self, line: &str) -> bool {
        let now = SystemTime::now();
        match commands::parse(line) {
            Ok(None) => {}
            Ok(Some(Command::Quit)) => return true,
            Ok(Some(Command::Help)) => {
                HELP.iter()
                    .for_each(|line| self.story.note(now, *line, Tone::Plain));
            }
            Ok(Some(Command::Add)) => {
                self.add();
                if let Err(error) = self.start_waiting() {
                    self.story.note(now, error.to_string(), Tone::Bad);
                }
            }
            Ok(Some(Command::Act(act, names))) => {
                for name in names {
                    if let Err(problem) = self.act(act, &name) {
                        self.story.note(now, problem, Tone::Warning);
                    }
                }
            }
            Err(problem) => self.story.note(now, problem, Tone::Warning),
        }
        false
    }

    /// Takes what a watcher saw.
    pub(super) fn report(&mut self, source: Source, report: Report) -> Result<(), DevError> {
        let Some(sidecar) = self.sidecars.get_mut(source.child) else {
            return Ok(());
        };
        if sidecar.child.life != source.life {
            return Ok(());
        }
        match report {
            Report::Ended(at) => self.ended(source.child, at)?,
            Report::Sees(sight) => {
                if let Some(sight) = &sight {
                    let mut members = sight.members.members.iter();
                    let own = members.find(|member| member.is_self);
                    sidecar.child.addr = own.map(|member| member.addr);
                    if sidecar.child.state == ProcessState::Starting {
                        sidecar.child.state = ProcessState::Running;
                    }
                }
                sidecar.sees = sight;
            }
            Report::Event(message) => self.event(source.child, &message),
        }
        self.start_waiting()
    }

    /// Looks for what no watcher reports: processes stopped or let go on from elsewhere, and ends
    /// where the kernel does not tell of them.
    pub(super) fn look_around(&mut self) -> Result<(), DevError> {
        let now = SystemTime::now();
        for index in 0..self.sidecars.len() {
            self.ended(index, now)?;
            let Sidecar {
                child, signalled, ..
            } = &self.sidecars[index];
            // A signal of ours may need a moment to show.
            if now.duration_since(*signalled).unwrap_or_default() < SETTLED {
                continue;
            }
            if child.state == ProcessState::Running && child.is_stopped() {
                self.paused_or_resumed(index, Deed::Paused, now);
            } else if child.state == ProcessState::Paused && !child.is_stopped() {
                self.paused_or_resumed(index, Deed::Resumed, now);
            }
        }
        Ok(())
    }

    fn start(&mut self, index: usize) -> io::Result<()> {
        let seeds = self.seeds(index);
        let count = self.sidecars.len();
        let sidecar = &mut self.sidecars[index];
        let now = SystemTime::now();
        sidecar.child.start(&self.setup, &seeds)?;
        let source = Source {
            child: index,
            life: sidecar.child.life,
        };
        sidecar.watchers =
            watchers::watch(&self.executor, source, &sidecar.child, count, &self.inputs);
        self.story.deed(&sidecar.child.name, Deed::Started, now);
        let pid = sidecar.child.pid().unwrap_or_default();
        self.story.note(
            now,
            format!("{} started, pid {pid}", sidecar.child.name),
            Tone::Good,
        );
        Ok(())
    }

    /// Addresses of others to join through: the first ones that run.
    fn seeds(&self, index: usize) -> Vec<SocketAddr> {
        let others = self
            .sidecars
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        others
            .filter(|(_, sidecar)| sidecar.child.state.is_alive())
            .filter_map(|(_, sidecar)| sidecar.child.addr)
            .take(SEEDS)
            .collect()
    }

    fn act(&mut self, act: Act, name: &str) -> Result<(), String> {
        let index = self
            .sidecars
            .iter()
            .position(|sidecar| sidecar.child.name == name)
            .ok_or_else(|| format!("there is no {name}; the table shows all names"))?;
        let now = SystemTime::now();
        let failed = |error: io::Error| format!("{name}: {error}");
        let sidecar = &mut self.sidecars[index];
        let (signal, deed) = match (act, sidecar.child.state) {
            (Act::Restart, ProcessState::Waiting | ProcessState::Ended(_)) => {
                return self.start(index).map_err(failed);
            }
            (_, ProcessState::Waiting | ProcessState::Ended(_)) => {
                return Err(format!(
                    "{name} does not run; start it with: restart {name}"
                ));
            }
            (Act::Leave, ProcessState::Paused) => {
                return Err(format!("{name} is paused; resume it first, or kill it"));
            }
            (Act::Pause, ProcessState::Paused) => return Err(format!("{name} is paused already")),
            (Act::Resume, ProcessState::Starting | ProcessState::Running) => {
                return Err(format!("{name} is not paused"));
            }
            (Act::Kill | Act::Restart, _) => (Signal::KILL, None),
            (Act::Leave, _) => (Signal::TERM, None),
            (Act::Pause, _) => (Signal::STOP, Some(Deed::Paused)),
            (Act::Resume, _) => (Signal::CONT, Some(Deed::Resumed)),
        };
        sidecar.child.signal(signal).map_err(failed)?;
        sidecar.restart_when_ended = act == Act::Restart;
        if let Some(deed) = deed {
            self.paused_or_resumed(index, deed, now);
        }
        Ok(())
    }

    fn paused_or_resumed(&mut self, index: usize, deed: Deed, at: SystemTime) {
        let sidecar = &mut self.sidecars[index];
        sidecar.signalled = at;
        let name = sidecar.child.name.clone();
        let text = if deed == Deed::Paused {
            sidecar.child.state = ProcessState::Paused;
            sidecar.sees = None;
            format!("{name} paused")
        } else {
            sidecar.child.state = ProcessState::Running;
            format!("{name} goes on")
        };
        self.story.deed(&name, deed, at);
        self.story.note(at, text, Tone::Warning);
    }

    /// Notices the end of a process, if it ended. Fails when the very first start did: the others
    /// would wait for ever.
    fn ended(&mut self, index: usize, at: SystemTime) -> Result<(), DevError> {
        let sidecar = &mut self.sidecars[index];
        let before = sidecar.child.state;
        if !before.is_alive() || sidecar.child.reap().is_none() {
            return Ok(());
        }
        sidecar.watchers.clear();
        sidecar.sees = None;
        let name = sidecar.child.name.clone();
        let pid = sidecar.child.pid().unwrap_or_default();
        let mut text = format!(
            "{name} ended, pid {pid}: {}",
            sidecar.child.state.describe()
        );
        if before == ProcessState::Starting {
            let last_words = sidecar.child.last_words();
            if index == 0 && sidecar.child.life == 1 {
                let error = io::Error::other(format!("{text}:\n{}", last_words.join("\n")));
                return Err(DevError::Start {
                    what: "the first sidecar".to_owned(),
                    error,
                });
            }
            text.push_str(&format!("; its log ends with: {}", last_words.join(" | ")));
        }
        let restart = std::mem::take(&mut sidecar.restart_when_ended);
        self.story.deed(&name, Deed::Ended, at);
        self.story.note(at, text, Tone::Bad);
        if restart && let Err(error) = self.start(index) {
            self.story
                .note(at, format!("cannot start {name}: {error}"), Tone::Bad);
        }
        Ok(())
    }

    fn event(&mut self, index: usize, message: &Message) {
        let observer = self.sidecars[index].child.name.clone();
        if message.event == RESET {
            let text = format!("{observer} lost events and sent all members anew (reset)");
            return self.story.note(SystemTime::now(), text, Tone::Warning);
        }
        // Not an event of this version: nothing that could be shown about a member.
        let Ok(event) = serde_json::from_str::<Event>(&message.data) else {
            return;
        };
        let awake: BTreeSet<String> = self
            .sidecars
            .iter()
            .filter(|sidecar| sidecar.child.state == ProcessState::Running)
            .map(|sidecar| sidecar.child.name.clone())
            .collect();
        self.story.sighting(&observer, &event, &awake);
    }

    /// What is to be shown now.
    pub(super) fn picture(&self) -> Picture<'_> {
        let observer = self.sidecars.iter().find(|sidecar| sidecar.sees.is_some());
        Picture {
            title: self.title(observer),
            table: self.table(observer),
            hints: self.hints(),
            story: &self.story,
        }
    }

    fn title(&self, observer: Option<&Sidecar>) -> Vec<Cell> {
        let count = self.sidecars.len();
        let folder = self.setup.folder.display();
        let mut title = vec![
            Cell::new("muster dev", Tone::Strong),
            Cell::plain(format!(": {count} sidecars, ")),
        ];
        let Some((observer, sight)) = observer.and_then(|o| Some((o, o.sees.as_ref()?))) else {
            title.push(Cell::plain(format!("in {folder}")));
            return title;
        };
        let (view, epoch) = (sight.members.view, sight.members.epoch);
        title.push(match &sight.coordinator {
            Some(name) => Cell::new(
                format!("coordinator {name} (epoch {epoch}), view {view}"),
                Tone::Good,
            ),
            None if view == 0 => Cell::new("no coordinator yet", Tone::Warning),
            None => Cell::new(format!("no coordinator, view {view} is frozen"), Tone::Bad),
        });
        let name = &observer.child.name;
        title.push(Cell::plain(format!("; as {name} sees it; in {folder}")));
        title
    }

    fn table(&self, observer: Option<&Sidecar>) -> Table {
        let mut table = Table::new(&["NAME", ">PID", "PROCESS", "STATE", "SEES", "~SOCKET"]);
        let count = self.sidecars.len();
        for Sidecar { child, sees, .. } in &self.sidecars {
            let believed = observer
                .and_then(|observer| observer.sees.as_ref())
                .and_then(|sight| {
                    let mut members = sight.members.members.iter();
                    members.find(|member| member.name == child.name)
                })
                .map_or("-", |member| &*member.state);
            let dash = || "-".to_owned();
            table.row([
                Cell::new(&child.name, Tone::Strong),
                Cell::plain(child.pid().map_or_else(dash, |pid| pid.to_string())),
                Cell::new(child.state.describe(), process_tone(child.state)),
                Cell::new(believed, tone_of(believed)),
                sees_cell(sees.as_deref().map(|sight| &sight.members), count),
                Cell::plain(child.socket.display().to_string()),
            ]);
        }
        table
    }

    /// How to go on from here, with values that can be copied.
    fn hints(&self) -> Vec<Vec<Cell>> {
        let hint = |label: &str, text: String| {
            vec![
                Cell::new(format!("{label:<5}"), Tone::Faint),
                Cell::plain(text),
            ]
        };
        let command = hint(
            "type",
            "kill n3 · pause n3 · resume n3 · restart n3 · add · quit · help".into(),
        );
        let running: Vec<&Child> = self
            .sidecars
            .iter()
            .map(|sidecar| &sidecar.child)
            .filter(|child| child.state == ProcessState::Running)
            .collect();
        let (Some(first), Some(last)) = (running.first(), running.last()) else {
            return vec![command];
        };
        let socket = first.socket.display();
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "muster".to_owned());
        let pid = last.pid().unwrap_or_default();
        vec![
            hint("ask", format!("{program} members --socket {socket}")),
            hint(
                "",
                format!("curl --unix-socket {socket} http://muster/v1/members"),
            ),
            hint(
                "why",
                format!("{program} explain {} --socket {socket}", last.name),
            ),
            hint(
                "end",
                format!("kill -9 {pid}   (that is {}; or any other pid)", last.name),
            ),
            command,
        ]
    }
}

fn process_tone(state: ProcessState) -> Tone {
    match state {
        ProcessState::Waiting | ProcessState::Starting => Tone::Faint,
        ProcessState::Running => Tone::Good,
        ProcessState::Paused => Tone::Warning,
        ProcessState::Ended(_) => Tone::Bad,
    }
}

fn sees_cell(sees: Option<&Members>, count: usize) -> Cell {
    let Some(sees) = sees else {
        return Cell::plain("-");
    };
    let alive = sees
        .members
        .iter()
        .filter(|member| member.state == "alive")
        .count();
    Cell::new(
        format!("{alive} of {count}"),
        if alive == count {
            Tone::Good
        } else {
            Tone::Warning
        },
    )
}
