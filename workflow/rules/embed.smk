# A trained model's embeddings and predictions of its split's test images.


rule embed_run:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model("{method}", "{split}", "{seed}"),
        stores=target_files("ingest"),
    output:
        embeddings=FILES.embeddings("{method}", "{split}", "{seed}", "{inference}"),
        predictions=FILES.predictions("{method}", "{split}", "{seed}", "{inference}"),
    log:
        FILES.log("embed_run", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 240),
        gpu=COMPUTE.gpus,
    params:
        recipe=run_recipe,
    script:
        "../scripts/embed_run.py"


# The training images of a split whose batches stand on both sides: the probe of seen batches is fitted on them.
rule embed_training:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model("{method}", "{split}", "{seed}"),
        stores=target_files("ingest"),
    output:
        FILES.training_embeddings("{method}", "{split}", "{seed}", "{inference}"),
    log:
        FILES.log("embed_training", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 240),
        gpu=COMPUTE.gpus,
    params:
        recipe=run_recipe,
    script:
        "../scripts/embed_training.py"


# Test accuracy while training, from weights that training left behind: it never sees a test image itself.
rule embed_snapshots:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model("{method}", "{split}", "{seed}"),
        stores=target_files("ingest"),
    output:
        FILES.epochs("{method}", "{split}", "{seed}", "{inference}"),
    log:
        FILES.log("embed_snapshots", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 720),
        gpu=COMPUTE.gpus,
    params:
        recipe=run_recipe,
        place=place,
    script:
        "../scripts/embed_snapshots.py"
