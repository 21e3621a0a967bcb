"""The base of an operator: Data-Juicer's `Mapper` where it is installed, else a plain class."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

_LOG = logging.getLogger(__name__)

BASE_KEYWORDS = frozenset({
    "text_key", "image_key", "audio_key", "video_key", "image_bytes_key", "system_key", "instruction_key",
    "prompt_key", "query_key", "response_key", "history_key", "index_key", "work_dir", "input_columns",
    "output_columns", "skip_op_error", "adaptive_batching", "auto_op_parallelism", "batch_mode",
    "accelerator", "batch_size", "num_proc", "turbo", "cpu_required", "gpu_required", "mem_required",
    "num_cpus", "num_gpus", "memory", "runtime_env", "ray_execution_mode",
})  # fmt: skip
"""Keywords of every operator of Data-Juicer, by its documentation."""


class PlainOperator:
    """Stands in for Data-Juicer's `Mapper`: a callable over samples and over batches of them."""

    def __init__(self, *_args: Any, **keywords: Any) -> None:
        """Keep the names of the fields; what concerns Data-Juicer's scheduling has no effect here."""
        self.text_key = keywords.get("text_key", "text")
        self.video_key = keywords.get("video_key", "videos")

    def process_single(self, sample: Any = None, rank: int | None = None) -> Any:
        """The sample with its results; operators define it."""
        raise NotImplementedError

    def process(self, sample: Any, *args: Any, **keywords: Any) -> Any:
        """Process a sample, or a batch: an Arrow table or a dict of lists or arrays of one length."""
        batch = sample.to_pydict() if isinstance(sample, pa.Table) else sample
        if is_batch(batch):
            return self.process_batched(batch, *args, **keywords)
        return self.process_single(batch, *args, **keywords)

    def process_batched(self, samples: Any, *args: Any, **keywords: Any) -> dict[str, list[Any]]:
        """Process a dict of lists, one value per sample; returns such a dict."""
        columns = samples.to_pydict() if isinstance(samples, pa.Table) else samples
        count = len(next(iter(columns.values()), ()))
        done = [
            self.process_single({n: v[at] for n, v in columns.items()}, *args, **keywords)
            for at in range(count)
        ]
        names = dict.fromkeys(name for one in done for name in one) or dict.fromkeys(columns)
        return {name: [one.get(name) for one in done] for name in names}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """As `process`."""
        return self.process(*args, **keywords)


def is_batch(sample: Mapping[str, Any]) -> bool:
    """True for a dict of lists (or arrays) of one length, as batched maps pass them.

    A single sample has a `meta` that is a dict, so it is never one.
    """
    values: Iterable[Any] = sample.values()
    sizes = {len(v) if _is_column(v) else -1 for v in values}
    return len(sizes) == 1 and -1 not in sizes


def _is_column(value: Any) -> bool:
    return not isinstance(value, (str, bytes, Mapping)) and hasattr(value, "__len__")


def operator_base() -> tuple[Any, Any]:
    """Data-Juicer's `Mapper` and its registry of operators; a plain class and None without it.

    A Data-Juicer that lacks packages of its own is warned of, and counts as not installed.
    """
    try:
        from data_juicer.ops.base_op import OPERATORS, Mapper
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "data_juicer":
            _LOG.warning(
                "Data-Juicer cannot be imported (%s), so the exporter is a plain callable instead of an"
                " operator",
                error,
            )
        return PlainOperator, None
    return Mapper, OPERATORS
