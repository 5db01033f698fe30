"""The settings of the book that depend on something, and so cannot stand in _config.yml."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Run the chapters again when wnlib has changed; link to the repository if it is known."""
    config.nb_execution_cache_path = str(ROOT / "_build" / f".executed-{fingerprint()}")
    config.html_theme_options |= repository_links(os.environ.get("BOOK_REPOSITORY", ""))


def fingerprint():
    """Hash of wnlib's sources: outputs executed with one state of the library serve that state."""
    sources = sorted((ROOT / "wnlib").rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def repository_links(url):
    """Theme options for repository and launch buttons; none where no address is given."""
    if not url:
        return {}
    return {
        "repository_url": url,
        "repository_branch": "main",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }
