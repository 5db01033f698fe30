"""The README: its example runs, and gives what the text says."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")


def test_examples_give_what_the_text_says(capsys):
    names = {}
    for example in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        exec(compile(example, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    plain, normalized = re.findall(r"^(\w+)\(.*error (\S+)$", printed, re.MULTILINE)
    assert plain == ("PlainFlow", re.search(r"misses the signal by (\S+)", README)[1])
    assert normalized[0] == "WeightNormFlow"
    assert float(normalized[1]) < 1e-12  # "up to rounding"
    assert "L1Solution: certified" in printed  # "and proves it"
    assert float(re.search(r"proven gap (\S+)$", printed)[1]) < 1e-9
    assert names["problem"].error(names["found"].z) < 1e-12
