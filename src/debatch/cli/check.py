"""`debatch check`: a screen's files held against its pattern and metadata."""

import argparse
from pathlib import Path

from debatch.cli.check_profiles import check_profiles_lines
from debatch.cli.check_text import check_lines, splits_lines
from debatch.cli.choice import chosen_registry
from debatch.cli.terminal import console, show
from debatch.errors import UserError
from debatch.files import Files
from debatch.registry import Registry
from debatch.screen.ingest.check import check_parts, check_screen
from debatch.screen.origin import metadata_tables, raw_source


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 where something is wrong."""
    registry = chosen_registry([], options.screen)
    files = Files(registry.results, registry.name)
    if registry.externals:
        try:
            lines, clean = check_profiles_lines(registry)
        except UserError as error:
            raise UserError(registry.in_own_words(str(error))) from None
        show(console(), lines)
        return 0 if clean else 1
    if registry.screen.simulated and not Path(files.raw_metadata()).exists():
        print(f"Screen {registry.name} is simulated, and not drawn yet: `snakemake ingest` draws it")
        return 0
    if registry.screen.parts:
        return _check_parts(registry, files, options.sample)
    source, tables = raw_source(registry.screen, files), metadata_tables(registry.screen, files)
    findings = check_screen(registry.screen, source, tables, registry.experiments, options.sample)
    findings.errors = [registry.in_own_words(error) for error in findings.errors]
    show(console(), check_lines(registry.name, registry.screen, source, [table.file for table in tables], findings))
    return 0 if findings.clean else 1


def _check_parts(registry: Registry, files: Files, sampled: int) -> int:
    screen, tables = registry.screen, metadata_tables(registry.screen, files)
    sources = {name: raw_source(screen.of_part(name), files) for name in screen.part_names()}
    found, whole = check_parts(screen, sources, tables, sampled)
    for name, findings in found.items():
        findings.errors = [registry.in_own_words(error) for error in findings.errors]
        heading, own = f"{registry.name}, part {name}", screen.of_part(name)
        show(console(), check_lines(heading, own, sources[name], [table.file for table in tables], findings))
    show(console(), ["", *splits_lines(screen, whole)])
    return 0 if all(findings.clean for findings in (*found.values(), whole)) else 1
