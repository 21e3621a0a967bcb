"""What is recomputed of the real datasets is numpy's, in float64, on the same frames and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

import roboreel
from roboreel.stats.feature_stats import QUANTILES, FeatureStats, quantile_name
from tests.oracle import Episode, read
from tests.real.test_conversion import MISSING
from tests.real.test_stats import FOUND, RECORDED, WITHOUT_VIDEO

StatsKey = Callable[[str], Path]
NAMES = [name for name in (*FOUND, *RECORDED) if name != WITHOUT_VIDEO]


def sample(frames: int) -> list[int]:
    """lerobot's rule, in its words: at least 100 where there are as many, else n^0.75, spread evenly."""
    count = max(min(100, frames), min(int(frames**0.75), 10_000))
    return sorted({round(at) for at in np.linspace(0, frames - 1, count).tolist()})


def pixels_of(root: Path, episode: Episode, camera: str) -> npt.NDArray[np.uint8]:
    """(n, 3) of the sampled frames, every n-th both ways where a side has 300 and more."""
    clip = episode.external_videos[camera]
    wanted = {clip.start + at for at in sample(episode.length)}
    return np.concatenate([*_thinned(root / clip.path, wanted)])


def _thinned(video: Path, wanted: set[int]) -> Iterator[npt.NDArray[np.uint8]]:
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                longer = max(frame.width, frame.height)
                step = longer // 150 if longer >= 300 else 1
                whole = frame.to_ndarray(format="rgb24")
                yield whole[::step, ::step].reshape(-1, 3).astype(np.uint8)


def assert_numpy(stats: FeatureStats, values: npt.NDArray[np.float64], quantiles: bool) -> None:
    wanted = {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
    }
    if quantiles:
        wanted |= {quantile_name(q): np.quantile(values, q, axis=0) for q in QUANTILES}
    for key, value in wanted.items():
        np.testing.assert_allclose(stats[key].ravel(), value, rtol=1e-9, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_recomputed_is_numpy_s(untouched: StatsKey, tmp_path: Path, name: str) -> None:
    source, out = roboreel.open(untouched(name)), tmp_path / "out"
    if source.version == "v2.0":  # which keeps no statistics of episodes
        allowed = MISSING.get(name, ())
        roboreel.convert(source, to="v2.1", out=out, workers=2, allow_missing=allowed)
    else:
        roboreel.write(source.recompute(), out=out, workers=2)
    result = roboreel.open(out)
    report = roboreel.check_stats(out, cameras="sample", workers=2)
    assert report.differences == ()
    assert report.failed == ()
    reading = read(out)
    stored = dict(result.episode_stats())
    for at in {0, len(reading.episodes) // 2, len(reading.episodes) - 1}:
        episode = reading.episodes[at]
        for camera in reading.cameras:
            pixels = pixels_of(reading.root, episode, camera) / 255
            assert_numpy(
                stored[episode.number][camera], pixels, "q50" in stored[episode.number][camera]
            )
        for feature in (name for name, f in result.features.items() if f.is_numeric):
            stats = stored[episode.number].get(feature)
            if stats is not None:
                width = stats["mean"].size
                rows = np.array(episode.rows[feature].to_pylist(), dtype=np.float64)
                assert_numpy(stats, rows.reshape(-1, width), "q50" in stats)
