import pytest

from debatch.cli import main


@pytest.mark.parametrize("number", ["-1", "0", "many"])
def test_sample_is_a_number_of_images(number, capsys):
    with pytest.raises(SystemExit):
        main(["check", "tiny", "--sample", number])
    assert "--sample" in capsys.readouterr().err


def test_configuration_that_holds_no_keys(tmp_path, monkeypatch, capsys):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("- demo\n")
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "expected keys and values, as in `screen: demo`" in capsys.readouterr().err
