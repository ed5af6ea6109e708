"""`debatch`: read-only helpers beside Snakemake."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from debatch.config import Registry, build_registry
from debatch.config.read import read_yaml
from debatch.errors import ConfigError, UserError
from debatch.files import Files
from debatch.report.check import check_text
from debatch.report.check_profiles import check_profiles_text
from debatch.screen.check import check_screen
from debatch.screen.origin import metadata_tables, raw_source

BASE = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 1 where something is wrong with what was looked at.
    """
    parser = argparse.ArgumentParser(prog="debatch", description="Read-only helpers beside Snakemake.")
    commands = parser.add_subparsers(title="commands", required=True)
    check = commands.add_parser(
        "check",
        help="hold a screen's files against its pattern and metadata, before anything runs",
        description="Hold a screen's files against its pattern and metadata, before anything runs. The exit status is "
        "1 where something is wrong.",
    )
    check.add_argument("screen", nargs="?", help="a name in config/screens or a YAML file; else that of config.yaml")
    check.add_argument(
        "--sample", type=_positive, default=24, metavar="N", help="images that are read for sizes and values (24)"
    )
    check.set_defaults(run=_check)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `debatch check | head`
        sys.stderr.close()
        return 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of images")
    return number


def _check(options: argparse.Namespace) -> int:
    registry = _registry(options.screen)
    files = Files(registry.results, registry.name)
    if registry.externals:
        text, clean = check_profiles_text(registry)
        print(text, end="")
        return 0 if clean else 1
    if registry.screen.simulate and not Path(files.raw_metadata()).exists():
        print(f"Screen {registry.name} is simulated, and not drawn yet: `snakemake ingest` draws it")
        return 0
    source, tables = raw_source(registry.screen, files), metadata_tables(registry.screen, files)
    findings = check_screen(registry.screen, source, tables, registry.experiments, options.sample)
    print(check_text(registry.name, registry.screen, source, [table.file for table in tables], findings), end="")
    return 0 if findings.clean else 1


def _registry(screen: str | None) -> Registry:
    """The configuration as the Snakefile reads it, for another screen where one is named."""
    own = Path("config/config.yaml")
    choice = read_yaml(own if own.exists() else BASE / own) or {}
    if not isinstance(choice, dict):
        raise ConfigError(f"{own}: expected keys and values, as in `screen: demo`")
    return build_registry({**choice, "screen": screen} if screen else choice, BASE)


if __name__ == "__main__":
    sys.exit(main())
