"""The map of the statements: which proof rests on which, and what became of the claim of each.

The directive ``{theorem-map}`` draws it while the page is made: from the text of the chapters and
the run that the ledger's chapter shows, so it is never older than these.
"""

import re
from html import escape
from itertools import pairwise
from pathlib import Path
from textwrap import wrap

import yaml
from check_lines import STATEMENTS, address, called, ledger_rows
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
PAGE = "book/theorem_map"
FENCED = re.compile(
    r"^(?P<fence>:{3,}|`{3,})\{prf:(?P<kind>\w+)\} *(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
LABEL = re.compile(r"^:label: (\S+)$", re.MULTILINE)
EQUATION = re.compile(r"^\s*\$\$ *\((eq-[\w-]+)\)", re.MULTILINE)
REFERENCE = re.compile(r"\{(?:prf:ref|eq)\}`(?:[^`<]*<)?([\w-]+)>?`")

WIDTH, HEIGHT, GAP_X, GAP_Y, EDGE = 148, 68, 30, 12, 4  # of a box, between boxes, of the picture
LETTERS = {"\\ell_1": "ℓ₁", "^*": "*", "\\rho": "ρ", "\\tilde\\eta": "η̃"}  # in titles
UNKNOWN = {"verdict": "not checked"}
MARKS = {"holds": "✓", "undecided": "?", "fails": "✗", "not checked": "–"}


def setup(app):
    """Register with Sphinx."""
    app.add_directive("theorem-map", TheoremMap)
    app.connect("env-get-outdated", lambda *_: [PAGE])
    app.connect("doctree-resolved", draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class TheoremMap(SphinxDirective):
    """A place for the map, which is drawn when all numbers are known."""

    def run(self):
        """Leave an empty node."""
        return [nodes.raw("", "", format="html", names=["theorem-map"])]


def draw(app, doctree, page):
    """Draw the map where there is a place for it."""
    for place in doctree.findall(nodes.raw):
        if "theorem-map" in place["names"]:
            found = statements(chapters(ROOT))
            rows = ledger_rows(app.env)
            for label, one in found.items():
                one["name"] = called(app.env, label)
                one["address"] = address(app, page, label)
                one["verdict"] = rows.get(label, UNKNOWN)["verdict"]
            place.children = [nodes.Text(picture(found) + table(found))]


def chapters(root):
    """Return the texts of the book's pages, by their names, in its order."""
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    names = [page["file"] for part in toc["parts"] for page in part["chapters"]]
    return {name: (root / f"{name}.md").read_text("utf-8") for name in names}


def statements(texts):
    """Return the statements of pages by their labels, each with those that it needs.

    It needs those to which its text or its proof refers, by a label of theirs or of an equation
    that stands in them or their proofs. A proof belongs to the statements since the one before.
    """
    found, said, equations, together = {}, {}, {}, {}
    for page, text in texts.items():
        waiting, proven = [], []
        for block in FENCED.finditer(text):
            label = LABEL.search(block["body"])
            if block["kind"] in STATEMENTS and label:
                found[label[1]] = {"page": page, "title": block["title"].strip()}
                equations |= dict.fromkeys(EQUATION.findall(block["body"]), label[1])
                said[label[1]], waiting = block["body"], [*waiting, label[1]]
            elif block["kind"] == "proof":
                proven, waiting = waiting or proven, []  # or what a statement says is proved in two
                equations |= dict.fromkeys(EQUATION.findall(block["body"]), proven[-1])
                for each in proven:
                    said[each] += block["body"]
                    together[each] = set(proven)
    for label, text in said.items():
        named = [equations.get(name, name) for name in REFERENCE.findall(text)]
        others = found.keys() - together.get(label, set()) - {label}
        found[label]["needs"] = [name for name in found if name in others.intersection(named)]
    return found


def cycles(found):
    """Return the labels from which a chain of references leads back to themselves."""
    return [label for label in found if label in behind(found, label)]


def behind(found, label):
    """Return all statements on which the proof of one rests, directly or not."""
    seen, waiting = set(), list(found[label]["needs"])
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += found[name]["needs"]
    return seen


def layers(found):
    """Return how long the longest chain of references behind each statement is; 0 without any.

    A reference within a circle, of which there should be none, counts for nothing.
    """
    reached = {label: behind(found, label) for label in found}

    def depth(label):
        below = [n for n in found[label]["needs"] if label not in reached[n] | {n}]
        return 1 + max(map(depth, below), default=-1)

    return {label: depth(label) for label in found}


def direct(found):
    """Return the references that no chain of others makes superfluous, as pairs."""
    pairs = [(name, label) for label, one in found.items() for name in one["needs"]]
    return [
        (name, label)
        for name, label in pairs
        if not any(name in behind(found, o) for o in found[label]["needs"] if o != name)
    ]


def routes(found):
    """Return the way of each direct reference: both ends, and a point in each column between."""
    layer = layers(found)
    return [
        [name, *((name, label, k) for k in range(layer[name] + 1, layer[label])), label]
        for name, label in direct(found)
    ]


def places(found):
    """Return the upper left corner of each box, and of the lines that pass between boxes.

    Boxes stand in a column for each layer, near those that they need.
    """
    layer = layers(found)
    columns = [[] for _ in range(1 + max(layer.values()))]
    for label in found:
        columns[layer[label]].append(label)
    before = {}
    for route in routes(found):
        for here, there in pairwise(route):
            before.setdefault(there, []).append(here)
        for point in route[1:-1]:
            columns[point[-1]].append(point)
    at = {}
    for k, column in enumerate(columns):
        column.sort(key=lambda one: mean([at[other][1] for other in before.get(one, ())]))
        y = EDGE
        for one in column:
            at[one] = EDGE + k * (WIDTH + GAP_X), y
            y += GAP_Y + (HEIGHT if one in found else 0)
    return at


def mean(values):
    """Return the mean of some numbers; 0 of none."""
    return sum(values) / max(1, len(values))


def plain(title):
    """Return a title without markup, for a picture."""
    for formula, letters in LETTERS.items():
        title = title.replace(formula, letters)
    return title.replace("$", "")


def picture(found):
    """Return the map as SVG: boxes link to their statements, and say what became of the claims."""
    at = places(found)
    width = max(x for x, _ in at.values()) + WIDTH + EDGE
    height = max(y for _, y in at.values()) + HEIGHT + EDGE
    arcs = "".join(arc(route, at) for route in routes(found))
    boxes = "".join(box(one, *at[label]) for label, one in found.items())
    return (
        f'<div class="theorem-map"><svg width="{width}" height="{height}" role="group" '
        f'viewBox="0 0 {width} {height}" aria-label="Map of the {len(found)} statements: a line '
        'leads from each to those whose proofs rest on it. The table below says the same.">'
        f"{arcs}{boxes}</svg></div>"
    )


def arc(route, at):
    """Return a line from the right side of a box to the left one of another, past all others."""
    curve = ""
    for k, (here, there) in enumerate(pairwise(route)):
        (x, y), (u, v) = at[here], at[there]
        x, bend = x + WIDTH, GAP_X / 2
        y += 0 if k else HEIGHT / 2
        v += HEIGHT / 2 if there == route[-1] else 0
        curve += f"{'L' if k else 'M'}{x},{y:g} C{x + bend:g},{y:g} {u - bend:g},{v:g} {u},{v:g} "
    return f'<path class="arc" d="{curve.strip()}"/>'


def box(one, x, y):
    """Return the box of a statement."""
    mark, name = MARKS[one["verdict"]], escape(one["name"])
    lines = wrap(plain(one["title"]), 23)
    title = "".join(
        f'<text x="{x + 8}" y="{y + 33 + 14 * k}">{escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    said = f"{name}, {escape(plain(one['title']))}: {one['verdict']}"
    return (
        f'<a href="{one["address"]}" class="{one["verdict"].replace(" ", "-")}" '
        f'aria-label="{said}"><title>{said}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5"/>'
        f'<text class="name" x="{x + 8}" y="{y + 17}">{mark} {name}</text>{title}</a>'
    )


def table(found):
    """Return the same as a table."""

    def link(label):
        return f'<a href="{found[label]["address"]}">{escape(found[label]["name"])}</a>'

    lines = [
        f"<tr><td>{link(label)}</td><td>{escape(plain(one['title']))}</td>"
        f"<td>{MARKS[one['verdict']]} {one['verdict']}</td>"
        f"<td>{', '.join(map(link, one['needs'])) or 'none'}</td></tr>"
        for label, one in found.items()
    ]
    head = "<th>statement</th><th>title</th><th>claim</th><th>it and its proof refer to</th>"
    return (
        '<div class="theorem-table"><table class="table"><thead><tr>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
