# A trained model's embeddings and predictions of its split's test images.


rule embed_run:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model(RUN),
    output:
        embeddings=FILES.embeddings(RUN, "{inference}"),
        predictions=FILES.predictions(RUN, "{inference}"),
    log:
        FILES.log("embed_run", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 240),
        gpu=min(1, COMPUTE.gpus),
    params:
        recipe=run_recipe,
        place=place,
    script:
        "../scripts/embed_run.py"


# The training images of a split whose batches stand on both sides: the probe of seen batches is fitted on them.
rule embed_training:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model(RUN),
    output:
        FILES.training_embeddings(RUN, "{inference}"),
    log:
        FILES.log("embed_training", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 240),
        gpu=min(1, COMPUTE.gpus),
    params:
        recipe=run_recipe,
        place=place,
    script:
        "../scripts/embed_training.py"


# Test accuracy while training, from weights that training left behind: it never sees a test image itself.
rule embed_snapshots:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model(RUN),
    output:
        FILES.epochs(RUN, "{inference}"),
    log:
        FILES.log("embed_snapshots", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 720),
        gpu=min(1, COMPUTE.gpus),
    params:
        recipe=run_recipe,
        place=place,
    script:
        "../scripts/embed_snapshots.py"


# Test accuracy under many choices of test-time statistics, of each a few rows and no embedding.
rule embed_adaptation:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        model=FILES.model(RUN),
    output:
        FILES.adaptation(RUN),
    log:
        FILES.log("embed_adaptation", "{method}-{split}-seed{seed}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=min(COMPUTE.runtime, 720),
        gpu=min(1, COMPUTE.gpus),
    params:
        recipe=run_recipe,
        place=place,
        looked_at=adaptation_params,
    script:
        "../scripts/embed_adaptation.py"


# All images of this screen by a model that was trained on another one, or on this one before it grew.
if REGISTRY.model:

    rule embed_screen:
        input:
            index=FILES.index(),
            normalization=FILES.normalization(REGISTRY.model.recipe.normalization),
            model=str(REGISTRY.model.weights),
        output:
            FILES.embeddings(FILES.external(REGISTRY.model.name), REGISTRY.model.recipe.inference),
        log:
            FILES.log("embed_screen", REGISTRY.model.name),
        conda:
            "../../envs/debatch.yaml"
        threads: COMPUTE.threads
        resources:
            mem_mb=with_attempt(COMPUTE.mem_mb),
            runtime=min(COMPUTE.runtime, 720),
            gpu=min(1, COMPUTE.gpus),
        params:
            recipe=REGISTRY.model.recipe.model_dump(),
            place=place,
        script:
            "../scripts/embed_screen.py"


rule write_h5ad:
    input:
        FILES.embeddings(ANY_RUN, "{inference}{corrected}"),
    output:
        FILES.h5ad(ANY_RUN, "{inference}{corrected}"),
    log:
        FILES.log("write_h5ad", "{run}", "{inference}{corrected}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(4000, times_input=4),
        runtime=30,
    script:
        "../scripts/h5ad.py"


rule embed:
    input:
        target_files("embed"),


rule h5ad:
    input:
        target_files("h5ad"),
