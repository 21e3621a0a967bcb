"""Opens, plans and writes the documents of one conversion of `million.py`; prints the cost as JSON.

`python bench/one_million_step.py SOURCE VERSION OUT`, in a process of its own.
"""

import json
import os
import sys

import av
import pyarrow.dataset
from measure import own_peak_rss_bytes, timed
from million_documents import ListedRoot
from one_scale_step import write_documents_of
from scale_inventory import assumed_inventory

import roboreel
from roboreel.dataset.open import dataset_below
from roboreel.edit.view import whole_view
from roboreel.edit.write_options import WriteOptions
from roboreel.plan.compile import compile_view
from roboreel.runner.work import work_of

PRELOADED = (av, pyarrow.dataset, roboreel.open, roboreel.plan_convert)


def main() -> None:
    source, version, out = sys.argv[1:]
    os.environ["ROBOREEL_CACHE"] = "off"
    opened, dataset = timed(lambda: dataset_below(ListedRoot(source)))
    inventory = assumed_inventory(dataset)
    target = WriteOptions(to=version, timestamps="regular", regroup=True)
    view = whole_view(dataset).written_as(target)
    compiled, plan = timed(lambda: compile_view(view, [inventory]))
    sliced, works = timed(lambda: sum(1 for _ in work_of(plan, "")))
    documents, _ = timed(lambda: write_documents_of(dataset, plan, out))
    parts = {"open": opened, "compile": compiled, "slice": sliced, "documents": documents}
    episodes = plan.model.episodes
    columns = [name for name in episodes.column_names if name.endswith("path")]
    print(
        json.dumps(
            {
                "wall_seconds": {name: wall for name, (wall, _) in parts.items()},
                "cpu_seconds": {name: cpu for name, (_, cpu) in parts.items()},
                "counts": {
                    "operations": works,
                    "files": sum(len(episodes[name].unique()) for name in columns),
                    "document bytes": _size_of(out),
                },
                "peak_rss_bytes": own_peak_rss_bytes(),
            }
        )
    )


def _size_of(folder: str) -> int:
    return sum(
        os.path.getsize(os.path.join(above, name))
        for above, _, names in os.walk(folder)
        for name in names
    )


if __name__ == "__main__":
    main()
