import pandas as pd
import pytest

from debatch.cli import main


@pytest.mark.parametrize("number", ["-1", "0", "many"])
def test_sample_is_a_number_of_images(number, capsys):
    with pytest.raises(SystemExit):
        main(["check", "tiny", "--sample", number])
    assert "--sample" in capsys.readouterr().err


def profiles(folder, **changes):
    """A screen of four wells in two batches."""
    table = pd.DataFrame(
        {
            "Metadata_Plate": ["P1", "P1", "P2", "P2"], "Metadata_Well": ["A01", "A02"] * 2,
            "Metadata_Batch": list("aabb"),
            "Metadata_Perturbation": ["x", "DMSO", "x", "y"],
            "Metadata_WellType": ["treatment", "negative_control", "treatment", "treatment"],
            "f0": [1.0, 2.0, 3.0, 4.0], "f1": [0.5, 0.25, -1.0, 2.0],
        }
    )  # fmt: skip
    table.assign(**changes).to_csv(folder / "p.csv", index=False)
    (folder / "mine.yaml").write_text(f"profiles: {{cp: {{file: {folder}/p.csv}}}}\n")
    return str(folder / "mine.yaml")


def test_check_from_another_folder_finds_what_lies_beside_the_screens_file(tmp_path, monkeypatch, capsys):
    lab = tmp_path / "lab/screens"
    lab.mkdir(parents=True)
    profiles(lab)
    (lab / "mine.yaml").write_text("profiles: {cp: {file: p.csv}}\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for named in ("../lab/screens/mine.yaml", str(lab / "mine.yaml")):
        assert main(["check", named]) == 0
        assert "4 profiles in 2 batches" in capsys.readouterr().out
    (lab / "p.csv").unlink()
    assert main(["check", "../lab/screens/mine.yaml"]) == 1
    said = capsys.readouterr().err
    assert "../lab/screens/p.csv: no such file" in said
    assert "../lab/screens/mine.yaml calls it `p.csv`" in said


def test_check_names_images_and_metadata_that_are_not_there_as_given_and_as_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/mine.yaml").write_text(
        "source: {root: ../raw, pattern: '{experiment}/{plate}_{well}_{site}_{channel}.tif', channels: {'1': DNA}}\n"
        "metadata: {file: wells.csv}\nexperiments: [E]\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["check", "lab/mine.yaml"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "raw: no such folder; see `source.root` in the screen; lab/mine.yaml calls it `../raw`" in said
    assert "lab/wells.csv: no such file; see `metadata.file` in the screen; lab/mine.yaml calls it `wells.csv`" in said


def test_check_of_profiles_counts_wells_by_batch_and_names_what_lacks(tmp_path, capsys):
    assert main(["check", profiles(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "4 profiles in 2 batches, 3 perturbations" in said
    assert "1 of 2 treatments are in several batches" in said
    assert "no negative control in b" in said
    assert "4 profiles of 2 features, values -1 to 4" in said


def test_check_of_profiles_that_hold_no_numbers(tmp_path, capsys):
    assert main(["check", profiles(tmp_path, f1=[0.5, None, 1.0, 2.0])]) == 1
    said = capsys.readouterr().out
    assert "stop the screen" in said
    assert "f1: missing or infinite in 1 profile" in said


def test_configuration_that_holds_no_keys(tmp_path, monkeypatch, capsys):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("- demo\n")
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "expected keys and values, as in `screen: demo`" in capsys.readouterr().err


def test_check_of_profiles_counts_controls_by_themselves(tmp_path, capsys):
    main(["check", profiles(tmp_path)])
    said = capsys.readouterr().out
    assert "perturbations: 2 treatments, 1 negative control (DMSO)" in said
    assert "wells by type: 3 treatment, 1 negative control" in said


def test_check_says_where_no_treatment_is_in_two_batches(tmp_path, capsys):
    """DMSO is in both, and is no treatment; a split by batch would train on no class that it tests."""
    path = profiles(
        tmp_path,
        Metadata_Perturbation=["x", "DMSO", "DMSO", "y"],
        Metadata_WellType=["treatment", "negative_control", "negative_control", "treatment"],
    )
    assert main(["check", path]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "warning: no treatment is in two batches (of 2): no replicate can be found across batches" in said
    assert "negative controls will say what removes the batch effect" in said
    with open(path, "a") as file:
        file.write("splits: {names: [separated]}\n")
    assert main(["check", path]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "cannot be drawn: split 'separated': " in said
    assert "all of these are in one batch only, and no choice of test batches can both train and test on them" in said


def test_check_names_patterns_of_features_that_fit_no_column(tmp_path, capsys):
    path = profiles(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"profiles: {{cp: {{file: {tmp_path}/p.csv, features: ['f*', 'Cell_*']}}}}\n")
    assert main(["check", path]) == 1
    assert "no column fits 'Cell_*' of `features`" in capsys.readouterr().out


def test_check_of_a_column_that_is_not_there_names_columns_of_numbers_too(tmp_path, capsys):
    path = profiles(tmp_path, conc_uM=[1.0, 0.0, 1.0, 2.0])
    (tmp_path / "mine.yaml").write_text(
        f"profiles: {{cp: {{file: {tmp_path}/p.csv, features: ['f*']}}}}\n"
        "columns: {perturbation: [Metadata_Perturbation, dosage]}\n"
    )
    assert main(["check", path]) == 1
    captured = capsys.readouterr()
    assert "conc_uM" in captured.err + captured.out


def test_check_of_a_partial_table_does_not_open_with_what_it_allows(tmp_path, capfd):
    path = profiles(tmp_path)
    (tmp_path / "moa.csv").write_text("compound,mechanism\nx,actin\n")
    (tmp_path / "mine.yaml").write_text(
        f"profiles: {{cp: {{file: {tmp_path}/p.csv}}}}\n"
        f"annotations: [{{file: {tmp_path}/moa.csv, match: {{Metadata_Perturbation: compound}}, partial: true}}]\n"
    )
    assert main(["check", path]) == 0
    captured = capfd.readouterr()
    assert "knows nothing" not in captured.err + captured.out
