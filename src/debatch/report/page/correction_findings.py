"""What a table of corrections says in words, computed from it: one sentence for each purpose of the embeddings."""

from collections.abc import Sequence
from dataclasses import replace

from debatch.evaluate.metrics import METRICS
from debatch.evaluate.replicates.wells import ELSEWHERE
from debatch.files import UNCORRECTED
from debatch.report.cells import Cell
from debatch.report.kinds.positions import positions
from debatch.report.kinds.tables import draft_table
from debatch.report.kinds.tables.correction import BATCH, OF_CONTROLS, SHOWN, drawn_words, using_all_wells
from debatch.report.page.correction_changes import APART, KBET_OF_CONTROLS, WORDS, Compared
from debatch.report.page.findings import Findings
from debatch.report.page.prediction_findings import LEVEL
from debatch.report.results import Results
from debatch.screen.nouns import stored_noun

NOTHING_TELLS = "Nothing tells here how strong the batch effect is: there is one batch, or too few wells."
_WHO = {BATCH: "Treated wells", OF_CONTROLS: "Negative controls"}


def correction_findings(name: str, results: Results) -> Findings:
    """How strong the batch effect is, and for each purpose what corrections gain and lose, and how sure that is.

    It speaks of the first method's embeddings. No correction is chosen by its score: all are said. Where (nearly) no
    treatment is in several batches, treated wells cannot tell batch from treatment: negative controls decide.

    Args:
        name: of a table of kind `correction`.
        results: of the screen.
    """
    table = Compared(name, results, draft_table(name, results))
    if all(table.mean(UNCORRECTED, m) is None or table.chance(m) is None for m in (BATCH, OF_CONTROLS)):
        return Findings(effect=[NOTHING_TELLS])
    costs = [_purpose(table, purpose, metric) for purpose, metrics in table.purposes.items() for metric in metrics]
    costs += _besides(table, [BATCH, OF_CONTROLS, *(m for metrics in table.purposes.values() for m in metrics)])
    return Findings(
        _effect(table),
        _removes(table),
        costs,
        [*_how_sure(table), *_positions(table)],
        is_there=_is_there(table),
        best=_best(table),
        loss=_gains_and_losses(table),
        choices=_choices(table),
    )


def brief(found: Findings) -> Findings:
    """The same beside what a table of predictions says: how strong the batch effect is, method by method."""
    stand = "Corrections after training: see their table below for what each removes and costs."
    removes = [*found.removes[:1], stand] if found.removes else []
    return replace(found, removes=removes, costs=[], sure=[], best="", loss="")


def _effect(table: Compared) -> list[str]:
    """Of treated wells and of negative controls, those that decide first; and whether treatments tell batches."""
    method = table.results.registry.title(table.method)
    said = {BATCH: _neighbors(table, BATCH, _nearest_treated(table)), OF_CONTROLS: ""}
    said[OF_CONTROLS] = _neighbors(table, OF_CONTROLS, "a negative control's nearest one of another well")
    order = [OF_CONTROLS, BATCH] if table.controls_decide else [BATCH, OF_CONTROLS]
    lines = [said[metric] for metric in order if said[metric]]
    lines[0] = f"In the uncorrected embeddings of {method} {lines[0]}"
    return [lines[0], *_alone(table), *(line[0].upper() + line[1:] for line in lines[1:])]


def _nearest_treated(table: Compared) -> str:
    """Whom a treated well's nearest one may be: what is barred is what the screen knows of."""
    known = [c for c in ("compound", "mechanism") if c in table.wells and table.wells[c].notna().any()]
    other = " and ".join(known if "compound" in known else ["perturbation", *known])
    return stored_noun(table.results.registry.screen).said(f"a treated image's nearest treated one of another {other}")


def _neighbors(table: Compared, metric: str, whose: str) -> str:
    """How often a nearest neighbour is of the same batch; empty where that is not defined."""
    mean, chance, rows = table.mean(UNCORRECTED, metric), table.chance(metric), table.rows(metric)
    if mean is None or chance is None or not len(rows):
        return ""
    text = (
        f"{whose} is of the same batch in {mean:.1f} % of cases{table.interval(metric)} "
        f"(n = {int(rows['n'].mean()):,} {table.counted(metric)}), where chance is {chance:.1f} %"
    )
    band = table.band(metric)
    if band.low is not None and band.high is not None:
        text += f" and permuted batches give {band.low:.1f} to {band.high:.1f} %"
        if band.low <= mean <= band.high:
            text += ": this metric finds no batch effect"
    return text + "."


def _alone(table: Compared) -> list[str]:
    """That treatments stand in one batch, and what follows from it; nothing where most are in several."""
    treatments = table.shared
    if not treatments.mostly_alone:
        return []
    said = str(treatments)
    text = said[0].upper() + said[1:]
    if not treatments.tells:
        text += ": treated wells cannot tell batch from treatment"
    if table.controls_decide:
        text += ". Negative controls, which every batch has alike, decide here"
    lines = [text + "."]
    if using := using_all_wells(table.results.registry, table.name):
        lines.append(
            f"Corrections that use all wells ({', '.join(using)}) take away a treatment's effect with that of its "
            "batch where it is in one batch only."
        )
    return [" ".join(lines)]


def _is_there(table: Compared) -> bool | None:
    """Whether neighbours are of the same batch more often than permuted batches explain; None: not known of either."""
    told = []
    for metric in (BATCH, OF_CONTROLS):
        value, band = table.mean(UNCORRECTED, metric), table.band(metric)
        told += [] if value is None or band.high is None else [value > band.high]
    return any(told) if told else None


def _less(table: Compared, metric: str) -> list[str]:
    """Corrections under which neighbours are clearly less often of the same batch, and not pushed apart."""
    least = (table.chance(metric) or 0.0) - APART
    return [c for c in table.changed(metric, told=True, up=False) if (table.mean(c, metric) or 0.0) >= least]


def _best(table: Compared) -> str:
    """The corrections that clearly remove some of the batch effect, in a few words; empty where none was judged."""
    judged = {m: any(c.is_judged for (of, _), c in table.changes.items() if of == m) for m in (BATCH, OF_CONTROLS)}
    if not judged[table.deciding]:
        return ""
    if table.controls_decide:
        less = table.titles(_less(table, OF_CONTROLS))
        return f"By negative controls, clearly less of it under {less}." if less else "By negative controls, none does."
    less, of_controls = (table.titles(_less(table, metric)) for metric in (BATCH, OF_CONTROLS))
    text = f"Clearly less of it under {less}." if less else "No correction clearly does."
    if judged[OF_CONTROLS]:
        text = text.removesuffix(".") + ", by treated wells; by negative controls "
        text += f"clearly less under {of_controls}." if of_controls else "no correction clearly does."
    return text


def _removes(table: Compared) -> list[str]:
    """What corrections do to the batch effect, by those that decide; by both where treated wells tell it too."""
    lines = [_by_method(table)] if len(table.results.registry.rows(table.name)) > 1 else []
    if not table.corrections:
        return lines
    if table.controls_decide:
        lines.append(
            "By negative controls alone: treated wells cannot tell batch from treatment here, and the changes of their "
            "neighbours and of k-BET of all wells, in the table below, are not judged."
        )
    elif not table.shared.tells:
        lines.append("Beware: treated wells cannot tell batch from treatment here, and there are no controls to ask.")
    metrics = [OF_CONTROLS] if table.controls_decide else [BATCH, OF_CONTROLS]
    lines += [_batch(table, m) for m in metrics if table.mean(UNCORRECTED, m) is not None]
    return lines + _kbet_of_controls(table)


def _by_method(table: Compared) -> str:
    """How often neighbours are of the same batch in each method's own embeddings."""
    registry, draft, metric = table.results.registry, table.draft, table.deciding
    cells = {method: draft.cells.get((method, metric), Cell()) for method in registry.rows(table.name)}
    said = [f"{registry.title(m)} {cell.mean:.1f} %" for m, cell in cells.items() if cell.mean is not None]
    whose = " of negative controls" if metric == OF_CONTROLS else ""
    chance = table.chance(metric)
    known = "" if chance is None else f" (chance {chance:.1f} %)"
    return f"Nearest neighbours of the same batch{whose}, uncorrected: {', '.join(said)}{known}."


def _batch(table: Compared, metric: str) -> str:
    """What corrections do to how often neighbours are of the same batch."""
    chance = table.chance(metric) or 0.0
    less = _less(table, metric)
    parts = {
        "less under": less,
        "below chance, where wells of one batch are pushed apart, under": [
            c for c in table.changed(metric, told=True, up=False) if c not in less
        ],
        "more under": table.changed(metric, told=True, up=True),
        "no clear change under": table.changed(metric, told=False),
        "too few batches to judge:": table.unjudged(metric),
    }
    said = [f"{words} {table.listed(metric, own)}" for words, own in parts.items() if own]
    return (
        f"{_WHO[metric]} ({WORDS[metric].metric}, chance {chance:.1f} %): "
        f"{'; '.join(said) or 'no correction was made'}.{table.luck(metric)}"
    )


def _kbet_of_controls(table: Compared) -> list[str]:
    """What corrections do to k-BET of negative controls; nothing where that is not defined."""
    metric = KBET_OF_CONTROLS
    mean, ceiling = table.mean(UNCORRECTED, metric), table.band(metric).mean
    parts = _in_parts(table, metric, ("more under", "no clear change under", "less under"))
    if mean is None or not parts:
        return []
    best = "" if ceiling is None else f", permuted batches {ceiling:.1f} %"
    return [f"Negative controls (k-BET acceptance, uncorrected {mean:.1f} %{best}): {parts}.{table.luck(metric)}"]


def _in_parts(table: Compared, metric: str, words: tuple[str, str, str]) -> str:
    """Corrections that raise a metric, do not clearly change it, and lower it; those that are not judged last."""
    groups = (
        (words[0], table.changed(metric, told=True, up=True)),
        (words[1], table.changed(metric, told=False)),
        (words[2], table.changed(metric, told=True, up=False)),
        ("too few batches to judge:", table.unjudged(metric)),
    )
    return "; ".join(f"{said} {table.listed(metric, own)}" for said, own in groups if own)


def _purpose(table: Compared, purpose: str, metric: str) -> str:
    """What corrections gain and lose for a purpose; where none gains, uncorrected embeddings lead."""
    rows = table.rows(metric)
    text = (
        f"{purpose} ({WORDS[metric].metric}): uncorrected {table.shown(float(rows['value'].mean()), metric)}"
        f"{table.interval(metric)}, n = {int(rows['n'].mean()):,} {table.counted(metric)}"
    )
    if table.corrections and not table.changed(metric, told=True, up=True) and not table.unjudged(metric):
        text += "; no correction is clearly better"
    parts = _in_parts(table, metric, ("better:", "no clear change:", "worse:"))
    return f"{text}{parts and f'; {parts}'}.{table.luck(metric)}"


def _besides(table: Compared, said: Sequence[str]) -> list[str]:
    """Gains and losses of the metrics that no other sentence is of."""
    lines = []
    for words, better in (("Better besides", True), ("Worse besides", False)):
        found = []
        for metric in SHOWN:
            if metric in WORDS and metric not in (*said, KBET_OF_CONTROLS):
                own = table.gained(metric, better=better)
                found += [f"{WORDS[metric].metric} under {table.listed(metric, own)}"] if own else []
        lines += [f"{words}: {'; '.join(found)}."] if found else []
    return lines


def _of_biology(table: Compared) -> list[str]:
    """Metrics of what a correction may cost, as far as corrections were judged by them."""
    judged = {metric for (metric, _), change in table.changes.items() if change.is_judged}
    first = [m for metrics in table.purposes.values() for m in metrics]
    order = dict.fromkeys([*first, *SHOWN])
    return [m for m in order if m in judged and METRICS[m].better == "higher" and not m.startswith("kbet")]


def _gains_and_losses(table: Compared) -> str:
    """What is clearly lost and gained, in a few words; empty where nothing was judged."""
    metrics, said = _of_biology(table), {}
    if not metrics:
        return ""
    for words, better in (("loss", False), ("gain", True)):
        own = {m: table.titles(table.gained(m, better=better)) for m in metrics}
        said[words] = "; ".join(f"{WORDS[m].short} under {titles}" for m, titles in own.items() if titles)
    lost = f"Clear losses: {said['loss']}." if said["loss"] else "No clear loss."
    text = lost + (f" Clear gains: {said['gain']}." if said["gain"] else " No clear gain.")
    open_ones = [
        purpose.lower()
        for purpose, own in table.purposes.items()
        if not set(own) & set(metrics) and any(map(table.unjudged, own))
    ]
    return text + (f" Of {' and '.join(open_ones)} nothing can be judged: too few batches." if open_ones else "")


def _choices(table: Compared) -> list[str]:
    """For each purpose, which corrections are told apart from uncorrected embeddings: none is chosen by its score."""
    if not table.judged:
        return []
    less = _less(table, table.deciding)
    told = f"clearly {table.titles(less)}" if less else "none is told to do so"
    if not table.judged_by(table.deciding):
        told = "too few batches to judge"
    lines = [f"To take the batch out: {told}."]
    lost: set[str] = set()
    for purpose, metrics in table.purposes.items():
        better, worse = (
            [c for c in table.corrections if any(c in table.gained(m, better=side) for m in metrics)]
            for side in (True, False)
        )
        lost |= set(worse)
        mixed = [c for c in better if c in worse]
        better, worse = ([c for c in own if c not in mixed] for own in (better, worse))
        known = {c for m in metrics for c in table.judged_by(m)}
        open_ones = [c for c in table.corrections if c in known and c not in (*better, *worse, *mixed)]
        unknown = [c for c in table.corrections if c not in known and any(c in table.unjudged(m) for m in metrics)]
        said = [
            f"{words} {table.titles(own)}"
            for words, own in (
                ("clearly better than uncorrected:", better),
                ("clearly worse:", worse),
                ("clearly better by one number and worse by another:", mixed),
                ("not told apart from uncorrected:", open_ones),
                ("cannot be judged:", unknown),
            )
            if own
        ]
        if said:
            lines.append(f"For {purpose.lower()}: {'; '.join(said)}.")
    if table.purposes and less:
        both = table.titles([c for c in less if c not in lost])
        lines.append(
            f"Batch clearly less, and nothing of these clearly lost: {both or 'none'}. Corrections were compared with "
            "uncorrected embeddings, not with each other."
        )
    return lines


def _how_sure(table: Compared) -> list[str]:
    """What the brackets are, and what is said to be clear."""
    lines, judged = [], table.judged
    if judged:
        lines.append(
            f"In square brackets 95 % intervals over {drawn_words(table.results.registry)}. Each is for that number "
            f"alone; better, worse, more and less are said where p < {LEVEL} after correction for {judged} "
            f"comparison{'s' if judged > 1 else ''} (Holm)."
        )
    if judged < len(table.changes):
        lone = ", one batch of a cell type" if table.wells["cell_type"].nunique() > 1 else ""
        lines.append(
            f"A change without brackets cannot be judged: it is over fewer than four batches{lone}, or one treatment."
        )
    return lines


def _positions(table: Compared) -> list[str]:
    """Whether replicates may be alike for their position alone."""
    place = positions(table.name, table.results)
    if not place.layout.matters:
        return []
    lines = [f"Positions: {place.sentence}."]
    for metric in ("replicate_across_batches", "replicate_map"):
        whole, other = table.rows(metric), table.rows(ELSEWHERE.format(metric))
        if len(whole) and len(other):
            lines[0] += (
                f" Without those in the same position {WORDS[metric].metric}: "
                f"{table.shown(float(other['value'].mean()), metric)} "
                f"(with them {table.shown(float(whole['value'].mean()), metric)})."
            )
            break
        if len(whole):
            lines[0] += " Without replicates in the same position there are none left."
            break
    return lines
