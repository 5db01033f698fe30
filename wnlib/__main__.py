"""Command line: ``python -m wnlib verify`` checks the theorems.

``figures`` computes what the figures show; ``info`` says what is installed.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import scipy

import wnlib
from wnlib.claims import attack, find, verify
from wnlib.ledger import Attacked, Row, Verdict


def at_least(minimum: int) -> Callable[[str], int]:
    """Return a reader of integers that are not below ``minimum``."""

    def integer(text: str) -> int:
        if int(text) < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}; got {text}")
        return int(text)

    return integer


def label(text: str) -> str:
    """Read the label of a claim."""
    try:
        return find(text).label
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wnlib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    jobs: dict[str, Any] = {
        "type": at_least(1),
        "default": max(2, os.cpu_count() or 1),
        "metavar": "J",
        "help": "processes side by side (default: one for each processor, at least 2)",
    }
    check = commands.add_parser(
        "verify",
        help="check the claims of the book, print the ledger",
        description="Check the claims of the book and print the ledger. Exit code 0: each claim "
        "holds; 1: one fails; 2: none fails, but one is undecided, because its false twin survived "
        "or it applied nowhere, on up to 200 instances beyond --samples; 130: interrupted. With "
        "--attack a search moves the worst instances, to violate the upper bounds or come near it.",
    )
    check.add_argument(
        "--only",
        type=label,
        action="append",
        default=[],
        metavar="ID",
        help="one label; may be repeated",
    )
    check.add_argument(
        "--samples",
        type=at_least(1),
        default=20,
        metavar="N",
        help="instances for each claim (default 20)",
    )
    check.add_argument(
        "--seed", type=at_least(0), default=0, metavar="S", help="of the instances (default 0)"
    )
    check.add_argument("--jobs", **jobs)
    check.add_argument(
        "--attack",
        action="store_true",
        help="search for the worst instance of each upper bound; print it for the bounds that fail "
        "and, with --only, for all",
    )
    check.add_argument(
        "--budget",
        type=at_least(0),
        default=20,
        metavar="N",
        help="moves of the search for each bound (default 20)",
    )
    check.add_argument("--json", type=Path, metavar="FILE", help="write the ledger there, too")
    figures = commands.add_parser(
        "figures",
        help="compute the numbers behind the figures, or check them",
        description="Compute the numbers behind the figures that take long, and write them to "
        "book/data/NAME.npz. What an interrupted run has computed is not computed again. With "
        "--check nothing is written; exit code 1: a number differs; 130: interrupted.",
    )
    figures.add_argument("names", nargs="*", metavar="NAME", help="all if none is named")
    figures.add_argument(
        "--check",
        type=at_least(1),
        nargs="?",
        const=20,
        metavar="N",
        help="compute N points of each file again (default 20), and compare",
    )
    workers = figures.add_mutually_exclusive_group()
    workers.add_argument("--jobs", **jobs)
    workers.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="compute on the workers of a Dask scheduler, such as tcp://127.0.0.1:8786",
    )
    commands.add_parser("info", help="versions")
    return parser


def _pool(jobs: int) -> AbstractContextManager[Executor | None]:
    return ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext()


@contextmanager
def _cluster(address: str, parser: argparse.ArgumentParser) -> Iterator[Executor]:
    """Compute on the workers of a Dask scheduler, once one is there: with this very library."""
    from wnlib.figures.studies import state  # needs Matplotlib

    try:
        from distributed import Client

        client = Client(address)
    except ImportError:
        parser.error("argument --scheduler: pip install distributed")
    except (OSError, ValueError) as error:
        parser.error(f"argument --scheduler: {error}")
    with client:
        client.wait_for_workers(1)
        found = client.run(state)
        if others := [worker for worker, there in found.items() if there != state()]:
            parser.error(
                f"argument --scheduler: the workers {', '.join(others)} have another state of "
                "wnlib: install this one there, and start them again"
            )
        yield client.get_executor()


def _figures(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Return the exit code: 0, 1 if a number differs, 130 interrupted."""
    from wnlib.figures.studies import MODULES, study  # needs Matplotlib

    try:
        chosen = [study(name) for name in options.names or MODULES]
    except ValueError as error:
        parser.error(str(error))
    different = []
    workers = _cluster(options.scheduler, parser) if options.scheduler else _pool(options.jobs)
    try:
        with workers as executor:
            for figure in chosen:
                if options.check:
                    different += figure.check(options.check, executor=executor)
                else:
                    figure.write(executor)
                done = "checked" if options.check else "written"
                print(f"{figure.name}: {done}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it was", file=sys.stderr)
        return 130
    for line in different:
        print(line)
    return 1 if different else 0


def _verify(options: argparse.Namespace) -> int:
    """Return the exit code: 0 if each claim holds, 1 if one fails, 2 undecided, 130 interrupted."""

    def progress(row: Row | Attacked) -> None:
        print(f"{row.label}: {row.verdict} ({row.seconds:.1f} s)", file=sys.stderr, flush=True)

    run = partial(attack, budget=options.budget) if options.attack else verify
    with _pool(options.jobs) as executor:
        result = run(
            *options.only,
            samples=options.samples,
            seed=options.seed,
            report=progress,
            executor=executor,
        )
    print(result)
    for row in result.rows:
        for strike in getattr(row, "strikes", ()):
            if options.only or strike.verdict is Verdict.FAILS:
                print(f"\n# the worst for {row.label}, {strike.part}\n{strike.snippet}")
    if options.json:
        options.json.write_text(result.to_json() + "\n", encoding="utf-8")
    if result.interrupted:
        return 130
    verdicts = {row.verdict for row in result.rows}
    return 1 if Verdict.FAILS in verdicts else 2 if Verdict.UNDECIDED in verdicts else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "figures":
        return _figures(options, parser)
    if options.command == "verify":
        if options.json and not options.json.parent.is_dir():
            parser.error(f"argument --json: there is no folder {options.json.parent}")
        return _verify(options)
    print(f"wnlib {wnlib.__version__}, numpy {numpy.__version__}, scipy {scipy.__version__}")
    print(f"Python {platform.python_version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
