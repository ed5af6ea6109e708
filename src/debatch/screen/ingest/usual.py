"""What most images of an experiment are like, and fields held against it, alike by ingestion and by `check`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from debatch.config.images import ImageProcessing, Store
from debatch.errors import DataError
from debatch.screen.ingest.decode import ImageProblem, Planes
from debatch.screen.ingest.plan import Field
from debatch.screen.ingest.process import process
from debatch.screen.nouns import Noun

FIELDS_THAT_TELL = 25


@dataclass(frozen=True)
class Usual:
    """What differs from it is a problem.

    Attributes:
        shape: (H, W) of a plane.
        dtypes: bit depth of each channel.
        planes: those that a file holds; None where a file is of one channel.
    """

    shape: tuple[int, ...]
    dtypes: tuple[np.dtype, ...]
    planes: Planes | None

    def blank(self) -> list[np.ndarray]:
        """C empty planes (H, W)."""
        return [np.zeros(self.shape, dtype) for dtype in self.dtypes]


def usual_of(fields: Sequence[Field]) -> Usual | None:
    """What most of the first fields that can be read are like; None where none can."""
    shapes: Counter[tuple[int, ...]] = Counter()
    planes: Counter[Planes] = Counter()
    dtypes: list[Counter[np.dtype]] = [Counter() for _ in (fields[0].channels if fields else ())]
    for field in fields:
        try:
            read, there = field.read()
        except ImageProblem:
            continue
        planes[there] += 1
        for depth, plane in zip(dtypes, read, strict=True):
            shapes[plane.shape] += 1
            depth[plane.dtype] += 1
        if planes.total() == FIELDS_THAT_TELL:
            break
    if not shapes:
        return None
    several = fields[0].one_for_all
    return Usual(
        shapes.most_common(1)[0][0],
        tuple(depth.most_common(1)[0][0] for depth in dtypes),
        planes.most_common(1)[0][0] if several else None,
    )


def read_field(field: Field, usual: Usual, noun: Noun) -> list[np.ndarray]:
    """A field's planes, C of (H, W).

    Args:
        field: to read.
        usual: what its experiment's fields are like.
        noun: for those, in messages.

    Raises:
        ImageProblem: one cannot be read, or differs from the usual; with the file and the channel.
    """
    planes: list[np.ndarray] = []
    most = f"most {noun.many} of the experiment"
    try:
        for plane in field.planes(usual.planes):
            depth = usual.dtypes[len(planes)]
            if plane.shape != usual.shape:
                raise ImageProblem(f"{size_words(plane.shape)} pixels; {most} have {size_words(usual.shape)}")
            if plane.dtype != depth:
                raise ImageProblem(f"{plane.dtype}; {most} are {depth}")
            planes.append(plane)
    except ImageProblem as problem:
        raise field.at_fault(problem, len(planes)) from None
    return planes


def blank_images(
    usual: Usual, image: ImageProcessing, ranges: np.ndarray | None, store: Store, where: str
) -> np.ndarray:
    """(T, C, H, W) what a usual field would be stored as.

    Args:
        usual: what the fields are like.
        image: what is done to them.
        ranges: (C, 2), as `stored_ranges` gives them.
        store: how they are kept.
        where: the experiment, for messages.

    Raises:
        DataError: it is smaller than the crop, or than what is averaged or cut from it.
        ConfigError: as `process`.
    """
    try:
        return process(usual.blank(), image, ranges, store.dtype).tiles
    except ImageProblem as problem:
        raise DataError(f"{where}: {problem}") from None


def size_words(shape: tuple[int, ...]) -> str:
    """A size as in `48 x 64`."""
    return " x ".join(map(str, shape))
