//! Many runs over the cores.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use muster_swim::sim::scenario::{Outcome, Run, RunOptions, Scenario, ScenarioError};

use super::progress::Progress;

/// One run to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    /// What is run.
    pub(super) scenario: &'a Scenario,
    /// From which seed.
    pub(super) seed: u64,
    /// What the outcome shall contain.
    pub(super) options: RunOptions,
}

/// Why there are no outcomes. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PoolError {
    /// A run could not start.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A check within a run failed in such a way that the run could not go on.
    #[error(
        "the run of seed {seed} broke off for the reason above, a mistake in the simulator or the \
         protocol; the same command with --replay {seed} shows it again"
    )]
    BrokeOff {
        /// Of the run.
        seed: u64,
    },
    /// The system refused a thread.
    #[error("cannot start a thread for a run: {0}; try with a smaller --jobs")]
    Thread(#[source] io::Error),
}

/// Runs all jobs on `threads` threads, in any order; the outcomes are in the order of the jobs.
///
/// On a terminal's standard error a bar titled `title` shows how far they are.
pub(super) fn run_all(
    jobs: &[Job<'_>],
    threads: usize,
    title: &str,
) -> Result<Vec<Outcome>, PoolError> {
    let progress = Progress::on_terminal(title, jobs.len());
    work_off(jobs, threads, &progress, |job| {
        Ok(Run::new(job.scenario, job.seed, job.options)?)
    })
}

/// Something that is done in slices.
trait Work {
    type Made: Send;

    /// Does a slice; false: it is over.
    fn advance(&mut self) -> bool;

    /// How much is done, 0 to 1.
    fn progress(&self) -> f64;

    /// What was made.
    fn finish(self) -> Self::Made;
}

impl Work for Run {
    type Made = Outcome;

    fn advance(&mut self) -> bool {
        Run::advance(self)
    }

    fn progress(&self) -> f64 {
        Run::progress(self)
    }

    fn finish(self) -> Outcome {
        Run::finish(self)
    }
}

/// A job with a number by which a person can find it again.
trait Numbered {
    fn number(&self) -> u64;
}

impl Numbered for Job<'_> {
    fn number(&self) -> u64 {
        self.seed
    }
}

/// Where the threads are.
struct Floor<'a, J, B> {
    jobs: &'a [J],
    begin: B,
    progress: &'a Progress,
    /// The next job that nobody took.
    next: AtomicUsize,
    /// Whether one failed, so that the others need not go on.
    stopped: AtomicBool,
}

fn work_off<J, W, B>(
    jobs: &[J],
    threads: usize,
    progress: &Progress,
    begin: B,
) -> Result<Vec<W::Made>, PoolError>
where
    J: Numbered + Sync,
    W: Work,
    B: Fn(&J) -> Result<W, PoolError> + Sync,
{
    let floor = Floor {
        jobs,
        begin,
        progress,
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
    };
    let floor = &floor;
    let mut made: Vec<(usize, W::Made)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, jobs.len().max(1)))
            .map(|_| thread::Builder::new().spawn_scoped(scope, || floor.work()))
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            let worker = worker.map_err(|error| floor.stop(PoolError::Thread(error)))?;
            all.extend(worker.join().expect("what may panic has its own thread")?);
        }
        Ok::<_, PoolError>(all)
    })?;
    made.sort_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

impl<J, W, B> Floor<'_, J, B>
where
    J: Numbered + Sync,
    W: Work,
    B: Fn(&J) -> Result<W, PoolError> + Sync,
{
    /// Takes one job after the other until none is left.
    fn work(&self) -> Result<Vec<(usize, W::Made)>, PoolError> {
        let mut made = Vec::new();
        while !self.stopped.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.jobs.get(index) else {
                break;
            };
            match self
                .carry_out_apart(job)
                .map_err(|error| self.stop(error))?
            {
                Some(outcome) => made.push((index, outcome)),
                None => break,
            }
        }
        Ok(made)
    }

    /// On a thread of its own, whose name is told when the run panics.
    fn carry_out_apart(&self, job: &J) -> Result<Option<W::Made>, PoolError> {
        let seed = job.number();
        thread::scope(|scope| {
            thread::Builder::new()
                .name(format!("seed {seed}"))
                .spawn_scoped(scope, || self.carry_out(job))
                .map_err(PoolError::Thread)?
                .join()
                .map_err(|_| PoolError::BrokeOff { seed })?
        })
    }

    /// `None`: it was stopped on the way.
    fn carry_out(&self, job: &J) -> Result<Option<W::Made>, PoolError> {
        let mut work = (self.begin)(job)?;
        let mut share = self.progress.share();
        while work.advance() {
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            share.reached(work.progress());
        }
        let made = work.finish();
        share.finished();
        Ok(Some(made))
    }

    /// Lets the others stop, too.
    fn stop(&self, error: PoolError) -> PoolError {
        self.stopped.store(true, Ordering::Relaxed);
        error
    }
}

#[cfg(test)]
mod tests;
