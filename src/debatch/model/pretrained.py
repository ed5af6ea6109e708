"""Weights that a backbone starts with, others' or a run's: read without running code, taken whole or not at all."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from debatch.config.read import expand
from debatch.config.recipe import Recipe
from debatch.errors import ConfigError
from debatch.model.timm_import import import_timm

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, KeyError, AttributeError, TypeError)
NAMED = 3
BACKBONE = "backbone."


def build_pretrained(name: str, weights: str, options: dict[str, Any]) -> nn.Module:
    """A timm model that starts from a file's weights.

    Weights of colour images serve any number of channels: timm repeats the three kernels of the first layer over the
    channels and multiplies them by 3 / channels (one channel: their sum), and resamples position embeddings.

    Args:
        name: of the model.
        weights: local file, .safetensors or what `torch.save` makes of a state dict, of this model.
        options: of `timm.create_model`.

    Raises:
        ConfigError: there is no such file, it cannot be read, or it is of another network.
    """
    path = Path(expand(weights))
    if not path.is_file():
        raise ConfigError(f"weights: no file {path} (from `{weights}`); null trains from scratch")
    tensors = _read(path)
    try:
        with _taken_whole(path, name, tensors):
            backbone: Any = import_timm().create_model(
                name, pretrained=True, pretrained_cfg_overlay={"state_dict": tensors}, **options
            )
    except (RuntimeError, KeyError, ValueError, AssertionError, AttributeError, IndexError) as error:
        raise ConfigError(_of_another(path, name, _last_line(error))) from None
    # timm keeps what it loaded from: copies of the network would copy it
    backbone.pretrained_cfg = {key: value for key, value in backbone.pretrained_cfg.items() if key != "state_dict"}
    return backbone


def backbone_of_run(weights: str) -> dict[str, Tensor] | None:
    """The backbone's tensors of a file that a run of ours wrote; None: the file is another one, or not there.

    Args:
        weights: as a recipe names the file.
    """
    path = Path(expand(weights))
    try:
        with safe_open(path, framework="pt") as file:
            if "debatch" not in (file.metadata() or {}):
                return None
            return {
                name.removeprefix(BACKBONE): file.get_tensor(name)
                for name in list(file.keys())
                if name.startswith(BACKBONE)
            }
    except (OSError, SafetensorError):
        return None


def take_backbone(backbone: nn.Module, tensors: dict[str, Tensor], recipe: Recipe) -> None:
    """Fill a backbone with a run's, as `backbone_of_run` gives it.

    Args:
        backbone: of a recipe's network.
        tensors: by their names in it.
        recipe: whose `weights` they are, for the error.

    Raises:
        ConfigError: they are of another network.
    """
    try:
        backbone.load_state_dict(tensors)
    except RuntimeError as error:
        path = Path(expand(str(recipe.weights)))
        raise ConfigError(_of_another(path, recipe.backbone, _last_line(error))) from None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = import_timm().models.load_state_dict(str(path))
    except (*UNREADABLE, pickle.UnpicklingError, SafetensorError):
        raise ConfigError(
            f"weights: {path} cannot be read as weights: it is broken, or holds Python objects whose loading could run "
            "code, and is refused; save the weights alone, as .safetensors or by `torch.save(model.state_dict(), …)`"
        ) from None
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ConfigError(f"weights: {path} holds no weights by their names (a state dict)")
    return dict(tensors)


@contextmanager
def _taken_whole(path: Path, name: str, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Refuse weights that leave some of the network as it was drawn.

    Where timm leaves a classifier out, as here, it loads what fits of a file and goes on without the rest.
    """
    load = nn.Module.load_state_dict

    def load_all(module: nn.Module, *given: Any, **options: Any) -> Any:
        result = load(module, *given, **options)
        lacking = [own for own, _ in module.named_parameters() if own in set(result.missing_keys)]
        if lacking:
            why = f"it has no {_some(lacking)}, and has {_some(list(tensors))}"
            raise ConfigError(_of_another(path, name, why))
        return result

    nn.Module.load_state_dict = load_all  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        nn.Module.load_state_dict = load  # type: ignore[method-assign]


def _of_another(path: Path, name: str, why: str) -> str:
    return (
        f"weights: {path} holds weights of another network than {name!r}: {why[:300]}; name the `backbone` that they "
        "are of, or a file of weights of this one"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip().rstrip(".") if str(error).strip() else type(error).__name__
