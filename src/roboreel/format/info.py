"""Parse `meta/info.json`, the document that all versions have."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from roboreel.errors import DatasetError, Problem
from roboreel.format import v2
from roboreel.format.feature import Feature, is_feature_name
from roboreel.format.fps import parse_fps
from roboreel.format.model import INFO, Info
from roboreel.format.parse import LARGEST, Problems, is_whole, parse_json, unreadable
from roboreel.format.v30_episodes import episode_files
from roboreel.format.version import VERSIONS, FormatVersion
from roboreel.types import Json

V1_INFO = "meta_data/info.json"
"""The v1.x document that became `meta/info.json`."""
FROM_V1 = (
    "convert it to v2.0 first: lerobot 0.3.3 has"
    " python -m lerobot.datasets.v2.convert_dataset_v1_to_v2"
)
_NUMBERS = re.compile(r"v?(\d{1,4})(\.\d{1,4})*")
_KNOWN_KEYS = {
    "codebase_version", "fps", "robot_type", "features", "chunks_size", "data_path", "video_path",
    "data_files_size_in_mb", "video_files_size_in_mb", "splits",
    "total_episodes", "total_frames", "total_tasks", "total_videos", "total_chunks",
}  # fmt: skip


def parse_info(
    data: bytes,
    problems: Problems,
    *,
    defaults: Callable[[FormatVersion], tuple[str, str]],
    files: Collection[str],
) -> Info:
    """Parse `meta/info.json` of any version.

    Args:
        data: the document.
        problems: collects warnings and errors.
        defaults: returns a version's default data and video path templates.
        files: names of all files; an error suggests a version from them if the document has none.

    Raises:
        DatasetError: a required part is missing or invalid.
    """
    document = parse_json(data, INFO)
    if not isinstance(document, Mapping):
        raise unreadable(INFO, "not a JSON object")
    _report_twins(data, problems)
    version = _version(document, files)
    storage = document.get("storage_format", "parquet")
    if storage != "parquet":
        problems.error(
            "info.storage-format",
            f"storage_format is '{storage}'; roboreel reads 'parquet'",
            path=INFO,
        )
        problems.raise_errors("the dataset is stored in another format")
    data_path, video_path = defaults(version)
    fps = document.get("fps")
    try:
        rate = parse_fps(fps)
    except ValueError as error:
        problems.error("info.fps", str(error), path=INFO)
        problems.raise_errors("the dataset's frame rate cannot be read")
        raise
    features = _features(document.get("features"), problems)
    has_video = any(feature.is_video for feature in features.values())
    return Info(
        version=version,
        fps=rate,
        fps_value=fps if isinstance(fps, (int, float)) else float(rate),
        robot_type=_robot_type(document.get("robot_type"), problems),
        features=features,
        chunks_size=_positive(document, "chunks_size", 1000, problems) or 1000,
        data_path=_optional_text(document.get("data_path")) or data_path,
        video_path=(_optional_text(document.get("video_path")) or video_path)
        if has_video
        else None,
        data_file_mb=_size_limit(document, "data_files_size_in_mb", problems),
        video_file_mb=_size_limit(document, "video_files_size_in_mb", problems),
        splits=document.get("splits"),
        totals={key: value for key, value in document.items() if key.startswith("total_")},
        extra={key: value for key, value in document.items() if key not in _KNOWN_KEYS},
    )


def _report_twins(data: bytes, problems: Problems) -> None:
    """Report keys that occur twice in an object."""

    def checked(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        times = Counter(key for key, _ in pairs)
        for key in [key for key, count in times.items() if count > 1]:
            message = f"the key '{key}' appears twice"
            problems.add("document.keys", message, path=INFO, action="the last value is used")
        return dict(pairs)

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=checked)


def _version(document: Mapping[str, Json], files: Collection[str]) -> FormatVersion:
    stated = document.get("codebase_version")
    for version in VERSIONS:
        if stated in (version.value, version.value[1:]):
            return version
    known = ", ".join(version.value for version in VERSIONS)
    message = f"codebase_version is {stated!r}; roboreel reads {known}"
    if stated is None:
        message = f"codebase_version is missing; roboreel reads {known}"
    raise unknown_version(message, INFO, _next_step(stated, files))


def unknown_version(message: str, path: str, action: str | None) -> DatasetError:
    """The error for a dataset whose version cannot be read."""
    problem = Problem(
        rule="info.version", severity="error", message=message, path=path, action=action
    )
    return DatasetError("the dataset's format version is not supported", [problem])


def _next_step(stated: Json, files: Collection[str]) -> str | None:
    """What to do about a version that is missing, old, or new."""
    if stated is None:
        by_files = _version_of(files)
        return f'the files are named as in {by_files}: add "codebase_version": "{by_files}"'
    numbers = _NUMBERS.fullmatch(str(stated))
    if numbers is None:
        return f"the files are named as in {_version_of(files)}"
    if int(numbers[1]) < int(VERSIONS[0].value[1]):
        return FROM_V1
    return "update roboreel: this version may be newer"


def _version_of(files: Collection[str]) -> FormatVersion:
    """The version whose documents are among the files."""
    if episode_files(files):
        return FormatVersion.V30
    return FormatVersion.V21 if v2.EPISODE_STATS in files else FormatVersion.V20


def _features(document: Json, problems: Problems) -> dict[str, Feature]:
    if not isinstance(document, Mapping):
        problems.error("info.features", "'features' is missing or not a JSON object", path=INFO)
        problems.raise_errors("the dataset declares no features")
        return {}
    features = {}
    for name, spec in document.items():
        feature = _feature(str(name), spec)
        if feature is None:
            problems.error(
                "feature.declaration",
                "dtype must be a string and shape a list of positive whole numbers",
                path=INFO,
                column=str(name),
            )
        else:
            features[feature.name] = feature
    problems.raise_errors("the declaration of features in info.json is invalid")
    return features


def _feature(name: str, spec: Json) -> Feature | None:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("dtype"), str):
        return None
    shape = spec.get("shape")
    dims = [shape] if isinstance(shape, int) else shape
    if not isinstance(dims, list) or not all(is_whole(dim) and dim > 0 for dim in dims):
        return None
    if not is_feature_name(name):
        return None
    return Feature(name=name, dtype=spec["dtype"], shape=tuple(int(dim) for dim in dims), spec=spec)


def _optional_text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _robot_type(value: Json, problems: Problems) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    message = f"'robot_type' is {text}, expected a string"
    problems.add("info.robot-type", message, path=INFO, action="its JSON text is used")
    return text


def _positive(
    document: Mapping[str, Json], key: str, default: int | None, problems: Problems
) -> int | None:
    value = document.get(key, default)
    if value is None:
        return default
    if not is_whole(value) or value <= 0:
        problems.add(
            "info.number",
            f"'{key}' is {value!r}, expected a positive whole number",
            path=INFO,
            action=f"{default} is used" if default else "ignored",
        )
        return default
    return int(value)


def _size_limit(document: Mapping[str, Json], key: str, problems: Problems) -> int | float | None:
    value = document.get(key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (number and 0 < value < LARGEST):
        return value
    message = f"'{key}' is {value!r}, expected a positive number"
    problems.add("info.number", message, path=INFO, action="ignored")
    return None
