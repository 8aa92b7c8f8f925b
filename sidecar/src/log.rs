//! Log lines on stdout: `TIME LEVEL type key=value ...`, or a JSON object a line.
//!
//! A thread of its own writes them: whoever reads stdout may be slow, stop reading or go away, and
//! the protocol never waits for it. Lines that find no room are dropped, counted and announced.

#[cfg(test)]
pub(crate) mod tests;

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::settings::LogFormat;

/// Lines that may wait to be written.
const LINES: usize = 2048;

/// How long the end of the process waits for lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// The log of this process.
#[derive(Clone)]
pub struct Log {
    level: Arc<AtomicU8>,
    writer: SyncSender<Order>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// No thread can be started.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] io::Error),
    /// There is one already.
    #[error("this process has a log already")]
    Twice,
}

/// What the writing thread is told.
enum Order {
    Line(String),
    Flush(SyncSender<()>),
}

impl Log {
    /// Makes the log of this process; lines less important than `level` are left out.
    pub fn start(level: LevelFilter, format: LogFormat) -> Result<Log, LogError> {
        let (writer, orders) = sync_channel(LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let writing = move || write_lines(&orders, &lost, format);
        thread::Builder::new()
            .name("muster-log".to_owned())
            .spawn(writing)?;
        let level = Arc::new(AtomicU8::new(rank(level)));
        let lines = writer.clone();
        let sink = move |line| {
            if lines.try_send(Order::Line(line)).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        };
        let lines = Lines {
            level: Arc::clone(&level),
            format,
            sink,
        };
        tracing::subscriber::set_global_default(lines).map_err(|_| LogError::Twice)?;
        Ok(Log { level, writer })
    }

    /// Changes which lines are left out.
    pub fn set_level(&self, level: LevelFilter) {
        self.level.store(rank(level), Ordering::Relaxed);
    }

    /// Waits until all lines so far are written, for a second at most.
    pub fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        if self.writer.try_send(Order::Flush(done)).is_ok() {
            // Late or never: there is nobody left to tell.
            let _ = flushed.recv_timeout(FLUSH);
        }
    }
}

/// Writes until the process ends. A closed stdout loses the lines and nothing else.
fn write_lines(orders: &Receiver<Order>, dropped: &AtomicU64, format: LogFormat) {
    let mut stdout = io::stdout();
    for order in orders {
        match order {
            Order::Line(line) => {
                let count = dropped.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let _ = stdout.write_all(lost_lines(count, format).as_bytes());
                }
                let _ = stdout.write_all(line.as_bytes());
            }
            Order::Flush(done) => {
                let _ = stdout.flush();
                let _ = done.send(());
            }
        }
    }
}

fn lost_lines(count: u64, format: LogFormat) -> String {
    let mut line = Line::new(SystemTime::now(), Level::WARN);
    line.kind = "log-lines-dropped".to_owned();
    line.fields.push(("count", Value::Bare(count.to_string())));
    line.render(format)
}

/// Turns the events of `tracing` into lines and hands them to `sink`.
pub(crate) struct Lines<S> {
    level: Arc<AtomicU8>,
    format: LogFormat,
    sink: S,
}

impl<S: Fn(String) + 'static> Lines<S> {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = rank(LevelFilter::from_level(*metadata.level()));
        level <= self.level.load(Ordering::Relaxed) && (is_ours(metadata) || is_grave(metadata))
    }
}

impl<S: Fn(String) + Send + Sync + 'static> Subscriber for Lines<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) || is_grave(metadata) {
            // Asked each time: the level can change.
            return Interest::sometimes();
        }
        Interest::never()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && self.wants(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line::new(SystemTime::now(), *metadata.level());
        if !is_ours(metadata) {
            line.fields
                .push(("target", Value::Text(metadata.target().to_owned())));
        }
        event.record(&mut line);
        if !is_ours(metadata) {
            let message = std::mem::replace(&mut line.kind, "log".to_owned());
            line.fields.push(("message", Value::Text(message)));
        }
        (self.sink)(line.render(self.format));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Libraries write at TRACE what they do at every step: only what is wrong with them is wanted.
fn is_grave(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("muster")
}

/// Off is 0, TRACE is 5.
fn rank(level: LevelFilter) -> u8 {
    match level.into_level() {
        None => 0,
        Some(Level::ERROR) => 1,
        Some(Level::WARN) => 2,
        Some(Level::INFO) => 3,
        Some(Level::DEBUG) => 4,
        Some(Level::TRACE) => 5,
    }
}

/// One line, before it is written one way or the other.
struct Line {
    time: String,
    level: Level,
    kind: String,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    /// Quoted where it must be.
    Text(String),
    /// A number or truth value.
    Bare(String),
}

impl Line {
    fn new(time: SystemTime, level: Level) -> Line {
        let time = humantime::format_rfc3339_millis(time).to_string();
        Line {
            time,
            level,
            kind: String::new(),
            fields: Vec::new(),
        }
    }

    fn render(&self, format: LogFormat) -> String {
        let mut line = String::with_capacity(160);
        let written = match format {
            LogFormat::Text => self.write_text(&mut line),
            LogFormat::Json => self.write_json(&mut line),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        line
    }

    fn write_text(&self, line: &mut String) -> fmt::Result {
        write!(line, "{} {} {}", self.time, self.level, self.kind)?;
        for (name, value) in &self.fields {
            match value {
                Value::Text(text) if needs_quotes(text) => write!(line, " {name}={text:?}")?,
                Value::Text(text) | Value::Bare(text) => write!(line, " {name}={text}")?,
            }
        }
        line.push('\n');
        Ok(())
    }

    fn write_json(&self, line: &mut String) -> fmt::Result {
        let text = |text: &str| serde_json::Value::from(text);
        let (time, level, kind) = (&self.time, self.level, text(&self.kind));
        write!(
            line,
            "{{\"time\":\"{time}\",\"level\":\"{level}\",\"type\":{kind}"
        )?;
        for (name, value) in &self.fields {
            match value {
                Value::Text(value) => write!(line, ",\"{name}\":{}", text(value))?,
                Value::Bare(value) => write!(line, ",\"{name}\":{value}")?,
            }
        }
        line.push_str("}\n");
        Ok(())
    }

    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.kind = text,
            // When it happened counts, not when it was written.
            ("time", Value::Text(text)) => self.time = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Value::Text(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Value::Bare(value.to_string()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Value::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Value::Bare(value.to_string()));
    }
}

fn needs_quotes(text: &str) -> bool {
    let special = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '=' | '\\');
    text.is_empty() || text.chars().any(special)
}
