from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roboreel.torch import utils
from roboreel.torch.feature_utils import (
    FeatureType,
    PolicyFeature,
    build_dataset_frame,
    canonicalize_depth_marker,
    check_delta_timestamps,
    combine_feature_dicts,
    dataset_to_policy_features,
    features_equal_for_merge,
    get_delta_indices,
    hw_to_dataset_features,
    validate_episode_buffer,
    validate_frame,
)
from roboreel.torch.io_utils import (
    get_file_size_in_mb,
    get_parquet_file_size_in_mb,
    get_parquet_num_frames,
    hf_transform_to_torch,
    load_episodes,
    load_info,
    load_stats,
    load_tasks,
    write_info,
    write_stats,
)
from roboreel.torch.language import (
    column_for_style,
    language_feature_info,
    language_persistent_arrow_type,
    validate_camera_field,
)

ROBOT = {"a.pos": float, "b.pos": float, "front": (48, 64, 3), "depth": (48, 64, 1), "mode": int}


def test_features_of_a_robot() -> None:
    found = hw_to_dataset_features(ROBOT, "observation")
    assert found["observation.state"]["names"] == ["a.pos", "b.pos"]
    assert found["observation.images.front"]["dtype"] == "video"
    assert found["observation.images.depth"]["info"] == {"is_depth_map": True}
    assert hw_to_dataset_features({"a": float}, "action") == {
        "action": {"dtype": "float32", "shape": (1,), "names": ["a"]}
    }


def test_a_row_is_built_of_a_robots_values() -> None:
    features = hw_to_dataset_features(ROBOT, "observation", use_video=False)
    image = np.zeros((48, 64, 3), np.uint8)
    values = {"a.pos": 1.0, "b.pos": 2.0, "front": image, "depth": image[..., :1]}
    frame = build_dataset_frame(features, values, "observation")
    assert frame["observation.state"].tolist() == [1.0, 2.0]
    assert frame["observation.images.front"] is image
    with pytest.raises(KeyError, match=r"b\.pos"):
        build_dataset_frame(features, {"a.pos": 1.0}, "observation")


def test_combined_vectors_have_the_names_of_all() -> None:
    one = {"action": {"dtype": "float32", "shape": (1,), "names": ["a"]}}
    other = {"action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}}
    assert combine_feature_dicts(one, other)["action"]["shape"] == (2,)
    assert one["action"]["shape"] == (1,)
    assert combine_feature_dicts({"a": 1}, {"a": 2}) == {"a": 2}
    with pytest.raises(ValueError, match="dtype mismatch for 'action'"):
        combine_feature_dicts(one, {"action": {**other["action"], "dtype": "float64"}})


def test_policies_see_cameras_with_channels_first() -> None:
    camera = {"dtype": "video", "shape": (48, 64, 3), "names": ["height", "width", "channels"]}
    features: dict[str, Any] = {
        "observation.images.front": camera,
        "observation.state": {"dtype": "float32", "shape": (2,), "names": None},
        "observation.environment_state": {"dtype": "float32", "shape": (4,), "names": None},
        "action": {"dtype": "float32", "shape": (2,), "names": None},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
    }
    found = dataset_to_policy_features(features)
    assert found["observation.images.front"] == PolicyFeature(FeatureType.VISUAL, (3, 48, 64))
    assert [feature.type.value for feature in found.values()] == [
        "VISUAL",
        "STATE",
        "ENV",
        "ACTION",
    ]
    with pytest.raises(ValueError, match="three dimensions"):
        dataset_to_policy_features({"c": {**camera, "shape": (48, 64)}})


def test_offsets_are_multiples_of_a_frame() -> None:
    assert get_delta_indices({"a": [-0.1, 0, 0.2]}, 10) == {"a": [-1, 0, 2]}
    assert check_delta_timestamps({"a": [-0.1, 0]}, 10, 1e-4)
    assert not check_delta_timestamps({"a": [0.05]}, 10, 1e-4, raise_value_error=False)
    with pytest.raises(ValueError, match=r"multiples of 1/fps.*0\.05"):
        check_delta_timestamps({"a": [0.05]}, 10, 1e-4)


def test_encoder_settings_do_not_keep_features_from_merging() -> None:
    def camera(**facts: object) -> dict[str, dict[str, Any]]:
        return {"c": {"dtype": "video", "shape": (4, 4, 3), "info": facts}}

    assert features_equal_for_merge(camera(**{"video.crf": 30}), camera(**{"video.crf": 20}))
    assert not features_equal_for_merge(camera(**{"video.fps": 30}), camera(**{"video.fps": 20}))
    assert not features_equal_for_merge(camera(), {})


def test_the_old_mark_of_depths_is_renamed() -> None:
    feature: dict[str, Any] = {"info": {"video.is_depth_map": True}}
    canonicalize_depth_marker(feature)
    assert feature == {"info": {"is_depth_map": True}}


FEATURES: dict[str, dict[str, Any]] = {
    "action": {"dtype": "float32", "shape": (2,)},
    "cam": {"dtype": "video", "shape": (3, 4, 5)},
    "note": {"dtype": "string", "shape": (1,)},
    **utils.DEFAULT_FEATURES,
}
FRAME: dict[str, Any] = {
    "action": np.zeros(2, np.float32),
    "cam": np.zeros((4, 5, 3), np.uint8),
    "note": "x",
    "task": "push",
}


def test_a_frame_that_fits_is_accepted_with_channels_first_or_last() -> None:
    validate_frame(FRAME, FEATURES)
    validate_frame({**FRAME, "cam": np.zeros((3, 4, 5), np.uint8)}, FEATURES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": np.zeros(2)}, "dtype 'float64' is not of the expected dtype 'float32'"),
        (
            {"action": np.zeros(3, np.float32)},
            r"shape '\(3,\)' does not have the expected shape '\(2,\)'",
        ),
        ({"action": [0, 0]}, "type is 'float32', but type '<class 'list'>'"),
        (
            {"cam": np.zeros((9, 5, 3))},
            r"shape '\(9, 5, 3\)' does not .* '\(3, 4, 5\)' or '\(4, 5, 3\)'",
        ),
        ({"cam": "image"}, "PIL.Image' or 'np.ndarray', .* '<class 'str'>'"),
        ({"note": 3}, "of type 'str', but type '<class 'int'>'"),
        ({"timestamp": 0.1}, r"Extra features: {'timestamp'}"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_frame({**FRAME, **change}, FEATURES)


def test_a_frame_needs_a_task_and_all_features() -> None:
    with pytest.raises(ValueError, match=r"Missing features: {'task'}"):
        validate_frame({}, FEATURES)
    with pytest.raises(ValueError, match=r"Missing features: {'action', 'cam'"):
        validate_frame({"task": "push"}, FEATURES)


def test_an_episode_needs_frames_and_the_next_number() -> None:
    buffer = {"size": 1, "task": ["x"], "episode_index": 2, "action": []}
    features: dict[str, Any] = {"action": {}, "episode_index": {}}
    validate_episode_buffer(buffer, 2, features)
    with pytest.raises(NotImplementedError, match="expected 3"):
        validate_episode_buffer(buffer, 3, features)
    with pytest.raises(ValueError, match="no frames"):
        validate_episode_buffer({**buffer, "size": 0}, 2, features)
    with pytest.raises(ValueError, match=r"missing \['state'\]"):
        validate_episode_buffer(buffer, 2, {**features, "state": {}})


def test_styles_of_language_have_their_column_and_camera() -> None:
    assert [column_for_style(style) for style in (None, "vqa", "plan")] == [
        "language_events",
        "language_events",
        "language_persistent",
    ]
    with pytest.raises(ValueError, match="unknown language style 'song'"):
        column_for_style("song")
    validate_camera_field("vqa", "top")
    validate_camera_field("plan", None)
    with pytest.raises(ValueError, match="need a camera"):
        validate_camera_field("vqa", None)
    with pytest.raises(ValueError, match="must not have a camera, got 'top'"):
        validate_camera_field("plan", "top")


def test_language_columns_are_lists_of_entries() -> None:
    names = [field.name for field in language_persistent_arrow_type().value_type]
    assert names == ["role", "content", "style", "timestamp", "camera", "tool_calls"]
    assert language_feature_info()["language_events"]["dtype"] == "language"


def test_nested_mappings_are_flattened_and_back() -> None:
    nested = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert utils.flatten_dict(nested) == {"a/b": 1, "a/c/d": 2, "e": 3}
    assert utils.unflatten_dict(utils.flatten_dict(nested)) == nested
    assert utils.serialize_dict({"a": {"b": np.arange(2)}, "c": 1}) == {"a": {"b": [0, 1]}, "c": 1}
    with pytest.raises(NotImplementedError):
        utils.serialize_dict({"a": "text"})


def test_small_helpers() -> None:
    assert utils.find_float_index(0.2, [0.1, 0.2 + 1e-9]) == 1
    assert not utils.is_float_in_list(0.3, [0.1])
    assert utils.update_chunk_file_indices(0, 999, 1000) == (1, 0)
    assert utils.update_chunk_file_indices(0, 5, 1000) == (0, 6)
    again = utils.cycle([1, 2])
    assert [next(again) for _ in range(5)] == [1, 2, 1, 2, 1]


def test_episodes_are_resolved() -> None:
    resolve = utils.resolve_episode_indices
    assert resolve(None, 4) is None
    assert resolve(None, 4, [1]) == [0, 2, 3]
    assert resolve([3, 1], 4, [1]) == [3]
    with pytest.raises(ValueError, match=r"episodes \[4\] are out of range"):
        resolve([4], 4)
    with pytest.raises(ValueError, match="all episodes are excluded"):
        resolve([1], 4, [1])


def test_documents_are_read_and_written_one_by_one(root: Path, tmp_path: Path) -> None:
    info = load_info(root)
    assert info.fps == 10
    write_info(info, tmp_path / "new")
    assert load_info(tmp_path / "new") == info
    assert len(load_tasks(root)) == len(load_episodes(root)) == 3
    assert load_stats(tmp_path) is None
    write_stats({"action": {"mean": np.ones(2), "count": [3]}}, tmp_path)
    found = load_stats(tmp_path)
    assert found is not None
    assert found["action"]["mean"].tolist() == [1.0, 1.0]
    with pytest.raises(FileNotFoundError, match=r"has no 'meta/info\.json'"):
        load_info(tmp_path / "meta")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_info(tmp_path / "nowhere")


def test_tables_say_how_large_they_are(made: dict[str, Path]) -> None:
    table = made["v3.0"] / "data/chunk-000/file-000.parquet"
    assert get_parquet_num_frames(table) == 15
    assert get_parquet_file_size_in_mb(table) > 0.01
    assert get_file_size_in_mb(table) == table.stat().st_size / 2**20


def test_rows_become_tensors_and_texts_stay() -> None:
    found = hf_transform_to_torch({"a": [[1.0, 2.0], [3.0, 4.0]], "n": [1, 2], "task": ["x", "y"]})
    assert found["a"][1].tolist() == [3.0, 4.0]
    assert found["n"][0].item() == 1
    assert found["task"] == ["x", "y"]
