"""What a screen in parts may say, and which images and channels a recipe comes to on it."""

import pytest

from debatch.config import Recipe, Screen
from debatch.config.parts import keeps_shape, on_screen
from debatch.config.read import validate
from debatch.errors import ConfigError

SOURCE = {"root": "raw", "pattern": "{experiment}/{plate}_{well}_{site}_{channel}.png"}
SQUARE = {"source": {**SOURCE, "channels": {"1": "DNA", "2": "ER"}}, "experiments": ["A", "B"]}
WIDE = {"source": {**SOURCE, "channels": {"r": "RNA", "e": "ER", "d": "DNA"}}, "experiments": ["C"]}
DRAWN = {"simulate": {"experiments": {"ALPHA": 2}}}


def screen(**keys) -> Screen:
    return validate(Screen, keys, "mine.yaml")


def parts(square=SQUARE, wide=WIDE) -> Screen:
    return screen(parts={"square": square, "wide": wide})


def cropped(part, crop):
    return {**part, "image": {"crop": crop}}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"parts": {"empty": {**SQUARE, "experiments": []}}},
            r"mine.yaml: `parts.empty`: no experiment is in this part; list them as `experiments: \[...\]`, or leave",
        ),
        ({"parts": {"empty": {"source": SQUARE["source"]}}}, "`parts.empty`: no experiment is in this part"),
        (
            {"parts": {"one": SQUARE, "two": {**WIDE, "experiments": ["C", "B"]}}},
            "the experiment 'B' is in the parts 'one' and 'two'; each is in one",
        ),
        (
            {"parts": {"one": DRAWN, "two": DRAWN}},
            "the experiment 'ALPHA-01' is in the parts 'one' and 'two'; each is in one: draw other cell types there",
        ),
        ({"parts": {"one": {**DRAWN, "experiments": ["ALPHA-01"]}}}, "`parts.one`: leave out `experiments`"),
        ({"parts": {"one": SQUARE, "two": DRAWN}}, "either all parts are drawn"),
        ({"parts": {"one": {**SQUARE, **DRAWN}}}, "`parts.one`: a part has either `source:`"),
        ({"parts": {"one": SQUARE}, "experiments": ["A"]}, "`experiments:` is said by each part; move it to"),
        ({"parts": {"one": SQUARE}, "image": {"crop": 32}}, "`image:` is said by each part; move it to"),
        ({"parts": {"one": SQUARE}, "source": SQUARE["source"]}, "a screen has one of `source:`"),
        ({"parts": {"one": {**SQUARE, "experiments": ["a/b"]}}}, "experiment 'a/b': a name becomes a folder"),
        ({"simulate": {"pixels": [48, 20]}}, "`simulate.pixels`: a side of less than 32 pixels"),
        ({"simulate": {"channels": ["DNA", "RNA", "DNA"]}}, "`simulate.channels`: 'DNA': each of DNA, ER,"),
    ],
)
def test_wrong_parts_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        screen(**keys)


def test_a_part_is_a_screen_of_its_own():
    both = parts(wide={**WIDE, "store": {"dtype": "uint16"}})
    assert both.part_names() == ["square", "wide"]
    assert both.channel_names() == ["DNA", "ER", "RNA"]
    assert [both.part_of(name) for name in ("A", "B", "C")] == ["square", "square", "wide"]
    wide = both.of_part("wide")
    assert (wide.parts, wide.experiments, wide.channel_names()) == (None, ["C"], ["RNA", "ER", "DNA"])
    assert (wide.store.dtype, both.of_part("square").store.dtype) == ("uint16", "uint8")
    Screen(**wide.model_dump())  # as jobs get it
    with pytest.raises(ConfigError, match="no part has an experiment 'D'"):
        both.part_of("D")
    alone = screen(simulate={})
    assert (alone.part_names(), alone.part_of("anything"), alone.of_part("all")) == (["all"], "all", alone)


def test_recipe_names_its_parts_and_channels_in_their_stored_order():
    resolved = on_screen(Recipe(parts=["wide"]), parts(), "method 'm'")
    assert (resolved.parts, resolved.channels) == (["wide"], ["RNA", "ER", "DNA"])
    shared = on_screen(Recipe(channels=["DNA", "ER"]), parts(), "method 'm'")
    assert (shared.parts, shared.channels) == (["square", "wide"], ["DNA", "ER"])
    own = on_screen(Recipe(channels=["DNA", "RNA"]), parts(), "method 'm'")
    assert (own.parts, own.channels) == (["wide"], ["RNA", "DNA"])


def test_a_stem_that_knows_channels_by_name_takes_parts_of_other_channels_and_sizes():
    several = parts(square=cropped(SQUARE, 64), wide=cropped(WIDE, 48))
    whole = on_screen(Recipe(stem="slice_param"), several, "method 'm'")
    assert (whole.parts, whole.channels) == (["square", "wide"], ["DNA", "ER", "RNA"])
    some = on_screen(Recipe(stem="slice_param", channels=["RNA", "DNA"]), several, "method 'm'")
    assert (some.parts, some.channels) == (["square", "wide"], ["DNA", "RNA"])
    one = on_screen(Recipe(stem="slice_param", channels=["RNA"]), several, "method 'm'")
    assert (one.parts, one.channels) == (["wide"], ["RNA"])
    for recipe, message in (
        (
            {"channels": ["RNA"], "parts": ["square", "wide"]},
            r"not each .* of the channels RNA \(square: DNA, ER\)",
        ),
        ({"pixels": [32, 48]}, r"`pixels`: images are stored with 64 x 64 pixels .* has 32 x 48"),
        ({"channels": ["RNO"]}, r"no channel 'RNO'; did you mean 'RNA'\?"),
    ):
        with pytest.raises(ConfigError, match=message):
            on_screen(Recipe(stem="slice_param", **recipe), several, "method 'm'")


@pytest.mark.parametrize(
    ("recipe", "on", "message"),
    [
        (
            {},
            parts(),
            r"method 'm': the parts differ in their channels \(square: DNA, ER; wide: RNA, ER, DNA\), and its network "
            r"takes one set of them: .* `parts: \[square\]`, or channels that they share, `channels: \[DNA, ER\]`",
        ),
        ({"channels": ["DNA", "RNO"]}, parts(), r"the screen has no channel 'RNO'; did you mean 'RNA'\?"),
        ({"parts": ["sqare"]}, parts(), r"`parts`: the screen has no part 'sqare'; did you mean 'square'\?"),
        (
            {"parts": ["square", "wide"], "channels": ["RNA"]},
            parts(),
            r"`parts`: not each of them has the channels RNA \(square: DNA, ER\)",
        ),
        (
            {"channels": ["RNA", "Mito"]},
            parts(square={**SQUARE, "source": {**SOURCE, "channels": {"1": "Mito"}}}),
            r"`channels`: no part has all of RNA, Mito \(square: Mito; wide: RNA, ER, DNA\)",
        ),
        (
            {"channels": ["DNA"]},
            parts(square=cropped(SQUARE, 64), wide=cropped(WIDE, [48, 80])),
            r"the parts differ in the size of their images \(square: 64 x 64; wide: 48 x 80\).* `parts: \[square\]`",
        ),
        (
            {"parts": ["wide"], "pixels": 32},
            parts(wide=cropped(WIDE, [48, 80])),
            r"`pixels`: images are stored with 48 x 80 pixels .* has 32 x 32, .* write `pixels: \[25, 41\]`",
        ),
        ({"parts": ["all"]}, screen(simulate={}), "`parts`: the screen is not in parts; leave the key out"),
    ],
)
def test_network_that_parts_do_not_fit_is_refused(recipe, on, message):
    with pytest.raises(ConfigError, match=message):
        on_screen(Recipe(**recipe), on, "method 'm'")


def test_shape_is_kept_to_within_a_pixel():
    assert keeps_shape((48, 80), (24, 40))
    assert keeps_shape((48, 80), (25, 41))
    assert keeps_shape((1040, 1392), (256, 343))
    assert not keeps_shape((48, 80), (32, 32))
    assert keeps_shape((512, 512), (128, 128))
    assert not keeps_shape((512, 512), (128, 129))
