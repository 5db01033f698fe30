"""The files of book/data: whole, of the published settings, and what the library computes."""

import json
from pathlib import Path

import pytest

from wnlib.figures import studies
from wnlib.figures.studies import FOLDER, MODULES, study

BOOK = Path(__file__).resolve().parent.parent / "book"
each = pytest.mark.parametrize("name", MODULES)
# Chapters that read the file of another module, by that module; others bear its name.
CHAPTERS: dict[str, str] = {"other_draws": "figure_1", "signed_draws": "figure_5"}


@each
def test_the_file_is_whole_and_small(name):
    path = study(name).path
    assert studies.read(path).settings == study(name).settings()  # checks the checksum
    assert path.stat().st_size <= 200_000


def test_each_file_has_a_study():
    assert {path.stem for path in FOLDER.glob("[!.]*")} == set(MODULES)


@each
def test_two_points_are_as_computed(name):
    assert study(name).check(2, seed=1) == []


@each
def test_the_chapter_reads_it(name):
    twin = json.loads((BOOK / f"{CHAPTERS.get(name, name)}.ipynb").read_text("utf-8"))
    printed = [
        "".join(output["text"])
        for cell in twin["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    ]
    assert any(f"read from data/{name}.npz" in text for text in printed)
    assert not any("computed just now" in text for text in printed)
