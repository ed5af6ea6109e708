"""How many rows and columns the physical plates of a screen have."""

import pandas as pd

from debatch.config.screen import PlateFormat
from debatch.screen.names.wells import row_and_column

# of 6, 12, 24, 48, 96, 384 and 1536 wells
USUAL = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))


def plate_shape(wells: pd.Series, stated: PlateFormat) -> tuple[int, int]:
    """Rows and columns.

    Args:
        wells: all wells of the screen, as `well_name` spells them.
        stated: by the screen's file; what it leaves out is that of the smallest usual format that holds the wells.
    """
    places = [row_and_column(well) for well in wells.unique()]
    rows = stated.rows or max(row for row, _ in places)
    columns = stated.columns or max(column for _, column in places)
    usual = ((stated.rows or high, stated.columns or wide) for high, wide in USUAL)
    return next((shape for shape in usual if rows <= shape[0] and columns <= shape[1]), (rows, columns))
