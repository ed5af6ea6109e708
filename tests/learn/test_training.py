import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.images import MemoryReader, make_index, self_statistics
from helpers.tiny_trainer import IMAGES, INDEX, SPLIT, files, make_trainer, with_objective
from hypothesis import given
from hypothesis import strategies as st

from debatch.config import Recipe
from debatch.errors import DataError
from debatch.learn.augment import MIXERS, Mixed, cutmix, mixup, random_dihedral, unmixed
from debatch.learn.data import training_data
from debatch.learn.groups import epoch_steps, steps_in_epoch
from debatch.learn.objectives.classification import classification_loss
from debatch.learn.objectives.labelled import parameter_groups
from debatch.learn.optimizer import build_optimizer, learning_rate
from debatch.learn.train import Trainer
from debatch.model.inputs import ImageSet
from debatch.model.network import Network, Outputs

batch_lists = st.lists(st.integers(0, 4), min_size=1, max_size=200)


def groups_of(steps):
    return [group for step in steps for group in step]


@given(batch_lists, st.integers(2, 40), st.booleans(), st.integers(0, 3), st.integers(1, 5))
def test_an_epoch_shows_every_image_once(batches, size, single, epoch, groups_per_step):
    together = np.array(batches) if single else np.zeros(len(batches))
    steps = epoch_steps(together, size, groups_per_step, seed=1, epoch=epoch)
    assert sorted(np.concatenate(groups_of(steps))) == list(range(len(batches)))
    assert len(steps) == steps_in_epoch(len(batches), size, groups_per_step)
    sizes = [len(step) for step in steps]
    assert len(steps) == 1 or min(sizes) >= groups_per_step
    # more only where there are more batches than groups
    assert max(sizes) < 2 * groups_per_step or sum(sizes) == len(set(together))
    assert max(sizes) - min(sizes) <= 1


@given(batch_lists, st.integers(2, 40))
def test_adaptive_groups_are_of_one_batch(batches, size):
    batches = np.array(batches)
    for group in groups_of(epoch_steps(batches, size, 3, seed=0, epoch=0)):
        assert len(set(batches[group])) == 1


@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(1, 8), st.integers(0, 4))
def test_a_step_of_single_batch_groups_holds_as_many_batches_as_it_can(groups, groups_per_step, seed):
    """A batch that has no more groups than there are steps is in as many steps as it has groups."""
    batches = np.repeat(np.arange(len(groups)), 8 * np.array(groups))
    steps = epoch_steps(batches, 8, groups_per_step, seed=seed, epoch=0)
    held = [[int(batches[group[0]]) for group in step] for step in steps]
    for batch, count in enumerate(groups):
        in_steps = [step.count(batch) for step in held]
        assert max(in_steps) - min(in_steps) <= 1
        assert sum(in_steps) == count


def test_batches_of_one_group_each_fill_steps_of_four():
    """Nine of them in steps of four, not in steps of three: the adversary is to see four."""
    steps = epoch_steps(np.repeat(np.arange(9), 8), 8, 4, seed=0, epoch=0)
    assert sorted(len(step) for step in steps) == [4, 5]


@pytest.mark.parametrize(("batches", "images"), [(100, 40), (100, 95), (33, 2461), (3, 17), (40, 3)])
def test_all_methods_take_as_many_steps(batches, images):
    """Whatever the batches are: with groups of one batch each rounded by itself, 95 images made 18 steps for 12."""
    together = np.repeat(np.arange(batches), images)
    random, adaptive = (epoch_steps(kinds, 64, 8, seed=0, epoch=0) for kinds in (np.zeros(len(together)), together))
    assert len(random) == len(adaptive)
    # groups are as large, but for those of batches that are smaller than a group
    size = len(together) / len(groups_of(random))
    assert len(groups_of(adaptive)) == max(len(groups_of(random)), batches)
    assert max(map(len, groups_of(adaptive))) <= max(1.5 * size + 1, images)


def test_one_large_batch_among_small_ones_leaves_no_step_alone():
    batches = np.repeat([0, 1, 2, 3], [640, 64, 64, 64])
    for step in epoch_steps(batches, 64, 4, seed=0, epoch=0):
        assert len({int(batches[group[0]]) for group in step}) >= 2


def test_random_groups_mix_batches_and_epochs_differ():
    batches = np.repeat([0, 1], 32)
    first = groups_of(epoch_steps(np.zeros(len(batches)), 16, 2, 0, 0))
    assert all(len(set(batches[group])) == 2 for group in first)
    assert not np.array_equal(first[0], groups_of(epoch_steps(np.zeros(len(batches)), 16, 2, 0, 1))[0])
    np.testing.assert_array_equal(first[0], groups_of(epoch_steps(np.zeros(len(batches)), 16, 2, 0, 0))[0])


def test_dihedral_gives_all_eight_and_moves_pixels_only():
    image = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3)
    turned = random_dihedral(image.repeat(200, 1, 1, 1), torch.Generator().manual_seed(0))
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8
    assert all(sorted(t.flatten().tolist()) == list(range(9)) for t in turned)


def test_images_that_are_not_square_keep_their_shape():
    turned = random_dihedral(torch.zeros(4, 1, 2, 3), torch.Generator().manual_seed(0))
    assert turned.shape == (4, 1, 2, 3)


@given(st.integers(0, 500))
def test_cutmix_weight_is_the_share_of_own_pixels(seed):
    images = torch.arange(6.0)[:, None, None, None].expand(6, 2, 16, 16)
    mixed = cutmix(images, torch.Generator().manual_seed(seed))
    for at in range(6):
        if mixed.partner[at] != at:
            own = (mixed.images[at, 0] == at).float().mean().item()
            assert own == pytest.approx(mixed.weight)
    assert sorted(mixed.partner.tolist()) == list(range(6))


def test_mixed_labels_are_weighted_as_the_pixels_are():
    logits = torch.randn(4, 3)
    labels, partner = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 0, 3, 2])
    outputs = Outputs(torch.zeros(4, 2), logits, logits)
    loss = classification_loss(outputs, Mixed(torch.zeros(4), partner, 0.3), labels, labels, 1.0)
    entropy = torch.nn.functional.cross_entropy
    expected = 0.3 * entropy(logits, labels) + 0.7 * entropy(logits, labels[partner])
    torch.testing.assert_close(loss.class_loss, expected)
    torch.testing.assert_close(loss.total, 2 * expected)


def test_learning_rate_warms_up_and_ends_at_zero():
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(1.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.001


def test_weight_decay_spares_norms_biases_and_the_batch_head(tiny_recipe):
    network = Network(tiny_recipe, channels=3, classes=4, batches=2)
    decayed, plain, head = build_optimizer(parameter_groups(network, tiny_recipe), tiny_recipe).param_groups
    assert plain["weight_decay"] == head["weight_decay"] == 0
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert {names[id(parameter)] for parameter in head["params"]} == {"batch_head.weight", "batch_head.bias"}
    assert len(decayed["params"]) + len(plain["params"]) + 2 == len(names)


def test_batch_with_a_single_training_image_is_named(tiny_recipe):
    index = INDEX[(INDEX["batch"] != "E01") | (INDEX["well"] == "B02")].reset_index(drop=True)
    data = training_data(index, SPLIT, False, 0)
    images = ImageSet(data.rows, self_statistics(INDEX, IMAGES), MemoryReader(INDEX, IMAGES), torch.device("cpu"))
    with pytest.raises(DataError, match="the batch E01 has a single training image"):
        Trainer(tiny_recipe.model_copy(update={"batch_norm": "adaptive"}), data, images, 0, "test")


def test_same_seed_same_run_other_seed_another(tiny_recipe, tmp_path):
    losses = []
    for n, seed in enumerate([0, 0, 1]):
        trainer = make_trainer(tiny_recipe.model_copy(update={"epochs": 1}), seed)
        trainer.fit(files(tmp_path / str(n)))
        losses.append(trainer.history[0]["loss"])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_a_step_averages_its_groups_gradients(tiny_recipe):
    """Two groups a step give the mean of what each gives alone: batch norm sees one group at a time."""
    plain = {"augmentation": "none", "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0}
    recipe = with_objective(tiny_recipe, mixing="none").model_copy(update=plain)
    groups = [np.arange(8), np.arange(8, 16)]

    def weights_after(chosen):
        trainer = make_trainer(recipe)
        trainer.network.train()
        before = trainer.network.class_head.weight.detach().clone()
        trainer._take_step(0, chosen, trainer.images.groups(chosen))
        return trainer.network.class_head.weight.detach() - before

    both = weights_after(groups)
    alone = [weights_after([group]) for group in groups]
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2, atol=1e-6, rtol=1e-4)


def test_loss_that_is_not_a_number_stops_says_where_and_keeps_the_last_good_checkpoint(tiny_recipe, tmp_path):
    trainer = make_trainer(tiny_recipe)
    take_step, third = trainer._take_step, 2 * trainer.epoch_steps + 1

    def broken(step, *how):
        sums = take_step(step, *how)
        return sums * float("nan") if step >= third else sums

    trainer._take_step = broken
    with pytest.raises(DataError, match=rf"not a number in epoch 3 from step 2 of {trainer.epoch_steps} on"):
        trainer.fit(files(tmp_path))
    assert len(pd.read_csv(files(tmp_path).history)) == 2
    again = make_trainer(tiny_recipe)
    history = again.fit(files(tmp_path))
    assert history["loss"].notna().all()
    whole = make_trainer(tiny_recipe)
    whole.fit(files(tmp_path / "whole"))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_learning_rate_that_is_far_too_large_stops_with_the_same_error(tiny_recipe, tmp_path):
    trainer = make_trainer(tiny_recipe.model_copy(update={"learning_rate": 1e30, "optimizer": "sgd"}))
    with pytest.raises(DataError, match="loss is not a number in epoch"):
        trainer.fit(files(tmp_path))


def test_the_log_says_what_a_run_starts_from(tiny_recipe, tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "deit.pth").write_bytes(b"read as the network was built")
    for name, weights in (("scratch", None), ("weights", str(tmp_path / "deit.pth"))):
        trainer = make_trainer(tiny_recipe)
        trainer.recipe = tiny_recipe.model_copy(update={"weights": weights})
        trainer.fit(files(tmp_path / name))
        said = [record.message for record in caplog.records if "starts from" in record.message]
        assert said == [f"test: starts from {f'the weights of {weights}' if weights else 'scratch'}"]
        caplog.clear()


def test_snapshots_are_kept_on_the_way_and_training_is_the_same_without(tiny_recipe, tmp_path):
    kept = {}

    def keep(epoch, network):
        kept[epoch] = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    trainer = make_trainer(tiny_recipe.model_copy(update={"snapshot_every": 1}))
    trainer.fit(replace(files(tmp_path / "with"), snapshot=keep))
    assert sorted(kept) == [1, 2]  # the third and last epoch is the model itself
    without = make_trainer(tiny_recipe)
    without.fit(files(tmp_path / "without"))
    for name, tensor in trainer.network.state_dict().items():
        assert torch.equal(tensor, without.network.state_dict()[name]), name


def test_batch_heads_own_learning_rate_leaves_the_trunk_alone(tiny_recipe, tmp_path):
    trainers = []
    for rate in (1.0, 5.0):
        trainers.append(make_trainer(with_objective(tiny_recipe, batch_head_rate=rate)))
        trainers[-1].fit(files(tmp_path / str(rate)))
    one, other = (trainer.network.state_dict() for trainer in trainers)
    differing = {name for name in one if not torch.equal(one[name], other[name])}
    assert differing == {"batch_head.weight", "batch_head.bias"}


def test_shuffled_labels_move_whole_wells_and_keep_their_counts():
    index = make_index(experiments=3, wells=8, sites=2)
    split = pd.DataFrame({"image_id": index["image_id"], "subset": "train"})
    true = training_data(index, split, False, 0)
    shuffled = training_data(index, split, True, 0)
    assert (np.bincount(true.labels) == np.bincount(shuffled.labels)).all()
    assert (true.labels != shuffled.labels).any()
    by_well = pd.Series(shuffled.labels).groupby([shuffled.rows["experiment"], shuffled.rows["well"]])
    assert (by_well.nunique() == 1).all()


def test_test_images_are_never_read_in_training(tiny_recipe, tmp_path):
    poisoned = IMAGES.copy()
    poisoned[(INDEX["batch"] == "E03").to_numpy()] = 255
    runs = []
    for n, images in enumerate([IMAGES, poisoned]):
        trainer = make_trainer(tiny_recipe, images=images)
        trainer.fit(files(tmp_path / str(n)))
        runs.append(trainer.network.state_dict())
    assert all(torch.equal(tensor, runs[1][name]) for name, tensor in runs[0].items())


@pytest.mark.parametrize("batch_norm", ["standard", "adaptive"])
def test_the_papers_own_recipe_runs_with_only_pixels_and_steps_cut(root, tmp_path, batch_norm):
    from debatch.registry import build_registry

    method = "adabn" if batch_norm == "adaptive" else "baseline"
    recipe = build_registry({"screen": "rxrx1"}, root).recipes[method]
    small = recipe.model_copy(update={"pixels": 32, "epochs": 1, "warmup_epochs": 0.0})
    assert Recipe(**small.model_dump()).backbone == "densenet161"
    trainer = make_trainer(small)
    history = trainer.fit(files(tmp_path))
    assert np.isfinite(history["loss"]).all()


def test_unmixed_is_the_group_itself():
    images = torch.randn(3, 1, 4, 4)
    assert unmixed(images).images is images


@given(st.integers(0, 50))
def test_mixup_blends_each_image_with_its_partner_by_one_weight(seed):
    images = torch.rand(6, 2, 5, 5, generator=torch.Generator().manual_seed(seed + 1000))
    mixed = mixup(images, torch.Generator().manual_seed(seed))
    assert 0 <= mixed.weight <= 1
    assert sorted(mixed.partner.tolist()) == list(range(6))
    by_hand = mixed.weight * images + (1 - mixed.weight) * images[mixed.partner]
    torch.testing.assert_close(mixed.images, by_hand)


def test_mixup_weights_are_uniform():
    """Beta(1, 1), as for CutMix."""
    weights = [mixup(torch.zeros(2, 1, 1, 1), torch.Generator().manual_seed(seed)).weight for seed in range(400)]
    counts = np.histogram(weights, bins=4, range=(0, 1))[0]
    assert counts.min() > 70


@pytest.mark.parametrize("mixing", list(MIXERS))
def test_every_mixing_trains(tiny_recipe, tmp_path, mixing):
    trainer = make_trainer(with_objective(tiny_recipe, mixing=mixing).model_copy(update={"epochs": 2}))
    first = {name: tensor.clone() for name, tensor in trainer.network.named_parameters()}
    history = trainer.fit(files(tmp_path))
    assert np.isfinite(history["loss"]).all()
    assert any(not torch.equal(tensor, first[name]) for name, tensor in trainer.network.named_parameters())
