use std::time::Duration;

use super::*;

#[test]
fn the_power_is_the_power() {
    for step in 0..400 {
        let x = f64::from(step) / 10.0;
        let (ours, exact) = (e_to_minus(x), (-x).exp());
        assert!(
            (ours - exact).abs() <= exact * 1e-5,
            "{x}: {ours} instead of {exact}"
        );
    }
    assert_eq!(e_to_minus(41.0), 0.0);
}

/// The weather at so many points of time, one every `step`.
fn weather(burst: &Burst, step: Duration, count: usize) -> Vec<bool> {
    let mut dice = Dice::new(7);
    let mut weather = Weather::default();
    let mut now = Time::ZERO;
    let mut look = || {
        now += step;
        weather.look(burst, now, &mut dice)
    };
    (0..count).map(|_| look()).collect()
}

const BURST: Burst = Burst {
    loss: 1.0,
    lasts: Duration::from_millis(200),
    every: Duration::from_millis(2000),
};

#[test]
fn bursts_are_as_long_and_as_often_as_told_however_often_one_looks() {
    for step_ms in [1, 20] {
        let step = Duration::from_millis(step_ms);
        let seen = weather(&BURST, step, 2_000_000 / step_ms as usize);
        let starts = seen.windows(2).filter(|pair| pair[1] && !pair[0]).count();
        let stormy = seen.iter().filter(|stormy| **stormy).count();
        let every = 2_000_000.0 / starts as f64;
        let lasts = stormy as f64 * step_ms as f64 / starts as f64;
        // Who looks seldom misses the shortest ones, and some breaks.
        let seldom = step_ms as f64;
        assert!((1900.0..2100.0 + 14.0 * seldom).contains(&every), "{every}");
        assert!((185.0..215.0 + 2.0 * seldom).contains(&lasts), "{lasts}");
    }
}

#[test]
fn the_weather_forgets() {
    // Looked at every 20 s, each look is news: stormy as often as storms are.
    let seen = weather(&BURST, Duration::from_secs(20), 20_000);
    let stormy = seen.iter().filter(|stormy| **stormy).count();
    assert!((1800..2200).contains(&stormy), "{stormy} of 20,000");
    let again = seen.windows(2).filter(|pair| pair[0] && pair[1]).count();
    assert!(again < stormy / 5, "{again} storms in a row of {stormy}");
}

#[test]
fn the_past_is_as_the_present_was() {
    let mut dice = Dice::new(3);
    let mut weather = Weather::default();
    let later = Time::ZERO + Duration::from_secs(100);
    let stormy = weather.look(&BURST, later, &mut dice);
    for _ in 0..1000 {
        assert_eq!(weather.look(&BURST, Time::ZERO, &mut dice), stormy);
    }
}
