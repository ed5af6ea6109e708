"""Relative paths of a configuration file start at its own folder, wherever one works."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from debatch.config.paths import path_beside, with_paths_beside
from debatch.config.read import expand
from debatch.config.recipe import Method
from debatch.config.screen import Screen
from debatch.errors import ConfigError
from debatch.registry import build_registry
from debatch.registry.kinds import tables_model

PATTERN = "{experiment}/{plate}_{well}_{site}_{channel}.tif"
CHANNELS = {"1": "DNA"}


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        ("wells.csv", "lab/screens/wells.csv"),
        ("../images", "lab/images"),
        ("../../../images/", "../images/"),
        ("./p_*.csv", "lab/screens/p_*.csv"),
        ("/data/wells.csv", "/data/wells.csv"),
        ("~/wells.csv", "~/wells.csv"),
        ("$DATA/wells.csv", "$DATA/wells.csv"),
        ("${DATA}/wells.csv", "${DATA}/wells.csv"),
        ("${DATA:-../../data}/wells.csv", "${DATA:-data}/wells.csv"),
        ("${DATA:-/data}/../wells.csv", "${DATA:-/data}/../wells.csv"),
        ("${DATA:-~/data}/wells.csv", "${DATA:-~/data}/wells.csv"),
        ("${DATA:-$HOME}/wells.csv", "${DATA:-$HOME}/wells.csv"),
        ("${PREFIX:-}wells.csv", "${PREFIX:-lab/screens/}wells.csv"),
        ("${PREFIX:-}/data/wells.csv", "${PREFIX:-}/data/wells.csv"),
        ("../$BATCH/../wells.csv", "lab/$BATCH/../wells.csv"),
        ("plates_${BATCH:-a/../b}.csv", "lab/screens/plates_${BATCH:-a/../b}.csv"),
        ("", ""),
    ],
)
def test_a_relative_path_starts_at_the_folder_of_its_file(path, beside):
    assert path_beside(Path("lab/screens"), path) == beside


@pytest.mark.parametrize("path", ["wells.csv", "../images/", "${DATA:-../data}/x", "./a/../b"])
def test_paths_of_a_file_in_the_working_directory_stay_what_they_are(path):
    assert path_beside(Path("mine.yaml").parent, path) == path


def test_above_a_linked_folder_is_what_is_above_its_target(tmp_path, monkeypatch):
    (tmp_path / "shared/screens").mkdir(parents=True)
    (tmp_path / "shared/wells.csv").write_text("x")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/screens").symlink_to(tmp_path / "shared/screens")
    monkeypatch.chdir(tmp_path / "work")
    assert Path(path_beside(Path("screens"), "../wells.csv")).read_text() == "x"


def test_a_default_may_name_another_variable(monkeypatch):
    monkeypatch.setenv("HERE", "/data")
    assert expand("${NOT_SET_ANYWHERE:-$HERE/x}/y") == "/data/x/y"


def models(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for part in get_args(annotation):
        yield from models(part)


@pytest.mark.parametrize("root", [Screen, Method, tables_model()])
def test_each_key_that_holds_a_path_is_known_as_one(root):
    """A key whose path were left as it is would be found from the working directory alone."""
    found = 0
    for model in set(models(root)):
        for key, field in model.model_fields.items():
            if "expand" in (field.description or "") or key in ("file", "root", "weights"):
                assert with_paths_beside(model, {key: "x.csv"}, Path("lab/m.yaml")) == {key: "lab/x.csv"}, (model, key)
                if "list" in str(field.annotation):
                    assert with_paths_beside(model, {key: ["x.csv"]}, Path("lab/m.yaml")) == {key: ["lab/x.csv"]}, model
                found += 1
    assert found


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def test_every_path_of_a_screen_starts_at_its_file(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = {"pattern": PATTERN, "channels": CHANNELS}
    screen = {
        "source": {**source, "root": "raw"},
        "metadata": {"file": ["a.csv", {"file": "../b.csv"}, "/data/c.csv"]},
        "annotations": [{"file": "moa.csv", "match": {"compound": "compound"}}],
        "experiments": ["E"],
        "training": {"weights": "w.pth"},
    }
    found = build_registry({"screen": write(Path("lab/mine.yaml"), screen)}, root)
    assert found.screen.source.root == "lab/raw"
    assert found.screen.metadata.names() == ["lab/a.csv", "b.csv", "/data/c.csv"]
    assert [str(path) for path in found.source_files()] == ["lab/a.csv", "b.csv", "/data/c.csv", "lab/moa.csv"]
    assert found.recipes["adabn"].weights == "lab/w.pth"
    parts = {"P": {"source": {**source, "root": "raw"}, "experiments": ["E"]}}
    in_parts = write(Path("lab/parts.yaml"), {"parts": parts, "metadata": {"file": "a.csv"}})
    found = build_registry({"screen": in_parts}, root)
    assert found.screen.parts["P"].source.root == "lab/raw"
    assert found.screen.metadata.names() == ["lab/a.csv"]
    found = build_registry({"screen": write(Path("lab/p.yaml"), {"profiles": {"cp": {"file": "p.csv"}}})}, root)
    assert found.externals["cp"].file == "lab/p.csv"


def test_an_absolute_name_of_the_file_gives_absolute_paths(root, tmp_path):
    screen = write(tmp_path / "lab/p.yaml", {"profiles": {"cp": {"file": "../p.csv"}}})
    assert build_registry({"screen": screen}, root).externals["cp"].file == str(tmp_path / "p.csv")


def test_a_path_of_an_extended_file_starts_there(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = {"root": "raw", "pattern": PATTERN, "channels": CHANNELS}
    write(Path("base/base.yaml"), {"source": source, "metadata": {"file": "wells.csv"}, "experiments": ["E"]})
    write(Path("lab/middle.yaml"), {"extends": "../base/base.yaml", "training": {"epochs": 3}})
    top = write(Path("lab/mine/top.yaml"), {"extends": "../middle.yaml", "metadata": {"file": "wells.csv"}})
    screen = build_registry({"screen": top}, root).screen
    assert (screen.source.root, screen.metadata.names()) == ("base/raw", ["lab/mine/wells.csv"])
    assert screen.training.epochs == 3
    write(Path("lab/middle.yaml"), {"extends": "../gone.yaml"})
    with pytest.raises(ConfigError, match=r"lab/middle.yaml: `extends`: gone.yaml: no such file \(from `../gone.yaml`"):
        build_registry({"screen": top}, root)


def test_weights_of_methods_and_variations_start_at_their_files(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    methods = write(Path("lab/methods.yaml"), {"mine": {"weights": "m.pth"}})
    variations = {"kind": "variations", "title": "T", "methods": ["mine"], "splits": ["separated"],
                  "variations": {"v": {"weights": "../v.pth"}}}  # fmt: skip
    tables = write(Path("lab/tables.yaml"), {"tables": {"t": variations}, "figures": {}})
    screen = write(Path("s.yaml"), {"extends": "rxrx1", "targets": ["t"]})
    found = build_registry({"screen": screen, "methods": methods, "tables": tables}, root)
    assert found.recipes["mine"].weights == "lab/m.pth"
    assert found.recipes["mine__v"].weights == "v.pth"


def test_screens_of_the_repository_name_the_test_data_as_ever(root, monkeypatch):
    """A job's params hold these: other words for one folder would make its results again."""
    monkeypatch.chdir(root)
    sample = build_registry({"screen": "rxrx1_sample"}, root).screen
    assert sample.source.root == "${DEBATCH_REAL_DATA:-../shared/data}/rxrx1_images"
    assert sample.metadata.names() == ["${DEBATCH_REAL_DATA:-../shared/data}/rxrx1_metadata/train_controls.csv"]


def test_a_file_that_is_not_there_is_named_as_given_and_as_found(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    screen = write(Path("lab/p.yaml"), {"profiles": {"cp": {"file": "../p.csv"}}})
    with pytest.raises(ConfigError) as error:
        build_registry({"screen": screen}, root).refuse_missing_sources()
    assert str(error.value) == "p.csv: no such file, and nothing was started; lab/p.yaml calls it `../p.csv`"
    write(Path("p.csv"), "")
    write(Path("lab/p.yaml"), {"profiles": {"cp": {"file": "p.csv"}}})
    with pytest.raises(ConfigError) as error:
        build_registry({"screen": screen}, root).refuse_missing_sources()
    assert str(error.value) == (
        "lab/p.csv: no such file, and nothing was started; lab/p.yaml calls it `p.csv`, which starts at that file's "
        "folder: for the one in the working directory write `../p.csv`"
    )
    beside = write(Path("q.yaml"), {"profiles": {"cp": {"file": "q.csv"}}})
    with pytest.raises(ConfigError) as error:
        build_registry({"screen": beside}, root).refuse_missing_sources()
    assert str(error.value) == "q.csv: no such file, and nothing was started"


def test_metadata_that_the_experiments_are_read_from_is_named_as_given_too(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = {"root": "raw", "pattern": PATTERN, "channels": CHANNELS}
    screen = write(Path("lab/mine.yaml"), {"source": source, "metadata": {"file": "../wells.csv"}})
    with pytest.raises(ConfigError) as error:
        build_registry({"screen": screen}, root)
    said = "read from wells.csv, which is not there; lab/mine.yaml calls it `../wells.csv`"
    assert said in str(error.value)
