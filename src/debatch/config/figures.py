"""How a screen's figures are written: size, font, formats."""

from typing import Literal

from pydantic import Field, field_validator

from debatch.config.base import Section

Format = Literal["svg", "png", "pdf"]
NUMBERS = "csv"
# of these the report page shows one
ON_PAGES: tuple[Format, ...] = ("svg", "png")


class FigureStyle(Section):
    """How figures are written. The numbers behind each are always written too, as CSV."""

    width_mm: float | None = Field(
        None,
        ge=40,
        le=600,
        description="Width of every figure in mm, as of a journal's page (180) or column (88); text is never smaller "
        "than 5 points there. null: as each is drawn.",
    )
    font: str = Field(
        "DejaVu Sans",
        min_length=1,
        description="Font family of all text, as Arial; it must be installed on the machine that draws.",
    )
    formats: list[Format] = Field(
        default=["svg", "png"],
        min_length=1,
        description="Formats of every figure; one of svg and png is among them, which the report shows.",
    )
    dpi: int = Field(160, ge=50, le=1200, description="Dots per inch of PNG, and of what is pixels in SVG and PDF.")
    titles: bool = Field(
        True, description="Whether figures have their title; a simulated screen's say that it is simulated either way."
    )

    @field_validator("formats")
    @classmethod
    def _shown_and_once(cls, value: list[Format]) -> list[Format]:
        if not set(value) & set(ON_PAGES):
            raise ValueError("one of svg and png must be among the formats: the report page shows it")
        if len(set(value)) < len(value):
            raise ValueError("each format once")
        return value

    def suffixes(self) -> tuple[str, ...]:
        """Of the files that a figure comes to."""
        return (*self.formats, NUMBERS)
