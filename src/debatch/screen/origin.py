"""Where a screen's raw images and metadata lie: where its file says, or where a simulated one was drawn."""

from pathlib import Path

from debatch.config.read import expand
from debatch.config.screen import Screen, Source
from debatch.files import Files
from debatch.screen.simulate import CHANNELS


def raw_source(screen: Screen, files: Files) -> Source:
    """The source of raw images, its root expanded."""
    if screen.source is not None:
        return screen.source.model_copy(update={"root": expand(screen.source.root)})
    return Source(
        root=files.raw_root(),
        pattern="{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.tif",
        channels={str(number): name for number, name in enumerate(CHANNELS, start=1)},
    )


def metadata_file(screen: Screen, files: Files) -> Path:
    """The well catalogue's file."""
    return Path(expand(screen.metadata.file)) if screen.metadata else Path(files.raw_metadata())
