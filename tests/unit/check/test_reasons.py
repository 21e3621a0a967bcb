"""Why stored statistics differ: rounding, division by n − 1, and releases that may have written a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.checking.agreement_rules import is_sample_std
from roboreel.format.causes import CANCELLED, WRAPPED, Cause
from roboreel.format.version import VERSIONS, FormatVersion
from roboreel.testing import make_dataset
from tests.mutate import edit_lines
from tests.tamper import edit_values

LINES = "meta/episodes_stats.jsonl"


def described(root: Path, feature: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Let `change` edit the statistics of a feature in every episode of a v2.1 dataset."""

    def changed(lines: list[Any]) -> list[Any]:
        for line in lines:
            change(line["stats"][feature])
        return lines

    edit_lines(root / LINES, changed)


def of_a_sample(parts: dict[str, Any]) -> None:
    many = parts["count"][0]
    parts["std"] = (np.array(parts["std"]) * np.sqrt(many / (many - 1))).tolist()


@pytest.mark.parametrize("rows", [12, 400, 3000])
def test_a_division_by_n_minus_1_is_named(tmp_path: Path, rows: int) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(rows, rows), cameras={})
    described(root, "action", of_a_sample)
    every = roboreel.check_stats(root).differences
    (found,) = [one for one in every if one.feature == "action" and one.episodes is not None]
    assert (found.feature, found.statistics, found.rule) == ("action", ("std",), None)
    assert "n − 1" in str(found.why)
    told = roboreel.check(root).problems
    if rows == 12:  # larger ones differ by less than training notices
        assert [(p.rule, p.severity, p.episode) for p in told] == [
            ("stats.agree", "warning", 0),
            ("stats.agree", "warning", 1),
        ]
        assert all("n − 1" in p.message for p in told)
    else:
        assert told == ()


def test_a_division_by_n_minus_1_is_told_from_others() -> None:
    true = np.array([[0.1, 0.2, 0.0]])
    sample = true * np.sqrt(20 / 19)
    still = np.array([[False, False, True]])
    count = np.array([20])
    assert is_sample_std(sample, true, count, still).all()
    assert is_sample_std(sample.astype(np.float32).astype(np.float64), true, count, still).all()
    for other in (true, true * 1.1, true * 1.001, sample * [1, 1.03, 1]):
        assert not is_sample_std(other, true, count, still).any()
    assert not is_sample_std(sample, true, np.array([1]), still).any()


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (0.0, {"std": 4e-14}),
        (0.0, {"std": 1e-5}),
        (0.02, {"std": 1e-5}),
        (30.0, {"std": 1e-5, "mean": 30.0 + 4e-4}),
        (30.0, {"std": 1e-5, "mean": 30.0 - 4e-4}),
        (200.0, {"std": 4e-14, "mean": 200.0 + 4e-14}),
    ],
)
def test_rounding_of_what_does_not_change_is_no_error(
    tmp_path: Path, value: float, changed: dict[str, float]
) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 9), cameras={})
    for episode in (0, 1):
        edit_values(root, episode, "observation.state", lambda v: v.fill(value))
    value = float(np.float32(value))

    def change(parts: dict[str, Any]) -> None:
        width = len(parts["mean"])
        for key in ("min", "max", "mean"):
            parts[key] = [value] * width
        parts["std"] = [0.0] * width
        parts |= {key: [number] * width for key, number in changed.items()}

    described(root, "observation.state", change)
    problems = roboreel.check(root).problems
    assert [p for p in problems if p.severity == "error"] == []
    assert [p for p in problems if p.rule.startswith("stats.")] == []
    assert [one for one in roboreel.check_stats(root).differences if one.why is None] == []


def test_a_wrong_std_of_what_does_not_change_is_told(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(12,), cameras={})
    edit_values(root, 0, "observation.state", lambda v: v.fill(0.5))

    def change(parts: dict[str, Any]) -> None:
        for key in ("min", "max", "mean"):
            parts[key] = [0.5] * len(parts["mean"])
        parts["std"] = [0.3] * len(parts["mean"])

    described(root, "observation.state", change)
    assert [p.rule for p in roboreel.check(root).of("error")] == ["stats.agree"]


def test_a_release_is_named_only_where_it_writes_the_version() -> None:
    assert "lerobot" in WRAPPED.said(FormatVersion.V30)
    for version in (FormatVersion.V20, FormatVersion.V21):
        assert "lerobot" not in WRAPPED.said(version)
        assert "lerobot" not in CANCELLED.said(FormatVersion.V30, version)
    assert Cause("rounding").said(*VERSIONS) == "rounding"


def test_no_reason_for_v21_names_a_release(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(12, 9), cameras={})
    described(root, "index", lambda parts: parts.update(min=[100], max=[200], mean=[150.0]))

    def rounded(parts: dict[str, Any]) -> None:
        parts["std"] = (np.array(parts["std"]) + 1e-5).tolist()

    described(root, "observation.state", rounded)
    said = [*map(str, roboreel.check(root).problems)]
    said += [str(one.why) for one in roboreel.check_stats(root).differences]
    assert len(said) > 2
    assert [text for text in said if "lerobot" in text] == []
