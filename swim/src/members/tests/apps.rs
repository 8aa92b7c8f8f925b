//! Apps: their limits, their bytes, and what is told of a difference.

use super::super::apps::{App, AppError, AppHealth, AppState, AppTurn, Apps, Attachment, Ending};
use crate::limits;

fn up(attachment: u64) -> App {
    App::attached(Attachment(attachment))
}

fn saying(attachment: u64, health: AppHealth, note: &str) -> App {
    let note = note.into();
    let state = AppState::Up { health, note };
    App {
        state,
        ..up(attachment)
    }
}

fn down(attachment: u64, ending: Ending) -> App {
    let state = AppState::Down(ending);
    App {
        state,
        ..up(attachment)
    }
}

fn apps(list: &[(&str, App)]) -> Apps {
    list.iter().fold(Apps::default(), |apps, (name, app)| {
        apps.with(name, app.clone()).expect("they keep the limits")
    })
}

/// So many apps, one of each kind first.
pub(crate) fn some_apps(count: usize) -> Apps {
    let kinds = [
        ("web", saying(3, AppHealth::Warning, "queue long")),
        ("batch", down(300, Ending::Exited { status: 3 })),
        ("old", down(1, Ending::Signalled { signal: 9 })),
        ("gone", down(2, Ending::Lost)),
        ("new", up(4)),
    ];
    apps(&kinds[..count])
}

/// As many and as long apps as a member may have.
pub(crate) fn fullest_apps() -> Apps {
    let each = (limits::APPS_BYTES - 1) / limits::APPS - 16;
    let note = "n".repeat(each - 2);
    let name = |n: u64| format!("{n:02}");
    let full = (0..limits::APPS as u64).fold(Apps::default(), |apps, n| {
        let app = saying(u64::MAX - n, AppHealth::Failing, &note);
        apps.with(&name(n), app).expect("they keep the limits")
    });
    assert!(full.longest() > limits::APPS_BYTES - limits::APPS);
    full
}

#[test]
fn an_app_keeps_its_limits_and_a_refused_one_changes_nothing() {
    let one = some_apps(1);
    for name in ["", "a=b", "a\n", &"k".repeat(limits::TAG_KEY_BYTES + 1)] {
        assert_eq!(one.with(name, up(1)), Err(AppError::Name), "{name:?}");
    }
    let note = |text: &str| one.with("a", saying(1, AppHealth::Failing, text));
    assert_eq!(note("\u{1b}[0m"), Err(AppError::Note));
    let most = limits::APP_NOTE_BYTES;
    assert_eq!(note(&"n".repeat(most + 1)), Err(AppError::Note));
    assert!(note(&"n".repeat(most)).is_ok());
    let full = fullest_apps();
    assert_eq!(full.with("9", up(9)), Err(AppError::TooMany));
    assert_eq!(full.len(), limits::APPS);
    let name = |n: u64| "k".repeat(100) + &n.to_string();
    let longest = (0..4).fold(Apps::default(), |apps, n| {
        apps.with(&name(n), up(n)).expect("four long names fit")
    });
    assert_eq!(longest.with(&name(4), up(4)), Err(AppError::TooLarge));
    assert_eq!(one, some_apps(1));
    assert_eq!(one.without("web"), Apps::default());
    assert_eq!(one.without("other"), one);
}

#[test]
fn none_cost_a_pointer_here_and_a_byte_in_a_message() {
    assert_eq!(size_of::<Apps>(), size_of::<usize>());
    let bytes = |apps: &Apps| postcard::to_stdvec(apps).expect("it serializes").len();
    assert_eq!(bytes(&Apps::default()), 1);
    assert!(bytes(&fullest_apps()) <= limits::APPS_BYTES);
    for count in 0..=5 {
        let apps = some_apps(count);
        assert!(bytes(&apps) <= apps.longest(), "{apps:?}");
    }
}

#[test]
fn apps_are_read_as_they_were_written() {
    for apps in [Apps::default(), some_apps(5), fullest_apps()] {
        let bytes = postcard::to_stdvec(&apps).expect("it serializes");
        assert_eq!(postcard::from_bytes::<Apps>(&bytes), Ok(apps));
    }
}

/// Bytes as another implementation would write them.
#[test]
fn apps_beyond_their_limits_or_out_of_order_are_refused() {
    type Foreign = (String, u64, (u8, (u8, String)));
    let taken = |list: &[Foreign]| {
        let bytes = postcard::to_stdvec(list).expect("it serializes");
        postcard::from_bytes::<Apps>(&bytes).is_ok()
    };
    let app = |name: &str, note: &str| (name.to_owned(), 1, (0, (0, note.to_owned())));
    assert!(taken(&[app("a", ""), app("b", "well")]));
    assert!(!taken(&[app("b", ""), app("a", "")]));
    assert!(!taken(&[app("a", ""), app("a", "")]));
    assert!(!taken(&[app("", "")]));
    assert!(!taken(&[app("a=b", "")]));
    assert!(!taken(&[app(&"k".repeat(limits::TAG_KEY_BYTES + 1), "")]));
    assert!(!taken(&[app("a", "\u{7}")]));
    let long = "n".repeat(limits::APP_NOTE_BYTES);
    assert!(taken(&[app("a", &long), app("b", &long), app("c", &long)]));
    assert!(!taken(&[app("a", &(long.clone() + "n"))]));
    let four = ["a", "b", "c", "d"].map(|name| app(name, &long));
    assert!(!taken(&four));
    let many: Vec<Foreign> = (0..9).map(|n| app(&n.to_string(), "")).collect();
    assert!(taken(&many[..limits::APPS]));
    assert!(!taken(&many));
}

/// All that an app can be at two looks, and what is told.
#[test]
fn each_attachment_is_up_once_and_down_once() {
    let (exited, lost) = (Ending::Exited { status: 3 }, Ending::Lost);
    let failing = || saying(1, AppHealth::Failing, "full");
    let noted = || saying(1, AppHealth::Failing, "empty");
    let rows = [
        (None, None, ""),
        (None, Some(up(1)), "up 1"),
        (None, Some(failing()), "up 1 failing"),
        (None, Some(down(1, exited)), "up 1, down 1 exited"),
        (Some(up(1)), None, "down 1 unknown"),
        (Some(up(1)), Some(up(1)), ""),
        (Some(up(1)), Some(failing()), "health 1 failing"),
        (Some(failing()), Some(noted()), "health 1 failing"),
        (Some(failing()), Some(up(1)), "health 1"),
        (Some(up(1)), Some(down(1, lost)), "down 1 lost"),
        (Some(up(1)), Some(up(2)), "down 1 unknown, up 2"),
        (
            Some(up(1)),
            Some(down(2, exited)),
            "down 1 unknown, up 2, down 2 exited",
        ),
        (Some(down(1, lost)), None, ""),
        (Some(down(1, lost)), Some(down(1, lost)), ""),
        (Some(down(1, lost)), Some(up(2)), "up 2"),
        (
            Some(down(1, lost)),
            Some(down(2, exited)),
            "up 2, down 2 exited",
        ),
    ];
    let of = |app: Option<App>| app.map_or(Apps::default(), |app| apps(&[("a", app)]));
    for (old, new, expected) in rows {
        let turns = of(old.clone()).turns(&of(new.clone()));
        let told: Vec<String> = turns.iter().map(word).collect();
        assert_eq!(told.join(", "), expected, "{old:?} then {new:?}");
    }
}

fn word(turn: &AppTurn) -> String {
    let health = |app: &App| match &app.state {
        AppState::Up {
            health: AppHealth::Passing,
            ..
        } => String::new(),
        AppState::Up { health, .. } => format!(" {health}"),
        AppState::Down(ending) => panic!("told as running: {ending:?}"),
    };
    match turn {
        AppTurn::Up(_, app) => format!("up {}{}", app.attachment.0, health(app)),
        AppTurn::Down(_, attachment, ending) => {
            let how = ending.map_or("unknown", Ending::as_str);
            format!("down {} {how}", attachment.0)
        }
        AppTurn::Health(_, app) => format!("health {}{}", app.attachment.0, health(app)),
    }
}

#[test]
fn apps_are_told_of_in_the_order_of_their_names() {
    let turns = some_apps(2).turns(&some_apps(5));
    let names: Vec<&str> = turns
        .iter()
        .map(|turn| match turn {
            AppTurn::Up(name, _) | AppTurn::Down(name, ..) | AppTurn::Health(name, _) => &**name,
        })
        .collect();
    assert_eq!(names, ["gone", "gone", "new", "old", "old"]);
}
