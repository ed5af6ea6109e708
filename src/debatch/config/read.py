"""Read YAML into models; say what is wrong with the key's full path, what was expected and the nearest known key."""

import difflib
import os
import re
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from debatch.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
# of a union's sections, before the `kind` that tells them apart
TAG = "kind="
_EXPONENT_WITHOUT_POINT = re.compile(r"[-+]?(\d+)(\.\d*)?[eE]([-+]?)(\d+)")
# our own: os.path.expandvars knows no default and keeps what is not set; the package expandvars is not among the pins
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a repeated key is an error: the last one would win in silence. No path may hold a NUL."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if isinstance(value, str) and "\0" in value:
            raise yaml.constructor.ConstructorError(None, None, "a value holds the character NUL", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {key for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {min(map(str, repeated))!r} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: no such file, or not YAML.
    """
    try:
        return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a safe loader's subclass)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def validate(model: type[Model], data: Any, where: str) -> Model:
    """Make the model of what a file holds.

    Raises:
        ConfigError: a line for each wrong key or value.
    """
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected keys and values, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(model, detail) for detail in error.errors()]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from None


def read_model(model: type[Model], path: Path) -> Model:
    """A YAML file as a model.

    Raises:
        ConfigError: as `read_yaml` and `validate`.
    """
    return validate(model, read_yaml(path), str(path))


def check_entry_name(name: object, where: str, what: str) -> str:
    """Refuse a name that would not be one plain word in file names and keys.

    Raises:
        ConfigError: it is not lower case letters, digits and underscores.
    """
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        raise ConfigError(
            f"{where}: `{_printed(str(name))}`: a {what}'s name is lower case letters, digits and underscores"
        )
    return name


def nearest(word: str, known: list[str]) -> str:
    """A hint like `; did you mean 'epochs'?`, or the list of what there is where nothing is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close or not known:
        return f"; did you mean {close[0]!r}?" if close else ""
    return f"; there is: {', '.join(sorted(known))}"


def expand(path: str) -> str:
    """Expand `~`, `$VAR` and `${VAR:-default}`; a default may name another variable.

    Raises:
        ConfigError: a variable is not set and has no default.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        if os.environ.get(name):
            return os.environ[name]
        if match[2] is None:
            raise ConfigError(f"{path}: the environment variable {name} is not set")
        return VARIABLE.sub(value, match[2])

    return os.path.expanduser(VARIABLE.sub(value, path))


def unset_variables(path: str) -> list[str]:
    """The environment variables of a path that are not set: their defaults stand in for them, or nothing does."""
    names = [match[1] or match[3] for match in VARIABLE.finditer(path)]
    return [name for name in names if not os.environ.get(name)]


def _explain(model: type[BaseModel], detail: Any) -> str:
    location = [str(part) for part in detail["loc"] if not _is_union_branch(str(part))]
    key = _printed(".".join(part for part in location if not part.startswith(TAG)))
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        section = location[-2].removeprefix(TAG) if len(location) > 1 and location[-2].startswith(TAG) else ""
        of_what = f" of the kind `{section}`" if section else ""
        there = _known_keys(model, location[:-1])
        if below := [f"`{name}`" for name, keys in there.items() if location[-1] in keys]:
            return f"unknown key `{key}`{of_what}: it is a key of {' and of '.join(below)} there"
        return f"unknown key `{key}`{of_what}{nearest(location[-1], list(there))}"
    if kind == "union_tag_invalid":
        known = re.findall(rf"{TAG}(\w+)", detail["ctx"]["expected_tags"])
        asked = detail["ctx"]["tag"].removeprefix(TAG)
        return f"`{key}.kind`: no kind {asked!r}{nearest(asked, known)}"
    if kind == "union_tag_not_found" and isinstance(given, dict):
        return f"the key `{key}.kind` is missing"
    if kind == "missing":
        return f"the key `{key}` is missing"
    if kind == "value_error":
        prefix = f"`{key}`: " if key else ""
        return prefix + detail["msg"].removeprefix("Value error, ")
    message = detail["msg"][0].lower() + detail["msg"][1:]
    message = message.removeprefix("input should be ")
    hint = ""
    if isinstance(given, str) and kind in {"float_type", "int_type", "float_parsing"}:
        number = _EXPONENT_WITHOUT_POINT.fullmatch(given)
        if number:
            hint = f" (YAML reads {given} as text: write {_with_point(number)})"
    if kind == "literal_error" and isinstance(given, str):
        hint = nearest(given, [str(choice) for choice in _choices(detail)])
        return f"`{key}`: {given!r} is not one of {detail['ctx']['expected']}{hint if 'mean' in hint else ''}"
    return f"`{key}`: expected {message}, found {given!r}{hint}"


def _printed(key: str) -> str:
    """A key on one line, whatever stands in it."""
    return key if key.isprintable() else repr(key)[1:-1]


def _with_point(number: re.Match[str]) -> str:
    digits = number[2][1:] if number[2] else ""
    return f"{number[1]}.{digits or '0'}e{number[3] or '+'}{number[4]}"


def _is_union_branch(part: str) -> bool:
    return bool(re.match(r"(list|dict|constrained|function)[\[-]|(str|int|float|bool|none|\[key\])$", part))


def _choices(detail: Any) -> list[str]:
    return re.findall(r"'([^']*)'", detail["ctx"]["expected"])


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The models among what a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections(part)]


def _without_none(annotation: Any) -> Any:
    """Of an optional key's type what is not None, where that is one thing."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    is_optional = len(parts) == 1 and len(get_args(annotation)) == 2 and type(None) in get_args(annotation)
    return parts[0] if is_optional else annotation


def _known_keys(model: type[BaseModel], path: list[str]) -> dict[str, set[str]]:
    """The keys of the section that a path leads to, through dicts and optional sections alike; those below each."""
    current: Any = model
    for part in path:
        if part.startswith(TAG):
            current = next(s for s in _sections(current) if s.model_fields["kind"].default == part.removeprefix(TAG))
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field else None
        else:
            arguments = get_args(current)
            current = arguments[-1] if arguments else None
        current = _without_none(current)
        sections, is_dict = _sections(current), getattr(current, "__origin__", None) in (dict, list)
        if len(sections) == 1 and not is_dict:
            current = sections[0]
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return {}
    below = {name: field.annotation for name, field in current.model_fields.items()}
    by_name = {name for name, kind in below.items() if getattr(kind, "__origin__", None) in (dict, list)}
    return {
        name: set() if name in by_name else {key for section in _sections(kind) for key in section.model_fields}
        for name, kind in below.items()
    }
