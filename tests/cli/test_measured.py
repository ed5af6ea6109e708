import json
from pathlib import Path

import pytest

from debatch.cli import main
from debatch.cli.choice import chosen_registry
from debatch.cli.planning.dry_run import Job
from debatch.cli.planning.measured import measured_jobs
from debatch.cli.planning.sizes import ScreenSize
from debatch.cli.planning.work import Work
from debatch.files import Files, Product

pytestmark = pytest.mark.usefixtures("empty_folder")

RUN = {"method": "baseline", "split": "separated", "seed": "0"}
TRAIN = Job("train", RUN)
# images of the tiny screen's training: 2 epochs of 96
IMAGES = 192


def ran(*times: dict):
    """The tiny screen's measured jobs, of times that a workflow might have gathered."""
    registry = chosen_registry(["screen=tiny"])
    files = Files(registry.results, registry.name)
    Path(files.times()).parent.mkdir(parents=True, exist_ok=True)
    default = {"wildcards": RUN, "max_rss_mb": None, "threads": 1, "gpus": 0, "ended": "2026-11-28T10:00:00+00:00"}
    Path(files.times()).write_text("".join(f"{json.dumps({**default, **time})}\n" for time in times))
    return measured_jobs(registry, files, Work(registry, ScreenSize(registry, files)))


def recipe(method: str = "baseline", **changes) -> dict:
    return {**json.loads(json.dumps(chosen_registry(["screen=tiny"]).recipes[method].model_dump())), **changes}


def trained(seconds: float, method: str = "baseline", **changes) -> dict:
    said = {"rule": "train", "wildcards": {**RUN, "method": method}, "seconds": seconds}
    return {**said, "recipe": recipe(method), **changes}


def test_median_of_jobs_of_the_same_recipe():
    rate = ran(trained(10), trained(20), trained(60), trained(1000, "adabn")).rate(TRAIN, IMAGES)
    assert rate.seconds(IMAGES) == pytest.approx(20)
    assert (rate.basis, rate.words) == (
        "measured here", "median of 3 jobs of this screen, by the same recipe, start-up included, 2026-11-28",
    )  # fmt: skip


def test_more_images_take_longer_by_the_jobs_of_nearest_size():
    few = trained(8, wildcards={**RUN, "split": "separated_val"})
    rate = ran(few, trained(20)).rate(TRAIN, 2 * IMAGES)
    assert rate.seconds(2 * IMAGES) == pytest.approx(40)


def test_fewer_epochs_of_a_recipe_take_less():
    rate = ran(trained(20, recipe=recipe(epochs=40))).rate(TRAIN, IMAGES)
    assert "the same recipe" in rate.words
    assert rate.seconds(IMAGES) == pytest.approx(1)


def test_another_recipe_of_the_network_serves_where_it_sees_images_alike():
    assert ", by other recipes of the same network" in ran(trained(20, "adabn")).rate(TRAIN, IMAGES).words
    other = recipe("adabn", objective={"kind": "dino"})
    assert ran(trained(20, "adabn", recipe=other)).rate(TRAIN, IMAGES) is None
    assert ran(trained(20, "adabn", recipe=recipe(backbone="resnet18"))).rate(TRAIN, IMAGES) is None
    assert ran(trained(20, gpus=1)).rate(TRAIN, IMAGES) is None


def test_interrupted_training_took_what_all_of_its_epochs_took():
    Path("results/tiny/runs/baseline/separated/seed0").mkdir(parents=True)
    Path("results/tiny/runs/baseline/separated/seed0/recipe.json").write_text('{"wall_seconds": 500.0}')
    assert ran(trained(20)).rate(TRAIN, IMAGES).seconds(IMAGES) == pytest.approx(500)


def test_scores_are_priced_by_jobs_that_made_the_same_kinds():
    run = {"run": "baseline/separated/seed0"}
    scored = {
        "rule": "score_run_train_metrics",
        "wildcards": run,
        "seconds": 7,
        "products": [["metrics", "train", "none"]],
    }
    both = {**scored, "rule": "score_run_train_metrics_cosine", "seconds": 11}
    both["products"] = [*scored["products"], ["cosine", "train", "none"]]
    jobs = ran(scored, both)
    scores = Product("metrics", "batch")
    assert jobs.rate(Job("score_run", RUN, (scores,)), 48).seconds(48) == pytest.approx(7)
    assert jobs.rate(Job("score_run", RUN, (scores, Product("cosine", "batch"))), 48).seconds(48) == pytest.approx(11)
    assert jobs.rate(Job("score_run", RUN, (Product("scores", "batch"),)), 48) is None


def test_rule_of_no_run_takes_what_it_took():
    rate = ran({"rule": "normalize", "wildcards": {"variant": "self"}, "seconds": 3}).rate(Job("normalize", {}), None)
    assert (rate.images_per_second, rate.seconds(None)) == (None, 3)


def test_plan_says_what_was_measured_here_unless_it_is_asked_of_other_hardware(monkeypatch, capsys):
    monkeypatch.setattr("debatch.cli.plan.dry_run", lambda *_: [TRAIN, TRAIN])
    ran(trained(1800), trained(3600))
    assert main(["plan", "table3", "--config", "screen=tiny"]) == 0
    said = capsys.readouterr().out
    assert "[1] measured here: median of 2 jobs of this screen, by the same recipe" in said
    assert main(["plan", "table3", "--json", "--config", "screen=tiny"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["work"]
    assert (line["basis"], line["jobs"]) == ("measured here", 2)
    assert main(["plan", "table3", "--device", "H100", "--config", "screen=tiny"]) == 0
    assert "measured here" not in capsys.readouterr().out
