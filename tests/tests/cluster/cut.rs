//! Cables break, both ways or one way.

use muster_tests::{Cluster, Cut, Options};

use crate::{PATIENT, SOON};

#[test]
fn a_member_that_hears_nothing_is_lost_alone_and_found_again() {
    cut_off_and_healed(Cut::Incoming(vec![7]));
}

#[test]
fn a_member_that_nobody_hears_is_lost_alone_and_found_again() {
    cut_off_and_healed(Cut::Outgoing(vec![7]));
}

/// Whatever the member behind the cut believes, the others lose only that one.
fn cut_off_and_healed(cut: Cut) {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    cluster.network().impose(&[cut]);
    cluster.wait(SOON, "the others see n7 as unreachable", |cluster| {
        cluster.none_but(&marks, "member-unreachable", &[7])?;
        cluster.others_see(&[7], "unreachable")
    });
    cluster.network().heal();
    cluster.wait(PATIENT, "all see all again", |cluster| {
        cluster.none_but(&marks, "member-unreachable", &[7])?;
        cluster.all_see_all()
    });
}

#[test]
fn two_halves_lose_each_other_and_find_each_other_again() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    let (left, right): (Vec<usize>, Vec<usize>) = (1..=30).partition(|number| number % 2 == 0);
    cluster
        .network()
        .impose(&[Cut::Between(left.clone(), right.clone())]);
    cluster.wait(
        PATIENT,
        "each half sees the other as unreachable",
        |cluster| {
            half_sees(cluster, &left, &right)?;
            half_sees(cluster, &right, &left)
        },
    );
    cluster.network().heal();
    cluster.wait(PATIENT, "all see all again", Cluster::all_see_all);
    let lost = |number: &usize| {
        let events = cluster.host(*number).events(marks[number - 1]);
        events
            .iter()
            .filter(|line| line.kind == "member-unreachable")
            .count()
    };
    let losses: usize = (1..=30).map(|number| lost(&number)).sum();
    println!("{losses} losses were logged; each member lost 15");
}

/// Whether one half sees itself alive and the other unreachable.
fn half_sees(cluster: &Cluster, half: &[usize], other: &[usize]) -> Result<(), String> {
    for &number in half {
        let view = cluster.host(number).view()?;
        let wrong_state = |numbers: &[usize], state: &str| {
            let names = numbers.iter().map(|&number| cluster.host(number).name());
            names.filter(|name| view.state(name) != state).count()
        };
        if wrong_state(half, "alive") + wrong_state(other, "unreachable") > 0 {
            return Err(format!("n{number} sees {view}"));
        }
    }
    Ok(())
}
