"""The commands, scripts and functions that users of lerobot know, and what does the same here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from roboreel.cli.failures import lerobot_operations as to
from roboreel.format.info import FROM_V1
from roboreel.format.version import FormatVersion

OPERATIONS: Mapping[str, to.Translate] = {
    "delete_episodes": to.delete,
    "split": to.split,
    "merge": to.merge,
    "remove_feature": to.remove_features,
    "modify_tasks": to.tasks,
    "convert_image_to_video": to.to_video,
    "reencode_videos": to.encode,
    "recompute_stats": to.statistics,
    "info": to.show,
}
"""What `lerobot-edit-dataset --operation.type` takes."""

_COMMAND, _FUNCTION = "a command of lerobot", "a function of lerobot"
_SCRIPT, _ANY4 = "a script of lerobot", "a script of any4lerobot"
_BOTH = "a script of lerobot and any4lerobot"
_OTHERS = "a script that converts datasets of lerobot"

NAMES: Mapping[str, tuple[to.Translate, str]] = {
    **{name: (make, "an operation of lerobot") for name, make in OPERATIONS.items()},
    "delete": (to.delete, _COMMAND),
    "tasks": (to.tasks, _COMMAND),
    "encode": (to.encode, _COMMAND),
    "features": (to.remove_features, _COMMAND),
    "stats": (to.own_stats, _COMMAND),
    "remove_features": (to.remove_features, _FUNCTION),
    "add_feature": (to.add_features, _FUNCTION),
    "add_features": (to.add_features, _FUNCTION),
    "modify_features": (to.modify_features, _FUNCTION),
    "split_dataset": (to.split, _FUNCTION),
    "merge_datasets": (to.merge, _FUNCTION),
    "aggregate_datasets": (to.merge, _FUNCTION),
    "convert_image_to_video_dataset": (to.to_video, _FUNCTION),
    "reencode_dataset": (to.encode, _FUNCTION),
    "push_to_hub": (to.push, _FUNCTION),
    "push": (to.push, _COMMAND),
    "pull": (to.pull, _COMMAND),
    "convert": (to.convert(None), _COMMAND),
    "info": (to.show, _COMMAND),
    "dataset_info": (to.show, "not a command of lerobot nor of roboreel"),
    "dataset_report": (to.show, "a command of forks of lerobot"),
    "augment_dataset_quantile_stats": (to.quantiles, _SCRIPT),
    "convert_dataset_v21_to_v30": (to.convert(FormatVersion.V30), _BOTH),
    "convert_dataset_v20_to_v21": (to.convert(FormatVersion.V21), _BOTH),
    "convert_dataset_v21_to_v20": (to.convert(FormatVersion.V20), _ANY4),
    "convert_dataset_v30_to_v21": (to.convert(FormatVersion.V21), _ANY4),
    "ds_version_convert": (to.convert(None), "the folder of any4lerobot's conversion scripts"),
    "merge_lerobot_dataset": (to.merge, _ANY4),
    "dataset_downsample": (to.downsample, _ANY4),
}
"""The translation of a name, and what the name is."""

_CONVERTS = re.compile(r"(?:convert_)?(?:[a-z]+_)*v?\d+(?:_to_v?\d+)*_to_v?(\d+)")
_MERGES = re.compile(r"(?:merge|aggregate|combine)_(?:lerobot_)?(?:data|datasets?)")
_VERSIONS = {version.value.strip("v").replace(".", ""): version for version in FormatVersion}
_VERSIONS |= {"3": FormatVersion.V30, "2": FormatVersion.V21}


def translation(name: str) -> tuple[to.Translate, str] | None:
    """What `NAMES` has of a name, or what a script that is called like this does; None for other names."""
    if name in NAMES:
        return NAMES[name]
    converts = _CONVERTS.fullmatch(name)
    if converts is not None and converts[1] in _VERSIONS:
        return to.convert(_VERSIONS[converts[1]]), _OTHERS
    if _MERGES.fullmatch(name):
        return to.merge, "a script that merges datasets of lerobot"
    return None


_ROBOT = "controls a robot: use lerobot for that; roboreel works on datasets"
_VIEWER = (
    "roboreel has no viewer: use lerobot-dataset-viz or Rerun, which can show what roboreel writes. To"
    " list what a dataset contains:"
)
_HELP = ("--help",)
_INFO = ("info", "SRC")
_FROM_V1 = f"roboreel reads v2.0 and later: {FROM_V1}. After that:"
_CONVERT = ("convert", "SRC", "--to", FormatVersion.V30.value, "-o", "converted")
ELSEWHERE: Mapping[str, tuple[str, Sequence[str]]] = {
    "convert_dataset_v1_to_v2": (_FROM_V1, _CONVERT),
    "convert_dataset_v16_to_v20": (_FROM_V1, _CONVERT),
    "dataset_viz": (_VIEWER, _INFO),
    "viz": (_VIEWER, _INFO),
    "visualize_dataset": (_VIEWER, _INFO),
    "visualize_dataset_html": (_VIEWER, _INFO),
    "imgtransform_viz": (
        "roboreel does not show image transforms: use lerobot for that. To list what a dataset contains:",
        _INFO,
    ),
    "record": (
        "roboreel records from Python, in your robot's control loop (roboreel.Recorder, or"
        " roboreel.torch.LeRobotDataset.create). To make an example recording:",
        ("demo", "record", "recorded"),
    ),
    "train": (
        "roboreel does not train policies: in your training script, import LeRobotDataset from"
        " roboreel.torch. To decode frames once, for roboreel.reader(…, frame_cache=DIR):",
        ("cache", "build", "SRC", "--dir", "frames"),
    ),
    "eval": (
        "lerobot-eval evaluates policies: use lerobot for that; roboreel works on datasets",
        _HELP,
    ),
    **{
        name: (f"lerobot-{name.replace('_', '-')} {_ROBOT}", _HELP)
        for name in (
            "teleoperate",
            "calibrate",
            "find_cameras",
            "find_port",
            "replay",
            "setup_motors",
            "setup_can",
            "find_joint_limits",
            "rollout",
        )
    },
}
"""What has no command here: why, and the arguments to type."""
