# Scores of a run's embeddings, in jobs that import no torch. Each holds a hash of the code that it calls.


# Accuracy, cosine similarities, and metrics of batch effect and biology: a job a run and its test-time
# statistics.
for words, products, runs in forms("score_run"):

    rule:
        name:
            form_name("score_run", words)
        input:
            index=of_a_split(FILES.index()),
            split=split_of_run,
            predictions=of_a_split(FILES.predictions(ANY_RUN, products[0].statistics)),
            embeddings=FILES.embeddings(ANY_RUN, products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("score_run", "{run}", words),
        benchmark:
            FILES.benchmark("score_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("score_run")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(3000, times_input=8),
            runtime=120,
        params:
            code=room_hash("evaluate"),
            products=with_paths(products),
        script:
            "../scripts/score_run.py"


# How well probes predict the batch: batches that were trained on, by a probe fitted on training images; unseen
# ones, on one half of their wells.
for words, products, runs in forms("probe_run"):

    rule:
        name:
            form_name("probe_run", words)
        input:
            index=FILES.index(),
            split=split_of_run,
            embeddings=probed_embeddings(products[0].statistics),
            training=probe_is_fitted_on(products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("probe_run", "{run}", words),
        benchmark:
            FILES.benchmark("probe_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("probe_run")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(6000, times_input=4),
            runtime=120,
        params:
            code=room_hash("evaluate"),
        script:
            "../scripts/probe_run.py"


# The same of training and validation batches together, on some of their wells and on others: what settings are chosen by.
for words, products, runs in forms("probe_training_side"):

    rule:
        name:
            form_name("probe_training_side", words)
        input:
            index=FILES.index(),
            training=FILES.training_embeddings(ANY_RUN, products[0].statistics),
            validation=FILES.embeddings(ANY_RUN, products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("probe_training_side", "{run}", words),
        benchmark:
            FILES.benchmark("probe_training_side", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("probe_training_side")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(6000, times_input=4),
            runtime=120,
        params:
            code=room_hash("evaluate"),
        script:
            "../scripts/probe_training_side.py"


# Classifiers that are fitted on training images' embeddings, and how batches mix there and among test images.
for words, products, runs in forms("readout_run"):

    rule:
        name:
            form_name("readout_run", words)
        input:
            training=FILES.training_embeddings(ANY_RUN, products[0].statistics),
            test=FILES.embeddings(ANY_RUN, products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("readout_run", "{run}", words),
        benchmark:
            FILES.benchmark("readout_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("readout_run")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(6000, times_input=4),
            runtime=240,
        params:
            code=room_hash("correct", "evaluate"),
        script:
            "../scripts/readout_run.py"


# Each task's images by their nearest training image.
for words, products, runs in forms("task_run"):

    rule:
        name:
            form_name("task_run", words)
        input:
            index=FILES.index(),
            split=split_of_run,
            training=FILES.training_embeddings(ANY_RUN, products[0].statistics),
            scored=FILES.embeddings(ANY_RUN, products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("task_run", "{run}", words),
        benchmark:
            FILES.benchmark("task_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("task_run")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(3000, times_input=4),
            runtime=120,
        params:
            code=room_hash("evaluate"),
            tasks=lambda wildcards: REGISTRY.screen.model_dump()["splits"]["tasks"],
        script:
            "../scripts/task_run.py"


rule nulls:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
    output:
        FILES.nulls("{split}"),
    log:
        FILES.log("nulls", "{split}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000, times_input=8),
        runtime=30,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/nulls.py"
