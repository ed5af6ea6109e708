"""A metric by how many images of a new batch or plate give the batch-norm statistics, and which."""

from typing import Any, Literal

from pydantic import Field

from debatch.config.statistics import DOMAINS, POOLS, Statistics
from debatch.config.tables import Table
from debatch.registry.kinds import ManyStatistics
from debatch.report.cells import NOT_RUN, Draft, pooled
from debatch.report.kinds.base import ByMetric, TableKind
from debatch.report.kinds.statistics import (
    ALL,
    POOL_WORDS,
    ByImages,
    available_cell,
    cell_under,
    many_statistics,
    scored_images,
    under,
)
from debatch.report.results import Results

WITHOUT, AVAILABLE = "none", "available"


class AdaptationTable(ByImages, ByMetric, Table):
    """A metric by the images that give test-time statistics."""

    kind: Literal["adaptation"] = Field(
        "adaptation",
        description="A metric by how many images of a new batch or plate give the batch-norm statistics, and which.",
    )


class Adaptation(TableKind[AdaptationTable]):
    """A row a method and where images are drawn from, a column a number of images; the baseline beside."""

    spec = AdaptationTable
    needs = ("adaptation",)
    trains = True

    def statistics(self, spec: Any, inference: str) -> ManyStatistics:
        """Each number of images, from each place."""
        return many_statistics(inference, spec.images, ())

    def draft(self, name: str, results: Results) -> Draft:
        """The table."""
        registry = results.registry
        spec, split = self.spec_of(name, registry), registry.splits(name)[0]
        rows, cells = {}, {}
        for method in registry.rows(name):
            frames = results.by_seed("adaptation", name, method, split)
            if registry.recipes[method].inference == "train":
                rows[method] = registry.title(method)
                cells[method, WITHOUT] = pooled(under(frames, "train"), spec.metric, NOT_RUN)
                continue
            for domain in DOMAINS:
                for pool in POOLS:
                    every = Statistics(domain=domain, pool=pool)
                    row = f"{method}.{every.name}"
                    rows[row] = f"{registry.title(method)}, {domain}: {POOL_WORDS[pool]}"
                    for images in (*spec.images, None):
                        statistics = every._replace(images=images).name
                        cells[row, _column(images)] = cell_under(frames, statistics, spec.metric)
                    cells[row, AVAILABLE] = available_cell(frames, every.name)
        columns = {WITHOUT: "No image"} | {_column(n): f"{n} images" for n in spec.images}
        columns |= {ALL: "All", AVAILABLE: "How many all are"}
        notes = [
            f"{spec.shown.words} over all classes, split {split}; the same test images in every cell, under batch-norm "
            "statistics from that many images of their own batch or plate, chosen by a hash of their names and never "
            "by label",
            scored_images(split),
            "no image: under the training set's statistics, which see nothing of the new batch",
            "a number stands only where every batch or plate holds that many images: one of those that do would be of "
            "other test images; all: as many as each holds, in the last column their median over batches or plates, "
            "with the fewest and the most",
        ]
        return Draft(
            rows,
            columns,
            cells,
            formats={AVAILABLE: ("images", 0)},
            ranges_of={AVAILABLE: "batches or plates"},
            notes=notes,
            **spec.format,
        )


def _column(images: int | None) -> str:
    """The column of a number of images; None: all."""
    return ALL if images is None else f"n{images}"


KIND = Adaptation()
