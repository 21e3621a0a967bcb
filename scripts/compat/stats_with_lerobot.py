"""Computes statistics with the lerobot of the interpreter that runs this file, with its own functions.

`python stats_with_lerobot.py JOBS.json`, where JOBS lists `{"release", "root", "out", "quantiles"}`. Roots
are copies: v2.0 for 0.3.3, v3.0 for 0.6.1. `out` receives `{"variants": {name: {"episodes": [stats],
"whole": stats}}}`, or `{"error"}`. The variants:

- released: what the release gives;
- right: 0.3.3 only; the frames of its sample are those of the episode;
- exact: as right, its functions fed float64, and deviations by its own two-pass branch.
"""

import importlib
import json
import logging
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Stats = dict[str, dict[str, Array]]


def by_033(job: dict[str, Any]) -> Iterator[tuple[str, list[Stats], Stats]]:  # Any: JSON
    """`convert_stats`, episode by episode; texts, at which it stops, are left out."""
    module: Any = importlib.import_module("lerobot.datasets.lerobot_dataset")
    convert: Any = importlib.import_module("lerobot.datasets.v21.convert_stats")
    compute: Any = importlib.import_module("lerobot.datasets.compute_stats")
    dataset = module.LeRobotDataset(
        "local/x", root=job["root"], revision="v2.0", video_backend="pyav"
    )
    features = dataset.meta.info["features"]
    for name in [name for name, spec in features.items() if spec["dtype"] == "string"]:
        del features[name]
    dataset.meta.episodes_stats = {}

    def right_frames(dataset: Any, episode_index: int, ft_key: str) -> Array:
        length = dataset.meta.episodes[episode_index]["length"]
        start = int(dataset.episode_data_index["from"][episode_index])
        rows = [start + at for at in convert.sample_indices(length)]
        times = [float(t) for t in dataset.hf_dataset.select(rows)["timestamp"]]
        frames: Array = dataset._query_videos({ft_key: times}, episode_index)[ft_key].numpy()
        return frames.reshape(len(rows), *frames.shape[-3:])  # it drops the axis of a single one

    plain = compute.get_feature_stats
    wrong_frames = convert.sample_episode_video_frames
    wide = [name for name, spec in features.items() if spec["dtype"] == "float64"]
    to_torch = module.hf_transform_to_torch

    def as_they_are(rows: dict[str, Any]) -> Any:
        kept = {name: [np.asarray(value) for value in rows[name]] for name in wide if name in rows}
        return to_torch(rows) | kept

    def reshaped(dataset: Any, episode_index: int, ft_key: str) -> Array:
        frames: Array = wrong_frames(dataset, episode_index, ft_key)
        return frames.reshape(-1, *frames.shape[-3:])

    def exactly(array: Array, **how: Any) -> dict[str, Array]:
        found: dict[str, Array] = plain(array.astype(np.float64), **how)
        return found

    for name, frames, stats in (
        ("released", reshaped, plain),
        ("right", right_frames, plain),
        ("exact", right_frames, exactly),
    ):
        convert.sample_episode_video_frames, convert.get_feature_stats = frames, stats
        if name == "exact":
            dataset.hf_dataset.set_transform(as_they_are)
        for episode in range(dataset.meta.total_episodes):
            convert.convert_episode_stats(dataset, episode)
        found = [dataset.meta.episodes_stats[e] for e in range(dataset.meta.total_episodes)]
        yield name, found, compute.aggregate_stats(found)
    convert.sample_episode_video_frames = wrong_frames


def by_061(job: dict[str, Any]) -> Iterator[tuple[str, list[Stats], Stats]]:  # Any: JSON
    """`compute_episode_stats`, as the recorder calls it: pictures are files."""
    compute: Any = importlib.import_module("lerobot.datasets.compute_stats")
    compute.DEFAULT_QUANTILES = job["quantiles"]
    features = json.loads((Path(job["root"]) / "meta" / "info.json").read_text())["features"]
    features = {n: f for n, f in features.items() if f["dtype"] != "string"}
    plain = compute.get_feature_stats

    def exactly(array: Array, axis: Any, keepdims: bool, quantile_list: Any = None) -> Any:
        wide = array
        if axis == 0 and array.ndim > 2:  # of one row it would not go by the last axis
            wide = array.reshape(-1, array.shape[-1])
        found = plain(wide, axis=axis, keepdims=keepdims, quantile_list=quantile_list)
        flat, _ = compute._prepare_array_for_stats(wide, axis)
        numbers = flat.reshape(-1, flat.shape[-1]).astype(np.float64)
        basic = compute._compute_basic_stats(numbers, len(array))
        exact = {key: basic[key] for key in ("mean", "std")}
        found |= compute._reshape_stats_by_axis(exact, axis, keepdims, wide.shape)
        return found | {"count": np.array([len(array)])}

    with tempfile.TemporaryDirectory() as folder:
        episodes = list(episodes_of(Path(job["root"]), features, Path(folder)))
        for name, stats in (("released", plain), ("exact", exactly)):
            compute.get_feature_stats = stats
            found = [compute.compute_episode_stats(data, features) for data in episodes]
            try:
                whole = compute.aggregate_stats(found)
            except ValueError:  # shapes of its own that it cannot stack
                whole = {}
            yield name, found, whole
        compute.get_feature_stats = plain


def episodes_of(
    root: Path, features: dict[str, Any], folder: Path
) -> Iterator[dict[str, list[str] | Array]]:
    """The data of each episode as the recorder holds it: arrays, and names of picture files."""
    import pyarrow.parquet as pq

    module: Any = importlib.import_module("lerobot.datasets.lerobot_dataset")
    dataset = module.LeRobotDataset("local/x", root=root, video_backend="pyav")
    tables = [pq.read_table(path) for path in sorted(root.glob("data/*/*.parquet"))]
    columns: dict[str, list[Any]] = {}
    for table in tables:
        for name in table.column_names:
            columns.setdefault(name, []).extend(table[name].to_pylist())
    of_episode = np.array(columns["episode_index"])
    for episode in range(dataset.meta.total_episodes):
        rows = np.flatnonzero(of_episode == episode)
        data: dict[str, list[str] | Array] = {}
        for name, spec in features.items():
            place = folder / f"{episode}" / name
            if spec["dtype"] == "video":
                data[name] = saved([dataset[int(row)][name] for row in rows], place)
            elif spec["dtype"] == "image":
                data[name] = written([columns[name][row]["bytes"] for row in rows], place)
            else:
                values = [columns[name][row] for row in rows]
                data[name] = np.array(values, dtype=spec["dtype"])
        yield data


def saved(frames: list[Any], folder: Path) -> list[str]:  # Any: tensor
    """Frames as PNG files, to the bit."""
    image: Any = importlib.import_module("PIL.Image")

    folder.mkdir(parents=True)
    names = []
    for number, frame in enumerate(frames):
        picture = np.rint(frame.numpy() * 255).astype(np.uint8).transpose(1, 2, 0)
        names.append(str(folder / f"{number:06}.png"))
        image.fromarray(picture).save(names[-1], compress_level=0)
    return names


def written(pictures: list[bytes], folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    names = []
    for number, data in enumerate(pictures):
        names.append(str(folder / f"{number:06}.png"))
        Path(names[-1]).write_bytes(data)
    return names


WAYS: dict[str, Callable[[dict[str, Any]], Iterator[tuple[str, list[Stats], Stats]]]] = {
    "0.3.3": by_033,
    "0.6.1": by_061,
}


def listed(stats: Stats) -> dict[str, dict[str, list[Any]]]:
    return {
        name: {key: np.asarray(value).tolist() for key, value in parts.items()}
        for name, parts in stats.items()
    }


def main() -> None:
    """Any exception of lerobot's is a result, which the driver reports."""
    logging.disable(logging.WARNING)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        told: dict[str, Any] = {}
        try:
            told["variants"] = {
                name: {"episodes": [listed(one) for one in episodes], "whole": listed(whole)}
                for name, episodes, whole in WAYS[job["release"]](job)
            }
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"
            told["traceback"] = traceback.format_exc()
        Path(job["out"]).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
