# One job a run. Checkpoints and history are undeclared siblings of the model: a failed job must not lose them.


rule train:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        normalization=run_normalization,
    output:
        FILES.model(RUN),
    log:
        FILES.log("train", "{method}-{split}-seed{seed}"),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.threads
    resources:
        mem_mb=with_attempt(COMPUTE.mem_mb),
        runtime=COMPUTE.runtime,
        gpu=COMPUTE.gpus,
    params:
        recipe=run_recipe,
        place=place,
    script:
        "../scripts/train.py"
