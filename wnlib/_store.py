"""A file of results that survives whatever ends the program: for :mod:`wnlib.sweeps`."""

import inspect
import json
import os
import sys
from collections.abc import Callable
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any


class Store:
    """A file of lines, each the checksum of a result, and the result with its point.

    A line and the line feed *before* it are added by one write. So a line is there or not, whatever
    kills the process, and what a full disk tears ends where the next line begins. What is torn or
    damaged fails its checksum, and counts as not there.
    """

    def __init__(self, path: str | os.PathLike[str], function: Callable[..., object]) -> None:
        self.path, self.name, self.source = Path(path), _name(function), _source(function)
        content = self.path.read_bytes() if self.path.exists() else b""
        if content[:1] not in (b"", b"\n"):
            raise ValueError(f"{self.path} is not the store of a sweep: name another file")
        lines = content.split(b"\n")[1:]
        damaged = [line for line in lines if line[:65] != self._checksum(line[65:])]
        # not the last one: another sweep may be writing it
        self.damaged = len([line for line in damaged if line and line is not lines[-1]])
        self.found: dict[str, str] = {}
        for line in set(lines) - set(damaged):
            name, source, key, result = json.loads(line[65:])
            if name != self.name:
                raise ValueError(
                    f"{self.path} is the store of {name}, not of {self.name}: name another file"
                )
            if source != self.source:
                raise ValueError(
                    f"{self.path} has results of {name} as it was before a change: delete the "
                    "file, or name another one"
                )
            self.found[key] = result
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115 (close() is below)

    @staticmethod
    def _checksum(line: bytes) -> bytes:
        return sha256(line).hexdigest().encode() + b" "

    def add(self, key: str, result: str) -> None:
        """Add a result."""
        line = json.dumps([self.name, self.source, key, result]).encode()
        rest = b"\n" + self._checksum(line) + line
        try:
            while rest:  # a disk that is nearly full takes a part before it says so
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            error.filename = str(self.path)
            raise

    def close(self) -> None:
        """Close the file, once all is on the disk."""
        with self.file:
            os.fsync(self.file.fileno())


def _name(function: Callable[..., object]) -> str:
    """Return the name by which a function can be imported."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    try:
        place: Any = sys.modules[module]
        if reduce(getattr, name.split("."), place) is function:
            return f"{module}.{name}"
    except (KeyError, AttributeError):
        pass
    raise TypeError(
        f"a store needs a function that can be imported by its name; got {function!r}: write it "
        "with def in a module, and put what it is given besides into the grid"
    )


def _source(function: Callable[..., object]) -> str:
    """Return a hash of the function's source; none where Python does not know it."""
    try:
        return sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""
