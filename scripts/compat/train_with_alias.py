"""Runs `lerobot-train` with roboreel's dataset classes in the place of lerobot's.

`PYTHON train_with_alias.py MODULE ARGUMENTS …`, in an environment with lerobot 0.6.1 and roboreel; MODULE has
the classes. They are bound again in each module of lerobot that has the names; nothing else changes. Prints
the class that the loader read from.
"""

import importlib
import sys
from typing import Any

ALIASED = {
    "LeRobotDataset": "lerobot.datasets.lerobot_dataset",
    "LeRobotDatasetMetadata": "lerobot.datasets.dataset_metadata",
}


def alias(module: str) -> None:
    """Binds our classes wherever lerobot has bound its own."""
    ours = importlib.import_module(module)
    for name, home in ALIASED.items():
        theirs = getattr(importlib.import_module(home), name)
        for loaded in [m for n, m in sys.modules.items() if n.split(".")[0] == "lerobot"]:
            for bound in [n for n, value in vars(loaded).items() if value is theirs]:
                setattr(loaded, bound, getattr(ours, name))


def told(dataset: Any) -> None:  # Any: whatever lerobot made
    print(f"trained on {type(dataset).__module__}.{type(dataset).__name__}", flush=True)


def main() -> None:
    module, *arguments = sys.argv[1:]
    sys.argv = ["lerobot-train", *arguments]
    script: Any = importlib.import_module("lerobot.scripts.lerobot_train")
    alias(module)
    make = script.make_train_eval_datasets

    def noted(*given: Any, **more: Any) -> Any:  # Any: lerobot's own signature
        made = make(*given, **more)
        told(made[0])
        return made

    script.make_train_eval_datasets = noted
    script.main()


if __name__ == "__main__":
    main()
