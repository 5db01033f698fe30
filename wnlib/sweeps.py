"""One function at many points: here or on any executor, the results kept as they come.

A point is a set of keyword arguments, and all that its result may depend on: a function that draws
at random seeds itself from them, say by :func:`seed_of`. So the results do not depend on who
computes them, nor in which order.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import closing, contextmanager, nullcontext
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = dict[str, Any]
Columns = dict[str, NDArray[Any]]


def sweep(
    function: Callable[..., Mapping[str, Any]],
    grid: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    *,
    progress: bool | None = None,
) -> Columns:
    """Call a function at each point of a grid.

    Parameters
    ----------
    function : callable
        Takes a point as keyword arguments, and returns numbers, strings, or arrays of them, by
        their names. An executor of processes must be able to import it.
    grid : mapping, or iterable of mappings
        Names to values: all combinations of them, the last name changing fastest. What is not a
        list, tuple, range or array is the same at all points. Or the points themselves, which have
        the same names.
    executor : concurrent.futures.Executor, optional
        Points are submitted to it one by one: threads, processes, ``Client.get_executor()`` of
        Dask. It is not shut down. By default the points are computed here, one after the other.
    store : path, optional
        A file to which each result is added once it is there. What it holds already is not computed
        again: so a sweep that was interrupted, killed or broke off goes on where it was. After a
        change of the function the file must be deleted.
    progress : bool, optional
        Show a bar (needs tqdm); by default, where tqdm is installed and stderr is a terminal.

    Returns
    -------
    dict
        Name to array, one row for each point, in the order of the grid: first the names of the
        points, then those of the results. ``pandas.DataFrame`` takes it as it is.

    Raises
    ------
    ValueError, TypeError
        For a grid or results that do not make columns, or a store of another function.
    OSError
        If the store cannot be written. Like an error of the function, which is raised as it is, or
        the death of a worker, this leaves in the store all that had been added before.
    """
    points = _points(grid)
    keys = [_text(point, sort_keys=True) for point in points]
    with closing(_Store(store, function)) if store is not None else nullcontext(None) as kept:
        found = dict(kept.found) if kept else {}
        todo = {key: point for key, point in zip(keys, points, strict=True) if key not in found}
        with _bar(progress, len(set(keys)), len(set(keys)) - len(todo)) as bar:
            for key, result in _results(function, todo, executor):
                if kept:
                    kept.add(key, result)
                found[key] = result
                bar.update(1)
    return _columns(points, [json.loads(found[key]) for key in keys])


def seed_of(*values: Any) -> list[int]:
    """Return a seed that depends on each of some values: numbers, strings, lists of them.

    Returns
    -------
    list of int
        What ``numpy.random.default_rng`` and :func:`wnlib.sparse_problem` take for a seed.
    """
    digest = sha256(_text(list(values)).encode()).digest()
    return [int.from_bytes(digest[k : k + 4], "big") for k in range(0, 16, 4)]


def _plain(value: Any) -> Any:
    """Return a NumPy scalar or array as Python's own numbers and lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"points and results are made of numbers, strings and arrays; got {value!r}")


def _text(value: Any, sort_keys: bool = False) -> str:
    """Write a value as JSON, floats with all their digits."""
    return json.dumps(value, sort_keys=sort_keys, default=_plain, separators=(",", ":"))


def _points(grid: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Point]:
    if isinstance(grid, Mapping):
        many = list | tuple | range | np.ndarray
        axes = {name: v if isinstance(v, many) else [v] for name, v in grid.items()}
        points = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    else:
        points = [dict(point) for point in grid]
    if not points:
        raise ValueError("grid has no points: each of its names needs a value")
    if any(point.keys() != points[0].keys() for point in points):
        raise ValueError("the points of grid must all have the same names")
    return [json.loads(_text(point)) for point in points]  # the same, computed or read


def _results(
    function: Callable[..., Mapping[str, Any]],
    todo: Mapping[str, Point],
    executor: Executor | None,
) -> Iterator[tuple[str, str]]:
    """Yield keys and results, written as JSON, as they come."""
    if executor is None:
        for key, point in todo.items():
            with _at(point):
                yield key, _text(function(**point))
        return
    futures = {executor.submit(function, **point): key for key, point in todo.items()}
    try:
        for future in as_completed(futures):
            with _at(todo[futures[future]]):
                yield futures[future], _text(future.result())
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _at(point: Point) -> Iterator[None]:
    """Say at which point an error occurred."""
    try:
        yield
    except BrokenExecutor as error:
        error.add_note("a worker died; with a store, the same call goes on where it was")
        raise
    except Exception as error:
        error.add_note(f"at the point {point}")
        raise


def _bar(progress: bool | None, total: int, done: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        if progress:
            raise
        return nullcontext(_NoBar())
    # disable=None: unless stderr is a terminal
    return tqdm(total=total, initial=done, disable=None if progress is None else not progress)


class _NoBar:
    def update(self, n: float = 1) -> None: ...


def _columns(points: Sequence[Point], results: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn rows into columns."""
    if not all(isinstance(result, dict) for result in results):
        raise TypeError("the function must return a mapping of names to numbers or arrays")
    if any(result.keys() != results[0].keys() for result in results):
        raise ValueError("the function must return the same names at all points")
    if twice := points[0].keys() & results[0].keys():
        raise ValueError(f"the function returns names of the grid: {', '.join(sorted(twice))}")
    return {
        name: _column(name, [row[name] for row in rows])
        for rows in (points, results)
        for name in rows[0]
    }


def _column(name: str, values: list[Any]) -> NDArray[Any]:
    try:
        return np.array(values)
    except ValueError as error:
        raise ValueError(f"{name} has another shape at some points than at others") from error


class _Store:
    """A file of lines, each the checksum of a result and the result, with its point.

    A line is added by one write, so it is there or not, whatever kills the process; what is torn or
    damaged fails its checksum, and counts as not there.
    """

    def __init__(self, path: str | os.PathLike[str], function: Callable[..., object]) -> None:
        self.path = Path(path)
        name = f"{function.__module__}.{getattr(function, '__qualname__', '<')}"
        if "<" in name:
            raise TypeError(
                "a store needs a function that can be imported by its name; got "
                f"{function!r}: write it with def, and put what it is given into the grid"
            )
        self.found: dict[str, str] = {}
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        whole = [line[65:].decode() for line in lines if self._intact(line)]
        if damaged := sum(map(bool, lines[:-1])) - len(whole):  # the last one is empty, or torn
            warnings.warn(
                f"{damaged} damaged lines in {self.path} are computed again", stacklevel=3
            )
        for line in whole:
            function_name, key, result = json.loads(line)
            if function_name != name:
                raise ValueError(
                    f"{self.path} is the store of {function_name}, not of {name}: name another file"
                )
            self.found[key] = result
        self.name = name
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if lines and lines[-1]:
            self._write(b"\n")

    @staticmethod
    def _intact(line: bytes) -> bool:
        return line[:64] == sha256(line[65:]).hexdigest().encode()

    def add(self, key: str, result: str) -> None:
        """Add a result."""
        line = json.dumps([self.name, key, result]).encode()
        self._write(sha256(line).hexdigest().encode() + b" " + line + b"\n")

    def _write(self, line: bytes) -> None:
        if os.write(self.file, line) != len(line):
            raise OSError(f"{self.path} is not written to the end of a line: is the disk full?")

    def close(self) -> None:
        """Close the file, once all is on the disk."""
        os.fsync(self.file)
        os.close(self.file)
