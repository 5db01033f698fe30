"""The numbers behind a figure: computed at the points of a grid, kept in a file, compared with it.

A figure that takes more than a few seconds has a :class:`Study` in its module, called ``compute``:
``compute(seed=0)`` returns the numbers, read from ``book/data/NAME.npz`` if they were computed with
these very settings, computed afresh otherwise. ``python -m wnlib figures`` writes the files.
"""

import hashlib
import inspect
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from wnlib._checks import count, generator, readonly
from wnlib.sweeps import plain, points_of, sweep

LIBRARY = Path(__file__).resolve().parent.parent
FOLDER = LIBRARY.parent / "book" / "data"
# The modules of wnlib.figures that have a study, in the order of the book.
MODULES: tuple[str, ...] = (
    "figure_1",
    "other_draws",
    "figure_2",
    "on_the_way",
    "figure_3",
    "figure_4",
    "figure_5",
    "signed_draws",
    "sparsity",
    "speed",
    "reach",
    "phase_transition",
    "hubble",
    "camera",
)


class Data(Mapping[str, NDArray[Any]]):
    """A table: name to column, one row for each point.

    Attributes
    ----------
    settings : dict
        With which it was computed.
    origin : str
        A clause that says whether it was read or computed, and with which versions.
    """

    def __init__(
        self, columns: Mapping[str, NDArray[Any]], settings: Mapping[str, Any], origin: str
    ) -> None:
        """Copy and freeze the columns."""
        self._columns = {
            name: readonly(column, np.asarray(column).dtype) for name, column in columns.items()
        }
        rows = {column.shape[:1] for column in self._columns.values()}
        if len(rows) != 1 or () in rows:
            shapes = ", ".join(f"{name} {each.shape}" for name, each in self._columns.items())
            raise ValueError(f"columns must have one row for each point; got {shapes or 'none'}")
        self.settings = dict(settings)
        self.origin = origin

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column; its first axis is that of the points."""
        if name not in self._columns:
            raise KeyError(f"no column is named {name!r}; there are {', '.join(self)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        """Say the size; the entries would fill the screen."""
        points = len(next(iter(self.values())))
        return f"<Data, {points} points: {', '.join(self)}; {self.origin}>"

    def where(self, **values: Any) -> "Data":
        """Return the rows at which each of some columns has a given value; there may be none."""
        rows = np.ones(len(next(iter(self.values()))), dtype=bool)
        for name, value in values.items():
            if self[name].ndim > 1:
                raise ValueError(f"{name} has several entries at each point: choose rows yourself")
            if np.ndim(value):
                raise ValueError(f"{name} must be one value; got {value!r}: call where() for each")
            rows &= self[name] == value
        columns = {name: column[rows] for name, column in self.items()}
        return Data(columns, self.settings, self.origin)

    def cube(self, column: str, *axes: str) -> NDArray[Any]:
        """Return a column with one axis for each of some columns, along their ascending values.

        The rows must be all combinations of these values, each once.
        """
        if not axes or any(self[name].ndim > 1 for name in axes):
            raise ValueError(f"axes must name columns of one entry at each point; got {axes}")
        places = [np.unique(self[name], return_inverse=True) for name in axes]
        shape = tuple(len(values) for values, _ in places)
        values, where = self[column], tuple(place for _, place in places)
        if len({*zip(*where, strict=True)}) != len(values) or np.prod(shape) != len(values):
            raise ValueError(
                f"the rows are not all combinations of {', '.join(axes)}, each once: "
                "name more axes, or take a part by where()"
            )
        out = np.empty(shape + values.shape[1:], dtype=values.dtype)
        out[where] = values
        return out


@dataclass(frozen=True)
class Study:
    """What a figure computes, and where the result is kept.

    Attributes
    ----------
    name : str
        That of the file, and of the module.
    trial : callable
        Computes one point: see :func:`wnlib.sweeps.sweep`.
    grid : callable
        Maps settings, its keyword arguments, to the grid. Its defaults are the published settings.
        What a ``functools.partial`` has given it is no setting.
    rtol, atol : float
        How far the results may be from those of another machine.
    """

    name: str
    trial: Callable[..., Mapping[str, Any]]
    grid: Callable[..., Any]
    rtol: float = 1e-6
    atol: float = 1e-10

    def settings(self, **changed: Any) -> dict[str, Any]:
        """Return all settings: the published ones, but for those given."""
        signature = inspect.signature(self.grid)
        fixed = getattr(self.grid, "keywords", {})  # by a partial: they make the figure what it is
        free = [each for name, each in signature.parameters.items() if name not in fixed]
        if unknown := changed.keys() - {each.name for each in free}:
            raise TypeError(
                f"{self.name} has no setting {', '.join(sorted(unknown))}; "
                f"there are {', '.join(each.name for each in free)}"
            )
        bound = signature.replace(parameters=free).bind(**changed)
        bound.apply_defaults()
        return plain(bound.arguments)

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDER / f"{self.name}.npz"

    def __call__(self, *, executor: Executor | None = None, **changed: Any) -> Data:
        """Return the numbers: from the file if it has them for these settings, computed otherwise.

        Parameters
        ----------
        executor : concurrent.futures.Executor, optional
            For what must be computed.
        **changed
            Settings, as ``grid`` takes them.
        """
        settings = self.settings(**changed)
        if self.path.exists():
            kept = read(self.path)
            if kept.settings == settings:
                return kept
        grid = self.grid(**settings)
        if not grid:
            empty = [
                name for name, usual in self.settings().items() if usual and not settings[name]
            ]
            raise ValueError(
                f"there is nothing to compute: {', '.join(empty)} must not be empty or 0"
            )
        columns = sweep(self.trial, grid, executor)
        return Data(columns, settings, f"computed just now, with {versions()}")

    def write(self, executor: Executor | None = None) -> None:
        """Compute the published numbers and write the file; an interrupted run is taken up again.

        What it has so far is kept beside the file, for the present state of the library.
        """
        FOLDER.mkdir(parents=True, exist_ok=True)
        started = FOLDER / f".{self.name}-{fingerprint()}.part"
        settings = self.settings()
        columns = sweep(self.trial, self.grid(**settings), executor, started)
        header = {"settings": settings, "versions": versions()}
        file = io.BytesIO()
        contents: dict[str, Any] = {
            "_header": np.array(json.dumps(header)),
            "_sha256": np.array(_checksum(header, columns)),
            **columns,
        }
        np.savez_compressed(file, **contents)
        new = FOLDER / f".{self.name}.new"
        new.write_bytes(file.getvalue())
        os.replace(new, self.path)
        for part in FOLDER.glob(f".{self.name}-*.part"):
            part.unlink()

    def check(
        self, n_points: int | None = None, seed: int = 0, executor: Executor | None = None
    ) -> list[str]:
        """Compute some points of the file again; return what differs, a line for each.

        Parameters
        ----------
        n_points : int, optional
            All by default.
        seed : int
            Of the choice.
        executor : concurrent.futures.Executor, optional
        """
        n_points = None if n_points is None else count("n_points", n_points)
        if not self.path.exists():
            return [f"{self.name}: there is no {self.path.name}"]
        kept = read(self.path)
        if kept.settings != self.settings():
            return [f"{self.name}: the file was computed with other settings"]
        points = points_of(self.grid(**kept.settings))
        if len(points) != (rows := len(next(iter(kept.values())))):
            return [f"{self.name}: the grid has {len(points)} points, the file {rows}"]
        size = rows if n_points is None else min(n_points, rows)
        chosen = generator(seed).choice(rows, size, replace=False)
        points = [points[row] for row in chosen]
        again = sweep(self.trial, points, executor)
        if list(again) != list(kept):
            return [f"{self.name}: the columns are {', '.join(again)}, not {', '.join(kept)}"]
        return [
            " ".join(f"{self.name}: {name} is {value} at {point}, not {there}".split())
            for name in again
            for point, row, value in zip(points, chosen, again[name], strict=True)
            if not _close(value, there := kept[name][row], self.rtol, self.atol)
        ]


def _close(value: ArrayLike, there: ArrayLike, rtol: float, atol: float) -> bool:
    value, there = np.asarray(value), np.asarray(there)
    if value.shape != there.shape:
        return False
    if value.dtype.kind in "fc":
        return np.allclose(value, there, rtol, atol, equal_nan=True)
    return bool((value == there).all())


def read(path: Path) -> Data:
    """Read a file that :meth:`Study.write` has written.

    Raises
    ------
    ValueError
        If its checksum is not that of its contents.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content) as file:
            columns = {name: file[name] for name in file.files if not name.startswith("_")}
            header = json.loads(str(file["_header"]))
            intact = str(file["_sha256"]) == _checksum(header, columns)
    except Exception:  # whatever a damaged zip file may lead to
        intact = False
    if not intact:
        raise ValueError(f"{path} is damaged: python -m wnlib figures {path.stem} writes it again")
    origin = f"read from {path.parent.name}/{path.name}, computed with {header['versions']}"
    return Data(columns, header["settings"], origin)


def versions() -> str:
    """Return the versions of what computes."""
    return f"wnlib {version('wnlib')}, numpy {np.__version__}, scipy {scipy.__version__}"


def fingerprint(others: Iterable[Path] = ()) -> str:
    """Return a hash of the library's sources, and of other files."""
    sources = sorted([*LIBRARY.rglob("*.py"), *others])
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]


@cache
def state() -> str:
    """Return the :func:`fingerprint` that the library had when this process first asked for it.

    A process that has been running for long has in memory what the files said then.
    """
    return fingerprint()


def _checksum(header: object, columns: Mapping[str, NDArray[Any]]) -> str:
    hashed = hashlib.sha256(json.dumps(header).encode())
    for name, column in columns.items():
        hashed.update(f"{name} {column.dtype} {column.shape}".encode())
        hashed.update(column.tobytes())
    return hashed.hexdigest()


def study(name: str) -> Study:
    """Return the study of a figure by its name."""
    if name not in MODULES:
        raise ValueError(f"no figure {name!r} has a file; there are {', '.join(MODULES)}")
    return import_module(f"wnlib.figures.{name}").compute
