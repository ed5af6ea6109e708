"""Names of backbones, known before anything runs: torch and timm take seconds to import, which jobs alone pay for."""

from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from debatch.config.read import nearest

# networks for images of about 64 pixels; `debatch.model.backbones` builds them
SMALL_BACKBONES = (
    "small_resnet", "small_resnet_2", "small_resnet_3", "small_densenet", "small_densenet_wide", "small_vit",
)  # fmt: skip
TIMM_MODELS = Path(__file__).with_name("timm_models.txt")
# where timm's models are known by a longer name: they are called by the rest of it
_SOURCES = ("hf-hub:", "hf_hub:", "timm/")


class TimmModels(NamedTuple):
    """What timm can build.

    Attributes:
        version: of timm.
        tags: model -> the tags of its pretrained weights, as in `resnet50.a1_in1k`; its older names too.
    """

    version: str
    tags: dict[str, tuple[str, ...]]


@cache
def timm_models() -> TimmModels:
    """The models of the timm that requirements.lock pins, as `debatch.model.timm_models` wrote them down."""
    first, *lines = TIMM_MODELS.read_text(encoding="utf-8").splitlines()
    return TimmModels(first.split()[-1], {name: tuple(tags) for name, *tags in map(str.split, lines)})


def check_backbone(name: str) -> str:
    """Refuse a backbone that neither we nor timm can build.

    Raises:
        ValueError: there is no such network, or timm has no pretrained weights of that tag.
    """
    if name in SMALL_BACKBONES:
        return name
    version, tags = timm_models()
    model, dot, tag = name.partition(".")
    if model in tags and (not dot or tag in tags[model]):
        return name
    if model in tags:
        if not tags[model]:
            raise ValueError(f"timm {version} has the model {model!r}, without tags; leave out {'.' + tag!r}")
        known = [f"{model}.{each}" for each in tags[model]]
        raise ValueError(f"timm {version} has no weights {name!r}{nearest(name, known)}")
    raise ValueError(f"timm {version} has no model {name!r}{_near(name, [*SMALL_BACKBONES, *tags])}")


def _near(name: str, known: list[str]) -> str:
    """A hint; not a thousand names where none is near."""
    plain = name.strip().lower()
    for source in _SOURCES:
        plain = plain.removeprefix(source)
    model, dot, tag = plain.partition(".")
    spelt = next((word for word in (model, model.replace("-", "_"), model.replace("-", "")) if word in known), None)
    if spelt:
        tagged = bool(dot) and tag in timm_models().tags.get(spelt, ())
        return f"; did you mean {(f'{spelt}.{tag}' if tagged else spelt)!r}?"
    hint = nearest(model, known)
    return hint if "did you mean" in hint else f"; {TIMM_MODELS} lists its models"


Backbone = Annotated[str, AfterValidator(check_backbone)]
