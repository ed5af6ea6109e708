"""Named corrections: what changes embeddings after training, and what it may see of a test batch to do so."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from debatch.config.base import Section
from debatch.config.read import check_entry_name, nearest, read_yaml, validate
from debatch.errors import ConfigError
from debatch.files import UNCORRECTED

# What a correction saw of a test batch. controls: which of its wells are controls, and those wells' embeddings;
# images: all of its embeddings, without a label.
Sees = Literal["controls", "images"]
# Names that files of embeddings have already.
RESERVED = {UNCORRECTED: "embeddings as they are", "training": "embeddings of training images"}


class NamedCorrection(Section):
    """What every correction has."""

    title: str | None = Field(None, description="Name in tables and figures; null: the correction's own.")
    description: str = Field("", description="One sentence for the report.")


class _Reference(NamedCorrection):
    reference: Literal["controls", "all"] = Field(
        "controls",
        description="Images of a batch that give its statistics: its control wells, positive and negative, or all of "
        "it.",
    )

    @property
    def sees(self) -> Sees:
        """What of a test batch it saw."""
        return "controls" if self.reference == "controls" else "images"


class ZNorm(_Reference):
    """Each batch less its reference's mean, over its reference's standard deviation."""

    kind: Literal["znorm"] = Field(description="Which correction it is.")


class MadRobustize(_Reference):
    """Each batch less its reference's median, over its reference's median absolute deviation."""

    kind: Literal["mad_robustize"] = Field(description="Which correction it is.")


class _Whitening(NamedCorrection):
    # of a screen with few untreated wells, as RxRx1, negative ones alone would not do
    reference: Literal["controls", "negative_controls"] = Field(
        "controls",
        description="Wells that it is fitted on: all controls, or negative ones alone, which keeps the phenotypes of "
        "positive ones out and needs many of them.",
    )


class Sphering(_Whitening):
    """Principal components in which the controls of all batches together are white."""

    kind: Literal["sphering"] = Field(description="Which correction it is.")
    # 128: what EFAAR_benchmarking keeps of RxRx3's embeddings (Celik et al. 2024)
    components: int = Field(128, ge=1, description="Principal components of the controls, at most.")
    # 0.01: the usual small value of whitening code for profiles (after Moshkov et al. 2024, Nat Commun 15:1594), there
    # absolute; here a share, to be free of scale
    ridge: float = Field(
        0.01, gt=0, description="Added to the variance of each component, as a share of their mean variance."
    )
    sees: ClassVar[Sees] = "controls"


class Tvn(_Whitening):
    """Typical variation normalization: sphering, then each batch's controls aligned to those of all."""

    kind: Literal["tvn"] = Field(description="Which correction it is.")
    # 128: what EFAAR_benchmarking keeps of RxRx3's embeddings (Celik et al. 2024)
    components: int = Field(128, ge=1, description="Principal components of the controls, at most.")
    # 0.5: what EFAAR_benchmarking adds to the covariances of components of unit variance
    ridge: float = Field(
        0.5,
        gt=0,
        description="Added to the variance of each component, as a share of their mean variance: in sphering, and in "
        "the covariances that are aligned.",
    )
    sees: ClassVar[Sees] = "controls"


class Combat(NamedCorrection):
    """ComBat: each batch's mean and variance of each feature, shrunk towards those of all features."""

    kind: Literal["combat"] = Field(description="Which correction it is.")
    sees: ClassVar[Sees] = "images"


class Harmony(NamedCorrection):
    """Harmony: principal components less what separates batches within soft clusters."""

    kind: Literal["harmony"] = Field(description="Which correction it is.")
    # 50: what Scanpy and Seurat hand to Harmony
    components: int = Field(50, ge=1, description="Principal components, at most.")
    seed: int = Field(0, ge=0, description="Seed of the clusters that it begins with.")
    sees: ClassVar[Sees] = "images"


class Mnn(NamedCorrection):
    """Mutual nearest neighbours (fastMNN): batches merged one after another along what parts neighbours."""

    kind: Literal["mnn"] = Field(description="Which correction it is.")
    # 50 and 20: fastMNN's own (Bioconductor's batchelor)
    components: int = Field(50, ge=1, description="Principal components, at most.")
    neighbors: int = Field(20, ge=1, description="Neighbours in the other batch among which a pair must be mutual.")
    sees: ClassVar[Sees] = "images"


Correction = Annotated[
    ZNorm | MadRobustize | Sphering | Tvn | Combat | Harmony | Mnn,
    Field(discriminator="kind"),
]
_MODELS: dict[str, Any] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (ZNorm, MadRobustize, Sphering, Tvn, Combat, Harmony, Mnn)
}


def read_corrections(path: Path) -> dict[str, Correction]:
    """The corrections of a YAML file, by name.

    Raises:
        ConfigError: as `validate_corrections`.
    """
    return validate_corrections(read_yaml(path), str(path))


def validate_corrections(data: Any, where: str) -> dict[str, Correction]:
    """Make corrections of what a file holds, by name.

    Raises:
        ConfigError: a wrong name, kind, key or value.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected corrections by name")
    corrections = {}
    for name, keys in data.items():
        if check_entry_name(name, where, "correction") in RESERVED:
            raise ConfigError(f"{where}: `{name}` is the name of {RESERVED[name]}; choose another")
        kind = keys.get("kind") if isinstance(keys, dict) else None
        if kind is None:
            raise ConfigError(f"{where}: {name}: the key `kind` is missing; there is: {', '.join(sorted(_MODELS))}")
        if not isinstance(kind, str) or kind not in _MODELS:
            raise ConfigError(f"{where}: {name}: no kind {kind!r}{nearest(str(kind), list(_MODELS))}")
        corrections[name] = validate(_MODELS[kind], keys, f"{where}: {name}")
    return corrections
