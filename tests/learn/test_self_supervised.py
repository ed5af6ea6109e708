"""DINO, BYOL and what CDCL makes of them: losses, partners, centres, teachers."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import make_images
from helpers.tiny_trainer import LARGER, SHARED, files, make_dealt_trainer, make_trainer
from hypothesis import given, settings
from hypothesis import strategies as st

from debatch.config import Recipe
from debatch.errors import DataError
from debatch.learn.objectives import Progress
from debatch.learn.objectives.partners import Partners
from debatch.learn.objectives.self_supervised import (
    Centres,
    barlow_loss,
    between,
    byol_loss,
    dino_loss,
    effective_rank,
    entropy_share,
    ramp,
    view_pairs,
)
from debatch.runtime.ranks import ALONE

SMALL = {"head_width": 32, "bottleneck": 16, "prototypes": 32, "head_norm": True}
QUICK = {"teacher_momentum": [0.9, 0.99], "frozen_epochs": 1.0, "teacher_temperature_epochs": 1.0}
ADAMW = {**SHARED, "optimizer": "adamw", "learning_rate": 0.002}


def dino(**keys):
    return Recipe(**ADAMW, objective={"kind": "dino", "local_views": 2, **SMALL, **QUICK, **keys})


CDCL = {"partner": "other_batch", "centres": "batch", "barlow": 0.75}
RECIPES = {
    "dino": dino(),
    "cdcl": dino(**CDCL),
    "dino_bl": dino(barlow=1.0),
    "dino_without_neck": dino().model_copy(update={"embedding_width": None, "gradient_clip": 0.5}),
    "byol": Recipe(**ADAMW, objective={"kind": "byol", "projector_width": 32, "projection_width": 16}),
    "byol_cb_bl": Recipe(
        **ADAMW,
        objective={
            "kind": "byol", "projector_width": 32, "projection_width": 16, "partner": "other_batch", "barlow": 1.0,
        },
    ),
}  # fmt: skip


def sines(rows, columns, step):
    """(rows, columns) of the sines that the frozen values below were computed from, by other code."""
    return torch.tensor([math.sin(step * at + 0.3) for at in range(rows * columns)]).reshape(rows, columns)


def test_losses_are_those_that_other_code_gives():
    teachers, students = [sines(6, 8, step) for step in (0.37, 0.91)], [sines(6, 8, 0.5 + 0.13 * k) for k in range(8)]
    terms = [dino_loss(teachers[t], students[s], 0.04, 0.1) for t, s in view_pairs(2, 8)]
    assert len(terms) == 14
    assert float(torch.stack(terms).mean()) == pytest.approx(9.545004, abs=2e-5)
    assert float(torch.stack(terms).mean()) / math.log(8) == pytest.approx(4.590177, abs=1e-5)
    assert float(barlow_loss(*teachers)) == pytest.approx(1.192576, abs=1e-5)
    assert float(byol_loss(*teachers)) == pytest.approx(1.924438, abs=1e-5)


def test_barlow_is_nothing_of_two_equal_views_of_unlike_features():
    one = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    assert float(barlow_loss(one, one)) < 0.01
    assert float(barlow_loss(one, 5 * one + 3)) < 0.01  # scale and shift do not matter
    assert float(barlow_loss(one, one.roll(1, 0))) > 0.8


def test_entropy_and_effective_rank_tell_a_collapse():
    assert entropy_share(torch.zeros(2, 5), 1.0).tolist() == pytest.approx([1.0, 1.0])
    assert float(entropy_share(torch.tensor([[0.0, 99.0, 0.0]]), 1.0)[0]) == pytest.approx(0.0, abs=1e-6)
    spread = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    assert float(effective_rank(spread)) == pytest.approx(8, abs=0.1)
    assert float(effective_rank(spread[:, :1] @ torch.ones(1, 8))) == pytest.approx(1, abs=0.1)


def test_ways_from_one_value_to_another():
    assert [between([0.9, 1.0], share) for share in (0.0, 0.5, 1.0)] == pytest.approx([0.9, 0.95, 1.0])
    assert [ramp([0.04, 0.07], share) for share in (0.0, 0.5, 1.0, 3.0)] == pytest.approx([0.04, 0.055, 0.07, 0.07])


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("XYZ"), st.sampled_from("1234")), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from(["other_batch", "any_batch"]))
def test_a_partner_is_of_the_same_perturbation_and_by_the_rule_wherever_there_is_one(places, rule):
    rows = pd.DataFrame(places, columns=["perturbation", "batch", "well"])
    rows = rows.assign(experiment=rows["batch"], plate="1", cell_type="U2OS", part="all")
    partners = Partners(rows, rule)
    everyone = np.arange(len(rows))
    drawn = np.stack([partners.draw(everyone, np.random.default_rng(seed)) for seed in range(20)])
    well = rows[["batch", "well"]].agg("/".join, axis=1)
    counted = {"by_rule": 0, "same_batch": 0, "alone": 0}
    for at in everyone:
        own = set(drawn[:, at])
        alike = rows["perturbation"] == rows["perturbation"][at]
        others = alike & (rows["batch"] != rows["batch"][at] if rule == "other_batch" else well != well[at])
        elsewhere, besides = alike & (well != well[at]), alike & (rows.index != at)
        allowed = next((kind for kind in (others, elsewhere, besides) if kind.any()), rows.index == at)
        assert own <= set(rows.index[allowed])
        if others.any():
            counted["by_rule"] += 1
        elif rule == "other_batch" and besides.any():
            counted["same_batch"] += 1
        elif besides.any():
            counted["by_rule"] += 1
        else:
            counted["alone"] += 1
    assert (partners.by_rule, partners.same_batch, partners.alone) == tuple(counted.values())


def test_partners_are_drawn_evenly_and_no_label_is_no_likeness():
    rows = pd.DataFrame({"perturbation": ["a"] * 5 + [None] * 2, "batch": list("XYYZZXY"), "well": list("1234567")})
    rows = rows.assign(experiment=rows["batch"], plate="1", cell_type="U2OS", part="all")
    partners = Partners(rows, "other_batch")
    drawn = partners.draw(np.zeros(8000, np.int64), np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=5)[1:5] / 8000, 0.25, atol=0.02)
    assert partners.draw(np.array([5, 6]), np.random.default_rng(0)).tolist() == [5, 6]
    assert partners.alone == 2


def test_a_centre_is_a_running_mean_of_its_domain_and_a_rare_one_does_not_overshoot():
    centres = Centres(2, [0.98, 0.02], momentum=0.9)
    outputs, domains = torch.tensor([[1.0, 2.0], [3.0, 4.0], [8.0, 8.0]]), torch.tensor([0, 0, 1])
    centres.note(outputs[:2], domains[:2])
    centres.note(outputs[2:], domains[2:])
    centres.move(lambda tensor: tensor)
    # two thirds of the step are of the first domain, which is 0.98 of all; the second is 17 times as frequent as usual
    torch.testing.assert_close(centres.values[0], 0.1 * (2 / 3 / 0.98) * torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(centres.values[1], 0.1 * torch.tensor([8.0, 8.0]))
    for _ in range(200):
        centres.note(outputs, domains)
        centres.move(lambda tensor: tensor)
    torch.testing.assert_close(centres.values, torch.tensor([[2.0, 3.0], [8.0, 8.0]]), atol=1e-3, rtol=0)
    before = centres.values.clone()
    centres.move(lambda tensor: tensor)  # a step without an image of either
    torch.testing.assert_close(centres.values, before)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 40)), min_size=1, max_size=6),
    st.floats(0, 0.99),
    st.integers(0, 99),
)
def test_a_centre_never_moves_past_the_mean_of_its_domain(counts, momentum, seed):
    """However rare the domain is, and however many of a step's images are of it."""
    generator = torch.Generator().manual_seed(seed)
    held = torch.tensor([count for count, _ in counts])
    centres = Centres(4, (held / held.sum()).tolist(), momentum)
    centres.values.copy_(torch.randn(len(counts), 4, generator=generator))
    before = centres.values.clone()
    domains = torch.tensor([domain for domain, (_, of_step) in enumerate(counts) for _ in range(of_step)]).long()
    outputs = torch.randn(len(domains), 4, generator=generator)
    centres.note(outputs, domains)
    centres.move(lambda tensor: tensor)
    for domain in range(len(counts)):
        moved, own = centres.values[domain] - before[domain], outputs[domains == domain]
        if not len(own):
            assert not moved.any()
            continue
        way = own.mean(0) - before[domain]
        share = float(moved @ way / (way @ way))
        assert 0 < share <= 1 - momentum + 1e-5
        torch.testing.assert_close(moved, share * way, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", RECIPES)
def test_every_weight_that_should_learn_does_and_a_teacher_only_follows(tmp_path, name):
    trainer = make_dealt_trainer(RECIPES[name])
    objective = trainer.objective
    start = {key: weight.detach().clone() for key, weight in objective.named_parameters()}
    history = trainer.fit(files(tmp_path))
    changed = {key: not torch.equal(weight, start[key]) for key, weight in objective.named_parameters()}
    assert all(changed.values()), [key for key, value in changed.items() if not value]
    following = "network.backbone" if name.startswith(("dino", "cdcl")) else "teacher"
    teachers = [weight for key, weight in objective.named_parameters() if key.startswith(following)]
    assert teachers
    assert all(weight.grad is None and not weight.requires_grad for weight in teachers)
    assert np.isfinite(history[list(objective.columns)].to_numpy()).all()
    assert list(history)[1 : 1 + len(objective.columns)] == list(objective.columns)
    storages = [weight.data_ptr() for weight in objective.parameters()]
    assert len(set(storages)) == len(storages)


def test_the_teacher_is_a_running_mean_of_the_student():
    trainer = make_dealt_trainer(dino(teacher_momentum=[0.8, 0.8]))
    objective = trainer.objective.train()
    before = objective.network.backbone.stem[0].weight.clone()
    with torch.no_grad():
        objective.student["backbone"].stem[0].weight.add_(1.0)
    student = objective.student["backbone"].stem[0].weight
    objective.after_step(Progress(0.5, 3), ALONE)
    torch.testing.assert_close(objective.network.backbone.stem[0].weight, 0.8 * before + 0.2 * student)


def test_prototypes_are_still_in_the_first_epoch(tmp_path):
    trainer = make_dealt_trainer(RECIPES["dino"].model_copy(update={"epochs": 1}))
    before = trainer.objective.student_head.prototypes.detach().clone()
    trainer.fit(files(tmp_path))
    torch.testing.assert_close(trainer.objective.student_head.prototypes, before)


def test_partners_are_read_with_their_group():
    trainer = make_dealt_trainer(RECIPES["cdcl"])
    positions = np.arange(12)
    reads = trainer.objective.reads(positions, np.random.default_rng(0))
    assert reads[:12].tolist() == positions.tolist()
    rows = trainer.data.rows
    assert (rows["perturbation"].to_numpy()[reads[12:]] == rows["perturbation"].to_numpy()[positions]).all()
    assert (rows["batch"].to_numpy()[reads[12:]] != rows["batch"].to_numpy()[positions]).all()
    (group,) = trainer.images.groups([reads])
    views = trainer.objective.views(group, torch.Generator().manual_seed(0))
    assert [tuple(view.shape) for view in views.images] == [(12, 3, 32, 32)] * 2 + [(12, 3, 16, 16)] * 2
    assert not torch.equal(*views.domains)


def test_centres_are_of_batches_and_not_of_perturbations():
    trainer = make_dealt_trainer(RECIPES["cdcl"])
    objective, batches = trainer.objective.train(), trainer.data.batches
    assert torch.equal(objective.domains, torch.from_numpy(batches))
    assert len(objective.centres.values) == len(trainer.data.batch_names) == 3
    assert trainer.data.classes == 4
    first = np.flatnonzero(batches == 1)[:6]
    second = np.flatnonzero(batches == 2)[:6]  # as partners
    (group,) = trainer.images.groups([np.concatenate([first, second])])
    views = objective.views(group, torch.Generator().manual_seed(0))
    objective(views, group, Progress(0.5, 2))
    objective.after_step(Progress(0.5, 2), ALONE)
    assert objective.centres.values.abs().sum(1).gt(0).tolist() == [False, True, True]


@pytest.mark.parametrize("name", ["dino", "cdcl", "byol"])
def test_every_image_has_its_turn_in_an_epoch(tmp_path, name):
    """72 images in groups of about 10: none is left over at the end."""
    trainer = make_dealt_trainer(RECIPES[name].model_copy(update={"group": 10, "epochs": 1}))
    seen, views = [], trainer.objective.views

    def noting(group, generator):
        seen.append(group.positions[: len(group.positions) // (2 if trainer.objective.partners else 1)])
        return views(group, generator)

    trainer.objective.views = noting
    trainer.fit(files(tmp_path))
    assert len(trainer.images) % 10
    assert sorted(np.concatenate(seen).tolist()) == list(range(len(trainer.images)))


@pytest.mark.parametrize("name", ["cdcl", "byol_cb_bl"])
def test_labels_of_images_that_are_not_trained_on_change_no_weight(tmp_path, name):
    """Nothing is chosen by them: the weights are those of the last step."""
    others = LARGER.assign(label=LARGER["label"].where(LARGER["batch"] != "E03", 3 - LARGER["label"]))
    others["perturbation"] = "T" + others["label"].astype(str)
    assert not others["label"].equals(LARGER["label"])
    images = make_images(LARGER)
    trainers = [make_trainer(RECIPES[name], images=images, index=index) for index in (LARGER, others)]
    last = []
    for number, trainer in enumerate(trainers):
        trainer.fit(files(tmp_path / str(number)))
        last.append(trainer.objective.state_dict())
    for key, value in last[0].items():
        assert torch.equal(value, last[1][key]), key


@pytest.mark.parametrize("name", ["cdcl", "byol_cb_bl"])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path, name):
    recipe = RECIPES[name].model_copy(update={"epochs": 2})
    whole = make_dealt_trainer(recipe)
    whole.fit(files(tmp_path / "whole"))
    first = make_dealt_trainer(recipe)
    first.recipe = recipe.model_copy(update={"epochs": 1})
    first.fit(files(tmp_path / "cut"))
    second = make_dealt_trainer(recipe)
    second.fit(files(tmp_path / "cut"))
    for key, value in whole.objective.state_dict().items():
        assert torch.equal(value, second.objective.state_dict()[key]), key


def test_what_has_no_partners_of_other_batches_is_refused():
    with pytest.raises(DataError, match=r"hold no partners of other batches"):
        make_dealt_trainer(RECIPES["dino"].model_copy(update={"batch_norm": "adaptive"}))
