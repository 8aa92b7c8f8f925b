//! How far the runs are, on a terminal.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::output::rough;
use crate::cli::table::printable;

/// Parts of a run that the bar tells apart: in a run of minutes each is some milliseconds.
const PARTS: u64 = 10_000;

/// Time between two drawings.
const TICK: Duration = Duration::from_millis(200);

/// A bar over all runs together, which goes away when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    title: String,
    runs: usize,
    finished: AtomicUsize,
}

/// One run's share of the bar.
pub(super) struct Share<'a> {
    progress: &'a Progress,
    /// Parts that are on the bar.
    parts: u64,
}

impl Progress {
    /// On standard error if that is a terminal.
    pub(super) fn on_terminal(title: &str, runs: usize) -> Progress {
        if !io::stderr().is_terminal() {
            return Progress::on(ProgressBar::hidden(), title, runs);
        }
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style());
        let progress = Progress::on(bar, title, runs);
        progress.bar.enable_steady_tick(TICK);
        progress
    }

    fn on(bar: ProgressBar, title: &str, runs: usize) -> Progress {
        let title = printable(title);
        let bar = bar.with_message(message(&title, 0, runs));
        bar.set_length(PARTS * runs as u64);
        Progress {
            bar,
            title,
            runs,
            finished: AtomicUsize::new(0),
        }
    }

    /// The share of a run that begins.
    pub(super) fn share(&self) -> Share<'_> {
        Share {
            progress: self,
            parts: 0,
        }
    }
}

fn message(title: &str, finished: usize, runs: usize) -> String {
    format!("{title}: {finished} of {runs} runs")
}

fn style() -> ProgressStyle {
    let template = "{msg} {wide_bar} {percent:>3} %  {gone} gone, {left} left";
    ProgressStyle::with_template(template)
        .expect("a template that was tried")
        .progress_chars("━╸ ")
        .with_key("gone", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A bar that cannot be written is not there to complain on.
            let _ = out.write_str(&rough(state.elapsed()));
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = out.write_str(&left(state.pos(), state.eta()));
        })
}

/// Nobody knows before anything was done.
fn left(position: u64, estimate: Duration) -> String {
    if position == 0 {
        "?".to_owned()
    } else {
        rough(estimate)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Share<'_> {
    /// The run is so far, 0 to 1. A run that falls back stays where it was.
    pub(super) fn reached(&mut self, part: f64) {
        let parts = ((part * PARTS as f64) as u64).min(PARTS);
        let more = parts.saturating_sub(self.parts);
        self.parts += more;
        if more > 0 {
            self.progress.bar.inc(more);
        }
    }

    /// The run is over.
    pub(super) fn finished(mut self) {
        self.reached(1.0);
        let finished = self.progress.finished.fetch_add(1, Ordering::Relaxed) + 1;
        let Progress { title, runs, .. } = self.progress;
        self.progress
            .bar
            .set_message(message(title, finished, *runs));
    }
}

#[cfg(test)]
mod tests;
