"""How a network takes images of its channels: a section for each way, told apart by `kind`, or its name alone."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from debatch.config.base import Section
from debatch.config.read import TAG

Weights = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]


class Plain(Section):
    """The backbone as it is: all images have the same channels, and each is known by its place."""

    kind: Literal["plain"] = Field("plain", description="Which stem it is.")


class ChannelReplication(Section):
    """Each channel by itself, as a grey image, through one network of three channels; the features side by side."""

    kind: Literal["channel_replication"] = Field("channel_replication", description="Which stem it is.")
    frozen: bool = Field(True, description="Leave the backbone as it is, so that only what follows it learns.")


class FixedChannels(Section):
    """A backbone of its own for each set of channels: what other stems are held against."""

    kind: Literal["fixed_channels"] = Field("fixed_channels", description="Which stem it is.")


class Depthwise(Section):
    """Filters for each channel alone, whose maps are summed over the channels by weights that are learned."""

    kind: Literal["depthwise"] = Field("depthwise", description="Which stem it is.")
    filters: int = Field(64, ge=1, description="Maps that each channel is filtered to.")


class TargetParam(Section):
    """A first convolution for each set of channels, before one backbone for all."""

    kind: Literal["target_param"] = Field("target_param", description="Which stem it is.")


class SliceParam(Section):
    """A kernel for each channel by name; an image's first convolution is put together from those of its channels."""

    kind: Literal["slice_param"] = Field("slice_param", description="Which stem it is.")


class HyperNet(Section):
    """A small network makes each channel's kernel from what is learned of the channel (Ha et al. 2016)."""

    kind: Literal["hypernet"] = Field("hypernet", description="Which stem it is.")
    embedding: int = Field(128, ge=1, description="Numbers that are learned of each channel.")
    hidden: int = Field(256, ge=1, description="Width of the small network's hidden layer.")


class TemplateMixing(Section):
    """Each channel's kernel is a mixture of templates (Plummer et al. 2022)."""

    kind: Literal["template_mixing"] = Field("template_mixing", description="Which stem it is.")
    templates: int = Field(128, ge=1, description="Templates that all channels share.")


class ChannelTokens(Section):
    """A token for each patch of each channel (ChannelViT, Bao et al. 2024). Of vision transformers alone."""

    kind: Literal["channel_tokens"] = Field("channel_tokens", description="Which stem it is.")
    sample: bool = Field(
        True, description="In training a group is shown by a random number of its channels, drawn at random."
    )
    # both of DiChaViT (Pham and Plummer 2024)
    channel_diversity: float = Field(
        0.0, ge=0, description="Weight at which each channel's embedding is drawn to a proxy of its own alone."
    )
    channel_temperature: float = Field(
        0.07, gt=0, description="What squared distances to those proxies are divided by."
    )
    token_diversity: Weights = Field(
        [0.0, 0.0], description="Weights of the mean cosine of patches of one channel, and of two channels."
    )


_DEFAULT = "plain"


def _kind(value: Any) -> str:
    kind = value.get("kind", _DEFAULT) if isinstance(value, dict) else getattr(value, "kind", _DEFAULT)
    return f"{TAG}{kind}"


def _section(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


_Sections = Annotated[
    Annotated[Plain, Tag(f"{TAG}plain")]
    | Annotated[ChannelReplication, Tag(f"{TAG}channel_replication")]
    | Annotated[FixedChannels, Tag(f"{TAG}fixed_channels")]
    | Annotated[Depthwise, Tag(f"{TAG}depthwise")]
    | Annotated[TargetParam, Tag(f"{TAG}target_param")]
    | Annotated[SliceParam, Tag(f"{TAG}slice_param")]
    | Annotated[HyperNet, Tag(f"{TAG}hypernet")]
    | Annotated[TemplateMixing, Tag(f"{TAG}template_mixing")]
    | Annotated[ChannelTokens, Tag(f"{TAG}channel_tokens")],
    Discriminator(_kind),
]
_Names = Literal[
    "plain", "channel_replication", "fixed_channels", "depthwise", "target_param", "slice_param", "hypernet",
    "template_mixing", "channel_tokens",
]  # fmt: skip
# a stem without settings of its own is as readable by its name alone
Stem = Annotated[_Sections, BeforeValidator(_section, json_schema_input_type=_Names | _Sections)]
