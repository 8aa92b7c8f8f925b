"""What both clients can ask: which request, and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Generic, Iterable, Mapping, Optional, TypeVar
from urllib.parse import quote, urlencode

from . import _lib, errors, model

T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[T]):
    """A request and how its answer is read."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Optional[str] = None
    content_type: Optional[str] = None
    #: This package chose the path: an answer that it cannot read is of another version.
    is_known: bool = True

    def answer(self, socket: str, response: Any) -> T:
        """What a response says."""
        content = _lib.body_of(response)
        if not self.is_known:
            return self.read(content)
        if isinstance(content, str):
            raise errors.NotMuster(
                f"what listens at {socket} is no Muster agent (its answer is no JSON): name the "
                "socket of one; `muster status` shows which it uses"
            )
        try:
            return self.read(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _other_version(socket, f"its answer cannot be read ({error!r})") from error

    def begin(self, client: Any) -> Any:
        """Asks; None when the agent's queue is full now."""
        _, call = _lib.attempt(
            "muster_call",
            _lib.lib.muster_client_call,
            client,
            _lib.given(self.method),
            _lib.given(self.path),
            _lib.given(self.content_type),
            _lib.given(self.body),
        )
        return call

    def refused(self, socket: str, refused: errors.Refused) -> Optional[errors.MusterError]:
        """What to tell of a refusal; None: ask again in a moment."""
        if refused.problem == "too-many-connections":
            return None
        if self.is_known and refused.problem == "no-such-route":
            return _other_version(socket, f"it has no {self.path}")
        return refused


def silent(socket: str, timeout: Optional[float]) -> errors.Silent:
    """The agent did not answer in time."""
    return errors.Silent(
        f"the agent at {socket} did not answer within {timeout} s; is it stopped or overloaded?"
    )


def _other_version(socket: str, reason: str) -> errors.VersionMismatch:
    own = _lib.text(_lib.lib.muster_version())
    return errors.VersionMismatch(
        f"the agent at {socket} and this package (version {own}) do not understand each other: "
        f"{reason}; `muster status` tells the agent's version: update the older of the two"
    )


def _nothing(_: Any) -> None:
    return None


def _document(raw: Any) -> Dict[str, Any]:
    return dict(raw)


def status() -> Question[Dict[str, Any]]:
    return Question("GET", "/v1/status", _document)


def ring() -> Question[Dict[str, Any]]:
    return Question("GET", "/v1/ring", _document)


def members(
    state: Optional[str],
    tags: Optional[Mapping[str, str]],
    app: Optional[str],
    at_least: Optional[int],
    consistent: bool,
) -> Question[model.Members]:
    query = [] if state is None else [("state", str(state))]
    query += [("tag." + key, value) for key, value in (tags or {}).items()]
    query += [] if app is None else [("app", app)]
    query += [] if at_least is None else [("at_least", str(at_least))]
    query += [("consistent", "true")] if consistent else []
    path = "/v1/members" + ("?" + urlencode(query, quote_via=quote) if query else "")
    return Question("GET", path, model.members_of)


def member(name: str) -> Question[model.Member]:
    return Question("GET", "/v1/members/" + quote(name, safe=""), model.member_of)


def evidence(name: str) -> Question[Dict[str, Any]]:
    return Question("GET", "/v1/members/" + quote(name, safe="") + "/evidence", _document)


def coordinator(wait: Optional[float]) -> Question[model.Coordinator]:
    path = "/v1/coordinator"
    if wait is not None:
        path += f"?wait=true&timeout={max(1, int(wait * 1000))}ms"
    return Question("GET", path, model.coordinator_of)


def set_tag(key: str, value: str) -> Question[None]:
    return Question("PUT", "/v1/tags/" + quote(key, safe=""), _nothing, value, "text/plain")


def remove_tag(key: str) -> Question[None]:
    return Question("DELETE", "/v1/tags/" + quote(key, safe=""), _nothing)


def join(seeds: Iterable[str]) -> Question[None]:
    return Question("POST", "/v1/join", _nothing, json.dumps({"seeds": list(seeds)}))


def leave() -> Question[None]:
    return Question("POST", "/v1/leave", _nothing)


def remove(name: str) -> Question[None]:
    return Question("DELETE", "/v1/members/" + quote(name, safe=""), _nothing)


def anything(
    method: str, path: str, body: Any, content_type: Optional[str]
) -> Question[Any]:
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return Question(method, path, lambda answer: answer, text, content_type, False)
