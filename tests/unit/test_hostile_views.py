"""View files that mean harm, or were damaged: one clear error that names the file, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import roboreel
from roboreel import Encoding
from roboreel.dataset.view_edit import begin_view
from roboreel.edit.relative_actions import RelativeActions
from roboreel.testing import Camera, make_dataset
from tests.examples import examples

TOP = "observation.images.top"
HUGE = 10**400
DEEP = "[" * 100_000 + "]" * 100_000

Document = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and a view file of it with every verb."""
    folder = tmp_path_factory.mktemp("hostile")
    source = make_dataset(
        folder / "data", version="v3.0", episodes=(5, 3, 8, 4), cameras={TOP: Camera(height=32)}
    )
    view = roboreel.open(source).delete([1]).trim({0: (1, 4), 2: (0, 2)}).shuffle(seed=2)
    view = view.add("extra", np.zeros(13)).set_tasks("a", replacing={}, episodes={0: "b"})
    view = roboreel.concat(
        [view.rename({"action": "act"}), view.remove("action")], features="common"
    )
    view = view.as_splits({"a": [0, 1, 2], "b": [3, 4, 5]}).with_target("v2.1", data_file_mb=5)
    view = view.recompute(["observation.state"], quantiles=[0.2]).encode(
        {TOP: Encoding(size=(64, 32))}
    )
    view.decode(TOP).keep([0, 2, 5]).resample(15).save(folder / "good.view.json")
    relative = roboreel.open(source).recompute(relative_actions=RelativeActions(chunk=3))
    relative.save(folder / "relative.view.json")
    return folder


def _good(folder: Path, name: str = "good") -> Document:
    document: Document = json.loads((folder / f"{name}.view.json").read_text("utf-8"))
    return document


def _refused(folder: Path, text: str | bytes) -> str:
    path = folder / "bad.view.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(roboreel.RoboreelError) as caught:
        roboreel.open_view(path)
    assert "bad.view.json" in str(caught.value)
    assert len(str(caught.value)) < 2000
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the document is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[]", "it has no 'roboreel_view'"),
        (b"{}", "it has no 'roboreel_view'"),
        (DEEP.encode(), "more than 64 deep"),
        (b'{"roboreel_view": "1"}', "'roboreel_view' is '1', expected 1"),
        (b'{"roboreel_view": true}', "'roboreel_view' is 'True'"),
        (b'{"roboreel_view": 2}', "written by a later release of roboreel"),
        (b'{"roboreel_view": 1, "code": "x"}', "unknown fields 'code'"),
        (b'{"roboreel_view": 1}', "'sources' is not a list of objects"),
        (b'{"roboreel_view": 1, "sources": [3]}', "'sources' is not a list of objects"),
        (b'{"roboreel_view": 1, "sources": []}', "'start' names neither"),
        (b'{"roboreel_view": 1, "sources": [{}]}', "a source has no 'path'"),
        (b'{"roboreel_view": 1, "sources": [{"path": "a\\u0000b"}]}', "a source has no 'path'"),
        (b'{"roboreel_view": 1, "sources": [{"path": "data"}]}', "has no 'documents'"),
        (b'{"roboreel_view": 1, "sources": [{"path": "nowhere"}]}', "is missing"),
        (b'{"roboreel_view": 1, "sources": [{"path": "a.view.json"}]}', "is missing"),
        (b'{"roboreel_view": 1, "sources": [{"view": "data"}]}', "is not a view file"),
    ],
)
def test_what_is_no_view_file_is_refused(folder: Path, text: bytes, said: str) -> None:
    assert said in _refused(folder, text)


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (3, "expected a JSON object"),
        ({}, "the field 'verb' is missing"),
        ({"verb": 3}, "'verb' is 3, expected a text"),
        ({"verb": "format_disk"}, "there is no edit 'format_disk'"),
        ({"verb": "delete"}, "the field 'positions' is missing"),
        ({"verb": "delete", "positions": "0"}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [True]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [0.0]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [-1]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [4]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [HUGE]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [[0, HUGE]]}, "expected positions from 0 to 3"),
        ({"verb": "delete", "positions": [1, 1]}, "each once"),
        ({"verb": "delete", "positions": [[0, 2], 1]}, "each once"),
        ({"verb": "delete", "positions": [[0, 4]] * 1000}, "each once"),
        ({"verb": "delete", "positions": [[2, 1]]}, "expected positions"),
        ({"verb": "delete", "positions": [[]]}, "expected positions"),
        ({"verb": "delete", "positions": [["0", "1"]]}, "expected positions"),
        ({"verb": "delete", "positions": [[0, 4]]}, "no episode would be left"),
        ({"verb": "keep", "positions": []}, "no episode would be left"),
        ({"verb": "delete", "positions": [0], "also": 1}, "unknown fields 'also'"),
        ({"verb": "trim", "positions": [0], "start": [0], "stop": []}, "1 starts and 0 stops"),
        ({"verb": "trim", "positions": [0], "start": [3], "stop": [2]}, "empty, or not inside"),
        ({"verb": "trim", "positions": [0], "start": [0], "stop": [99]}, "empty, or not inside"),
        ({"verb": "trim", "positions": [0], "start": [HUGE], "stop": [1]}, "a list of frames"),
        ({"verb": "trim", "positions": [0], "start": [-1], "stop": [1]}, "empty, or not inside"),
        ({"verb": "rename", "names": {"action": "a/../b"}}, "cannot be the name of a feature"),
        ({"verb": "rename", "names": ["action"]}, "expected an object of strings"),
        ({"verb": "remove", "names": ["nothing"]}, "no feature 'nothing'"),
        ({"verb": "resample", "fps": "1/0"}, "expected a rate"),
        ({"verb": "resample", "fps": "1e999999999"}, "expected"),
        ({"verb": "resample", "fps": 15}, "expected a text"),
        ({"verb": "target", "to": "v9"}, "v9"),
        ({"verb": "target", "to": 3}, "the option 'to' cannot be"),
        ({"verb": "target", "drop_audio": "no"}, "the option 'drop_audio' cannot be"),
        ({"verb": "target", "data_file_mb": HUGE}, "the option 'data_file_mb' cannot be"),
        ({"verb": "target", "reencoding": {"code": 1}}, "the option 'reencoding' cannot be"),
        ({"verb": "target", "reencoding": {"vcodec": []}}, "vcodec is []"),
        ({"verb": "target", "run": "x"}, "there is no option 'run'"),
        ({"verb": "encode", "cameras": {TOP: {"code": 1}}}, "unknown settings"),
        ({"verb": "encode", "cameras": {TOP: {"size": [HUGE, 2]}}}, "size is"),
        ({"verb": "encode", "cameras": {TOP: {"size": "ab"}}}, "size is"),
        ({"verb": "encode", "cameras": {TOP: {"extra_options": 3}}}, "unknown settings"),
        ({"verb": "encode", "cameras": {TOP: {"vcodec": {}}}}, "vcodec is"),
        ({"verb": "encode", "cameras": {"nothing": {}}}, "no camera 'nothing'"),
        ({"verb": "decode", "cameras": TOP}, "expected a list of strings"),
        ({"verb": "tasks", "changes": [{"positions": [0], "task": 3}]}, "expected a text"),
        ({"verb": "tasks", "changes": [{"positions": [9], "task": "a"}]}, "expected positions"),
        ({"verb": "splits", "parts": []}, "there are no parts"),
        ({"verb": "splits", "parts": [{"name": "../a", "positions": [0]}]}, "name of a part"),
        ({"verb": "shuffle", "positions": [0], "seed": -1}, "whole number of 0 or more"),
        ({"verb": "add", "feature": "a"}, "the field 'values' is missing"),
        (
            {"verb": "add", "feature": "a", "values": {"file": "../data/x.parquet", "sha256": ""}},
            "expected a table beside it",
        ),
        (
            {"verb": "add", "feature": "a", "values": {"file": "no.parquet", "sha256": ""}},
            "in the same folder as the view file",
        ),
    ],
)  # fmt: skip
def test_verbs_that_cannot_be_are_refused(folder: Path, verb: Any, said: str) -> None:
    good = _good(folder)
    text = json.dumps({**good, "start": {"source": 0}, "verbs": [verb]})
    assert said in _refused(folder, text)


def test_the_verb_is_told_by_its_number(folder: Path) -> None:
    verbs = [{"verb": "keep", "positions": [[0, 3]]}, {"verb": "delete", "positions": [3]}]
    text = json.dumps({**_good(folder), "start": {"source": 0}, "verbs": verbs})
    assert "verb 2 (delete): 'positions' is [3], expected positions from 0 to 2" in _refused(
        folder, text
    )


def test_values_that_were_changed_are_refused(folder: Path) -> None:
    good = _good(folder)
    (name,) = {one["file"] for one in _values(good)}
    table = folder / name
    before = table.read_bytes()
    try:
        table.write_bytes(before[:-1] + b"x")
        assert f"'{name}' is not the table" in _refused(folder, json.dumps(good))
    finally:
        table.write_bytes(before)


def _values(node: Any) -> Iterator[Document]:
    if isinstance(node, dict):
        if "values" in node:
            yield node["values"]
        for one in node.values():
            yield from _values(one)
    elif isinstance(node, list):
        for one in node:
            yield from _values(one)


def test_a_view_file_of_itself_is_refused(folder: Path) -> None:
    path = folder / "self.view.json"
    begin_view(path, [folder / "good.view.json"])
    document = json.loads(path.read_text("utf-8"))
    document["sources"][0]["view"] = "bad.view.json"
    assert re.search("has changed|source of itself", _refused(folder, json.dumps(document)))


def test_a_long_chain_of_view_files_is_refused(folder: Path) -> None:
    last = folder / "good.view.json"
    for number in range(15):
        begin_view(folder / f"chain{number}.view.json", [last])
        last = folder / f"chain{number}.view.json"
    with pytest.raises(roboreel.DatasetError, match="more than 16 view files are nested"):
        begin_view(folder / "last.view.json", [last])
    assert not (folder / "last.view.json").exists()


def test_views_nested_too_deeply_are_not_saved(folder: Path) -> None:
    view = roboreel.open(folder / "data").keep([1])
    for _ in range(40):
        view = roboreel.concat([view])
    with pytest.raises(roboreel.UsageError, match=r"cannot hold this view.*64 deep"):
        view.save(folder / "deep.view.json")
    assert not (folder / "deep.view.json").exists()


BAD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        3,
        HUGE,
        1.5,
        "",
        "x",
        "../..",
        [],
        [[]],
        [None],
        {},
        {"a": 1},
        [[0, HUGE]],
        "v3.0",
    ]
)


@pytest.mark.parametrize("name", ["good", "relative"])
@examples(short=30, long=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_whatever_is_changed_opens_or_gives_one_error(
    folder: Path, name: str, data: st.DataObject
) -> None:
    document = _good(folder, name)
    node: Any = document
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        inner = node[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.integers(0, 3)) == 0:
            break
        node = inner
    how = data.draw(st.sampled_from(["replace", "remove", "twice"]))
    if how == "remove":
        del node[key]
    elif how == "twice" and isinstance(node, list):
        node.append(inner)
    else:
        node[key] = data.draw(BAD)
    path = folder / "fuzzed.view.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert "fuzzed.view.json" in _error(path)


def _error(path: Path) -> str:
    """What a file is refused with; its name, where it opens."""
    try:
        roboreel.open_view(path)
    except roboreel.RoboreelError as error:
        return str(error)
    return path.name
