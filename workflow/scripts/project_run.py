from script import job  # first: it finds the package

import pandas as pd

from debatch.report.explorer.points import project_view
from debatch.tabular import read_frame, write_frame

with job(snakemake) as log:
    looks = zip(snakemake.input, snakemake.params.views, strict=True)
    points = [project_view(read_frame(path), view) for path, view in looks]
    write_frame(pd.concat(points, ignore_index=True), snakemake.output[0])
    log.info("%d points of %d looks at embeddings", sum(map(len, points)), len(points))
