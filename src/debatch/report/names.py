"""What tables and figures are called: by what they show; as their paper numbers them on the paper's own screen."""

import re

from debatch.registry import Registry

_NUMBERED = re.compile(r"(?:(?P<paper>[a-z]+)_)?(?P<kind>table|figure)_?(?P<number>s?\d+[a-z]?)")


def paper_label(name: str) -> str:
    """`table_s3` as `Table S3`, `cdcl_table2a` as `CDCL Table 2a`; empty where no paper numbers it."""
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return ""
    number = found["number"]
    number = number.upper() if number.startswith("s") else number
    return " ".join(filter(None, [(found["paper"] or "").upper(), found["kind"].capitalize(), number]))


def is_papers_own(name: str, registry: Registry) -> bool:
    """Whether the screen is that of the paper which shows a table or figure, so that its numbers compare."""
    return registry.screen.published is not None and registry.target(name).paper == registry.screen.published


def heading_of(name: str, registry: Registry) -> str:
    """A table's or figure's heading: its title, after the paper's number on the paper's own screen."""
    label = paper_label(name) if is_papers_own(name, registry) else ""
    return ". ".join(filter(None, [label, registry.target(name).title]))
