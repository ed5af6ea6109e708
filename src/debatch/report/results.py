"""A screen's results as tables, figures and the report read them: by run, and None where a file is not there."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import pandas as pd

from debatch.files import UNCORRECTED, Files, run_files
from debatch.registry import Registry, Run
from debatch.tabular import read_frame


class ByRun(Sequence[pd.DataFrame]):
    """A file of each of some runs, seed by seed.

    Attributes:
        runs: that were asked for; of those that have not been made there is no frame.
    """

    def __init__(self, runs: Iterable[Run], frames: Iterable[pd.DataFrame]) -> None:
        self.runs, self._frames = tuple(runs), list(frames)

    @overload
    def __getitem__(self, at: int) -> pd.DataFrame: ...
    @overload
    def __getitem__(self, at: slice) -> list[pd.DataFrame]: ...
    def __getitem__(self, at: int | slice) -> pd.DataFrame | list[pd.DataFrame]:
        return self._frames[at]

    def __len__(self) -> int:
        return len(self._frames)

    def first(self) -> "ByRun":
        """The first seed alone."""
        return ByRun(self.runs[:1], self._frames[:1])

    def each(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> "ByRun":
        """A change of each frame; those that come to nothing are left out."""
        changed = (change(frame) for frame in self._frames)
        return ByRun(self.runs, [frame for frame in changed if len(frame)])


class Results:
    """The files of one screen, each read once as long as it stays the same."""

    def __init__(self, registry: Registry, files: Files) -> None:
        self.registry, self.files = registry, files
        self._frames: dict[str, tuple[tuple[int, int, int], pd.DataFrame]] = {}

    def of(self, need: str, run: Run) -> pd.DataFrame | None:
        """A run's `metrics`, `cosine` distances or another need, as `run_files` knows them."""
        return self._read(run_files(self.files, need, run)[0])

    def histograms(self, run: Run) -> pd.DataFrame | None:
        """A run's distributions of cosine similarities."""
        return self._read(run_files(self.files, "cosine", run)[1])

    def nulls(self, split: str, guess: str) -> ByRun | None:
        """What a guess scores on a split, of no run; None where it was not made."""
        frame = self._read(self.files.nulls(split))
        return None if frame is None else ByRun((), [frame[frame["null"] == guess]])

    def by_seed(self, need: str, target: str, method: str, split: str, correction: str = UNCORRECTED) -> ByRun:
        """One file of each of a target's runs of a method on a split."""
        chosen = (method, split, correction)
        runs = sorted(r for r in self.registry.runs(target) if (r.method, r.split, r.correction) == chosen)
        return ByRun(runs, [frame for run in runs if (frame := self.of(need, run)) is not None])

    def pair(self, need: str, target: str, methods: tuple[str, str], split: str) -> tuple[ByRun, ByRun]:
        """As `by_seed` of two methods, the frames of those seeds that both have."""
        by_method: list[dict[Run, pd.DataFrame | None]] = [
            {
                run: self.of(need, run)
                for run in sorted(self.registry.runs(target))
                if (run.method, run.split) == (m, split)
            }
            for m in methods
        ]
        first, second = ({run.seed for run, frame in own.items() if frame is not None} for own in by_method)
        of_one, of_other = (
            ByRun(own, [frame for run, frame in own.items() if frame is not None and run.seed in first & second])
            for own in by_method
        )
        return of_one, of_other

    def records(self, runs: list[Run]) -> list[dict[str, Any]]:
        """The records of trainings, each once, without those that lack."""
        places = dict.fromkeys((run.weights, run.split, run.seed) for run in runs if not run.external)
        paths = [Path(self.files.run(*place)) / "recipe.json" for place in places]
        return [json.loads(path.read_text()) for path in paths if path.exists()]

    def history(self, run: Run) -> pd.DataFrame | None:
        """What happened in a run's training, a row an epoch."""
        return self._read(f"{self.files.folder(run)}/history.csv")

    def _read(self, path: str) -> pd.DataFrame | None:
        try:
            now = os.stat(path)
        except OSError:
            return None
        state = now.st_mtime_ns, now.st_size, now.st_ino
        if self._frames.get(path, (None,))[0] != state:
            self._frames[path] = state, read_frame(path)
        return self._frames[path][1]
