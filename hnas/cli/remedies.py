"""Commands that users are told to run next: whole, so that they can be pasted."""

from __future__ import annotations

import os
import shlex

from hnas.cli.options import STORAGE
from hnas.cli.options import STORAGE_VARIABLE


def study_command(command: str, name: str, storage: str, *rest: str) -> str:
    """Returns a command for a study.

    Args:
        command: Such as ``export``.
        name: The study.
        storage: Its database as the user named it. It is left out where hnas takes it anyway; a password in it is shown
            as ``***``, for the user to put back.
        rest: What follows, as it is to be typed.
    """
    from hnas.studies import shown_storage

    implied = os.environ.get(STORAGE_VARIABLE) or STORAGE
    where = [] if storage == implied else ["--storage", shlex.quote(shown_storage(storage))]
    return " ".join(["hnas", command, shlex.quote(name), *where, *rest])
