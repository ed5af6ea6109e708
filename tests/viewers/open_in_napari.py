"""Run by the Python of `make test-viewers`: a plate as napari opens it, without a window."""

import json
import sys

import numpy as np
from napari.components import ViewerModel
from npe2 import PluginManager

plate, picture = sys.argv[1:]
PluginManager.instance().discover()  # a window would do so
viewer = ViewerModel()
layers = viewer.open(plate, plugin="napari-ome-zarr")
np.save(picture, np.stack([np.asarray(layer.data[0] if layer.multiscale else layer.data) for layer in layers]))
json.dump(
    {
        "names": [layer.name for layer in layers],
        "limits": [[float(limit) for limit in layer.contrast_limits] for layer in layers],
    },
    sys.stdout,
)
