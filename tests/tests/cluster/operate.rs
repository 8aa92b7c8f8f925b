//! An operator asks why, and decides.

use muster_tests::{Cluster, Options};

use crate::SOON;

#[test]
fn an_operator_removes_a_member_that_lives_only_by_force_and_it_comes_back() {
    let cluster = Cluster::formed(Options::of(4));
    let before = cluster.wait_all_agree();
    let marks = cluster.marks();
    let n1 = cluster.host(1);
    let refused = n1.muster(&["remove", "n4"]).expect_err("it answers");
    assert!(refused.contains("answers"), "{refused}");
    let done = n1.muster(&["remove", "n4", "--force"]);
    let done = done.unwrap_or_else(|error| cluster.fail(&error));
    assert!(done.starts_with("n4 is removed: view "), "{done}");
    cluster.wait(SOON, "it is told and comes back as a new life", |cluster| {
        cluster.others_logged(&marks, "member-dead", &[4])?;
        cluster.all_see_all()?;
        cluster.all_agree().map(|_| ())
    });
    let told = cluster.host(4).kinds_about_itself(marks[3]);
    assert_eq!(told, ["self-removed", "self-readmitted"]);
    let after = cluster.wait_all_agree();
    assert!(after.up["n4"].0 > before.up["n4"].0);
    for host in cluster.others(&[4]) {
        let story = host
            .muster(&["explain", "n4"])
            .expect("it is explained everywhere");
        assert!(
            story.contains("REMOVED n4 in view"),
            "{}: {story}",
            host.name()
        );
        assert!(
            story.contains("an operator asked for it"),
            "{}: {story}",
            host.name()
        );
    }
}

#[test]
fn a_removal_is_explained_by_every_member() {
    let mut cluster = Cluster::formed(Options::of(4));
    cluster.host_mut(4).kill();
    cluster.wait(SOON, "all agree that it is dead", |cluster| {
        cluster.others_agree(&[4], "dead")
    });
    let stories: Vec<String> = cluster
        .running()
        .map(|host| {
            host.muster(&["explain", "n4"])
                .expect("it is explained everywhere")
        })
        .collect();
    for story in &stories {
        println!("{story}");
        assert!(story.contains("n4 is dead"), "{story}");
        assert!(story.contains("REMOVED n4 in view"), "{story}");
        assert!(story.contains("refused: host up, process gone"), "{story}");
        assert!(
            story.contains("(accuser)") && story.contains("verdict: dead"),
            "{story}"
        );
    }
    let unknown = cluster
        .host(1)
        .muster(&["explain", "n9"])
        .expect_err("nobody bears that name");
    assert!(unknown.contains("n9"), "{unknown}");
}
