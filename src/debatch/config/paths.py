"""Paths in configuration files: a relative one starts at the folder of the file that says it, wherever one works."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from debatch.config.read import VARIABLE, expand
from debatch.config.recipe import Recipe

IS_PATH = "a path"
# a key of a configuration file that holds one
ConfigPath = Annotated[str, IS_PATH]
# those of a recipe stand here: of an edit of its own file every finished run would be trained again (learn/identity.py)
RECIPE_PATHS = ("weights",)


class Written(NamedTuple):
    """How a configuration file says a path.

    Attributes:
        path: in its own words.
        file: the configuration file.
    """

    path: str
    file: Path


def called(path: str, written: Mapping[str, Written]) -> str:
    """How a path that is not there is written, as the rest of a sentence; empty where that is the path itself.

    Args:
        path: as the configuration has it, its variables not expanded.
        written: as `with_paths_beside` notes it.
    """
    own = written.get(path)
    if own is None or own.path == expand(path):
        return ""
    words = f"; {own.file} calls it `{own.path}`"
    if not own.path.startswith(("/", "~", "$")) and Path(expand(own.path)).exists():
        meant = os.path.relpath(own.path, own.file.parent)
        words += f", which starts at that file's folder: for the one in the working directory write `{meant}`"
    return words


def with_paths_beside(model: Any, data: Any, file: Path, written: dict[str, Written] | None = None) -> Any:
    """What a configuration file holds, its relative paths as they are from the working directory.

    It comes before files are laid over each other: each has a folder of its own.

    Args:
        model: of the file; it says by `ConfigPath` what is a path. What does not fit it is left as it is.
        data: the file's content.
        file: the file.
        written: takes how each path was written, by what it became.
    """

    def beside(path: str) -> str:
        found = path_beside(file.parent, path)
        if written is not None:
            written[found] = Written(path, file)
        return found

    return _each_path(model, data, beside)


def path_beside(folder: Path, path: str) -> str:
    """A path that a file in a folder says, from where that folder is named.

    Absolute paths and those that begin with `~` or `$VAR` are kept: a relative value of a variable starts at the
    working directory, as a shell has it. The default in `${VAR:-default}` is the file's own word, and so relative to
    its folder.
    """
    if not path or folder == Path() or path.startswith(("/", "~")):
        return path
    variable = VARIABLE.match(path)
    if variable is None:
        return _joined(folder, path)
    default, rest = variable[2], path[variable.end() :]
    if default is None or (not default and rest.startswith(("/", "~", "$"))):
        return path
    own = path_beside(folder, default) if default else f"{folder}/"
    return f"${{{variable[1]}:-{own}}}{rest}"


def _joined(folder: Path, path: str) -> str:
    """Without `..` where it can be: one folder should have one name, or results would be made again for another."""
    # beyond a variable nothing is known
    plain, dollar, rest = path.partition("$")
    as_it_is = f"{folder}/{plain}"
    short = os.path.normpath(as_it_is)
    if os.path.realpath(short) != os.path.realpath(as_it_is):  # what is above a link is not what is above its target
        return as_it_is + dollar + rest
    return short + ("/" if as_it_is.endswith("/") else "") + dollar + rest


def _each_path(annotation: Any, value: Any, change: Callable[[str], str]) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *notes = arguments
        return change(value) if IS_PATH in notes and isinstance(value, str) else _each_path(inner, value, change)
    if origin in (Union, UnionType):
        every = (_each_path(one, value, change) for one in arguments if _may_be(one, value))
        return next((changed for changed in every if changed != value), value)
    if isinstance(value, list) and origin is list:
        return [_each_path(arguments[0], one, change) for one in value]
    if isinstance(value, dict) and origin in (dict, Mapping):
        return {key: _each_path(arguments[1], one, change) for key, one in value.items()}
    if isinstance(value, dict) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        types = {key: _type_of(annotation, key) for key in value if key in annotation.model_fields}
        return {key: _each_path(types[key], one, change) if key in types else one for key, one in value.items()}
    return value


def _type_of(model: type[BaseModel], key: str) -> Any:
    if issubclass(model, Recipe) and key in RECIPE_PATHS:
        return ConfigPath
    field = model.model_fields[key]
    # pydantic took the notes off
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _may_be(annotation: Any, value: Any) -> bool:
    """Whether a section that `kind` tells from others can be of a type."""
    if get_origin(annotation) is Annotated:
        return _may_be(get_args(annotation)[0], value)
    kind = getattr(annotation, "model_fields", {}).get("kind")
    return not (kind and isinstance(value, dict) and "kind" in value) or value["kind"] in get_args(kind.annotation)
