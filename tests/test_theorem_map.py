"""The map of the statements is that of the book: nothing missing, nobody argues in a circle."""

import re
from xml.etree import ElementTree

import pytest
import theorem_map as maps

from wnlib.claims import CLAIMS

BOOK = maps.statements(maps.chapters(maps.ROOT))
TEXTS = {
    "one": """
:::{prf:lemma} First $\\ell_1$ step
:label: lem-first
$$
a = b
$$ (eq-first)
:::
:::{prf:lemma} Proved together
:label: lem-second
:::
::::{dropdown} Proof
:::{prf:proof}
$$
b = c
$$ (eq-inside)
By {eq}`eq-inside`.
:::
::::
""",
    "two": """
::::{prf:theorem} Last
:label: thm-last
As in {prf:ref}`thm-middle`.
::::
:::{prf:proof}
By {prf:ref}`its name <lem-first>` and {eq}`eq-elsewhere`.
:::
:::{prf:theorem} Middle
:label: thm-middle
:::
:::{prf:proof}
By {eq}`eq-first` and {eq}`eq-inside`.
:::
See {prf:ref}`thm-last`.
""",
}


def needs(found):
    return {label: one["needs"] for label, one in found.items()}


def test_references_are_found_in_statements_and_proofs():
    found = maps.statements(TEXTS)
    assert needs(found) == {
        "lem-first": [],
        "lem-second": [],
        "thm-last": ["lem-first", "thm-middle"],
        "thm-middle": ["lem-first", "lem-second"],
    }
    assert maps.cycles(found) == []
    assert maps.layers(found) == {"lem-first": 0, "lem-second": 0, "thm-last": 2, "thm-middle": 1}
    assert ("lem-first", "thm-last") not in maps.direct(found)  # by way of the one in the middle


def test_a_circle_is_reported():
    circle = {name: {"needs": needs} for name, needs in (("a", ["b"]), ("b", ["a"]), ("c", ["a"]))}
    assert maps.cycles(circle) == ["a", "b"]
    assert maps.layers(circle) == {"a": 0, "b": 0, "c": 1}


def test_every_statement_of_the_book_has_a_box_and_a_line_of_the_table():
    assert BOOK.keys() <= CLAIMS.keys()
    pages = maps.chapters(maps.ROOT)
    labels = re.findall(
        r"\{prf:(?:theorem|proposition|lemma|corollary)\}.*\n:label: (\S+)", "".join(pages.values())
    )
    assert sorted(labels) == sorted(BOOK)


def test_titles_are_readable_without_mathematics():
    titles = [maps.plain(one["title"]) for one in BOOK.values()]
    assert [title for title in titles if re.search(r"[\\$^_{}`]", title)] == []


def test_nobody_argues_in_a_circle():
    assert maps.cycles(BOOK) == []


def test_boxes_do_not_overlap():
    places = maps.places(BOOK)
    assert len(set(places.values())) == len(places)
    for label, one in BOOK.items():
        assert all(places[name][0] < places[label][0] for name in one["needs"])


@pytest.mark.parametrize("verdict", maps.MARKS)
def test_the_picture_says_the_verdict_in_a_sign_and_in_words(verdict):
    found = maps.statements(TEXTS)
    for label, one in found.items():
        one |= {"name": label.title(), "address": f"page.html#{label}", "verdict": verdict}
    drawn = ElementTree.fromstring(maps.picture(found))
    links = drawn.findall(".//a")
    assert [link.get("href").split("#")[1] for link in links] == list(found)
    assert all(verdict in link.get("aria-label") for link in links)
    assert all(maps.MARKS[verdict] in "".join(link.itertext()) for link in links)
    assert "First ℓ₁ step" in "".join(links[0].itertext())
    assert len(drawn.findall(".//path")) == len(maps.direct(found))
    rows = ElementTree.fromstring(maps.table(found)).findall(".//tbody/tr")
    assert [len(row.findall("td")) for row in rows] == [4] * len(found)
    assert [link.text for link in rows[2].findall("td")[3]] == ["Lem-First", "Thm-Middle"]
