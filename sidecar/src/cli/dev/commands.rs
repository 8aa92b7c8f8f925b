//! What can be typed while `muster dev` runs.

/// A typed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Do something to these sidecars, in this order.
    Act(Act, Vec<String>),
    /// Start one more.
    Add,
    /// Say what can be typed.
    Help,
    /// Stop everything.
    Quit,
}

/// What can be done to a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// SIGKILL: it ends without a word.
    Kill,
    /// SIGTERM: it says goodbye.
    Leave,
    /// SIGSTOP: it stands still.
    Pause,
    /// SIGCONT: it goes on.
    Resume,
    /// A new instance under the same name; one that lives is killed first.
    Restart,
}

/// The answer to `help`.
pub(super) const HELP: [&str; 8] = [
    "kill n3      ends it without a word, as `kill -9` or a crash does",
    "leave n3     ends it with a goodbye, as `kill` or a normal stop does",
    "pause n3     stops it without ending it, as `kill -STOP` or a stalled host does",
    "resume n3    lets it go on",
    "restart n3   starts a new instance under the same name",
    "add          starts one more",
    "quit         stops all and removes everything; so do Ctrl-C and TERM",
    "kill, leave, pause, resume and restart take several names: kill n2 n3",
];

/// Reads a typed line; `None` for an empty one. The error says what can be typed instead.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let mut words = line.split_whitespace();
    let Some(verb) = words.next() else {
        return Ok(None);
    };
    let names: Vec<String> = words.map(full_name).collect();
    let act = match verb {
        "kill" => Act::Kill,
        "leave" | "stop" => Act::Leave,
        "pause" => Act::Pause,
        "resume" | "continue" => Act::Resume,
        "restart" | "start" => Act::Restart,
        "add" | "help" | "?" | "quit" | "exit" | "q" => return alone(verb, &names).map(Some),
        other => return Err(format!("`{other}` is no command; type help to see them")),
    };
    if names.is_empty() {
        return Err(format!("{verb} whom? For example: {verb} n3"));
    }
    Ok(Some(Command::Act(act, names)))
}

fn alone(verb: &str, names: &[String]) -> Result<Command, String> {
    if !names.is_empty() {
        return Err(format!("`{verb}` stands alone, without names"));
    }
    Ok(match verb {
        "add" => Command::Add,
        "help" | "?" => Command::Help,
        _ => Command::Quit,
    })
}

/// `3` is short for `n3`.
fn full_name(word: &str) -> String {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("n{word}")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests;
