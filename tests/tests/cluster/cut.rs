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
    cluster.wait(
        SOON,
        "the others have lost n7, and agree on that",
        |cluster| {
            cluster.none_but(&marks, "member-unreachable", &[7])?;
            cluster.others_see(&[7], "dead")?;
            cluster.others_agree(&[7], "dead")
        },
    );
    cluster.wait(
        SOON,
        "the hint and the verdict are logged by all",
        |cluster| cluster.others_were_warned(&marks, &[7]),
    );
    cluster.network().heal();
    cluster.wait(PATIENT, "all see all again", |cluster| {
        cluster.none_but(&marks, "member-unreachable", &[7])?;
        cluster.all_see_all()
    });
    cluster.wait_all_agree();
    if let Err(convicted) = cluster.none_but(&marks, "member-dead", &[7]) {
        cluster.fail(&convicted);
    }
    let told = cluster.host(7).kinds_about_itself(marks[6]);
    assert!(
        told.windows(2)
            .any(|pair| pair == ["self-removed", "self-readmitted"]),
        "it was told that it was removed and is a member again: {told:?}"
    );
}

#[test]
fn two_halves_lose_each_other_and_find_each_other_again() {
    let cluster = Cluster::formed(Options::default());
    let marks = cluster.marks();
    let voters = cluster.wait_voters(5);
    let (even, odd): (Vec<usize>, Vec<usize>) = (1..=30).partition(|number| number % 2 == 0);
    let of_even = voters.iter().filter(|&voter| even.contains(voter)).count();
    let (most, rest) = if of_even > 2 {
        (even, odd)
    } else {
        (odd, even)
    };
    cluster
        .network()
        .impose(&[Cut::Between(most.clone(), rest.clone())]);
    cluster.wait(
        PATIENT,
        "the half with most voters has removed the other, which has only lost it",
        |cluster| {
            half_sees(cluster, &most, &rest, "dead")?;
            half_sees(cluster, &rest, &most, "unreachable")
        },
    );
    cluster.network().heal();
    cluster.wait(PATIENT, "all see all again", Cluster::all_see_all);
    cluster.wait_all_agree();
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

/// Whether one half sees itself alive and the other in that state.
fn half_sees(
    cluster: &Cluster,
    half: &[usize],
    other: &[usize],
    state: &str,
) -> Result<(), String> {
    for &number in half {
        let view = cluster.host(number).view()?;
        let wrong_state = |numbers: &[usize], state: &str| {
            let names = numbers.iter().map(|&number| cluster.host(number).name());
            names.filter(|name| view.state(name) != state).count()
        };
        if wrong_state(half, "alive") + wrong_state(other, state) > 0 {
            return Err(format!("n{number} sees {view}"));
        }
    }
    Ok(())
}
