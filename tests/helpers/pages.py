"""Markdown pages of the documentation: their blocks of code, headings and links."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+?)(?: \{ #(\S+) \})?$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Fenced code: its language, the file that it is shown as, and the text."""

    language: str
    title: str | None
    text: str


def blocks(text: str) -> list[Block]:
    """All blocks of a page, in order, without their indent."""
    return [
        Block(found["language"], found["title"], re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE))
        for found in FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """A page without its blocks."""
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as links have them."""
    return {name or slug(title) for title, name in HEADING.findall(prose(text))}


def slug(title: str) -> str:
    """As Python-Markdown makes it."""
    words = unicodedata.normalize("NFKD", re.sub(r"[`*]", "", title)).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


def links(text: str) -> list[str]:
    """The targets of a page's links within the repository."""
    return [target for target in LINK.findall(prose(text)) if not re.match(r"https?:", target)]


def commands(block: Block) -> list[str]:
    """The lines of a block of shell commands, continued ones joined; without what it writes into a file."""
    text = re.sub(r"<<'END'.*?^END$", "", block.text, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def written_files(block: Block) -> dict[str, str]:
    """What a block of shell commands writes by `cat > file <<'END'`."""
    return dict(re.findall(r"^cat > (\S+) <<'END'\n(.*?)^END$", block.text, re.MULTILINE | re.DOTALL))


def tables(text: str) -> list[list[str]]:
    """The lines of each table of a page."""
    found = re.findall(r"(?:^\|.*\|$\n?)+", prose(text), re.MULTILINE)
    return [table.splitlines() for table in found]


def cells(row: str) -> int:
    """How many cells a line of a table has; an escaped bar ends none."""
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def read_pages(root: Path) -> dict[Path, str]:
    """The README, the configuration's, and every page in docs/ that is kept, with the files that it shows."""
    generated = root / "docs/reference/generated"
    kept = [path for path in (root / "docs").rglob("*.md") if generated not in path.parents]

    def shown(found: re.Match[str]) -> str:
        return "\n".join((root / found[1]).read_text().splitlines()[int(found[2] or 1) - 1 :])

    return {
        path: re.sub(r'^--8<-- "([^":]+)(?::(\d+))?"$', shown, path.read_text(), flags=re.MULTILINE)
        for path in [root / "README.md", root / "config/README.md", *sorted(kept)]
    }
