import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from debatch.screen.names.identifiers import image_ids, plate_ids, well_ids

NAMES = st.text(alphabet="S1_~%", min_size=1, max_size=4)


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["A01", "A02"]), NAMES), min_size=1, max_size=12, unique=True))
def test_no_two_images_wells_or_plates_are_called_alike(places):
    rows = pd.DataFrame(places, columns=["experiment", "plate", "well", "site"])
    assert image_ids(rows).is_unique
    for ids, keys in ((well_ids(rows), ["experiment", "plate", "well"]), (plate_ids(rows), ["experiment", "plate"])):
        assert len(set(ids)) == len(rows.drop_duplicates(keys))


def test_usual_names_stay_as_they_are_read():
    rows = pd.DataFrame([("HUVEC-01", "1_2", "B02", "2.01")], columns=["experiment", "plate", "well", "site"])
    assert image_ids(rows).tolist() == ["HUVEC-01_1_2_B02_2.01"]
    assert image_ids(rows.assign(experiment="2016_04")).tolist() == ["2016~04_1_2_B02_2.01"]
