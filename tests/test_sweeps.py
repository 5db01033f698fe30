"""The sweep: the same columns whoever computes them, and nothing lost that was there."""

import _thread
import errno
import functools
import importlib
import itertools
import linecache
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wnlib as wn
from wnlib import _store
from wnlib.sweeps import seed_of, sweep

HERE = Path(__file__).parent


def every_kind(*, a, b):
    """Return all that a result may be."""
    return {
        "nan": np.nan if a else np.float32(0.1),
        "inf": -np.inf,
        "integer": np.int32(a - 2),
        "truth": bool(a > 0),
        "text": f"{a}, {b} ü",
        "vector": np.arange(3) / 3 + a,
        "matrix": np.array([[a, 0], [0, 1]]),
        "drawn": np.random.default_rng(seed_of(a, b)).standard_normal(),
    }


def logged(*, x, folder, seconds=0.0):
    """Double a number, and leave a line in a log."""
    with open(f"{folder}/log", "a") as log:
        log.write(f"{x}\n")
    time.sleep(seconds)
    return {"double": 2 * x}


def fails_once(*, x, folder):
    """Raise an error at the point 3, but only the first time."""
    if x == 3 and not Path(folder, "failed").exists():
        Path(folder, "failed").touch()
        raise ZeroDivisionError("once")
    return logged(x=x, folder=folder, seconds=0.01)


def dies_once(*, x, folder):
    """Kill the own process at the point 8, but only the first time."""
    if x == 8 and not Path(folder, "died").exists():
        Path(folder, "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return logged(x=x, folder=folder, seconds=0.02)


def interrupted_once(*, x, folder):
    """Press Ctrl-C at the point 3, but only the first time."""
    if x == 3 and not Path(folder, "pressed").exists():
        Path(folder, "pressed").touch()
        _thread.interrupt_main()
    return logged(x=x, folder=folder, seconds=0.05)


def identity(**point):
    return {}


def log_of(folder):
    return sorted(map(int, Path(folder, "log").read_text().split()))


def same(one, other):
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name])


@pytest.fixture(scope="module")
def processes():
    # spawn: the other tests' threads are none of its business
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture(scope="module", params=["threads", "processes", "dask"])
def executor(request):
    return request.getfixturevalue(request.param)


# What comes out


def test_columns_are_in_the_order_of_the_grid():
    columns = wn.sweep(
        every_kind,
        {
            "a": [2, 1],
            "b": ("x", "y"),
        },
        progress=False,
    )
    assert columns["a"].tolist() == [2, 2, 1, 1]
    assert columns["b"].tolist() == ["x", "y", "x", "y"]
    assert list(columns)[:3] == ["a", "b", "nan"]
    assert columns["matrix"].shape == (4, 2, 2)


GRIDS = st.dictionaries(
    st.sampled_from(["a", "b", "key", "function", "self", "pure"]),
    st.lists(st.integers(-(2**60), 2**60), max_size=3)
    | st.lists(st.floats(width=64), min_size=1, max_size=3)
    | st.lists(st.text('äb\n"', max_size=3), min_size=1, max_size=2)
    | st.booleans()
    | st.floats(),
    max_size=4,
)


def described(**point):
    return {"text": repr(sorted(point.items())), "number": float(len(point))}


@given(GRIDS)
def test_a_sweep_is_a_loop(grid):
    axes = {name: v if isinstance(v, list) else [v] for name, v in grid.items()}
    points = [dict(zip(axes, v, strict=True)) for v in itertools.product(*axes.values())]
    if not points:
        with pytest.raises(ValueError, match="grid has no points"):
            sweep(described, grid)
        return
    columns = sweep(described, grid)
    same(sweep(described, points), columns)
    for row, point in enumerate(points):
        assert columns["text"][row] == repr(sorted(point.items()))
        for name, value in point.items():
            np.testing.assert_array_equal(columns[name][row], value)


def test_who_computes_does_not_matter(executor, tmp_path):
    grid = {"a": range(5), "b": ["x", "y"]}
    here = sweep(every_kind, grid)
    same(sweep(every_kind, grid, executor), here)
    same(sweep(every_kind, grid, executor, tmp_path / "store"), here)
    same(sweep(every_kind, grid, store=tmp_path / "store"), here)  # read


def test_numpy_and_tuples_in_the_grid(tmp_path):
    grid = {"a": np.array([1.5, 2]), "b": [(1, 2), (3, 4)], "c": np.float64(2), "d": np.arange(2)}
    columns = sweep(described, grid, store=tmp_path / "store")
    assert columns["text"][0] == "[('a', 1.5), ('b', [1, 2]), ('c', 2.0), ('d', 0)]"
    assert columns["b"].shape == (8, 2)
    same(sweep(described, grid, store=tmp_path / "store"), columns)


def test_names_that_executors_know_are_names_of_a_point(executor):
    grid = {"fn": 1, "function": 2, "key": [3, 4], "workers": 5, "pure": False, "retries": 1}
    same(sweep(described, grid, executor), sweep(described, grid))


def test_points_twice_are_computed_once(tmp_path):
    points = [{"x": x, "folder": str(tmp_path)} for x in (1, 2, 1)]
    assert sweep(logged, points)["double"].tolist() == [2, 4, 2]
    assert log_of(tmp_path) == [1, 2]


def test_the_order_of_names_does_not_matter_to_a_store(tmp_path):
    folder = str(tmp_path)
    sweep(logged, {"x": [1, 2], "folder": folder}, store=tmp_path / "store")
    sweep(logged, {"folder": folder, "x": [2, 1, 3]}, store=tmp_path / "store")
    assert log_of(tmp_path) == [1, 2, 3]


def test_seeds_depend_on_all_values():
    values = [(), (0,), (1,), (1.0,), ("1",), (0, 1), (1, 0), ([0, 1],)]
    assert len({tuple(seed_of(*value)) for value in values}) == len(values)
    assert seed_of(np.float64(0.1), np.arange(2)) == seed_of(0.1, [0, 1])


# What is kept


def child(code, *arguments):
    """Start a Python that knows this module, in a process group of its own."""
    code = "import sys\nfrom test_sweeps import *\nif __name__ == '__main__':\n" + "\n".join(
        "    " + line for line in code.splitlines()
    )
    script = Path(arguments[0], "child.py")
    script.write_text(code, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


SWEEP = """
pool = ProcessPoolExecutor(2) if sys.argv[2] == "pool" else None
grid = {"x": range(60), "folder": sys.argv[1], "seconds": 0.03}
sweep(logged, grid, pool, sys.argv[1] + "/store")
"""


def stored(store):
    return store.read_bytes().count(b"\n") if store.exists() else 0


def stop_in_the_middle(process, store, how):
    """Send a signal once ten results are there; return how many there are when it has ended."""
    limit = time.monotonic() + 60
    while stored(store) < 10 and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()[1]
    how(process)
    process.communicate(timeout=60)
    return stored(store)


@pytest.mark.parametrize("who", ["alone", "pool"])
def test_a_kill_loses_nothing_that_was_finished(who, tmp_path):
    store = tmp_path / "store"
    process = child(SWEEP, tmp_path, who)
    there = stop_in_the_middle(process, store, lambda p: os.killpg(p.pid, signal.SIGKILL))
    assert process.returncode == -signal.SIGKILL
    assert 10 <= there < 60
    begun = log_of(tmp_path)
    assert len(begun) <= there + 5  # in the works: at the workers, and in their queue
    grid = {"x": range(60), "folder": str(tmp_path), "seconds": 0.03}
    columns = sweep(logged, grid, store=store)
    assert columns["double"].tolist() == list(range(0, 120, 2))
    assert len(log_of(tmp_path)) - len(begun) == 60 - there


def test_ctrl_c_in_a_pool_starts_nothing_more(tmp_path):
    process = child(SWEEP, tmp_path, "pool")
    there = stop_in_the_middle(process, tmp_path / "store", lambda p: p.send_signal(signal.SIGINT))
    assert process.returncode != 0
    assert there < 60
    assert len(log_of(tmp_path)) <= there + 5


@pytest.mark.parametrize("pool", [False, True])
def test_ctrl_c_keeps_what_is_there(pool, tmp_path):
    grid, store = {"x": range(12), "folder": str(tmp_path)}, tmp_path / "store"
    with ThreadPoolExecutor(2) as threads:
        executor = threads if pool else None
        with pytest.raises(KeyboardInterrupt):
            sweep(interrupted_once, grid, executor, store)
    there = stored(store)
    assert there < 12
    sweep(interrupted_once, grid, store=store)
    assert len(log_of(tmp_path)) <= 12 + 3
    assert set(log_of(tmp_path)) == set(range(12))


def descended(*, x, n_steps):
    """Return where a flow is after some steps."""
    problem = wn.Problem([[1.0, 0.5]], [1.0])
    flow, x0 = wn.PlainFlow(2), np.full(2, 0.1 * x)
    return {
        "descend": wn.descend(flow, problem, x0, 0.01, n_steps).weights,
        "integrate": wn.integrate(flow, problem, x0, 0.01 * n_steps).weights,
    }


@pytest.mark.parametrize(
    "place", ["wnlib.roads._rows.PlainRows.move", "wnlib.roads.integrate._Run.advance"]
)
def test_ctrl_c_in_a_run_is_no_result_of_the_point(place, tmp_path, monkeypatch):
    """Asked for alone, a run returns what it has reached: that must not be kept."""
    grid, store, calls = {"x": [1, 2], "n_steps": 300}, tmp_path / "store", itertools.count()
    clean = sweep(descended, grid)
    module, name, method = place.rsplit(".", 2)
    owner = getattr(importlib.import_module(module), name)
    go_on = getattr(owner, method)

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return go_on(*arguments)

    monkeypatch.setattr(owner, method, interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(descended, grid, store=store)
    assert stored(store) == 0
    same(clean, sweep(descended, grid, store=store))


def test_the_death_of_a_worker_is_named_and_the_sweep_goes_on(tmp_path):
    grid, store = {"x": range(16), "folder": str(tmp_path)}, tmp_path / "store"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context) as pool:
        with pytest.raises(BrokenProcessPool) as caught:
            sweep(dies_once, grid, pool, store)
        assert "the same call goes on where it was" in caught.value.__notes__[0]
        with pytest.raises(BrokenProcessPool) as caught:  # by a pool that is broken already
            sweep(dies_once, grid, pool, store)
        assert "a worker died" in caught.value.__notes__[0]
    there, begun = stored(store), log_of(tmp_path)
    assert there >= 4
    columns = sweep(dies_once, grid, store=store)
    assert columns["double"].tolist() == list(range(0, 32, 2))
    assert len(log_of(tmp_path)) - len(begun) == 16 - there


def test_an_error_says_where_and_is_forgotten(executor, tmp_path):
    grid, store = {"x": range(6), "folder": str(tmp_path)}, tmp_path / "store"
    with pytest.raises(ZeroDivisionError, match="once") as caught:
        sweep(fails_once, grid, executor, store)
    assert "at the point {'x': 3" in caught.value.__notes__[0]
    columns = sweep(fails_once, grid, executor, store)  # while the error is alive
    assert columns["double"].tolist() == [0, 2, 4, 6, 8, 10]


class AtOnce(Executor):
    """Computes when it is asked to, so that all is there before the first result is looked at."""

    def submit(self, function, /, *args):
        future = Future()
        try:
            future.set_result(function(*args))
        except ZeroDivisionError as error:
            future.set_exception(error)
        return future


def test_an_error_loses_nothing_that_was_finished(tmp_path):
    grid, store = {"x": range(9), "folder": str(tmp_path)}, tmp_path / "store"
    with pytest.raises(ZeroDivisionError):
        sweep(fails_once, grid, AtOnce(), store)
    assert stored(store) == 8


FULL = """
import resource
before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
grid = {"x": range(20), "folder": sys.argv[1]}
try:
    sweep(logged, grid, store=sys.argv[1] + "/store")
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
print(len(log_of(sys.argv[1])))
sweep(logged, grid, store=sys.argv[1] + "/store")
print(len(log_of(sys.argv[1])))
"""


def test_a_full_disk_loses_nothing_that_was_there(tmp_path):
    out, errors = child(FULL, tmp_path).communicate(timeout=60)
    message, before, after = out.splitlines()
    assert "File too large" in message and f"{tmp_path}/store" in message
    assert 1 < int(before) < 20
    assert int(after) == 20 + 1  # that which found no room
    assert errors == ""
    with pytest.warns(UserWarning, match=r"1 damaged line"):  # the torn one; and a new point
        sweep(logged, {"x": range(21), "folder": str(tmp_path)}, store=tmp_path / "store")
    assert len(log_of(tmp_path)) == 22


class Disk:
    """A file on a disk with room for so many bytes; each write takes half of what it is given."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        taken = min(-(-len(data) // 2), self.room)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return self.file.write(data[:taken])

    def fileno(self):
        return self.file.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


@pytest.mark.parametrize("room", [0, 1, 300, 1000, 1001, 1002])
def test_short_writes_and_no_space_left(room, tmp_path, monkeypatch):
    grid, store = {"x": range(20), "folder": str(tmp_path)}, tmp_path / "store"
    with monkeypatch.context() as patch:
        full = lambda *args, **how: Disk(open(*args, **how), room)  # noqa: E731, SIM115
        patch.setattr(_store, "open", full, raising=False)
        with pytest.raises(OSError, match=r"No space left on device.*store"):
            sweep(logged, grid, store=store)
    begun = len(log_of(tmp_path))
    assert sweep(logged, grid, store=store)["double"].tolist() == list(range(0, 40, 2))
    assert len(log_of(tmp_path)) == 20 + 1
    assert begun <= room // 100 + 1


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_damaged_line_is_computed_again_and_no_other(share, tmp_path):
    grid, store = {"x": range(20), "folder": str(tmp_path)}, tmp_path / "store"
    columns = sweep(logged, grid, store=store)
    content = bytearray(store.read_bytes())
    content[int(share * len(content))] ^= 1
    store.write_bytes(content)
    with pytest.warns(UserWarning, match=r"1 damaged line"):
        same(sweep(logged, grid, store=store), columns)
    assert len(log_of(tmp_path)) == 21
    same(sweep(logged, grid, store=store), columns)  # no warning: nothing is lost any more
    assert len(log_of(tmp_path)) == 21


@pytest.mark.parametrize("cut", [1, 40, 100, 150])
def test_a_torn_end_is_computed_again(cut, tmp_path):
    grid, store = {"x": range(5), "folder": str(tmp_path)}, tmp_path / "store"
    columns = sweep(logged, grid, store=store)
    store.write_bytes(store.read_bytes()[:-cut])
    same(sweep(logged, grid, store=store), columns)
    assert len(log_of(tmp_path)) == 6
    same(sweep(logged, grid, store=store), columns)
    assert len(log_of(tmp_path)) == 6


def test_two_sweeps_may_share_a_store(tmp_path):
    grid = {"x": range(60), "folder": str(tmp_path), "seconds": 0.03}
    others = [child(SWEEP, tmp_path, who) for who in ("alone", "pool")]
    errors = [process.communicate(timeout=60)[1] for process in others]
    assert errors == ["", ""]
    begun = len(log_of(tmp_path))
    assert sweep(logged, grid, store=tmp_path / "store")["double"].tolist() == [*range(0, 120, 2)]
    assert len(log_of(tmp_path)) == begun


def test_a_larger_grid_goes_on(tmp_path):
    store, folder = tmp_path / "store", str(tmp_path)
    sweep(logged, {"x": range(5), "folder": folder}, store=store)
    columns = sweep(logged, {"x": range(3, 8), "folder": folder}, store=store)
    assert columns["x"].tolist() == [3, 4, 5, 6, 7]
    assert log_of(tmp_path) == list(range(8))


# What is refused


class Thing:
    def method(self, x):
        return {}


@pytest.mark.parametrize(
    "function",
    [lambda x: {}, functools.partial(identity, y=1), Thing().method, (lambda: lambda x: {})()],
)
def test_a_store_asks_for_a_name(function, tmp_path):
    with pytest.raises(TypeError, match=r"imported by its name.*write it with def in a module"):
        sweep(function, {"x": [1]}, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()
    assert sweep(lambda x: {"y": x}, {"x": [1]})["y"] == [1]


def test_the_store_of_another_function(tmp_path):
    sweep(identity, {"x": [1]}, store=tmp_path / "store")
    with pytest.raises(ValueError, match=r"store of .*identity, not of .*described: name another"):
        sweep(described, {"x": [1]}, store=tmp_path / "store")


def test_the_store_of_a_changed_function_is_refused(tmp_path, monkeypatch):
    """What it holds may be wrong by now."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    for version, error in ("a + 1", None), ("a + 1", None), ("a + 2", "before a change: delete"):
        (tmp_path / "drafts.py").write_text(f"def draft(a):\n    return {{'b': {version}}}\n")
        linecache.clearcache()
        sys.modules.pop("drafts", None)
        importlib.invalidate_caches()
        draft = importlib.import_module("drafts").draft
        with pytest.raises(ValueError, match=error) if error else nullcontext():
            assert sweep(draft, {"a": 1}, store=tmp_path / "store")["b"] == 2


def test_a_store_must_be_a_file_of_ours(tmp_path):
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        sweep(identity, {"x": [1]}, store=tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        sweep(identity, {"x": [1]}, store=tmp_path / "missing" / "store")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not the store of a sweep"):
        sweep(identity, {"x": [1]}, store=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        ({"x": [], "y": [1], "z": ()}, ValueError, "grid has no points: x, z must have a value"),
        ([], ValueError, "grid has no points"),
        (None, TypeError, "grid must map names to values, or list points; got None"),
        ([{"x": 1}, {"y": 1}], ValueError, "the points of grid must all have the same names"),
        ([1, 2], TypeError, "each point of grid must be a mapping .*got 1"),
        ({"x": [1j]}, TypeError, "made of numbers, strings and arrays; got 1j"),
        ({"x": {1, 2}}, TypeError, "made of numbers"),
        ({"x": [None, 1]}, ValueError, "x must be numbers, or truth values, or .* got None, 1"),
        ({"x": ["a", 1]}, ValueError, "x must be numbers, or truth values, or strings"),
        ({"x": [True, 1]}, ValueError, "x must be numbers, or truth values, or strings"),
        ({"x": [[1], [1, 2]]}, ValueError, "x has another shape at some points"),
    ],
)
def test_grids_that_make_no_columns(grid, error, message):
    with pytest.raises(error, match=message):
        sweep(identity, grid)


@pytest.mark.parametrize(
    ("results", "error", "message"),
    [
        ([3, 3], TypeError, "the result of the function must be a mapping .*got 3"),
        ([None, {"y": 1}], TypeError, "must be a mapping .*got None"),
        ([{"y": 1}, {"z": 1}], ValueError, "same names at all points; got y at one and z at"),
        ([{"y": [1]}, {"y": [1, 2]}], ValueError, "y has another shape at some points"),
        ([{"y": 1}, {"y": "1"}], ValueError, "y must be numbers, or truth values, or strings"),
        ([{"x": 1}, {"x": 1}], ValueError, "returns names of the grid: x"),
        ([{"y": 2**70}, {"y": 1}], ValueError, "y must be numbers, or truth values"),
        ([{"y": object()}, {"y": 1}], TypeError, "made of numbers, strings and arrays; got <obj"),
    ],
)
def test_results_that_make_no_columns(results, error, message):
    with pytest.raises(error, match=message):
        sweep(lambda x: results[x], {"x": [0, 1]})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"function": {"x": [1]}}, "function must take a point by its names; got {"),
        ({"executor": 4}, r"executor must be .* ProcessPoolExecutor\(4\).*; got 4"),
        ({"store": 5}, "store must be the path of a file; got 5"),
        ({"progress": "yes"}, "progress must be True or False; got 'yes'"),
    ],
)
def test_slips_are_named(changed, message):
    with pytest.raises(TypeError, match=message):
        sweep(**{"function": identity, "grid": {"x": [1]}} | changed)


def test_an_array_of_no_dimension_is_one_value():
    assert sweep(identity, {"x": np.array(3), "y": [1, 2]})["x"].tolist() == [3, 3]


# The bar


def test_the_bar_counts_what_is_stored(tmp_path, capsys):
    store = tmp_path / "store"
    sweep(identity, {"x": range(4)}, store=store, progress=True)
    assert "4/4" in capsys.readouterr().err
    sweep(identity, {"x": range(7)}, store=store, progress=True)
    err = capsys.readouterr().err
    assert "4/7" in err and "7/7" in err and "0/7" not in err


def test_no_bar_unless_asked_for(capsys, monkeypatch):
    sweep(identity, {"x": range(4)})  # stderr is no terminal
    sweep(identity, {"x": range(4)}, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)  # as if it were not installed
    assert sweep(identity, {"x": range(4)})["x"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ImportError):
        sweep(identity, {"x": range(4)}, progress=True)
