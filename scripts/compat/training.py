"""Proves that trainers of lerobot run on our classes, and see what they saw. See README.md beside this file.

python scripts/compat/training.py --peer 0.6.1=PYTHON --peer 0.3.3=PYTHON --data FOLDER [--out FOLDER]
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from conversion import convert, copy_writable
from peers import Peer
from reading import source_folder

POLICY = (
    "--policy.type=act",
    "--policy.push_to_hub=false",
    "--policy.device=cpu",
    "--policy.pretrained_backbone_weights=null",
    "--policy.dim_model=32",
    "--policy.dim_feedforward=64",
    "--policy.n_heads=2",
    "--policy.n_encoder_layers=1",
    "--policy.n_vae_encoder_layers=1",
    "--policy.chunk_size=8",
    "--policy.n_action_steps=8",
)
RUN = (
    "--steps=2",
    "--log_freq=1",
    "--batch_size=2",
    "--num_workers=2",
    "--wandb.enable=false",
    "--seed=1",
)
SETS_06 = ("v3.0-lerobot-0.6.1-av1", "v3.0-lerobot-0.4.4-av1-many-files")
SETS_03 = ("v2.1-lerobot-0.3.3-h264", "v2.0-from-0.3.3-h264")
LOSS = re.compile(r"step:\d+ .* loss:([0-9.]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    name: str
    told: str
    failed: bool

    def line(self) -> str:
        return f"{self.name:72}{'DIFFERS ' if self.failed else ''}{self.told}"


def losses(output: str) -> list[str]:
    return LOSS.findall(output)


def with_lerobot_train(peer: Peer, root: Path, work: Path) -> Iterator[Verdict]:
    """`lerobot-train` with its own classes and with ours: the same losses, as all else is the same."""
    for name, more in (("", []), (", with evaluation", ["--dataset.eval_split=0.3"])):
        told = {}
        for side, module in (("lerobot", "lerobot.datasets"), ("roboreel", "roboreel.torch")):
            out = work / f"{root.name}-{side}{len(more)}"
            where = [f"--dataset.root={root}", f"--output_dir={out}", "--save_checkpoint=false"]
            data = ["--dataset.repo_id=local/x", "--dataset.video_backend=pyav", *where]
            told[side] = peer.output("train_with_alias.py", [module, *data, *POLICY, *RUN, *more])
        yield judged(f"lerobot-train of {peer.release}{name}, {root.name}", told)


def judged(name: str, told: dict[str, str]) -> Verdict:
    found = {side: losses(output) for side, output in told.items()}
    same = found["roboreel"] == found["lerobot"] and len(found["lerobot"]) == 2
    ours = "trained on roboreel." in told["roboreel"]
    if same and ours:
        return Verdict(name=name, told=f"same losses {found['lerobot']}", failed=False)
    last = told["roboreel"].strip().splitlines()[-1:] if not found["roboreel"] else []
    return Verdict(name=name, told=f"losses {found}, on ours: {ours} {last}", failed=True)


def with_v2_script(peer: Peer, root: Path, work: Path, revision: list[str]) -> Iterator[Verdict]:
    """A script for 0.3.3 on v2.x, in the same environment, and on our v3.0 of the same dataset."""
    theirs = peer.output("train_v2.py", ["lerobot.datasets.lerobot_dataset", str(root), *revision])
    upgraded = work / f"{root.name}-v30"
    error = convert(root, upgraded, version="v3.0")
    if error:
        yield Verdict(name=f"conversion of {root.name}", told=error, failed=True)
        return
    for version, path in (("as it is", root), ("as v3.0", upgraded)):
        ours = peer.output("train_v2.py", ["roboreel.torch.v2", str(path)])
        yield compared(f"script for 0.3.3, {root.name} {version}", ours, theirs)


def compared(name: str, ours: str, theirs: str) -> Verdict:
    try:
        mine, others = (json.loads(text.strip().splitlines()[-1]) for text in (ours, theirs))
    except (IndexError, ValueError):
        broken = ours if "Traceback" in ours else theirs
        return Verdict(name=name, told=" ".join(broken.split())[-300:], failed=True)
    apart = [key for key in ("losses", "digest") if mine[key] != others[key]]
    apart += [k for k in others["facts"] if mine["facts"].get(k) != others["facts"][k]]
    told = f"same losses {others['losses']}, batches and facts" if not apart else ""
    shown = [f"{k}: {mine['facts'].get(k)}, not {others['facts'].get(k)}"[:200] for k in apart]
    return Verdict(name=name, told=told or "; ".join(shown), failed=bool(apart))


def verdicts(peers: dict[str, Peer], data: Path, work: Path) -> Iterator[Verdict]:
    for release, names in (("0.6.1", SETS_06), ("0.3.3", SETS_03)):
        for name in names if release in peers else ():
            root = work / name
            copy_writable(data / "by_lerobot" / name, root)
            peer = replace(peers[release], source=source_folder())
            if release == "0.6.1":
                yield from with_lerobot_train(peer, root, work)
            else:
                yield from with_v2_script(peer, root, work, ["v2.0"] * name.startswith("v2.0"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peer", action="append", required=True, metavar="RELEASE=PYTHON")
    parser.add_argument("--data", type=Path, required=True, help="folder of the test datasets")
    parser.add_argument("--out", type=Path, help="keep the work in this new folder")
    options = parser.parse_args()
    failed = 0
    with ExitStack() as stack:
        work = Path(options.out or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        work.mkdir(parents=True, exist_ok=True)
        pythons = dict(peer.split("=", 1) for peer in options.peer)
        peers = {
            release: Peer(release=release, python=Path(python), home=work / f"peer-{release}")
            for release, python in pythons.items()
        }
        for verdict in verdicts(peers, options.data.resolve(), work):
            print(verdict.line(), flush=True)
            failed += verdict.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
