"""How many images a screen and its splits have, and how large they are, also before the data is there."""

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from debatch.cli.planning.stand_in import stand_in_index
from debatch.config import Screen
from debatch.config.images import stored_size
from debatch.config.splits import Split
from debatch.errors import UserError
from debatch.files import Files
from debatch.registry import Registry
from debatch.screen.index import expected_index
from debatch.screen.metadata import read_catalogue
from debatch.screen.names.wells import plain_number
from debatch.screen.nouns import PROFILE, Noun, stored_noun
from debatch.screen.origin import metadata_tables, raw_source
from debatch.screen.simulate.experiment import plate_layouts
from debatch.screen.splits import make_split
from debatch.screen.subsets import images_in, scored_images
from debatch.tabular import read_frame


@dataclass(frozen=True)
class SplitSize:
    """Images of a split.

    Attributes:
        train: that train.
        scored: that it is scored on.
        batches: that its training images are of; a network has a head for them.
        basis: how these numbers are known.
    """

    train: int
    scored: int
    batches: int
    basis: str


@dataclass
class ScreenSize:
    """A screen before or after its data is there."""

    registry: Registry
    files: Files
    _splits: dict[str, SplitSize | str] = field(default_factory=dict)

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
        if stated := screen.images_expected():
            return stated, f"`expected_images` of the {'parts' if screen.parts else 'screen'}", None
        return None, f"nothing is ingested yet; {basis}; the screen has no `expected_images`", None

    def _expected(self) -> tuple[pd.DataFrame | None, str]:
        """The index that the screen would have if every image is there; None where that is not known yet, and why."""
        screen = self.registry.screen
        if screen.parts:
            return self._expected_of_parts()
        if screen.simulate is not None:
            return self._expected_of_simulation(screen)
        try:
            tables = metadata_tables(screen, self.files)
            if not tables:
                return None, "there is no metadata to count by"
            catalogue = read_catalogue(screen, tables, self.registry.experiments)
            return expected_index(catalogue, raw_source(screen, self.files)), "the metadata, if every image is there"
        except UserError as error:
            return None, str(error).splitlines()[0]
        except OSError as error:
            return None, f"{error.filename}: {error.strerror}"

    def _expected_of_simulation(self, screen: Screen) -> tuple[pd.DataFrame | None, str]:
        assert screen.simulate is not None
        plain = screen.metadata is None and not screen.derive and not screen.annotations
        batch = screen.columns.batch
        wells = plate_layouts(screen.simulate).astype({"plate": str})
        if not plain or not isinstance(batch, str) or batch not in wells:
            return None, "a simulated screen with metadata or batches of its own is counted once it is drawn"
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
        if not found:
            return None, "parts are counted once they are ingested"
        if len(frames) < len(found):
            return None, next(why for index, why in found if index is None)
        return pd.concat(frames, ignore_index=True), found[0][1]

    @property
    def images(self) -> int | None:
        """Images of the screen; None: not known."""
        return self._found[0]

    @property
    def basis(self) -> str:
        """How that number is known, or why not."""
        return self._found[1]

    @property
    def why_no_images(self) -> str:
        """That the number is not known, of which `basis` says why; empty where it is known."""
        return f"the number of {self.noun.many} is not known" if self.images is None else ""

    @property
    def noun(self) -> Noun:
        """What its rows are."""
        return PROFILE if self.registry.externals else stored_noun(self.registry.screen)

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
        configured = image.crop is not None or self.registry.screen.simulated
        return "as configured" if configured else "assumed to be stored at the size that training sees"

    def split(self, name: str) -> SplitSize | None:
        """Images of a split; None: not known."""
        known = self._split_or_why(name)
        return None if isinstance(known, str) else known

    def why_no_split(self, name: str) -> str:
        """Why the images of a split are not known; empty where they are."""
        known = self._split_or_why(name)
        return known if isinstance(known, str) else ""

    def _split_or_why(self, name: str) -> SplitSize | str:
        if name not in self._splits:
            self._splits[name] = self._split(name)
        return self._splits[name]

    def _split(self, name: str) -> SplitSize | str:
        images, basis, index = self._found
        file = Path(self.files.split(name))
        if file.exists() and index is not None:
            return _counted(read_frame(file), index, len(index), "the split's file")
        if images is None:
            return self.why_no_images
        drawn_from = basis
        if index is None:
            screen = self.registry.screen
            index = stand_in_index(name, screen.splits, screen.columns, self.registry.experiments)
            drawn_from = f"{len(self.registry.experiments)} batches that are taken to be of one size"
        if index is None:
            if Split.named(name).form == "tasks":
                return "the metadata alone says which images train, and which are of a task"
            return "batches are no experiments, so that the metadata alone says which there are"
        try:
            drawn = _drawn(name, index, self.registry)
        except UserError as error:
            return f"it cannot be drawn: {error}"
        return _counted(drawn, index, images, f"drawn from {drawn_from}")


def _drawn(name: str, index: pd.DataFrame, registry: Registry) -> pd.DataFrame:
    log = logging.getLogger("debatch.screen.splits")
    before, log.disabled = log.disabled, True  # its warnings are for the job that draws it for good
    try:
        return make_split(name, index, registry.screen.splits)
    finally:
        log.disabled = before


def _counted(split: pd.DataFrame, index: pd.DataFrame, images: int, basis: str) -> SplitSize:
    """Images of a split, by the share of an index that its subsets are: one field of view may be several images."""
    trained = images_in(split, "train")
    train, scored = (round(len(own) * images / len(index)) for own in (trained, scored_images(split)))
    return SplitSize(train, scored, int(index.loc[index["image_id"].isin(trained), "batch"].nunique()), basis)
