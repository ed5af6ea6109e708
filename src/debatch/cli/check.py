"""`debatch check`: a screen's files held against its pattern and metadata."""

import argparse
from pathlib import Path

from debatch.cli.check_profiles import check_profiles_lines
from debatch.cli.check_text import check_lines
from debatch.cli.choice import chosen_registry
from debatch.cli.terminal import console, show
from debatch.files import Files
from debatch.screen.ingest.check import check_screen
from debatch.screen.origin import metadata_tables, raw_source


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 where something is wrong."""
    registry = chosen_registry([], options.screen)
    files = Files(registry.results, registry.name)
    if registry.externals:
        lines, clean = check_profiles_lines(registry)
        show(console(), lines)
        return 0 if clean else 1
    if registry.screen.simulate and not Path(files.raw_metadata()).exists():
        print(f"Screen {registry.name} is simulated, and not drawn yet: `snakemake ingest` draws it")
        return 0
    source, tables = raw_source(registry.screen, files), metadata_tables(registry.screen, files)
    findings = check_screen(registry.screen, source, tables, registry.experiments, options.sample)
    show(console(), check_lines(registry.name, registry.screen, source, [table.file for table in tables], findings))
    return 0 if findings.clean else 1
