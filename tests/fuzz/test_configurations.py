"""Configurations that were written wrongly: a registry, or an error that says where."""

import copy

import yaml
from helpers import ROOT
from helpers.fuzz import examples, of_user
from hypothesis import given
from hypothesis import strategies as st

from debatch.registry import build_registry

SHIPPED = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "config/screens").glob("*.yaml"))}
ODD = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            -1,
            1,
            2,
            3.5,
            float("nan"),
            float("inf"),
            10**30,
            [],
            {},
            [[]],
            [None],
            {"": 0},
            {"x": None},
        ),
        *(
            "",
            " ",
            "x",
            "1e-3",
            "*",
            "../x",
            "a/b",
            "~",
            "$NOT_SET_HERE",
            "{well}",
            "{",
            "[",
            "(",
            "\0",
            "\u00e4",
            "a\nb",
        ),
        *([1, 2], [2, 1], "demo", "tiny", "self", "all", "experiment"),
    ]
)
JUNK = st.recursive(
    ODD | st.text(max_size=6) | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)

YAML = [
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!python/object:os.system ",
    b"{",
    b"}",
    b"[",
    b"\t",
    b"\n",
    b"#",
    b"? ",
    b"|",
    b"2024-01-05",
    b"0o7",
    b"~",
    b".inf",
    b"!!set ",
    b"!!binary ",
]
NEW = JUNK.map(copy.deepcopy)  # a value that is drawn twice is changed once


def places(data, at=()):
    """The path to every value."""
    found = [at] if at else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*at, key))
    return found


KEYS = sorted({str(key) for data in SHIPPED.values() for path in places(data) for key in path if isinstance(key, str)})


@st.composite
def changed(draw, data):
    """A file's content with a few values changed, taken out, moved or added."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        paths = places(data)
        path = draw(st.sampled_from(paths)) if paths else ()
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        what = draw(st.sampled_from(["value", "value", "out", "key", "beside", "other"]))
        if what == "value" and path:
            holder[path[-1]] = draw(NEW)
        elif what == "out" and path:
            del holder[path[-1]]
        elif what == "other" and path:  # the value of another place
            other = data
            for key in draw(st.sampled_from(paths)):
                other = other[key]
            holder[path[-1]] = copy.deepcopy(other)
        elif isinstance(holder, dict):
            key = draw(st.sampled_from(KEYS) | st.text(max_size=6) | st.sampled_from([1, None, True]))
            holder[key] = draw(NEW) if what == "beside" or not path else holder[path[-1]]
    return data


@examples(0.1)
@given(data=st.sampled_from(sorted(SHIPPED)).flatmap(lambda name: changed(SHIPPED[name])))
def test_no_screen_ends_in_anything_but_a_registry_or_an_error(tmp_path, data):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=False), encoding="utf-8", errors="surrogatepass")
    registry = of_user(build_registry, {"screen": str(path)}, ROOT)
    assert registry is None or registry.name == "mine"


OTHERS = {
    name: yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("methods", "tables", "corrections")
}
CHOICE = yaml.safe_load((ROOT / "config/config.yaml").read_text())


@examples(0.03)
@given(case=st.sampled_from(sorted(OTHERS)).flatmap(lambda name: st.tuples(st.just(name), changed(OTHERS[name]))))
def test_no_other_file_ends_in_anything_but_a_registry_or_an_error(tmp_path, case):
    name, data = case
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data))
    of_user(build_registry, {"screen": "tiny", name: str(path)}, ROOT)


@examples(0.02)
@given(choice=changed({**CHOICE, "screen": "tiny", "seeds": 1, "ome_zarr": ["ALPHA-01"], "model": "runs/x"}))
def test_no_choice_ends_in_anything_but_a_registry_or_an_error(choice):
    of_user(build_registry, choice, ROOT)


@examples(0.03)
@given(
    name=st.sampled_from(sorted(SHIPPED)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3) | st.sampled_from(YAML)), max_size=4
    ),
)
def test_no_bytes_of_a_screen_end_in_anything_but_a_registry_or_an_error(tmp_path, name, edits):
    content = (ROOT / f"config/screens/{name}.yaml").read_bytes()
    for where, gone, new in edits:
        at = int(where * len(content))
        content = content[:at] + new + content[at + gone :]
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    of_user(build_registry, {"screen": str(path)}, ROOT)
