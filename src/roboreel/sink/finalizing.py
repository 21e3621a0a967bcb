"""Make one dataset of all staged episodes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from roboreel.edit.write_options import WriteOptions
from roboreel.errors import UsageError
from roboreel.format.version import FormatVersion
from roboreel.ops.write import plan_write, run
from roboreel.runner.run_options import RunKeywords, RunOptions
from roboreel.runner.run_report import Report
from roboreel.sink import staged_table as staged
from roboreel.sink.staged_dataset import staged_dataset, write_statistics
from roboreel.sink.staging_area import staging_root
from roboreel.sink.staging_list import list_staging
from roboreel.survey.survey import survey

if TYPE_CHECKING:
    from typing_extensions import Unpack


def finalize(
    staging: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    version: str | FormatVersion = FormatVersion.V30,
    **options: Unpack[RunKeywords],
) -> Report:
    root, how = staging_root(staging), RunOptions(**options)
    found = list_staging(root)
    episodes = staged.staged_table(root, found.whole, workers=how.workers)
    statistics = write_statistics(root, episodes, workers=how.workers)
    dataset = staged_dataset(root, episodes, statistics)
    inventory = survey(dataset, workers=how.workers)
    what = WriteOptions(to=version, timestamps="regular", regroup=True, with_uids=False, allow_reencode=True)
    view = dataset.written_as(what).having()
    plan = plan_write(view, out=out, workers=how.workers, surveys={dataset.url: inventory})
    return run(plan, how, sources=[dataset])
