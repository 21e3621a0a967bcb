"""The dataset card: what the Hub's page of a dataset shows, `README.md`.

The part between two marks is written by each push; all other text of a card is kept, whoever wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roboreel.dataset.dataset import Dataset
from roboreel.format.feature import Feature
from roboreel.format.model import INFO
from roboreel.hub.client import library
from roboreel.hub.push_options import PushOptions
from roboreel.types import JsonObject

CARD = "README.md"
_BEGIN = "<!-- roboreel: begin. Each push rewrites the text up to the end mark. -->"
_END = "<!-- roboreel: end -->"
_PART = re.compile(r"<!-- roboreel: begin.*?<!-- roboreel: end -->", re.DOTALL)
_LEROBOT_INFO = re.compile(
    r"(\[meta/info\.json\]\(meta/info\.json\):?\s*```json\n).*?(\n```)", re.DOTALL
)
"""Where lerobot's card has a copy of `info.json`."""
_DESCRIPTION = "A robot dataset in the [LeRobot](https://github.com/huggingface/lerobot) format."
_TASKS_SHOWN = 50


def push_card(
    dataset: Dataset,
    repo_id: str,
    previews: Mapping[str, str],
    options: PushOptions,
    existing: str | None,
) -> str:
    """The card of a dataset that is pushed.

    Args:
        dataset: the dataset.
        repo_id: `user/name`.
        previews: path in the repository of a camera's first frame, by camera.
        options: license, tags, and fields of a new card.
        existing: the card that the dataset or the repository has.
    """
    info = json.loads(dataset.root.read(INFO))
    part = _part(dataset, info, repo_id, previews)
    return card_text(repo_id, info, options, part, existing)


def card_text(
    name: str, info: JsonObject | None, options: PushOptions, part: str, existing: str | None
) -> str:
    """A card: metadata in YAML, then the existing text with the part of ours in it, or a new text.

    Args:
        name: the title of a new card.
        info: the content of `info.json`, for the copy that cards by lerobot have.
        options: license, tags, and fields of a new card.
        part: Markdown between the marks; empty for none.
        existing: the card so far.
    """
    card = library().DatasetCard(existing or "", ignore_metadata_errors=True)
    text = card.text.strip() if existing else _new_text(name, options.card)
    if info is not None:
        copy = json.dumps(info, indent=4, ensure_ascii=False)
        text = _LEROBOT_INFO.sub(lambda found: found[1] + copy + found[2], text)
    if part:
        marked = f"{_BEGIN}\n\n{part.strip()}\n\n{_END}"
        text, found = _PART.subn(lambda _: marked, text, count=1)
        text = text if found else f"{text}\n\n{marked}"
    data = library().DatasetCardData(**_metadata(card.data.to_dict(), options))
    return f"---\n{data.to_yaml()}\n---\n\n{text.strip()}\n"


def info_section(info: JsonObject) -> str:
    """A section of a card that shows `info.json`."""
    text = json.dumps(info, indent=2, ensure_ascii=False)
    return f"## meta/info.json\n\n```json\n{text}\n```"


def _metadata(known: Mapping[str, Any], options: PushOptions) -> dict[str, Any]:
    """The card's metadata: what it has, completed."""
    tags = known.get("tags") or []
    tags = [tags] if isinstance(tags, str) else list(tags)
    has_lerobot = any(str(tag).lower() == "lerobot" for tag in tags)
    return {
        **known,
        "license": options.license or known.get("license") or "apache-2.0",
        "task_categories": known.get("task_categories") or ["robotics"],
        "tags": list(dict.fromkeys([*([] if has_lerobot else ["LeRobot"]), *tags, *options.tags])),
        "configs": known.get("configs")
        or [{"config_name": "default", "data_files": "data/*/*.parquet"}],
    }


def _new_text(name: str, fields: Mapping[str, str]) -> str:
    lines = [f"# {name}", "", fields.get("dataset_description") or _DESCRIPTION]
    links = [("Homepage", fields.get("url")), ("Paper", fields.get("paper"))]
    shown = [f"- {what}: {where}" for what, where in links if where]
    lines += ["", *shown] if shown else []
    citation = fields.get("citation_bibtex")
    lines += ["", "## Citation", "", "```bibtex", citation, "```"] if citation else []
    return "\n".join(lines)


def _part(dataset: Dataset, info: JsonObject, repo_id: str, previews: Mapping[str, str]) -> str:
    """The Markdown between the marks."""
    sections = [
        _summary(dataset, repo_id),
        _cameras(dataset, previews),
        _features(dataset.features.values()),
        _tasks(list(dataset.tasks.values())),
        "## Load it\n\n```python\nfrom lerobot.datasets.lerobot_dataset import LeRobotDataset\n\n"
        f'dataset = LeRobotDataset("{repo_id}")\n```',
        info_section(info),
    ]
    return "\n\n".join(section for section in sections if section)


def _summary(dataset: Dataset, repo_id: str) -> str:
    fps = float(dataset.fps)
    minutes, seconds = divmod(round(dataset.total_frames / fps), 60)
    rows = [
        ("format", f"LeRobot {dataset.version}"),
        ("robot", dataset.robot_type or "not stated"),
        ("episodes", f"{dataset.total_episodes:,}"),
        ("frames", f"{dataset.total_frames:,} at {fps:g} fps ({minutes:,} min {seconds} s)"),
        ("tasks", f"{len(dataset.tasks):,}"),
    ]
    viewer = f"https://huggingface.co/spaces/lerobot/visualize_dataset?path=%2F{repo_id.replace('/', '%2F')}"
    table = _table(("", ""), rows)
    return f"## Overview\n\n{table}\n\n[Watch the episodes in the visualizer]({viewer})"


def _cameras(dataset: Dataset, previews: Mapping[str, str]) -> str:
    cameras = [one for one in dataset.features.values() if one.is_camera]
    rows = [
        (
            f"`{_cell(one.name)}`",
            _shape(one),
            one.dtype,
            f"![{_cell(one.name)}]({previews[one.name]})" if one.name in previews else "",
        )
        for one in cameras
    ]
    if not rows:
        return ""
    return f"## Cameras\n\n{_table(('camera', 'shape', 'stored as', 'first frame'), rows)}"


def _features(features: Iterable[Feature]) -> str:
    rows = [
        (f"`{_cell(one.name)}`", one.dtype, _shape(one), _cell(_names(one.spec.get("names"))))
        for one in features
        if not one.is_camera
    ]
    return f"## Features\n\n{_table(('feature', 'dtype', 'shape', 'names'), rows)}"


def _tasks(tasks: Sequence[str]) -> str:
    shown = [f"- {_line(task)}" for task in tasks[:_TASKS_SHOWN]]
    if len(tasks) > _TASKS_SHOWN:
        shown.append(f"- … and {len(tasks) - _TASKS_SHOWN:,} more")
    return "## Tasks\n\n" + "\n".join(shown) if shown else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shape(feature: Feature) -> str:
    return " × ".join(map(str, feature.shape))


def _names(names: object) -> str:
    """Names of a feature's elements: a list, or lists by axis."""
    if isinstance(names, Mapping):
        return "; ".join(_names(part) for part in names.values())
    if isinstance(names, (list, tuple)):
        return ", ".join(map(str, names))
    return "" if names is None else str(names)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split())
