"""Trained weights on disk: safetensors, so that loading one runs no code of a stranger."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from debatch.config.recipe import Recipe
from debatch.config.trained import read_weights_facts
from debatch.errors import DataError
from debatch.model.network import Network
from debatch.model.stems import ChannelSets
from debatch.tabular import write_atomically


def save_weights(network: torch.nn.Module, path: Path, about: dict[str, str]) -> None:
    """Write a network's parameters and batch-norm statistics."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # as bytes: the library's own file is readable by its owner alone, and a group shares its results
    write_atomically(path, lambda part: part.write_bytes(save(tensors, about)))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Fill a network from a file of `save_weights`.

    Raises:
        DataError: the file is broken, or belongs to another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as trained weights: {error}") from None
    except RuntimeError as error:
        raise DataError(f"{path}: weights of another network: {str(error)[:300]}") from None


def model_facts(
    recipe: Recipe,
    channels: list[str],
    classes: int,
    batch_names: list[str],
    made_by: Mapping[str, str] = MappingProxyType({}),
    channel_sets: ChannelSets = (),
) -> dict[str, str]:
    """What a weights file says of its network: enough to build it again. `read_weights_facts` reads it.

    Args:
        recipe: that it was trained by.
        channels: C names.
        classes: how many the class head predicts.
        batch_names: the training batches.
        made_by: `identity`, `precision` and `code` of a whole run; nothing that differs from one start to the next.
        channel_sets: where it knows channels by name, those of each part that it was trained on.
    """
    facts = {"recipe": recipe.model_dump(), "channels": channels, "classes": classes, "batches": batch_names, **made_by}
    if channel_sets:
        facts["channel_sets"] = [list(own) for own in channel_sets]
    # one key: safetensors writes several in an order of its own, and equal models would differ in their bytes
    return {"debatch": json.dumps(facts)}


def load_network(path: Path, recipe: Recipe, device: torch.device) -> tuple[Network, list[str]]:
    """A trained network in inference mode, and the names of its training batches.

    Raises:
        DataError: the file is broken, or is not one of `save_weights`.
    """
    facts = read_weights_facts(path)
    # pretrained weights served the start of training; here they would be overwritten
    scratch = recipe.model_copy(update={"weights": None})
    try:
        network = Network(scratch, len(facts.channels), facts.classes, len(facts.batches), facts.channel_sets)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a trained model: {error}") from None
    load_weights(network, path)
    return network.to(device, memory_format=torch.channels_last).eval(), facts.batches  # type: ignore[call-overload]
