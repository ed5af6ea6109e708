"""Rules that come in forms, as a user names them: by the rule."""

import re

import pytest
from helpers.workflow import snakemake

pytestmark = pytest.mark.workflow


def test_what_is_set_for_a_rule_holds_for_its_forms_unless_they_are_set_themselves(tmp_path):
    settings = ["--set-resources", "embed_run:mem_mb=1234", "embed_run_batch:mem_mb=4321"]
    settings += ["--set-threads", "score_run=2", "--groups", "score_run=scores"]
    done = snakemake(tmp_path, "table1", "--dry-run", *settings, screen="tiny")
    memory = dict(re.findall(r"rule (embed_run_\w+):.*?mem_mb=(\d+)", done.output, re.DOTALL))
    assert memory == {"embed_run_train": "1234", "embed_run_batch": "4321", "embed_run_train_batch": "1234"}
    grouped = re.findall(r"rule (score_run_\w+):(?:(?!rule ).)*?threads: 2", done.output, re.DOTALL)
    assert set(grouped) == {"score_run_train_metrics", "score_run_batch_metrics"}
    assert done.output.count("Group job scores") == 16
