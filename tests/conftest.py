"""Settings of all tests."""

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# No time limits, and the same examples each time: a test fails for its subject, not for its luck.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")


class Schedule(LoadFileScheduling):
    """The tests of a file, and the cells of a notebook, in one process: they share what they made.

    All but the changed chapters, which take longest and share nothing.
    """

    def _split_scope(self, nodeid):
        return nodeid if "test_rerun.py" in nodeid else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Choose the schedule of ``--dist loadfile``."""
    return Schedule(config, log) if config.getvalue("dist") == "loadfile" else None
