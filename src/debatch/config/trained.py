"""What a finished run says of its model, read without torch, so that a workflow may ask while it is parsed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from debatch import __version__
from debatch.config.read import expand, validate
from debatch.config.recipe import Recipe
from debatch.errors import ConfigError, DataError


class WeightsFacts(NamedTuple):
    """What a file of weights says of its network: `debatch.model.weights.model_facts` wrote it.

    Attributes:
        recipe: as it was trained.
        channels: C stains, in the order of the network's input, or all that it knows by name.
        classes: how many the class head predicts.
        batches: the training batches, in the batch head's order.
        identity: of all that the run was made from; empty where it was not noted.
        code: digest of the code that made it; empty likewise.
        precision: the arithmetic that it was trained in; empty likewise.
        channel_sets: where the network knows channels by name, those of each part that it was trained on; else empty.
    """

    recipe: dict[str, Any]
    channels: list[str]
    classes: int
    batches: list[str]
    identity: str = ""
    code: str = ""
    precision: str = ""
    channel_sets: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class TrainedModel:
    """A finished run's model.

    Attributes:
        name: `<screen>-<method>-<split>-seed<k>`, of letters, digits, dots, dashes and underscores.
        weights: its model.safetensors.
        recipe: it was trained by; its `normalization` and `inference` hold on other screens too.
        facts: of its network.
    """

    name: str
    weights: Path
    recipe: Recipe
    facts: WeightsFacts


def read_trained_model(folder: Path | str) -> TrainedModel:
    """The model in a run's folder.

    Args:
        folder: as in results/<screen>/runs/<method>/<split>/seed<k>; ~, $VAR and ${VAR:-default} expand.

    Raises:
        ConfigError: no such folder, its run is not finished, or its record is not one that this version can use.
        DataError: its weights cannot be read.
    """
    folder = Path(expand(str(folder)))
    where, weights = folder / "recipe.json", folder / "model.safetensors"
    _require_finished(folder, [where, weights])
    record = _read_record(where)
    recipe = _read_recipe(record, where)
    facts = read_weights_facts(weights)
    if facts.recipe != record["recipe"]:
        raise ConfigError(
            f"{folder}: recipe.json and model.safetensors are of different runs; take both from the folder of one run"
        )
    return TrainedModel(_model_name(record), weights, recipe, facts)


def read_weights_facts(path: Path) -> WeightsFacts:
    """What a file of weights says of its network.

    Raises:
        DataError: the file is broken, or says nothing of the kind.
    """
    try:
        with safe_open(path, framework="np") as file:  # NumPy's reader: only the header is read
            facts = json.loads(file.metadata()["debatch"])
        return WeightsFacts(
            dict(facts["recipe"]),
            [str(name) for name in facts["channels"]],
            int(facts["classes"]),
            [str(name) for name in facts["batches"]],
            str(facts.get("identity", "")),
            str(facts.get("code", "")),
            str(facts.get("precision", "")),
            tuple(tuple(map(str, own)) for own in facts.get("channel_sets", ())),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a trained model: {error}") from None


def channel_positions(wanted: list[str], there: list[str]) -> list[int]:
    """(C,) where a model's channels stand among a screen's, by name. The screen may have more, in any order.

    Args:
        wanted: the model's C channels.
        there: the screen's.

    Raises:
        DataError: the screen lacks some.
    """
    lacking = [name for name in wanted if name not in there]
    if lacking:
        hint = _alike(wanted, there)
        raise DataError(
            f"the model was trained on the channels {_listed(wanted)}; the screen has {_listed(there)} and lacks "
            f"{_listed(lacking)}{hint}. If it has them under other names, rename those under `source.channels` in the "
            "screen's file; else choose a model that was trained without them"
        )
    return [there.index(name) for name in wanted]


def require_known_channels(known: list[str], there: list[str]) -> None:
    """Refuse channels that a model which takes them by name was not trained on.

    Args:
        known: every channel that the model knows.
        there: the screen's, or those of one of its parts.

    Raises:
        DataError: it does not know one.
    """
    strange = [name for name in there if name not in known]
    if strange:
        hint = _alike(known, there)
        raise DataError(
            f"the model does not know the channels {_listed(strange)}; it knows {_listed(known)}{hint}. Name the "
            "screen's channels by these words under `source.channels`, or leave those out that it does not know"
        )


def _require_finished(folder: Path, files: list[Path]) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder}: a file; name the run's folder that it is in, {folder.parent}")
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: no such folder; a trained model is in results/<screen>/runs/<method>/<split>/seed<k>"
        )
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ConfigError(
            f"{folder}: no {' and no '.join(missing)} in it; it is no run's folder (seed0, …), or its training has not "
            "finished"
        )


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # UnicodeDecodeError is one
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(record, dict):
        raise ConfigError(f"{path}: expected a run's record, found {type(record).__name__}")
    missing = [key for key in ("screen", "method", "split", "seed", "recipe") if record.get(key) is None]
    if missing:
        raise ConfigError(f"{path}: not a run's record: it lacks {_listed(missing)}")
    return record


def _read_recipe(record: dict[str, Any], path: Path) -> Recipe:
    try:
        return validate(Recipe, record["recipe"], f"{path}: recipe")
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nThe model was trained by debatch {record.get('debatch', 'of an unknown version')} and this is "
            f"debatch {__version__}, which cannot use its recipe: use that version, or train the model again"
        ) from None


def _model_name(record: dict[str, Any]) -> str:
    name = f"{record['screen']}-{record['method']}-{record['split']}-seed{record['seed']}"
    # it becomes a file's name, and one that begins with a dot would be hidden
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")


def _alike(of_model: list[str], of_screen: list[str]) -> str:
    """A hint at channels that one of the two lacks and the other has under nearly that name; else empty."""
    free = {_loosely(name): name for name in of_screen if name not in of_model}
    near = [(free[_loosely(name)], name) for name in of_model if name not in of_screen and _loosely(name) in free]
    return "".join(f"; the screen's {own!r} looks like the model's {name!r}" for own, name in near)


def _loosely(name: str) -> str:
    """A name without case, blanks, dashes and the like."""
    return re.sub(r"[\W_]", "", name).casefold() or name


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
