"""roboreel: the toolkit for robot datasets in the LeRobot format.

    >>> import roboreel
    >>> dataset = roboreel.open("path/to/dataset")              # doctest: +SKIP
    >>> roboreel.check(dataset).problems                        # doctest: +SKIP
    >>> roboreel.convert(dataset, to="v3.0", out="elsewhere")   # doctest: +SKIP

Names are loaded when they are first used, so that `import roboreel` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roboreel.checking.check import check
    from roboreel.checking.check_report import CheckReport
    from roboreel.checking.stats_report import StatsReport
    from roboreel.dataset.dataset import Dataset
    from roboreel.diffing import Difference, DiffReport, diff
    from roboreel.edit.concat import concat
    from roboreel.edit.view import View
    from roboreel.edit.write_options import WriteOptions
    from roboreel.errors import (
        DatasetError,
        HubError,
        MissingDependencyError,
        PlanError,
        Problem,
        RoboreelError,
        RunError,
        StorageError,
        UsageError,
        VideoError,
    )
    from roboreel.format.encoding import Encoding, Reencoding
    from roboreel.format.feature import Feature
    from roboreel.format.version import FormatVersion
    from roboreel.hub.open_reference import (
        open_reference as open,  # of a view file, see `open_view`
    )
    from roboreel.hub.open_remote import open_remote
    from roboreel.hub.open_source import open_view
    from roboreel.hub.pull import pull
    from roboreel.hub.pull_report import PullReport
    from roboreel.ops.check_stats import check_stats
    from roboreel.ops.index_packets import PacketIndexReport, index_packets
    from roboreel.ops.inputs import add_video
    from roboreel.ops.lerobot_names import convert_dataset
    from roboreel.ops.output import recover
    from roboreel.ops.undo import KeptVersion, Undone, kept_versions, remove_kept, undo
    from roboreel.ops.write import convert, plan_convert, plan_write, run, write
    from roboreel.plan.plan import Plan
    from roboreel.progress.event import ProgressEvent
    from roboreel.reading.read_options import ReadOptions
    from roboreel.reading.reader import Reader, reader
    from roboreel.recording.recorder import Recorder
    from roboreel.repairing.choices import RepairChoices
    from roboreel.repairing.repair import repair
    from roboreel.repairing.repair_report import RepairReport, RepairStep
    from roboreel.runner.run_options import RunOptions
    from roboreel.runner.run_report import Report
    from roboreel.storage.frames_by_time import decode_video_frames

__version__ = "0.1.0"

__all__ = [
    "CheckReport",
    "Dataset",
    "DatasetError",
    "DiffReport",
    "Difference",
    "Encoding",
    "Feature",
    "FormatVersion",
    "HubError",
    "KeptVersion",
    "MissingDependencyError",
    "PacketIndexReport",
    "Plan",
    "PlanError",
    "Problem",
    "ProgressEvent",
    "PullReport",
    "ReadOptions",
    "Reader",
    "Recorder",
    "Reencoding",
    "RepairChoices",
    "RepairReport",
    "RepairStep",
    "Report",
    "RoboreelError",
    "RunError",
    "RunOptions",
    "StatsReport",
    "StorageError",
    "Undone",
    "UsageError",
    "VideoError",
    "View",
    "WriteOptions",
    "__version__",
    "add_video",
    "check",
    "check_stats",
    "concat",
    "convert",
    "convert_dataset",
    "decode_video_frames",
    "diff",
    "index_packets",
    "kept_versions",
    "open",
    "open_remote",
    "open_view",
    "plan_convert",
    "plan_write",
    "pull",
    "reader",
    "recover",
    "remove_kept",
    "repair",
    "run",
    "undo",
    "write",
]

_HOME = {
    "CheckReport": "checking.check_report",
    "Dataset": "dataset.dataset",
    "DiffReport": "diffing.diff_report",
    "Difference": "diffing.diff_report",
    "Encoding": "format.encoding",
    "Feature": "format.feature",
    "FormatVersion": "format.version",
    "KeptVersion": "ops.undo",
    "PacketIndexReport": "ops.index_packets",
    "Plan": "plan.plan",
    "ProgressEvent": "progress.event",
    "PullReport": "hub.pull_report",
    "ReadOptions": "reading.read_options",
    "Reader": "reading.reader",
    "Recorder": "recording.recorder",
    "Reencoding": "format.encoding",
    "RepairChoices": "repairing.choices",
    "RepairReport": "repairing.repair_report",
    "RepairStep": "repairing.repair_report",
    "Report": "runner.run_report",
    "RunOptions": "runner.run_options",
    "StatsReport": "checking.stats_report",
    "Undone": "ops.undo",
    "View": "edit.view",
    "WriteOptions": "edit.write_options",
    "add_video": "ops.inputs",
    "check": "checking.check",
    "check_stats": "ops.check_stats",
    "concat": "edit.concat",
    "convert": "ops.write",
    "convert_dataset": "ops.lerobot_names",
    "decode_video_frames": "storage.frames_by_time",
    "diff": "diffing.diff",
    "index_packets": "ops.index_packets",
    "kept_versions": "ops.undo",
    "open": "hub.open_source",
    "open_remote": "hub.open_remote",
    "open_view": "hub.open_source",
    "plan_convert": "ops.write",
    "plan_write": "ops.write",
    "pull": "hub.pull",
    "reader": "reading.reader",
    "recover": "ops.output",
    "remove_kept": "ops.undo",
    "repair": "repairing.repair",
    "run": "ops.write",
    "undo": "ops.undo",
    "write": "ops.write",
}


_MEANT = {
    "concatenate": "roboreel.concat([a, b])",
    "delete": "roboreel.open(path).delete([3])",
    "info": "print(roboreel.open(path))",
    "keep": "roboreel.open(path).keep([3])",
    "load": "roboreel.open(path)",
    "load_dataset": "roboreel.open(path)",
    "merge": "roboreel.concat([a, b])",
    "push": "from roboreel.hub import push",
    "resample": "roboreel.open(path).resample(10)",
    "save": "roboreel.write(view, out=path)",
    "split": 'roboreel.open(path).split({"train": 0.8, "val": 0.2})',
    "trim": "roboreel.open(path).trim({3: (10, None)})",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        if name in importlib.import_module("roboreel.torch").HOMES:  # does not load torch
            # no AttributeError: `from … import` would not show its text
            text = f"'{name}' is in roboreel.torch: from roboreel.torch import {name}"
            raise ImportError(text, name="roboreel")
        if name in _MEANT:
            raise AttributeError(f"roboreel has no '{name}': use {_MEANT[name]}")
        raise AttributeError(f"module 'roboreel' has no attribute '{name}'")
    module = importlib.import_module(f"roboreel.{_HOME.get(name, 'errors')}")
    value = getattr(module, "open_source" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
