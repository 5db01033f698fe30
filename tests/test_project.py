"""The promises made outside the code: commands, requirements, who imports whom, what is shipped."""

import ast
import hashlib
import inspect
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from flit_core import buildapi
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import wnlib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# The rooms of wnlib, modules and packages, from the ground up. A room imports only from itself and
# from lower layers; those of one layer know nothing of each other. A check of a road by the theory
# is evidence because neither imports the other, and another paper could take the ledger with it.
LAYERS = (
    ("_types",),
    ("_checks", "_interrupts", "_threads", "_store"),
    ("problems", "ledger", "sweeps", "pictures", "operators"),
    ("flows",),
    ("results",),
    ("l1",),
    ("roads", "theory"),
    ("claims", "figures", "estimators"),
    ("__init__",),
    ("__main__",),
)
LAYER = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
LIGHT = {"numpy", "scipy", "threadpoolctl", *sys.stdlib_module_names}
OPTIONAL = {
    "figures": {"matplotlib", "ipywidgets", "PIL"},
    "roads": {"numba", "array_api_compat"},
    "sweeps": {"tqdm"},
    "estimators": {"sklearn"},
    "__main__": {"distributed"},
}  # what else a room may import
FILES = sorted(path.relative_to(ROOT / "wnlib") for path in (ROOT / "wnlib").rglob("*.py"))
# The modules of what is called from outside; those of the claims are tables, and nobody calls them.
PUBLIC = [
    ".".join(["wnlib", *file.with_suffix("").parts]).removesuffix(".__init__")
    for file in FILES
    if file.stem == "__init__" or not (file.stem.startswith("_") or file.parts[0] == "claims")
]


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


def room_of(names):
    """Return the room of ``wnlib.NAMES``; what is no room is a name of wnlib itself."""
    return names[0] if names and names[0] in LAYER else "__init__"


def imports(code):
    """Yield what Python code imports, anywhere in it, as a list of names: package, module, ..."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ["." * node.level] if node.level else []
            start += node.module.split(".") if node.module else []
            yield from ([*start, alias.name] for alias in node.names)


def forbidden(room, code):
    """Return what the code of a room imports although it must not."""
    allowed = {other for other in LAYER if LAYER[other] < LAYER[room]} | {room}
    packages = LIGHT | OPTIONAL.get(room, set())
    return [
        ".".join(names)
        for names in imports(code)
        if (room_of(names[1:]) not in allowed if names[0] == "wnlib" else names[0] not in packages)
    ]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_point_down(file):
    room = file.parts[0].removesuffix(".py")
    assert room in LAYER, "give the new room its place in LAYERS"
    assert forbidden(room, (ROOT / "wnlib" / file).read_text("utf-8")) == []


def test_each_room_is_there():
    assert {file.parts[0].removesuffix(".py") for file in FILES} == LAYER.keys()


@pytest.mark.parametrize(
    ("room", "code", "found"),
    [
        ("theory", "from wnlib.roads.limit import limit", "wnlib.roads.limit.limit"),
        ("roads", "def f():\n    from wnlib.theory import bounds", "wnlib.theory.bounds"),
        ("problems", "import wnlib.flows", "wnlib.flows"),
        ("ledger", "from wnlib import claims", "wnlib.claims"),
        ("claims", "import wnlib as wn", "wnlib"),
        ("claims", "from wnlib import limit", "wnlib.limit"),  # the name of wnlib, not of a room
        ("claims", "from wnlib import plotting", "wnlib.plotting"),
        ("roads", "from ..theory import bounds", "...theory.bounds"),  # imports are absolute
        ("roads", "if True:\n    import matplotlib.pyplot", "matplotlib.pyplot"),
    ],
)
def test_a_planted_import_is_reported(room, code, found):
    assert forbidden(room, f"import numpy\nfrom wnlib import _checks\n{code}\n") == [found]


def functions(module):
    """Yield the public functions of a module, or of what it exports, and of public classes."""
    own = [
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == module.__name__ and not name.startswith("_")
    ]
    for name in getattr(module, "__all__", own):
        thing = getattr(module, name)
        members = vars(thing) if inspect.isclass(thing) else {name: thing}
        for name, member in members.items():
            member = getattr(member, "fget", getattr(member, "func", member))  # of a property
            if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
                yield member


def unannotated(function):
    """Return what a function does not say the type of."""
    names = {*inspect.signature(function).parameters, "return"} - {"self"}
    return names - inspect.unwrap(function).__annotations__.keys()


# mypy is strict where all is annotated; where private functions are not, it cannot tell which are.
@pytest.mark.parametrize("module", PUBLIC)
def test_public_functions_are_annotated(module):
    found = {each.__qualname__: unannotated(each) for each in functions(import_module(module))}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_a_planted_function_without_annotations_is_reported():
    def planted(x, *, y: int, **z):
        return x

    module = SimpleNamespace(__name__=__name__, planted=planted, _private=planted, join=inspect)
    assert [unannotated(each) for each in functions(module)] == [{"x", "z", "return"}]


def test_importing_wnlib_loads_no_plots_and_no_widgets():
    code = "import sys, wnlib; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert not OPTIONAL["figures"] & set(loaded.stdout.split())


def test_wheel_holds_the_library_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = zipfile.ZipFile(tmp_path / buildapi.build_wheel(str(tmp_path))).namelist()
    assert {f"wnlib/{file.as_posix()}" for file in FILES} | {"wnlib/py.typed"} <= set(names)
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
