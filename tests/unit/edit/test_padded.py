"""Features that only some datasets have: filled up, masked, and edited further before they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.testing import make_dataset
from tests.oracle import read

VALUES = np.arange(15, dtype=np.float32).reshape(5, 3) + 1


@pytest.fixture(scope="module")
def with_force(tmp_path_factory: pytest.TempPathFactory) -> roboreel.Dataset:
    folder = tmp_path_factory.mktemp("padded")
    make_dataset(folder / "plain", version="v2.1", episodes=(3, 2), cameras={})
    view = roboreel.open(folder / "plain").add("force", VALUES)
    roboreel.write(view, out=folder / "more")
    return roboreel.open(folder / "more")


@pytest.fixture(scope="module")
def padded(with_force: roboreel.Dataset) -> roboreel.View:
    plain = roboreel.open(Path(with_force.url).with_name("plain"))
    return roboreel.concat([plain, with_force], features="pad")


def _written(view: roboreel.View, out: Path, *names: str) -> dict[str, list[Any]]:
    roboreel.write(view, out=out)
    episodes = read(out).episodes
    return {name: [row for e in episodes for row in e.rows[name].to_pylist()] for name in names}


NOTHING, NO, YES = [[0.0] * 3] * 5, [[False] * 3] * 5, [[True] * 3] * 5


@pytest.mark.parametrize(
    "names",
    [
        {"force_mask": "known"},
        {"force": "push"},
        {"force": "push", "force_mask": "known"},
        {"force": "force_mask", "force_mask": "force"},
    ],
)
def test_a_mask_tells_the_truth_under_other_names(
    padded: roboreel.View, tmp_path: Path, names: dict[str, str]
) -> None:
    force, mask = names.get("force", "force"), names.get("force_mask", "force_mask")
    found = _written(padded.rename(names), tmp_path / "out", force, mask)
    assert found == {force: NOTHING + VALUES.tolist(), mask: NO + YES}


def test_a_mask_goes_with_its_feature(padded: roboreel.View) -> None:
    assert not {"force", "force_mask"} & set(padded.remove("force").model.info.features)
    assert "force" in padded.remove("force_mask").model.info.features


@pytest.mark.parametrize(
    "edit",
    [
        lambda view: view.add("sum", lambda columns: columns["force"].sum(axis=1)),
        lambda view: view.add("first", lambda row, episode, frame: row["force"][0]),
        lambda view: view.trim_still(0.1, feature="force"),
    ],
)
def test_what_is_filled_up_cannot_be_read_before_it_is_written(
    padded: roboreel.View, edit: Callable[[roboreel.View], roboreel.View]
) -> None:
    with pytest.raises(roboreel.UsageError, match=r"'force'.*before that is written"):
        edit(padded)


def test_stillness_is_told_by_what_all_datasets_have(padded: roboreel.View) -> None:
    assert len(padded.trim_still(0.0, feature="action").slices) == 4


def test_types_that_no_type_holds_are_a_difference(
    with_force: roboreel.Dataset, tmp_path: Path
) -> None:
    whole = with_force.remove("force").add("force", np.arange(15).reshape(5, 3))
    parts = [with_force, whole]
    for features in ("strict", "pad"):
        with pytest.raises(roboreel.UsageError, match=r"'force': float32 and int64 in"):
            roboreel.concat(parts, features=features)
    common = roboreel.concat(parts, features="common")
    assert "force" not in common.model.info.features
    assert _written(common, tmp_path / "out", "episode_index")["episode_index"][-1] == 3
