use super::*;

fn progress(runs: usize) -> Progress {
    Progress::on(ProgressBar::hidden(), "crash\u{1b}", runs)
}

fn part(progress: &Progress) -> f64 {
    let length = progress.bar.length().expect("it was set");
    progress.bar.position() as f64 / length as f64
}

#[test]
fn the_bar_moves_within_runs() {
    let progress = progress(2);
    let mut first = progress.share();
    let mut second = progress.share();
    first.reached(0.5);
    assert_eq!(part(&progress), 0.25);
    second.reached(0.25);
    assert_eq!(part(&progress), 0.375);
    first.finished();
    assert_eq!(part(&progress), 0.625);
    assert_eq!(progress.bar.message(), "crash\u{fffd}: 1 of 2 runs");
    second.finished();
    assert_eq!(part(&progress), 1.0);
    assert_eq!(progress.bar.message(), "crash\u{fffd}: 2 of 2 runs");
}

#[test]
fn a_run_that_falls_back_or_overshoots_leaves_the_bar_sane() {
    let progress = progress(2);
    let mut share = progress.share();
    share.reached(0.5);
    share.reached(0.25);
    assert_eq!(part(&progress), 0.25);
    share.reached(f64::NAN);
    share.reached(-1.0);
    assert_eq!(part(&progress), 0.25);
    share.reached(7.0);
    assert_eq!(part(&progress), 0.5);
}

#[test]
fn time_left_is_unknown_until_something_was_done() {
    assert_eq!(left(0, Duration::ZERO), "?");
    assert_eq!(left(1, Duration::from_secs(85)), "1m 25s");
}
