import re

import pytest
from helpers.images import make_index

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.cells import Cell, Draft, laid_out, tidy
from debatch.report.page.captions import figure_caption
from debatch.report.page.facts import limits, method_facts, screen_facts
from debatch.report.page.html import build_report
from debatch.report.published import Published
from debatch.screen.contents import contents
from debatch.tabular import write_frame


def test_report_counts_what_wells_hold_as_check_does(root):
    """Two sites a well: a control is counted once, and not as often as it was photographed."""
    index = make_index(experiments=3, wells=8, sites=2)
    said = dict(screen_facts(build_registry({"screen": "demo"}, root), index))
    assert said["perturbations"] == "3 treatments, 1 negative control (T3)"
    assert said["wells by type"] == "18 treatment, 6 negative control"
    assert dict(contents(index)).items() <= said.items()


def tiled_screen(folder):
    """The demo, its fields cut into four tiles each."""
    path = folder / "tiled.yaml"
    path.write_text("extends: demo\nimage: {tiles: 2}\ntraining: {pixels: [24, 24]}\n")
    return str(path)


def tiles(index):
    return index.assign(site=[f"1.{n % 4 + 1:02d}" for n in range(len(index))])


def test_tiles_are_called_tiles_and_fields_counted_beside_them(root, tmp_path):
    registry = build_registry({"screen": tiled_screen(tmp_path), "results": str(tmp_path)}, root)
    index = tiles(make_index(experiments=9, wells=8, sites=4))
    facts = dict(screen_facts(registry, index))
    assert (facts["tiles"], facts["fields"]) == ("288", "72")
    assert "images" not in facts
    assert any("AdaBN needs many tiles of a batch at once" in line for line in limits(registry, 3, trained=True))
    (adabn,) = method_facts(registry, ["adabn"])
    assert adabn["sees"] == "all of its tiles"
    assert "Test tiles of batches that were not trained on" in figure_caption("figure6", registry)
    assert "images" not in figure_caption("plates_intensity", registry)


def test_tables_of_tiles_speak_of_tiles(root, tmp_path):
    registry = build_registry({"screen": tiled_screen(tmp_path), "results": str(tmp_path)}, root)
    draft = Draft(
        {"a": "A"}, {"n": "8 images"}, {("a", "n"): Cell(1.0, note="of only 7 images (E00)")}, notes=["an image"]
    )
    text = laid_out("table1", draft, registry)
    assert "| 8 tiles (%) |" in text
    assert "- of only 7 tiles (E00)" in text
    assert "- a tile" in text
    assert "simulated images" in text
    (row,) = tidy(draft, "table1", registry, Published.read(root / "resources/published/published.csv")).to_dict(
        "records"
    )
    assert row["note"] == "of only 7 tiles (E00)"


def test_page_of_tiles_counts_tiles(root, tmp_path):
    index = tiles(make_index(experiments=3, wells=4, sites=4)).assign(qc_flags="")
    index.loc[0, "qc_flags"] = "DNA: saturated"
    for measure in ("intensity", "focus", "foreground", "saturation", "clipped"):
        index[f"{measure}_DNA"] = 0.5
    text = page_of(index, tmp_path, root)
    assert re.search(r"1 of the \d+ tiles is flagged", text)
    assert "flagged tiles" in text
    assert "Median over tiles" in text
    assert "tiles 48 fields 12" in text


def page_of(index, tmp_path, root):
    """The page of a screen without splits, as text without tags."""
    (tmp_path / "bare.yaml").write_text(BARE)
    registry = build_registry({"screen": str(tmp_path / "bare.yaml"), "results": str(tmp_path)}, root)
    files = Files(registry.results, registry.name)
    write_frame(index, files.index())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", build_report(registry, files)))


@pytest.mark.parametrize(("wells", "few"), [(9, True), (10, False)])
def test_page_says_where_there_are_too_few_images_to_flag(root, tmp_path, wells, few):
    index = make_index(experiments=3, wells=wells, sites=2).assign(qc_flags="")
    for measure in ("intensity", "focus", "foreground", "saturation", "clipped"):
        index[f"{measure}_DNA"] = 0.5
    text = page_of(index, tmp_path, root)
    said = "Too few images to flag for focus or foreground in every experiment: fewer than 20"
    # in the section, and in the captions of what is not flagged for
    assert text.count(said) == (3 if few else 0)
    assert ("too few to flag" in text) == few
    index["qc_flags"] = ["DNA: constant", *[""] * (len(index) - 1)]
    assert "too few to flag" not in page_of(index, tmp_path, root)  # of the channel there is a flag to count


BARE = """
source: {root: x, pattern: "{experiment}/{plate}/{well}_{site}_{channel}.png", channels: {DNA: DNA}}
experiments: [E00, E01, E02]
image: {tiles: 2}
splits: {names: []}
targets: [plates, report]
"""
