"""One function at many points: here or on any executor, the results kept as they come.

A point is a set of keyword arguments, and all that its result may depend on: a function that draws
at random seeds itself from them, say by :func:`seed_of`. So the results do not depend on who
computes them, nor in which order.
"""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import closing, contextmanager, nullcontext
from hashlib import sha256
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wnlib._checks import flag
from wnlib._interrupts import interrupts_passed_on
from wnlib._store import Store

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
        the same names. The function gets Python's numbers, strings and lists for those of NumPy.
    executor : concurrent.futures.Executor, optional
        Points are submitted to it one by one: threads, processes, ``Client.get_executor()`` of
        Dask. It is not shut down. By default, the points are computed here, one after the other.
    store : path, optional
        A file to which each result is added once it is there. What it holds already is not computed
        again: so a sweep that was interrupted, killed or broke off goes on where it was. Several
        may share it. After a change of the function it is refused; after a change of what the
        function calls the file must be deleted.
    progress : bool, optional
        Show a bar (needs tqdm); by default, where tqdm is installed and stderr is a terminal.

    Returns
    -------
    dict
        Name to array, one row for each point, in the order of the grid: first the names of the
        points, then those of the results. ``pandas.DataFrame`` takes it if the rows are numbers.

    Raises
    ------
    ValueError, TypeError
        For a grid or results that do not make columns, or a store of another function, or of this
        one before a change.
    OSError
        If the store cannot be written. Like an error of the function, which is raised as it is, or
        the death of a worker, this leaves in the store all that had been added before.
    KeyboardInterrupt
        Of Ctrl-C, also within ``integrate`` and ``descend``, which else return what they have.

    Warns
    -----
    UserWarning
        If lines of the store are damaged. What they held is computed again.
    """
    _check_arguments(function, executor, store, progress)
    points = points_of(grid)
    keys = [_text(point, sort_keys=True) for point in points]
    with closing(Store(store, function)) if store is not None else nullcontext(None) as kept:
        found = dict(kept.found) if kept else {}
        missing = {key: point for key, point in zip(keys, points, strict=True) if key not in found}
        if kept and kept.damaged and missing:
            message = (
                f"{kept.damaged} damaged line(s) in {kept.path}: what is lost is computed again"
            )
            warnings.warn(message, stacklevel=2)
        with _bar(progress, len(set(keys)), len(set(keys)) - len(missing)) as bar:

            def keep(key: str, result: str) -> None:
                if kept:
                    kept.add(key, result)
                found[key] = result
                bar.update(1)

            _compute(function, missing, executor, keep)
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


def plain(value: Any) -> Any:
    """Return a value made of Python's own numbers, strings and lists: as a file would have it."""
    return json.loads(_text(value))


def _own(value: Any) -> Any:
    """Return a NumPy scalar or array as Python's own numbers and lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"points and results are made of numbers, strings and arrays; got {value!r}")


def _text(value: Any, sort_keys: bool = False) -> str:
    """Write a value as JSON, floats with all their digits."""
    return json.dumps(value, sort_keys=sort_keys, default=_own, separators=(",", ":"))


def _check_arguments(
    function: object, executor: object, store: object, progress: bool | None
) -> None:
    """Raise ``TypeError`` for what can only be a slip."""
    if not callable(function):
        raise TypeError(f"function must take a point by its names; got {function!r}")
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, such as ProcessPoolExecutor(4), or "
            f"client.get_executor() of Dask; got {executor!r}"
        )
    if store is not None and (isinstance(store, bytes) or not isinstance(store, str | os.PathLike)):
        raise TypeError(f"store must be the path of a file; got {store!r}")
    if progress is not None:
        flag("progress", progress)


def points_of(grid: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Point]:
    """Return the points of a grid, in their order, as the function gets them."""
    if isinstance(grid, Mapping):
        axes = {name: list(v) if _is_many(v) else [v] for name, v in grid.items()}
        if empty := [str(name) for name, values in axes.items() if not values]:
            raise ValueError(f"grid has no points: {', '.join(empty)} must have a value at least")
        points = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    else:
        if not isinstance(grid, Iterable):
            raise TypeError(f"grid must map names to values, or list points; got {grid!r}")
        points = [dict(_mapping("each point of grid", point)) for point in grid]
    if not points:
        raise ValueError("grid has no points: list one at least")
    _alike("the points of grid must all have the same names", points)
    return [plain(point) for point in points]  # the same, computed or read


def _is_many(value: object) -> bool:
    return isinstance(value, list | tuple | range) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def _mapping(what: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"{what} must be a mapping of names to numbers or arrays; got {value!r}")


def _call(function: Callable[..., object], point: Point, attempt: bytes = b"") -> str:
    """Compute a point, and write its result as JSON."""
    with interrupts_passed_on():
        result = _mapping("the result of the function", function(**point))
    if twice := point.keys() & result.keys():
        raise ValueError(f"the function returns names of the grid: {', '.join(sorted(twice))}")
    return _text(dict(result))


def _compute(
    function: Callable[..., object],
    missing: Mapping[str, Point],
    executor: Executor | None,
    keep: Callable[[str, str], None],
) -> None:
    """Compute points, and keep each result once it is there."""
    if executor is None:
        for key, point in missing.items():
            with _at(point):
                result = _call(function, point)
            keep(key, result)
        return
    attempt = os.urandom(8)  # Dask answers a call that it has seen by what it remembers: an error
    futures: dict[Future[str], str] = {}
    try:
        for key, point in missing.items():
            with _at(point):
                futures[executor.submit(_call, function, point, attempt)] = key
        for future in as_completed(futures):
            key = futures.pop(future)
            with _at(missing[key]):
                result = future.result()
            keep(key, result)
    finally:  # after an error or Ctrl-C: start nothing more, and keep what is there
        left = [(future, key) for future, key in futures.items() if not future.cancel()]
        for future, key in left:
            if future.done() and not future.exception():
                keep(key, future.result())


@contextmanager
def _at(point: Point) -> Iterator[None]:
    """Say at which point an error occurred."""
    try:
        yield
    except BrokenExecutor as error:
        error.add_note(
            "a worker died; with a store, the same call goes on where it was. If all die at once: "
            'a script must make its executor under if __name__ == "__main__", and processes can '
            "import what a module defines, not always what a notebook does"
        )
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
        return nullcontext(SimpleNamespace(update=lambda n: None))
    # disable=None: unless stderr is a terminal
    return tqdm(total=total, initial=done, disable=None if progress is None else not progress)


def _alike(demand: str, rows: Sequence[Point]) -> None:
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(
                f"{demand}; got {', '.join(rows[0])} at one and {', '.join(row)} at another"
            )


def _columns(points: Sequence[Point], results: Sequence[Point]) -> Columns:
    """Turn rows into columns."""
    _alike("the function must return the same names at all points", results)
    return {
        name: _column(name, [row[name] for row in rows])
        for rows in (points, results)
        for name in rows[0]
    }


def _column(name: str, values: list[Any]) -> NDArray[Any]:
    try:
        column = np.array(values)
    except ValueError as error:
        raise ValueError(f"{name} has another shape at some points than at others") from error
    kinds = {np.asarray(value).dtype.kind: value for value in values}
    if not any(
        kinds.keys() <= set(alike) for alike in ("iuf", "b", "U")
    ):  # NumPy writes numbers as text
        raise ValueError(
            f"{name} must be numbers, or truth values, or strings, at all points, integers below "
            f"2^64; got {', '.join(map(repr, kinds.values()))}"
        )
    return column
