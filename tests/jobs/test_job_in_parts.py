"""A job whose parts differ in channels, and what its weights say of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from helpers.images import in_parts

from debatch.config import Recipe
from debatch.config.trained import read_weights_facts
from debatch.embed import embed_images, statistics_groups
from debatch.embed.trained import read_run
from debatch.files import Files
from debatch.jobs.job import train_run
from debatch.runtime.pauses import Pauses
from debatch.tabular import write_frame


def test_weights_of_a_job_know_the_channels_of_each_part(tmp_path, job):
    files = Files(str(tmp_path / "results"), "tiny")
    folder = Path(files.store("E00")).parent
    folder.mkdir(parents=True)
    index, statistics, _, _ = in_parts(folder, ((32, 32), (40, 40)))
    split = pd.DataFrame({"image_id": index["image_id"], "subset": np.where(index["well"] < "B10", "train", "test")})
    write_frame(index, files.index(), {"pixels_sha256": "12"})
    write_frame(split, files.split("separated"))
    write_frame(statistics, files.normalization("self"))
    tables = {"index": files.index(), "split": files.split("separated"), "normalization": files.normalization("self")}
    recipe = Recipe(**{**job.recipe, "stem": "target_param", "epochs": 1})
    own = replace(job, results=(str(tmp_path / "results"), "tiny"), recipe=recipe.model_dump(), **tables)
    train_run(own, torch.device("cpu"), Pauses())
    facts = read_weights_facts(Path(job.model))
    assert facts.channel_sets == (("c0", "c1", "c2"), ("c3", "c1", "c0"))
    assert facts.channels == ["c0", "c1", "c2", "c3"]
    run = read_run(Path(job.model), recipe, files, tables, threads=1, gpus=0)
    groups = statistics_groups("batch", run.index, run.split, recipe)
    embedded = embed_images(run.network, run.images, groups, recipe, run.batch_names)
    assert len(embedded.embeddings) == (split["subset"] == "test").sum()
    assert np.isfinite(embedded.embeddings.filter(regex="^embedding_").to_numpy()).all()
