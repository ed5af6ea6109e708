# A trained model's embeddings and predictions of its split's test images, and whatever else needs its weights. One job a
# run; a form of the rule for each set of things that are asked for.


for words, products, runs in forms("embed_run"):

    rule:
        name:
            form_name("embed_run", words)
        input:
            index=FILES.index(),
            split=split_of_run,
            normalization=normalization_of_run,
            model=FILES.model(ANY_RUN),
        output:
            files_of(products),
        log:
            FILES.log("embed_run", "{run}", words),
        benchmark:
            FILES.benchmark("embed_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("embed_run")
        conda:
            "../../envs/debatch.yaml"
        threads: COMPUTE.threads
        resources:
            mem_mb=with_attempt(COMPUTE.mem_mb),
            runtime=min(COMPUTE.runtime, 720),
            gpu=min(1, COMPUTE.gpus),
        params:
            recipe=recipe_of_run,
            results=results_and_screen,
            products=with_paths(products),
        script:
            "../scripts/embed_run.py"


# Test accuracy under many choices of test-time statistics, of each a few rows and no embedding. A job of its own: a change
# of those choices must not embed again.
for _, _, runs in forms("embed_adaptation"):

    rule embed_adaptation:
        input:
            index=FILES.index(),
            split=split_of_run,
            normalization=normalization_of_run,
            model=FILES.model(ANY_RUN),
        output:
            FILES.adaptation(ANY_RUN),
        log:
            FILES.log("embed_adaptation", "{run}"),
        benchmark:
            FILES.benchmark("embed_adaptation", "{run}")
        wildcard_constraints:
            run=any_of(runs),
        conda:
            "../../envs/debatch.yaml"
        threads: COMPUTE.threads
        resources:
            mem_mb=with_attempt(COMPUTE.mem_mb),
            runtime=min(COMPUTE.runtime, 720),
            gpu=min(1, COMPUTE.gpus),
        params:
            recipe=recipe_of_run,
            results=results_and_screen,
            statistics=many_statistics,
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
            FILES.embeddings(EXTERNAL, REGISTRY.model.recipe.inference),
        log:
            FILES.log("embed_screen", "{external}"),
        benchmark:
            # a rule that can be named as a target, one without wildcards, would run again where this is gone
            FILES.benchmark("embed_screen", "{external}")
        wildcard_constraints:
            external=any_of([REGISTRY.model.name]),
        conda:
            "../../envs/debatch.yaml"
        threads: COMPUTE.threads
        resources:
            mem_mb=with_attempt(COMPUTE.mem_mb),
            runtime=min(COMPUTE.runtime, 720),
            gpu=min(1, COMPUTE.gpus),
        params:
            recipe=REGISTRY.model.recipe.model_dump(),
            results=results_and_screen,
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
