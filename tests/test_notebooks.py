"""The executed twins: each is what its chapter says, ran to the end, and reads well anywhere.

That a rerun gives the same outputs is checked by nbval (`make test` runs it on book/).
"""

import re

import nbformat
import pytest
import twins

CHAPTERS = twins.chapters()
REMEDY = "run `make twins` and commit the notebook"
# A file's place on one machine, or an object's place in memory: different for the next reader.
LOCAL = re.compile(
    r"(?<![\w.:/])/(home|Users|root|tmp|usr|opt|work|private|var)/\w|\b0x[0-9a-f]{6,}"
)


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda path: path.stem)
def source(request):
    return request.param


@pytest.fixture(scope="module")
def twin(source):
    path = source.with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: {REMEDY}"
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def draws(cell):
    return any("image/png" in output.get("data", {}) for output in cell.outputs)


def test_every_notebook_has_a_chapter():
    assert {path.stem for path in twins.BOOK.glob("*.ipynb")} == {path.stem for path in CHAPTERS}


def test_twin_is_the_chapter(source, twin):
    def content(notebook):
        return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]

    assert content(twin) == content(twins.read(source)), f"{source.name} was changed: {REMEDY}"


def test_twin_is_valid_and_bare(twin):
    nbformat.validate(twin)
    assert [cell.id for cell in twin.cells] == [f"cell-{n}" for n in range(len(twin.cells))]
    assert twin.metadata == twins.METADATA


def test_every_cell_ran_in_order_without_error(twin):
    cells = [cell for cell in code_cells(twin) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), REMEDY
    bad = [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    noisy = [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert bad == [] and noisy == []


def test_outputs_name_no_place_on_this_machine(twin):
    texts = [
        text
        for cell in code_cells(twin)
        for output in cell.outputs
        for text in [output.get("text", ""), *output.get("data", {}).values()]
    ]
    assert [text for text in texts if LOCAL.search(str(text))] == []


def test_figures_have_alt_text_and_caption(twin):
    for cell in filter(draws, code_cells(twin)):
        mystnb = cell.metadata.get("mystnb", {})
        figure = mystnb.get("figure", {})
        assert len(mystnb.get("image", {}).get("alt", "").split()) >= 5, cell.source
        assert len(figure.get("caption", "").split()) >= 3, cell.source
        assert figure.get("name", "").startswith("fig-"), cell.source


def test_saved_picture_is_the_one_in_the_twin(source, twin):
    saved = source.with_suffix(".png")
    files = [saved.read_bytes()] if saved.exists() else []
    assert twins.pictures(twin) == files, REMEDY


def test_readme_shows_a_picture_of_the_book():
    readme = (twins.BOOK.parent / "README.md").read_text("utf-8")
    ((alt, name),) = re.findall(r"!\[([^]]*)\]\(book/(\w+)\.png\)", readme)
    assert len(alt.split()) >= 5
    assert "save-picture" in (twins.BOOK / f"{name}.md").read_text("utf-8")
