"""Under each statement of the book: what became of its claim, in one line that unfolds.

The numbers are those of the run that the ledger's chapter shows: no second run, no other file.
"""

import re
from functools import cache
from html import escape

from book_settings import executed
from docutils import nodes
from sphinx.util import logging

LEDGER = "book/ledger"
STATEMENTS = {"theorem", "proposition", "lemma", "corollary"}
CHECKED = STATEMENTS | {"observation"}  # what has a claim; an observation has no proof
SIGNS = {"holds": "✓", "undecided": "? undecided:", "fails": "✗ fails:"}

LINE = """
<div class="check {verdict}">
<a href="{address}" title="Its row in the ledger">ledger</a>
<details><summary>{sentence}</summary>
<table>
<tr><th>what is measured</th><th>worst</th><th>must not exceed</th><th>false twin</th></tr>
{parts}
</table>
<p>To check it alone, on more instances: <code>make verify ARGS="--only {label}"</code></p>
</details></div>
"""
PART = """<tr>
<td><b>{name}</b>: {measured}</td>
<td>{worst} on {instances}</td>
<td>{threshold:.2g}: {reason}</td>
<td>{twin}; refuted {refuted}</td>
</tr>"""


def setup(app):
    """Register with Sphinx."""
    app.connect("env-get-outdated", follow_the_ledger)
    app.connect("doctree-resolved", add_lines)
    app.connect("doctree-resolved", link_rows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def follow_the_ledger(app, env, added, changed, removed):
    """Make the pages with statements again where the ledger is made again."""
    statements = getattr(env, "proof_list", {}).values()
    return {one["docname"] for one in statements} if LEDGER in added | changed else ()


def add_lines(app, doctree, page):
    """Put its line into each statement of a page."""
    address = f"{app.builder.get_relative_uri(page, LEDGER)}#row-"
    for statement in doctree.findall(lambda node: realtype(node) in CHECKED):
        row = ledger_rows(app.env).get(statement["label"])
        if row is None:
            text = f"{statement['label']}: the run in {LEDGER} has no row for this statement"
            logging.getLogger(__name__).warning(text, location=statement)
        else:
            statement += nodes.raw("", line(row, address + row["label"]), format="html")


def link_rows(app, doctree, page):
    """Lead from each row of the ledger to its statement."""

    def linked(match):
        row, label = match.groups()
        if label not in app.env.proof_list:
            return match[0]
        return f'{row}<a href="{address(app, page, label)}">{called(app.env, label)}</a><br>{label}'

    for table in doctree.findall(nodes.raw) if page == LEDGER else ():
        text = re.sub(r'(<tr id="row-([^"]+)"><td>)\2', linked, table.astext())
        table.children = [nodes.Text(text)]


def called(env, label):
    """Return what a statement is called, as a reference does: its kind and its number."""
    statement = env.proof_list[label]
    number = env.toc_fignumbers[statement["docname"]][statement["countertype"]][label]
    return f"{statement['realtype'].title()} {'.'.join(map(str, number))}"


def address(app, page, label):
    """Return where a statement stands, from a page."""
    return f"{app.builder.get_relative_uri(page, app.env.proof_list[label]['docname'])}#{label}"


def realtype(node):
    """Return which kind of statement a node is, if any."""
    return node.get("realtype") if isinstance(node, nodes.Element) else None


@cache
def ledger_rows(env):
    """Return the rows of the run that the ledger's chapter shows, by their labels."""
    cells = executed(env, LEDGER).cells
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    kept = [data[kind] for data in outputs for kind in data if kind.endswith("json")]
    runs = [run["rows"] for run in kept if "rows" in run]
    return {row["label"]: row for row in runs[0]} if runs else {}


def line(row, address):
    """Return the line of a row of the ledger, as HTML."""
    parts = "\n".join(PART.format(**shown(part)) for part in row["parts"])
    said = {"verdict": row["verdict"], "label": row["label"], "sentence": escape(sentence(row))}
    return LINE.format(address=address, parts=parts, **said)


def shown(part):
    """Return what the table shows of a part, ready for HTML."""
    words = {name: escape(part[name]) for name in ("name", "measured", "reason", "twin")}
    skipped = f" (+{part['not_applicable']} n/a)" if part["not_applicable"] else ""
    return words | {
        "worst": "nan" if part["worst"] is None else f"{part['worst']:.1e}",
        "threshold": part["threshold"],
        "instances": counted(part["instances"], "instance") + skipped,
        "refuted": counted(part["refuted"], "time"),
    }


def sentence(row):
    """Say in a line what became of a claim."""
    parts = row["parts"]
    least, most = (extreme(part["instances"] for part in parts) for extreme in (min, max))
    twins = "false twin" if len(parts) == 1 else f"{len(parts)} false twins"
    clauses = [
        f"checked on {f'{least} to ' if least < most else ''}{counted(most, 'instance')}",
        f"its {twins} refuted {counted(sum(part['refuted'] for part in parts), 'time')}",
        f"worst value {share_of_threshold(parts)}",
        *([row["error"]] if row["error"] else []),
    ]
    return f"{SIGNS[row['verdict']]} {'; '.join(clauses)}"


def share_of_threshold(parts):
    """Say how near the worst value of a claim came to its threshold, or how far beyond it is."""
    if any(part["worst"] is None for part in parts):
        return "not a number"
    # A threshold that is not positive, as for a question of yes or no, has no shares.
    if any(part["worst"] > part["threshold"] for part in parts if part["threshold"] <= 0):
        return "beyond its threshold"
    shares = [part["worst"] / part["threshold"] for part in parts if part["threshold"] > 0]
    share = max(shares, default=0)
    percent = "below 1" if share < 0.01 else f"{100 * share:.0f}"
    return f"{percent}\N{NO-BREAK SPACE}% of its threshold"


def counted(count, noun):
    """Return a number of things."""
    return f"{count} {noun}{'s' if count != 1 else ''}"
