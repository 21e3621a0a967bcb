"""Names of dimensions count in whatever form a document has them: flat, nested, in groups, by position."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.cli.text.feature_words import feature_row
from roboreel.edit.relative_actions import RelativeActions, relative_components
from roboreel.format.feature import Feature, dimension_names
from roboreel.plan.camera_features import frame_size
from roboreel.testing import make_dataset
from roboreel.types import Json
from tests.mutate import edit_json

JOINTS = ["pan", "lift", "elbow", "flex", "roll", "gripper"]
FORMS: dict[str, Json] = {
    "flat": JOINTS,
    "nested": [JOINTS],
    "nested in two": [JOINTS[:2], JOINTS[2:]],
    "partly nested": ["pan", JOINTS[1:]],
    "motors": {"motors": JOINTS},
    "axes": {"axes": [JOINTS]},
    "groups": {"arm": JOINTS[:5], "hand": ["gripper"]},
    "groups of groups": {"left": {"motors": JOINTS[:5]}, "right": {"motors": ["gripper"]}},
    "positions": {name: at for at, name in reversed([*enumerate(JOINTS)])},
}
NONE: dict[str, Json] = {
    "null": None,
    "empty": [],
    "empty inside": [[]],
    "numbers": [0, 1, 2],
    "numbers inside": [[0, 1, 2]],
    "two levels": [[["pan"]]],
    "objects": [{"pan": 0}],
    "a text": "pan",
    "truths": {"pan": True},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_names(form: str) -> None:
    assert dimension_names(FORMS[form]) == JOINTS


@pytest.mark.parametrize("form", NONE)
def test_what_names_nothing_gives_none(form: str) -> None:
    assert dimension_names(NONE[form]) is None


def _feature(
    name: str, names: Json, shape: tuple[int, ...] = (6,), dtype: str = "float32"
) -> Feature:
    spec = {"dtype": dtype, "shape": list(shape), "names": names}
    return Feature(name=name, dtype=dtype, shape=shape, spec=spec)


@pytest.mark.parametrize("form", FORMS)
def test_joints_are_excluded_by_name_in_every_form(form: str) -> None:
    features = {n: _feature(n, FORMS[form]) for n in ("action", "observation.state")}
    found = relative_components(RelativeActions(), features)
    assert found == (True, True, True, True, True, False)


@pytest.mark.parametrize("form", FORMS)
def test_names_are_shown_in_every_form(form: str) -> None:
    assert feature_row(_feature("action", FORMS[form]))[3] == ", ".join(JOINTS)


def test_the_size_of_a_camera_is_read_off_nested_names() -> None:
    names: Json = [["channel", "width", "height"]]
    assert frame_size(_feature("top", names, (3, 64, 48), "video")) == (64, 48)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / "plain"
    return make_dataset(folder, version="v2.1", episodes=(3, 2), cameras={})


def _with_names(plain: Path, out: Path, names: Json) -> roboreel.Dataset:
    shutil.copytree(plain, out)
    edit_json(out / "meta/info.json", lambda info: info["features"]["action"].update(names=names))
    return roboreel.open(out)


@pytest.mark.parametrize("form", FORMS)
def test_a_merge_refuses_joints_in_another_order(plain: Path, tmp_path: Path, form: str) -> None:
    swapped = ["lift", "pan", *JOINTS[2:]]
    first = _with_names(plain, tmp_path / "a", [JOINTS])
    other = _with_names(plain, tmp_path / "b", [swapped] if form == "flat" else swapped)
    same = _with_names(plain, tmp_path / "c", FORMS[form])
    with pytest.raises(roboreel.UsageError, match="its dimensions are named"):
        roboreel.concat([same, other])
    assert len(roboreel.concat([first, same]).slices) == 4


def test_a_comparison_counts_joints_in_another_order(plain: Path, tmp_path: Path) -> None:
    first = _with_names(plain, tmp_path / "a", JOINTS)
    nested = _with_names(plain, tmp_path / "b", [JOINTS])
    swapped = _with_names(plain, tmp_path / "c", [["lift", "pan", *JOINTS[2:]]])
    assert roboreel.diff(first, nested).same
    assert not roboreel.diff(nested, swapped).same
