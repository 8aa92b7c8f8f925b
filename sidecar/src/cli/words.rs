//! What an agent says to a client of its API, in the words of the command line.

/// Words of the API, and those of the commands for the same.
const WORDS: [(&str, &str); 10] = [
    (
        "`GET /v1/coordinator?wait=true`",
        "`muster coordinator --wait`",
    ),
    ("`force=true`", "`--force`"),
    ("`timeout`", "`--timeout`"),
    ("`consistent`", "`--consistent`"),
    ("DELETE /v1/tags/KEY", "`muster tag remove KEY`"),
    (
        "GET /v1/status and its member show which it has",
        "`muster tag list` shows which it has",
    ),
    (
        "DELETE /v1/keys/ID?grace=0s",
        "`muster keys remove ID --grace 0s`",
    ),
    ("GET /v1/keys", "`muster keys list`"),
    ("GET /v1/status", "`muster status`"),
    ("GET /v1/members", "`muster members`"),
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
            of_commands(
                "`GET /v1/coordinator?wait=true` waits; wait longer with `timeout`, or leave out \
                 `consistent`"
            ),
            "`muster coordinator --wait` waits; wait longer with `--timeout`, or leave out `--consistent`"
        );
        assert_eq!(of_commands("as it is"), "as it is");
    }
}
