# Corrections of embeddings after training, each fitted on what it declares that it sees, and what they did: they are held
# against the same embeddings uncorrected. All of a run in one job.


for words, products, runs in forms("correct_run"):

    rule:
        name:
            form_name("correct_run", words)
        input:
            FILES.embeddings(ANY_RUN, products[0].statistics),
        output:
            files_of(products),
        log:
            FILES.log("correct_run", "{run}", words),
        benchmark:
            FILES.benchmark("correct_run", "{run}", words)
        wildcard_constraints:
            run=any_of(runs),
        group:
            form_group("correct_run")
        conda:
            "../../envs/debatch.yaml"
        threads: min(2, COMPUTE.threads)
        resources:
            mem_mb=with_attempt(6000, times_input=4),
            runtime=240,
        params:
            # the screen's, whichever of them are asked for
            corrections=screen_corrections(),
            code=room_hash("evaluate", "correct"),
            products=with_paths(products),
        script:
            "../scripts/correct_run.py"
