"""What a run may minimise: a section for each objective, told apart by `kind`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from debatch.config.base import Section, Size
from debatch.config.read import TAG


class _BatchHead(Section):
    # whether the loss is of a step's images together: of fewer it would be another loss
    compares_images: ClassVar[bool] = False
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


class Proxy(_BatchHead):
    """ProxyNCA++: images are drawn to a learned proxy of their class, away from all others (Teh et al. 2020)."""

    kind: Literal["proxy"] = Field("proxy", description="Which objective it is.")
    temperature: float = Field(
        0.07, gt=0, description="What squared distances to the proxies are divided by: the lower, the harder they pull."
    )
    proxy_rate: float = Field(
        10.0, gt=0, description="Learning rate of the proxies, as a multiple of the network's; no paper gives it."
    )
    contrast: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the loss in which two views of an image are drawn together (NT-Xent, as in SimCLR), "
        "beside that of the proxies; 0: none; 1: it alone.",
    )
    contrast_temperature: float = Field(0.07, gt=0, description="Temperature of the similarities of views.")
    miro: float = Field(
        0.0,
        ge=0,
        description="Weight at which features of stem and stages are held to those of the network as it began, so of "
        "its pretrained weights (MIRO); 0: they are not.",
    )
    miro_rate: float = Field(
        10.0, gt=0, description="Learning rate of how far they may be from them, as a multiple of the network's."
    )


Between = Annotated[list[float], Field(min_length=2, max_length=2)]


class SelfSupervised(_BatchHead):
    """What objectives share that compare views of an image, or of an image and its partner."""

    compares_images: ClassVar[bool] = True
    partner: Literal["none", "other_batch", "any_batch"] = Field(
        "none",
        description="Whose image gives the second view: none: the image itself; other_batch: another image of its "
        "perturbation from another batch; any_batch: from any batch.",
    )
    barlow: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the loss that Barlow's is of, beside the objective's own; 0: none; 1: Barlow's alone.",
    )
    view_pixels: Size | None = Field(
        None,
        description="Side of a large view, or its [height, width]; null: `pixels`. Smaller ones should show as much "
        "smaller a share of the image (`scale`): cells are then as large in training as at inference.",
    )
    scale: Between = Field(
        [0.9, 1.0], description="Least and largest share of an image's area that a large view shows; 1 at most."
    )

    @field_validator("scale", "local_scale", check_fields=False)
    @classmethod
    def _shares_of_an_area(cls, value: list[float]) -> list[float]:
        low, high = value
        if not 0 < low <= high <= 1:
            raise ValueError(f"shares of an image's area are [low, high] with 0 < low <= high <= 1, not {value}")
        return value


class Dino(SelfSupervised):
    """DINO: the student predicts what its teacher, a running mean of it, makes of another view (Caron et al. 2021)."""

    # the released settings of CDCL on RxRx1, whose code reads no others
    kind: Literal["dino"] = Field("dino", description="Which objective it is.")
    local_views: int = Field(
        6, ge=0, description="Small views that the student alone sees, half of them of the partner where there is one."
    )
    local_pixels: Size | None = Field(
        None, description="Side of a small view, or its [height, width]; null: half of a large one's."
    )
    local_scale: Between = Field(
        [0.3, 0.5], description="Least and largest share of an image's area that a small view shows."
    )
    head_width: int = Field(1024, ge=2, description="Width of the two hidden layers of the projection head.")
    head_norm: bool = Field(False, description="Batch norm in the projection head.")
    bottleneck: int = Field(512, ge=2, description="Width before the prototypes.")
    prototypes: int = Field(4096, ge=2, description="K, the number of outputs.")
    frozen_epochs: float = Field(1.0, ge=0, description="Epochs until the prototypes learn.")
    student_temperature: float = Field(0.1, gt=0, description="Temperature of the student's softmax.")
    teacher_temperature: Between = Field(
        [0.04, 0.07], description="First and last temperature of the teacher's softmax."
    )
    teacher_temperature_epochs: float = Field(10.0, ge=0, description="Epochs until the last one is reached.")
    teacher_momentum: Between = Field(
        [0.995, 0.9996], description="First and last share of itself that the teacher keeps at a step."
    )
    centres: Literal["one", "batch", "plate"] = Field(
        "one",
        description="Whose teacher outputs are averaged for the centre that is taken off: of all images, or of "
        "each batch or plate.",
    )
    centre_momentum: float = Field(0.9, ge=0, lt=1, description="Share of itself that a centre keeps at a step.")


class Byol(SelfSupervised):
    """BYOL: the student predicts its teacher's projection of another view (Grill et al. 2020)."""

    kind: Literal["byol"] = Field("byol", description="Which objective it is.")
    projector_width: int = Field(4096, ge=2, description="Hidden width of projector and predictor.")
    projection_width: int = Field(256, ge=2, description="Width of what is compared.")
    teacher_momentum: Between = Field(
        [0.99, 1.0], description="First and last share of itself that the teacher keeps at a step."
    )


_DEFAULT = "classification"


def _kind(value: Any) -> str:
    kind = value.get("kind", _DEFAULT) if isinstance(value, dict) else getattr(value, "kind", _DEFAULT)
    return f"{TAG}{kind}"


Objective = Annotated[
    Annotated[Classification, Tag(f"{TAG}classification")]
    | Annotated[SupCon, Tag(f"{TAG}supcon")]
    | Annotated[Proxy, Tag(f"{TAG}proxy")]
    | Annotated[Dino, Tag(f"{TAG}dino")]
    | Annotated[Byol, Tag(f"{TAG}byol")],
    Discriminator(_kind),
]


# keys of a recipe that hold a section of one of several kinds
_OF_A_KIND = ("objective", "stem")


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A recipe's stated keys over another's. Of one kind of objective or stem the keys join; another stands alone."""
    joined = {**below, **above}
    for key in _OF_A_KIND:
        first, second = below.get(key), above.get(key)
        if first is not None and second is not None and first.kind == second.kind:
            joined[key] = type(second)(**{**first.stated(), **second.stated()})
    return joined
