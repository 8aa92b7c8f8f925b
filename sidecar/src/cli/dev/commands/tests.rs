use super::{Act, Command, parse};

fn act(act: Act, names: &[&str]) -> Option<Command> {
    Some(Command::Act(
        act,
        names.iter().map(|name| (*name).to_owned()).collect(),
    ))
}

#[test]
fn commands_take_names_or_numbers() {
    assert_eq!(parse("kill n3"), Ok(act(Act::Kill, &["n3"])));
    assert_eq!(parse("  pause 1  n2 "), Ok(act(Act::Pause, &["n1", "n2"])));
    assert_eq!(parse("resume n1"), Ok(act(Act::Resume, &["n1"])));
    assert_eq!(parse("restart n1"), Ok(act(Act::Restart, &["n1"])));
    assert_eq!(parse("leave n1"), Ok(act(Act::Leave, &["n1"])));
}

#[test]
fn words_that_stand_alone() {
    assert_eq!(parse("add"), Ok(Some(Command::Add)));
    assert_eq!(parse("help"), Ok(Some(Command::Help)));
    assert_eq!(parse("quit"), Ok(Some(Command::Quit)));
    assert_eq!(parse("   "), Ok(None));
}

#[test]
fn mistakes_are_explained() {
    assert_eq!(
        parse("kill"),
        Err("kill whom? For example: kill n3".to_owned())
    );
    assert!(parse("kil n3").is_err_and(|text| text.contains("help")));
    assert!(parse("add n7").is_err());
}
