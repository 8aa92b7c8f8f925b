"""What both clients can ask: which request, and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Generic, Iterable, Mapping, Optional, TypeVar
from urllib.parse import quote, urlencode

from . import model

T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[T]):
    """A request and how its answer is read."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Optional[str] = None
    content_type: Optional[str] = None


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
    return Question(method, path, lambda answer: answer, text, content_type)
