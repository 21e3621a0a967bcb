"""A set of samples with everything that Data-Juicer's operators leave: exported, finalized, checked."""

from __future__ import annotations

import multiprocessing
from itertools import pairwise
from pathlib import Path

import pytest

import roboreel
from roboreel.sink.data_juicer import ExportToLeRobotMapper
from tests.data_juicer_samples import number_of
from tests.data_juicer_set import CAMERA, EXPECTED, sample_set, sources_of, stage

SKIPPED = [
    "has 3 states and 1 actions",
    "its caption is N/A: no action",
    "most episodes differ",
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source")


@pytest.fixture(scope="module")
def staged(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("staged")
    for sample in sample_set(source):
        stage(sample, folder)
    return folder


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_every_version_is_sound_and_has_each_row_with_its_frame(
    staged: Path, version: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = ExportToLeRobotMapper.finalize_dataset(str(staged), version=version, out=out)
    assert report is not None
    assert (report.report.out, report.report.version) == (str(out), version)
    assert roboreel.check(out, decode=True).problems == ()
    assert episodes_of(out) == EXPECTED
    reasons = sorted(str(one) for one in report.skipped)
    assert len(reasons) == len(SKIPPED)
    assert all(any(words in reason for reason in reasons) for words in SKIPPED)
    assert (staged / "staging").is_dir()


def episodes_of(out: Path) -> list[tuple[str, str, list[int]]]:
    """The source, the task and the frames of each episode; frames as decoded, which rows must agree with."""
    read = roboreel.reader(roboreel.open(out))
    bounds = pairwise(read.bounds.tolist())
    found = []
    for source, (start, stop) in zip(sources_of(out), bounds, strict=True):
        batch = read[start:stop]
        shown = [number_of(image) for image in batch[CAMERA]]
        assert shown == batch["source_frame_index"].reshape(-1).tolist()
        (task,) = {read.tasks[int(index)] for index in batch["task_index"].reshape(-1)}
        found.append((source, task, shown))
    return found


@pytest.mark.slow
def test_the_bytes_are_the_same_whatever_worker_does_what_and_when(
    source: Path, staged: Path, tmp_path: Path
) -> None:
    """Two processes, samples in another order, and some of them twice."""
    samples = sample_set(source)
    work = [(sample, tmp_path) for sample in [*reversed(samples), samples[1], samples[4]]]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(stage, work, chunksize=1)
    results: list[dict[str, bytes]] = []
    for folder in (staged, tmp_path):
        out = tmp_path / f"out-{len(results)}"
        ExportToLeRobotMapper.finalize_dataset(str(folder), version="v2.1", out=out)
        results.append(files_of(out))
    assert results[0] == results[1]


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
