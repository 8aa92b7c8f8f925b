"""Who is here, and who is gone? Clients of a Muster sidecar, and a member inside of the process."""

from __future__ import annotations

from . import _lib, aio
from ._agent import Agent
from ._client import App, Client, Events
from .errors import (
    AgentEnded,
    AgentFailed,
    Broken,
    Denied,
    LibraryPanic,
    MusterError,
    NameTaken,
    NoAgent,
    NotMuster,
    Refused,
    SettingsError,
    Silent,
    SystemFailed,
    UsageError,
    VersionMismatch,
    WrongUse,
)
from .model import Coordinator, Event, EventType, Member, Members, Reset, State, Verdict

__version__ = _lib.text(_lib.lib.muster_version())

__all__ = [
    "Agent",
    "AgentEnded",
    "AgentFailed",
    "App",
    "Broken",
    "Client",
    "Coordinator",
    "Denied",
    "Event",
    "EventType",
    "Events",
    "LibraryPanic",
    "Member",
    "Members",
    "MusterError",
    "NameTaken",
    "NoAgent",
    "NotMuster",
    "Refused",
    "Reset",
    "SettingsError",
    "Silent",
    "State",
    "SystemFailed",
    "UsageError",
    "Verdict",
    "VersionMismatch",
    "WrongUse",
    "aio",
]
