"""Lines of lerobot, and of scripts for its datasets: answered with a line that has every value typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from roboreel.testing import Camera, make_dataset
from tests.unit.cli.conftest import TOP, Roboreel

EDIT = "lerobot-edit-dataset --repo_id me/six --operation.type"
ANSWERS = {
    "EDIT delete_episodes --operation.episode_indices '[1, 3]'": "delete me/six --episodes 1,3"
    " -o HOME/me/six_cleaned",
    "EDIT delete_episodes --operation.episode_indices '[1]' --new_repo_id me/new": "delete me/six"
    " --episodes 1 -o HOME/me/new",
    "EDIT delete_episodes --operation.episode_indices '[1]' --new_root out": "delete me/six"
    " --episodes 1 -o out",
    """EDIT modify_tasks --operation.episode_tasks '{"0": "a", "2": "b"}'""": "tasks me/six --episode 0=a"
    " --episode 2=b -o HOME/me/six_tasks",
    """EDIT modify_tasks --operation.task_replacements '{"pick up the red cube": "new one"}'""": "tasks"
    " me/six --replace 'pick up the red cube=new one' -o HOME/me/six_tasks",
    "EDIT modify_tasks --operation.new_task 'pick it'": "tasks me/six --set 'pick it' -o HOME/me/six_tasks",
    "EDIT reencode_videos --operation.rgb_encoder.vcodec h264 --operation.rgb_encoder.crf 23": "encode"
    " me/six --vcodec h264 --crf 23 -o HOME/me/six_encoded",
    "EDIT reencode_videos --operation.rgb_encoder.crf=23 --operation.num_workers=2": "encode me/six --crf 23"
    " --workers 2 -o HOME/me/six_encoded",
    "EDIT reencode_videos --operation.overwrite true": "encode me/six --vcodec libsvtav1 --in-place",
    "lerobot-edit-dataset --repo_id me/img --operation.type convert_image_to_video"
    " --operation.rgb_encoder.vcodec h264 --operation.episode_indices '[0, 1]'": "encode me/img --to-video"
    " --vcodec h264 --episodes 0,1 -o HOME/me/img_encoded",
    "EDIT recompute_stats": "stats me/six --recompute --cameras none -o HOME/me/six_stats",
    "EDIT recompute_stats --operation.skip_image_video false": "stats me/six --recompute --cameras sample"
    " -o HOME/me/six_stats",
    "EDIT recompute_stats --operation.relative_action true --operation.chunk_size 2"
    """ --operation.relative_exclude_joints "['elbow']" """: "stats me/six --recompute --cameras none"
    " --relative-actions --chunk-size 2 --exclude-joints elbow -o HOME/me/six_stats",
    "EDIT info --operation.show_features true": "info me/six",
    """EDIT split --operation.splits '{"train": [0, 1], "val": [2]}'""": "split me/six --into"
    " train=0,1,val=2 --rest rest -o HOME/me/six_parts",
    """EDIT split --operation.splits '{"train": [0, 1], "val": [2, 3]}'""": "split me/six --into"
    " train=0,1,val=2,3 -o HOME/me/six_parts",
    """EDIT split --operation.splits '{"train": 0.5, "val": 0.25}'""": "split me/six --into"
    " train=0.5,val=0.25 --rest val -o HOME/me/six_parts",
    "lerobot-edit-dataset --repo_id me/both --operation.type merge"
    """ --operation.repo_ids "['me/six', 'me/img']" """: "merge me/six me/img -o HOME/me/both",
    "merge --repo_ids me/six me/six --output_repo_id me/both": "merge me/six me/six -o HOME/me/both",
    "aggregate_datasets --repo_ids me/six me/six --aggr_repo_id me/both": "merge me/six me/six"
    " -o HOME/me/both",
    """tasks me/six --episode_tasks '{"0": "a"}'""": "tasks me/six --episode 0=a -o HOME/me/six_tasks",
    "features me/six --feature_names observation.state": "features me/six --remove observation.state"
    " -o HOME/me/six_features",
    "delete me/six --episode_indices 1 --workers 2": "delete me/six --episodes 1 --workers 2"
    " -o HOME/me/six_cleaned",
    "delete --in-place me/six --episode_indices 1": "delete me/six --episodes 1 --in-place",
    "delete_episodes me/six '[1, 2]'": "delete me/six --episodes 1,2 -o HOME/me/six_cleaned",
    "push --repo_id me/six": "push me/six me/six",
    "diff --repo-id me/six me/img": "diff me/six me/img",
    "diff --root=a --root b --json": "diff a b --json",
    "cache build --repo-id me/six --dir frames": "cache build me/six --dir frames",
    "write --repo-id tidy.view.json -o w1": "write tidy.view.json -o w1",
    "tasks --repo-id me/six": "tasks me/six",
    "features --root six": "features six",
    "pull me/six --root pp": "pull me/six -o pp",
    "pull --repo-id me/six --local-dir pp": "pull me/six -o pp",
    "stats me/six --relative_action true": "stats me/six --recompute --cameras none --relative-actions"
    " -o HOME/me/six_stats",
    "lerobot-edit-dataset --repo_id me/six --operation.episode_indices '[1]'": "delete me/six --episodes 1"
    " -o HOME/me/six_cleaned",
    "convert_dataset_v30_to_v21 --repo-id me/six": "convert me/six --to v2.1 -o HOME/me/six_converted",
    "convert_dataset_v21_to_v20.py --repo-id=me/six": "convert me/six --to v2.0 -o HOME/me/six_converted",
    "ds_version_convert/v21_to_v30/convert_dataset_v21_to_v30.py --repo-id me/six --num-workers 2": "convert"
    " me/six --to v3.0 --workers 2 -o HOME/me/six_converted",
    "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=me/six": "convert me/six --to v3.0"
    " -o HOME/me/six_converted",
    "convert_dataset_v3_to_v2 --repo-id me/six": "convert me/six --to v2.1 -o HOME/me/six_converted",
    "merge_lerobot_dataset.py --sources me/six me/six --output out": "merge me/six me/six -o out",
    "merge_lerobot_dataset.py --sources me/six me/six --output out --max_dim 32": "merge me/six me/six"
    " --features pad -o out",
    "merge --sources me/six me/six --output out": "merge me/six me/six -o out",
    "convert me/six --version v2.1 --out-dir out": "convert me/six --to v2.1 -o out",
    "dataset_downsample me/six --fps 10": "resample me/six --fps 10 -o HOME/me/six_resampled",
    "reencode_dataset me/six --crf 30": "encode me/six --crf 30 -o HOME/me/six_encoded",
    "remove_feature me/six next.done": "features me/six --remove next.done -o HOME/me/six_features",
    "remove_feature --repo-id me/six --feature_names next.done": "features me/six --remove next.done"
    " -o HOME/me/six_features",
    "remove_features me/six \"['next.done', 'next.reward']\"": "features me/six --remove next.done --remove"
    " next.reward -o HOME/me/six_features",
    "modify_features me/six --remove_features next.done": "features me/six --remove next.done"
    " -o HOME/me/six_features",
    "lerobot-edit-dataset remove_feature me/six next.done": "features me/six --remove next.done"
    " -o HOME/me/six_features",
    "modify_tasks me/six 'pick it'": "tasks me/six --set 'pick it' -o HOME/me/six_tasks",
    "convert_dataset_v20_to_v30 me/six": "convert me/six --to v3.0 -o HOME/me/six_converted",
    "convert_dataset_v20_to_v21_to_v30.py --repo-id me/six": "convert me/six --to v3.0"
    " -o HOME/me/six_converted",
    "convert_v30_to_v21 me/six": "convert me/six --to v2.1 -o HOME/me/six_converted",
    "convert_lerobot_v3_to_v2.py me/six": "convert me/six --to v2.1 -o HOME/me/six_converted",
    "merge_lerobot_data.py me/six me/six --output out": "merge me/six me/six -o out",
    "python merge_datasets.py --sources me/six me/six": "merge me/six me/six -o HOME/me/six_merged",
    "lerobot-info": "--version",
    "lerobot-info --repo-id me/six": "info me/six",
    "lerobot-dataset-info --repo-id me/six": "info me/six",
    "lerobot-imgtransform-viz --repo-id me/six": "info me/six",
    "visualize_dataset_html --repo-id me/six": "info me/six",
    "viz me/six": "info me/six",
}
PLACEHOLDERS = {
    "EDIT delete_episodes": "delete me/six --episodes EPISODES -o HOME/me/six_cleaned",
    "EDIT modify_tasks": "tasks me/six --episode N=TEXT -o HOME/me/six_tasks",
    "EDIT split": "split me/six --into PARTS -o HOME/me/six_parts",
    "EDIT remove_feature": "features me/six --remove NAME -o HOME/me/six_features",
    "EDIT add_feature": "features me/six --add NAME=FILE -o HOME/me/six_features",
    "lerobot-edit-dataset --new_repo_id me/both --operation.type merge": "merge FIRST SECOND"
    " -o HOME/me/both",
    "ds_version_convert --repo-id me/six": "convert me/six --to VERSION -o HOME/me/six_converted",
    "convert --repo-id me/six": "convert me/six --to VERSION -o HOME/me/six_converted",
    "add_features me/six reward": "features me/six --add reward=reward.npy -o HOME/me/six_features",
    "add_feature me/six reward.npy reward": "features me/six --add reward=reward.npy"
    " -o HOME/me/six_features",
    "dataset_downsample me/six": "resample me/six --fps N -o HOME/me/six_resampled",
}
MESSAGES = {
    "EDIT add_feature --operation.name x": "lerobot has no operation 'add_feature': it has delete_episodes,",
    "EDIT frobnicate": "lerobot has no operation 'frobnicate': it has delete_episodes,",
    "lerobot-edit-dataset --repo_id me/six": "and --operation.type is missing: delete_episodes, split,",
    "lerobot-edit-dataset --config_path edit.json": "config files of lerobot, such as 'edit.json', are not",
    "features me/six --feature_names \"['task_index']\"": "every dataset has 'task_index', which cannot be",
    "merge --repo_ids me/six me/img --new_repo_id b": "--repo_ids and --new_repo_id are options",
    "features me/six --feature_names x": "--feature_names is an option of lerobot",
    "convert_dataset_v30_to_v21 --repo-id me/six": "'convert_dataset_v30_to_v21' is a script of any4lerobot",
    "convert_dataset_v20_to_v21": "is a script of lerobot and any4lerobot",
    "delete_episodes me/six": "'delete_episodes' is an operation of lerobot",
    "merge_lerobot_data a b": "'merge_lerobot_data' is a script that merges datasets of lerobot",
    "convert_dataset_v1_to_v2 a/b": "roboreel reads v2.0 and later: convert it to v2.0 first: lerobot 0.3.3",
    "add_features me/six reward": "'add_features' is a function of lerobot",
    "lerobot-eval": "lerobot-eval evaluates policies",
    "lerobot-teleoperate": "lerobot-teleoperate controls a robot",
}
LEFT_OUT = {
    "EDIT convert_image_to_video --operation.max_frames_per_batch 4 --operation.num_workers 2": "--operation"
    ".max_frames_per_batch 4",
    "EDIT reencode_videos --operation.depth_encoder.crf=3": "--operation.depth_encoder.crf 3",
    "EDIT modify_tasks --operation.episode_tasks 'no pairs'": "--operation.episode_tasks no pairs",
    "lerobot-edit-dataset --config_path e.json --operation.type info --repo_id me/six": "--config_path"
    " e.json (config files are not read)",
    "lerobot-edit-dataset --root DIR --repo_id me/six --operation.type info": "--repo_id me/six",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lerobot's folder, with `me/six` (4 episodes with a video) and `me/img` (a camera of images)."""
    home = tmp_path_factory.mktemp("lerobot")
    cameras = {"six": Camera(height=32), "img": Camera(height=32, storage="image")}
    for name, camera in cameras.items():
        make_dataset(
            home / "me" / name, version="v3.0", episodes=(3, 4, 2, 3), cameras={TOP: camera}
        )
    return home


@pytest.fixture(autouse=True)
def _lerobots_home(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_LEROBOT_HOME", str(home))
    monkeypatch.chdir(tmp_path)


def _typed(words: str) -> list[str]:
    return shlex.split(words.replace("EDIT", EDIT))


def _lines(err: str) -> list[list[str]]:
    found = [line.split("   #")[0] for line in err.splitlines() if line.startswith("  try: ")]
    return [shlex.split(line.removeprefix("  try: roboreel ")) for line in found]


@pytest.mark.parametrize("words", ANSWERS)
def test_a_line_of_lerobot_has_an_answer_with_all_its_values(
    roboreel: Roboreel, home: Path, words: str
) -> None:
    done = roboreel(*_typed(words))
    assert done.code == 2
    assert _lines(done.err) == [shlex.split(ANSWERS[words].replace("HOME", str(home)))]
    assert "not carried over" not in done.err


def _can_be_planned(line: str) -> bool:
    """True for a line of a command with `--dry-run`; `write` would need the view file."""
    return " -o " in line and not line.startswith(("pull ", "write "))


@pytest.mark.parametrize(
    "words", [words for words, line in ANSWERS.items() if _can_be_planned(line)]
)
@pytest.mark.sample(8)
def test_the_answer_can_be_run(roboreel: Roboreel, home: Path, words: str) -> None:
    line = shlex.split(ANSWERS[words].replace("HOME", str(home)).replace("me/both", "me/all"))
    if line[0] == "merge" and "me/img" in line:
        pytest.skip("the cameras of the two differ")
    done = roboreel(*line, "--dry-run", "--quiet")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("words", PLACEHOLDERS)
def test_what_was_not_typed_is_a_placeholder_that_is_refused(
    roboreel: Roboreel, home: Path, words: str
) -> None:
    (line,) = _lines(roboreel(*_typed(words)).err)
    assert line == shlex.split(PLACEHOLDERS[words].replace("HOME", str(home)))
    done = roboreel(*line)
    assert done.code in (1, 2)
    assert done.err.startswith("error: ")
    assert sorted(path.name for path in (home / "me").iterdir()) == ["img", "six"]


@pytest.mark.parametrize("words", MESSAGES)
def test_the_answer_says_what_was_typed(roboreel: Roboreel, words: str) -> None:
    assert MESSAGES[words] in roboreel(*_typed(words)).err.splitlines()[0]


@pytest.mark.parametrize("words", LEFT_OUT)
def test_what_the_answer_leaves_out_is_told(roboreel: Roboreel, words: str) -> None:
    assert f"  not carried over: {LEFT_OUT[words]}" in roboreel(*_typed(words)).err.splitlines()


def test_a_push_names_the_result_and_the_repository(roboreel: Roboreel, home: Path) -> None:
    first, *pushes = _lines(
        roboreel(
            *_typed("EDIT split --push_to_hub true"),
            "--operation.splits",
            '{"train": 0.5, "val": 0.5}',
        ).err
    )
    out = str(home / "me" / "six_parts")
    assert first[-1] == out
    assert pushes == [["push", f"{out}/{part}", f"me/six_{part}"] for part in ("train", "val")]
    words = "convert_dataset_v30_to_v21 --repo-id x/y --root DIR --push-to-hub true --branch b"
    assert _lines(roboreel(*_typed(words)).err) == [
        ["convert", "DIR", "--to", "v2.1", "-o", "DIR_converted"],
        ["push", "DIR_converted", "x/y", "--branch", "b"],
    ]
    words = "EDIT delete_episodes --operation.episode_indices '[1]' --push_to_hub"
    assert _lines(roboreel(*_typed(words)).err)[1] == [
        "push",
        str(home / "me" / "six_cleaned"),
        "me/six",
    ]


@pytest.mark.parametrize(
    ("words", "left", "line"),
    [
        (
            "encode six --repo-id me/x --crf 30 -o o33",
            "--repo-id me/x",
            "encode six --crf 30 -o o33",
        ),
        (
            "convert_dataset_v20_to_v21 --root six --branch main",
            "--branch main",
            "convert six --to v2.1 -o six_converted",
        ),
    ],
)
def test_what_would_be_refused_is_left_out(
    roboreel: Roboreel, words: str, left: str, line: str
) -> None:
    told = roboreel(*_typed(words)).err
    assert f"not carried over: {left}\n" in told
    assert _lines(told) == [line.split()]


def test_a_push_invents_no_user(roboreel: Roboreel) -> None:
    told = roboreel(
        *_typed("lerobot-edit-dataset --repo_id six --operation.type recompute_stats"),
        "--push_to_hub",
    )
    assert _lines(told.err)[1][-1] == "USER/NAME"


def test_options_without_a_command_are_named(roboreel: Roboreel) -> None:
    told = roboreel("--repo_id", "me/six", "--operation.type", "info").err
    assert "--repo_id and --operation.type are options of lerobot" in told


@pytest.mark.parametrize("names", ["observation.state,extra", "['observation.state', 'extra']"])
def test_several_features_are_removed_by_one_option(
    roboreel: Roboreel, tmp_path: Path, names: str
) -> None:
    told = roboreel("features", "me/six", "--remove", names, "-o", str(tmp_path / "out")).err
    assert "no feature 'extra'" in told


def test_a_folder_below_the_users_home_is_shortened(
    roboreel: Roboreel, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home.parent))
    told = roboreel("delete", "me/six", "--episodes", "1").err
    assert f"  try: roboreel delete me/six --episodes 1 -o ~/{home.name}/me/six_cleaned" in told
