# What training needs beside pixels: normalization statistics and splits; and what to look at first.


rule normalize:
    input:
        index=FILES.index(),
    output:
        FILES.normalization("{variant}"),
    log:
        FILES.log("normalize", "{variant}"),
    benchmark:
        FILES.benchmark("normalize", "{variant}")
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000, times_input=12),
        runtime=30,
    params:
        results=results_and_screen,
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
        mem_mb=with_attempt(2000, times_input=12),
        runtime=30,
    params:
        splits=split_params,
    script:
        "../scripts/split.py"


rule qc:
    input:
        index=FILES.index(),
    output:
        figure_files("qc"),
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
        results=results_and_screen,
        title=screen_title(),
        drawn=figure_style(),
        code=room_hash("report"),
    script:
        "../scripts/qc.py"


rule make_plates:
    input:
        index=FILES.index(),
    output:
        target_files("plates"),
    log:
        FILES.log("plates"),
    localrule: True
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_and_screen,
        title=screen_title(),
        drawn=figure_style(),
        plate_format=SCREEN["plate_format"],
        code=room_hash("report"),
    script:
        "../scripts/plates.py"


# reads every stored image once: a job of its own on a cluster
rule make_illumination:
    input:
        index=FILES.index(),
    output:
        figure_files("{illumination}"),
    log:
        FILES.log("{illumination}"),
    benchmark:
        # a rule that can be named as a target, one without wildcards, would run again where this is gone
        FILES.benchmark("make_illumination", "{illumination}")
    wildcard_constraints:
        illumination=any_of(SCREEN_FIGURES["illumination"]),
    conda:
        "../../envs/debatch.yaml"
    threads: COMPUTE.ingest_threads
    resources:
        mem_mb=with_attempt(4000, times_input=8),
        runtime=120,
    params:
        results=results_and_screen,
        title=screen_title(),
        drawn=figure_style(),
        code=room_hash("report"),
    script:
        "../scripts/illumination.py"


rule write_ome_zarr:
    input:
        index=FILES.index(),
    output:
        FILES.ome_zarr("{chosen}"),
    log:
        FILES.log("ome_zarr", "{chosen}"),
    benchmark:
        FILES.benchmark("ome_zarr", "{chosen}")
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(4000, times_input=8),
        runtime=240,
    params:
        results=results_and_screen,
        plate_format=SCREEN["plate_format"],
    script:
        "../scripts/ome_zarr.py"


rule plates:
    input:
        target_files("plates"),


rule illumination:
    input:
        target_files("illumination"),


rule ome_zarr:
    input:
        target_files("ome_zarr"),
