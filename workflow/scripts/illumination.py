from script import job  # first: it finds the package

import pandas as pd

from debatch.config.figures import FigureStyle
from debatch.files import Files
from debatch.report.illumination import draw_illumination
from debatch.report.style import save_figure
from debatch.screen.access import open_parts
from debatch.screen.illumination import illumination_profiles, profile_table

with job(snakemake):
    style, simulated = FigureStyle(**snakemake.params.drawn["style"]), snakemake.params.drawn["simulated"]
    files = Files(*snakemake.params.results)
    parts = open_parts(files.root).values()
    profiles = [illumination_profiles(part, snakemake.threads) for part in parts]
    channels = [part.channels for part in parts]
    of_plates = [
        {plate: dict(zip(names, blocks, strict=True)) for plate, blocks in own.items()}
        for own, names in zip(profiles, channels, strict=True)
    ]
    figure = draw_illumination({k: v for own in of_plates for k, v in own.items()}, snakemake.params.title)
    tables = [profile_table(own, names) for own, names in zip(profiles, channels, strict=True)]
    numbers = pd.concat(tables, ignore_index=True)
    save_figure(figure, files, "illumination", numbers, style, simulated=simulated)
