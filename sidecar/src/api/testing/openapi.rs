//! Holds answers against the description of the API.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::Reply;

/// The description, in which objects may have the fields that it names and no others: to clients
/// it promises that fields may be added, but the server must not have any that it leaves out.
pub(crate) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../openapi.json");
    let mut description: Value = serde_json::from_str(text).expect("the description is JSON");
    for schema in description["components"]["schemas"]
        .as_object_mut()
        .expect("schemas")
        .values_mut()
    {
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
    }
    description
});

thread_local! {
    /// Operations and statuses that this thread's tests have seen.
    static SEEN: RefCell<BTreeSet<(String, String, u16)>> = const { RefCell::new(BTreeSet::new()) };
}

/// The operations and statuses that were checked on this thread: method, path, status.
pub(crate) fn seen() -> BTreeSet<(String, String, u16)> {
    SEEN.with_borrow(Clone::clone)
}

/// The paths of the description.
pub(crate) fn paths() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    paths.iter().map(|(path, item)| (path.as_str(), item))
}

/// Panics unless the description has this answer to this request, in type and shape.
pub(crate) fn check_answer(method: &str, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap_or_default();
    let Some((pattern, item)) = paths().find(|(pattern, _)| fits(pattern, path)) else {
        assert_eq!(reply.status, 404, "{path} is not described");
        return check_body(
            &DESCRIPTION["components"]["responses"]["NoSuchRoute"],
            method,
            reply,
        );
    };
    let verb = match method {
        "HEAD" => "get".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    let operation = item.get(&verb);
    if operation.is_none() {
        assert_eq!(reply.status, 405, "{method} {pattern} is not described");
        return check_body(
            &DESCRIPTION["components"]["responses"]["MethodNotAllowed"],
            method,
            reply,
        );
    }
    let status = reply.status.to_string();
    let response = operation.and_then(|operation| operation["responses"].get(&status));
    let response = response
        .unwrap_or_else(|| panic!("{method} {pattern} has no status {status} in the description"));
    check_body(resolve(response), method, reply);
    SEEN.with_borrow_mut(|seen| {
        seen.insert((method.to_owned(), pattern.to_owned(), reply.status));
    });
}

/// Panics unless this is the data of an event.
pub(crate) fn check_data(data: &Value) {
    check(&json!({"$ref": "#/components/schemas/StreamData"}), data);
}

/// Panics unless the value is of this schema.
pub(crate) fn check_schema(name: &str, value: &Value) {
    let reference = format!("#/components/schemas/{name}");
    check(&json!({ "$ref": reference }), value);
}

fn check_body(response: &Value, method: &str, reply: &Reply) {
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let value = reply.header(&name.to_ascii_lowercase());
        assert!(!value.is_empty(), "{name} is missing: {reply:?}");
        check(&header["schema"], &json!(value));
    }
    let Some(content) = response.get("content") else {
        assert!(
            reply.body.is_empty() && reply.header("content-type").is_empty(),
            "{reply:?}"
        );
        return;
    };
    let described = content.get(reply.header("content-type"));
    let described = described.unwrap_or_else(|| panic!("not a described type: {reply:?}"));
    let media_type = reply.header("content-type");
    // Lines of JSON are no document.
    if media_type.ends_with("json") && media_type != "application/x-ndjson" && method != "HEAD" {
        check(&described["schema"], &reply.json());
    }
}

fn check(schema: &Value, value: &Value) {
    let mut root = DESCRIPTION.clone();
    root["allOf"] = json!([schema]);
    let validator: Validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&root)
        .expect("the description is a schema");
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?} in {value:#}");
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.trim_start_matches('#');
            DESCRIPTION
                .pointer(pointer)
                .expect("references lead somewhere")
        }
        None => value,
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    wanted
        .by_ref()
        .zip(given.by_ref())
        .all(|(wanted, given)| wanted == given || (wanted.starts_with('{') && !given.is_empty()))
        && pattern.matches('/').count() == path.matches('/').count()
}
