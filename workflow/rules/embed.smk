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
