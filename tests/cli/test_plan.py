import json
import re
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers.pricing import EMBED, KNOWN, TRAIN, pricing
from helpers.workflow import planned, snakemake

from debatch.cli import main
from debatch.cli.choice import chosen_registry, parse_overrides
from debatch.cli.plan import Plan
from debatch.cli.planning.bill import wall_seconds
from debatch.cli.planning.disk import disk
from debatch.cli.planning.dry_run import Job, dry_run
from debatch.cli.planning.networks import count_floats, weight_bytes
from debatch.cli.planning.sizes import ScreenSize, SplitSize
from debatch.cli.planning.work import forward_passes
from debatch.cli.terminal import console, hours
from debatch.config import Recipe
from debatch.config.read import validate
from debatch.config.throughput import Throughput, read_throughput
from debatch.files import Files, Product
from debatch.model.network import Network

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_training_costs_images_by_epochs_over_the_assumed_share_of_the_peak():
    train, embed = pricing().lines([*TRAIN, *EMBED])
    rate = 0.1 * 1_000_000 / 250  # GFLOP/s over GFLOP an image
    images = 125_510 - round(125_510 * 18 / 51)
    assert train.images == 100 * images
    assert train.seconds == pytest.approx(100 * images / rate)
    assert train.rate.basis == "estimate"
    assert "A guess." in train.rate.words
    assert "250 GFLOP an image at 10 % of G's peak of 1,000 TFLOP/s" in train.rate.words
    assert embed.images == 125_510 - images + 6400
    assert embed.seconds == pytest.approx(embed.images / (0.4 * 50_000 / 80))


def test_what_was_measured_comes_before_what_is_assumed():
    (line,) = pricing(device="MEASURED").lines(TRAIN)
    assert (line.rate.basis, line.rate.images_per_second) == ("measured", 200.0)
    assert "2026-11-21, s" in line.rate.words


def test_at_half_the_side_an_image_costs_a_quarter(tmp_path):
    (tmp_path / "half.yaml").write_text("extends: rxrx1\ntraining: {pixels: 256}\n")
    (whole,) = pricing().lines(TRAIN)
    (half,) = pricing("screen=half.yaml").lines(TRAIN)
    assert half.seconds == pytest.approx(whole.seconds / 4)


def test_unknown_network_costs_an_unknown_time_and_not_none(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("extends: rxrx1\ntraining: {backbone: dla34}\n")
    monkeypatch.setattr("debatch.cli.planning.networks.count_floats", lambda *_: None)  # it cannot be built
    priced = pricing("screen=other.yaml")
    (line,) = priced.lines(TRAIN)
    assert (line.seconds, line.rate.basis) == (None, "unknown")
    assert wall_seconds([line], 8) == (None, None)
    sizes = {room.what: room.size for room in disk(TRAIN, priced.work.registry, priced.work.size, priced.throughput, 1)}
    assert set(sizes.values()) == {None}


def test_unknown_number_of_images_is_unknown(tmp_path):
    (tmp_path / "other.yaml").write_text("extends: rxrx1\nexpected_images: null\n")
    priced = pricing("screen=other.yaml")
    (line,) = priced.lines(TRAIN)
    assert (line.images, line.seconds) == (None, None)


def test_wall_time_is_bound_by_the_work_and_by_the_longest_run():
    lines = pricing().lines([*TRAIN, *EMBED])
    total = sum(line.total_seconds for line in lines)
    one = sum(line.seconds for line in lines)
    assert wall_seconds(lines, 1) == (pytest.approx(total), pytest.approx(one))
    assert wall_seconds(lines, 2)[0] == pytest.approx(total / 2)
    assert wall_seconds(lines, 100)[0] == pytest.approx(one)


def test_disk_of_stores_is_raw_bytes_by_the_measured_codec():
    priced = pricing()
    jobs = [Job("ingest_experiment", {"experiment": name}) for name in priced.work.registry.experiments]
    (stores,) = disk(jobs, priced.work.registry, priced.work.size, priced.throughput, 1)
    assert stores.size == pytest.approx(125_510 * 6 * 512 * 512 * 0.5)
    (line,) = priced.lines(jobs)
    assert line.total_seconds == pytest.approx(125_510 / 50, rel=1e-3)


def test_snapshots_are_kept_on_unseen_batches_alone():
    priced = pricing()
    seen = [Job("train", {**job.wildcards, "split": "stratified"}) for job in TRAIN]
    kept = {}
    for name, jobs in {"unseen": TRAIN, "seen": seen}.items():
        rooms = {
            room.what: room.size for room in disk(jobs, priced.work.registry, priced.work.size, priced.throughput, 2)
        }
        kept[name] = rooms["snapshots"] / rooms["weights"]
        # weights and momentum, twice, of the two that run at once
        assert rooms["checkpoints, while they train"] == pytest.approx(rooms["weights"] / 5 * 2 * 4)
    assert kept == {"unseen": 19, "seen": 0}


@pytest.mark.parametrize("screen", ["tiny", "demo"])
def test_weights_are_as_large_as_the_network_of_each_recipe(screen):
    registry = chosen_registry([f"screen={screen}"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    batches = size.split("separated").batches
    recipes = [recipe for recipe in registry.recipes.values() if not recipe.names_channels]  # these: below
    for recipe in {(r.backbone, r.embedding_width, r.batch_norm): r for r in recipes}.values():
        channels = len(recipe.channels) if recipe.channels else size.shape[0]
        saved = Network(recipe, channels, size.classes, batches).state_dict()
        floats = sum(t.numel() for t in saved.values() if t.dtype == torch.float32)
        assert weight_bytes(recipe, size, "separated", validate(Throughput, KNOWN, "throughput")) == 4 * floats


def test_weights_of_a_stem_are_those_of_all_parts_channels(tmp_path):
    registry = chosen_registry(["screen=tiny_parts"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    sets = [("DNA", "ER", "Actin"), ("RNA", "DNA", "Mito", "ER")]
    for stem in ("slice_param", "fixed_channels"):
        recipe = Recipe(stem=stem, backbone="small_resnet", pixels=32, embedding_width=32, parts=["square", "wide"])
        saved = Network(recipe, 3, size.classes, size.split("separated").batches, sets).state_dict()
        floats = sum(t.numel() for t in saved.values() if t.dtype == torch.float32)
        assert weight_bytes(recipe, size, "separated", validate(Throughput, KNOWN, "throughput")) == 4 * floats


def test_parameters_that_are_written_down_are_those_of_the_network(root):
    entries = [entry for entry in read_throughput(root).networks if entry.parameters]
    assert {"densenet161", "resnet50"} <= {entry.backbone for entry in entries}
    for entry in entries:
        floats = count_floats(entry.backbone, entry.pixels, entry.embedding_width, entry.channels)
        assert floats == (entry.parameters, entry.embedding_width + 1, entry.embedding_width + 1)


def test_simulated_screen_is_counted_before_it_is_drawn():
    registry = chosen_registry(["screen=tiny"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    assert size.images == 6 * 12 * 2  # experiments, wells, sites
    assert (size.classes, size.shape) == (6, (3, 32, 32))
    separated = size.split("separated")
    assert (separated.train, separated.scored, separated.batches) == (96, 48, 4)


def test_splits_of_rxrx1_before_the_data_is_there_come_near_the_real_ones():
    size = pricing().work.size
    for split in ("separated", "stratified", "stratified_site"):
        assert size.split(split).train == pytest.approx(81_224, rel=0.001)
        assert size.split(split).basis == "drawn from 51 batches that are taken to be of one size"
    assert (size.split("separated").batches, size.split("separated_val").batches) == (33, 29)
    few = size.split("few_HUVEC_draw0")
    assert (few.train, few.batches) == (round(125_510 * 3 / 51), 3)
    # eight of them, of which the configuration does not know
    assert few.scored == pytest.approx(8 * 125_510 / 51, rel=0.15)


def test_metadata_that_can_be_read_gives_the_splits_themselves(tmp_path):
    rows = ["experiment,plate,well,site,cell_type,well_type,perturbation,dataset"]
    for experiment, side in (("A", "train"), ("B", "train"), ("C", "test")):
        rows += [f"{experiment},1,B0{n},1,X,treatment,t{n},{side}" for n in (2, 3)]
    (tmp_path / "m.csv").write_text("\n".join([*rows, ""]))
    (tmp_path / "mine.yaml").write_text(
        "source: {root: images, pattern: '{experiment}/{plate}/{well}_{site}_{channel}.png', channels: {a: A}}\n"
        "metadata: {file: m.csv}\ncolumns: {site: site, subset: dataset}\nexpected_images: 999\n"
    )
    registry = chosen_registry(["screen=mine.yaml"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    assert size.images == 6
    assert (size.split("separated").train, size.split("separated").scored) == (4, 2)
    assert "metadata" in size.basis


def test_statistics_of_own_batch_cost_a_second_pass():
    recipe, size = chosen_registry(["screen=rxrx1"]).recipes["adabn"], SplitSize(1000, 300, 4, "")
    assert forward_passes(Product("view", "batch"), recipe, size, "separated") == 600
    assert forward_passes(Product("view", "batch"), recipe, size, "stratified") == 1300
    assert forward_passes(Product("view", "half"), recipe, size, "separated") == 300
    assert forward_passes(Product("training", "batch"), recipe, size, "stratified") == 2000
    assert forward_passes(Product("epochs", "train"), recipe, size, "separated") == 20 * 1300


def test_one_look_at_a_run_costs_all_that_it_makes_and_one_job():
    priced = pricing()
    looks = Product("view", "batch"), Product("view", "half"), Product("epochs", "batch")
    run = {"method": "adabn", "split": "separated", "seed": "0"}
    (line,) = priced.lines([Job("embed_run", run, looks)])
    assert (line.jobs, line.statistics) == (1, "batch, half, while training")
    scored = priced.work.size.split("separated").scored
    assert line.images == 2 * scored + scored + 20 * 2 * scored
    jobs = [Job("embed_run", run, looks), Job("correct_run", run, (Product("corrected", "batch", "znorm"),))]
    (room,) = disk(jobs, priced.work.registry, priced.work.size, priced.throughput, 1)
    assert room.size == 3 * scored * 1024 * 4
    assert room.words.startswith("3 files")


def test_one_job_of_many_statistics_costs_a_pass_and_a_reference_each():
    bill = pricing()
    (line,) = bill.lines([Job("embed_adaptation", {"method": "adabn", "split": "separated", "seed": "0"})])
    scored = bill.work.size.split("separated").scored
    assert line.images == len(bill.work.registry.statistics("adabn").names) * 2 * scored
    assert not disk(
        [Job("embed_adaptation", {"method": "adabn"})], bill.work.registry, bill.work.size, bill.throughput, 1
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seeds=2", 2),
        ("x1=1.5", 1.5),
        ("flag=True", True),
        ("screen=demo", "demo"),
        ("xs=[a, 1]", ["a", "1"]),
        ("xs=", None),
        ("screen='demo'", "demo"),
    ],
)
def test_overrides_are_read_as_snakemake_reads_them(text, value):
    assert parse_overrides([text]) == {text.partition("=")[0]: value}


@pytest.mark.workflow
def test_plan_has_the_jobs_of_a_dry_run_and_writes_nothing(empty_folder, tmp_path_factory, capsys):
    assert main(["plan", "table3", "--gpus", "2", "--json", "--config", "screen=tiny"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(empty_folder.iterdir()) == []
    own = snakemake(tmp_path_factory.mktemp("dry"), "-n", "table3", screen="tiny")
    assert told["jobs"] == planned(own)
    assert {(line["method"], line["jobs"]) for line in told["work"] if line["rule"] == "train"} == {
        (method, 1) for method in ("baseline", "gradient_reversal", "adabn", "adabn_gradient_reversal")
    }
    assert main(["plan", "tabel3", "--config", "screen=tiny"]) == 1
    assert "did you mean 'table3'?" in capsys.readouterr().err


@pytest.mark.workflow
def test_plan_of_full_rxrx1_without_its_data(capsys):
    assert main(["plan", "table1", "--config", "screen=rxrx1"]) == 0
    said = capsys.readouterr().out
    assert "125,510 (`expected_images` of the screen)" in said
    assert "estimate: 244 GFLOP an image" in said
    assert "Peak of H100: NVIDIA H100 data sheet" in said
    assert "…" not in said  # a pipe gets whole lines
    assert "\x1b" not in said


def test_finished_jobs_are_not_in_the_plan(monkeypatch, capsys):
    monkeypatch.setattr("debatch.cli.plan.dry_run", lambda *_: [])
    assert main(["plan", "table1", "--config", "screen=rxrx1"]) == 0
    assert "Nothing is to be run" in capsys.readouterr().out


def test_what_snakemake_cannot_plan_is_said_in_its_words(tmp_path):
    registry = chosen_registry(["screen=tiny"])
    with pytest.raises(Exception, match=r"Snakemake cannot plan this(.|\n)*results/nothing/of_this.csv"):
        dry_run(registry, ["results/nothing/of_this.csv"], ["screen=tiny"])


def splits_of(tmp_path, text: str, *names: str) -> list[SplitSize | None]:
    (tmp_path / "mine.yaml").write_text(f"extends: rxrx1\n{text}\n")
    registry = chosen_registry(["screen=mine.yaml"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    return [size.split(name) for name in names]


def test_splits_that_the_configuration_names_are_drawn_before_the_data_is_there(tmp_path):
    named = "splits: {cell_types: null, test_batches: [HUVEC-01, RPE-01]}"
    separated, stratified = splits_of(tmp_path, named, "separated", "stratified")
    assert (separated.batches, separated.scored) == (49, round(2 * 125_510 / 51))
    assert stratified.batches == 51
    (fold,) = splits_of(
        tmp_path, "splits: {names: [separated, separated_val, stratified, stratified_site, fold1], folds: 5}", "fold1"
    )
    assert fold.scored == pytest.approx(125_510 / 5, rel=0.1)
    in_order = (
        "splits: {names: [separated, separated_val, stratified, stratified_site, fold1], folds: 5, "
        "fold_order: natural, fold_column: replicate, fold_validation: true}"
    )
    (fold,) = splits_of(tmp_path, in_order, "fold1")
    assert fold.scored == pytest.approx(125_510 / 5, rel=0.1)
    assert fold.train == pytest.approx(3 * 125_510 / 5, rel=0.1)


def test_batches_that_are_no_experiments_are_not_known_before_the_data_is_there(tmp_path):
    separated, stratified = splits_of(
        tmp_path, "columns: {batch: plate}\nsplits: {cell_types: null}", "separated", "stratified"
    )
    assert separated is None
    assert stratified.train == pytest.approx(81_224, rel=0.001)
    registry = chosen_registry(["screen=mine.yaml"])
    size = ScreenSize(registry, Files(registry.results, registry.name))
    assert "batches are no experiments, so that the metadata alone says" in size.why_no_split("separated")
    assert size.why_no_split("stratified") == ""


def size_of(text: str) -> ScreenSize:
    Path("mine.yaml").write_text(text)
    registry = chosen_registry(["screen=mine.yaml"])
    return ScreenSize(registry, Files(registry.results, registry.name))


PNGS = "source: {root: images, pattern: '{experiment}/{plate}/{well}_{site}_{channel}.png', channels: {a: A}}\n"


def test_why_images_are_not_known_is_the_first_thing_that_lacks():
    listed = f"{PNGS}experiments: [A]\n"
    unknown = "nothing is ingested yet; {}; the screen has no `expected_images`"
    assert size_of(listed).basis == unknown.format("there is no metadata to count by")
    with_metadata = f"{listed}metadata: {{file: m.csv}}\ncolumns: {{cell_type: null, well_type: null}}\n"
    assert size_of(with_metadata).basis == unknown.format("m.csv: no such file; see `metadata.file` in the screen")
    Path("m.csv").write_text("experiment,plate,well,perturbation\nA,1,B02,t\n")
    no_sites = size_of(with_metadata)
    assert no_sites.basis == unknown.format("how many sites a well has is not said; list them as `source.sites`")
    assert no_sites.why_no_split("separated") == "the number of images is not known"
    assert size_of(with_metadata.replace("channels:", "sites: [1, 2], channels:")).images == 2
    Path("m.csv").write_text("experiment,plate,well\nA,1,B02\n")
    assert "no column 'perturbation'" in size_of(with_metadata).basis


def shown(priced, jobs, gpus, capsys) -> str:
    rooms = disk(jobs, priced.work.registry, priced.work.size, priced.throughput, gpus)
    Plan(priced.work.registry, ["table2"], jobs, priced, rooms, gpus).show(console())
    return capsys.readouterr().out


def test_what_is_known_is_summed_where_something_is_not(capsys):
    """Of two networks one was counted; the other's jobs are left out, and said to be."""
    other = [Job("train", {**job.wildcards, "method": "baseline__resnet50"}) for job in TRAIN[:2]]
    looked = [Job("embed_run", job.wildcards, (Product("view", "train"),)) for job in other]
    priced = pricing()
    known = sum(line.total_seconds for line in priced.lines([*TRAIN, *EMBED])) / 3600
    said = shown(priced, [*TRAIN, *other, *EMBED, *looked], 2, capsys)
    assert f"Training and embedding: at least {hours(3600 * known)} GPU-hours (G)" in said
    assert "\n  without 2 trainings: no rate, see [2]\n  without 2 embeddings: no rate, see [4]\n" in said
    assert "[2] unknown: training resnet50 in bfloat16 was not measured on G, nor was its work counted" in said
    assert "On 2 GPUs: at least" in said
    assert "the longest run of what is known, trained and embedded, takes" in said
    plan = Plan(priced.work.registry, [], [*TRAIN, *other], priced, [], 1).as_json()
    assert plan["training_and_embedding_hours"] is None
    assert plan["known_hours"] == pytest.approx(sum(line.total_seconds for line in priced.lines(TRAIN)) / 3600)
    assert [line["why_unknown"] is None for line in plan["work"]] == [True, False]


def test_nothing_known_is_no_sum_and_both_reasons_are_said(tmp_path, capsys):
    (tmp_path / "other.yaml").write_text("extends: rxrx1\nexpected_images: null\ntraining: {backbone: dla34}\n")
    said = shown(pricing("screen=other.yaml"), TRAIN, 1, capsys)
    assert (
        "Training and embedding: unknown GPU-hours (G)\n  without 5 trainings: no rate, see [1]; the number of" in said
    )
    assert "at once: at least" not in said
    assert "Images unknown (nothing is ingested yet; " in said


def test_disk_that_is_known_is_summed_where_some_is_not(tmp_path, capsys):
    (tmp_path / "other.yaml").write_text("extends: rxrx1\nexpected_images: null\n")
    said = shown(pricing("screen=other.yaml"), [*TRAIN, *EMBED], 1, capsys)
    assert re.search(r"embeddings +unknown\n", said)
    assert re.search(r"total +at least \d", said)
    assert "embeddings: 5 files; the number of images is not known" in said
    assert re.search(r"total, at most +\d", shown(pricing(), [*TRAIN, *EMBED], 1, capsys))


def test_experiments_that_the_index_lacks_take_nothing_from_the_others(capsys):
    priced = pricing()
    index = pd.DataFrame({"experiment": ["HUVEC-01"] * 30, "label": 0})
    priced.work.size.__dict__["_found"] = (30, "the screen's index", index)
    jobs = [Job("ingest_experiment", {"experiment": name}) for name in ("HUVEC-01", "HUVEC-02", "HUVEC-03")]
    known, unknown = priced.lines(jobs)
    assert (known.jobs, known.images, unknown.jobs, unknown.seconds) == (1, 30, 2, None)
    assert unknown.why_unknown == "the screen's index lacks the experiment"
    (stores,) = disk(jobs, priced.work.registry, priced.work.size, priced.throughput, 1)
    assert (stores.size, stores.partial) == (pytest.approx(30 * 6 * 512 * 512 * 0.5), True)
    assert "2 experiments not counted: the screen's index lacks them" in stores.words


def test_rules_without_a_benchmark_are_named_and_targets_are_none(capsys):
    jobs = [*TRAIN, Job("index", {}), Job("qc", {}), Job("table1", {}), Job("all", {})]
    assert "since nothing that was measured says how long they take: index, qc.\n" in shown(pricing(), jobs, 1, capsys)


def test_profiles_are_called_profiles(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("profiles: {made_up: {file: p.parquet}}\n")
    said = shown(pricing("screen=mine.yaml"), [Job("embed_profiles", {"external": "made_up"})], 1, capsys)
    assert "Profiles unknown (profiles are counted once they are indexed)" in said
