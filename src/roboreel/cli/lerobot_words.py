"""lerobot's commands and options, answered with the line to type here."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from roboreel.cli.advice import Advice, suggested_output, typed
from roboreel.cli.catalog import ENTRIES
from roboreel.format.version import FormatVersion

_OPTIONS = {
    "repo_id",
    "repo_ids",
    "root",
    "new_root",
    "roots",
    "new_repo_id",
    "type",
    "episode_indices",
    "push_to_hub",
    "feature_names",
    "splits",
    "output_dir",
    "out_dir",
    "new_task",
    "episode_tasks",
    "fps",
    "vcodec",
}
_SURE = {
    "repo_id",
    "repo_ids",
    "new_repo_id",
    "new_root",
    "episode_indices",
    "push_to_hub",
    "root",
    "roots",
    "splits",
}
"""Options that no command of roboreel has."""
_KEY = re.compile(r"--?(operation\.|dataset\.)?([A-Za-z_][\w-]*)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Typed:
    """What a user of lerobot has typed."""

    command: str
    """Its name with underscores, without path and `lerobot_`; empty if there is none."""
    options: Mapping[str, list[str]]
    others: Sequence[str]
    """Words that belong to no option of lerobot."""

    def first(self, *names: str) -> str | None:
        """The first value of the first option that is given."""
        return next((self.options[name][0] for name in names if self.options.get(name)), None)

    @property
    def source(self) -> str:
        """The dataset, or a placeholder name."""
        own = [word for word in self.others if not word.startswith("-")]
        return self.first("root", "repo_id") or (own[0] if own else "my_dataset")

    def out(self, command: str) -> list[str]:
        """Where the result goes."""
        named = self.first("new_root", "output_dir", "out_dir", "o", "out")
        new_id = self.first("new_repo_id")
        name = named or (
            new_id.split("/")[-1] if new_id else suggested_output(self.source, command)
        )
        return ["-o", name]


def lerobot_advice(words: Sequence[str]) -> Advice | None:
    """What to type here for a command of lerobot; None if it isn't one."""
    found = _parsed(words)
    ours = {entry.name for entry in ENTRIES}
    asked = found.first("type") or found.command
    if asked in _NO_COMMANDS:
        message, lines = _NO_COMMANDS[asked]
        own = shlex.quote(found.source)
        return Advice(message, tuple((line.replace("my_dataset", own), "") for line in lines))
    make = _COMMANDS.get(asked)
    if make is None and (asked not in ours or not _SURE & found.options.keys()):
        return None
    if make is not None and asked in ours and not _SURE & found.options.keys():
        return None
    line = typed(make(found) if make is not None else [asked, found.source, *found.others])
    spelled = next((word for word in words if not word.startswith("-")), "")
    said = f"'{spelled}' is a command of lerobot" if spelled not in ours else _options_said(words)
    answers = [(line, "")]
    if "push_to_hub" in found.options:
        out = shlex.split(line)[-1] if " -o " in line else found.source
        repo_id = found.first("new_repo_id", "repo_id") or "user/name"
        answers.append((typed(["push", out, repo_id]), "uploads it"))
    return Advice(said, tuple(answers))


def _options_said(words: Sequence[str]) -> str:
    names = []
    for word in words:
        key = _KEY.fullmatch(word)
        if key is not None and word.startswith("--") and _plain(key[2]) in _OPTIONS:
            names.append(word.split("=")[0])
    return f"{' and '.join(dict.fromkeys(names)) or 'this'} is an option of lerobot"


def _parsed(words: Sequence[str]) -> _Typed:
    options: dict[str, list[str]] = {}
    others: list[str] = []
    command, key = "", None
    for word in words:
        match = _KEY.fullmatch(word)
        name = None if match is None else _plain(match[2])
        if match is not None and (name in _OPTIONS or name in ("o", "out")):
            key = name
            options.setdefault(key or "", [])
            if match[3] is not None:
                options[key or ""] += _items(match[3])
        elif word.startswith("-"):
            key = None
            others.append(word)
        elif key is not None:
            options[key] += _items(word)
        elif not command:
            command = _plain(word.split("/")[-1].split(".")[-1] if "lerobot" in word else word)
        else:
            others.append(word)
    return _Typed(command.removeprefix("lerobot_"), options, others)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _items(text: str) -> list[str]:
    """The items of `[3, 4, 5]`, `['a', 'b']` or `3,4`; a dictionary and other text stay whole."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return [stripped]
    if not re.search(r"[\[\],]", stripped):
        return [stripped]
    return [part.strip(" '\"[]") for part in stripped.split(",") if part.strip(" '\"[]")]


def _delete(found: _Typed) -> list[str]:
    numbers = ",".join(found.options.get("episode_indices") or ["3", "5"])
    return ["delete", found.source, "--episodes", numbers, *found.out("delete")]


def _split(found: _Typed) -> list[str]:
    return ["split", found.source, "--into", _parts(found.first("splits")), *found.out("split")]


def _parts(text: str | None) -> str:
    try:
        splits = ast.literal_eval(text or "")
        return ",".join(
            f"{name}={','.join(map(str, part)) if isinstance(part, list) else part}"
            for name, part in splits.items()
        )
    except (ValueError, SyntaxError, AttributeError):
        return "train=0.8,val=0.2"


def _merge(found: _Typed) -> list[str]:
    sources = found.options.get("roots") or found.options.get("repo_ids") or found.others
    return ["merge", *(sources or ["first", "second"]), *found.out("merge")]


def _remove(found: _Typed) -> list[str]:
    names = found.options.get("feature_names") or ["observation.images.wrist"]
    removed = [word for name in names for word in ("--remove", name)]
    return ["features", found.source, *removed, *found.out("features")]


def _tasks(found: _Typed) -> list[str]:
    return ["tasks", found.source, "--set", found.first("new_task") or "TEXT", *found.out("tasks")]


def _written(command: str, *more: str) -> Callable[[_Typed], list[str]]:
    return lambda found: [command, found.source, *more, *found.out(command)]


def _shown(command: str) -> Callable[[_Typed], list[str]]:
    return lambda found: [command, found.source]


_COMMANDS: dict[str, Callable[[_Typed], list[str]]] = {
    "delete": _delete,
    "delete_episodes": _delete,
    "edit_dataset": _delete,
    "split": _split,
    "split_dataset": _split,
    "merge": _merge,
    "merge_datasets": _merge,
    "aggregate_datasets": _merge,
    "remove_feature": _remove,
    "remove_features": _remove,
    "modify_tasks": _tasks,
    "add_features": _written("features", "--add", "NAME=values.npy"),
    "modify_features": _written("features", "--add", "NAME=values.npy"),
    "convert_image_to_video": _written("encode"),
    "convert_image_to_video_dataset": _written("encode"),
    "reencode_videos": _written("encode", "--vcodec", "h264"),
    "recompute_stats": _written("stats", "--recompute"),
    "augment_dataset_quantile_stats": _written("stats", "--recompute"),
    "convert_dataset_v21_to_v30": _written("convert", "--to", FormatVersion.V30.value),
    "convert_dataset_v20_to_v21": _written("convert", "--to", FormatVersion.V21.value),
    "dataset_report": _shown("info"),
    "push_to_hub": lambda found: ["push", found.source, found.first("repo_id") or "user/name"],
}
"""The line to type, by the name of an operation."""

_ROBOT = "controls a robot: use lerobot for that; roboreel works on datasets"
_VIEWER = (
    "roboreel has no viewer: use lerobot-dataset-viz or Rerun, which can show what roboreel writes. To"
    " list what a dataset contains:"
)
_NO_COMMANDS: dict[str, tuple[str, Sequence[str]]] = {
    "dataset_viz": (_VIEWER, ["roboreel info my_dataset"]),
    "visualize_dataset": (_VIEWER, ["roboreel info my_dataset"]),
    "record": (
        "roboreel records from Python, in your robot's control loop (roboreel.Recorder, or"
        " roboreel.torch.LeRobotDataset.create). To make an example recording:",
        ["roboreel demo record recorded"],
    ),
    "train": (
        "roboreel does not train policies: in your training script, import LeRobotDataset from"
        " roboreel.torch. To decode frames once, before training:",
        ["roboreel cache build my_dataset --dir frames"],
    ),
    **{
        name: (f"lerobot-{name.replace('_', '-')} {_ROBOT}", ["roboreel --help"])
        for name in (
            "teleoperate",
            "calibrate",
            "find_cameras",
            "find_port",
            "replay",
            "eval",
            "setup_motors",
        )
    },
}
"""What has no command here, by its name in lerobot: why, and lines to type."""
