"""`debatch`: read-only helpers beside Snakemake."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from debatch.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 1 where something is wrong with the screen or its results.
    """
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `debatch check | head`
        sys.stderr.close()
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="debatch", description="Read-only helpers beside Snakemake. They write nothing."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    check = _command(
        commands,
        "check",
        "hold a screen's files against its pattern and metadata, before anything runs",
        "The exit status is 1 where something is wrong.",
    )
    check.add_argument("screen", nargs="?", help="a name in config/screens or a YAML file; else that of config.yaml")
    check.add_argument(
        "--sample", type=_positive, default=24, metavar="N", help="images that are read for sizes and values (24)"
    )

    plan = _command(
        commands,
        "plan",
        "what targets would cost, before they are submitted: jobs, hours, disk",
        "Asks Snakemake what is still to be run, and prices it by config/throughput.yaml. Needs no data.",
    )
    plan.add_argument("targets", nargs="*", metavar="target", help="as after `snakemake`; else those of the screen")
    plan.add_argument("--gpus", type=_positive, default=1, metavar="N", help="trainings that run at once (1)")
    plan.add_argument("--device", metavar="NAME", help="hardware of config/throughput.yaml that hours are meant for")
    _add_choice(plan)

    status = _command(
        commands,
        "status",
        "how far the trainings are: done, running, failed, waiting",
        "Looks at histories, checkpoints, locks and logs; docs/cli.md says how it decides.",
    )
    status.add_argument("targets", nargs="*", metavar="target", help="tables or figures; else those of the screen")
    _add_choice(status)

    provenance = _command(
        commands,
        "provenance",
        "what one cell of a table was made from",
        "Rows and columns are called as in tables/<table>.csv.",
    )
    for name in ("table", "row", "column"):
        provenance.add_argument(name)
    _add_choice(provenance)
    return parser


def _command(commands: Any, name: str, purpose: str, more: str) -> argparse.ArgumentParser:
    sentence = f"{purpose[0].upper()}{purpose[1:]}. {more}"
    command: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=sentence)
    command.set_defaults(run=_lazily(name))
    return command


def _lazily(name: str) -> Callable[[argparse.Namespace], int]:
    """The command's own module, imported when it runs: `status` must not wait for what only `check` needs."""

    def run(options: argparse.Namespace) -> int:
        return int(importlib.import_module(f"debatch.cli.{name}").run(options))

    return run


def _add_choice(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="overrides config/config.yaml, as `snakemake --config` does: screen=rxrx1 seeds=1",
    )
    command.add_argument("--json", action="store_true", help="for scripts: JSON; docs/cli.md lists its keys")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return number
