"""Proves that the exporter works in Data-Juicer, by a Python that has it. See README.md beside this file.

PYTHONPATH=src:. DATA_JUICER_PYTHON scripts/compat/data_juicer_operator.py
"""

import tempfile
from pathlib import Path
from typing import Any

from data_juicer.core.data import NestedDataset
from data_juicer.ops import load_ops
from data_juicer.ops.base_op import OPERATORS, Mapper

import roboreel
from roboreel.sink.data_juicer import ExportToLeRobotMapper, replace_data_juicer_operator
from tests.data_juicer_samples import META, hand, no_hand, video_sample, write_video

NAME = "roboreel_export_to_lerobot_mapper"


def samples_in(folder: Path) -> list[dict[str, Any]]:  # Any: values of a sample
    sizes = {"a": 12, "b": 8}
    return [
        video_sample(
            write_video(folder / f"{name}.mp4", size), hand(range(size)), no_hand("left"), text=name
        )
        for name, size in sizes.items()
    ]


def exported(operator: Any, samples: list[dict[str, Any]], processes: int) -> int:  # Any: a Mapper
    """Number of entries that the samples have afterwards."""
    dataset = NestedDataset.from_list(samples)
    done = dataset.map(operator.process, num_proc=processes, with_rank=True).to_list()
    return sum(len(sample[META]["lerobot_export"]) for sample in done)


def main() -> None:
    assert issubclass(ExportToLeRobotMapper, Mapper)
    assert OPERATORS.get(NAME) is ExportToLeRobotMapper
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        samples = samples_in(Path(folder))
        (operator,) = load_ops([{NAME: {"output_dir": str(out), "fps": 10}}])
        for processes in (1, 2):
            assert exported(operator, samples, processes) == len(samples)
        by_run = operator.run(NestedDataset.from_list(samples)).to_list()
        assert all(len(sample[META]["lerobot_export"]) == 1 for sample in by_run)
        report = ExportToLeRobotMapper.finalize_dataset(out)
        assert report is not None
        assert report.episodes == len(samples)
        assert roboreel.check(out).problems == ()
    replace_data_juicer_operator()
    assert OPERATORS.get("export_to_lerobot_mapper") is ExportToLeRobotMapper
    print("ok: registered, mapped in one and two processes, run, finalized, replaced")


if __name__ == "__main__":
    main()
