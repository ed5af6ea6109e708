# What training needs beside pixels: normalization statistics and splits; and the picture to look at first.


rule normalize:
    input:
        index=FILES.index(),
        stores=target_files("ingest"),
    output:
        FILES.normalization("{variant}"),
    log:
        FILES.log("normalize", "{variant}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000),
        runtime=30,
    script:
        "../scripts/normalize.py"


rule split:
    input:
        index=FILES.index(),
    output:
        FILES.split("{split}"),
    log:
        FILES.log("split", "{split}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000),
        runtime=30,
    params:
        splits=SCREEN["splits"],
    script:
        "../scripts/split.py"


rule qc:
    input:
        index=FILES.index(),
        stores=target_files("ingest"),
    output:
        svg=FILES.figure("qc", "svg"),
        png=FILES.figure("qc", "png"),
        numbers=FILES.figure("qc", "csv"),
    log:
        FILES.log("qc"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        place=place,
        title=REGISTRY.screen.title or REGISTRY.name,
        code=room_hash("report"),
    script:
        "../scripts/qc.py"
