"""What the explorer takes from the configuration."""

from debatch.registry import build_registry
from debatch.report.explorer.explore import explained


def test_words_of_the_titles_are_explained_by_their_configuration(root, tmp_path):
    (tmp_path / "s.yaml").write_text(f"extends: {root}/config/screens/tiny.yaml\nexplorer: {{methods: null}}\n")
    tiny = build_registry({"screen": str(tmp_path / "s.yaml")}, root)
    words = dict(explained(tiny))
    titles = [tiny.correction_title(name) for name in ("znorm", "sphering", "harmony")]
    assert list(words)[:2] == ["trained without the test batches", "trained on a share of every batch"]
    assert set(titles) <= set(words)
    assert words[titles[0]] == tiny.corrections["znorm"].description
