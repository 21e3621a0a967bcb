"""The operations of lerobot and their options, as arguments of roboreel's commands."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from roboreel.cli.failures.lerobot_line import LerobotLine
from roboreel.dataset.open import open_dataset
from roboreel.errors import RoboreelError
from roboreel.format.encoding import Encoding
from roboreel.format.version import FormatVersion
from roboreel.hub.open_reference import is_here
from roboreel.hub.pull import default_folder
from roboreel.hub.reference import parse_reference

PLACEHOLDERS = {
    "EPISODES": "such as 3,11,20:26",
    "N=TEXT": "such as 0='pick up the cube'",
    "NAME": "the feature",
    "NAME=FILE": "such as success=values.npy",
    "PARTS": "such as train=0.8,val=0.2",
    "VERSION": ", ".join(one.value for one in FormatVersion),
    "N": "the rate in frames/s",
    "USER/NAME": "the repository on the Hub",
}
"""What to write for words that stand for what wasn't typed; roboreel refuses them if typed as they are."""

_SOURCE = ("root", "repo_id", "local_dir", "dataset", "dataset_path", "input_dir", "input")
_ENCODER = {
    "vcodec": "--vcodec",
    "pix_fmt": "--pix-fmt",
    "g": "--g",
    "crf": "--crf",
    "preset": "--preset",
    "fast_decode": "--fast-decode",
}
_NUMBERS = re.compile(r"[\d\s,\[\]]*\d[\d\s,\[\]]*")
_NO_SOURCE = "my_dataset"
PADDED = ("max_dim", "state_max_dim", "action_max_dim")
"""Options of any4lerobot that pad vectors to a length."""
_ROUNDING = 1e-9

Translate = Callable[[LerobotLine], list[str]]
"""Arguments of roboreel for a line, but for the output and options of all commands."""


def source_of(line: LerobotLine) -> str:
    """The dataset that a line names, or a placeholder."""
    return line.first(*_SOURCE) or line.next_word() or _NO_SOURCE


def delete(line: LerobotLine) -> list[str]:
    """`delete_episodes`."""
    source = source_of(line)
    numbers = line.items("episode_indices")
    typed = " ".join(line.words)
    if not numbers and _NUMBERS.fullmatch(typed):
        numbers = re.findall(r"\d+", typed)
        line.words.clear()
    if not numbers and line.has("episodes", "uid", "task"):
        return ["delete", source]
    return ["delete", source, "--episodes", ",".join(numbers) or "EPISODES"]


def split(line: LerobotLine) -> list[str]:
    """`split`: by fractions, whose last part takes the remainder, or by episodes."""
    source = source_of(line)
    parts = line.pairs("splits")
    if not parts:
        return ["split", source, *([] if line.has("into", "by_task") else ["--into", "PARTS"])]
    into = ",".join(f"{name}={_part(part)}" for name, part in parts.items())
    return ["split", source, "--into", into, *_rest(source, parts)]


def _part(part: object) -> str:
    if isinstance(part, list):
        return ",".join(map(str, part))
    return f"{float(part)}" if isinstance(part, int) else str(part)


def _rest(source: str, parts: Mapping[str, object]) -> list[str]:
    """`--rest NAME` if the parts leave something, where that can be known."""
    shares = [float(part) for part in parts.values() if isinstance(part, (int, float))]
    if len(shares) == len(parts):
        return ["--rest", [*parts][-1]] if math.fsum(shares) < 1 - _ROUNDING else []
    episodes = _episodes_of(source)
    listed = {number for part in parts.values() if isinstance(part, list) for number in part}
    if episodes is None or len(listed) >= episodes:
        return []
    return ["--rest", next(name for name in ("rest", "others", "left") if name not in parts)]


def _episodes_of(source: str) -> int | None:
    """The number of episodes of a dataset that is on this disk."""
    reference = parse_reference(source)
    folder = source if reference is None or is_here(source) else default_folder(reference)
    try:
        return open_dataset(folder).total_episodes
    except RoboreelError:
        return None


def merge(line: LerobotLine) -> list[str]:
    """`merge`, and the functions and scripts that merge."""
    sources = line.items("roots", "repo_ids", "sources")
    if not sources:
        sources = [*line.words]
        line.words.clear()
    padded = [name for name in PADDED if line.first(name) is not None]
    pad = ["--features", "pad"] if padded and not line.has("features") else []
    return ["merge", *(sources or ["FIRST", "SECOND"]), *pad]


def remove_features(line: LerobotLine) -> list[str]:
    """`remove_feature`."""
    source = source_of(line)
    names = line.items("feature_names", "feature_name", "remove_features", "feature")
    if not names and line.has("remove", "rename", "add", "add_video"):
        return ["features", source]
    names = names or line.listed_words()
    removed = [word for name in names or ["NAME"] for word in ("--remove", name)]
    return ["features", source, *removed]


ONE_PER_ROW = "an array with one value per row"
_ARRAYS = (".npy", ".parquet")


def add_features(line: LerobotLine) -> list[str]:
    """Columns are added by a function of lerobot, which takes arrays: here they are in files."""
    source = source_of(line)
    words = line.items("feature_names", "feature_name", "features") or line.listed_words()
    files = [word for word in words if word.endswith(_ARRAYS)]
    names = [word for word in words if word not in files]
    given = f"{names[0]}={[*files, f'{names[0]}.npy'][0]}" if names else "NAME=FILE"
    line.words.extend(names[1:])
    return ["features", source, "--add", given]


def is_guessed(word: str) -> bool:
    """True for the values of a column in a file whose name was not typed: `reward=reward.npy`."""
    name, _, file = word.partition("=")
    return bool(name) and file == f"{name}.npy"


def modify_features(line: LerobotLine) -> list[str]:
    """A function of lerobot that removes and adds."""
    return remove_features(line) if line.has("remove_features") else add_features(line)


def tasks(line: LerobotLine) -> list[str]:
    """`modify_tasks`: one text for all, texts by episode, and texts by old text."""
    words = ["tasks", source_of(line)]
    text = line.first("new_task", "single_task") or line.only_word()
    if text is not None:
        words += ["--set", text]
    for option, name in (("--replace", "task_replacements"), ("--episode", "episode_tasks")):
        for old, new in (line.pairs(name) or {}).items():
            words += [option, f"{old}={new}"]
    own = line.has("set", "replace", "episode")
    return words if len(words) > len(("tasks", "SRC")) or own else [*words, "--episode", "N=TEXT"]


def encode(line: LerobotLine) -> list[str]:
    """`reencode_videos`."""
    settings = _encoder(line)
    if not settings and not line.has("size", "to_images", "to_video", "camera"):
        settings = ["--vcodec", Encoding().vcodec]
    return ["encode", line.next_word() or source_of(line), *settings]


def to_video(line: LerobotLine) -> list[str]:
    """`convert_image_to_video`."""
    numbers = line.items("episode_indices")
    chosen = ["--episodes", ",".join(numbers)] if numbers else []
    return ["encode", source_of(line), "--to-video", *_encoder(line), *chosen]


def _encoder(line: LerobotLine) -> list[str]:
    words: list[str] = []
    for name, option in _ENCODER.items():
        value = line.first(f"rgb_encoder.{name}", f"rgb_encoder_{name}", name)
        words += [] if value is None else [option, value]
    return words


def statistics(line: LerobotLine) -> list[str]:
    """`recompute_stats`: lerobot leaves cameras out unless told otherwise."""
    words = ["stats", source_of(line), "--recompute"]
    line.taken.add("recompute")
    if not line.has("cameras"):
        words += ["--cameras", "sample" if line.truth("skip_image_video") is False else "none"]
    if line.truth("relative_action"):
        words.append("--relative-actions")
        chunk = line.first("chunk_size")
        words += [] if chunk is None else ["--chunk-size", chunk]
        kept = line.items("relative_exclude_joints")
        words += ["--exclude-joints", ",".join(kept)] if kept else []
    return words


def quantiles(line: LerobotLine) -> list[str]:
    """`augment_dataset_quantile_stats`."""
    words = ["stats", source_of(line), "--recompute"]
    if line.truth("skip_images"):
        return [*words, "--cameras", "none"]
    return [*words, "--cameras", "all"] if line.truth("no_sampling") else words


def convert(version: FormatVersion | None) -> Translate:
    """A script that converts to a version; None for scripts that leave it open."""

    def translate(line: LerobotLine) -> list[str]:
        if line.has("to"):
            return ["convert", source_of(line)]
        to = version.value if version is not None else line.first("version") or "VERSION"
        return ["convert", source_of(line), "--to", to]

    return translate


def downsample(line: LerobotLine) -> list[str]:
    """A script that lowers the rate."""
    source, rate = source_of(line), line.first("fps", "target_fps", "new_fps")
    return ["resample", source, "--fps", rate or "N"]


def push(line: LerobotLine) -> list[str]:
    """Uploading a folder, or a dataset in lerobot's folder under its own name."""
    repo_id = line.first("repo_id")
    folder = line.first("root", "local_dir") or line.next_word() or repo_id or _NO_SOURCE
    named = repo_id or line.next_word() or (folder if parse_reference(folder) else None)
    return ["push", folder, named or "USER/NAME"]


def pull(line: LerobotLine) -> list[str]:
    """Downloading: what names a folder for it is the output here."""
    repo_id = line.first("repo_id") or line.next_word()
    folder = line.first("o", "out", "root", "local_dir")
    if repo_id is None:
        return ["pull", folder or "USER/NAME"]
    return ["pull", repo_id, *([] if folder is None else ["-o", folder])]


def show(line: LerobotLine) -> list[str]:
    """What only looks: `roboreel info` always shows the features."""
    if line.truth("show_features") is False:
        line.taken.discard("show_features")
    return ["info", source_of(line)]


def own_stats(line: LerobotLine) -> list[str]:
    """`roboreel stats` with options of lerobot: it recomputes if one of them is about that."""
    about = ("relative_action", "relative_exclude_joints", "skip_image_video")
    return statistics(line) if line.has(*about) else ["stats", source_of(line)]


def nothing_but(command: str) -> Translate:
    """A command of roboreel under its own name."""
    return lambda line: [command, source_of(line)]
