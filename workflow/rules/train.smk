# One job a run. Checkpoints, history and the finished weights are undeclared siblings of the model: a failed job must
# not lose them, and what Snakemake takes away before it starts a job again must not be trained again.


rule train:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
        start=lambda wildcards: [
            FILES.model(FILES.run(method, wildcards.split, wildcards.seed))
            for method in REGISTRY.starts_from(wildcards.method)
        ],
    output:
        FILES.model(RUN),
    log:
        FILES.log("train", "{method}-{split}-seed{seed}"),
    benchmark:
        FILES.benchmark("train", "{method}-{split}-seed{seed}")
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=COMPUTE.runtime,
        gpu=lambda wildcards: REGISTRY.devices(wildcards.method),
    params:
        recipe=run_recipe,
        results=results_and_screen,
    script:
        "../scripts/train.py"
