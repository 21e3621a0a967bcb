"""What to type instead: each error of the command line has the line."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from roboreel.storage.staging.staging import staging_location
from roboreel.testing import make_dataset
from tests.unit.cli.conftest import Roboreel

TYPED = {
    "delete SRC --episodes 3 4 5 -o out": "delete SRC --episodes 3,4,5 -o out",
    "delete SRC --episodes [3, 4, 5] -o out": "delete SRC --episodes 3,4,5 -o out",
    "delete SRC 3 4 -o out": "delete SRC --episodes 3,4 -o out",
    "keep SRC [3, 4] -o out": "keep SRC --episodes 3,4 -o out",
    "delete SRC 3": "delete SRC --episodes 3 -o source_cleaned",
    "delete me/six --episodes 1 3": "delete me/six --episodes 1,3 -o HOME/me/six_cleaned",
    "delete me/six 1 3": "delete me/six --episodes 1,3 -o HOME/me/six_cleaned",
    "convert me/six v2.1": "convert me/six --to v2.1 -o HOME/me/six_converted",
    "convert SRC": "convert SRC --to v3.0 -o source_converted",
    "push me/six": "push me/six me/six",
    "push six": "push six USER/NAME",
    "delete SRC --episodes '[0, 1]' -o out": "delete SRC --episodes 0,1 -o out",
    "delete SRC --episodes 1-3 -o out": "delete SRC --episodes 1:4 -o out",
    "delete SRC --episodes 0,1..3 -o out": "delete SRC --episodes 0,1:4 -o out",
    "delete SRC --episodes 1": "delete SRC --episodes 1 -o source_cleaned",
    "convert SRC --to v2.1": "convert SRC --to v2.1 -o source_converted",
    "convert SRC -o out": "convert SRC -o out --to v3.0",
    "convert SRC v2.1 -o out": "convert SRC -o out --to v2.1",
    "repair SRC": "repair SRC -o source_repaired",
    """split SRC --operation.splits '{"train": 0.8, "val": 0.2}'""": "split SRC --into train=0.8,val=0.2"
    " -o source_parts",
    "merge SRC SRC": "merge SRC SRC -o source_merged",
    "delet SRC": "delete SRC",  # codespell:ignore delet
    "remove SRC --episodes 3": "delete SRC --episodes 3 -o source_cleaned",
    "validate SRC": "check SRC",
    "check SRC --follow_links": "check SRC --follow-links",
    "ls": "info my_dataset",
    "join": "merge monday tuesday -o monday_merged",
    "convert SRC result --to v2.1": "convert SRC -o result --to v2.1",
    "merge SRC SRC result": "merge SRC SRC -o result",
    "split SRC --train 0.8 -o parts": "split SRC -o parts --into train=0.8,val=0.2",
    "split SRC --train=0.7 --val 0.2 -o parts": "split SRC -o parts --into train=0.7,val=0.2,test=0.1",
    "check SRC --decoed": "check SRC --decode",
    "check": "check my_dataset",
    "compare SRC other": "diff SRC other",
    "diff SRC": "diff SRC other_dataset",
    "undo": "undo my_dataset",
    "demo": "demo demo",
    "help delete": "delete --help",
    "-q check SRC": "check SRC -q",
    "delete SRC 1,3 -o out": "delete SRC --episodes 1,3 -o out",
    "rename SRC top front": "features SRC --rename top=front -o source_features",
    "features SRC --rename top front -o out": "features SRC --rename top=front -o out",
    "features SRC --rename top=front -o out": "features SRC --rename"
    " observation.images.top=observation.images.front -o out",
    "features SRC --remove top -o out": "features SRC --remove observation.images.top -o out",
    "features SRC --drop top -o out": "features SRC --remove top -o out",
    "features SRC --remove top": "features SRC --remove observation.images.top -o source_features",
    "features SRC --rename top=front": "features SRC --rename"
    " observation.images.top=observation.images.front -o source_features",
    "features SRC --remove top --remove state -o out": "features SRC --remove observation.images.top"
    " --remove observation.state -o out",
    "features SRC --remove tpo -o out": "features SRC --remove observation.images.top -o out",
    "encode SRC --camera top --crf 30 -o out": "encode SRC --camera observation.images.top --crf 30 -o out",
    "stats SRC --recompute --features top,action -o out": "stats SRC --recompute --features"
    " observation.images.top,action -o out",
    "stats SRC --feature state": "stats SRC --feature observation.state",
    "stats SRC action": "stats SRC --feature action",
    "stats SRC top action --check": "stats SRC --feature observation.images.top --feature action --check",
    "tasks SRC --rename old new -o out": "tasks SRC --replace old=new -o out",
    "convert SRC result": "convert SRC --to v3.0 -o result",
    "tasks SRC --replace old new -o out": "tasks SRC --replace old=new -o out",
    "trim SRC --seconds 1 -o out": "trim SRC --start 1s -o out",
    "trim SRC --seconds 1:3": "trim SRC --start 1s --end 3s -o source_trimmed",
    "trim SRC --seconds :3s -o out": "trim SRC --end 3s -o out",
    "trim SRC --episode 1 --start 1 --end=-1": "trim SRC --episode 1 --start 1s --end=-1s -o source_trimmed",
    "trim SRC --still suggest --episodes 1-2": "trim SRC --still suggest --episodes 1:3",
    "split SRC --into train=3,val=1 -o out": "split SRC --into train=0.75,val=0.25 -o out",
    "split SRC --into=train=2,val=1,t=1 -o out": "split SRC --into train=0.5,val=0.25,t=0.25 -o out",
    "stats SRC --joint gripper --check": "stats SRC --feature observation.state --check",
    "stats SRC --feature action.elbow": "stats SRC --feature action",
    "stats SRC --features elbow,gripper,timestamp": "stats SRC --features observation.state,timestamp",
    "edit a.view.json delete 3 4": "edit a.view.json delete --episodes 3,4",
    "edit a.view.json trim 3": "edit a.view.json trim --help",
    "edit SRC delete --episodes 1": "delete SRC --episodes 1 -o source_cleaned",
    "edit SRC show": "edit source.view.json from SRC",
    "delete SRC -o out": "delete --help",
    "delete SRC --episodes 1-2": "delete SRC --episodes 1:3 -o source_cleaned",
    "delete SRC --episodes 1 --episodes=2 -o out": "delete SRC --episodes 1,2 -o out",
    "edit a.view.json reorder --order 1,0 --order 2": "edit a.view.json reorder --order 1,0,2",
    "split SRC --into a=0 --into b=1:4 -o out": "split SRC --into a=0,b=1:4 -o out",
    "info SRC --episode 3 --json": "info SRC --episodes --json",
    "info SRC --episode=3": "info SRC --episodes",
    "remove SRC 1": "delete SRC --episodes 1 -o source_cleaned",
    "visualize SRC": "info SRC",
    "info": "info my_dataset",
    "pull": "pull lerobot/pusht",
    "merge_datasets a b": "merge a b -o a_merged",
    "split_dataset a": "split a --into PARTS -o a_parts",
    "delete --root SRC --episode_indices 3 4": "delete SRC --episodes 3,4 -o source_cleaned",
    "info --repo-id a/b": "info a/b",
    "lerobot-dataset-viz --repo-id a/b": "info a/b",
    "lerobot-record --robot.type=so101_follower": "demo record recorded",
    "lerobot-train --dataset.repo_id=a/b": "cache build a/b --dir frames",
    "lerobot-teleoperate": "--help",
    "push_to_hub my_dataset": "push my_dataset USER/NAME",
}


@pytest.mark.parametrize("words", TYPED)
def test_an_error_has_the_line_to_type(
    roboreel: Roboreel, source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_LEROBOT_HOME", str(tmp_path / "home"))
    done = roboreel(*shlex.split(words.replace("SRC", str(source))))
    assert done.code == 2
    assert done.err.startswith("error: ")
    wanted = TYPED[words].replace("SRC", str(source)).replace("HOME", str(tmp_path / "home"))
    assert f"  try: roboreel {wanted}" in [line.split("   #")[0] for line in done.err.splitlines()]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["convert", "x"], "--to is missing: give the format version to write, v2.0, v2.1, v3.0"),
        (["push", "x"], "USER/NAME is missing: give the name of the repository on the Hub, which"),
        (["info"], "SRC… is missing: give datasets, each a folder, user/name"),
        (["diff", "x"], "B is missing: give the second dataset too: a folder"),
        (["cache", "info"], "--dir is missing: give the folder of the cache"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    roboreel: Roboreel, words: list[str], says: str
) -> None:
    assert roboreel(*words).err.startswith(f"error: {says}")


def test_an_option_with_one_value_is_given_once(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    done = roboreel("resample", source, "--fps", "5", "--fps", "6", "-o", tmp_path / "out")
    assert (done.code, done.err) == (2, "error: --fps is given several times: give it once\n")
    assert roboreel("info", source, "--json", "--json").code == 0
    assert roboreel("stats", source, "--feature", "action", "--feature", "timestamp").code == 0


def test_a_placeholder_is_no_repository(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("push", source, "USER/NAME")
    assert (done.code, done.out) == (2, "")
    assert "give the name of your repository instead of USER/NAME" in done.err


def test_a_closed_range_has_both_readings(roboreel: Roboreel, source: Path) -> None:
    told = roboreel("delete", source, "--episodes", "1-3", "-o", "out").err
    assert "--episodes 1:4 -o out   # episodes 1 to 3" in told
    assert "--episodes 1:3 -o out   # episodes 1 to 2" in told


def test_an_output_that_exists_gets_another_name(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine", encoding="utf-8")
    done = roboreel("delete", source, "--episodes", "1", "-o", taken)
    assert done.code == 2
    assert f"try: roboreel delete {source} --episodes 1 -o {taken}_2" in done.err


def test_an_output_that_is_not_the_cause_gets_no_other_name(
    roboreel: Roboreel, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()  # the letter is in the word "expected"
    done = roboreel("tasks", source, "--episode", "3", "-o", "x")
    assert done.err == "error: --episode '3': expected N=TEXT\n"


def test_an_option_without_its_value_refers_to_the_command(roboreel: Roboreel) -> None:
    done = roboreel("delete", "my_dataset", "--episodes")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "  try: roboreel delete --help"


def test_a_line_that_nobody_would_copy_is_left_out(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine", encoding="utf-8")
    done = roboreel("merge", *[source] * 40, "-o", taken)
    assert done.code == 2
    assert "exists and is not empty" in done.err
    assert "try: " not in done.err


def test_a_misspelled_dataset_gets_the_right_name(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("info", f"{source}x")
    assert (done.code, done.err.splitlines()[-1]) == (1, f"  try: roboreel info {source}")


def test_a_dry_run_needs_no_output(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("delete", source, "--episodes", "1", "--dry-run")
    assert done.code == 0
    assert "source_cleaned" in done.out


@pytest.mark.parametrize("version", ["v2.1", "2.1", "V2.1"])
def test_versions_are_read_with_and_without_v(
    roboreel: Roboreel, source: Path, version: str
) -> None:
    done = roboreel("convert", source, "--to", version, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "v2.1" in done.out


def test_an_unclear_version_is_refused(roboreel: Roboreel, source: Path) -> None:
    done = roboreel("convert", source, "--to", "2", "-o", "out")
    assert done.code == 2
    assert "--to: '2' is not a format version: expected v2.0, v2.1, v3.0" in done.err


def test_datasets_of_different_rates_are_merged_by_the_line_to_type(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, fps in (("a", 30), ("b", 15)):
        make_dataset(tmp_path / name, episodes=(4,), cameras={}, fps=fps)
    told = roboreel("merge", "a", "b", "-o", "c").err.splitlines()
    assert told[0].endswith("Resample them to one rate with --fps 30")
    assert told[1] == "  try: roboreel merge a b -o c --fps 30"
    done = roboreel(*shlex.split(told[1])[2:])
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("wrote c: v2.1, 2 episodes, 12 frames, ")


def test_an_unknown_way_to_merge_features_lists_what_is_accepted(
    roboreel: Roboreel, source: Path
) -> None:
    told = roboreel("merge", source, source, "--features", "fill", "-o", "c").err
    assert "--features: 'fill' is not valid: expected strict, common, pad" in told


@pytest.mark.parametrize("option", ["--force", "--overwrite", "-f", "-y"])
def test_nothing_is_overwritten_and_no_far_option_suggested(
    roboreel: Roboreel, source: Path, option: str
) -> None:
    told = roboreel("delete", source, option, "--episodes", "1", "-o", "x").err
    assert told == (
        f"error: `roboreel delete` has no option '{option}': results never replace anything. Choose another"
        " -o, or use --in-place\n"
    )
    assert "--in-place" not in roboreel("merge", source, source, option).err
    assert "--in-place" not in roboreel("merge", "--help").out


def test_a_file_of_a_dataset_and_a_folder_without_tables_are_answered(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    told = roboreel("check", source / "meta" / "info.json").err
    assert told.splitlines()[-1] == f"  try: roboreel check {source}"
    notes = tmp_path / "notes"
    (notes / "bin").mkdir(parents=True)
    (notes / "a.md").write_text("a", encoding="utf-8")
    assert "try: " not in roboreel("check", notes / "a.md").err
    (notes / "bin" / "python").symlink_to(__file__)
    done = roboreel("check", notes)
    assert "it has no tables: give the folder that holds 'meta'" in done.out
    assert "to repair" not in done.out
    assert "link" not in roboreel("info", notes).err
    told = roboreel("repair", notes, "-o", tmp_path / "out").err
    assert told.startswith(f"error: '{notes}': the dataset's frame rate cannot be read")


def test_what_an_interrupted_run_left_is_named(roboreel: Roboreel, tmp_path: Path) -> None:
    staging_location(tmp_path / "out").mkdir()
    told = roboreel("info", tmp_path / "out").err
    assert "no such folder, but '.out.roboreel-partial' of an unfinished run is beside it" in told
    assert told.endswith("run its command again with --resume\n")


def test_unrelated_datasets_are_not_suggested(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_dataset(tmp_path / "monday", episodes=(3,), cameras={})
    for words in (
        ["check", "nope", "--json"],
        ["undo", "nope"],
        ["merge", "monday", "*.nope", "-o", "x"],
    ):
        assert "try: " not in roboreel(*words).err
    assert "  try: roboreel check monday" in roboreel("check", "mondya").err


def test_a_broken_episode_is_left_out_by_the_line_to_type(
    roboreel: Roboreel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = make_dataset(tmp_path / "bad", episodes=(3, 2), cameras={})
    sorted(bad.glob("data/*/*.parquet"))[1].write_bytes(b"no table")
    told = roboreel("convert", "bad", "--to", "v3.0", "-o", "good").err.splitlines()
    line = "roboreel convert bad --to v3.0 -o good --on-broken skip"
    assert told[-1] == f"  try: {line}   # leaves these episodes out"
    assert roboreel(*shlex.split(line)[1:]).code == 0


@pytest.mark.parametrize(
    ("typed", "kept", "deleted"),
    [
        ("trim SRC --start 2f -o out", "trim SRC --start 2f -o out --episodes 0,1,3", "2"),
        ("trim SRC --episodes 0:3 --end 5f -o out", "trim SRC --episodes 0 --end 5f -o out", "1,2"),
        (
            "trim SRC --episodes=2:4 --frames 2: -o out",
            "trim SRC --episodes 3 --frames 2: -o out",
            "2",
        ),
    ],
)
def test_episodes_too_short_to_trim_have_the_lines_to_type(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    kept: str,
    deleted: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = roboreel(*shlex.split(typed.replace("SRC", str(source)))).err.splitlines()[1:]
    lines = [line.removeprefix("  try: ").split("   # ")[0] for line in told]
    assert lines == [
        f"roboreel {kept.replace('SRC', str(source))}",
        f"roboreel delete {source} --episodes {deleted} -o source_cleaned",
    ]
    assert told[0].endswith(f"   # leaves episode{'s' * (len(deleted) > 1)} {deleted} whole")
    for line in lines:
        assert roboreel(*shlex.split(line)[1:]).code == 0


def test_a_range_that_no_episode_has_gets_no_line(roboreel: Roboreel, source: Path) -> None:
    assert "try: " not in roboreel("trim", source, "--start", "9f", "-o", "out").err
    words = ["--episode", "2", "--frames", "3:5", "--episode", "0", "--frames", "0:2"]
    (line,) = roboreel("trim", source, *words, "-o", "out").err.splitlines()[1:]
    assert f"delete {source} --episodes 2 " in line


def test_a_recording_without_a_saved_episode_is_not_repaired(
    roboreel: Roboreel, tmp_path: Path
) -> None:
    folder = make_dataset(tmp_path / "recording", version="v3.0", episodes=(3,), cameras={})
    (folder / ".roboreel-recording").mkdir()
    (folder / ".roboreel-recording" / "lock").touch()
    for name in ("data", "meta/episodes"):
        shutil.rmtree(folder / name)
    told = roboreel("check", str(folder))
    assert told.code == 1
    assert "no episode is saved yet" in told.out + told.err
    assert "to repair" not in told.out + told.err
