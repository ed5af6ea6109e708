"""How many images a screen and its splits have, and how large they are, also before the data is there."""

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from debatch.config import Screen
from debatch.config.images import stored_size
from debatch.config.splits import Split
from debatch.errors import UserError
from debatch.files import Files
from debatch.registry import Registry
from debatch.screen.index import expected_index
from debatch.screen.metadata import plain_number, read_catalogue
from debatch.screen.origin import metadata_tables, raw_source
from debatch.screen.simulate.experiment import plate_layouts
from debatch.screen.splits import TEST_SHARE, make_split, scored_subset
from debatch.tabular import read_frame


@dataclass(frozen=True)
class SplitSize:
    """Images of a split.

    Attributes:
        train: that train.
        scored: that it is scored on.
        basis: how these numbers are known.
    """

    train: int
    scored: int
    basis: str


@dataclass
class ScreenSize:
    """A screen before or after its data is there."""

    registry: Registry
    files: Files
    _splits: dict[str, SplitSize | None] = field(default_factory=dict)

    @cached_property
    def _found(self) -> tuple[int | None, str, pd.DataFrame | None]:
        registry, screen = self.registry, self.registry.screen
        if Path(self.files.index()).exists():
            index = read_frame(self.files.index())
            return len(index), "the screen's index", index
        if registry.externals:
            return None, "profiles are counted once they are indexed", None
        expected, basis = self._expected()
        if expected is not None:
            return len(expected) * screen.image.tiles**2, basis, expected
        if screen.expected_images:
            return screen.expected_images, "`expected_images` of the screen", None
        return None, "no index, no metadata that can be read, and the screen has no `expected_images`", None

    def _expected(self) -> tuple[pd.DataFrame | None, str]:
        """The index that the screen would have if every image is there; None where that cannot be told yet."""
        screen = self.registry.screen
        if screen.parts:
            return self._expected_of_parts()
        if screen.simulate is not None:
            return self._expected_of_simulation(screen)
        try:
            tables = metadata_tables(screen, self.files)
            if not tables:
                return None, ""
            catalogue = read_catalogue(screen, tables, self.registry.experiments)
            return expected_index(catalogue, raw_source(screen, self.files)), "the metadata, if every image is there"
        except (UserError, OSError):
            return None, ""

    def _expected_of_simulation(self, screen: Screen) -> tuple[pd.DataFrame | None, str]:
        assert screen.simulate is not None
        plain = screen.metadata is None and not screen.derive and not screen.annotations
        batch = screen.columns.batch
        wells = plate_layouts(screen.simulate).astype({"plate": str})
        if not plain or not isinstance(batch, str) or batch not in wells:
            return None, ""
        wells["plate"] = wells["plate"].map(plain_number)
        catalogue = wells.assign(batch=wells[batch], selected=True)
        sites = [*range(1, screen.simulate.sites + 1)]
        source = raw_source(screen, self.files).model_copy(update={"sites": sites})
        return expected_index(catalogue, source), "the simulation's layout"

    def _expected_of_parts(self) -> tuple[pd.DataFrame | None, str]:
        """Of simulated parts; real ones are counted once they are ingested, or by `expected_images`."""
        screen = self.registry.screen
        found = [self._expected_of_simulation(screen.of_part(name)) for name in screen.part_names() if screen.simulated]
        frames = [index for index, _ in found if index is not None]
        if not found or len(frames) < len(found):
            return None, ""
        return pd.concat(frames, ignore_index=True), found[0][1]

    @property
    def images(self) -> int | None:
        """Images of the screen; None: not known."""
        return self._found[0]

    @property
    def basis(self) -> str:
        """How that number is known, or why not."""
        return self._found[1]

    @cached_property
    def by_experiment(self) -> dict[str, float]:
        """Images of each experiment, where that is known; else an equal share each; empty where nothing is."""
        images, _, index = self._found
        experiments = self.registry.experiments
        if images is None:
            return {}
        if index is None or "experiment" not in index:
            return dict.fromkeys(experiments, images / len(experiments))
        return {str(name): n * images / len(index) for name, n in index["experiment"].value_counts().items()}

    @cached_property
    def classes(self) -> int | None:
        """Perturbations to tell; None: not known."""
        index = self._found[2]
        return None if index is None else int(index["label"].nunique())

    @cached_property
    def batches(self) -> int | None:
        """Batches of the screen; None: not known."""
        index = self._found[2]
        return None if index is None else int(index["batch"].nunique())

    @cached_property
    def shape(self) -> tuple[int, int, int] | None:
        """Channels, height and width of a stored image; None: not known."""
        for experiment in self.registry.experiments:
            try:
                about = json.loads(Path(self.files.store(experiment), "images", "zarr.json").read_text())
                channels, height, width = (int(n) for n in about["shape"][1:])
            except (OSError, ValueError, KeyError):
                continue
            return channels, height, width
        screen = self.registry.screen
        first = screen.of_part(screen.part_names()[0])
        channels, image = len(first.channel_names()), first.image
        height, width = stored_size(image, first.simulate) or (side // image.tiles for side in screen.training.size)
        return (channels, height, width) if channels else None

    @property
    def shape_basis(self) -> str:
        """What is assumed of an image's size."""
        if any(Path(self.files.store(experiment)).exists() for experiment in self.registry.experiments):
            return "as stored"
        image = self.registry.screen.image
        told = image.crop is not None or self.registry.screen.simulated
        return "as configured" if told else "assumed to be stored at the size that training sees"

    def split(self, name: str) -> SplitSize | None:
        """Images of a split; None: not known."""
        if name not in self._splits:
            self._splits[name] = self._split(name)
        return self._splits[name]

    def _split(self, name: str) -> SplitSize | None:
        images, basis, index = self._found
        file = Path(self.files.split(name))
        if file.exists():
            return _counted(read_frame(file), "the split's file")
        if index is not None:
            try:
                drawn = _drawn(name, index, self.registry)
            except UserError:
                return None
            factor = (images or 0) // len(index) if len(index) else 1
            size = _counted(drawn, f"drawn from {basis}")
            return SplitSize(size.train * factor, size.scored * factor, size.basis)
        if images is None:
            return None
        return _by_definition(name, images, self.registry)


def _of_few(few: Split, images: int, registry: Registry) -> SplitSize | None:
    """Few batches of one cell type: its test batches as many of all test batches as its training ones of all those."""
    known, splits = registry.screen.training_batches(), registry.screen.splits
    batches = len(registry.experiments)
    if registry.screen.columns.batch != registry.screen.columns.experiment or few.cell_type not in known:
        return None
    trained = min(splits.few_batches, known[few.cell_type])
    test = (batches - sum(known.values())) * known[few.cell_type] / sum(known.values())
    words = f"by the split's definition: {trained} of {batches} batches train, and about {test:.0f} test"
    return SplitSize(round(images * trained / batches), round(images * test / batches), words)


def _drawn(name: str, index: pd.DataFrame, registry: Registry) -> pd.DataFrame:
    log = logging.getLogger("debatch.screen.splits")
    before, log.disabled = log.disabled, True  # its warnings are for the job that draws it for good
    try:
        return make_split(name, index, registry.screen.splits)
    finally:
        log.disabled = before


def _counted(split: pd.DataFrame, basis: str) -> SplitSize:
    counts = split["subset"].value_counts()
    return SplitSize(int(counts.get("train", 0)), int(counts.get(scored_subset(split), 0)), basis)


def _by_definition(name: str, images: int, registry: Registry) -> SplitSize | None:
    """What a split's definition says of its size, batches taken as equally large; None where it needs the metadata."""
    splits, columns = registry.screen.splits, registry.screen.columns
    split = Split.named(name)
    if split.form == "few":
        return _of_few(split, images, registry)
    experiments = len(registry.experiments)
    batches = experiments if columns.batch == columns.experiment else None
    share = float(TEST_SHARE)
    words = f"{100 * share:.0f} % of the wells test"
    if split.form == "fold":
        share = 1 / (splits.folds or 2)
        words = f"one of {splits.folds} folds tests"
    elif split.has_unseen_batches:
        if batches is None:
            return None
        test_batches = len(splits.test_batches) if splits.test_batches is not None else round(share * batches)
        share = test_batches / batches
        words = f"{test_batches} of {batches} batches test"
    test = round(share * images)
    if name == "separated_val":
        # how many cell types there are is not known: at least one of the training batches validates
        held_out = round(images / experiments)
        words = f"at most, by the split's definition: {words}, and at least one validates"
        return SplitSize(images - test - held_out, held_out, words)
    return SplitSize(images - test, test, f"by the split's definition: {words}")
