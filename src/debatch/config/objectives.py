"""What a run may minimise: a section for each objective, told apart by `kind`."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from debatch.config.base import Section
from debatch.config.read import TAG


class _BatchHead(Section):
    batch_head_rate: float = Field(
        1.0,
        gt=0,
        description="Learning rate of the head that predicts the batch, as a multiple of the network's.",
    )


class Classification(_BatchHead):
    """Cross entropy of the labels, and of the batch by a head that reads the embedding or works against it."""

    kind: Literal["classification"] = Field("classification", description="Which objective it is.")
    mixing: Literal["cutmix", "mixup", "none"] = Field("cutmix", description="Mixing of images within a group.")
    gradient_reversal: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Largest strength at which the batch head's gradient is reversed on its way into the network "
        "(gradient reversal); 0: the head only measures.",
    )
    reversal_schedule: Literal["dann", "constant"] = Field(
        "dann",
        description="How the reversal grows: 2 / (1 + exp(-10 p)) - 1 of it at a share p of training (DANN), or not.",
    )
    batch_loss_weight: float = Field(1.0, ge=0, description="Weight of the batch head's loss.")


class SupCon(_BatchHead):
    """Supervised contrastive learning: two views of an image, and images with its label, are drawn together."""

    kind: Literal["supcon"] = Field("supcon", description="Which objective it is.")
    # 0.1 and 128: Khosla et al. 2020
    temperature: float = Field(
        0.1, gt=0, description="Temperature of the similarities: the lower it is, the more the nearest images count."
    )
    projection_width: int = Field(128, ge=2, description="Length of the projections that are compared.")


_DEFAULT = "classification"


def _kind(value: Any) -> str:
    kind = value.get("kind", _DEFAULT) if isinstance(value, dict) else getattr(value, "kind", _DEFAULT)
    return f"{TAG}{kind}"


Objective = Annotated[
    Annotated[Classification, Tag(f"{TAG}classification")] | Annotated[SupCon, Tag(f"{TAG}supcon")],
    Discriminator(_kind),
]


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A recipe's stated keys over another's. Of one kind of objective the keys join; another kind stands alone."""
    first, second = below.get("objective"), above.get("objective")
    joined = {**below, **above}
    if first is not None and second is not None and first.kind == second.kind:
        joined["objective"] = type(second)(**{**first.stated(), **second.stated()})
    return joined
