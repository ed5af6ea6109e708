"""Names of plates, wells and images that are unique in a screen, whatever its experiments and plates are called."""

import numpy as np
import pandas as pd

# of all but a plate, whose name may hold anything, since what stands before and behind it does not
_ESCAPES = str.maketrans({"_": "~", "~": "%7E", "%": "%25"})


def image_ids(rows: pd.DataFrame) -> pd.Series:
    """(N,) `<experiment>_<plate>_<well>_<site>`; a `_` in any of them but the plate becomes `~`.

    Args:
        rows: (N, …) experiment, plate, well, site.
    """
    return plate_ids(rows) + "_" + _escaped(rows["well"]) + "_" + _escaped(rows["site"])


def well_ids(rows: pd.DataFrame) -> np.ndarray:
    """(N,) `<experiment>_<plate>_<well>`, as in `image_ids`."""
    return (plate_ids(rows) + "_" + _escaped(rows["well"])).to_numpy(str)


def plate_ids(rows: pd.DataFrame) -> pd.Series:
    """(N,) `<experiment>_<plate>`, as in `image_ids`."""
    return _escaped(rows["experiment"]) + "_" + rows["plate"]


def _escaped(names: pd.Series) -> pd.Series:
    odd = names.str.contains("[_~%]", regex=True, na=False)
    return names.where(~odd, names.str.translate(_ESCAPES)) if odd.any() else names
