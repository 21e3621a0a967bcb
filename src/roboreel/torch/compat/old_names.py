"""Names and arguments of earlier lerobot releases, answered with what to use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec

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
_ROWS = "choose rows by their numbers, .select([0, 5]), and read columns as arrays, .with_format('numpy')[:]"
OF_ROWS = {
    "data": "it reads its tables when they are used. A column is ['action'], all columns are [:]",
    "filter": _ROWS,
    "map": _ROWS,
    "shuffle": f"{_ROWS}. A DataLoader shuffles items: shuffle=True",
    "sort": _ROWS,
    "to_pandas": "pandas.DataFrame(rows.with_format('python')[:]) makes a frame",
    "train_test_split": "split by episodes: LeRobotDataset(…, episodes=[…]), or split_dataset",
}
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
_ARGUMENTS = {
    "local_files_only": "files that are here are not downloaded: leave it out",
    "split": "choose episodes by their numbers: episodes=[0, 1]",
}
_P = ParamSpec("_P")


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


def refusing_old_arguments(init: Callable[_P, None]) -> Callable[_P, None]:
    """A constructor that says what to pass in place of arguments that lerobot no longer has."""

    @functools.wraps(init)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> None:
        for name in _ARGUMENTS.keys() & kwargs.keys():
            raise WrongTypeError(f"there is no argument '{name}' any more: {_ARGUMENTS[name]}")
        init(*args, **kwargs)

    return checked
