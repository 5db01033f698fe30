"""The README: its example runs, and gives what the text says."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")


def test_example_gives_what_the_text_says(capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    plain, normalized = re.findall(r"^(\w+)\(.*error (\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert plain == ("PlainFlow", re.search(r"misses the signal by (\S+)", README)[1])
    assert normalized[0] == "WeightNormFlow"
    assert float(normalized[1]) < 1e-12  # "up to rounding"
