//! Routes about the agreed state. The coordinator's answers are given by the tests.

use muster_swim::{AskError, RecoverError, View};

use crate::agent::{Command, CommandError, Outcome};
use crate::api::model::{Members, Removed, Status};
use crate::api::testing::World;
use crate::api::testing::client::{ask, get};

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn without_a_coordinator_there_is_a_problem_that_says_so() {
    let world = World::new(100);
    world.run(async |_| {
        for path in [
            "/v1/coordinator",
            "/v1/coordinator?wait=false",
            "/v1/coordinator?wait=true&timeout=50ms",
        ] {
            let reply = get(&world.path, path).await;
            let (kind, detail) = reply.problem();
            assert_eq!((reply.status, kind.as_str()), (503, "no-coordinator"));
            assert!(detail.contains("(quorum: forming)"), "{detail}");
            assert_eq!(
                detail.contains("none came within 50ms"),
                path.contains("50ms"),
                "{detail}"
            );
        }
    });
}

#[test]
fn a_view_that_does_not_come_is_told_with_the_one_that_is_known() {
    let world = World::new(100);
    world.run(async |_| {
        let members: Members = get(&world.path, "/v1/members?at_least=0").await.json();
        assert_eq!((members.view, members.epoch), (0, 0));
        let reply = get(&world.path, "/v1/members?at_least=3&timeout=50ms").await;
        let (kind, detail) = reply.problem();
        assert_eq!((reply.status, kind.as_str()), (504, "view-not-reached"));
        let expected = "view 3 did not come here within 50ms; this member knows view 0";
        assert!(detail.contains(expected), "{detail}");
    });
}

#[test]
fn a_consistent_list_comes_after_the_coordinator_was_asked() {
    let world = World::new(100);
    let path = "/v1/members?consistent=true&name=n0";
    world.run(async |_| {
        let answer = Ok(Outcome::View(View(0)));
        let (reply, command) = world.answered(get(&world.path, path), answer).await;
        assert_eq!(command, Command::ConfirmView);
        assert_eq!(reply.json::<Members>().members.len(), 1);
        for (error, status, kind) in [
            (AskError::NoCoordinator, 503, "no-coordinator"),
            (AskError::Unanswered, 504, "unanswered"),
            (AskError::Stopped, 503, "stopping"),
        ] {
            let answer = Err(error.into());
            let (reply, _) = world.answered(get(&world.path, path), answer).await;
            assert_eq!((reply.status, reply.problem().0.as_str()), (status, kind));
        }
        let answer = Err(CommandError::Busy);
        let (reply, _) = world.answered(get(&world.path, path), answer).await;
        assert_eq!(
            (reply.status, reply.problem().0.as_str()),
            (503, "too-many-waiting")
        );
        let answer = Err(AskError::Unanswered.into());
        let (reply, _) = world.answered(get(&world.path, path), answer).await;
        let detail = reply.problem().1;
        assert!(detail.contains("did not say which view"), "{detail}");
        assert!(!detail.contains("may still do it"), "{detail}");
        for (timeout, within) in [("50ms", "within 50ms "), ("0s", "within 0s ")] {
            let impatient = format!("{path}&timeout={timeout}");
            let reply = get(&world.path, &impatient).await;
            let (kind, detail) = reply.problem();
            assert_eq!((reply.status, kind.as_str()), (504, "unanswered"));
            assert!(detail.contains(within), "{detail}");
        }
    });
}

#[test]
fn a_removal_is_answered_with_its_view() {
    let world = World::new(100);
    world.run(async |_| {
        for (query, force) in [("", false), ("?force=true", true), ("?force=false", false)] {
            let path = format!("/v1/members/n%2F3{query}");
            let request = ask(&world.path, "DELETE", &path, "", b"");
            let answer = Ok(Outcome::View(View(17)));
            let (reply, command) = world.answered(request, answer).await;
            let name = "n/3".to_owned();
            assert_eq!(command, Command::Remove { name, force });
            let removed: Removed = reply.json();
            assert_eq!((removed.name.as_str(), removed.view), ("n/3", 17));
        }
        let name = || "n3".to_owned();
        for (error, status, kind) in [
            (AskError::NoSuchMember(name()), 404, "no-such-member"),
            (AskError::StillAlive(name()), 409, "still-alive"),
            (AskError::IsCoordinator(name()), 409, "is-coordinator"),
            (AskError::Unanswered, 504, "unanswered"),
            (AskError::Stopped, 503, "stopping"),
        ] {
            let request = ask(&world.path, "DELETE", "/v1/members/n3", "", b"");
            let text = error.to_string();
            let (reply, _) = world.answered(request, Err(error.into())).await;
            assert_eq!(reply.status, status);
            assert_eq!(reply.problem(), (kind.to_owned(), text));
        }
        let request = ask(&world.path, "DELETE", "/v1/members/n3", "", b"");
        let (reply, _) = world
            .answered(request, Err(AskError::NoCoordinator.into()))
            .await;
        let (kind, detail) = reply.problem();
        assert_eq!((reply.status, kind.as_str()), (503, "no-coordinator"));
        assert!(detail.contains("(quorum: forming)"), "{detail}");
        let reply = ask(&world.path, "DELETE", "/v1/members/n3?hard=true", "", b"").await;
        assert_eq!(reply.status, 400);
    });
}

#[test]
fn a_quorum_is_rebuilt_from_named_survivors_or_it_is_said_why_not() {
    let world = World::new(100);
    let recover = |body: &'static str| {
        let path = world.path.clone();
        async move { ask(&path, "POST", "/v1/recover", JSON, body.as_bytes()).await }
    };
    world.run(async |_| {
        let both = r#"{"survivors":["n0","n1"]}"#;
        let (reply, command) = world.answered(recover(both), Ok(Outcome::Done)).await;
        assert_eq!(reply.status, 202);
        assert_eq!(reply.json::<Status>().quorum, "forming");
        let Command::Recover { survivors } = command else {
            panic!("{command:?}");
        };
        let names: Vec<&str> = survivors.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["n0", "n1"]);
        let behind = RecoverError::Behind {
            name: "n1".to_owned(),
            view: View(9),
        };
        let held = |alive| RecoverError::QuorumHeld { alive, voters: 3 };
        assert!(held(2).to_string().contains("is held: 2 of 3"));
        assert!(held(1).to_string().contains("not known to be lost yet: 1"));
        for (error, status, kind) in [
            (RecoverError::NoHistory, 409, "no-history"),
            (held(2), 409, "quorum-held"),
            (
                RecoverError::NoSuchSurvivor("n1".into()),
                409,
                "no-such-survivor",
            ),
            (RecoverError::Unnamed("n2".into()), 409, "unnamed-survivor"),
            (behind, 409, "behind"),
            (RecoverError::NonVoting, 409, "non-voting"),
            (RecoverError::Stopped, 503, "stopping"),
        ] {
            let text = error.to_string();
            let (reply, _) = world.answered(recover(both), Err(error.into())).await;
            assert_eq!(reply.status, status);
            assert_eq!(reply.problem(), (kind.to_owned(), text));
        }
        for (body, detail) in [
            ("{}", "missing field `survivors`"),
            (r#"{"survivors":[]}"#, "name every member that answers"),
            (r#"{"survivors":[" n1"]}"#, "\" n1\" is no name"),
        ] {
            let reply = recover(body).await;
            assert_eq!(reply.status, 400, "{body}");
            assert!(reply.problem().1.contains(detail), "{reply:?}");
        }
    });
}

#[test]
fn of_whom_nothing_is_known_it_is_said() {
    let world = World::new(100);
    world.add_peer(&[]);
    world.run(async |_| {
        for (name, kind, detail) in [
            (
                "n1",
                "no-evidence",
                "nothing is known against \"n1\": it is alive",
            ),
            (
                "nobody",
                "no-such-member",
                "no member \"nobody\" is known here",
            ),
        ] {
            let reply = get(&world.path, &format!("/v1/members/{name}/evidence")).await;
            let (found, text) = reply.problem();
            assert_eq!((reply.status, found.as_str()), (404, kind));
            assert!(text.contains(detail), "{text}");
        }
    });
}
