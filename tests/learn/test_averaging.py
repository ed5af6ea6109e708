"""SWAD: weights that are the mean over a valley of the validation loss."""

import numpy as np
import pytest
import torch
from helpers.tiny_trainer import SHARED, files, make_dealt_trainer
from hypothesis import given
from hypothesis import strategies as st

from debatch.config import Recipe
from debatch.config.read import validate
from debatch.config.recipe import Swad
from debatch.errors import ConfigError, DataError
from debatch.learn.averaging import LossValley
from debatch.model.network import batch_norms

SETTINGS = Swad(every=2, settle=3, leave=2, tolerance=0.3)
RECIPE = Recipe(**SHARED, swad={"every": 1, "validation": 0.2, "settle": 1, "tolerance": 1000.0})


class Counter(torch.nn.Module):
    """Its one weight is the number of steps."""

    def __init__(self):
        super().__init__()
        self.steps = torch.nn.Parameter(torch.zeros(1))


def averaged_steps(losses, settings, steps_after=0, saved_at=None):
    """The weight that comes of it."""
    network = Counter()
    valley = LossValley(network, settings)
    for at, loss in enumerate([*losses, None]):
        for _ in range(settings.every if loss is not None else steps_after):
            with torch.no_grad():
                network.steps += 1
            valley.after_step()
        if loss is not None:
            assert valley.due
            valley.look(loss)
        if at == saved_at:
            again = LossValley(network, settings)
            again.load_state_dict(valley.state_dict())
            valley = again
    valley.finish()
    return network.steps.item()


def by_definition(losses, settings, steps_after=0):
    """The same, of all weights and losses at once."""
    every, settle, leave = settings.every, settings.settle, settings.leave
    of_look = [range(at * every + 1, (at + 1) * every + 1) for at in range(len(losses))]
    begins = [at for at in range(len(losses) - settle + 1) if min(losses[at : at + settle]) == losses[at]]
    if not begins:
        return np.mean(of_look[-1]) if losses else 0.0
    first = begins[0]
    limit = np.mean(losses[first : first + settle]) * (1 + settings.tolerance)
    ends = [
        at for at in range(first, len(losses) - leave + 1)
        if min(losses[at : at + leave]) > limit and at + leave > first + settle
    ]  # fmt: skip
    inside = [step for look in of_look[first : ends[0] if ends else None] for step in look]
    if not ends:
        inside += range(len(losses) * every + 1, len(losses) * every + steps_after + 1)
    return np.mean(inside)


def test_steps_of_the_valley_are_averaged():
    # it begins at 1, may rise to 1.95 (once above is nothing), and ends before two looks at 9
    losses = [5, 4, 1, 2, 1.5, 1.6, 9, 9, 0]
    assert averaged_steps(losses, SETTINGS) == pytest.approx(np.mean(range(5, 13)))
    assert averaged_steps(losses[:7], SETTINGS, steps_after=1) == pytest.approx(np.mean(range(5, 16)))  # no end
    assert averaged_steps([5, 4, 3, 2], SETTINGS, steps_after=1) == pytest.approx(7.5)  # no beginning
    assert averaged_steps([], SETTINGS, steps_after=1) == 1


@given(
    st.lists(st.sampled_from([1.0, 1.2, 2.0, 3.0, 9.0]), min_size=1, max_size=14),
    st.builds(
        Swad, every=st.integers(1, 3), settle=st.integers(1, 4), leave=st.integers(1, 4),
        tolerance=st.sampled_from([0.0, 0.3, 1.0]),
    ),
    st.integers(0, 13),
)  # fmt: skip
def test_the_valley_is_found_on_the_way_as_it_is_afterwards_and_from_a_checkpoint(losses, settings, saved_at):
    found = averaged_steps(losses, settings)
    assert found == pytest.approx(by_definition(losses, settings), rel=1e-5)
    assert averaged_steps(losses, settings, saved_at=saved_at) == found


def test_a_run_ends_with_the_mean_of_its_weights_and_with_statistics_of_that(tmp_path):
    trainer = make_dealt_trainer(RECIPE)
    noted, step = [], trainer.optimizer.step

    def noting():
        step()
        noted.append([weight.detach().clone() for weight in trainer.network.parameters()])

    trainer.optimizer.step = noting
    history = trainer.fit(files(tmp_path))
    assert len(trainer.valley.losses) == len(noted) == trainer.steps
    assert history["validation_loss"].iloc[-1] == trainer.valley.losses[-1]
    for weight, *steps in zip(trainer.network.parameters(), *noted, strict=True):
        torch.testing.assert_close(weight.detach(), torch.stack(steps).mean(0), atol=1e-6, rtol=1e-5)
    ended = [layer.running_var.clone() for layer in batch_norms(trainer.network)]
    trainer.set_training_statistics()
    assert all(map(torch.equal, ended, (layer.running_var for layer in batch_norms(trainer.network))))


def test_wells_that_tell_the_validation_loss_are_not_learned_from(tmp_path):
    trainer = make_dealt_trainer(RECIPE.model_copy(update={"epochs": 2}))
    held = np.concatenate(trainer.validation)
    rows = trainer.data.rows
    names = rows["experiment"] + rows["well"]
    assert not set(names.iloc[held]) & set(names.iloc[trainer.learned_from])
    assert len(held) + len(trainer.learned_from) == len(rows)
    assert np.bincount(trainer.data.labels[held]).tolist() == [4, 4, 4, 4]  # 0.2 of 18 wells each
    learned, group_step = [], trainer._group_step

    def noting(group, generator, progress):
        if trainer.network.backbone.training:
            learned.append(group.positions)
        return group_step(group, generator, progress)

    trainer._group_step = noting
    trainer.fit(files(tmp_path))
    counts = np.bincount(np.concatenate(learned), minlength=len(rows))
    assert (counts[held] == 0).all()
    assert (counts[trainer.learned_from] == 2).all()


def test_looking_changes_nothing_that_is_learned():
    """Neither what is random nor the running averages."""
    trainer = make_dealt_trainer(RECIPE)
    before = {name: tensor.clone() for name, tensor in trainer.objective.state_dict().items()}
    first = trainer._validation_loss()
    assert first == trainer._validation_loss() > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.objective.state_dict().items())
    assert all(layer.training for layer in trainer.objective.modules())


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path):
    recipe = RECIPE.model_copy(update={"epochs": 2})
    whole = make_dealt_trainer(recipe)
    whole.fit(files(tmp_path / "whole"))
    first = make_dealt_trainer(recipe)
    first.recipe = recipe.model_copy(update={"epochs": 1})
    first.fit(files(tmp_path / "cut"))
    second = make_dealt_trainer(recipe)
    second.fit(files(tmp_path / "cut"))
    for key, value in whole.objective.state_dict().items():
        assert torch.equal(value, second.objective.state_dict()[key]), key


def test_what_has_no_validation_loss_is_refused():
    with pytest.raises(ConfigError, match=r"`swad` looks at a validation loss, and the objective 'byol' has none"):
        validate(Recipe, {"objective": {"kind": "byol"}, "swad": {}}, "methods.yaml")
    with pytest.raises(DataError, match=r"no two training images are held out .* \(0.01 of each label's wells\)"):
        make_dealt_trainer(RECIPE.model_copy(update={"swad": Swad(validation=0.01)}))
