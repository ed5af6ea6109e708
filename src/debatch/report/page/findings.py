"""What the report's summary answers: five questions, each from the numbers of the screen's tables."""

from dataclasses import dataclass, field

QUESTIONS = {
    "effect": "Is there a batch effect?",
    "removes": "What removes it?",
    "costs": "What does that cost?",
    "sure": "How sure is that?",
    "next": "What next?",
}


@dataclass(frozen=True)
class Findings:
    """What one table says to the first four questions, in sentences.

    Attributes:
        effect: whether there is a batch effect.
        removes: what removes it.
        costs: what that costs.
        sure: how sure that is.
        is_there: whether numbers told of a batch effect that chance does not explain; None: none could.
        best: what removes most, in a few words; empty where nothing was told to.
        loss: what is clearly lost and gained, in a few words; likewise.
        choices: for each purpose of embeddings, which corrections serve it, in sentences.
    """

    effect: list[str] = field(default_factory=list)
    removes: list[str] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)
    sure: list[str] = field(default_factory=list)
    is_there: bool | None = None
    best: str = ""
    loss: str = ""
    choices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """One of the questions with its answer.

    Attributes:
        name: one of `QUESTIONS`.
        short: in a few words; empty where sentences say it.
        lines: sentences.
    """

    name: str
    short: str
    lines: list[str]

    @property
    def question(self) -> str:
        """As a person asks it."""
        return QUESTIONS[self.name]


NOTHING = {
    "effect": "Nothing on this page measures it: no method was trained, and no embeddings were scored.",
    "removes": "Nothing was compared.",
    "costs": "Nothing was compared.",
    "sure": "There is no number to be sure of.",
}
_IS_THERE = {True: "Yes.", False: "Not shown.", None: ""}


def answers(found: list[Findings], following: list[str]) -> list[Answer]:
    """The summary.

    Args:
        found: of the screen's tables, that of most weight first.
        following: what to do next, in sentences.
    """
    told = [own.is_there for own in found if own.is_there is not None]
    short = {
        "effect": _IS_THERE[any(told) if told else None],
        "removes": next((own.best for own in found if own.best), ""),
        "costs": next((own.loss for own in found if own.loss), ""),
    }
    said = [
        Answer(name, short.get(name, ""), [line for own in found for line in getattr(own, name)] or [nothing])
        for name, nothing in NOTHING.items()
    ]
    return [*said, Answer("next", "", following)]
