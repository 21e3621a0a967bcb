"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import roboreel
import roboreel.testing


def test_public_names() -> None:
    assert sorted(roboreel.__all__) == [
        "CheckReport",
        "Dataset",
        "DatasetError",
        "DiffReport",
        "Difference",
        "Encoding",
        "Feature",
        "FormatVersion",
        "KeptVersion",
        "MissingDependencyError",
        "Plan",
        "PlanError",
        "Problem",
        "Reencoding",
        "Report",
        "RoboreelError",
        "RunError",
        "StatsReport",
        "StorageError",
        "Undone",
        "UsageError",
        "VideoError",
        "View",
        "__version__",
        "add_video",
        "check",
        "check_stats",
        "concat",
        "convert",
        "convert_dataset",
        "decode_video_frames",
        "diff",
        "kept_versions",
        "open",
        "plan_convert",
        "plan_write",
        "recover",
        "remove_kept",
        "run",
        "undo",
        "write",
    ]


def test_public_names_of_testing() -> None:
    assert sorted(roboreel.testing.__all__) == [
        "Camera",
        "FeatureSet",
        "FrameNumbers",
        "Version",
        "draw_numbers",
        "make_dataset",
        "read_numbers",
    ]


@pytest.mark.parametrize("name", roboreel.__all__)
def test_every_public_name_is_there_after_every_other(name: str) -> None:
    for other in roboreel.__all__:
        getattr(roboreel, other)
    value = getattr(roboreel, name)
    assert name in dir(roboreel)
    assert type(value).__name__ != "module"


def _loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    heavy = {"av", "typer", "click", "rich", "fsspec", "torch", "pandas", "datasets", "cv2", "PIL"}
    heavy |= {"torchcodec", "decord"}
    assert not _loaded("import roboreel") & heavy


def test_public_names_load_nothing_of_the_command() -> None:
    names = "[getattr(roboreel, name) for name in roboreel.__all__]"
    assert not _loaded(f"import roboreel; {names}") & {"av", "typer", "rich", "fsspec", "pandas"}


def test_errors_stand_below_one() -> None:
    errors = [getattr(roboreel, name) for name in roboreel.__all__ if name.endswith("Error")]
    assert all(issubclass(error, roboreel.RoboreelError) for error in errors)
    assert issubclass(roboreel.VideoError, roboreel.StorageError)
