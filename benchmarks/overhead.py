"""What hnas and Optuna cost beside training: an AV-MNIST study on SQLite, second by second.

A study runs as `hnas search` runs it. Counted as work is what computes with networks: features of backbones, late
fusion, the fusion search and the derived network. All the rest of the trials' time is overhead: asking, suggesting,
pricing, screening, looking for known candidates, storing, drawing, the progress line, the page. Printed are both, over
all trials and over those that were trained, and where the overhead goes.

    python benchmarks/overhead.py RAW --device tx2 [--trials 30]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hnas
from hnas.cli.progress import make_progress
from hnas.cli.progress import quiet_optuna
from hnas.datasets import prepare_avmnist
from hnas.reports import StudyPage
from hnas.studies import Evaluator
from hnas.studies.fronts.drawings import Drawings
from hnas.studies.pricing import Pricer
from hnas.studies.storage.worker_storage import WorkerStorage
from hnas.studies.workers.worker import Worker


class Clock:
    """Seconds spent in functions, those in one another counted once, for the outermost."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = 0

    def watch(self, owner: Any, name: str, label: str) -> None:
        """Counts the time of a method from here on."""
        method = getattr(owner, name)

        def timed(*arguments: Any, **keywords: Any) -> Any:
            self._inside += 1
            begun = time.perf_counter()
            try:
                return method(*arguments, **keywords)
            finally:
                self._inside -= 1
                if not self._inside:
                    self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - begun

        setattr(owner, name, timed)


def timed_trials(work: Clock) -> list[tuple[float, float]]:
    """Returns a list that every trial's seconds, whole and at work, are added to from here on."""
    found: list[tuple[float, float]] = []
    one_trial: Callable[[Worker], None] = Worker._one_trial

    def timed(self: Worker) -> None:
        before, begun = sum(work.seconds.values()), time.perf_counter()
        one_trial(self)
        found.append((time.perf_counter() - begun, sum(work.seconds.values()) - before))

    Worker._one_trial = timed  # type: ignore[method-assign]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--device", default="tx2")
    parser.add_argument("--trials", type=int, default=30)
    arguments = parser.parse_args()
    quiet_optuna()
    progress = make_progress()
    work, rest = Clock(), Clock()
    for name in ("late", "search", "derived"):
        work.watch(Evaluator, name, name)
    for owner, name, label in (
        (WorkerStorage, "_read_trials_from_remote_storage", "reading trials"),
        (WorkerStorage, "_flush", "writing trials"),
        (WorkerStorage, "create_new_trial", "creating trials"),
        (WorkerStorage, "_end", "telling trials"),
        (Pricer, "cheapest", "pricing"),
        (Pricer, "price", "pricing"),
        (Drawings, "_attach", "drawing"),
        (StudyPage, "went_on", "the page"),
    ):
        rest.watch(owner, name, label)
    trials = timed_trials(work)
    loop = Clock()
    loop.watch(Worker, "run", "run")
    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.raw
        if dataset.is_dir():
            dataset = Path(folder) / "avmnist.h5"
            prepare_avmnist(arguments.raw, dataset, progress)
        config = hnas.SearchConfig(
            dataset=str(dataset),
            device=arguments.device,
            storage=f"sqlite:///{folder}/hnas.db",
            trials=arguments.trials,
        )
        hnas.search(config, progress, StudyPage(progress))
    whole, worked = loop.seconds["run"], sum(seconds for _, seconds in trials)
    trained = [(whole, at_work) for whole, at_work in trials if at_work > 1.0]
    print(f"{len(trials)} trials in {whole:.1f} s: {whole - worked:.2f} s beside the work, {1 - worked / whole:.2%}")
    share = 1 - sum(at_work for _, at_work in trained) / sum(whole for whole, _ in trained)
    print(f"{len(trained)} of them trained, {share:.2%} of their time beside the work")
    print(f"milliseconds a trial beside the work: {1000 * (whole - worked) / len(trials):.0f}")
    for label, seconds in sorted(rest.seconds.items(), key=lambda pair: -pair[1]):
        print(f"  {label:18} {1000 * seconds / len(trials):6.1f} ms a trial")
    print(json.dumps({"share": 1 - worked / whole, "share_trained": share, "trials": len(trials), "seconds": whole}))


if __name__ == "__main__":
    main()
