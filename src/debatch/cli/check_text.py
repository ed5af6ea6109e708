"""What `debatch check` prints."""

import re
from collections import Counter
from collections.abc import Iterator

import pandas as pd

from debatch.cli.terminal import Lines, values_table
from debatch.config.images import Source
from debatch.config.screen import Screen
from debatch.screen.contents import contents
from debatch.screen.flags import too_few_words
from debatch.screen.ingest.findings import Findings, needs_range, proposed_ranges, saved_as_16_bits
from debatch.screen.ingest.source import shown
from debatch.screen.layout import layout
from debatch.screen.nouns import FIELD, Noun, field_noun, stored_noun

EXAMPLES = 3
MOST_PLATES = 24
FEW_EXPERIMENTS = 60


def check_lines(name: str, screen: Screen, source: Source, tables: list[str], findings: Findings) -> Lines:
    """The findings in words and small tables."""
    title = f": {screen.title}" if screen.title else ""
    sections: list[Lines] = [
        [f"Screen {name}{title}"],
        _files(screen, source, findings),
        _channels(source, findings),
        _values(screen, findings),
        _metadata(screen, tables, findings),
        _splits(screen, findings),
        _problems(screen, findings),
    ]
    return [line for lines in sections if lines for line in (*lines, "")][:-1]


def splits_lines(screen: Screen, findings: Findings) -> Lines:
    """What is found of the splits of a screen in parts."""
    return _splits(screen, findings)


def _files(screen: Screen, source: Source, findings: Findings) -> Lines:
    patterns = [source.pattern] if isinstance(source.pattern, str) else source.pattern or []
    listed = [f"  listed by the metadata's column {source.files}"] if source.files else []
    lines: Lines = [f"Files below {source.root}", *listed, *(f"  pattern {pattern}" for pattern in patterns)]
    lines.append(
        f"  {findings.fit:,} fit; {len(findings.stray):,} images do not; {sum(findings.elsewhere.values()):,} are of "
        f"experiments that the screen does not list; {len(findings.other):,} are no images by their name"
    )
    if findings.elsewhere:
        lines.append(f"  other experiments: {_some(f'{name} ({n:,})' for name, n in findings.elsewhere.items())}")
    if findings.other:
        lines.append(f"  no images: {_some(shown(path.name) for path in findings.other)}")
    files = findings.files
    if len(files) > MOST_PLATES:
        sums = files.groupby("experiment", sort=False)[["wells", "images", "complete", "files"]].sum()
        sums.insert(0, "plates", files.groupby("experiment", sort=False)["plate"].nunique())
        files = sums.reset_index()
    if len(files):
        files = files.rename(columns={"complete": "with every channel", "images": field_noun(screen).many})
        lines.append(values_table(files.head(FEW_EXPERIMENTS).to_dict("records")))
        if len(files) > FEW_EXPERIMENTS:
            lines.append(f"  … and {len(files) - FEW_EXPERIMENTS} more")
    if findings.index is not None and findings.fit:
        stored = findings.index["experiment"]
        # a field is as many images as it is cut into
        if few := too_few_words(stored.repeat(screen.image.tiles**2), stored_noun(screen)):
            lines.append(f"  {few}")
    return lines


def _channels(source: Source, findings: Findings) -> Lines:
    if not findings.fit:
        return []
    if set(findings.channels) == {""}:
        hold = " or ".join(map(str, sorted(findings.planes)))
        return [f"Channels: each file holds {hold or 'all'}; planes {', '.join(source.channels)} are read"]
    rows: list[dict[str, object]] = [
        {"in file names": channel, "stain": stain, "files": findings.channels.get(channel, 0)}
        for channel, stain in source.channels.items()
    ]
    rows += [
        {"in file names": channel, "stain": "(not in source.channels)", "files": count}
        for channel, count in sorted(findings.channels.items())
        if channel not in source.channels
    ]
    return ["Channels", values_table(rows)]


def _values(screen: Screen, findings: Findings) -> Lines:
    if not findings.values:
        return []
    images = max(values.images for values in findings.values.values())
    sizes = ", ".join(f"{' x '.join(map(str, shape))}" for shape in findings.shapes)
    depths = ", ".join(f"{dtype} ({count} files)" for dtype, count in findings.dtypes.items())
    lines: Lines = [
        f"Pixels of {images} {field_noun(screen).many}, spread over the screen",
        f"  height x width {sizes}; {depths}",
    ]
    rows = []
    for name, values in findings.values.items():
        row: dict[str, object] = {"stain": name}
        for heading, share in (("lowest", 0.0), ("0.1 %", 0.001), ("median", 0.5), ("99.9 %", 0.999)):
            row[heading] = values.quantile(share)
        row |= {"highest": values.largest, "bits used": values.largest.bit_length()}
        if values.outside is not None:
            row["outside of image.range"] = f"{100 * values.outside:.3g} %"
        rows.append(row)
    lines.append(values_table(rows))
    if fewer := saved_as_16_bits(findings):
        said = (
            f"{', '.join(names)}: {bits}-bit images saved as 16 bits, every sampled value is a multiple of {step}"
            for (step, bits), names in fewer.items()
        )
        lines.append(f"  {'; '.join(said)}")
    if "uint16" in findings.dtypes:
        pairs = ", ".join(f"{_yaml(name)}: [{low}, {high}]" for name, (low, high) in proposed_ranges(findings).items())
        needed = needs_range(findings, screen.image, screen.store.dtype)
        lines.append(
            f"  proposed{' (one is needed to store 16 bits in 8)' if needed else ''}: image: {{range: {{{pairs}}}}}"
        )
    for path, why in findings.odd[:EXAMPLES]:
        lines.append(f"  look at {shown(path)}: {why}")
    if len(findings.odd) > EXAMPLES:
        lines.append(f"  … and at {len(findings.odd) - EXAMPLES} more files")
    if findings.stored is not None:
        shape, dtype, tiles = findings.stored
        many = f" {stored_noun(screen).many}, {tiles} a field" if tiles > 1 else ""
        lines.append(f"  to be stored: {' x '.join(map(str, shape))} (channels x height x width) {dtype}{many}")
    return lines


def _metadata(screen: Screen, tables: list[str], findings: Findings) -> Lines:
    catalogue = findings.catalogue
    if catalogue is None:
        return [] if tables else ["Metadata: none; wells are those of the file names, and no image has a label"]
    chosen = catalogue[catalogue["selected"]]
    kind = field_noun(screen) if "site" in catalogue else Noun("well", "wells")
    left_out = len(catalogue) - len(chosen)
    wells = chosen.drop_duplicates(["experiment", "plate", "well"])
    lines: Lines = [
        f"Metadata {', '.join(tables)}",
        f"  a row {kind.article} {kind.one}: {len(chosen):,} {kind.many}"
        + (f" ({left_out:,} more are not selected)" if left_out else "")
        + f" on {len(wells.drop_duplicates(['experiment', 'plate'])):,} plates of {wells['experiment'].nunique():,} "
        "experiments",
        f"  {wells['batch'].nunique():,} batches; {wells['perturbation'].nunique():,} classes; "
        f"{wells['perturbation'].isna().sum():,} of {len(wells):,} wells without a label",
        *(f"  {what}: {many}" for what, many in contents(chosen)),
        f"  cell types: {_counted(wells['cell_type'])}",
    ]
    if place := str(layout(wells)):
        lines.append(f"  positions: {place}")
    experiments = wells.drop_duplicates("experiment")
    if "official_subset" in wells:
        for subset, rows in experiments.groupby("official_subset"):
            lines.append(f"  {subset}: {len(rows)} experiments ({_counted(rows['cell_type'])})")
    return lines


def _splits(screen: Screen, findings: Findings) -> Lines:
    if not findings.balances:
        return []
    rows: list[dict[str, object]] = []
    lines: Lines = []
    noun = field_noun(screen)
    for name, found in findings.balances.items():
        if isinstance(found, str):
            lines.append(f"  {name} cannot be drawn: {found}")
        else:
            rows += [
                {
                    "split": f"{name} {row['subset']}",
                    noun.many: row["images"],
                    "share": f"{100 * row['share']:.0f} %",
                    "wells": row["wells"],
                    "batches": row["batches"],
                    "classes": row["classes"],
                    "without label": row["unlabelled"],
                    f"{noun.many} a class": _span(row["class_min"], row["class_max"]),
                    f"{noun.many} a batch": _span(row["batch_min"], row["batch_max"]),
                }
                for row in found.to_dict("records")
            ]
    assert findings.index is not None
    what = f"the {noun.many} on disk" if findings.fit else f"the {noun.many} that the metadata promises"
    if noun == FIELD:
        what += ", before they are cut into tiles"
    tables = [values_table(rows)] if rows else []
    return [f"Splits of {what} ({len(findings.index):,})", *tables, *lines]


def _problems(screen: Screen, findings: Findings) -> Lines:
    lines: Lines = [f"  {sentence}" for sentence in (*findings.errors, *findings.names)]
    if any(findings.plates):
        for names, where in zip(findings.plates, ("file names", "the metadata"), strict=True):
            if names:
                lines.append(f"  plates only in {where}: {_some(names)}")
    kinds: dict[str, list[str]] = {}
    for row in findings.problems.to_dict("records"):
        # what stands between quotes or after a comma is one file's own
        kind = re.sub(r"'[^']*'", "…", str(row["problem"])).split(", beside")[0]
        place = "/".join(str(row[key]) for key in ("experiment", "plate", "well", "site") if row[key])
        kinds.setdefault(kind, []).append(str(row["file"] or place))
    for path, why in findings.stray:
        kinds.setdefault(re.sub(r"'[^']*'", "…", why), []).append(shown(path))
    for path, why in findings.unreadable:
        kinds.setdefault(why, []).append(shown(path))
    for kind, places in kinds.items():
        lines.append(f"  {len(places):,} x {kind}")
        lines += [f"      {place}" for place in places[:EXAMPLES]]
        if len(places) > EXAMPLES:
            lines.append("      …")
    if not findings.fit and not findings.errors:
        lines.append("  no file fits the pattern")
    opened = max((values.images for values in findings.values.values()), default=0)
    fields = int(findings.files["complete"].sum()) if len(findings.files) else 0
    unseen = ""
    if opened < fields:
        unseen = (
            f" (the ends of {findings.ends_seen:,} files were read, and {opened:,} of {fields:,} "
            f"{field_noun(screen).many} were "
            "opened: `--sample` opens more)"
        )
    return ["Problems", *lines] if lines else [f"Problems: none{unseen}"]


def _counted(values: pd.Series) -> str:
    return ", ".join(f"{count:,} {value}" for value, count in values.value_counts().items())


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _some(names: Iterator[str] | list[str]) -> str:
    listed = list(names)
    counted = Counter(listed)
    shown = ", ".join(list(counted)[: 2 * EXAMPLES])
    return shown + (", …" if len(counted) > 2 * EXAMPLES else "")


def _yaml(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z]\w*", name) else f'"{name}"'
