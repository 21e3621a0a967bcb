"""Items of real data sets are the rows and frames that pyarrow and PyAV find in the files themselves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import roboreel
from tests.oracle import Clip, Reading
from tests.real.test_conversion import MISSING, SOUND

Readings = Callable[[str], Reading]
EPISODES, ITEMS = 3, 6


def reader_of(root: Path, name: str, **options: Any) -> roboreel.Reader:
    dataset = roboreel.open(root)
    features = dataset.features.items()
    cameras = [n for n, f in features if f.is_camera and n not in MISSING.get(name, ())]
    return roboreel.reader(dataset, **{"cameras": cameras, **options})


@pytest.mark.parametrize("name", SOUND)
def test_rows_are_those_of_the_tables(reading: Readings, name: str) -> None:
    told = reading(name)
    reader = reader_of(told.root, name, cameras=[])
    assert reader.num_episodes == len(told.episodes)
    counted = ("index", "episode_index", "frame_index")
    for position, episode in enumerate(told.episodes):
        items = reader.episode(position)[:]
        assert items["task"] == episode.row_tasks(told.tasks)
        for column in reader.columns:
            if column in counted or column not in episode.rows.column_names:
                continue
            expected = episode.rows[column].to_pylist()
            found = items[column]
            if isinstance(found, list):
                assert found == expected
            else:
                assert np.array_equal(found, np.asarray(expected, found.dtype).reshape(found.shape))


@pytest.mark.parametrize("name", SOUND)
def test_frames_are_those_that_a_player_shows(reading: Readings, name: str) -> None:
    told = reading(name)
    random = np.random.default_rng(1)
    reader = reader_of(told.root, name)
    for position in random.permutation(reader.num_episodes)[:EPISODES].tolist():
        episode, first = told.episodes[position], int(reader.bounds[position])
        chosen = np.unique(random.integers(0, len(episode.rows), ITEMS))
        batch = reader.batch(first + random.permutation(chosen))
        for camera in told.cameras:
            if camera not in MISSING.get(name, ()):
                played = _played(told.root, episode.external_videos[camera], int(chosen.max()) + 1)
                for frame, number in zip(batch[camera], batch["frame_index"].tolist(), strict=True):
                    assert np.array_equal(frame, played[number]), (camera, number)


def _played(root: Path, clip: Clip, count: int) -> list[Any]:
    with av.open(str(root / clip.path)) as container:
        frames = islice(container.decode(video=0), clip.start, clip.start + count)
        return [frame.to_ndarray(format="rgb24") for frame in frames]
