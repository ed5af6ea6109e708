"""The pages of the documentation name what there is: links, pages, targets, commands, files and keys."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers import ROOT
from helpers.pages import anchors, blocks, cells, commands, links, prose, read_pages, tables, written_files

from debatch.cli import build_parser
from debatch.cli.choice import chosen_registry, known_targets
from debatch.cli.reference import pages
from debatch.config.read import validate
from debatch.config.screen import Screen

PAGES = read_pages(ROOT)
GENERATED = {ROOT / "docs/reference/generated" / f"{name}.md": text for name, text in pages().items()}
FOLDERS = ("src", "config", "docs", "tests", "benchmarks", "workflow", "envs", "profiles", "resources")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(program: str) -> list:
    """Every call of a program on a page, as words."""
    found = []
    for path, text in PAGES.items():
        shown = [line for block in blocks(text) if block.language == "sh" for line in commands(block)]
        for line in [*shown, *re.findall(r"`([^`]+)`", prose(text))]:
            if line.strip().startswith(f"{program} ") and not re.search("[<…|]", line):
                words = shlex.split(line, comments=True)[1:]
                found.append(pytest.param(path, words, id=f"{named(path)}: {line.strip()[:70]}"))
    assert found
    return found


@pytest.mark.parametrize("path", [*PAGES, *GENERATED], ids=named)
def test_links_lead_somewhere(path):
    text = {**PAGES, **GENERATED}[path]
    for link in links(text):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target in GENERATED or target.exists(), link
        if anchor:
            there = (GENERATED | PAGES).get(target) or target.read_text()
            assert anchor in anchors(there), f"{link}: {sorted(anchors(there))}"


def test_every_page_is_in_the_menu_once():
    def listed(entry):
        if isinstance(entry, str):
            return [entry]
        return [page for item in (entry.values() if isinstance(entry, dict) else entry) for page in listed(item)]

    menu = listed(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    there = [path for path in [*PAGES, *GENERATED] if ROOT / "docs" in path.parents]
    assert sorted(menu) == sorted(str(path.relative_to(ROOT / "docs")) for path in there)


def test_the_site_loads_nothing_from_a_network():
    """Neither fonts nor, as the plugin `offline` would, a script."""
    project = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
    assert project["theme"]["font"] is False
    assert set(project["plugins"]) == {"search", "mkdocstrings"}
    assert all((ROOT / "docs" / path).exists() for path in project["extra_css"])


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize(("path", "words"), calls("make"))
def test_make_targets_are_there(path, words):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(targets)


@pytest.mark.parametrize(("path", "words"), calls("debatch"))
def test_debatch_takes_the_arguments(path, words):
    if len(words) == 1:  # a command that is only mentioned
        with pytest.raises(SystemExit, match="0"):
            build_parser().parse_args([*words, "--help"])
        return
    options = vars(build_parser().parse_args(words))
    screens = {pair.removeprefix("screen=") for pair in options.get("config", []) if pair.startswith("screen=")}
    assert all(is_screen(screen) for screen in {*screens, options.get("screen") or "demo"})


@pytest.mark.parametrize(("path", "words"), calls("snakemake"))
def test_snakemake_takes_the_arguments(path, words):
    """Targets are those of the shipped configuration, or of an entry that the page itself shows."""
    from snakemake.cli import get_argument_parser, parse_config

    options = get_argument_parser().parse_args(words)
    known = known_targets(chosen_registry([]))
    assert all(target in known or f"{target}:" in PAGES[path] for target in options.targets), options.targets
    assert is_screen(parse_config(options.config or []).get("screen", "demo"))


def is_screen(name: str) -> bool:
    return name.endswith(".yaml") or (ROOT / f"config/screens/{name}.yaml").exists()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_files_of_the_repository_are_there(path):
    for word in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", prose(PAGES[path])):
        assert (ROOT / word).exists(), word


def screens() -> list:
    """Every screen that a page shows whole: it says where its images or profiles are."""
    found = []
    for path, text in PAGES.items():
        shown = [block.text for block in blocks(text) if block.language == "yaml"]
        shown += [file for block in blocks(text) for file in written_files(block).values()]
        for number, file in enumerate(shown):
            if {"source", "profiles", "parts"} & set(yaml.safe_load(file) or {}):
                found.append(pytest.param(file, id=f"{named(path)}: {number}"))
    return found


@pytest.mark.parametrize("text", screens())
def test_screens_are_valid(text):
    validate(Screen, yaml.safe_load(text), "page")


def test_every_target_has_a_line():
    page = PAGES[ROOT / "docs/targets.md"]
    assert [target for target in known_targets(chosen_registry([])) if f"`{target}`" not in page] == []


def test_the_reference_has_every_key_and_entry():
    made = pages()
    assert all(f"| `{key}` |" in made["keys-screen"] for key in Screen.model_fields)
    registry = chosen_registry([])
    assert all(f"| `{name}` |" in made["targets"] for name in [*registry.tables, *registry.figures])
    assert all(
        f"| `{name}` |" in made["methods"] for name in yaml.safe_load((ROOT / "config/methods.yaml").read_text())
    )
    assert all(f"## `debatch {name}`" in made["commands"] for name in ("check", "plan", "status", "provenance"))


@pytest.mark.parametrize("path", [*PAGES, *GENERATED], ids=named)
def test_rows_of_a_table_have_as_many_cells(path):
    """A bar within a cell would part it in two, in silence."""
    for table in tables({**PAGES, **GENERATED}[path]):
        assert {cells(row) for row in table} == {cells(table[0])}, table[0]
