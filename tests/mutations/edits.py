"""Traps that change no shape and raise no error: what is wrong in each, and the test that must notice."""

from typing import NamedTuple


class Edit(NamedTuple):
    """A trap.

    Attributes:
        trap: what is wrong with it.
        file: that it is in.
        old: text that stands there once.
        new: what takes its place.
        tests: that must fail.
    """

    trap: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


IN_SPLITS = "tests/screen/test_splits.py::test_"
STRATIFIED = (
    f"{IN_SPLITS}no_test_image_has_fewer_training_wells_of_its_class_and_cell_type_than_under_separated",
    f"{IN_SPLITS}one_well_of_each_class_in_each_batch_is_level_in_both_margins",
)
SETS_OF_BATCHES = (f"{IN_SPLITS}classes_are_tested_on_many_different_sets_of_batches_and_each_batch_on_its_share",)
LEAKS = (f"{IN_SPLITS}leaks_are_found",)
UNLABELLED = (f"{IN_SPLITS}image_without_a_label_never_trains_and_feeds_statistics_of_a_test_batch",)
WHOLE_WELLS = (f"{IN_SPLITS}stratified_is_level_in_both_margins_and_keeps_wells_whole",)
LEARN, VIEWS = "tests/learn/test_training.py", "tests/learn/test_views.py"
REVERSAL, POPULATION, EMBED = (
    "tests/learn/test_gradient_reversal.py", "tests/model/test_population.py", "tests/embed/test_embed.py"
)  # fmt: skip
PROFILES, PIXELS = "tests/screen/profiles/test_formats.py", "tests/screen/ingest/test_pixels.py"
STEMS, PROXY = "tests/model/test_stems.py", "tests/learn/test_proxy.py"
TASKS = "tests/evaluate/test_tasks.py"
ADAPTATION, SCORES = "tests/embed/test_adaptation.py", "tests/evaluate/test_scores.py"
UNCERTAINTY, PUBLISHED, TABLES = (
    "tests/evaluate/test_uncertainty.py", "tests/report/test_published.py", "tests/report/kinds/test_tables.py"
)  # fmt: skip
NORMALIZATION, COSINE, OTHERS = (
    "tests/screen/test_normalization.py", "tests/evaluate/test_cosine.py", "tests/evaluate/test_kbet_grit_shapley.py"
)  # fmt: skip

EDITS = [
    # splits
    Edit(
        "stratified is level by class and batch, but not within cell types",
        "src/debatch/screen/splits.py",
        'for cell_type, own in units.groupby("cell_type"):',
        'for cell_type, own in [("", units)]:',
        STRATIFIED,
    ),
    Edit(
        "stratified tests on 18 of 51 wells of a class, however few separated trains on",
        "src/debatch/screen/splits.py",
        "if tested and trained else TEST_SHARE",
        "if False else TEST_SHARE",
        STRATIFIED,
    ),
    Edit(
        "sites of a well stand on both sides of stratified",
        "src/debatch/screen/splits.py",
        "subset = _stratified(index, config, WELL)",
        'subset = _stratified(index, config, ["image_id"])',
        WHOLE_WELLS,
    ),
    Edit(
        "all classes of a cell type are tested on the same batches",
        "src/debatch/screen/splits.py",
        "key=lambda batch: (-(owed[batch] + shares[batch] % 1), ties[batch]),",
        "key=lambda batch: batch,",
        SETS_OF_BATCHES,
    ),
    Edit(
        "a split that leaks a batch is taken",
        "src/debatch/screen/splits.py",
        'unique = [["image_id"], *kept_whole.get(name, [WELL, ["batch"]])]',
        'unique = [["image_id"], *kept_whole.get(name, [WELL])]',
        LEAKS,
    ),
    Edit(
        "images without a label train",
        "src/debatch/screen/splits.py",
        "subset = subset.mask(unlabelled)",
        "subset = subset.copy()",
        UNLABELLED,
    ),
    # pixels
    Edit(
        "controls for pixels are negative ones alone",
        "src/debatch/screen/normalization.py",
        'reference = index["well_type"].isin(CONTROLS).to_numpy()',
        'reference = (index["well_type"] == "negative_control").to_numpy()',
        (NORMALIZATION,),
    ),
    Edit(
        "a group's sd is the mean of its images' sds",
        "src/debatch/screen/normalization.py",
        "sd = np.sqrt(np.maximum(squares / count - mean**2, 0.0))",
        "sd = np.sqrt(np.maximum(squares / count - mean**2, 0.0)) * 0.9",
        (NORMALIZATION,),
    ),
    Edit(
        "a constant channel is divided by zero",
        "src/debatch/screen/normalization.py",
        "    sd[constant] = 1.0\n",
        "",
        (NORMALIZATION,),
    ),
    # training
    Edit(
        "the learning rate is set once an epoch",
        "src/debatch/learn/train.py",
        "        self.schedule.step()\n",
        "        for _ in range(0 if (step + 1) % self.epoch_steps else self.epoch_steps):\n"
        "            self.schedule.step()\n",
        (VIEWS,),
    ),
    Edit(
        "nothing is ever mixed",
        "src/debatch/learn/objectives/classification.py",
        "MIXERS[self.settings.mixing](augmented(group, self.recipe, generator), generator)",
        'MIXERS["none"](augmented(group, self.recipe, generator), generator)',
        (VIEWS,),
    ),
    Edit(
        "CutMix pastes nothing",
        "src/debatch/learn/augment.py",
        "    mixed[..., top:bottom, left:right] = images[partner][..., top:bottom, left:right]\n",
        "",
        (VIEWS,),
    ),
    Edit(
        "MixUp blends nothing",
        "src/debatch/learn/augment.py",
        "return Mixed(torch.lerp(images[partner], images, kept), partner, kept)",
        "return Mixed(images, partner, kept)",
        (VIEWS,),
    ),
    Edit(
        "images are mixed before they are standardised",
        "src/debatch/learn/objectives/classification.py",
        "return MIXERS[self.settings.mixing](augmented(group, self.recipe, generator), generator)",
        "mixed = MIXERS[self.settings.mixing](group.images, generator)\n"
        "        return mixed._replace(images=augmented(group._replace(images=mixed.images), self.recipe, generator))",
        (VIEWS,),
    ),
    Edit(
        "no image is flipped or turned",
        "src/debatch/learn/augment.py",
        'if recipe.augmentation == "dihedral":',
        "if False:",
        (VIEWS,),
    ),
    Edit(
        "labels of mixed images are those of the host alone",
        "src/debatch/learn/objectives/classification.py",
        "    if mixed.weight == 1:\n        return own\n",
        "    return own\n",
        (LEARN,),
    ),
    Edit(
        "CutMix's weight is the box's area before it is clipped at the border",
        "src/debatch/learn/augment.py",
        "1 - (bottom - top) * (right - left) / (height * width)",
        "kept",
        (LEARN,),
    ),
    Edit(
        "AdaBN trains on groups of several batches",
        "src/debatch/learn/train.py",
        "batches = self.data.batches if self._adaptive else np.zeros(len(self.images), np.int64)",
        "batches = np.zeros(len(self.images), np.int64)",
        ("tests/learn/test_resume.py",),
    ),
    Edit(
        "methods take different numbers of steps",
        "src/debatch/learn/groups.py",
        "_dealt(counts, groups_in_epoch(len(together), size))",
        "np.maximum(1, np.round(counts / size)).astype(int)",
        (LEARN,),
    ),
    Edit(
        "an epoch drops what does not fill a step",
        "src/debatch/learn/groups.py",
        "        return [[groups[at] for at in part] for part in parts]\n",
        "        return [[groups[at] for at in part[:groups_per_step]] for part in parts]\n",
        (LEARN,),
    ),
    Edit(
        "weight decay shrinks norms and biases",
        "src/debatch/learn/optimizer.py",
        "ndim > 1",
        "ndim > 0",
        ("tests/learn/test_training.py", "tests/learn/test_optimizer.py"),
    ),
    Edit(
        "shuffled labels are shuffled by image, so that sites of a well disagree",
        "src/debatch/learn/data.py",
        'wells = rows.groupby(["experiment", "plate", "well"], sort=True).ngroup().to_numpy()',
        "wells = np.arange(len(rows))",
        (LEARN,),
    ),
    # the adversary
    Edit(
        "the batch head of the baseline trains the trunk",
        "src/debatch/model/network.py",
        "if reversal else embedding.detach()",
        "if reversal else embedding",
        (REVERSAL,),
    ),
    Edit(
        "the reversed gradient is not reversed",
        "src/debatch/model/network.py",
        "return -ctx.strength * gradients[0], None",
        "return ctx.strength * gradients[0], None",
        (REVERSAL,),
    ),
    Edit(
        "lambda does not ramp up",
        "src/debatch/learn/objectives/classification.py",
        "largest * (2 / (1 + math.exp(-10 * progress)) - 1)",
        "largest",
        (REVERSAL,),
    ),
    Edit(
        "the batch head decays and learns at the trunk's rate",
        "src/debatch/learn/objectives/labelled.py",
        'heads if set(measuring) & set(name.split(".")) else others',
        "heads if False else others",
        (LEARN, REVERSAL),
    ),
    # statistics
    Edit(
        "dropout stays on while statistics are taken",
        "src/debatch/model/population.py",
        "    network.eval()\n    layers = batch_norms(network)\n    for layer in layers:\n"
        "        layer.training = True\n",
        "    network.train()\n    layers = batch_norms(network)\n",
        (POPULATION,),
    ),
    Edit(
        "the variance between groups is forgotten",
        "src/debatch/model/population.py",
        "self.sums[2] += (var + mean**2) * count",
        "self.sums[2] += (var + (self.sums[1] / self.sums[0]) ** 2) * count",
        (POPULATION,),
    ),
    Edit(
        "statistics at test come from test images where the batch was trained on",
        "src/debatch/embed/statistics.py",
        "yield str(name), images, training if len(training) else images",
        "yield str(name), images, images",
        (EMBED, ADAPTATION),
    ),
    Edit(
        "statistics depend on the order of images",
        "src/debatch/embed/statistics.py",
        'pool = pool[hash_order(index["image_id"].iloc[pool])[: statistics.images]]',
        "pool = pool[: statistics.images]",
        (EMBED, ADAPTATION),
    ),
    Edit(
        "controls for AdaBN's statistics are negative ones alone",
        "src/debatch/embed/statistics.py",
        'controls = index["well_type"].iloc[pool].isin(CONTROLS).to_numpy()',
        'controls = (index["well_type"].iloc[pool] == "negative_control").to_numpy()',
        (ADAPTATION,),
    ),
    Edit(
        "test images lend the baseline their statistics",
        "src/debatch/embed/statistics.py",
        'return [StatisticsGroup("train", train[first], test)]',
        'return [StatisticsGroup("train", test[: recipe.statistics_images], test)]',
        (EMBED, ADAPTATION),
    ),
    # metrics
    Edit(
        "cosines of two images of one image with itself count",
        "src/debatch/evaluate/replicates/cosine.py",
        "upper = np.triu(np.ones(bins.shape, bool), 1)",
        "upper = np.triu(np.ones(bins.shape, bool), 0)",
        (COSINE,),
    ),
    Edit(
        "pairs of two cell types count",
        "src/debatch/evaluate/replicates/cosine.py",
        "own = np.flatnonzero(names[2] == cell_type)",
        "own = np.arange(len(names[2]))",
        (COSINE,),
    ),
    Edit(
        "a replicate in the same batch counts as found",
        "src/debatch/evaluate/replicates/retrieval.py",
        "precisions[query, 0] = _precision(similarity, own, batch[own] != batch[query], negative)",
        "precisions[query, 0] = _precision(similarity, own, own != query, negative)",
        ("tests/evaluate/test_retrieval.py",),
    ),
    Edit(
        "grit counts a profile as its own replicate",
        "src/debatch/evaluate/replicates/grit.py",
        "_directions(profiles, rows), total - own[code])",
        "_directions(profiles, rows), total)",
        (OTHERS,),
    ),
    Edit(
        "Shapley's weights are those of a mean over subsets",
        "src/debatch/evaluate/shapley.py",
        "(len(players) * comb(len(players) - 1, len(subset)))",
        "(2 ** (len(players) - 1))",
        (OTHERS,),
    ),
    Edit(
        "a probe is scored on the wells that it was fitted on",
        "src/debatch/evaluate/batch_effect/probe.py",
        "predicted[second] = probe(embeddings[first], batches[first], embeddings[second])",
        "predicted[second] = probe(embeddings[second], batches[second], embeddings[second])",
        ("tests/evaluate/test_probe.py",),
    ),
    Edit(
        "a setting of the adversary may lose any accuracy",
        "src/debatch/report/kinds/reversal.py",
        "if _mean(swept.accuracy) >= _mean(without.accuracy) - spec.accuracy_margin",
        "if True",
        ("tests/report/kinds/test_reversal.py",),
    ),
    Edit(
        "an adversary is chosen by the probe that it fools best",
        "src/debatch/report/kinds/reversal.py",
        "return max(PROBES,",
        "return min(PROBES,",
        ("tests/report/kinds/test_reversal.py",),
    ),
    Edit(
        "the least of many probes is chosen, however near it is to none",
        "src/debatch/report/kinds/reversal.py",
        "_mean(least.read) > _mean(without.read) - spec.probe_margin",
        "_mean(least.read) > _mean(without.read)",
        ("tests/report/kinds/test_reversal.py",),
    ),
    Edit(
        "settings may be chosen on a split that scores test images",
        "src/debatch/report/kinds/reversal.py",
        'if value != ["separated_val"]:',
        "if not value:",
        ("tests/report/kinds/test_reversal.py",),
    ),
    Edit(
        "wells on both sides of the probe that settings are chosen by",
        "src/debatch/evaluate/embeddings.py",
        'side = frame["Metadata_Image"].map(quarters).to_numpy() % 2 == 1',
        "side = np.arange(len(frame)) % 2 == 1",
        ("tests/evaluate/test_embeddings.py",),
    ),
    Edit(
        "positive controls stay in the fit that they are scored by",
        "src/debatch/evaluate/controls.py",
        "    for well_type in CONTROLS:\n",
        "    for well_type in (NEGATIVE_CONTROL,):\n",
        (SCORES,),
    ),
    Edit(
        "negative controls stay in the fit that others are held against",
        "src/debatch/evaluate/corrected.py",
        "correct_table(without_half(before.table, half), correction)",
        "correct_table(before.table, correction)",
        (SCORES,),
    ),
    Edit(
        "k-BET counts the images of a well as neighbours",
        "src/debatch/evaluate/batch_effect/mixing.py",
        "by_kind(kinds, _one_a_well(images), _mixed, features, batches)",
        "by_kind(kinds, np.ones(len(images), bool), _mixed, features, batches)",
        (SCORES,),
    ),
    Edit(
        "controls' neighbours are of a correction that was fitted on them",
        "src/debatch/evaluate/batch_effect/mixing.py",
        "_neighbors(kinds, own, held.features, batches, own_well)",
        "_neighbors(kinds, own, features, batches, own_well)",
        (SCORES,),
    ),
    Edit(
        "batches are dealt anew among wells of all perturbations",
        "src/debatch/evaluate/batch_effect/permuted.py",
        """.groupby(["kind", "of"]).ngroup()""",
        """.groupby(["kind"]).ngroup()""",
        ("tests/evaluate/test_permuted.py",),
    ),
    Edit(
        "replicates in the same position are no longer barred",
        "src/debatch/evaluate/replicates/wells.py",
        "wells, np.stack([wells.batches, wells.places], axis=1)",
        "wells, np.stack([wells.batches, wells.batches], axis=1)",
        ("tests/evaluate/test_positions.py",),
    ),
    Edit(
        "three batches are enough to judge a correction by",
        "src/debatch/evaluate/uncertainty.py",
        "return len(of_kind) >= FEWEST_BATCHES and int(np.bincount(of_kind).min()) >= 2",
        "return True",
        ("tests/evaluate/test_uncertainty.py",),
    ),
    Edit(
        "a correction takes cell types for batches",
        "src/debatch/correct/apply.py",
        'for cell_type, own in images[finite].groupby("cell_type", sort=True)',
        'for cell_type, own in images[finite].groupby(images["cell_type"] == "", sort=True)',
        ("tests/correct/test_apply.py",),
    ),
    # uncertainty
    Edit(
        "intervals draw batches over cell types, whose mix every split fixes",
        "src/debatch/evaluate/uncertainty.py",
        "    kinds, of, sizes = np.unique(strata, return_inverse=True, return_counts=True)\n",
        "    kinds, of, sizes = np.unique(0 * np.arange(len(strata)), return_inverse=True, return_counts=True)\n",
        (UNCERTAINTY,),
    ),
    Edit(
        "two batches that agree by chance make an interval narrow",
        "src/debatch/evaluate/uncertainty.py",
        "    of_batch = np.where(sizes == 2, np.maximum(of_batch, mean), of_batch)\n",
        "",
        (UNCERTAINTY,),
    ),
    Edit(
        "an interval is 1.96 standard errors wide, however few batches there are",
        "src/debatch/evaluate/uncertainty.py",
        "half = float(stdtrit(freedom, 0.5 + _CONFIDENCE / 2)) * error",
        "half = 1.96 * error",
        (UNCERTAINTY,),
    ),
    Edit(
        "what a correction changes is drawn over perturbations alone",
        "src/debatch/evaluate/uncertainty.py",
        "    if batches is None:\n        return t_spread(",
        "    if True:\n        return t_spread(",
        (UNCERTAINTY,),
    ),
    Edit(
        "one of many comparisons is judged as if it were the only one",
        "src/debatch/evaluate/uncertainty.py",
        "times = max(comparisons, len(order)) - np.arange(len(order))",
        "times = np.ones(len(order))",
        (UNCERTAINTY,),
    ),
    Edit(
        "a ratio of methods is of all batches where it says the same ones",
        "src/debatch/report/kinds/tables/generalization.py",
        'both = both[both["n"].notna() & both["n_unseen"].notna()] if same else both',
        "both = both",
        (f"{TABLES}::test_generalization_on_the_same_batches_leaves_the_others_out",),
    ),
    Edit(
        "noise of ours widens what counts as reproduced",
        "src/debatch/report/published.py",
        "    if away + away_by <= margin:\n",
        "    if away - away_by <= margin:\n",
        (PUBLISHED,),
    ),
    Edit(
        "two seeds reproduce a paper",
        "src/debatch/report/published.py",
        "FEWEST_SEEDS = 3",
        "FEWEST_SEEDS = 2",
        (PUBLISHED,),
    ),
    Edit(
        "a missing run is a zero",
        "src/debatch/report/cells.py",
        "        return Cell(note=lacking, origin=origin)\n    batches",
        "        return Cell(0.0, None, 1, note=lacking, origin=origin)\n    batches",
        (f"{TABLES}::test_run_that_is_missing_is_not_run",),
    ),
    # figures
    Edit(
        "UMAP shows all cell types",
        "src/debatch/report/kinds/figures/umap.py",
        'frame if chosen is None else frame[frame["Metadata_CellType"] == chosen]',
        "frame",
        ("tests/report/test_figures.py",),
    ),
    # what people's files say
    Edit(
        "blanks around a name are a part of it",
        "src/debatch/text_table.py",
        "trimmed = compute.utf8_trim_whitespace(compute.utf8_trim(compute.utf8_trim_whitespace(column), _INVISIBLE))",
        "trimmed = column",
        (PROFILES,),
    ),
    Edit(
        "a joined table knows some rows and the others go on without a word",
        "src/debatch/screen/profiles/annotations.py",
        "        if not annotation.partial:\n",
        "        if annotation.match == {}:\n",
        (PROFILES,),
    ),
    Edit(
        "wells are compared as text where tables are joined",
        "src/debatch/screen/profiles/annotations.py",
        "    if column == screen.columns.well:\n",
        "    if not column:\n",
        (PROFILES,),
    ),
    Edit(
        "profiles of wells that the metadata does not list are left out in silence",
        "src/debatch/screen/profiles/index.py",
        """        problems.add_wells("the metadata has no such well", own[own["experiment"].isna()])
""",
        """        problems.add_wells("the metadata has no such well", own[:0])
""",
        (PROFILES,),
    ),
    Edit(
        "numbers of objects are features",
        "src/debatch/screen/profiles/read.py",
        "    left_out = [name for name in candidates if _is_no_feature(name)]\n",
        "    left_out = []\n",
        (PROFILES,),
    ),
    Edit(
        "a control in another spelling is a treatment",
        "src/debatch/screen/metadata.py",
        "    if near := unlisted_look_alike(words.dropna().unique(), ",
        "    if near := unlisted_look_alike([], ",
        (PROFILES,),
    ),
    Edit(
        "two wells share an identifier",
        "src/debatch/screen/names/identifiers.py",
        '_ESCAPES = str.maketrans({"_": "~", "~": "%7E", "%": "%25"})',
        "_ESCAPES = str.maketrans({})",
        ("tests/screen/names/test_identifiers.py",),
    ),
    Edit(
        "white is zero is stored as it is",
        "src/debatch/screen/ingest/decode.py",
        "        return ((1 << page.bitspersample) - 1 - pixels.astype(np.int64)).astype(pixels.dtype)\n",
        "        return pixels\n",
        (PIXELS,),
    ),
    Edit(
        "a file without a plane gives the next stain",
        "src/debatch/screen/ingest/decode.py",
        "    if expected is not None and by_number and len(planes) != expected.number:\n",
        "    if expected == 0:\n",
        (PIXELS,),
    ),
    Edit(
        "a name that could be two planes is one of them",
        "src/debatch/screen/ingest/decode.py",
        "    if len(meant) > 1:\n",
        "    if len(meant) > 9:\n",
        (PIXELS,),
    ),
    Edit(
        "a folder that cannot be listed is an absent plate",
        "src/debatch/screen/ingest/source.py",
        "followlinks=True, onerror=failed.append)",
        "followlinks=True)",
        (PIXELS,),
    ),
    # what a user brings
    Edit(
        "a path of an extended file starts at the file on top",
        "src/debatch/registry/build.py",
        "with_paths_beside(Screen, read_yaml(path), path, written)",
        "with_paths_beside(Screen, read_yaml(path), [*seen, path][0], written)",
        ("tests/config/test_paths.py::test_a_path_of_an_extended_file_starts_there",),
    ),
    Edit(
        "zeros at a file's end are looked for in what is stored",
        "src/debatch/screen/ingest/process.py",
        "cut_off(plane) for plane in planes",
        "cut_off(plane) for plane in tiles[0]",
        ("tests/screen/ingest/test_tiff.py::test_a_copy_that_was_cut_off_is_flagged_as_that",),
    ),
    Edit(
        "a plate in OME-Zarr lists the rows that have wells",
        "src/debatch/report/ome_zarr.py",
        "for row in range(1, shape[0] + 1)",
        "for row in sorted({row for row, _ in places.values()})",
        (
            "tests/report/test_screen_figures.py::"
            "test_a_plate_lists_all_of_its_rows_and_columns_so_that_viewers_place_wells",
        ),
    ),
    Edit(
        "a user's compound is taken for the screen's",
        "src/debatch/embedding_table.py",
        "while name in columns_of or name in names.values():",
        "while name in names.values():",
        ("tests/test_embedding_table.py::test_a_column_named_like_one_that_means_something_is_not_taken_for_it",),
    ),
    # self-supervision
    Edit(
        "a rare batch's centre overshoots its mean",
        "src/debatch/learn/objectives/self_supervised.py",
        "self.shares.clamp(min=1e-12)).clamp(max=1.0)",
        "self.shares.clamp(min=1e-12))",
        ("tests/learn/test_self_supervised.py::test_a_centre_never_moves_past_the_mean_of_its_domain",),
    ),
    Edit(
        "a pixel of a view is by what its window holds of the image, flipped or not",
        "src/debatch/learn/crops.py",
        "pixels = theta[:, :, :2].sum(2).prod(1) *",
        "pixels = theta[:, :, :2].sum(2).prod(1).abs() *",
        ("tests/learn/test_crops.py::test_turns_move_pixels_and_change_none",),
    ),
    Edit(
        "pretrained weights that lack some of the network are taken",
        "src/debatch/model/pretrained.py",
        "        if lacking:",
        "        if False:",
        ("tests/model/test_pretrained.py::test_weights_without_one_of_the_networks_are_refused",),
    ),
    # networks that know channels by name, and what they learn from
    Edit(
        "channels are known by their place",
        "src/debatch/model/stems/slice_param.py",
        "self.bank[positions]",
        "self.bank[: len(positions)]",
        (STEMS,),
    ),
    Edit(
        "all groups have the channels of the first part",
        "src/debatch/model/inputs.py",
        "return Group(at, on_device, means, sds, own)",
        "return Group(at, on_device, means, sds, self.channel_sets[0])",
        ("tests/learn/test_named_channels.py",),
    ),
    Edit(
        "proxies are not in the optimizer",
        "src/debatch/learn/objectives/proxy.py",
        "in ((proxies, self.settings.proxy_rate), (variances",
        "in (([], self.settings.proxy_rate), (variances",
        (PROXY,),
    ),
    Edit(
        "distances are divided by the square of the temperature",
        "src/debatch/model/proxies.py",
        "/ temperature, labels",
        "/ temperature**2, labels",
        (PROXY,),
    ),
    Edit(
        "views of different images are pairs",
        "src/debatch/learn/objectives/proxy.py",
        "device=labels.device).repeat(2)",
        "device=labels.device).repeat_interleave(2)",
        (PROXY,),
    ),
    Edit(
        "the loss valley has no end",
        "src/debatch/learn/averaging.py",
        "            self.over = True\n",
        "            self.over = False\n",
        ("tests/learn/test_averaging.py",),
    ),
    Edit(
        "wells that tell the validation loss are learned from",
        "src/debatch/learn/averaging.py",
        "return np.flatnonzero(~held), groups",
        "return np.arange(len(held)), groups",
        ("tests/learn/test_averaging.py",),
    ),
    # named tasks
    Edit(
        "a task's groups are neighbours of themselves",
        "src/debatch/evaluate/neighbors.py",
        "lambda query: [own[int(query_groups[query])]]",
        "lambda query: []",
        (f"{TASKS}::test_scores_by_hand",),
    ),
    Edit(
        "F1 is averaged over classes that were only predicted too",
        "src/debatch/evaluate/tasks.py",
        "float(f1.mean()), len(labels)",
        "float(f1.sum() / len(np.union1d(labels, predicted))), len(labels)",
        (f"{TASKS}::test_scores_by_hand",),
    ),
    Edit(
        "training images of another part are neighbours",
        "src/debatch/evaluate/tasks.py",
        'own = bank[bank["part"] == part]',
        "own = bank",
        (f"{TASKS}::test_scores_by_hand",),
    ),
    Edit(
        "the task that is like the training images counts in the mean",
        "src/debatch/evaluate/tasks.py",
        "if not config.tasks[task].familiar:",
        "if task:",
        (f"{TASKS}::test_scores_by_hand",),
    ),
    Edit(
        "channels side by side are taken for rows of pixels in turn",
        "src/debatch/screen/ingest/decode.py",
        "[image[:, left : left + width] for left in places]",
        "[image.reshape(-1, width, count)[:, :, left // width] for left in places]",
        ("tests/screen/ingest/test_listed.py::test_channels_side_by_side_are_unfolded_from_left_to_right",),
    ),
    Edit(
        "wells of a new cell type train",
        "src/debatch/screen/simulate/tasks.py",
        "is_new[key] |= has",
        'is_new[key] |= has & (key != "cell_types")',
        ("tests/screen/simulate/test_tasks.py::test_each_task_holds_what_is_new_in_it_and_the_rest_trains",),
    ),
]
