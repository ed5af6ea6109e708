import sys

from helpers import ROOT


def test_every_trap_replaces_what_the_code_has_once(monkeypatch):
    """Else `make mutations`, which takes a quarter of an hour, would find out."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "tests/mutations"), *sys.path])
    from edits import EDITS
    from run import applies

    assert [edit.trap for edit in EDITS if not applies(edit, ROOT)] == []
    assert [test for edit in EDITS for test in edit.tests if not (ROOT / test.split("::")[0]).is_file()] == []
