import re
import subprocess

import pytest
from helpers.images import make_index
from helpers.made_up import made_up_results

from debatch.files import Files
from debatch.registry import build_registry
from debatch.report.page.html import build_report
from debatch.report.page.use_this import command, embedding_files, next_steps
from debatch.report.results import Results
from debatch.tabular import write_frame


def embedded(results):
    """The files of embeddings that the screen's tables and figures look at, empty."""
    registry, files = results.registry, results.files
    paths = {files.embeddings(files.folder(run), run.view) for run in registry.runs("table_correction")}
    for path in paths:
        write_frame(make_index(1, 1), path)
    return paths


def test_files_of_embeddings_are_those_that_are_there(root, tmp_path):
    results = made_up_results(root, tmp_path)
    assert embedding_files(results) == []
    paths = embedded(results)
    found = dict(embedding_files(results))
    assert set(found.values()) == paths
    assert found["AdaBN + Harmony (separated)"].endswith("runs/adabn/separated/seed0/embeddings/batch.harmony.parquet")


def test_a_command_is_what_a_shell_takes(root, tmp_path):
    """A screen by its path, with a blank in it."""
    path = tmp_path / "my screen.yaml"
    path.write_text("extends: tiny\n")
    registry = build_registry({"screen": str(path), "results": "my results"}, root)
    said = command(registry, "table1", seeds=2)
    words = subprocess.run(f"printf '%s\\n' {said}", shell=True, capture_output=True, text=True, check=True).stdout
    assert words.splitlines() == [
        "snakemake", "--cores", "all", "table1", "--config", f"screen={path}", "results=my results", "seeds=2",
    ]  # fmt: skip


def test_next_steps_follow_from_what_was_made(root, tmp_path):
    results = made_up_results(root, tmp_path)
    steps = next_steps(results, trained=True, alarmed=False)
    commands = [step.command.split(" --config")[0] for step in steps]
    assert commands == ["snakemake --cores all report", "snakemake --cores all table_adaptation"]
    assert steps[0].command.endswith("seeds=2")
    embedded(results)
    last = [step.command.split()[3] for step in next_steps(results, trained=True, alarmed=False)[-2:]]
    assert last == ["explorer", "h5ad"]
    assert "null" in next_steps(results, trained=True, alarmed=True)[0].why


def test_two_seeds_are_not_asked_for_twice(root, tmp_path):
    results = made_up_results(root, tmp_path, seeds=2)
    assert not any("seeds=" in step.command for step in next_steps(results, trained=True, alarmed=False))


@pytest.mark.parametrize("screen", ["demo", "bbbc022_sample"])
def test_the_page_ends_in_the_box_and_begins_with_five_answers(root, tmp_path, screen):
    index = make_index(experiments=9, wells=8, sites=2)
    text = build_report(*_parts(made_up_results(root, tmp_path, screen, index=index)))
    asked = re.findall(r"<h3>\d\. (.*?)</h3>", re.sub(r"</?a\b[^>]*>", "", text))
    assert asked == [
        "Is there a batch effect?", "What removes it?", "What does that cost?", "How sure is that?", "What next?",
    ]  # fmt: skip
    assert re.findall(r'<section id="([a-z]+)"', text)[-1] == "use"
    assert '<div class="command"><code>' in text


def _parts(results):
    return results.registry, results.files


@pytest.mark.parametrize("shared", [True, False])
def test_a_split_by_batch_is_proposed_where_treatments_are_in_several(root, tmp_path, shared):
    path = tmp_path / "mine.yaml"
    path.write_text("profiles: {cp: {file: x.csv}}\n")
    index = make_index(experiments=9, wells=8)
    if not shared:
        treated = index["well_type"] == "treatment"
        index["perturbation"] = index["perturbation"].where(~treated, index["perturbation"] + index["batch"])
        index["label"] = index["perturbation"].factorize()[0]
    registry = build_registry({"screen": str(path), "results": str(tmp_path)}, root)
    files = Files(registry.results, registry.name)
    write_frame(index, files.index())
    said = " ".join(step.why for step in next_steps(Results(registry, files), trained=False, alarmed=False))
    assert ("splits: {names: [separated]}" in said) == shared
    page = build_report(registry, files)
    assert "<dt>cell types</dt>" in page
    assert "is fitted within a cell type" not in page
    assert "gives this page a name" in page
    write_frame(index.assign(cell_type="all"), files.index())
    assert "<dt>cell types</dt>" not in build_report(registry, files)
