"""The numbers behind figures: read where they are kept, computed where not, checked, written."""

import functools
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from wnlib import __main__ as command_line
from wnlib.figures import studies
from wnlib.figures.studies import Data, Study

CALLS = []


def trial(*, seed, x, name, offset=0.0):
    """Compute something of every kind."""
    CALLS.append(x)
    if x in BROKEN:
        raise ZeroDivisionError("broken")
    drawn = np.random.default_rng([seed, round(x)]).standard_normal(2)
    return {"value": x**2 + OFFSET.get(x, 0), "both": drawn, "status": name.upper(), "odd": x > 1}


BROKEN, OFFSET = set(), {}


def grid(seed=0, xs=(1, 2.5, 3), names=("a", "b")):
    return {"seed": seed, "x": xs, "name": names}


compute = Study("toy", trial, grid, rtol=1e-6)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path / "data")
    monkeypatch.setattr(studies, "MODULES", ("toy",))
    monkeypatch.setitem(sys.modules, "wnlib.figures.toy", sys.modules[__name__])
    for kept in (CALLS, BROKEN, OFFSET):
        kept.clear()
    return tmp_path / "data"


def test_what_is_written_is_read(folder):
    fresh = compute()
    assert fresh.origin.startswith("computed just now, with wnlib ")
    compute.write()
    assert [path.name for path in folder.iterdir()] == ["toy.npz"]
    CALLS.clear()
    kept = compute()
    assert CALLS == []
    assert kept.origin.startswith("read from data/toy.npz, computed with wnlib ")
    assert kept.settings == fresh.settings == {"seed": 0, "xs": [1, 2.5, 3], "names": ["a", "b"]}
    assert list(kept) == list(fresh) == ["seed", "x", "name", "value", "both", "status", "odd"]
    for name in kept:
        assert kept[name].dtype == fresh[name].dtype
        np.testing.assert_array_equal(kept[name], fresh[name])
        assert not kept[name].flags.writeable
    assert "6 points: seed, x" in repr(kept)


def test_settings_may_be_any_kind_of_list():
    compute.write()
    CALLS.clear()
    same = compute(seed=0, xs=np.array([1, 2.5, 3]), names=["a", "b"])
    assert CALLS == [] and same.origin.startswith("read")


def test_other_settings_are_computed():
    compute.write()
    CALLS.clear()
    other = compute(xs=[2])
    assert CALLS == [2, 2]
    assert other.origin.startswith("computed just now")
    assert other["value"].tolist() == [4, 4]
    with pytest.raises(ValueError, match="there is nothing to compute: xs must not be empty"):
        Study("toy", trial, lambda seed=0, xs=(1, 2): [{"x": x} for x in xs])(xs=[])
    with pytest.raises(TypeError, match="toy has no setting colour; there are seed, xs, names"):
        compute(colour="red")


def test_what_a_partial_has_fixed_is_no_setting():
    of_one = Study("toy", trial, functools.partial(grid, names=("a",)))
    assert of_one.settings() == {"seed": 0, "xs": [1, 2.5, 3]}
    assert of_one(xs=[2])["name"].tolist() == ["a"]
    with pytest.raises(TypeError, match="names"):
        of_one(names=("b",))


@pytest.mark.parametrize("pool", [False, True])
def test_a_second_file_is_the_same(folder, pool):
    compute.write()
    first = (folder / "toy.npz").read_bytes()
    with ThreadPoolExecutor(3) as threads:
        compute.write(threads if pool else None)
    assert (folder / "toy.npz").read_bytes() == first


def test_an_interrupted_run_goes_on(folder):
    BROKEN.add(2.5)
    with pytest.raises(ZeroDivisionError):
        compute.write()
    assert not (folder / "toy.npz").exists()
    BROKEN.clear()
    CALLS.clear()
    compute.write()
    assert CALLS == [2.5, 2.5, 3, 3]
    assert [path.name for path in folder.iterdir()] == ["toy.npz"]


def test_what_another_library_has_begun_is_not_taken_up(monkeypatch):
    BROKEN.add(2.5)
    with pytest.raises(ZeroDivisionError):
        compute.write()
    BROKEN.clear()
    CALLS.clear()
    monkeypatch.setattr(studies, "fingerprint", lambda: "another")
    compute.write()
    assert len(CALLS) == 6


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.8, 0.99])
def test_a_damaged_file_is_named(folder, share):
    compute.write()
    whole = (folder / "toy.npz").read_bytes()
    intact = compute()
    for damage in (whole[: int(share * len(whole))], _flipped(whole, int(share * len(whole)))):
        (folder / "toy.npz").write_bytes(damage)
        try:
            kept = compute()
        except ValueError as error:
            assert "toy.npz is damaged: python -m wnlib figures toy writes it" in str(error)
        else:  # a byte that says nothing, such as a date
            assert all((kept[name] == intact[name]).all() for name in intact)
            assert len(damage) == len(whole)


def _flipped(content, place):
    changed = bytearray(content)
    changed[place] ^= 255
    return bytes(changed)


def test_changed_numbers_are_seen_though_the_file_is_whole(folder):
    compute.write()
    with np.load(folder / "toy.npz") as file:
        contents = dict(file)
    contents["value"] = contents["value"] + 1
    np.savez_compressed(folder / "toy.npz", **contents)
    with pytest.raises(ValueError, match="is damaged"):
        compute()


def test_check_reports_what_differs_and_nothing_else():
    assert compute.check() == ["toy: there is no toy.npz"]
    compute.write()
    assert compute.check() == []
    OFFSET[3] = 1e-7  # within the tolerance
    assert compute.check() == []
    OFFSET[3] = 1e-3
    lines = compute.check()
    assert len(lines) == 2
    start = "toy: value is 9.001 at {'seed': 0, 'x': 3, 'name': 'a'}, not 9.0"
    assert sorted(lines)[0] == start


def test_check_takes_some_points():
    compute.write()
    CALLS.clear()
    assert compute.check(2) == []
    assert len(CALLS) == 2
    assert compute.check(100) == []


def test_check_sees_other_settings_columns_and_sizes():
    compute.write()
    other = Study("toy", trial, lambda seed=1: grid(seed))
    assert other.check() == ["toy: the file was computed with other settings"]
    more = Study("toy", lambda **point: trial(**point) | {"new": 1}, grid)
    assert "the columns are" in more.check()[0]
    larger = Study("toy", trial, lambda seed=0, xs=(), names=(): grid(seed, [*xs, 4], names))
    compute_settings = json.loads(json.dumps(compute.settings()))
    object.__setattr__(larger, "settings", lambda: compute_settings)
    assert larger.check() == ["toy: the grid has 8 points, the file 6"]


def test_close_numbers():
    assert studies._close(np.nan, np.nan, 0, 0)
    assert studies._close([1, np.inf], [1 + 1e-9, np.inf], 1e-6, 0)
    assert not studies._close(1.0, 1 + 1e-3, 1e-6, 0)
    assert not studies._close([1.0], [1.0, 1.0], 1, 1)
    assert not studies._close("a", "b", 1, 1)
    assert not studies._close(3, 4, 1, 1)  # counts are exact


# The table


@pytest.fixture
def table():
    x, y = np.repeat([3.0, 1.0], 2), np.tile(["b", "a"], 2)
    return Data({"x": x, "y": y, "z": np.arange(8.0).reshape(4, 2)}, {}, "typed")


def test_where(table):
    assert table.where(x=3.0)["y"].tolist() == ["b", "a"]
    assert table.where(x=3.0, y="a")["z"].tolist() == [[2, 3]]
    assert len(table.where()["x"]) == 4
    assert len(table.where(x=5)["x"]) == 0
    with pytest.raises(KeyError, match="no column is named 'w'; there are x, y, z"):
        table.where(w=1)
    with pytest.raises(ValueError, match="z has several entries at each point"):
        table.where(z=1)
    with pytest.raises(ValueError, match=r"x must be one value; got .*: call where"):
        table.where(x=[1.0, 3.0])


def test_cube(table):
    cube = table.cube("z", "x", "y")  # ascending: 1, 3 and a, b
    assert cube.tolist() == [[[6, 7], [4, 5]], [[2, 3], [0, 1]]]
    assert table.where(y="a").cube("x", "x").tolist() == [1, 3]
    with pytest.raises(ValueError, match="not all combinations of x, each once: name more axes"):
        table.cube("z", "x")
    missing = Data({name: table[name][:3] for name in table}, {}, "typed")
    with pytest.raises(ValueError, match="not all combinations of x, y"):
        missing.cube("z", "x", "y")
    with pytest.raises(KeyError, match="no column is named 'w'"):
        table.cube("z", "w")
    for axes in (), ("z",):
        with pytest.raises(ValueError, match="axes must name columns of one entry"):
            table.cube("x", *axes)


def test_a_table_cannot_be_changed(table):
    with pytest.raises(ValueError, match="read-only"):
        table["x"][0] = 1
    with pytest.raises(TypeError):
        table["x"] = 1
    mine = np.arange(2)
    Data({"x": mine}, {}, "typed")
    mine[0] = 7  # the table has a copy


@pytest.mark.parametrize("columns", [{}, {"x": 1}, {"x": [1, 2], "y": [1]}, {"x": 1, "y": [1]}])
def test_a_table_has_columns_of_one_length(columns):
    with pytest.raises(ValueError, match="columns must have one row for each point; got "):
        Data(columns, {}, "typed")


# The command line


def test_the_command_writes_and_checks(folder, capsys):
    assert command_line.main(["figures", "toy", "--check", "--jobs", "1"]) == 1
    assert capsys.readouterr().out == "toy: there is no toy.npz\n"
    assert command_line.main(["figures", "--jobs", "1"]) == 0
    assert capsys.readouterr().err == "toy: written\n"
    before = (folder / "toy.npz").stat().st_mtime_ns
    assert command_line.main(["figures", "--check", "3", "--jobs", "1"]) == 0
    assert capsys.readouterr() == ("", "toy: checked\n")
    assert (folder / "toy.npz").stat().st_mtime_ns == before
    OFFSET.update({1: 1, 2.5: 1, 3: 1})
    assert command_line.main(["figures", "toy", "--check", "3", "--jobs", "1"]) == 1
    assert capsys.readouterr().out.count("\n") == 3


def test_the_command_says_that_it_can_go_on(monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "write", interrupt)
    assert command_line.main(["figures", "--jobs", "1"]) == 130
    assert "the same command goes on where it was" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figure_9"], "no figure 'figure_9' has a file; there are toy"),
        (["--check", "0"], "argument --check: must be at least 1; got 0"),
        (["--jobs", "0"], "argument --jobs: must be at least 1; got 0"),
    ],
)
def test_the_command_refuses(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        command_line.main(["figures", *arguments])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
