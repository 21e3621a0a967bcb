"""Names and arguments of earlier lerobot releases, answered with what to use."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from roboreel.torch.errors import WrongTypeError

_V2_DATASET = (
    "it is in the interface of lerobot 0.3.3: from roboreel.torch.v2 import LeRobotDataset"
)
_V2_META = (
    "it is in the interface of lerobot 0.3.3: from roboreel.torch.v2 import LeRobotDataset, or"
    " LeRobotDatasetMetadata"
)
_SAVED = (
    "save_episode writes complete episodes, and finalize() ends the recording: leave this call out"
)

OF_DATASETS = {
    **dict.fromkeys(
        ("column_names", "filter", "map", "select", "shuffle", "to_pandas", "train_test_split"),
        "rows are in dataset.hf_dataset. Choose episodes with LeRobotDataset(…, episodes=[0, 1])",
    ),
    "batch_encode_videos": _V2_DATASET,
    "consolidate": _SAVED,
    "encode_episode_videos": _V2_DATASET,
    "encode_videos": _SAVED,
    "episode_data_index": _V2_DATASET,
    "stats": "statistics are in its metadata: dataset.meta.stats",
}
OF_METADATA = {
    "add_task": _V2_META,
    "episodes_stats": _V2_META,
    "get_episode_chunk": _V2_META,
    "task_to_task_index": f"{_V2_META}. Here it is meta.get_task_index(task)",
    "total_chunks": _V2_META,
}
_ROWS = (
    "rows can be chosen, .select([0, 5]) or .filter(function), and read, .with_format('numpy')[:]. For all"
    " else, datasets.Dataset.from_dict(rows.to_dict()) or pyarrow.table(rows.to_dict())"
)
OF_ROWS = {
    **dict.fromkeys(
        (
            "add_column", "batch", "cast", "cast_column", "data", "format", "map", "rename_column",
            "rename_columns", "save_to_disk", "set_transform", "shard", "skip", "sort", "take", "to_csv",
            "to_iterable_dataset", "to_list", "to_parquet", "to_polars", "with_transform",
        ),
        _ROWS,
    ),
    "set_format": "take other rows, rows = dataset.hf_dataset.with_format('numpy')",
    "shuffle": "a DataLoader shuffles items, shuffle=True. Rows in another order are .select(order)",
    "train_test_split": "split by episodes: LeRobotDataset(…, episodes=[…]), or split_dataset",
}  # fmt: skip
_PANDAS = "with the package pandas it is a DataFrame: pip install pandas"
OF_TASKS = dict.fromkeys(
    ("apply", "head", "iat", "at", "items", "reset_index", "sort_values", "to_dict", "values"),
    _PANDAS,
)
_DATASETS = "with the package datasets it is a datasets.Dataset: pip install datasets"
OF_EPISODES = {
    **dict.fromkeys(("map", "shuffle", "sort", "train_test_split", "with_format"), _DATASETS),
    **dict.fromkeys(
        ("items", "keys", "values"),
        "a dict by episode is in roboreel.torch.v2.LeRobotDatasetMetadata",
    ),
}
OF_STREAMS = {
    **dict.fromkeys(
        ("hf_dataset", "get_raw_item", "select_columns"),
        "a stream has only items. LeRobotDataset(…, streaming=True) has rows too, and items by number",
    ),
    **dict.fromkeys(("features", "camera_keys", "stats"), "it is in the metadata, dataset.meta"),
}
TASK = (
    "put the task into each frame, add_frame({…, 'task': 'pick up the cube'}), and call save_episode()"
    " without it"
)
_ARGUMENTS = {
    **dict.fromkeys(
        ("multiprocessing_context", "persistent_workers", "timeout", "worker_init_fn"),
        "batches are made by threads: leave it out",
    ),
    "collate_fn": "batches are stacked as DataLoader does: leave it out, or use DataLoader",
    "encode_videos": "frames are encoded while they are recorded: leave it out",
    "frame_cache": "roboreel.reader(dataset, frame_cache=DIR) has it, and Loader takes this reader",
    "local_files_only": "files that are here are not downloaded: leave it out",
    "num_workers": "batches are made by threads: threads=2",
    "prefetch_factor": "it is the batches of all threads: prefetch=2",
    "split": "choose episodes by their numbers: episodes=[0, 1]",
    "task": TASK,
}
_P = ParamSpec("_P")
_Class = TypeVar("_Class", bound=type)


class AnsweringMissingNames:
    """A class whose error for a missing attribute says what to use, where that is known."""

    _instead: ClassVar[Mapping[str, str]] = {}
    """What to use, by the missing name."""

    if not TYPE_CHECKING:  # with it, type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):  # a property raised AttributeError: raise that again
                return object.__getattribute__(self, name)
            hint = f": {self._instead[name]}" if name in self._instead else ""
            text = f"'{type(self).__name__}' object has no attribute '{name}'{hint}"
            raise AttributeError(text, name=name, obj=self)


def refusing_old_arguments(function: Callable[_P, None]) -> Callable[_P, None]:
    """A constructor or method that says what to pass in place of arguments of lerobot and torch."""

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> None:
        for name in _ARGUMENTS.keys() & kwargs.keys():
            raise WrongTypeError(f"there is no argument '{name}': {_ARGUMENTS[name]}")
        function(*args, **kwargs)

    return checked


def of_public_class(name: str) -> Callable[[_Class], _Class]:
    """A decorator for a part of a class: Python's errors about calls of its methods name the whole class."""

    def named(part: _Class) -> _Class:
        for member in vars(part).values():
            function = inspect.unwrap(getattr(member, "__func__", member))
            if inspect.isfunction(function):
                function.__qualname__ = f"{name}.{function.__name__}"
        return part

    return named
