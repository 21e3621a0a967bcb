"""What recording calls do, with the `LeRobotDataset` of lerobot, or with ours bound in its place.

`PYTHON recording_behaviours.py JOBS.json`, with lerobot 0.6.1, or 0.4.4 for `lerobot_record`.
JOBS is a list with one `{"folder": …, "out": …, "alias": MODULE or "", "only": NAME or ""}`. `out` gets, by
behaviour, what came of it: values, or the builtin exception that was raised and whether its message has the
words that lerobot's tests look for.

The behaviours are those that lerobot's public tests of recording check; the code is our own.
"""

import importlib
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import recorded_frames as made

BUILTIN = (
    FileExistsError, FileNotFoundError, NotImplementedError, RuntimeError, ValueError, KeyError, TypeError,
)  # fmt: skip
"""The most particular first; an error is noted as the first of them that it is."""
PLAIN = {"state": {"dtype": "float32", "shape": (2,), "names": None}}
HWC, CHW = (64, 96, 3), (3, 64, 96)
Outcome = Any  # JSON
Api = Any  # classes of lerobot, or ours


def camera(dtype: str, shape: tuple[int, ...] = HWC) -> dict[str, Any]:  # Any: JSON
    names = ["height", "width", "channels"]
    return {
        "dtype": dtype,
        "shape": shape,
        "names": names[2:] + names[:2] if shape == CHW else names,
    }


class Classes:
    """The classes under test, by the names that lerobot's modules bind, and where to record."""

    def __init__(self, folder: Path, alias: str) -> None:
        if alias:
            bind(alias)
        for name in HOMES:
            setattr(self, name, homed(name))
        self.torch: Any = importlib.import_module("torch")
        self.folder, self.count, self.alias = folder, 0, alias

    def path(self) -> Path:
        self.count += 1
        return self.folder / f"set-{self.count}"

    def create(
        self: Api, features: dict[str, Any] | None = None, **more: Any
    ) -> Any:  # Any: values
        root = more.pop("root", None) or self.path()
        given = PLAIN if features is None else features
        return self.LeRobotDataset.create("me/set", 10, given, root=root, **more)

    def lerobot_record(self) -> Callable[..., Any]:
        """`lerobot-record` as a function of the folder, with devices that are none."""
        script: Any = importlib.import_module("lerobot.scripts.lerobot_record")
        config = script.DatasetRecordConfig
        plain = (
            {"no_stamp": True} if "no_stamp" in vars(config) else {}
        )  # 0.6 stamps names otherwise
        mock: Any = importlib.import_module("mock_arm")
        events = {"exit_early": False, "rerecord_episode": False, "stop_recording": False}
        script.init_keyboard_listener = lambda: (None, events)
        script.make_robot_from_config = mock.MockArm
        script.make_teleoperator_from_config = mock.MockLeader
        if self.alias:
            bind(self.alias)

        def run(root: Path, *, resume: bool, episodes: int) -> Any:
            data = config(
                repo_id="me/set", single_task="push", root=root, fps=10, episode_time_s=0.5,
                reset_time_s=0, num_episodes=episodes, push_to_hub=False, **plain,
            )  # fmt: skip
            devices = {"robot": mock.MockArmConfig(), "teleop": mock.MockLeaderConfig()}
            given = script.RecordConfig(dataset=data, play_sounds=False, resume=resume, **devices)
            return script.record(given)

        return run

    def opened(self: Api, root: Path) -> Any:
        return self.LeRobotDataset("me/set", root=root, video_backend="pyav")


HOMES = {
    "LeRobotDataset": ("lerobot_dataset", ""),
    "LeRobotDatasetMetadata": ("dataset_metadata", ""),
    "DatasetWriter": ("dataset_writer", ".dataset_writer"),
    "DatasetReader": ("dataset_reader", ".dataset_reader"),
    "VideoEncodingManager": ("video_utils", ""),
}
"""Modules of the classes: of lerobot 0.6, and ours."""


def homed(name: str) -> Any:
    """A class of lerobot, wherever the release has it; None where it has none."""
    for module in (HOMES[name][0], "lerobot_dataset"):
        try:
            home = importlib.import_module(f"lerobot.datasets.{module}")
        except ModuleNotFoundError:
            continue
        if hasattr(home, name):
            return getattr(home, name)
    return None


_THEIRS: dict[str, Any] = {}
"""Classes of lerobot in whose place ours are bound already; modules that came later still have them."""


def bind(module: str) -> None:
    """Bind our classes wherever lerobot has bound its own."""
    theirs = {name: homed(name) for name in HOMES}
    theirs.update(_THEIRS)
    _THEIRS.update(theirs)
    for name, (_, ours) in HOMES.items():
        value = getattr(importlib.import_module(f"{module}{ours}"), name)
        for loaded in [m for n, m in sys.modules.items() if n.split(".")[0] == "lerobot"]:
            known = theirs[name]
            for bound in [n for n, found in vars(loaded).items() if known and found is known]:
                setattr(loaded, bound, value)


def raised(call: Callable[[], Any], words: str = "") -> str:  # Any: not looked at
    """The builtin exception of a call, and whether it has the words."""
    try:
        call()
    except Exception as error:
        kind = next((one.__name__ for one in BUILTIN if isinstance(error, one)), "other")
        return kind + ("" if words in str(error) else f", without {words!r}: {error}")
    return "nothing"


def state(api: Api, *values: float) -> Any:
    return api.torch.tensor(values, dtype=api.torch.float32)


def give(api: Api, data: Any, count: int, first: float = 0.0, task: str = "push") -> None:
    for number in range(count):
        data.add_frame({"task": task, "state": state(api, first + number, 1.0)})


def saved(api: Api, data: Any, count: int, **more: Any) -> None:
    give(api, data, count, **more)
    data.save_episode()


# frames


def frames_count(api: Api) -> Outcome:
    data, sizes = api.create(), []
    for _ in range(2):
        sizes.append(data.writer.episode_buffer["size"])
        give(api, data, 1)
    return [*sizes, data.writer.episode_buffer["size"]]


def wrong_frames(api: Api) -> Outcome:
    data = api.create()
    one, torch = state(api, 1, 2), api.torch
    wrong = {
        "no task": ({"state": one}, "Missing features: {'task'}"),
        "no state": ({"task": "x"}, "Missing features: {'state'}"),
        "more": ({"state": one, "task": "x", "extra": "y"}, "Extra features: {'extra'}"),
        "timestamp": ({"state": one, "task": "x", "timestamp": 0.1}, "Extra features"),
        "float16": ({"state": one.half(), "task": "x"}, "dtype 'float16' is not of the expected dtype"),
        "shape": ({"state": one[:1], "task": "x"}, "shape '(1,)' does not have the expected shape '(2,)'"),
        "float": ({"state": 1.0, "task": "x"}, "is not a 'np.ndarray'. Expected type is 'float32'"),
        "no axes": ({"state": torch.tensor(1.0), "task": "x"}, "shape '()' does not have"),
        "NumPy number": ({"state": np.float32(1), "task": "x"}, "'<class 'numpy.float32'>' provided"),
    }  # fmt: skip
    found = {name: raised(partial(data.add_frame, f), w) for name, (f, w) in wrong.items()}
    return found | {"size": data.writer.episode_buffer["size"]}


def wrong_image_shape(api: Api) -> Outcome:
    data = api.create({"image": camera("image", CHW)})
    frame = {"image": api.torch.zeros(3, 96, 64), "task": "x"}
    words = "shape '(3, 96, 64)' does not have the expected shape '(3, 64, 96)' or '(64, 96, 3)'"
    return raised(lambda: data.add_frame(frame), words)


def wrong_image_range(api: Api) -> Outcome:
    """Where the error comes is noted: when the frame is given, or when the episode is saved."""
    data = api.create({"image": camera("image", CHW)})
    frame = {"image": np.full(CHW, 250.0), "task": "x"}
    return [raised(lambda: data.add_frame(dict(frame))), raised(data.save_episode)]


def shapes(api: Api) -> Outcome:
    found = {}
    for shape in [(1,), (2,), (2, 4), (2, 4, 3), (2, 4, 3, 5), (2, 4, 3, 5, 1)]:
        data = api.create({"state": {"dtype": "float32", "shape": shape, "names": None}})
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        data.add_frame({"state": api.torch.from_numpy(values), "task": "x"})
        data.save_episode()
        data.finalize()
        item = data[0]
        found[str(shape)] = [list(item["state"].shape), item["state"].tolist(), item["task"]]
    return found


def zero_width(api: Api) -> Outcome:
    features = {**PLAIN, "target": {"dtype": "float32", "shape": (0,), "names": None}}
    data = api.create(features)
    for number in range(4):
        frame = {"state": state(api, number, 0), "target": np.zeros(0, np.float32), "task": "x"}
        data.add_frame(frame)
    data.save_episode()
    data.finalize()
    again = api.opened(data.root)
    empty = np.asarray(again[0]["target"]).shape
    return [len(again), list(empty), "target" in (again.meta.stats or {})]


def strings(api: Api) -> Outcome:
    data = api.create({"caption": {"dtype": "string", "shape": (1,), "names": None}})
    data.add_frame({"caption": "ein Würfel", "task": "x"})
    data.save_episode()
    data.finalize()
    return data[0]["caption"]


def images(api: Api) -> Outcome:
    """Float and uint8, channels first and last, PIL: the same image comes back."""
    image = made.image_of(3, 5, 1)
    pil = importlib.import_module("PIL.Image").fromarray(image)
    first = np.ascontiguousarray(image.transpose(2, 0, 1))
    given = {
        "last": image,
        "PIL": pil,
        "float": image / 255.0,
        "tensor": api.torch.from_numpy(image),
    }
    found = {}
    for name, value in {**given, "first": first, "float first": first / 255.0}.items():
        shape = CHW if "first" in name else HWC
        data = api.create({"image": camera("image", shape)})
        data.add_frame({"image": value, "task": "x"})
        data.save_episode()
        data.finalize()
        back = data[0]["image"]
        pixels = np.rint(back.permute(1, 2, 0).numpy() * 255).astype(np.int64)
        apart = int(np.abs(pixels - image).max())
        found[name] = [list(back.shape), str(back.dtype), apart]
    return found


# episodes


def counters(api: Api) -> Outcome:
    data, found = api.create(), []
    for count in (2, 3, 4):
        saved(api, data, count)
        meta = data.meta
        found.append([meta.total_episodes, meta.total_frames, data.num_episodes, data.num_frames])
    return [
        *found,
        data.writer.episode_buffer["size"],
        len([*data.root.rglob("data/**/*.parquet")]) > 0,
    ]


def pending(api: Api) -> Outcome:
    data = api.create()
    found = [data.has_pending_frames()]
    give(api, data, 1)
    found.append(data.has_pending_frames())
    data.save_episode()
    return [*found, data.has_pending_frames()]


def cleared(api: Api) -> Outcome:
    data = api.create({**PLAIN, "cam": camera("video")}, streaming_encoding=True)
    for count in (5, 3):
        for number in range(count):
            frame = {
                "state": state(api, number, 0),
                "cam": made.image_of(0, number, 0),
                "task": "x",
            }
            data.add_frame(frame)
        if count == 5:
            data.clear_episode_buffer()
    data.save_episode()
    data.finalize()
    return [data.meta.total_episodes, data.meta.total_frames, data[0]["state"].tolist()]


def clear_leaves_no_images(api: Api) -> Outcome:
    data = api.create({**PLAIN, "cam": camera("video")})
    data.add_frame({"state": state(api, 1, 0), "cam": made.image_of(0, 0, 0), "task": "x"})
    data.clear_episode_buffer()
    return [data.writer.episode_buffer["size"], len([*(data.root / "images").rglob("*.png")])]


def nothing_to_save(api: Api) -> Outcome:
    data = api.create()
    return raised(data.save_episode)


def episode_data(api: Api) -> Outcome:
    data = api.create()
    buffer = data.writer._create_episode_buffer()
    for number in range(3):
        buffer["state"].append(np.array([number, 1], np.float32))
        buffer["frame_index"].append(number)
        buffer["timestamp"].append(number / 10)
        buffer["task"].append("x")
    buffer["size"] = 3
    data.save_episode(buffer)
    data.finalize()
    return [[item["state"].tolist(), item["frame_index"].item()] for item in data[:]]


def wrong_episode_data(api: Api) -> Outcome:
    data = api.create()
    buffer = data.writer._create_episode_buffer(7)
    buffer["size"] = 1
    lacking = {"size": 1, "task": ["x"], "episode_index": 0}
    return [
        raised(lambda: data.save_episode(buffer)),
        raised(lambda: data.save_episode(lacking)),
        raised(lambda: data.save_episode({"size": 1, "episode_index": 0})),
    ]


def options(api: Api) -> Outcome:
    """All ways of recording give the same rows, and pictures with the right numbers painted on them."""
    found = {}
    ways: dict[str, dict[str, Any]] = {
        "default": {},
        "image writer threads": {"image_writer_threads": 4},
        "image writer processes": {"image_writer_processes": 1, "image_writer_threads": 2},
        "streaming": {
            "streaming_encoding": True,
            "encoder_queue_maxsize": 60,
            "encoder_threads": 2,
        },
        "metadata buffer": {"metadata_buffer_size": 1},
        "small files": {"data_files_size_in_mb": 0.001, "video_files_size_in_mb": 0.001},
    }
    for name, more in ways.items():
        data = api.create(made.features("video"), **more)
        for episode in range(2):
            for number in range(made.length_of(episode)):
                data.add_frame(made.frame_of(episode, number))
            data.save_episode(parallel_encoding=episode == 0)
        data.finalize()
        found[name] = [shown(item) for item in api.opened(data.root)]
    return found


def shown(item: dict[str, Any]) -> Outcome:
    painted = [
        made.painted_on(np.rint(item[one].permute(1, 2, 0).numpy() * 255).astype(np.uint8))
        for one in made.CAMERAS
    ]
    return [item["observation.state"].tolist(), item["task"], item["index"].item(), painted]


def manager(api: Api) -> Outcome:
    """After an error the saved episodes are there, and the one in progress is not."""
    found: list[Any] = []
    ways: tuple[dict[str, Any], ...] = ({}, {"streaming_encoding": True})
    for more in ways:
        data = api.create({**PLAIN, "cam": camera("video")}, **more)

        def record(data: Any = data, *, fails: bool = True) -> None:
            with api.VideoEncodingManager(data):
                for number in range(6):
                    image = made.image_of(0, number, 0)
                    data.add_frame({"state": state(api, number, 0), "cam": image, "task": "x"})
                    if number == 3:
                        data.save_episode()
                if fails:
                    raise KeyError("the robot fell over")

        found.append(raised(record))
        again = api.opened(data.root)
        found += [len(again), again.num_episodes, (data.root / "images").exists()]
    return found


# life of a dataset


def created(api: Api) -> Outcome:
    data = api.create(video_files_size_in_mb=42.0, robot_type="arm")
    kinds = [isinstance(data.writer, api.DatasetWriter), data.reader is None]
    facts = [data.num_episodes, data.num_frames, data.fps, data.meta.robot_type]
    return [*kinds, *facts, data.meta.video_files_size_in_mb, data.features is data.meta.features]


def create_twice(api: Api) -> Outcome:
    data = api.create()
    return raised(lambda: api.create(root=data.root))


def attributes(api: Api) -> Outcome:
    """The constructor, `create` and `resume` set the same attributes."""
    data = api.create()
    saved(api, data, 1)
    data.finalize()
    made_by = [api.opened(data.root), data, api.LeRobotDataset.resume("me/set", root=data.root)]
    return [vars(one).keys() == vars(data).keys() for one in made_by]


def resumed_empty(api: Api) -> Outcome:
    root = api.create().root
    data = api.LeRobotDataset.resume("me/set", root=root)
    meta = data.meta
    facts = [meta.total_episodes, meta.total_frames, meta.tasks is None, meta.episodes is None]
    saved(api, data, 2)
    return [isinstance(data.writer, api.DatasetWriter), *facts, data.num_episodes]


def resumed(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 3, task="a")
    data.finalize()
    again = api.LeRobotDataset.resume("me/set", root=data.root)
    before = again.meta.total_episodes
    saved(api, again, 2, first=10, task="b")
    again.finalize()
    items = api.opened(data.root)
    rows = [[one["state"].tolist(), one["task"], one["episode_index"].item()] for one in items]
    return [before, again.num_episodes, again.meta.total_tasks, rows]


def resume_needs_a_root(api: Api) -> Outcome:
    return raised(lambda: api.LeRobotDataset.resume("me/set"), "root")


def read_only(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 1)
    data.finalize()
    opened = api.opened(data.root)
    frame = {"task": "x", "state": state(api, 1, 2)}
    return [
        raised(lambda: opened.add_frame(frame), "read-only"),
        raised(opened.save_episode, "read-only"),
        raised(opened.clear_episode_buffer, "read-only"),
        opened.has_pending_frames(),
        raised(opened.finalize),
    ]


def finalized(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 2)
    data.finalize()
    data.finalize()
    return [len(data), data[1]["state"].tolist(), data[-1]["task"]]


def finalized_without_episodes(api: Api) -> Outcome:
    data = api.create()
    data.finalize()
    data.finalize()
    return data.num_episodes


def windows(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 5)
    data.finalize()
    data.delta_timestamps = {"state": [-0.1, 0.0]}
    item = data[0]
    return [list(item["state"].shape), item["state_is_pad"].tolist()]


def read_while_recording(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 3)
    return raised(lambda: data[0], "finalize")


def chunk_settings(api: Api) -> Outcome:
    data = api.create()
    saved(api, data, 1)
    data.meta.update_chunk_settings(chunks_size=1500, data_files_size_in_mb=150)
    saved(api, data, 1)
    data.finalize()
    wrong = [
        raised(partial(data.meta.update_chunk_settings, **{name: 0}), f"{name} must be positive")
        for name in ("chunks_size", "data_files_size_in_mb", "video_files_size_in_mb")
    ]
    info = json.loads((data.root / "meta/info.json").read_text())
    again = api.opened(data.root)
    return [len(again), info["chunks_size"], again.meta.get_chunk_settings(), *wrong]


def tasks(api: Api) -> Outcome:
    """Each frame has its own task; tasks are numbered as they first come."""
    data = api.create()
    for number, task in enumerate(["a", "b", "a"]):
        data.add_frame({"task": task, "state": state(api, number, 0)})
    data.save_episode()
    saved(api, data, 1, task="c")
    data.finalize()
    again = api.opened(data.root)
    return [[item["task"] for item in again], again.meta.total_tasks]


def image_writer(api: Api) -> Outcome:
    data = api.create({"image": camera("image")})
    data.writer.start_image_writer(num_processes=0, num_threads=2)
    for number in range(4):
        data.add_frame({"image": made.image_of(0, number, 0), "task": "x"})
    data.save_episode()
    data.writer.stop_image_writer()
    data.finalize()
    pixels = [np.rint(one["image"].permute(1, 2, 0).numpy() * 255).astype(np.uint8) for one in data]
    return [made.painted_on(one) for one in pixels]


def written_episodes(api: Api) -> Outcome:
    """The columns of the list of episodes that say where an episode is."""
    data = api.create({**PLAIN, "cam": camera("video")})
    for episode in range(2):
        for number in range(4):
            image = made.image_of(episode, number, 0)
            data.add_frame({"state": state(api, number, 0), "cam": image, "task": "x"})
        data.save_episode()
    data.finalize()
    rows = [api.opened(data.root).meta.episodes[k] for k in range(2)]
    keys = ("episode_index", "length", "tasks", "dataset_from_index", "dataset_to_index")
    return [{key: row[key] for key in keys} for row in rows] + [
        sorted(one for one in rows[0] if one.startswith(("videos/", "data/", "meta/")))
    ]


def depth(number: int) -> Any:  # Any: an array
    """(H, W, 1) uint16 millimetres, a slope that moves."""
    slope = 400 + 30 * np.add.outer(np.arange(64), np.arange(96)) + 11 * number
    return slope[..., None].astype(np.uint16)


DEPTHS = {"info": {"is_depth_map": True}}


def depths(api: Api) -> Outcome:
    """Depth cameras as video, in both units, and as images: what is read, and what `info` tells but `g`."""
    video, image = camera("video", (64, 96, 1)) | DEPTHS, camera("image", (64, 96, 1)) | DEPTHS
    found = {}
    for unit, factor, features in (
        ("mm", 1, {"depth.video": video, "depth.image": image}),
        ("m", 0.001, {"depth.video": video}),
    ):
        data = api.create({**PLAIN, **features})
        for number in range(4):
            value = depth(number) if unit == "mm" else (depth(number) * factor).astype(np.float32)
            frame = {"state": state(api, number, 0), "task": "x", **dict.fromkeys(features, value)}
            data.add_frame(frame)
        data.save_episode()
        data.finalize()
        again = api.opened(data.root)
        back = {name: again[3][name].numpy() for name in features}
        told = [
            [str(one.dtype), list(one.shape), float(one.mean().round(3))] for one in back.values()
        ]
        info = {name: dict(again.meta.features[name]["info"]) for name in features}
        for facts in info.values():
            facts.pop("video.g", None)  # ours are all keyframes: docs/design/0025
        found[unit] = [*told, info, {name: exact(again.meta.stats[name]) for name in features}]
    return found


def depth_images_in_metres(api: Api) -> Outcome:
    data = api.create({"depth": camera("image", (64, 96, 1)) | DEPTHS})
    frame = {"depth": (depth(0) * 0.001).astype(np.float32), "task": "x"}
    return raised(lambda: data.add_frame(frame))


def video_info(api: Api) -> Outcome:
    """What `info.json` says of cameras, and the stated codec of the files."""
    configs: Any = importlib.import_module("lerobot.configs")
    found = []
    for more in ({}, {"rgb_encoder": configs.RGBEncoderConfig(vcodec="h264", crf=20, g=5)}):
        data = api.create({"cam": camera("video")}, **more)
        for number in range(6):
            data.add_frame({"cam": made.image_of(0, number, 0), "task": "x"})
        data.save_episode()
        data.finalize()
        found.append(json.loads((data.root / "meta/info.json").read_text())["features"])
    return found


def statistics(api: Api) -> Outcome:
    """Names, shapes and values of statistics; quantiles by name and shape only, as lerobot's are coarse."""
    data = api.create(made.features("video") | {"image": camera("image")})
    for number in range(12):
        frame = made.frame_of(0, number) | {"image": made.image_of(0, number, 2)}
        data.add_frame(frame)
    data.save_episode()
    data.finalize()
    found: dict[str, Any] = {}
    for name, parts in sorted(api.opened(data.root).meta.stats.items()):
        shapes = {key: list(np.shape(value)) for key, value in sorted(parts.items())}
        found[name] = [shapes, exact(parts)]
    return found


def exact(parts: dict[str, Any]) -> Outcome:
    """The statistics that releases compute alike, to three digits."""
    names = ("min", "max", "mean", "std", "count")
    return {name: np.round(parts[name], 3).ravel().tolist() for name in names}


def lerobot_record(api: Api) -> Outcome:
    """`lerobot-record` with a mock arm: two episodes, then one more with `--resume`.

    How many frames fit into an episode depends on the clock; that rows and pictures fit each other does not.
    """
    script = api.lerobot_record()
    root, found = api.folder / "by-command", []
    for resume, episodes in ((False, 2), (True, 1)):
        data = script(root, resume=resume, episodes=episodes)
        facts = [
            data.num_episodes,
            data.meta.total_episodes,
            data.num_frames == data.meta.total_frames,
        ]
        found += [*facts, data.meta.total_tasks, type(data).__name__]
    again = api.opened(root)
    rows = [int(item["observation.state"][0]) for item in again]
    pictures = [
        made.painted_on(
            np.rint(item[f"observation.images.{camera}"].permute(1, 2, 0).numpy() * 255)
        )
        for item in again
        for camera in ("front", "wrist")
    ]
    expected = [(row, 0, camera) for row in rows for camera in range(2)]
    return [*found, len(rows) >= 6, pictures == expected, again.meta.robot_type]


BEHAVIOURS: tuple[Callable[[Api], Outcome], ...] = (
    frames_count, wrong_frames, wrong_image_shape, wrong_image_range, shapes, zero_width, strings, images,
    counters, pending, cleared, clear_leaves_no_images, nothing_to_save, episode_data, wrong_episode_data,
    options, manager, created, create_twice, attributes, resumed_empty, resumed, resume_needs_a_root,
    read_only, finalized, finalized_without_episodes, windows, read_while_recording, chunk_settings, tasks,
    image_writer, written_episodes, depths, depth_images_in_metres, video_info,
    statistics, lerobot_record,
)  # fmt: skip


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    (job,) = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    api = Classes(Path(job["folder"]), job["alias"])
    only, found = job.get("only"), {}
    for behaviour in BEHAVIOURS:
        if only and behaviour.__name__ != only:
            continue
        try:
            outcome = behaviour(api)
        except Exception as error:
            outcome = f"failed: {type(error).__name__}: {error}"
            traceback.print_exc()
        found[behaviour.__name__] = outcome
    found["class"] = f"{api.LeRobotDataset.__module__}.{api.LeRobotDataset.__name__}"  # type: ignore[attr-defined]
    Path(job["out"]).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # daemons of image writers are not waited for


if __name__ == "__main__":
    main()
