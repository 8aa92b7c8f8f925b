"""The C library, with its handles as objects and its statuses as exceptions."""

from __future__ import annotations

import contextlib
import json
import os
from importlib import import_module
from typing import Any, Optional, Tuple

from . import errors

# Made from the header: it has no types to import.
_native = import_module("muster._native")
ffi: Any = _native.ffi
lib: Any = _native.lib

OK, AGAIN, TIMEOUT, INTERRUPTED = range(4)


def text(pointer: Any) -> str:
    """A text that a getter gave."""
    value: bytes = ffi.string(pointer)
    return value.decode("utf-8", "replace")


def given(value: Optional[str]) -> Any:
    """A text for an argument; NULL for none."""
    if value is None:
        return ffi.NULL
    if "\0" in value:
        raise errors.UsageError("a text with a zero byte cannot be passed to Muster")
    return ffi.new("char[]", value.encode("utf-8"))


def milliseconds(timeout: Optional[float]) -> int:
    """Seconds, or None for as long as it takes, as the library wants it."""
    return -1 if timeout is None else max(0, int(timeout * 1000))


def fail(status: int, error: Any) -> errors.MusterError:
    """The exception for what a call came to; frees the error."""
    if error == ffi.NULL:
        return errors.from_status(status, text(lib.muster_status_text(status)))
    try:
        problem = lib.muster_error_problem(error)
        return errors.from_status(
            status,
            text(lib.muster_error_message(error)),
            None if problem == ffi.NULL else text(problem),
            int(lib.muster_error_http_status(error)),
        )
    finally:
        lib.muster_error_free(error)


def done(function: Any, *arguments: Any) -> None:
    """Calls what only has a status."""
    error = ffi.new("muster_error **")
    status = function(*arguments, error)
    if status != OK:
        raise fail(status, error[0])


def attempt(kind: str, function: Any, *arguments: Any) -> Tuple[int, Any]:
    """Calls what gives a handle, or says to call again."""
    handle, error = ffi.new(kind + " **"), ffi.new("muster_error **")
    status = function(*arguments, handle, error)
    if status == OK:
        return OK, ffi.gc(handle[0], getattr(lib, kind + "_free"))
    if status in (AGAIN, TIMEOUT, INTERRUPTED) and error[0] == ffi.NULL:
        return int(status), None
    raise fail(status, error[0])


def made(kind: str, function: Any, *arguments: Any) -> Any:
    """Calls what gives a handle."""
    status, handle = attempt(kind, function, *arguments)
    if status != OK:
        raise errors.from_status(status, text(lib.muster_status_text(status)))
    return handle


def release(handle: Any) -> None:
    """Frees a handle now."""
    ffi.release(handle)


def open_client(socket: Optional[str], timeout: Optional[float]) -> Any:
    """A client handle."""
    return made("muster_client", lib.muster_client_open, given(socket), milliseconds(timeout))


def body_of(response: Any) -> Any:
    """The JSON document of a response, or its text; None when it is empty."""
    body = ffi.buffer(lib.muster_response_body(response), lib.muster_response_length(response))
    content = bytes(body)
    if not content:
        return None
    if text(lib.muster_response_media_type(response)) == "application/json":
        with contextlib.suppress(ValueError):  # What is no JSON is told as the text it is.
            return json.loads(content)
    return content.decode("utf-8", "replace")


def path_of(socket: "Optional[str | os.PathLike[str]]") -> Optional[str]:
    """A path as text."""
    return None if socket is None else os.fspath(socket)
