"""Read, check and resolve the whole configuration into a registry."""

from pathlib import Path
from typing import Any

import pandas as pd

from debatch.config.base import SAFE_NAME
from debatch.config.corrections import Correction, read_corrections
from debatch.config.images import check_experiment_name
from debatch.config.metadata import MetadataFile
from debatch.config.objectives import laid_over
from debatch.config.parts import on_screen
from debatch.config.paths import Written, called, path_beside, with_paths_beside
from debatch.config.read import check_entry_name, expand, nearest, read_yaml, validate
from debatch.config.recipe import Method, Recipe
from debatch.config.screen import Screen
from debatch.config.tables import Choice, Tables
from debatch.config.trained import TrainedModel, channel_positions, read_trained_model, require_known_channels
from debatch.errors import ConfigError
from debatch.files import UNCORRECTED
from debatch.registry.kinds import kind_of, tables_model
from debatch.registry.recipes import recipe_on, require_start
from debatch.registry.registry import Registry
from debatch.registry.targets import check_targets
from debatch.registry.variants import BETWEEN, Derived, derive
from debatch.text_cells import is_one_of
from debatch.text_table import open_table, read_text_table

YAML = (".yaml", ".yml")


def build_registry(choice_data: dict[str, Any], base: Path) -> Registry:
    """Read, check and resolve the whole configuration.

    Args:
        choice_data: what the user chose (`config/config.yaml` and `--config`).
        base: the workflow's folder, where files that are not in the working directory are looked for.

    Raises:
        ConfigError: anything that could not work, with the file, the key and what to do.
    """
    choice = validate(Choice, choice_data, "config")
    written: dict[str, Written] = {}
    name, screen = _read_screen(choice.screen, base, written)
    methods = _on_this_screen(name, screen, _read_methods(_find(choice.methods, base)))
    tables_file = _find(choice.tables, base)
    tables = validate(
        tables_model(), with_paths_beside(tables_model(), read_yaml(tables_file), tables_file), str(tables_file)
    )
    used: set[str] = set()
    for target, spec in tables.all().items():
        for method in [*spec.methods, *kind_of(spec).nulls(spec)]:
            if method not in methods:
                raise ConfigError(f"{choice.tables}: `{target}`: no method {method!r}{nearest(method, list(methods))}")
            used.add(method)
    corrections = read_corrections(_find(choice.corrections, base))
    _check_corrections(choice, screen, name, tables, corrections)
    recipes, refused = _resolve(screen, methods, used)
    derived = Derived(methods, recipes, {}, {}, _untrainable(tables, refused))
    if not screen.profiles:
        derived = derive(screen, derived, tables)
    check_targets(name, screen, tables, derived.untrainable)
    if not screen.profiles:
        trained = {method: recipe for method, recipe in derived.recipes.items() if method in {*used, *derived.changed}}
        _check_devices(name, screen, trained)
    experiments = [] if screen.profiles else _experiments(name, screen, written)
    if screen.profiles and (choice.model or choice.ome_zarr):
        raise ConfigError(f"config: `model` and `ome_zarr` need images, and the screen {name!r} is of profiles")
    return Registry(
        name=name,
        screen=screen,
        experiments=experiments,
        recipes=derived.recipes,
        methods=derived.methods,
        variants=derived.variants,
        changed=derived.changed,
        untrainable=derived.untrainable,
        corrections=corrections,
        targets_of=tables,
        seeds=choice.seeds or screen.seeds,
        results=choice.results,
        chosen=choice.screen,
        ome_zarr=_chosen_plates(choice.ome_zarr or experiments[:1], experiments),
        model=_read_model(choice.model, screen) if choice.model else None,
        written=written,
    )


def _read_model(folder: str, screen: Screen) -> TrainedModel:
    """A trained model, whose channels the screen has; of one that takes them by name, the screen's are among them."""
    model = read_trained_model(folder)
    if model.recipe.names_channels:  # whatever images have of the channels that it knows
        for part in screen.part_names():
            require_known_channels(model.facts.channels, screen.of_part(part).channel_names())
        return model
    if screen.source is not None:
        channel_positions(model.facts.channels, screen.channel_names())
    if screen.parts:  # the images of those parts are embedded that have the model's channels
        on_screen(model.recipe.model_copy(update={"parts": None, "channels": model.facts.channels}), screen, "`model`")
    return model


def _check_corrections(
    choice: Choice, screen: Screen, name: str, tables: Tables, corrections: dict[str, Correction]
) -> None:
    """Refuse corrections that have no entry."""
    known = [UNCORRECTED, *corrections]
    named = {f"{choice.tables}: `{target}`": kind_of(spec).corrections(spec) for target, spec in tables.all().items()}
    for where, some in {**named, f"screen {name!r}: `corrections`": screen.corrections or []}.items():
        for correction in some:
            if correction not in known:
                raise ConfigError(f"{where}: no correction {correction!r}{nearest(correction, known)}")


def _find(path: str, base: Path) -> Path:
    """A configuration file: in the working directory, or beside the workflow."""
    given = Path(expand(path))
    return given if given.exists() else base / given


def _read_screen(screen: str, base: Path, written: dict[str, Written]) -> tuple[str, Screen]:
    path = _screen_file(screen, base, "config: `screen`")
    return path.stem, validate(Screen, _screen_data(path, base, [], written), str(path))


def _screen_file(screen: str, base: Path, where: str) -> Path:
    folder = Path("config/screens")
    is_path = screen.endswith(YAML)
    path = _find(screen if is_path else str(folder / f"{screen}.yaml"), base)
    if not path.exists():
        known = [p.stem for place in (folder, base / folder) for p in place.glob("*.yaml")]
        reason = f"no file {screen}" if is_path else f"no screen {screen!r}{nearest(screen, sorted(set(known)))}"
        raise ConfigError(f"{where}: {reason}")
    return path


def _screen_data(path: Path, base: Path, seen: list[Path], written: dict[str, Written]) -> Any:
    """What a screen's file says, laid over what it extends."""
    data = with_paths_beside(Screen, read_yaml(path), path, written)
    if not isinstance(data, dict) or not isinstance(data.get("extends"), str):
        return data
    if path in seen:
        raise ConfigError(f"{path}: `extends` leads back to this file")
    return _laid_over(_screen_data(_extended(path, data["extends"], base), base, [*seen, path], written), data)


def _extended(path: Path, extends: str, base: Path) -> Path:
    """The file of the screen that another file's keys are laid over."""
    if not extends.endswith(YAML):
        return _screen_file(extends, base, f"{path}: `extends`")
    below = Path(expand(path_beside(path.parent, extends)))
    if not below.exists():
        raise ConfigError(f"{path}: `extends`: {below}: no such file (from `{extends}`)")
    return below


def _laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}


def _read_methods(path: Path) -> dict[str, Method]:
    data = with_paths_beside(dict[str, Method], read_yaml(path), path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected methods by name")
    methods = {}
    for name, changes in data.items():
        methods[check_entry_name(name, str(path), "method")] = validate(Method, changes, f"{path}: {name}")
        if BETWEEN in name:
            raise ConfigError(f"{path}: `{name}`: `{BETWEEN}` is kept for the variations of methods; take one `_`")
    for name, method in methods.items():
        _check_shared_weights(path, name, method, methods)
    return methods


def _on_this_screen(name: str, screen: Screen, methods: dict[str, Method]) -> dict[str, Method]:
    """The methods, with what the screen changes of them."""
    changed = dict(methods)
    for method, changes in screen.methods.items():
        where = f"screen {name!r}: `methods.{method}`"
        if method not in methods:
            raise ConfigError(f"{where}: no method {method!r}{nearest(method, list(methods))}")
        if methods[method].weights_of is not None:
            raise ConfigError(f"{where}: it is not trained itself; change {methods[method].weights_of!r}")
        changed[method] = Method(**laid_over(methods[method].stated(), changes.stated()))
    return changed


def _check_shared_weights(path: Path, name: str, method: Method, methods: dict[str, Method]) -> None:
    base = method.starts_from
    if base is not None and base not in methods:
        raise ConfigError(f"{path}: {name}: `starts_from`: no method {base!r}{nearest(base, list(methods))}")
    if method.weights_of is None:
        return
    if method.weights_of not in methods:
        raise ConfigError(f"{path}: {name}: no method {method.weights_of!r}{nearest(method.weights_of, list(methods))}")
    if methods[method.weights_of].weights_of is not None:
        raise ConfigError(f"{path}: {name}: `weights_of` names {method.weights_of!r}, which is not trained itself")
    own = method.model_fields_set - {"title", "description", "weights_of", "test_statistics"}
    if own:
        raise ConfigError(
            f"{path}: {name}: `{min(own)}` would need a training of its own; beside `weights_of` only "
            "`test_statistics` may be set"
        )


def _resolve(
    screen: Screen, methods: dict[str, Method], used: set[str]
) -> tuple[dict[str, Recipe], dict[str, ConfigError]]:
    """Each method's recipe on this screen, and why others have none here.

    Raises:
        ConfigError: no method that a table uses can be trained: it is the screen's own training that is at fault.
    """
    recipes: dict[str, Recipe] = {}
    refused: dict[str, ConfigError] = {}
    for name, method in methods.items():
        changes = {} if method.weights_of is None else methods[method.weights_of].stated()
        whole = method.model_copy() if not changes else Method(**laid_over(changes, method.stated()))
        try:
            recipes[name] = recipe_on(screen, whole, name)
        except ConfigError as error:
            refused[name] = error
    for name in [*recipes]:
        if methods[name].weights_of in refused:
            del recipes[name]
            refused[name] = refused[methods[name].weights_of or name]
    while without_start := _without_start(recipes):  # which others may start with
        refused.update(without_start)
        recipes = {name: recipe for name, recipe in recipes.items() if name not in without_start}
    if used and not used & recipes.keys():
        raise next(error for name, error in refused.items() if name in used)
    return recipes, refused


def _without_start(recipes: dict[str, Recipe]) -> dict[str, ConfigError]:
    """The methods that cannot start with the weights of the one that they name, and why."""
    found = {}
    for name, recipe in recipes.items():
        try:
            require_start(recipe, recipes, name)
        except ConfigError as error:
            found[name] = error
    return found


def _untrainable(tables: Tables, refused: dict[str, ConfigError]) -> dict[str, str]:
    """The tables and figures with a method that has no recipe on this screen, and why it has none."""
    found = {}
    for target, spec in tables.all().items():
        errors = [refused[method] for method in [*spec.methods, *kind_of(spec).nulls(spec)] if method in refused]
        if errors:
            found[target] = str(errors[0])
    return found


def _check_devices(name: str, screen: Screen, trained: dict[str, Recipe]) -> None:
    """Refuse more devices than a step has groups: a group is normalized as a whole, on one of them."""
    for method, recipe in trained.items():
        if screen.compute.gpus > recipe.groups_per_step and not recipe.compares_images:
            raise ConfigError(
                f"screen {name!r}: `compute.gpus: {screen.compute.gpus}` is more than the {recipe.groups_per_step} "
                f"groups of a training step of method {method!r} (`groups_per_step`): the others would idle; ask for "
                f"{recipe.groups_per_step} at most"
            )


def _chosen_plates(chosen: list[str], experiments: list[str]) -> list[str]:
    """Experiments, or plates that name one: which plates it has is known once it is ingested."""
    for name in chosen:
        if not SAFE_NAME.fullmatch(name) or not any(name == e or name.startswith(f"{e}_") for e in experiments):
            raise ConfigError(
                f"config: `ome_zarr`: {name!r} is neither an experiment nor <experiment>_<plate>"
                f"{nearest(name, experiments)}"
            )
    return chosen


def _experiments(name: str, screen: Screen, written: dict[str, Written]) -> list[str]:
    """The experiments, known before anything runs."""
    if screen.parts:
        return [experiment for part in screen.parts.values() for experiment in part.experiment_names()]
    if screen.simulate is not None:
        return screen.simulate.experiment_names()
    if screen.experiments is not None:
        return screen.experiments
    assert screen.metadata is not None
    tables = screen.metadata.tables()
    own_words = [called(given, written) for given in screen.metadata.names()]
    names = {
        experiment
        for table, words in zip(tables, own_words, strict=True)
        for experiment in _experiments_of(name, screen, table, words)
    }
    file = ", ".join(table.file for table in tables)
    for experiment in names:
        try:
            check_experiment_name(experiment)
        except ValueError as error:
            raise ConfigError(f"{file}: {error}") from None
    if not names:
        raise ConfigError(f"{file}: no row is selected for screen {name!r}; see `metadata.select`")
    return sorted(names)


def _experiments_of(name: str, screen: Screen, table: MetadataFile, own_words: str) -> set[str]:
    """The experiments of the rows that a metadata file has selected."""
    assert screen.metadata is not None
    constants = {key: str(value) for key, value in {**screen.fields, **table.fields}.items()}
    column = screen.columns.experiment
    # a derived column is not in the file yet: it is looked at when the file is read as a whole
    derived = set(screen.derive)
    if column in derived:
        raise ConfigError(f"screen {name!r}: the experiment column is derived; list the `experiments:`")
    selecting = {key: values for key, values in screen.metadata.select.items() if key not in derived}
    if not Path(table.file).is_file():
        raise ConfigError(
            f"screen {name!r}: the experiments are to be read from {table.file}, which is not there{own_words}; "
            "list them under `experiments:`, or mend `metadata.file`"
        )
    header = [name for name in open_table(table.file, "metadata.file").columns if name]
    there = [*header, *constants]
    for needed in (column, *selecting):
        if needed not in there:
            cure = "; name it as `columns.experiment`, or give a constant in `fields:`" if needed == column else ""
            raise ConfigError(f"{table.file}: no column {needed!r}{nearest(needed, there)}{cure}")
    # these columns alone: a table may have millions of rows, and each job on a cluster reads it
    own = [key for key in (column, *selecting) if key in header]
    rows = read_text_table(table.file, "metadata.file", own)
    selected = pd.Series(True, index=rows.index)
    for key, values in selecting.items():
        selected &= is_one_of(rows[key] if key in own else pd.Series(constants[key], rows.index, dtype="str"), values)
    if column not in own:
        return {constants[column]} if selected.any() else set()
    found = {str(experiment) for experiment in rows[column][selected].dropna().unique()} - set(screen.missing or [])
    return {screen.experiment_names.get(experiment, experiment) for experiment in found}
