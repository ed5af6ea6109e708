"""A screen's results as tables, figures and the report read them: by run, and None where a file is not there."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from debatch.files import UNCORRECTED, Files, run_files
from debatch.registry import Registry, Run
from debatch.tabular import read_frame


class Results:
    """The files of one screen, read."""

    def __init__(self, registry: Registry, files: Files) -> None:
        self.registry, self.files = registry, files

    def of(self, need: str, run: Run) -> pd.DataFrame | None:
        """A run's `metrics`, `cosine` distances, `probe`, `embeddings`, `scores`, `epochs` or `adaptation`."""
        return self._read(run_files(self.files, need, run)[0])

    def histograms(self, run: Run) -> pd.DataFrame | None:
        """A run's distributions of cosine similarities."""
        return self._read(run_files(self.files, "cosine", run)[1])

    def nulls(self, split: str) -> pd.DataFrame | None:
        """What guesses score on a split."""
        return self._read(self.files.nulls(split))

    def by_seed(
        self, need: str, target: str, method: str, split: str, correction: str = UNCORRECTED
    ) -> list[pd.DataFrame]:
        """One file of each of a target's runs of a method on a split, seed by seed, without those that lack."""
        chosen = (method, split, correction)
        runs = sorted(r for r in self.registry.runs(target) if (r.method, r.split, r.correction) == chosen)
        return [frame for run in runs if (frame := self.of(need, run)) is not None]

    def pair(
        self, need: str, target: str, methods: tuple[str, str], split: str
    ) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
        """As `by_seed` of two methods, of those seeds that both have."""
        by_method: list[dict[int, pd.DataFrame]] = [{}, {}]
        for run in self.registry.runs(target):
            for at, method in enumerate(methods):
                frame = self.of(need, run) if (run.method, run.split) == (method, split) else None
                if frame is not None:
                    by_method[at][run.seed] = frame
        seeds = sorted(set(by_method[0]) & set(by_method[1]))
        return [by_method[0][seed] for seed in seeds], [by_method[1][seed] for seed in seeds]

    def records(self, runs: list[Run]) -> list[dict[str, Any]]:
        """The records of trainings, each once, without those that lack."""
        places = dict.fromkeys((run.weights, run.split, run.seed) for run in runs if not run.external)
        paths = [Path(self.files.run(*place)) / "recipe.json" for place in places]
        return [json.loads(path.read_text()) for path in paths if path.exists()]

    def history(self, run: Run) -> pd.DataFrame | None:
        """What happened in a run's training, a row an epoch."""
        return self._read(f"{self.files.folder(run)}/history.csv")

    def _read(self, path: str) -> pd.DataFrame | None:
        if not Path(path).exists():
            return None
        return read_frame(path)
