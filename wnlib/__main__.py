"""Command line: ``python -m wnlib verify`` checks the theorems; ``info`` says what is installed."""

import argparse
import platform
import sys
from pathlib import Path

import numpy
import scipy

import wnlib
from wnlib.ledger import verify


def _parser():
    parser = argparse.ArgumentParser(prog="python -m wnlib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="check the claims of the book, print the ledger")
    check.add_argument("labels", nargs="*", help="labels of statements; default: all")
    check.add_argument("--instances", type=int, default=30, help="per claim (default 30)")
    check.add_argument("--seed", type=int, default=0)
    check.add_argument("--json", type=Path, metavar="FILE", help="write the ledger there, too")
    commands.add_parser("info", help="versions")
    return parser


def _verify(options):
    """Return the exit code: 0 if each claim holds, 1 if not, 2 for bad input, 130 if stopped."""

    def report(row):
        print(f"{row.label}: {row.verdict} ({row.seconds:.1f} s)", file=sys.stderr, flush=True)

    try:
        ledger = verify(
            *options.labels, instances=options.instances, seed=options.seed, report=report
        )
    except (TypeError, ValueError) as error:
        print(f"python -m wnlib verify: {error}", file=sys.stderr)
        return 2
    print(ledger)
    if options.json:
        options.json.write_text(ledger.to_json() + "\n", encoding="utf-8")
    if ledger.interrupted:
        return 130
    return 0 if ledger.ok else 1


def main(arguments=None):
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "verify":
        return _verify(options)
    print(f"wnlib {wnlib.__version__}, numpy {numpy.__version__}, scipy {scipy.__version__}")
    print(f"Python {platform.python_version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
