"""Pages of the documentation that the code says already. `python -m debatch.cli.reference FOLDER` writes them.

Keys of the YAML files come from their JSON schemas, targets, methods, corrections and screens from `config/`, metrics
from their registry, commands from their parser. Nothing of it is kept in the repository.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from debatch.cli import build_parser
from debatch.cli.choice import BASE
from debatch.config.read import read_yaml
from debatch.evaluate.metrics import METRICS
from debatch.registry.schemas import json_schemas

FILES_OF_CONFIG = {
    "config": ("config.yaml", "Which screen, how many seeds, where results go. `--config key=value` overrides it."),
    "screen": ("screens/<name>.yaml", "One screen: its images or profiles, metadata, splits and training."),
    "methods": ("methods.yaml", "A name for each method, and the keys that it changes of the screen's training."),
    "tables": ("tables.yaml", "Which methods, splits, seeds and corrections make which table or figure."),
    "corrections": ("corrections.yaml", "Named corrections of embeddings."),
    "throughput": ("throughput.yaml", "Measured and assumed speeds, by which `debatch plan` prices work."),
}
SAID = {"title", "description"}
BETTER = {"higher": "higher", "lower": "lower", "chance": "nearer to chance"}


def main(folder: Path) -> None:
    """Write every page to the folder, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in pages().items():
        (folder / f"{name}.md").write_text(text)


def pages() -> dict[str, str]:
    """Each page as Markdown, by the name of its file."""
    schemas = {f"keys-{name}": _keys(name, json.loads(text)) for name, text in json_schemas().items()}
    others: dict[str, Callable[[], str]] = {
        "targets": _targets,
        "methods": _methods,
        "corrections": _corrections,
        "screens": _screens,
        "metrics": _metrics,
        "commands": _commands,
    }
    return {**schemas, **{name: page() for name, page in others.items()}}


def _keys(name: str, schema: Mapping[str, Any]) -> str:
    file, purpose = FILES_OF_CONFIG[name]
    lines = [f"# Keys of `{file}`", "", purpose, ""]
    if "properties" in schema:
        lines += _key_table(schema)
    else:
        values = schema["additionalProperties"]
        lines += [f"Each entry has a name of your own and is: {_kind(values)}.", ""]
    for section, model in sorted(schema.get("$defs", {}).items()):
        lines += [f"## {section} {{ #{section.lower()} }}", "", _plain(model.get("description", "")), ""]
        lines += _key_table(model)
    return "\n".join(lines) + "\n"


def _key_table(model: Mapping[str, Any]) -> list[str]:
    required = set(model.get("required", []))
    rows = [
        (f"`{key}`", _kind(value), _default(key, value, required), _plain(value.get("description", "")))
        for key, value in model.get("properties", {}).items()
    ]
    return _table(("Key", "Value", "Default", "Meaning"), rows)


def _default(key: str, value: Mapping[str, Any], required: set[str]) -> str:
    if key in required:
        return "must be stated"
    return f"`{json.dumps(value['default'], ensure_ascii=False)}`" if "default" in value else "as listed there"


def _kind(value: Mapping[str, Any]) -> str:
    """What a key may hold, in words, with links to the sections below."""
    if "$ref" in value:
        section = value["$ref"].rsplit("/", 1)[-1]
        return f"[{section}](#{section.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(_kind(choice) for choice in value[key]))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{choice}`" for choice in value.get("enum", [value.get("const")]))
    kind = value.get("type", "any")
    if kind == "array":
        items = value.get("items") or {}
        return f"list, each {_kind(items)}" if items else "list"
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"names, each with {_kind(inner)}" if isinstance(inner, dict) else "keys and values"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
    return words.get(kind, kind) + _limits(value)


def _limits(value: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value]
    return f" {' and '.join(limits)}" if limits else ""


def _targets() -> str:
    data = read_yaml(BASE / "config/tables.yaml")
    lines = [
        "# Tables and figures",
        "",
        "Made from `config/tables.yaml`. Each is a target: `snakemake --cores 2 table1`.",
        "",
    ]
    for heading, entries in (("Tables", data["tables"]), ("Figures", data["figures"])):
        rows = [
            (
                f"`{name}`",
                _plain(entry["title"]),
                f"`{entry['kind']}`",
                _list(entry["methods"]),
                _list(entry["splits"]),
                str(entry.get("seeds", 1)),
            )
            for name, entry in entries.items()
        ]
        lines += [f"## {heading}", "", *_table(("Target", "Title", "Kind", "Methods", "Splits", "Seeds"), rows)]
    lines += ["## Pages", "", "A page is all tables and figures of a paper, in the paper's order.", ""]
    shown = [(f"`{page}`", _list(names)) for page, names in data["pages"].items()]
    return "\n".join([*lines, *_table(("Target", "Tables and figures"), shown)]) + "\n"


def _methods() -> str:
    return _entries("Methods", "methods", "What it changes of the screen's training")


def _corrections() -> str:
    return _entries("Corrections", "corrections", "Settings")


def _entries(heading: str, file: str, column: str) -> str:
    entries = read_yaml(BASE / f"config/{file}.yaml")
    rows = [
        (
            f"`{name}`",
            entry["title"],
            _plain(entry["description"]),
            ", ".join(f"`{key}: {_flow(value)}`" for key, value in entry.items() if key not in SAID),
        )
        for name, entry in entries.items()
    ]
    intro = f"Made from `config/{file}.yaml`."
    return "\n".join([f"# {heading}", "", intro, "", *_table(("Name", "Title", "What it is", column), rows)]) + "\n"


def _screens() -> str:
    rows = []
    for path in sorted((BASE / "config/screens").glob("*.yaml")):
        data = read_yaml(path)
        kind = next((key for key in ("profiles", "parts", "simulate", "source", "extends") if key in data), "extends")
        words = {
            "profiles": "profiles",
            "parts": "images in parts",
            "simulate": "simulated images",
            "source": "images",
            "extends": f"changes `{data.get('extends')}`",
        }
        rows.append((f"`{path.stem}`", data.get("title", ""), words[kind], _plain(data.get("description", ""))))
    lines = ["# Screens that are shipped", "", "Each is a file in `config/screens`: `--config screen=tiny`.", ""]
    return "\n".join([*lines, *_table(("Name", "Title", "Made of", "Description"), rows)]) + "\n"


def _metrics() -> str:
    rows = [
        (f"`{name}`", metric.title, metric.words or "", metric.unit or "none", BETTER[metric.better])
        for name, metric in METRICS.items()
    ]
    lines = ["# Metrics", "", "By their names in files of results.", ""]
    return "\n".join([*lines, *_table(("Name", "Heading", "In words", "Unit", "Better"), rows)]) + "\n"


def _commands() -> str:
    parser = build_parser()
    lines = ["# The `debatch` command", "", "As `--help` prints it.", "", *_help(parser.format_help())]
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        lines += [f"## `debatch {name}`", "", *_help(command.format_help())]
    return "\n".join(lines) + "\n"


def _help(text: str) -> list[str]:
    return ["```text", text.rstrip(), "```", ""]


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    columns = list(columns)
    return [line(columns), line("---" for _ in columns), *(line(row) for row in rows), ""]


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _flow(value: Any) -> str:
    """A value as it stands in YAML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """A description on one line, in which nothing is taken for HTML or emphasis."""
    code = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([<>*_\[\]])", r"\\\1", part) for part in code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
