"""Figures in a journal's size, font and formats."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from debatch.config.figures import FigureStyle
from debatch.errors import ConfigError
from debatch.files import Files
from debatch.registry import build_registry
from debatch.registry.asked import asked_targets
from debatch.report.sizing import SMALLEST_TEXT
from debatch.report.style import new_figure, save_figure

MM = 25.4


def drawn():
    """A wide figure with small text, ticks, points, a table and an annotation."""
    figure = new_figure(12, 5)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [1, 0], lw=2, marker="o", ms=6, label="a line")
    left.scatter([0.2, 0.4], [0.5, 0.5], s=36)
    left.annotate("a note", (0.5, 0.5), (10, 10), textcoords="offset points", fontsize=6)
    left.set(xlabel="x", title="a panel")
    left.legend(fontsize=8)
    right.imshow(np.eye(4))
    right.tick_params(length=0, labelsize=6)
    right.table([["1", "2"]], rowLabels=["row"])
    figure.suptitle("A title (simulated screen)")
    return figure


def saved(tmp_path, **style):
    files = Files(str(tmp_path), "s")
    figure = drawn()
    save_figure(figure, files, "f", pd.DataFrame({"x": [1]}), FigureStyle(**style), simulated=True)
    return figure, {path.suffix: path for path in (tmp_path / "s/figures").iterdir()}


def sizes(svg):
    return [float(size) for size in re.findall(r"font-size: ([\d.]+)px", svg)]


@pytest.mark.parametrize("width", [180, 88])
def test_width_is_kept_and_no_text_is_smaller_than_5_points(tmp_path, width):
    _, made = saved(tmp_path, width_mm=width, formats=["svg", "pdf", "png"], dpi=300)
    svg = made[".svg"].read_text()
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(width / MM * 72, abs=0.01)
    # units of an SVG of matplotlib are points
    assert min(sizes(svg)) >= SMALLEST_TEXT - 0.01
    assert len(sizes(svg)) > 10
    pixels = mpl.image.imread(made[".png"]).shape[1]
    assert pixels == pytest.approx(width / MM * 300, abs=1)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", made[".pdf"].read_bytes())
    assert float(box[1]) == pytest.approx(width / MM * 72, abs=0.01)


def test_ink_shrinks_with_the_figure_and_ticks_that_are_not_drawn_stay_so(tmp_path):
    figure, _ = saved(tmp_path, width_mm=12 * MM / 2)
    left, right = figure.axes
    assert left.lines[0].get_linewidth() == pytest.approx(1)
    assert left.lines[0].get_markersize() == pytest.approx(3)
    assert left.collections[0].get_sizes() == pytest.approx(9)
    assert left.xaxis.get_major_ticks()[0].tick1line.get_markersize() == pytest.approx(1.75)
    assert right.xaxis.get_major_ticks()[0].tick1line.get_markersize() == 0


def test_as_drawn_where_nothing_is_asked(tmp_path):
    figure, made = saved(tmp_path)
    assert set(made) == {".svg", ".png", ".csv"}
    assert tuple(figure.get_size_inches()) == (12, 5)
    assert figure.axes[0].lines[0].get_linewidth() == 2


def test_a_simulated_screen_is_called_simulated_without_titles_too(tmp_path):
    figure, _ = saved(tmp_path, titles=False)
    assert figure.get_suptitle() == "simulated"
    assert figure.axes[0].get_title() == "a panel"


def test_font_is_named_in_the_file_or_refused(tmp_path):
    _, made = saved(tmp_path, font="DejaVu Serif")
    assert "DejaVu Serif" in made[".svg"].read_text()
    with pytest.raises(ConfigError, match=r"`figures.font`: no font 'Nosuch Sans' is installed here"):
        saved(tmp_path, font="Nosuch Sans")


def test_the_same_bytes_each_time_in_every_format(tmp_path):
    written = [
        [path.read_bytes() for _, path in sorted(saved(tmp_path, formats=["svg", "pdf", "png"])[1].items())]
        for _ in range(2)
    ]
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ({"formats": ["pdf"]}, "one of svg and png"),
        ({"formats": ["svg", "svg"]}, "each format once"),
        ({"formats": ["eps"]}, "'svg', 'png' or 'pdf'"),
        ({"width_mm": 5.0}, "greater than or equal to 40"),
    ],
)
def test_wrong_settings_are_refused(style, said):
    with pytest.raises(ValidationError, match=said):
        FigureStyle(**style)


def test_files_that_may_be_asked_for_follow_the_formats(root, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "tiny", "figures": {"formats": ["svg", "pdf"]}}))
    registry = build_registry({"screen": str(path)}, root)
    files = Files(registry.results, registry.name)
    assert asked_targets(registry, files, [files.figure("figure7", "pdf")]) == ["figure7"]
    assert not asked_targets(registry, files, [files.figure("figure7", "png")])
