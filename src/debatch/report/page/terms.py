"""The field's words in a sentence each, put on the page where each is first used."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple


class Term(NamedTuple):
    """A word to explain.

    Attributes:
        name: as the list of words shows it.
        pattern: that finds it in text.
        sentence: what it means, for somebody who knows cells.
    """

    name: str
    pattern: str
    sentence: str


# more special ones first: what `k-NN probe` holds is explained before `probe`
TERMS = (
    Term("batch", r"batch(?:es)?", "Plates or wells that were made and imaged together; here {batch}."),
    Term(
        "batch effect",
        r"batch effects?",
        "What differs between batches although cells and treatments are the same: staining, microscope, day.",
    ),
    Term(
        "unseen batches",
        r"unseen (?:batches|ones)|not trained on",
        "Batches of which no image was used in training, as those of next month are. Seen ones: those that were, "
        "though with other wells.",
    ),
    Term(
        "embedding",
        r"embeddings?",
        "The list of numbers by which a network, or a program such as CellProfiler, describes an image or a well.",
    ),
    Term(
        "correction",
        r"corrections?|uncorrected",
        "A change of embeddings after they were made, that is to take the batch out of them.",
    ),
    Term(
        "baseline", r"[Bb]aseline", "Training that does nothing about batches; the other methods are compared with it."
    ),
    Term(
        "AdaBN",
        r"AdaBN",
        "Adaptive batch normalization: inside the network, numbers are centred and scaled by images of the same batch, "
        "without their labels, so that all batches look alike to it.",
    ),
    Term(
        "gradient reversal",
        r"[Gg]radient reversal",
        "Training against an opponent: a part of the network (the head) tries to name the batch, and the rest learns "
        "to make it fail.",
    ),
    Term("head", r"\bhead\b", "The last part of a network, which names a class or a batch from the embedding."),
    Term(
        "probe",
        r"probes?|probed",
        "A simple classifier, fitted on finished embeddings to name the batch: if it can, the batch is still in them.",
    ),
    Term("LDA", r"LDA", "Linear discriminant analysis, a classifier that draws straight borders between groups."),
    Term("k-NN", r"k-NN", "A classifier that answers as the k most similar images would."),
    Term("MLP", r"MLP", "A small neural network, here a classifier that may draw curved borders."),
    Term("null", r"[Nn]ulls?\b", "A row that can only score by luck; what it reaches is there for the taking."),
    Term(
        "permuted batches",
        r"(?:permuted batches|batches permuted)",
        "The same numbers with batch names dealt anew at random: what no batch effect would give.",
    ),
    Term(
        "chance", r"random neighbour|\bchance\b", "What a random answer, or a random neighbour, would score on average."
    ),
    Term(
        "95 % interval",
        r"95 % intervals?",
        "Where the mean over all batches of this kind may lie, judged from those at hand; built to hold it in 95 of "
        "100 cases.",
    ),
    Term(
        "training seed",
        r"training seeds?\b",
        "The start of training's random numbers; another one gives another network and slightly other numbers.",
    ),
    Term("label", r"\blabels?\b|labelled", "The known perturbation of a well, as a number of its class."),
    Term(
        "label shift",
        r"[Ll]abel shift|total variation",
        "That batches hold different perturbations; total variation says by how much, from 0 (the same mix) to 1 (none "
        "in common).",
    ),
    Term("UMAP", r"UMAP", "A map of embeddings on which neighbours stay together; its long distances mean little."),
    Term(
        "cosine similarity",
        r"[Cc]osine (?:similarit(?:y|ies)|distance)",
        "How alike two embeddings are by their direction: 1 the same, 0 nothing in common.",
    ),
    Term(
        "KS",
        r"\bKS\b",
        "Kolmogorov-Smirnov distance of two distributions: the largest gap of their cumulative curves, 0 the same, 1 "
        "apart.",
    ),
    Term(
        "Wasserstein",
        r"Wasserstein",
        "Distance of two distributions: how far values must be moved on average to turn one into the other.",
    ),
    Term(
        "k-BET",
        r"k-BET",
        "Asks of each image or profile whether its neighbours come from the batches in the same proportions as all do; "
        "the number is the share of those for which a test finds no difference.",
    ),
    Term(
        "replicate",
        r"[Rr]eplicates?\b",
        "Another well of the same perturbation.",
    ),
    Term(
        "mAP",
        r"\bmAP\b",
        "Mean average precision: whether replicates come before controls when wells are ranked by similarity; 1 is all "
        "of them first.",
    ),
    Term(
        "grit",
        r"[Gg]rit\b",
        "How far a well's similarity to its replicates stands out from its similarity to negative controls, in "
        "standard deviations of the latter.",
    ),
    Term(
        "NSC",
        r"NSCB?\b",
        "Not same compound: share of treatments whose nearest treatment of another compound has the same mechanism; "
        "NSCB: of another compound and another batch.",
    ),
    Term(
        "AUROC",
        r"AUROC",
        "How often a random treated well ranks above a random control well; 0.5 is guessing, 1 always.",
    ),
    Term(
        "over-correction", r"[Oo]ver-correction", "A correction that takes biology away together with the batch effect."
    ),
    Term(
        "Z-norm",
        r"Z-norm",
        "Each batch less the mean, and divided by the standard deviation, of its control wells or of all its wells.",
    ),
    Term("MAD robustize", r"MAD robustize", "Z-norm with medians, which a few odd wells hardly move."),
    Term(
        "sphering",
        r"[Ss]phering",
        "Directions in which control wells vary much are shrunk, those in which they hardly vary are stretched.",
    ),
    Term("TVN", r"\bTVN\b", "Typical variation normalization: sphering, then each batch's controls are made alike."),
    Term("ComBat", r"ComBat", "Mean and spread of each feature are made the same in all batches."),
    Term(
        "Harmony",
        r"Harmony",
        "Clusters that hold all batches are found, and what tells batches apart within a cluster is taken away.",
    ),
    Term(
        "MNN",
        r"\bMNN\b",
        "Batches are merged by pairs of wells that are each other's nearest neighbours across batches.",
    ),
    Term(
        "self-supervision",
        r"[Ss]elf-supervis(?:ed|ion)",
        "Training without labels: the network learns that two views of an image belong together.",
    ),
    Term("DINO", r"\bDINO\b", "Self-supervision in which a network learns to agree with a slower copy of itself."),
    Term("BYOL", r"\bBYOL\b", "Self-supervision in which one view of an image predicts the embedding of another view."),
    Term(
        "CDCL",
        r"\bCDCL\b",
        "Self-supervision across batches: the second view is of the same perturbation in another batch.",
    ),
    Term(
        "Barlow's loss",
        r"Barlow",
        "A training goal that keeps the numbers of an embedding from saying the same thing twice.",
    ),
    Term(
        "Shapley value",
        r"Shapley",
        "What a channel adds, averaged over all orders in which channels may be added.",
    ),
    Term(
        "CutMix and MixUp",
        r"CutMix|MixUp",
        "Training on two images mixed into one, by a patch of the other or by fading.",
    ),
)
# what the section on corrections says of each, on pages that have it
_OF_CORRECTIONS = ("Z-norm", "MAD robustize", "sphering", "TVN", "ComBat", "Harmony", "MNN")
_CORRECTIONS = 'id="corrections"'
_TOKENS = re.compile(r"(<[^>]*>)")
# what is no running text, or has a meaning of its own when it is clicked on
_SKIPPED = ("a", "script", "style", "button", "nav", "th", "code", "h1", "h2", "dl", "dialog")
_SECTION = re.compile(r"(?=<section )")


def with_terms(page: str, batch: str) -> str:
    """A page on which each section begins with the words that it is the first to use, each in a sentence.

    Args:
        page: HTML whose parts are `<section …><h2>…</h2>…</section>`.
        batch: what a batch is on this screen.
    """
    head, *sections = _SECTION.split(page)
    known: set[str] = set()
    if _CORRECTIONS in page:  # defined there: once is enough
        known |= set(_OF_CORRECTIONS)
        sections[0] = _led_on(sections[0])
    return head + "".join(_explained(section, known, batch) for section in sections)


def _explained(section: str, known: set[str], batch: str) -> str:
    if "</h2>" not in section:  # one line for what holds nothing
        return section
    text = html.unescape(" ".join(_running_text(section, captions=True)))
    found = [term for term in TERMS if term.name not in known and _pattern(term).search(text)]
    known |= {term.name for term in found}
    if not found:
        return section
    # `batch effect` before the batch in it
    for term in sorted(found, key=lambda term: -len(term.name)):
        section = _linked(section, term, _anchor(term))
    items = "".join(
        f'<dt id="{_anchor(term)}">{term.name}</dt><dd>{html.escape(term.sentence.format(batch=batch))}</dd>'
        for term in found
    )
    words = f'<details class="terms" open><summary>Words used here</summary><dl>{items}</dl></details>'
    at = section.rindex("</section>")
    if 'id="summary"' not in section:  # its answers come first; elsewhere words are wanted before numbers
        at = section.index("</h2>") + len("</h2>")
    return section[:at] + words + section[at:]


def _led_on(section: str) -> str:
    """Corrections by their names, the first use of each leading to the section on them."""
    for term in TERMS:
        if term.name in _OF_CORRECTIONS:
            section = _linked(section, term, "corrections")
    return section


def _running_text(section: str, *, captions: bool) -> Iterator[str]:
    """Text between tags; with headings of tables and sections, which need their words explained too."""
    depth: dict[str, int] = {}
    skipped = [tag for tag in _SKIPPED if not (captions and tag in ("th", "h2"))]
    for token in _TOKENS.split(section):
        if token.startswith("<"):
            _step(depth, token)
        elif not any(depth.get(tag) for tag in skipped):
            yield token


def _step(depth: dict[str, int], tag: str) -> None:
    found = re.match(r"<(/?)([a-z0-9]+)", tag)
    if found and found[2] in _SKIPPED:
        depth[found[2]] = depth.get(found[2], 0) + (-1 if found[1] else 1)


def _linked(section: str, term: Term, anchor: str) -> str:
    """The first use in running text leads to the sentence, and shows it where a mouse rests on it."""
    depth: dict[str, int] = {}
    tokens = _TOKENS.split(section)
    for at, token in enumerate(tokens):
        if token.startswith("<"):
            _step(depth, token)
        elif not any(depth.values()) and (found := _pattern(term).search(token)):
            link = f'<a class="term" href="#{anchor}">{found[0]}</a>'
            tokens[at] = token[: found.start()] + link + token[found.end() :]
            break
    return "".join(tokens)


def _anchor(term: Term) -> str:
    return "word-" + re.sub(r"[^a-z0-9]+", "-", term.name.lower()).strip("-")


def _pattern(term: Term) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{term.pattern})(?![\w-])")
