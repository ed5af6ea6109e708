"""What torchrun starts in tests: the tiny trainer, dealt over processes, its results left in a folder."""

import json
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1]))

from helpers.tiny_trainer import DEALT_RECIPES, files, make_dealt_trainer, note_gradients

from debatch.errors import DataError
from debatch.runtime.pauses import OutOfTimeError, Pauses
from debatch.runtime.ranks import joined_ranks


def train_each_recipe(folder, ranks):
    for name, recipe in DEALT_RECIPES.items():
        trainer = make_dealt_trainer(recipe, ranks=ranks)
        gradients = note_gradients(trainer)
        trainer.fit(files(folder / name))
        if ranks.first:
            weights = trainer.network.state_dict()
            torch.save({"gradients": gradients, "history": trainer.history, "weights": weights}, folder / f"{name}.pt")


def stop_and_go_on(folder, ranks):
    """Left in the middle of the second epoch by the first process's clock; the other's never says so."""
    recipe = DEALT_RECIPES["reversed"]
    for at in ("stopped", "left"):
        ticks = iter(range(10**6))
        limit = 6.0 if ranks.first else None  # asked twice at an epoch's pause, and set and asked once at its end
        pauses = Pauses(10**9, limit, lambda ticks=ticks: float(next(ticks)))
        try:
            make_dealt_trainer(recipe, ranks=ranks).fit(files(folder / at), pauses)
        except OutOfTimeError as error:
            (folder / f"{at}.{ranks.rank}.txt").write_text(str(error))
    resumed = make_dealt_trainer(recipe, ranks=ranks)
    resumed.fit(files(folder / "stopped"))
    if ranks.first:
        torch.save({"history": resumed.history, "weights": resumed.network.state_dict()}, folder / "resumed.pt")


def lose_a_number(folder, ranks):
    """The second process's loss is no number: both are to say so."""
    trainer = make_dealt_trainer(DEALT_RECIPES["standard"], ranks=ranks)
    group_step = trainer._group_step

    def broken(*how):
        step = group_step(*how)
        return step._replace(sums={name: value * float("nan") for name, value in step.sums.items()})

    if not ranks.first:
        trainer._group_step = broken
    try:
        trainer.fit(files(folder / "nan"))
    except DataError as error:
        (folder / f"nan.{ranks.rank}.txt").write_text(str(error))


def come_apart(folder, ranks):
    """The second process's weights drift: both are to say so."""
    trainer = make_dealt_trainer(DEALT_RECIPES["standard"], ranks=ranks)
    train_epoch = trainer._train_epoch

    def drifting(epoch, *how):
        row = train_epoch(epoch, *how)
        if epoch == 1 and not ranks.first:
            trainer.network.class_head.bias.data += 1e-6
        return row

    trainer._train_epoch = drifting
    try:
        trainer.fit(files(folder / "apart"))
    except DataError as error:
        (folder / f"apart.{ranks.rank}.txt").write_text(str(error))


def idle(folder, ranks):
    """A step of one group: the second process has none of it. Both begin with the first one's weights."""
    recipe = DEALT_RECIPES["standard"].model_copy(update={"groups_per_step": 1, "epochs": 1})
    trainer = make_dealt_trainer(recipe, ranks=ranks)
    if not ranks.first:
        for parameter in trainer.network.parameters():
            parameter.data += 1
    trainer.fit(files(folder / "idle"))
    (folder / f"idle.{ranks.rank}.json").write_text(json.dumps([row["loss"] for row in trainer.history]))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined_ranks(torch.device("cpu")) as both:
        for scene in (train_each_recipe, stop_and_go_on, lose_a_number, come_apart, idle):
            scene(Path(sys.argv[1]), both)
