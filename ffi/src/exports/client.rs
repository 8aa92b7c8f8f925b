use std::ffi::c_char;

use muster_sidecar::cli::client::percent_encoded;
use serde_json::json;

use crate::client::{Call, Client, Response};
use crate::document::{Coordinator, Member, Members};
use crate::failure::Failure;
use crate::guard::{Out, export};
use crate::http::Request;
use crate::text::Text;

/// The media type where C names none.
const JSON: &str = "application/json";

export! {
    /// Finds an agent: at `socket`; or, when that is NULL, at `MUSTER_SOCKET` or the first of the
    /// usual places where one listens. Waits for one to come up, at most `timeout_ms` (0: not at
    /// all, negative: for ever).
    ///
    /// The client holds no connection: any number of threads may use it at once, and so may a child
    /// after `fork`. Free it with `muster_client_free`; what was opened with it lives on.
    fn muster_client_open(
        socket: *const c_char,
        timeout_ms: i64,
        client: Out<'_, Client>,
    ) -> Status {
        client.put(Client::find(socket.optional()?, timeout_ms)?);
        Ok(())
    }

    /// The path of the socket. It belongs to the client.
    fn muster_client_socket(client: Option<&Client>) -> *const c_char {
        client.shown.as_ptr()
    }

    /// Frees a client. NULL is fine.
    fn muster_client_free(client: Option<Box<Client>>) -> () {
        drop(client);
    }

    /// Asks for anything that the local socket can do (`GET /v1/openapi.json` describes it) and
    /// waits for the answer, at most `timeout_ms` (negative: as long as it takes). Signal handlers
    /// run meanwhile and do not end it. `path` is percent-encoded; `body` may be NULL, and is of
    /// `content_type`, or JSON when that is NULL. An answer other than 2xx is
    /// `MUSTER_STATUS_REFUSED`. For what never ends there are `muster_client_watch` and
    /// `muster_client_attach`. Free the response with `muster_response_free`.
    fn muster_client_request(
        client: Option<&Client>,
        method: *const c_char,
        path: *const c_char,
        content_type: *const c_char,
        body: *const c_char,
        timeout_ms: i64,
        response: Out<'_, Response>,
    ) -> Status {
        let (target, media_type) = (path.required()?, content_type.optional()?);
        let body = body.optional()?;
        let request = Request {
            method: method.required()?,
            target,
            body: body.map(|body| (media_type.unwrap_or(JSON), body.as_bytes())),
        };
        response.put(client.request(&request, timeout_ms)?);
        Ok(())
    }

    /// The same without waiting: wait until `muster_call_fd` is readable, and then take the answer.
    /// `MUSTER_STATUS_AGAIN`: the agent has no room for one more connection now; try again in a
    /// moment. Free the call with `muster_call_free`, also before the answer has come.
    fn muster_client_call(
        client: Option<&Client>,
        method: *const c_char,
        path: *const c_char,
        content_type: *const c_char,
        body: *const c_char,
        call: Out<'_, Call>,
    ) -> Status {
        let (target, media_type) = (path.required()?, content_type.optional()?);
        let body = body.optional()?;
        let request = Request {
            method: method.required()?,
            target,
            body: body.map(|body| (media_type.unwrap_or(JSON), body.as_bytes())),
        };
        call.put(client.call(&request)?);
        Ok(())
    }

    /// A descriptor that is readable when there is something to take. It belongs to the call: never
    /// read or close it. -1 in a child after `fork`.
    fn muster_call_fd(call: Option<&Call>) -> i32 {
        call.descriptor()
    }

    /// The answer, once. Never waits: `MUSTER_STATUS_AGAIN` when it is not whole yet.
    /// A call is for one thread at a time; another one gets `MUSTER_STATUS_BUSY`.
    fn muster_call_take(call: Option<&Call>, response: Out<'_, Response>) -> Status {
        response.put(call.take()?);
        Ok(())
    }

    /// Frees a call. NULL is fine.
    fn muster_call_free(call: Option<Box<Call>>) -> () {
        drop(call);
    }

    /// The HTTP status: 2xx.
    fn muster_response_http_status(response: Option<&Response>) -> u16 {
        response.http_status
    }

    /// The media type of the body, such as `application/json`. It belongs to the response.
    fn muster_response_media_type(response: Option<&Response>) -> *const c_char {
        response.media_type.as_ptr()
    }

    /// The body: a text that ends with a zero byte. It belongs to the response.
    fn muster_response_body(response: Option<&Response>) -> *const c_char {
        response.body.as_ptr()
    }

    /// The length of the body, without the zero byte.
    fn muster_response_length(response: Option<&Response>) -> usize {
        response.body.len()
    }

    /// Frees a response. NULL is fine.
    fn muster_response_free(response: Option<Box<Response>>) -> () {
        drop(response);
    }

    /// Lists the members. `query` filters, as in `state=alive&tag.role=worker` or
    /// `consistent=true` (percent-encoded, see `GET /v1/members`), or is NULL. Free the list with
    /// `muster_members_free`.
    fn muster_client_members(
        client: Option<&Client>,
        query: *const c_char,
        timeout_ms: i64,
        members: Out<'_, Members>,
    ) -> Status {
        let target = match query.optional()? {
            None | Some("") => "/v1/members".to_owned(),
            Some(query) => format!("/v1/members?{query}"),
        };
        let answered = client.request(&Request::get(&target), timeout_ms);
        let response = answered.map_err(|failure| client.or_version(failure))?;
        let document = client.read(&response)?;
        let parsed = Members::parse(&document, response.body);
        members.put(parsed.map_err(|reason| client.unreadable(reason))?);
        Ok(())
    }

    /// One member, by its name. Free it with `muster_member_free`.
    fn muster_client_member(
        client: Option<&Client>,
        name: *const c_char,
        timeout_ms: i64,
        member: Out<'_, Member>,
    ) -> Status {
        let target = format!("/v1/members/{}", percent_encoded(name.required()?));
        let document = client.document(&target, timeout_ms)?;
        member.put(Member::parse(&document).map_err(|reason| client.unreadable(reason))?);
        Ok(())
    }

    /// Who decides now. Waits for a coordinator, when there is none, at most `timeout_ms`; without
    /// one in time it is `MUSTER_STATUS_REFUSED` (`urn:muster:problem:no-coordinator`) or
    /// `MUSTER_STATUS_SILENT`. Free it with `muster_coordinator_free`.
    fn muster_client_coordinator(
        client: Option<&Client>,
        timeout_ms: i64,
        coordinator: Out<'_, Coordinator>,
    ) -> Status {
        let target = match timeout_ms {
            ..=0 => "/v1/coordinator?wait=true".to_owned(),
            ms => format!("/v1/coordinator?wait=true&timeout={ms}ms"),
        };
        // The agent answers by itself at the end of the time, and needs a moment for that.
        let patience = timeout_ms.saturating_add(1000 * i64::from(timeout_ms > 0));
        let document = client.document(&target, patience)?;
        coordinator.put(Coordinator::parse(&document).map_err(|why| client.unreadable(why))?);
        Ok(())
    }

    /// Publishes a tag of this agent's member, or changes it.
    fn muster_client_set_tag(
        client: Option<&Client>,
        key: *const c_char,
        value: *const c_char,
        timeout_ms: i64,
    ) -> Status {
        let target = format!("/v1/tags/{}", percent_encoded(key.required()?));
        let request = Request {
            method: "PUT",
            target: &target,
            body: Some(("text/plain", value.required()?.as_bytes())),
        };
        told(client, &request, timeout_ms)
    }

    /// Publishes a tag no longer.
    fn muster_client_remove_tag(
        client: Option<&Client>,
        key: *const c_char,
        timeout_ms: i64,
    ) -> Status {
        let target = format!("/v1/tags/{}", percent_encoded(key.required()?));
        let request = Request {
            method: "DELETE",
            target: &target,
            body: None,
        };
        told(client, &request, timeout_ms)
    }

    /// Joins a cluster through one of its members, `host:port`. Returns at once; the members show
    /// when it has come about.
    fn muster_client_join(client: Option<&Client>, seed: *const c_char, timeout_ms: i64) -> Status {
        let body = json!({ "seeds": [seed.required()?] }).to_string();
        let request = Request {
            method: "POST",
            target: "/v1/join",
            body: Some((JSON, body.as_bytes())),
        };
        told(client, &request, timeout_ms)
    }

    /// Has the agent say goodbye and stop. Returns once the others know.
    fn muster_client_leave(client: Option<&Client>, timeout_ms: i64) -> Status {
        let request = Request {
            method: "POST",
            target: "/v1/leave",
            body: None,
        };
        told(client, &request, timeout_ms)
    }

    /// The coordinator's name. It belongs to the handle.
    fn muster_coordinator_name(coordinator: Option<&Coordinator>) -> *const c_char {
        coordinator.name.as_ptr()
    }

    /// Where it listens; NULL while that is not known here. It belongs to the handle.
    fn muster_coordinator_addr(coordinator: Option<&Coordinator>) -> *const c_char {
        crate::text::pointer(coordinator.addr.as_ref())
    }

    /// Its epoch: the fencing token. Take it once, from an answer whose
    /// `muster_coordinator_is_self` is true, and keep it for the whole term.
    fn muster_coordinator_epoch(coordinator: Option<&Coordinator>) -> u64 {
        coordinator.epoch
    }

    /// Whether it is the member that was asked.
    fn muster_coordinator_is_self(coordinator: Option<&Coordinator>) -> bool {
        coordinator.is_self
    }

    /// All of it as JSON. It belongs to the handle.
    fn muster_coordinator_json(coordinator: Option<&Coordinator>) -> *const c_char {
        coordinator.json.as_ptr()
    }

    /// Frees a coordinator. NULL is fine.
    fn muster_coordinator_free(coordinator: Option<Box<Coordinator>>) -> () {
        drop(coordinator);
    }

    /// `text` as it may stand in a path or in the value of a query, for `muster_client_request`:
    /// the body of a response that is to be freed with `muster_response_free`.
    fn muster_encode(text: *const c_char, encoded: Out<'_, Response>) -> Status {
        encoded.put(Response {
            http_status: 0,
            media_type: Text::new("text/plain"),
            body: Text::new(percent_encoded(text.required()?)),
        });
        Ok(())
    }
}

/// Asks for a change; its answer says nothing more.
fn told(client: &Client, request: &Request<'_>, timeout_ms: i64) -> Result<(), Failure> {
    let answered = client.request(request, timeout_ms).map(drop);
    answered.map_err(|failure| client.or_version(failure))
}
