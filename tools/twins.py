"""Make book/NAME.ipynb, the executed twin of each chapter book/NAME.md that has code.

Usage: python tools/twins.py [NAME ...]      (all chapters if none is named)

A second run gives the same bytes: cell ids are counted, and what differs from run to run without
meaning anything (timestamps, Python's version) is left out, as is what only a build can use: JSON.
The picture of a cell tagged save-picture is also written to book/NAME.png, for the README.
"""

import sys
from base64 import b64decode
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

BOOK = Path(__file__).resolve().parent.parent / "book"
CODE = "```{code-cell}"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def chapters():
    """Return the sources, in alphabetical order, of all chapters with code."""
    return [path for path in sorted(BOOK.glob("*.md")) if CODE in path.read_text("utf-8")]


def read(path):
    """Return a chapter as a notebook that has not been executed."""
    notebook = jupytext.read(path, fmt="md:myst")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebook.nbformat_minor = 5  # the first format with cell ids
    return notebook


def execute(notebook):
    """Run all cells as the book's build does, and keep only what a rerun would give again."""
    NotebookClient(
        notebook,
        timeout=300,
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": BOOK}},
    ).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in [kind for kind in data if kind.endswith("json")]:
                del data[kind]
    return notebook


def pictures(notebook):
    """Return the PNG files drawn by the cells tagged save-picture."""
    cells = [cell for cell in notebook.cells if "save-picture" in cell.metadata.get("tags", [])]
    drawn = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [b64decode(data["image/png"]) for data in drawn if "image/png" in data]


def make(path):
    """Write the twin of one chapter; return the error that stopped it, or nothing."""
    try:
        notebook = execute(read(path))
        nbformat.write(notebook, path.with_suffix(".ipynb"))
        for png in pictures(notebook):
            path.with_suffix(".png").write_bytes(png)
    except (CellExecutionError, OSError) as error:
        return f"{path.name}: {error}"
    return None


def main(names):
    """Make the named twins, two at a time; return the exit code."""
    paths = [BOOK / f"{Path(name).stem}.md" for name in names] or chapters()
    with ProcessPoolExecutor(max_workers=2) as pool:
        errors = list(filter(None, pool.map(make, paths)))
    for error in errors:
        print(error, file=sys.stderr)
    print(f"made {len(paths) - len(errors)} of {len(paths)} notebooks")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
