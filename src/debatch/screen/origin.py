"""Where a screen's raw images and metadata lie: where its file says, or where a simulated one was drawn."""

from debatch.config.images import Source
from debatch.config.metadata import MetadataFile
from debatch.config.read import expand
from debatch.config.screen import Screen
from debatch.files import Files


def raw_source(screen: Screen, files: Files) -> Source:
    """The source of raw images, its root expanded; of a screen in parts, ask by `Screen.of_part`."""
    if screen.source is not None:
        return screen.source.model_copy(update={"root": expand(screen.source.root)})
    assert screen.simulate is not None
    return Source(
        root=files.raw_root(),
        pattern="{experiment}/Plate{plate:d}/{well}_s{site:d}_w{channel}.tif",
        channels={str(number): name for number, name in enumerate(screen.simulate.channel_names(), start=1)},
    )


def metadata_tables(screen: Screen, files: Files) -> list[MetadataFile]:
    """The well catalogue's files, their names expanded; none where wells are those of the file names."""
    if screen.simulated:
        return [MetadataFile(file=files.raw_metadata())]
    return screen.metadata.tables() if screen.metadata else []
