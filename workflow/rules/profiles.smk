# Profiles made elsewhere enter here: an index of their wells, and each set in the format of embeddings.


rule index_profiles:
    output:
        FILES.index(),
    log:
        FILES.log("index_profiles"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(4000),
        runtime=30,
    params:
        choice=config,
        base=str(BASE),
        screen=screen_params(
            "profiles",
            "metadata",
            "annotations",
            "columns",
            "well_types",
            "fields",
            "derive",
            "plate_format",
            "missing",
            "experiment_names",
            "on_problem",
        ),
        metadata_sha256=metadata_sha256,
    script:
        "../scripts/index_profiles.py"


rule embed_profiles:
    input:
        index=FILES.index(),
    output:
        FILES.embeddings(EXTERNAL, "profiles"),
    log:
        FILES.log("embed_profiles", "{external}"),
        # a log survives a failed job, an output does not
        problems=FILES.problems("{external}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(4000),
        runtime=30,
    params:
        choice=config,
        base=str(BASE),
        screen=screen_params(
            "profiles", "columns", "fields", "derive", "on_problem", "plate_format", "missing", "experiment_names"
        ),
        sha256=lambda wildcards: digest_of(profile_files(wildcards.external)),
    script:
        "../scripts/embed_profiles.py"


# Perturbations as predicted by a linear classifier that is fitted on a split's training wells.
rule predict_profiles:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        embeddings=FILES.embeddings(EXTERNAL, "profiles"),
    output:
        FILES.predictions(EXTERNAL, "{split}"),
    log:
        FILES.log("predict_profiles", "{external}-{split}"),
    benchmark:
        FILES.benchmark("predict_profiles", "{external}-{split}")
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(6000, times_input=4),
        runtime=240,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/predict_profiles.py"


rule evaluate_profiles:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        predictions=FILES.predictions(EXTERNAL, "{split}"),
    output:
        FILES.metrics(EXTERNAL, "{split}"),
    log:
        FILES.log("evaluate_profiles", "{external}-{split}"),
    conda:
        "../../envs/debatch.yaml"
    threads: 1
    resources:
        mem_mb=with_attempt(2000, times_input=8),
        runtime=30,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/evaluate.py"


rule probe_profiles:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        embeddings=FILES.embeddings(EXTERNAL, "profiles"),
    output:
        FILES.probe(EXTERNAL, "{split}"),
    log:
        FILES.log("probe_profiles", "{external}-{split}"),
    benchmark:
        FILES.benchmark("probe_profiles", "{external}-{split}")
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(6000, times_input=4),
        runtime=120,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/probe_profiles.py"
