from script import job  # first: it finds the package

from pathlib import Path

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.kinds.figures import draw_figure
from debatch.report.results import Results
from debatch.report.style import save_figure

with job(snakemake):
    name = snakemake.wildcards.figure
    registry = build_registry(snakemake.params.choice, Path(snakemake.params.base))
    files = Files(registry.results, registry.name)
    figure, numbers = draw_figure(name, Results(registry, files))
    screen = registry.screen
    save_figure(figure, files, name, numbers, screen.figures, simulated=screen.simulated)
