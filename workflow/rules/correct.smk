# Corrections of embeddings after training: each fitted on what it declares that it sees, nothing trained again.


rule correct:
    input:
        FILES.embeddings(ANY_RUN, "{inference}"),
    output:
        FILES.embeddings(ANY_RUN, "{inference}.{correction}"),
    log:
        FILES.log("correct", "{run}", "{inference}.{correction}"),
    conda:
        "../../envs/debatch.yaml"
    threads: min(2, COMPUTE.threads)
    resources:
        mem_mb=with_attempt(6000, times_input=4),
        runtime=120,
    params:
        correction=lambda wildcards: REGISTRY.corrections[wildcards.correction].model_dump(),
        code=room_hash("correct"),
    script:
        "../scripts/correct.py"
