"""What _config.yml cannot say of the book: settings that depend on something, and parallel runs."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from sphinx.util import logging

from wnlib.figures.studies import fingerprint

ROOT = Path(__file__).resolve().parent.parent
LONG = ("book/ledger",)  # started first, so that all cores are busy to the end


def setup(app):
    """Register with Sphinx."""
    # Threads of BLAS would get into each other's way: the chapters already share the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app.connect("config-inited", configure)
    app.connect("env-before-read-docs", execute_side_by_side)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Run the chapters again when wnlib has changed; link to the repository if it is known."""
    state = fingerprint((ROOT / "book" / "data").glob("*.npz"))
    config.nb_execution_cache_path = str(ROOT / "_build" / f".executed-{state}")
    repository = os.environ.get("BOOK_REPOSITORY", "")
    config.html_theme_options |= repository_links(repository)
    if repository:
        app.tags.add("published")


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


def execute_side_by_side(app, env, names):
    """Execute the chapters that are not in the cache yet, one on each core, the longest first.

    MyST-NB, which would run them one after the other, then finds their outputs there. What fails is
    left to it: it runs the chapter again and reports the error.
    """
    chapters = {name: notebook for name in names if (notebook := read(env, name)) is not None}
    cache = get_cache(env.mystnb_config.execution_cache_path)
    waiting = [name for name in chapters if not cached(cache, chapters[name])]
    waiting.sort(key=lambda name: LONG.index(name) if name in LONG else len(LONG))

    def run(name):
        folder, timeout = Path(env.doc2path(name)).parent, env.mystnb_config.execution_timeout
        return single_nb_execution(chapters[name], str(folder), timeout, allow_errors=False)

    log = logging.getLogger(__name__)
    if waiting:
        log.info(f"executing {len(waiting)} chapters, {os.cpu_count()} at a time ...")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in zip(waiting, pool.map(run, waiting), strict=True):
            if result.err is None:
                seconds = {"execution_seconds": result.time}
                bundle = CacheBundleIn(chapters[name], env.doc2path(name), data=seconds)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                log.info(f"executed {name} in {result.time:.0f} s")


def read(env, name):
    """Return a page as a notebook that has not been executed, or None if it has no code."""
    path = env.doc2path(name)
    text = Path(path).read_text("utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
    return None if reader is None else reader.read(text)


def executed(env, name):
    """Return a page as a notebook with the outputs that the cache has of it, if any."""
    notebook = read(env, name)
    cache = get_cache(env.mystnb_config.execution_cache_path)
    return cache.merge_match_into_notebook(notebook)[1] if cached(cache, notebook) else notebook


def cached(cache, notebook):
    """Tell whether the cache holds the outputs of a notebook."""
    try:
        return cache.match_cache_notebook(notebook) is not None
    except KeyError:
        return False
