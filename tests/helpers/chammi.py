"""A small tree in CHAMMI's layout, of real images from elsewhere: what they show is not what their labels say."""

from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import tifffile

TASKS = ["Task_one", "Task_two", "Task_three", "Task_four"]
COLUMNS = [
    "file_path", "chunk", "channel_width", "train_test_split", *TASKS, "Label", "label", "cell_type", "Plate", "source",
    "Structure",
]  # fmt: skip


def write_chammi(root: Path, real_data: Path) -> pd.DataFrame:
    """Images of three data sets and the table of them all; its rows."""
    rows = pd.DataFrame([*_allen(root, real_data), *_hpa(root, real_data), *_cp(root, real_data)], columns=COLUMNS)
    tasks = rows["train_test_split"].to_numpy()
    for task in TASKS:
        # as where three tables were joined: a data set without a task says nothing of it
        has = rows["chunk"].isin(rows.loc[tasks == task, "chunk"])
        rows[task] = pd.Series(tasks == task, rows.index).astype(object).where(has)
    rows["label"] = rows["Label"]
    rows.to_csv(root / "morphem70k_v2.csv", index=False)
    return rows


def _allen(root, real_data):
    """16 tiles of 238 x 374 pixels, of a field of six 16-bit channels."""
    folder = real_data / "raw_tiff/pediatric_BR00143976_6ch"
    field = np.stack([tifffile.imread(folder / f"r03c03f03p01-ch{n}sk1fk1fl1.tiff") for n in range(1, 7)])
    grey = (field >> 8).astype(np.uint8)
    for three in (0, 1):
        for tile in range(8):
            top, left = 238 * (tile // 2), 374 * (tile % 2)
            image = grey[3 * three : 3 * three + 3, top : top + 238, left : left + 374]
            task = "Task_one" if tile == 6 else "Task_two" if tile == 7 else "Train"
            row = {"train_test_split": task, "Label": ("M0", "M3")[three], "Structure": f"protein{tile % 2}"}
            yield _written(root, "Allen", f"cell_{three}{tile}.ome.tiff", image, row)


def _hpa(root, real_data):
    """16 images of 512 x 512 pixels and four channels, each field of RxRx1 as it is."""
    for kind in ("HUVEC", "HEPG2"):
        for plate in range(1, 5):
            for site in (1, 2):
                image = _rxrx1(real_data, kind, plate, site, 4)
                task = {1: "Train", 2: "Train", 3: {"HUVEC": "Task_one", "HEPG2": "Task_two"}[kind], 4: "Task_three"}[
                    plate
                ]
                label = ("mitochondria", "microtubules") if plate < 4 else ("cytosol", "nucleoplasm")
                row = {"train_test_split": task, "Label": label[site - 1], "cell_type": kind}
                yield _written(root, "HPA", f"{kind}_{plate}_{site}.png", image, row)


def _cp(root, real_data):
    """72 tiles of 160 x 160 pixels, of RxRx1's fields of all channels but the last."""
    for kind, label in (("HUVEC", "DMSO"), ("HEPG2", "BRD-A29260609")):
        for plate in range(1, 5):
            field = _rxrx1(real_data, kind, plate, 1, 5)
            for tile in range(9):
                top, left = 160 * (tile // 3), 160 * (tile % 3)
                image = field[:, top : top + 160, left : left + 160]
                task = {3: "Task_two" if tile < 4 else "Task_three", 4: "Task_four"}.get(plate, "Train")
                task = "Task_one" if plate < 3 and tile == 8 else task
                new = ("BRD-K11129031", "BRD-K62310379")[tile % 2]
                row = {"train_test_split": task, "Label": new if plate == 4 else label, "Plate": f"{plate}{kind[1]}",
                       "source": "BBBC022"}  # fmt: skip
                yield _written(root, "CP", f"{kind}-{plate}-{tile}.png", image, row)


def _rxrx1(real_data, kind, plate, site, channels):
    folder = real_data / f"rxrx1_images/{kind}-01/Plate{plate}"
    return np.stack(
        [imagecodecs.png_decode((folder / f"B02_s{site}_w{n}.png").read_bytes()) for n in range(1, channels + 1)]
    )


def _written(root, chunk, name, image, row):
    """(C, H, W) as one file of H x (W C) pixels; its row."""
    path = root / chunk / "crops" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tape = np.ascontiguousarray(np.concatenate(list(image), axis=1))
    if name.endswith(".png"):
        path.write_bytes(imagecodecs.png_encode(tape))
    else:
        tifffile.imwrite(path, tape)
    return {"file_path": path.relative_to(root).as_posix(), "chunk": chunk, "channel_width": image.shape[2], **row}
