"""The screen of LINCS Pilot 1 as the Cell Painting Gallery has its plate maps, in small."""

import pytest

from debatch.config import Screen
from debatch.config.images import Source
from debatch.errors import DataError
from debatch.registry import build_registry
from debatch.screen.index import expected_index
from debatch.screen.ingest.source import read_name, read_patterns
from debatch.screen.metadata import read_catalogue
from debatch.screen.splits import make_split

TABLES = "workspace/metadata/platemaps/2016_04_01_a549_48hr_batch1"
# the plates of the first map, by replicate, and one without images
PLATES = ["SQ00015116", "SQ00015117", "SQ00015118", "SQ00015119", "SQ00015125"]
WELLS = """plate_map_name\twell_position\tbroad_sample\tmg_per_ml\tmmoles_per_liter\tsolvent
{0}\tA01\t\t\t\tDMSO
{0}\tA02\t\t\t\tDMSO
{0}\tA07\tBRD-K25114078-003-08-1\t1.10546\t9.99999\tDMSO
{0}\tA08\tBRD-K25114078-003-08-1\t0.36848\t3.33333\tDMSO
{0}\tA13\tBRD-A28746609-001-11-5\t4.02490\t9.99999\tDMSO
"""


@pytest.fixture
def screen(root, tmp_path, monkeypatch) -> Screen:
    """The shipped screen, whose tables lie in a folder of their own."""
    monkeypatch.setenv("CPG0004", str(tmp_path))
    monkeypatch.setenv("CPG0004_MOA", str(tmp_path / "moa.tsv"))
    tables = tmp_path / TABLES
    (tables / "platemap").mkdir(parents=True)
    rows = "".join(f"{plate},C-7161-01-LM6-001,2,2016-04-05\n" for plate in PLATES)
    (tables / "barcode_platemap.csv").write_text(
        f"Assay_Plate_Barcode,Plate_Map_Name,Batch_Number,Batch_Date\n{rows}SQ00015225,C-7161-01-LM6-012,3,2016-04-26\n"
    )
    for number in ("001", "012"):
        name = f"C-7161-01-LM6-{number}"
        (tables / f"platemap/{name}.txt").write_text(WELLS.format(name))
    (tmp_path / "moa.tsv").write_text(
        "broad_sample\tpert_iname\tmoa\nBRD-A28746609-001-11-5\tpaclitaxel\ttubulin polymerization inhibitor\n"
    )
    return build_registry({"screen": "cpg0004"}, root).screen


def test_a_row_a_plate_becomes_its_wells_with_replicate_and_mechanism(screen):
    wells = read_catalogue(screen, screen.metadata.tables(), PLATES)
    assert len(wells) == 5 * 5
    assert wells["perturbation"][:5].tolist() == [
        "DMSO_0",
        "DMSO_0",
        "BRD-K25114078-003-08-1_9.99999",
        "BRD-K25114078-003-08-1_3.33333",
        "BRD-A28746609-001-11-5_9.99999",
    ]
    assert wells["well_type"][:3].tolist() == ["negative_control", "negative_control", "treatment"]
    assert wells.groupby("mechanism")["well"].unique().map(list).to_dict() == {
        "tubulin polymerization inhibitor": ["A13"]
    }
    assert wells.groupby("replicate")["batch"].unique().map(list).to_dict() == {
        str(number): [plate] for number, plate in enumerate(PLATES, start=1)
    }
    index = expected_index(wells, screen.source)
    assert len(index) == 5 * 5 * 9
    rows = index.merge(make_split("fold4", index, screen.splits), on="image_id")
    assert rows.groupby("subset")["replicate"].unique().map(list).to_dict() == {
        "test": ["3"], "val": ["2"], "train": ["1", "4", "5"]
    }  # fmt: skip


def test_a_mistake_in_a_plate_map_is_told_by_the_line_of_the_plate(screen, tmp_path):
    file = tmp_path / TABLES / "platemap/C-7161-01-LM6-001.txt"
    file.write_text(file.read_text().replace("\tA08\t", "\tA07\t"))
    with pytest.raises(DataError, match=r"barcode_platemap.csv, line 2: repeats .*well A07"):
        read_catalogue(screen, screen.metadata.tables(), PLATES)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"many": False}, r"LM6-001.txt and 1 more: 'C-7161-01-LM6-001' stands twice; .* say `many: true` beside it"),
        ({"fill": {"compound": "DMSO"}}, r"LM6-001.txt: no column 'compound', which `annotations.fill` names"),
        ({"match": {"Plate_Map_Name": "plate_map"}}, r"no column 'plate_map', .* did you mean 'plate_map_name'"),
    ],
)
def test_plate_maps_that_cannot_be_joined_say_so(screen, change, error):
    maps = screen.annotations[1].model_copy(update=change)
    annotations = [screen.annotations[0], maps, screen.annotations[2]]
    with pytest.raises(DataError, match=error):
        read_catalogue(screen.model_copy(update={"annotations": annotations}), screen.metadata.tables(), PLATES)


def test_profiles_have_no_plate_maps():
    annotation = {"file": "maps.csv", "match": {"plate": "plate"}, "many": True}
    with pytest.raises(ValueError, match=r"`annotations\.many` is for the wells of images"):
        Screen(profiles={"p": {"file": "p.csv"}}, annotations=[annotation])


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (None, "SQ00015168/r10c07f05p01-ch3sk1fk1fl1.png"),
        # the other files, as the screen's comment has them
        (
            "{experiment}__*/Images/r{row:d}c{column:d}f{site:d}p01-ch{channel:d}sk1fk1fl1.tiff",
            "SQ00015168__2016-04-21T05_12_27-Measurement1/Images/r10c07f05p01-ch3sk1fk1fl1.tiff",
        ),
    ],
)
def test_both_kinds_of_file_names_are_read(root, screen, pattern, name):
    shipped = (root / "config/screens/cpg0004.yaml").read_text()
    source: Source = screen.source
    if pattern is not None:
        assert f'pattern: "{pattern}"' in shipped
        source = source.model_copy(update={"pattern": pattern})
    patterns = read_patterns(source, screen.fields)
    values, problem = read_name(name, patterns, screen.plate_format)
    assert problem == ""
    assert values == {"experiment": "SQ00015168", "plate": "1", "well": "J07", "site": "5", "channel": "3"}
    assert source.channels[values["channel"]] == "RNA"
    assert patterns[0].may_hold(name.rpartition("/")[0], "SQ00015168")
    assert not patterns[0].may_hold(name.rpartition("/")[0], "SQ00015169")


def test_each_plate_of_the_screen_has_a_replicate(root, screen):
    lines = (root / "config/screens/cpg0004_replicates.csv").read_text().split()[1:]
    replicate = dict(line.split(",") for line in lines)
    assert list(replicate) == screen.experiments
    assert len(replicate) == 136
    assert set(replicate.values()) == set("12345")
    # the two plates of the map 013: with neighbouring numbers one fold would test and validate on both
    assert [replicate[plate] for plate in ("SQ00015197", "SQ00015229")] == ["1", "3"]
