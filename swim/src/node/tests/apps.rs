//! Apps of this node and of others: what is published, and what is told of every end.

use std::sync::Arc;

use super::driven::Driven;
use super::puppets::{Puppet, puppet};
use super::{claim, ms, name, secs};
use crate::coordinator::{Change, Cut, Evidence, Reason};
use crate::limits;
use crate::members::{
    AppError, AppHealth, Apps, Attachment, Ending, Instance, Record, Status, some_apps,
};
use crate::wire::{Message, Update};

impl Driven {
    fn attach(&mut self, app: &str) -> Result<Attachment, AppError> {
        self.call(|node, now| node.attach(app, now))
    }

    fn end(&mut self, app: &str, of: Option<Attachment>, ending: Ending) -> Result<(), AppError> {
        self.call(|node, now| node.end_app(app, of, ending, now))
    }

    fn report(&mut self, app: &str, health: AppHealth, note: &str) -> Result<(), AppError> {
        self.call(|node, now| node.report_app(app, health, note, now))
    }

    /// `puppet` says of itself that it has these apps.
    fn hear_apps(&mut self, puppet: &Puppet, apps: Apps) {
        let record = Record {
            apps,
            ..puppet.record()
        };
        self.hear(puppet, Message::Gossip, &[Update::Record(record)]);
    }

    /// What was told of apps since the last look.
    fn told(&mut self) -> Vec<String> {
        let mut events = self.events();
        events.retain(|event| event.contains(" app "));
        events
    }
}

fn grounds() -> Arc<Evidence> {
    Arc::new(Evidence {
        reason: Reason::Unreached,
        testimonies: vec![],
        took_ms: 1,
    })
}

const EXITED: Ending = Ending::Exited { status: 3 };

#[test]
fn an_own_app_is_told_and_published_with_each_change() {
    let mut node = Driven::new();
    node.meet(&[&puppet("a", 11)]);
    let incarnation = |node: &Driven| node.node.me().incarnation.0;
    assert_eq!(node.attach("web"), Ok(Attachment(1)));
    assert_eq!(
        (incarnation(&node), node.told()),
        (1, vec!["me app web up".to_owned()])
    );
    assert_eq!(node.report("web", AppHealth::Warning, "queue long"), Ok(()));
    assert_eq!(incarnation(&node), 2);
    let told = node.told().concat();
    assert!(
        told.contains("Warning") && told.contains("queue long"),
        "{told}"
    );
    assert_eq!(node.report("web", AppHealth::Warning, "queue long"), Ok(()));
    assert_eq!(
        (incarnation(&node), node.told().len()),
        (2, 0),
        "nothing new is said"
    );
    assert_eq!(node.end("web", Some(Attachment(1)), EXITED), Ok(()));
    assert_eq!(incarnation(&node), 3);
    assert_eq!(
        node.told(),
        ["me app web down, Ended(Exited { status: 3 })"]
    );
    assert_eq!(node.attach("web"), Ok(Attachment(2)));
    let sent = |node: &mut Driven| {
        node.wait(ms(1));
        let updates = node.sent().into_iter().flat_map(|sent| sent.updates);
        let records = updates.filter_map(|update| match update {
            Update::Record(record) if record.name == name("me") => Some(record.apps),
            Update::Record(_) | Update::Claim { .. } => None,
        });
        records.last()
    };
    assert_eq!(sent(&mut node).as_ref(), Some(node.node.apps()));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut node = Driven::new();
    node.attach("web").expect("it fits");
    let before = node.node.me();
    node.events();
    let web = || "web".to_owned();
    assert_eq!(node.attach("web"), Err(AppError::Attached(web())));
    assert_eq!(node.attach("a=b"), Err(AppError::Name));
    let other = Some(Attachment(7));
    assert_eq!(
        node.end("web", other, EXITED),
        Err(AppError::NotAttached(web()))
    );
    let db = || AppError::NotAttached("db".to_owned());
    assert_eq!(node.end("db", None, EXITED), Err(db()));
    assert_eq!(node.report("db", AppHealth::Failing, ""), Err(db()));
    assert_eq!(
        node.report("web", AppHealth::Failing, "\n"),
        Err(AppError::Note)
    );
    assert_eq!((node.node.me(), node.events()), (before, vec![]));
    node.end("web", None, EXITED).expect("it runs");
    assert_eq!(
        node.end("web", None, EXITED),
        Err(AppError::NotAttached(web()))
    );
    assert_eq!(
        node.report("web", AppHealth::Failing, ""),
        Err(AppError::NotAttached(web()))
    );
}

#[test]
fn what_ended_first_makes_room_first_and_what_runs_never_does() {
    let mut node = Driven::new();
    let names: Vec<String> = (0..limits::APPS).map(|n| format!("app{n}")).collect();
    for name in &names {
        node.attach(name).expect("there is room");
    }
    assert_eq!(node.attach("one-more"), Err(AppError::TooMany));
    node.end("app5", None, EXITED).expect("it runs");
    node.end("app2", None, Ending::Lost).expect("it runs");
    node.events();
    let has = |node: &Driven, app: &str| node.node.apps().get(app).is_some();
    node.attach("new").expect("there is room");
    assert!(!has(&node, "app5") && has(&node, "app2"));
    assert_eq!(
        node.told(),
        ["me app new up"],
        "the end of the other one was told"
    );
    // Attached again it does not count as ended, so that nothing is left to make room.
    node.attach("app2").expect("it ended");
    assert_eq!(node.attach("one-more"), Err(AppError::TooMany));
    assert_eq!(node.node.apps().len(), limits::APPS);
}

#[test]
fn who_leaves_takes_its_apps_along_and_attaches_no_more() {
    let mut node = Driven::new();
    node.meet(&[&puppet("a", 11)]);
    node.attach("web").expect("it fits");
    node.attach("db").expect("it fits");
    node.events();
    node.wait(ms(100));
    node.call(|node, now| node.leave(now));
    assert_eq!(
        node.told(),
        ["me app db down, MemberLeft", "me app web down, MemberLeft"]
    );
    assert_eq!(node.attach("late"), Err(AppError::Leaving));
    assert_eq!(
        node.end("web", None, Ending::Lost),
        Ok(()),
        "its last word stands"
    );
    assert_eq!(node.told(), Vec::<String>::new());
}

#[test]
fn a_goodbye_waits_until_the_end_of_an_app_is_on_its_way() {
    let mut node = Driven::new();
    let a = puppet("a", 11);
    node.meet(&[&a]);
    node.attach("web").expect("it fits");
    node.wait(secs(1));
    node.sent();
    node.end("web", None, EXITED).expect("it runs");
    node.call(|node, now| node.leave(now));
    let said = |node: &mut Driven| {
        let updates = node.sent().into_iter().flat_map(|sent| sent.updates);
        let mine = updates.filter_map(|update| match update {
            Update::Record(record) => record.apps.get("web")?.ending().map(|_| "ended"),
            Update::Claim { status, .. } => (status == Status::Left).then_some("left"),
        });
        mine.collect::<Vec<_>>()
    };
    node.wait(ms(99));
    let early = said(&mut node);
    assert!(!early.is_empty() && !early.contains(&"left"), "{early:?}");
    assert_eq!(node.attach("late"), Err(AppError::Leaving));
    node.wait(ms(2));
    assert!(said(&mut node).contains(&"left"));
    assert_eq!(node.stop, None, "its buddy is to ack that");
}

#[test]
fn of_a_member_that_is_new_here_only_what_runs_is_told() {
    let mut node = Driven::new();
    let mut a = puppet("a", 11);
    node.hear_apps(&a, some_apps(3));
    assert_eq!(node.told(), ["a app web up"]);
    a.incarnation += 1;
    node.hear_apps(&a, some_apps(5));
    let told = node.told();
    assert!(told.contains(&"a app new up".to_owned()), "{told:?}");
    assert!(
        told.contains(&"a app gone down, Ended(Lost)".to_owned()),
        "{told:?}"
    );
    assert_eq!(
        told.len(),
        3,
        "and that the one that ended was up: {told:?}"
    );
}

#[test]
fn a_newer_life_or_a_goodbye_ends_what_ran_beside_the_one_before() {
    let mut node = Driven::new();
    let mut a = puppet("a", 11);
    let b = puppet("b", 12);
    node.meet(&[&b]);
    node.hear_apps(&a, some_apps(2));
    node.events();
    a.instance += 1;
    node.hear_apps(&a, Apps::default());
    let replaced = |by| format!("a app web down, MemberReplaced {{ instance: Instance({by}) }}");
    assert_eq!(node.told(), [replaced(a.instance)]);
    a.instance += 1;
    node.hear_apps(&a, some_apps(2));
    a.instance += 1;
    node.hear_apps(&a, some_apps(2));
    assert_eq!(
        node.told(),
        ["a app web up", &replaced(a.instance), "a app web up"]
    );
    let goodbye = claim("a", a.instance, a.incarnation, Status::Left, "b");
    node.hear(&b, Message::Gossip, &[goodbye]);
    assert_eq!(node.told(), ["a app web down, MemberLeft"]);
    a.instance += 1;
    node.hear_apps(&a, Apps::default());
    assert_eq!(node.told(), Vec::<String>::new(), "it was told already");
}

#[test]
fn a_verdict_ends_what_ran_and_only_once() {
    let mut node = super::agreed::founder();
    let (a, b) = (puppet("a", 11), puppet("b", 12));
    node.hear_apps(&a, some_apps(2));
    node.hear_apps(&b, some_apps(1));
    node.wait(ms(300));
    node.events();
    let dead = Change::Dead {
        name: name("a"),
        instance: Instance(a.instance),
        removals: 1,
        evidence: grounds(),
    };
    let left = Change::Left {
        name: name("b"),
        instance: Instance(b.instance),
    };
    let goodbye = claim("b", b.instance, b.incarnation, Status::Left, "a");
    node.hear(&a, Message::Gossip, &[goodbye]);
    assert_eq!(
        node.told(),
        ["b app web down, MemberLeft"],
        "by its own word"
    );
    node.decide(Cut {
        changes: vec![dead, left],
        ..Cut::default()
    });
    assert_eq!(node.told(), ["a app web down, MemberDead"]);
}

#[test]
fn a_cut_that_names_a_member_twice_ends_its_apps_once() {
    let mut node = super::agreed::founder();
    let a = puppet("a", 11);
    node.hear_apps(&a, some_apps(2));
    node.wait(ms(300));
    node.events();
    let dead = Change::Dead {
        name: name("a"),
        instance: Instance(a.instance),
        removals: 1,
        evidence: grounds(),
    };
    let up = Change::Up {
        name: name("a"),
        instance: Instance(a.instance + 1),
        removals: 1,
    };
    node.decide(Cut {
        changes: vec![dead, up],
        ..Cut::default()
    });
    let told = node.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("a app web down, MemberReplaced"),
        "{told:?}"
    );
}

#[test]
fn what_ran_here_ends_with_a_life_that_was_removed_and_runs_in_the_next() {
    let mut node = super::agreed::founder();
    node.meet(&[&puppet("a", 11)]);
    node.attach("web").expect("it fits");
    node.events();
    let dead = Change::Dead {
        name: name("me"),
        instance: Instance(100),
        removals: 1,
        evidence: grounds(),
    };
    let cut = Cut {
        changes: vec![dead],
        ..Cut::default()
    };
    node.call(|node, now| node.apply_unsigned(cut, now));
    assert!(node.node.me().instance > Instance(100));
    assert_eq!(
        node.told(),
        ["me app web down, MemberDead", "me app web up"]
    );
}

/// How often news went out while an app changed each millisecond.
fn pushes(node: &mut Driven, changes: usize) -> usize {
    let mut pushes = 0;
    for _ in 0..changes {
        node.attach("web").expect("it does not run");
        node.end("web", None, Ending::Lost).expect("it runs");
        node.sent();
        node.wait(ms(1));
        pushes += usize::from(!node.sent().is_empty());
    }
    pushes
}

#[test]
fn changes_of_apps_go_out_at_once_but_not_too_often() {
    let mut node = Driven::new();
    node.meet(&[&puppet("a", 11)]);
    node.wait(secs(2));
    node.call(|node, now| node.set_tag("k", "v", now))
        .expect("a tag");
    node.wait(ms(1));
    node.sent();
    let at_once = limits::HURRIED_PUSHES as usize;
    assert_eq!(
        pushes(&mut node, at_once),
        at_once,
        "right after another push"
    );
    let with_the_beat = pushes(&mut node, 200);
    assert!(
        with_the_beat <= 6,
        "{with_the_beat} in 200 ms, the beat has 50"
    );
    node.wait(secs(1));
    node.sent();
    assert_eq!(pushes(&mut node, 5), 5, "a second later");
}
