"""The statistics that an edit writes are those that a recomputation of its result gives."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import roboreel
from roboreel.edit.view import View
from roboreel.stats.feature_stats import FeatureStats
from roboreel.testing import Version, make_dataset
from tests.examples import examples

LENGTHS = (9, 1, 14, 6)
WHOLE = ("min", "max", "mean", "std", "count")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[Version, Path]:
    folder = tmp_path_factory.mktemp("sources")
    versions: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
    return {
        v: make_dataset(folder / v, version=v, episodes=LENGTHS, cameras={}, features="basic")
        for v in versions
    }


@st.composite
def edits(draw: st.DrawFn) -> list[str]:
    return draw(st.lists(st.sampled_from(["delete", "trim", "shuffle", "twice"]), max_size=3))


def edited(view: View, names: list[str], random: np.random.Generator) -> View:
    for name in names:
        count = len(view.slices)
        if name == "delete" and count > 1:
            view = view.delete([int(random.integers(count))])
        elif name == "trim":
            view = view.keep(min_frames=1).trim({0: (0, 1)})
        elif name == "shuffle":
            view = view.shuffle(seed=int(random.integers(100)))
        elif name == "twice":
            view = roboreel.concat([view, view])
    return view


def assert_same(one: FeatureStats, other: FeatureStats, keys: tuple[str, ...]) -> None:
    for key in keys:
        np.testing.assert_allclose(one[key], other[key], rtol=1e-6, atol=1e-6, err_msg=key)


@given(
    names=edits(),
    version=st.sampled_from(["v2.0", "v2.1", "v3.0"]),
    to=st.sampled_from(["v2.1", "v3.0"]),
    seed=st.integers(0, 1000),
)
@examples(short=4, long=12)
def test_edits_leave_the_statistics_of_a_recomputation(
    sources: dict[Version, Path], names: list[str], version: Version, to: Version, seed: int
) -> None:
    view = roboreel.open(sources[version]).as_view()
    view = edited(view, names, np.random.default_rng(seed)).with_target(to)
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one"), Path(folder, "other")
        roboreel.write(view, out=one)
        roboreel.write(roboreel.open(one).recompute(), out=other)
        before, after = roboreel.open(one), roboreel.open(other)
        stored = [*before.episode_stats()]
        anew = [*after.episode_stats()]
        assert [number for number, _ in stored] == [number for number, _ in anew]
        for (_, old), (_, new) in zip(stored, anew, strict=True):
            assert old.keys() == new.keys()
            for name in new:
                assert_same(old[name], new[name], tuple(new[name]))
        whole, exact = before.stats(), after.stats()
        for name in exact:
            assert_same(whole[name], exact[name], WHOLE)
