"""What counts call a screen's stored images: tiles where its fields of view were cut into such."""

import re
from dataclasses import dataclass

import pandas as pd

from debatch.config.screen import Screen

# not a key (`image.crop`), a file (images.parquet, images/s) or what was drawn or photographed
_IMAGE = re.compile(r"(?<![\w`./-])(?<!simulated )(?<!raw )(an |An )?([Ii])mage(s?)\b(?!\.\w|/|`|_)")


@dataclass(frozen=True)
class Noun:
    """One word for one thing.

    Attributes:
        one: of a single one.
        many: of several.
    """

    one: str
    many: str

    def count(self, n: int) -> str:
        """How many, as in `1 tile` and `1,024 tiles`."""
        return f"{n:,} {self.one if n == 1 else self.many}"

    def said(self, text: str) -> str:
        """A text that speaks of stored images, in this word."""
        if self == IMAGE:
            return text

        def word(found: re.Match[str]) -> str:
            article = {"an ": f"{self.article} ", "An ": f"{self.article.capitalize()} "}.get(found[1] or "", "")
            own = self.many if found[3] else self.one
            return article + (own.capitalize() if found[2] == "I" else own)

        return _IMAGE.sub(word, text)

    @property
    def article(self) -> str:
        """That stands before a single one."""
        return "an" if self.one[0] in "aeiou" else "a"


IMAGE = Noun("image", "images")
TILE = Noun("tile", "tiles")
FIELD = Noun("field", "fields")
PROFILE = Noun("profile", "profiles")
# of a screen whose parts differ in this
EITHER = Noun("image or tile", "images and tiles")


def stored_noun(screen: Screen) -> Noun:
    """What a screen's stored images are; of a screen of profiles, these."""
    if screen.profiles:
        return PROFILE
    return _joined(_cut(screen))


def field_noun(screen: Screen) -> Noun:
    """What the files hold that are read: images, the fields that tiles are cut from, or profiles."""
    if screen.profiles:
        return PROFILE
    return FIELD if any(_cut(screen)) else IMAGE


def noun_of_rows(index: pd.DataFrame) -> Noun:
    """What rows of the index are, by the names of their sites: `1.01` is a tile of the field `1`."""
    return _joined(index["site"].astype(str).str.contains(r"\.\d+$").unique().tolist())


def fields_of(index: pd.DataFrame) -> int:
    """How many fields the rows of an index are of."""
    fields = index["site"].astype(str).str.replace(r"\.\d+$", "", regex=True)
    return len(index[["experiment", "plate", "well"]].assign(field=fields).drop_duplicates())


def _cut(screen: Screen) -> list[bool]:
    """Of each part, whether its fields are cut."""
    return [screen.of_part(name).image.tiles > 1 for name in screen.part_names()]


def _joined(cut: list[bool]) -> Noun:
    if not any(cut):
        return IMAGE
    return TILE if all(cut) else EITHER
