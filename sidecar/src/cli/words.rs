//! What an agent says to a client of its API, in the words of the command line.

/// Words of the API, and those of the commands for the same.
const WORDS: [(&str, &str); 6] = [
    ("`wait=true`", "`--wait`"),
    ("`force=true`", "`--force`"),
    ("`timeout`", "`--timeout`"),
    ("`consistent`", "`--consistent`"),
    ("DELETE /v1/tags/KEY", "`muster tag`"),
    ("GET /v1/status", "`muster status`"),
];

/// The detail of a problem as the user of a command understands it.
pub(super) fn of_commands(detail: &str) -> String {
    WORDS
        .iter()
        .fold(detail.to_owned(), |text, (api, command)| {
            text.replace(api, command)
        })
}

#[cfg(test)]
mod tests {
    use super::of_commands;

    #[test]
    fn options_and_commands_stand_for_parameters_and_routes() {
        assert_eq!(
            of_commands(
                "\"n3\" answers; `force=true` removes it, and GET /v1/status shows who \
                         votes"
            ),
            "\"n3\" answers; `--force` removes it, and `muster status` shows who votes"
        );
        assert_eq!(
            of_commands("`wait=true` waits; wait longer with `timeout`, or leave out `consistent`"),
            "`--wait` waits; wait longer with `--timeout`, or leave out `--consistent`"
        );
        assert_eq!(of_commands("as it is"), "as it is");
    }
}
