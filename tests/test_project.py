"""The promises made outside the code: commands, requirements, who imports whom, what is shipped."""

import ast
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from flit_core import buildapi
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import wnlib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# A module imports only from modules above it.
ORDER = [
    *("threads", "problems", "flows", "trajectories", "charts", "linear_program", "stalling"),
    *("integrate", "descend", "bases", "certificates", "plain_limits", "limits"),
    *("invariants", "bounds", "training", "instances"),
    *("claims.claim", "claims.common", "claims.sparse_recovery", "claims.plain_flow"),
    *("claims.polar", "claims.magnification.rho", "claims.magnification.convergence"),
    *("claims.magnification.factor", "claims.magnification.potential", "claims.magnification"),
    *("claims.figure_2", "claims", "ledger", "plotting", "widgets"),
    *("__main__", "__init__"),
]

# What only some modules may import, and where: at the top, or inside a function that needs it.
EXTRAS = {
    "matplotlib": {"plotting": "top", "widgets": "top"},
    "ipywidgets": {"widgets": "top"},
    "PIL": {"widgets": "top"},
}
LIGHT = {"numpy", "scipy", "threadpoolctl", *sys.stdlib_module_names}


def text(name):
    return (ROOT / name).read_text("utf-8")


def commands(name):
    """Return the targets that a document names after `make`, as a command."""
    return set(re.findall(r"(?:`|^|&& |run: )make ([a-z]+)", text(name), re.MULTILINE))


def requirements(lines):
    """Return the requirement lines by name, without the editable install of wnlib."""
    lines = [line.split("#")[0].strip() for line in lines]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(r.name): r for r in found if r.name != "wnlib"}


def source(module):
    """Return the path of a module of wnlib, or of a package's own __init__."""
    path = ROOT / "wnlib" / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module):
    """Yield (package or sibling module, "top" or "function", is it a sibling?)."""
    tree = ast.parse(source(module).read_text("utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        where = "function" if id(node) in inside else "top"
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            sibling = package == "wnlib"
            while sibling and rest not in ORDER and "." in rest:
                rest = rest.rpartition(".")[0]  # the module of a function or class
            yield (rest if sibling else package, where, sibling)


def modules():
    """Yield the dotted names of the modules of wnlib, packages under their own name."""
    for path in (ROOT / "wnlib").rglob("*.py"):
        *packages, name = path.relative_to(ROOT / "wnlib").with_suffix("").parts
        yield ".".join([*packages, name] if name != "__init__" or not packages else packages)


MODULES = sorted(modules())


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_above(module):
    assert module in ORDER, "give the new module its place in ORDER"
    below = ORDER[ORDER.index(module) :]
    assert [name for name, _, sibling in imports(module) if sibling and name in below] == []


@pytest.mark.parametrize("module", MODULES)
def test_module_is_light(module):
    for name, where, sibling in imports(module):
        if sibling or name in LIGHT:
            continue
        assert module in EXTRAS.get(name, {}), f"wnlib.{module} imports {name}"
        assert EXTRAS[name][module] in ("top", where), f"import {name} inside the function"


def test_importing_wnlib_loads_no_plots_and_no_widgets():
    code = "import sys, wnlib; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert not EXTRAS.keys() & set(loaded.stdout.split())


def test_wheel_holds_the_library_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = zipfile.ZipFile(tmp_path / buildapi.build_wheel(str(tmp_path))).namelist()
    assert {name.split("/")[0] for name in names} == {
        "wnlib",
        f"wnlib-{wnlib.__version__}.dist-info",
    }
    assert set(requirements(PROJECT["dependencies"])) == {"numpy", "scipy", "threadpoolctl"}


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", ".ci/run", ".github/workflows/ci.yml"]
)
def test_named_commands_exist(document):
    targets = set(re.findall(r"^([a-z]+):.*## \S", text("Makefile"), re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)", text("Makefile"), re.MULTILINE)[1].split()
    assert targets == set(phony), "every target is phony and explains itself"
    assert commands(document) <= targets


def test_ci_runs_what_the_readme_promises():
    assert {"book", "test"} <= commands("README.md")
    assert {"lint", "book", "test"} <= commands(".ci/run")
    jobs = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]
    assert {"run": ".ci/run"} in jobs["check"]["steps"]


def test_every_requirement_has_floor_and_ceiling():
    for requirement in requirements(text("requirements.txt").splitlines()).values():
        operators = {spec.operator for spec in requirement.specifier}
        assert operators == {">=", "<"}, requirement


def test_extras_agree_with_requirements():
    listed = requirements(text("requirements.txt").splitlines())
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for group in groups:
        for name, requirement in requirements(group).items():
            assert listed[name].specifier == requirement.specifier


def test_lock_serves_requirements():
    lock = text("requirements.lock")
    assert not re.search(r"https?:|file:|index-url|find-links", lock)
    entries = re.findall(r"^([\w.-]+)==([^\s;]+)(.*(?:\n    --hash=.*)+)", lock, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^\w", lock, re.MULTILINE)), "an entry without hashes"
    pins = {canonicalize_name(name): version for name, version, _ in entries}
    for name, requirement in requirements(text("requirements.txt").splitlines()).items():
        assert requirement.specifier.contains(pins[name]), f"run `make lock`: {requirement}"


def test_vendored_files_are_as_recorded():
    sums = dict(reversed(line.split()) for line in text("vendor/SHA256SUMS").splitlines())
    files = [path for path in (ROOT / "vendor").glob("*/**/*") if path.is_file()]
    assert {
        path.relative_to(ROOT / "vendor").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    } == sums
    assert sum(path.stat().st_size for path in files) < 6e6


def test_version_is_the_same_everywhere():
    assert yaml.safe_load(text("CITATION.cff"))["version"] == wnlib.__version__
    assert f"## {wnlib.__version__}" in text("CHANGELOG.md")


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "vendor/README.md"]
)
def test_relative_links_exist(document):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text(document))
    links += re.findall(r'(?:src|href)="(?!https?:|data:|#)([^"]+)"', text(document))
    assert [link for link in links if not ((ROOT / document).parent / link).exists()] == []
