"""Members and events, as values: frozen, comparable, and made for pattern matching."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

Json = Mapping[str, Any]


class _Word(str, enum.Enum):
    def __str__(self) -> str:
        return str(self.value)


class State(_Word):
    """How a member is, as the local sidecar sees it.

    >>> State("alive") is State.ALIVE
    True
    """

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEGRADED = "degraded"
    UNREACHABLE = "unreachable"
    LEFT = "left"
    DEAD = "dead"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> State:
        return cls.OTHER


class Verdict(_Word):
    """What was agreed about one life of a member."""

    UP = "up"
    DEAD = "dead"
    LEFT = "left"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Verdict:
        return cls.OTHER


class EventType(_Word):
    """What happened. ``OTHER`` is a type of a newer agent: ``Event.raw["type"]`` has its word."""

    MEMBER_SUSPECT = "member-suspect"
    MEMBER_UNREACHABLE = "member-unreachable"
    MEMBER_REACHABLE = "member-reachable"
    MEMBER_DEGRADED = "member-degraded"
    MEMBER_UP = "member-up"
    MEMBER_DEAD = "member-dead"
    MEMBER_LEFT = "member-left"
    MEMBER_UPDATED = "member-updated"
    APP_UP = "app-up"
    APP_DOWN = "app-down"
    APP_HEALTH = "app-health"
    COORDINATOR_CHANGED = "coordinator-changed"
    QUORUM_LOST = "quorum-lost"
    QUORUM_REGAINED = "quorum-regained"
    SELF_REMOVED = "self-removed"
    SELF_READMITTED = "self-readmitted"
    RESET = "reset"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> EventType:
        return cls.OTHER


@dataclass(frozen=True)
class Member:
    """A member as the local sidecar sees it."""

    name: str
    addr: str
    instance: int
    incarnation: int
    state: State
    verdict: Optional[Verdict]
    view: int
    since: datetime
    zone: Optional[str]
    tags: Mapping[str, str] = field(hash=False)
    voter: bool
    is_self: bool
    rtt_us: Optional[int]
    apps: Mapping[str, Json] = field(repr=False, hash=False)
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True)
class Members:
    """All members that were asked for, in the order of their names."""

    view: int
    epoch: int
    cursor: str
    members: Tuple[Member, ...]

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def get(self, name: str) -> Optional[Member]:
        """The member of that name, if it is in the list."""
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Event:
    """Something that happened to a member, an app, or the cluster."""

    type: EventType
    member: Optional[Member]
    cursor: str = field(repr=False)
    time: datetime
    view: int
    epoch: int
    cause: Optional[str]
    app: Optional[str]
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True)
class Reset(Event):
    """Events may be missing before this one: ``members`` are all there are, as they are now."""

    reason: str = ""
    members: Tuple[Member, ...] = ()


@dataclass(frozen=True)
class Coordinator:
    """Who decides. Take ``epoch`` once, from an answer with ``is_self``, for the whole term."""

    name: str
    addr: Optional[str]
    epoch: int
    is_self: bool


def time_of(text: str) -> datetime:
    """A time of the API.

    >>> time_of("2026-01-02T03:04:05.678Z").isoformat()
    '2026-01-02T03:04:05.678000+00:00'
    >>> time_of("2026-01-02T03:04:05Z").second, time_of("2026-01-02T03:04:05.123456789Z").microsecond
    (5, 123456)
    """
    whole, _, fraction = text.rstrip("Z").partition(".")
    second = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return second.replace(microsecond=int((fraction + "000000")[:6]))


def member_of(raw: Json) -> Member:
    """A member of a document."""
    verdict = raw.get("verdict")
    return Member(
        name=raw["name"],
        addr=raw["addr"],
        instance=raw["instance"],
        incarnation=raw["incarnation"],
        state=State(raw["state"]),
        verdict=None if verdict is None else Verdict(verdict),
        view=raw["view"],
        since=time_of(raw["since"]),
        zone=raw.get("zone"),
        tags=raw.get("tags", {}),
        voter=bool(raw.get("voter")),
        is_self=bool(raw.get("self")),
        rtt_us=raw.get("rtt_us"),
        apps=raw.get("apps", {}),
        raw=raw,
    )


def members_of(raw: Json) -> Members:
    """A list of members of a document."""
    members = tuple(member_of(member) for member in raw["members"])
    return Members(view=raw["view"], epoch=raw["epoch"], cursor=raw["cursor"], members=members)


def event_of(raw: Json) -> Event:
    """An event of a document."""
    kind = EventType(raw["type"])
    member = raw.get("member")
    common: Dict[str, Any] = {
        "type": kind,
        "member": None if member is None else member_of(member),
        "cursor": raw["cursor"],
        "time": time_of(raw["time"]),
        "view": raw["view"],
        "epoch": raw["epoch"],
        "cause": raw.get("cause"),
        "app": raw.get("app"),
        "raw": raw,
    }
    if kind is EventType.RESET:
        members = tuple(member_of(member) for member in raw["members"])
        return Reset(**common, reason=raw.get("reason", ""), members=members)
    return Event(**common)


def coordinator_of(raw: Json) -> Coordinator:
    """A coordinator of a document."""
    return Coordinator(
        name=raw["name"], addr=raw.get("addr"), epoch=raw["epoch"], is_self=raw["self"]
    )
