from helpers.images import make_index

from debatch.registry import build_registry
from debatch.report.page.facts import screen_facts
from debatch.screen.contents import contents


def test_report_counts_what_wells_hold_as_check_does(root):
    """Two sites a well: a control is counted once, and not as often as it was photographed."""
    index = make_index(experiments=3, wells=8, sites=2)
    said = dict(screen_facts(build_registry({"screen": "demo"}, root), index))
    assert said["perturbations"] == "3 treatments, 1 negative control (T3)"
    assert said["wells by type"] == "18 treatment, 6 negative control"
    assert dict(contents(index)).items() <= said.items()
