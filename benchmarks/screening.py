"""What screening is worth: the same CPU seconds with and without, on real AV-MNIST.

For every seed one study runs with screening and one without, each until it has used its CPU seconds (supernets, and
scoring the front again with fresh seeds, are left out). Both begin with the same trials: what one has computed the
other one takes over with the CPU seconds it cost, so that they are compared at the same clock, and the machine's other
load does not matter. Printed are, by CPU seconds, the hypervolume (reference point of the study) with and without; and
what the rule does to the history of the study without: how many searches and CPU seconds it would have saved, and how
much of the front that study ended with it would have kept.

    OMP_NUM_THREADS=1 python benchmarks/screening.py RAW --device tx2 [--seeds 5] [--seconds 150] [--score metric]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import TypeVar

import torch
from optuna.trial import FrozenTrial

import hnas
from hnas.cli.progress import quiet_optuna
from hnas.datasets import prepare_avmnist
from hnas.fusion import Genotype
from hnas.studies import attributes as names
from hnas.studies import Evaluator
from hnas.studies import make_store
from hnas.studies import Score
from hnas.studies import StoredStudy
from hnas.studies import Tensors
from hnas.studies.candidate import Candidate
from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.dominance import on_front
from hnas.studies.fronts.hypervolume import hypervolume
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.scoring.evaluation import LateResult
from hnas.studies.scoring.runner import TrialRunner
from hnas.studies.scoring.screening import Screening
from hnas.studies.settings import ScreeningSettings
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler

T = TypeVar("T")
PARTS = 6
"""So many equal parts of the CPU seconds are looked at."""

RISKS = (0.1, 0.2, 0.4)
"""The rule's own, and bolder ones."""


class Ledger:
    """What was computed for one seed and what it cost; doing it again costs the same, on the clock alone."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[Any, float]] = {}
        self._begun = 0.0
        self._charged = 0.0

    def start(self) -> None:
        """Sets the clock to zero."""
        self._begun, self._charged = time.process_time(), 0.0

    @property
    def clock(self) -> float:
        """CPU seconds since the start."""
        return time.process_time() - self._begun + self._charged

    def seconds(self, *key: str) -> float:
        """Returns what something cost; 0 if it was never done."""
        return self._kept[key][1] if key in self._kept else 0.0

    def run(self, compute: Callable[[], T], *key: str) -> T:
        """Returns what ``compute`` returns, or returned before."""
        if key in self._kept:
            self._charged += self._kept[key][1]
        else:
            begun = time.process_time()
            result = compute()
            self._kept[key] = (result, time.process_time() - begun)
        found: T = self._kept[key][0]
        return found


class LedgerEvaluator(Evaluator):
    """An evaluator whose work is kept in a ledger."""

    ledger: Ledger

    def late(self, candidate: Candidate, known: Mapping[str, Score] | None = None) -> LateResult:
        """Scores late fusion once."""
        return self.ledger.run(lambda: Evaluator.late(self, candidate, known), "late", candidate.key)

    def search(self, candidate: Candidate, seed: int, progress: hnas.Progress) -> Genotype:
        """Searches a fusion once."""
        return self.ledger.run(lambda: Evaluator.search(self, candidate, seed, progress), "search", candidate.key)

    def derived(self, candidate: Candidate, genotype: Genotype, seed: int, progress: hnas.Progress) -> Score:
        """Trains a network once."""
        return self.ledger.run(
            lambda: Evaluator.derived(self, candidate, genotype, seed, progress), "derived", candidate.key
        )


@dataclass
class Arm:
    """One study with the CPU second at which each of its trials ended."""

    stored: StoredStudy
    problem: Problem
    ended: list[tuple[float, FrozenTrial]] = field(default_factory=list)

    def hypervolume(self, seconds: float, without: frozenset[int] = frozenset()) -> float:
        """Returns the hypervolume of what had ended by a CPU second."""
        trials = [trial for end, trial in self.ended if end <= seconds and trial.number not in without]
        reference = [self.stored.reference_point[name] for name in self.stored.settings.objectives]
        points = [trial.values for trial in trials if trial.user_attrs[names.TRIAL_FEASIBLE]]
        return hypervolume(points, reference, self.stored.study.directions)

    def count(self, attribute: str) -> int:
        """Returns how many trials have an attribute."""
        return sum(attribute in trial.user_attrs for _, trial in self.ended)


def run_arm(config: hnas.SearchConfig, ledger: Ledger, seconds: float) -> Arm:
    # Creates the study, and begins no trial.
    stored = hnas.search(config.model_copy(update={"timeout": 1e-9}))
    problem = stored.problem()
    sampler = make_sampler(problem)
    stored = with_sampler(stored, sampler)
    evaluator = LedgerEvaluator(
        problem, make_store(stored, problem, Tensors(problem.dataset, torch.device("cpu")), hnas.Progress())
    )
    evaluator.ledger = ledger
    runner = TrialRunner(problem, evaluator, Pricer(problem), hnas.Progress())
    arm = Arm(stored, problem)
    ledger.start()
    while ledger.clock < seconds:
        trial = stored.study.ask()
        stored.study.tell(trial, runner(trial))
        arm.ended.append((ledger.clock, stored.study.get_trials(deepcopy=False)[trial.number]))
    arm.ended = [(end, trial) for end, trial in arm.ended if end <= seconds]
    return arm


def replay(arm: Arm, risk: float, ledger: Ledger) -> dict[str, float]:
    """Returns what the rule would have done to a study without it: searches and CPU seconds saved, front kept."""
    screening = Screening(arm.problem.settings, ScreeningSettings(risk=risk))
    history: list[FrozenTrial] = []
    screened, searches, saved = set(), 0, 0.0
    for _, trial in arm.ended:
        found = trial.user_attrs
        fusion = found[names.TRIAL_CANDIDATE]["fusion"]
        if fusion["cells"] and names.TRIAL_REUSED_FROM not in found:
            searches += 1
            if screening.judge(history, trial, fusion["kind"], found[names.TRIAL_LATE_VALUES]):
                screened.add(trial.number)
                saved += sum(ledger.seconds(what, found[names.TRIAL_KEY]) for what in ("search", "derived"))
                continue
        history.append(trial)
    feasible = [trial for _, trial in arm.ended if trial.user_attrs[names.TRIAL_FEASIBLE]]
    best = on_front(losses([trial.values for trial in feasible], arm.stored.study.directions))
    front = {trial.number for trial, stays in zip(feasible, best, strict=True) if stays}
    end = arm.ended[-1][0]
    return {
        "risk": risk,
        "searches": searches,
        "screened": len(screened),
        "seconds_saved": saved,
        "front": len(front),
        "front_kept": len(front - screened),
        "hypervolume_kept": arm.hypervolume(end, frozenset(screened)) / arm.hypervolume(end),
    }


def one_seed(config: hnas.SearchConfig, seconds: float) -> dict[str, Any]:
    ledger = Ledger()
    arms = {}
    for name, screening in (("without", False), ("with", True)):
        asked = {"name": f"{name}-{config.seed}", "seed": config.seed, "screening": screening}
        arms[name] = run_arm(config.model_copy(update=asked), ledger, seconds)
    times = [seconds * (part + 1) / PARTS for part in range(PARTS)]
    return {
        "seed": config.seed,
        "seconds": times,
        "hypervolume": {name: [arm.hypervolume(moment) for moment in times] for name, arm in arms.items()},
        "trials": {name: len(arm.ended) for name, arm in arms.items()},
        "screened": arms["with"].count(names.TRIAL_SCREENED),
        "replays": [replay(arms["without"], risk, ledger) for risk in RISKS],
    }


def print_result(rows: Sequence[dict[str, Any]]) -> None:
    print("CPU seconds: hypervolume with / without screening, mean and range over seeds of the ratio")
    for position, moment in enumerate(rows[0]["seconds"]):
        ratios = [row["hypervolume"]["with"][position] / row["hypervolume"]["without"][position] for row in rows]
        print(f"  {moment:6.0f} s  {statistics.fmean(ratios):.4f}  ({min(ratios):.4f} to {max(ratios):.4f})")
    for name in ("without", "with"):
        print(f"trials {name} screening: {', '.join(str(row['trials'][name]) for row in rows)}")
    print(f"screened: {', '.join(str(row['screened']) for row in rows)}")
    whole = sum(row["seconds"][-1] for row in rows)
    print(f"the rule on the studies without ({whole:.0f} CPU s), by risk:")
    for position, risk in enumerate(RISKS):
        found = [row["replays"][position] for row in rows]
        total = {name: sum(row[name] for row in found) for name in found[0]}
        print(
            f"  {risk}: {total['screened']} of {total['searches']} searches screened out, "
            f"{total['seconds_saved']:.0f} CPU s saved, {total['front_kept']} of {total['front']} trials of the "
            f"fronts kept, at least {min(row['hypervolume_kept'] for row in found):.5f} of the hypervolume"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--device", default="tx2")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU seconds of each study")
    parser.add_argument("--score", default="metric", choices=["metric", "log_loss"])
    arguments = parser.parse_args()
    quiet_optuna()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.raw
        if dataset.is_dir():
            dataset = Path(folder) / "avmnist.h5"
            prepare_avmnist(arguments.raw, dataset, hnas.Progress())
        rows = []
        for seed in range(arguments.seeds):
            config = hnas.SearchConfig(
                dataset=str(dataset),
                device=arguments.device,
                storage=f"sqlite:///{folder}/hnas.db",
                score=arguments.score,
                seed=seed,
            )
            rows.append(one_seed(config, arguments.seconds))
            print(json.dumps(rows[-1]), flush=True)
    print_result(rows)


if __name__ == "__main__":
    main()
