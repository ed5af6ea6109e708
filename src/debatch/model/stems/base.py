"""What a stem is: a backbone that is told the names of the channels that it sees."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from debatch.config.recipe import Recipe
from debatch.errors import DataError

ChannelSets = Sequence[Sequence[str]]
RGB = 3  # channels of the images that backbones are pretrained on


class Vocabulary:
    """The channels that a network knows by name.

    Attributes:
        sets: of the parts that it is trained on, each once.
        names: V names, of all parts.
    """

    def __init__(self, channel_sets: ChannelSets) -> None:
        self.sets = list(dict.fromkeys(map(tuple, channel_sets)))
        self.names = list(dict.fromkeys(name for own in self.sets for name in own))

    def positions(self, channels: Sequence[str]) -> list[int]:
        """(C,) where channels stand among the V names.

        Raises:
            DataError: the network does not know one.
        """
        for name in channels:
            if name not in self.names:
                raise DataError(f"the network knows no channel {name!r}; it was trained on {', '.join(self.names)}")
        return [self.names.index(name) for name in channels]

    def set_of(self, channels: Sequence[str]) -> tuple[int, list[int]]:
        """Which of the sets some channels are, in any order; and (C,) where each of that set stands among them.

        Raises:
            DataError: they are none of the sets.
        """
        for number, own in enumerate(self.sets):
            if sorted(own) == sorted(channels):
                return number, [channels.index(name) for name in own]
        raise DataError(
            f"the network was trained on images with the channels {'; '.join(map(', '.join, self.sets))}, and its stem "
            f"takes no other set of them; these have {', '.join(channels)}"
        )


class Stem(nn.Module, ABC):
    """A backbone, and what stands before it.

    Args:
        recipe: of the run.
        channels: that it knows.

    Attributes:
        features: F, how many it gives.
    """

    features: int

    def __init__(self, recipe: Recipe, channels: Vocabulary) -> None:
        super().__init__()
        self.channels = channels

    @abstractmethod
    def forward(self, images: Tensor, channels: Sequence[str]) -> Tensor:
        """Standardised images (n, C, H, W) and the names of their C channels to features (n, F)."""

    def take_penalty(self) -> Tensor | None:
        """() what it adds to the loss of the images since it was last asked; None: nothing."""
        return None

    @abstractmethod
    def backbones(self) -> list[nn.Module]:
        """The backbones in it."""

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """As timm's networks have it."""
        for backbone in self.backbones():
            backbone.set_grad_checkpointing(enable)  # type: ignore[operator]
