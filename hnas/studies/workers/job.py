"""One local worker, ``python -m hnas.studies.workers.job``; `LocalJobs` tells it by a pipe what to do."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import suppress

import optuna

from hnas.base import HnasError
from hnas.base import Progress
from hnas.studies.presets import threads_for
from hnas.studies.session import open_stored
from hnas.studies.storage.errors import storage_failure
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from hnas.studies.workers.jobs import INTERRUPTED
from hnas.studies.workers.jobs import Run
from hnas.studies.workers.running import make_evaluator
from hnas.studies.workers.running import make_worker
from hnas.training import cpu_threads

PATIENCE_SECONDS = 60.0
"""How long a database is waited for: whoever started this process has just used it."""


class _Lines(Progress):
    """Hands what is worth saying to the process that started this one."""

    def say(self, message: str) -> None:
        with suppress(BrokenPipeError):  # It is gone; this process ends soon, too.
            os.write(1, (message.replace("\n", " ") + "\n").encode())


def main() -> int:
    """Runs trials as told; returns the exit code."""
    words = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    progress, run = _Lines(), Run(**words["run"])
    try:
        stored = open_stored(words["study"], words["storage"], words["artifacts"], PATIENCE_SECONDS)
        problem = stored.problem(run.dataset)
        stored = with_sampler(stored, make_sampler(problem))
        with cpu_threads(run.threads(threads_for(problem.task))):
            evaluator = make_evaluator(stored, problem, run, progress)
            make_worker(stored, problem, evaluator, progress, lambda: "").run(run.trials, run.timeout)
    except KeyboardInterrupt:
        return INTERRUPTED
    except HnasError as error:
        progress.say(str(error))
        return 1
    except Exception as error:
        failure = storage_failure(error)
        if failure is None:
            raise
        progress.say(failure)
        return 1
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()  # Ends when the other end of the pipe is closed, however that came about.
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
