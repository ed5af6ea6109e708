"""A recipe: all hyper-parameters of a run. Its defaults are the RxRx1 paper's training."""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from debatch.config.backbones import Backbone
from debatch.config.base import Section, Size, height_and_width
from debatch.config.objectives import Byol, Classification, Dino, Objective, laid_over
from debatch.config.statistics import RECIPE_STATISTICS
from debatch.config.stems import ChannelTokens, Plain, Stem
from debatch.errors import ConfigError

Normalization = Literal["self", "plate", "plate_controls", "experiment", "experiment_controls", "all"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)
Arithmetic = Literal["bfloat16", "float32"]
Precision = Literal["auto", Arithmetic]
# what other tools call them; float16 itself is not offered: it needs its losses scaled
OTHER_WORDS = {
    "bfloat16": ("bf16", "half", "fp16", "float16", "16", "16-mixed", "bf16-mixed", "mixed", "amp"),
    "float32": ("fp32", "f32", "single", "full", "32", "32-true", "tf32"),
}
LearnFrom = Literal["all", "controls", "treatments", "half_of_treatments", "half_of_images"]
Label = Literal["perturbation", "mechanism"]
TestStatistics = Annotated[str, Field(pattern=f"^(?:{RECIPE_STATISTICS})$")]

# Families of timm that have no batch normalization, by the start of their names. It only serves to say so before
# anything runs: the training job looks at the network itself.
WITHOUT_BATCH_NORM = (
    "beit", "cait", "convnext", "crossvit", "deit", "dinov2", "eva", "flexivit", "mixer", "mlp_mixer", "pit_",
    "poolformer", "samvit", "small_vit", "swin", "twins", "vit_", "xcit",
)  # fmt: skip


class Swad(Section):
    """The mean of the weights over the steps at which the validation loss is low (SWAD, Cha et al. 2021)."""

    # 3, 6 and 0.3: the authors' code
    validation: float = Field(
        0.1, gt=0, le=0.5, description="Share of each label's training wells that only tell the validation loss."
    )
    every: int = Field(50, ge=1, description="Optimizer steps between two looks at the validation loss.")
    settle: int = Field(3, ge=1, description="Looks of which the first must be the lowest: there the valley begins.")
    leave: int = Field(6, ge=1, description="Looks in a row beyond the tolerance that end the valley before them.")
    tolerance: float = Field(
        0.3, ge=0, description="How far the loss may rise in the valley, as a share of its mean over its first looks."
    )


class Recipe(Section):
    """Every choice that decides what a run learns. Screens and methods state only what they change."""

    objective: Objective = Field(
        default_factory=Classification,
        description="What training minimises, by its `kind`; classification where none is named.",
    )
    backbone: Backbone = Field(
        "densenet161",
        description="Name of any timm model, or for small images: small_resnet, small_resnet_2, small_resnet_3, "
        "small_densenet, small_densenet_wide, small_vit.",
    )
    stem: Stem = Field(
        default_factory=Plain,
        description="How the network takes images of its channels, by `kind` or by that name alone: plain, where all "
        "images have the same channels; or one of those that know channels by name, for parts that differ in them.",
    )
    weights: str | None = Field(
        None,
        description="Local file with pretrained backbone weights, .safetensors or a state dict of torch; the three "
        "kernels of colour images are repeated over the channels. Relative to this file; ~, $VAR and ${VAR:-default} "
        "expand; null: from scratch.",
    )
    starts_from: str | None = Field(
        None,
        description="A method whose trained backbone, of the same split and seed, the training starts with, in place "
        "of `weights`; null: none. Both need the same backbone, stem and channels.",
    )
    label: Label = Field(
        "perturbation",
        description="What a training image is an example of: its well's perturbation, or its mechanism "
        "(`columns.mechanism` of the screen), where only images whose mechanism is known train.",
    )
    pixels: Size = Field(
        512,
        description="Side of the network's input, or its [height, width] where images are not square; larger images "
        "are area-averaged, smaller ones refused.",
    )
    embedding_width: Annotated[int, Field(ge=2)] | None = Field(
        1024,
        description="Length of the embedding, and of the layer before it; null: no such layers, the embedding is what "
        "the backbone gives.",
    )
    channels: list[str] | None = Field(
        None, min_length=1, description="Names of the channels that the network sees, of the screen's; null: all."
    )
    parts: list[str] | None = Field(
        None,
        min_length=1,
        description="Parts of the screen whose images train the network and are embedded; null: all that have its "
        "`channels`.",
    )
    normalization: Normalization = Field("self", description="How pixels are standardised.")
    batch_norm: Literal["standard", "adaptive"] = Field(
        "standard",
        description="What a batch-norm group holds in training: random images, or images of one batch (AdaBN).",
    )
    test_statistics: TestStatistics | None = Field(
        None,
        description="Whose images give the batch-norm statistics of inference: train (a fixed set of training "
        "images), batch (those of the image's own batch), plate, mini_batch (a random group of the batch); or fewer: "
        "controls or treatments (wells of the batch), n32 (32 images of it), controls_n32; plate_controls, plate_n32 "
        "and so on of the plate. Null: `batch` under adaptive batch norm, else `train`.",
    )
    statistics_images: int = Field(
        6400, ge=2, description="Training images that the `train` statistics are computed from."
    )
    learn_from: LearnFrom = Field(
        "all",
        description="Training images that the network learns from: all of the split's; controls; treatments; "
        "half_of_treatments (every second treatment, and controls); half_of_images (of each treatment on a plate every "
        "second image, and controls). Statistics and classifiers of embeddings are of all of them.",
    )
    group: int = Field(
        64,
        ge=4,
        description="Images in a batch-norm group: the unit of a forward pass. Objectives that compare a step's images "
        "with each other (dino, byol) take a whole step of the screen's training as one group.",
    )
    groups_per_step: int = Field(
        8, ge=1, description="Groups whose gradients an optimizer step averages, or a few more: no small step is left."
    )
    epochs: int = Field(100, ge=0, description="Passes over the training images; 0: the network as it starts.")
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="Optimizer.")
    learning_rate: float = Field(0.1024, gt=0, description="Peak learning rate at `learning_rate_images`.")
    learning_rate_images: int = Field(
        512, ge=1, description="Images a step that `learning_rate` is stated for; it scales linearly."
    )
    warmup_epochs: float = Field(5.0, ge=0, description="Epochs of linear warm-up, before the cosine.")
    final_learning_rate: float = Field(
        0.0, ge=0, description="Learning rate at which the cosine ends, at `learning_rate_images`."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    weight_decay: float = Field(
        0.0001, ge=0, description="Weight decay of weight matrices and kernels; never of biases and norms."
    )
    final_weight_decay: float | None = Field(
        None, ge=0, description="Weight decay at the end, to which half a cosine leads; null: it stays."
    )
    gradient_clip: float | None = Field(
        None,
        gt=0,
        description="Largest length of a step's gradient, of all weights but those of heads that only measure; null: "
        "as it is.",
    )
    augmentation: Literal["dihedral", "crop", "none"] = Field(
        "dihedral",
        description="dihedral: random flips and quarter turns of each image; crop: a rectangle of 80 to 100 % of it, "
        "flipped left to right in half of the draws.",
    )
    thin_plate_spline: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability that a training image is bent by a thin-plate spline, under objectives of one view "
        "or two whole views.",
    )
    swad: Swad | None = Field(
        None,
        description="Whether the run's weights are the mean over a valley of its validation loss, and its settings; "
        "null: those of the last step.",
    )
    snapshot_every: int = Field(
        5,
        ge=0,
        description="Epochs between the weights that are kept for test accuracy while training, on splits whose test "
        "batches are unseen; 0: none are kept.",
    )
    precision: Precision = Field(
        "auto",
        description="Arithmetic of training; batch-norm statistics and losses are float32 in both. auto: bfloat16 "
        "where the GPU computes it in hardware (compute capability 8.0 or more), else float32, on every CPU.",
    )
    checkpointing: bool = Field(
        False,
        description="Keep fewer of the backbone's outputs in memory in training and compute them again in the backward "
        "pass: less memory, more time, the same gradients but for rounding.",
    )
    shuffle_labels: bool = Field(
        False, description="A null: the training wells' labels are permuted, so that nothing can be learned."
    )

    @field_validator("precision", mode="before")
    @classmethod
    def _named_by_another_word(cls, value: Any) -> Any:
        for own, others in OTHER_WORDS.items():
            if str(value).lower() in others:
                raise ValueError(f"{value!r} is not one of 'auto', 'bfloat16' or 'float32'; did you mean {own!r}?")
        return value

    @model_validator(mode="after")
    def _resolvable(self) -> "Recipe":
        if self.adapts and self.backbone.startswith(WITHOUT_BATCH_NORM):
            raise ValueError(
                f"adaptive batch normalization is asked for, but the backbone {self.backbone!r} has no batch "
                "normalization; choose a backbone that has (densenet, resnet, efficientnet, …) or leave out "
                "`batch_norm: adaptive` and `test_statistics: batch`"
            )
        if self.swad is not None and isinstance(self.objective, Dino | Byol):
            raise ValueError(
                f"`swad` looks at a validation loss, and the objective {self.objective.kind!r} has none that says "
                "when its network is good: leave `swad` out"
            )
        if isinstance(self.stem, ChannelTokens) and not self.backbone.startswith(("vit_", "deit")):
            raise ValueError(
                f"`stem: channel_tokens` is for vision transformers, and the backbone {self.backbone!r} is none; take "
                "another stem, or a backbone like deit_small_patch16_224"
            )
        return self

    @property
    def names_channels(self) -> bool:
        """Whether its network knows channels by name, so that images of other channels pass through it too."""
        return not isinstance(self.stem, Plain)

    @property
    def adapts(self) -> bool:
        """Whether batch-norm statistics follow the image's batch, in training or at test."""
        return self.batch_norm == "adaptive" or self.test_statistics not in (None, "train")

    @property
    def has_adversary(self) -> bool:
        """Whether the batch head's gradient is reversed on its way into the network."""
        return isinstance(self.objective, Classification) and self.objective.gradient_reversal > 0

    @property
    def compares_images(self) -> bool:
        """Whether the loss is of a step's images together: of fewer it would be another loss."""
        return self.objective.compares_images

    @property
    def inference(self) -> str:
        """The test-time statistics that the recipe comes to."""
        return self.test_statistics or ("batch" if self.batch_norm == "adaptive" else "train")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return height_and_width(self.pixels)

    @property
    def side(self) -> int:
        """The side of a square with as many pixels as the network's input."""
        return round(math.prod(self.size) ** 0.5)

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate scaled to the images of this recipe's step."""
        return self.learning_rate * self.images_per_step / self.learning_rate_images

    @property
    def last_learning_rate(self) -> float:
        """Where the schedule ends, likewise scaled."""
        return self.final_learning_rate * self.images_per_step / self.learning_rate_images

    @property
    def images_per_step(self) -> int:
        """Of an optimizer step."""
        return self.group * self.groups_per_step


class Method(Recipe):
    """A named recipe: what it changes of the screen's training."""

    weights_of: str | None = Field(
        None,
        description="A method whose trained weights serve, so that nothing is trained again; only `test_statistics` "
        "may differ from it.",
    )
    title: str | None = Field(None, description="Name in tables and figures; null: the method's own.")
    description: str = Field("", description="One sentence for the report.")


class Variation(Recipe):
    """A change of methods' recipes, tried on each of them: a row of a table."""

    title: str | None = Field(None, description="Name of the row; null: the variation's own.")

    def changes_nothing(self) -> bool:
        """Whether it is the screen's own training, whatever that is."""
        return not self.stated().keys() - {"title"}


def resolve_recipe(training: Recipe, method: Method, name: str) -> Recipe:
    """Lay a method's changes over a screen's training.

    Raises:
        ConfigError: the two together are not a recipe that can be trained.
    """
    changes = {key: value for key, value in method.stated().items() if key in Recipe.model_fields}
    try:
        recipe = Recipe.model_validate(laid_over(training.stated(), changes))
        if recipe.compares_images and not {"group", "groups_per_step"} & changes.keys():
            return recipe.model_copy(update={"group": recipe.images_per_step, "groups_per_step": 1})
        return recipe
    except ValueError as error:
        reason = str(error).split("Value error, ")[-1].split(" [type=")[0]
        raise ConfigError(f"method {name!r}: {reason}") from None
