"""Settings of all tests."""

from hypothesis import settings

# No time limits, and the same examples each time: a test fails for its subject, not for its luck.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")
