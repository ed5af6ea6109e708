# Metrics, a job a run. Each is cheap and holds a hash of the code that it calls.


rule evaluate:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        predictions=FILES.predictions(RUN, "{inference}"),
    output:
        FILES.metrics(RUN, "{inference}"),
    log:
        FILES.log("evaluate", "{method}-{split}-seed{seed}-{inference}"),
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


rule cosine:
    input:
        FILES.embeddings(ANY_RUN, "{inference}{corrected}"),
    output:
        numbers=FILES.cosine(ANY_RUN, "{inference}{corrected}"),
        histograms=FILES.cosine_histograms(ANY_RUN, "{inference}{corrected}"),
    log:
        FILES.log("cosine", "{run}", "{inference}{corrected}"),
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(3000, times_input=4),
        runtime=60,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/cosine.py"


# What a correction did to embeddings: they are held against the same ones uncorrected.
rule score_embeddings:
    input:
        before=FILES.embeddings(ANY_RUN, "{inference}"),
        after=FILES.embeddings(ANY_RUN, "{inference}{corrected}"),
    output:
        FILES.scores(ANY_RUN, "{inference}{corrected}"),
    log:
        FILES.log("score_embeddings", "{run}", "{inference}{corrected}"),
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(3000, times_input=4),
        runtime=120,
    params:
        correction=lambda wildcards: CORRECTIONS.get(wildcards.corrected),
        code=room_hash("evaluate", "correct"),
    script:
        "../scripts/score_embeddings.py"


rule probe_seen:
    input:
        train=FILES.training_embeddings(RUN, "{inference}"),
        test=FILES.embeddings(RUN, "{inference}"),
    output:
        FILES.probe(RUN, "{inference}"),
    log:
        FILES.log("probe_seen", "{method}-{split}-seed{seed}-{inference}"),
    wildcard_constraints:
        split=splits_with(unseen_batches=False),
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(6000, times_input=4),
        runtime=120,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/probe_seen.py"


rule probe_unseen:
    input:
        index=FILES.index(),
        split=FILES.split("{split}"),
        embeddings=probed_embeddings,
    output:
        FILES.probe(RUN, "{inference}"),
    log:
        FILES.log("probe_unseen", "{method}-{split}-seed{seed}-{inference}"),
    wildcard_constraints:
        split=splits_with(unseen_batches=True),
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(4000, times_input=4),
        runtime=120,
    params:
        code=room_hash("evaluate"),
    script:
        "../scripts/probe_unseen.py"
