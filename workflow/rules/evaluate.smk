# One job a run scores its predictions in every way at once.


rule evaluate:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        predictions=FILES.predictions("{method}", "{split}", "{seed}", "{inference}"),
    output:
        FILES.metrics("{method}", "{split}", "{seed}", "{inference}"),
    log:
        FILES.log("evaluate", "{method}-{split}-seed{seed}-{inference}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000),
        runtime=30,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/evaluate.py"
