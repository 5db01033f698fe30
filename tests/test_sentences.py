"""Each claim is told in a sentence that a page can typeset."""

import re

import twins

from wnlib.claims import CLAIMS
from wnlib.claims.sentences import SENTENCES, listed, sentence


def test_sentences_belong_to_claims():
    assert SENTENCES.keys() <= CLAIMS.keys()


def test_mathematics_is_delimited_and_short_enough_for_a_phone():
    for label, text in SENTENCES.items():
        formulas = re.findall(r"\$([^$]+)\$", text)
        assert text.count("$") == 2 * len(formulas), label
        assert not re.search(r"[\\^_{}]", re.sub(r"\$[^$]+\$", "", text)), label
        letters = [re.sub(r"\\\w+ ?|[{}^_\\, ]", ".", formula) for formula in formulas]
        assert max(map(len, letters), default=0) < 60, label


def test_a_claim_without_a_sentence_is_told_in_plain_text():
    told = CLAIMS["prop-stall"]
    untold = type(told)("other", "x_0 > 0 and $", told.sample, told.parts)
    assert sentence(untold) == r"x\_0 \> 0 and \$"
    lines = listed([told, untold]).splitlines()
    assert lines[0].startswith("- {prf:ref}`prop-stall`. If $")
    assert lines[1] == r"- {prf:ref}`other`. x\_0 \> 0 and \$"


def test_the_table_of_symbolic_checks_names_the_chapters_that_have_some():
    pages = {path.stem: path.read_text("utf-8") for path in twins.BOOK.glob("*.md")}
    named = set(re.findall(r"^\| \{doc\}`(\w+)` \|", pages["checked"], re.MULTILINE))
    assert named == {name for name, text in pages.items() if "import sympy" in text}
