"""Trials as rows of Optuna's tables, read and written many at a time.

Optuna's own storage writes every parameter and attribute in a transaction of its own and builds every object of its
mapper to read one: about three statements and a commit for each value. The same rows take a handful of statements here.
"""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import lru_cache
from itertools import islice
from typing import Any

import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.distributions import distribution_to_json
from optuna.distributions import json_to_distribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from sqlalchemy import Connection
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite

from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_TOKEN
from hnas.studies.attributes import TRIAL_WORKER

CHUNK = 500
"""So many trials are named in one statement: databases bound the number of its parameters."""

_TRIALS: Any = models.TrialModel.__table__
_PARAMS: Any = models.TrialParamModel.__table__
_VALUES: Any = models.TrialValueModel.__table__
_STEPS: Any = models.TrialIntermediateValueModel.__table__
_USER: Any = models.TrialUserAttributeModel.__table__
_SYSTEM: Any = models.TrialSystemAttributeModel.__table__


@dataclass
class Writes:
    """What is still to be written of a running trial.

    Attributes:
        params: Parameters in their internal form, with their distributions.
        user: User attributes as JSON.
        system: System attributes as JSON.
    """

    params: dict[str, tuple[float, BaseDistribution]] = field(default_factory=dict)
    user: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.params or self.user or self.system)


@dataclass(frozen=True)
class Ending:
    """How a trial ends.

    Attributes:
        state: Its last state.
        values: Its objectives' values, if it is complete.
        moment: When, in naive local time as Optuna has it.
    """

    state: TrialState
    values: list[float] | None
    moment: datetime.datetime


def write_trial(connection: Connection, trial_id: int, writes: Writes) -> None:
    """Writes parameters and attributes of a trial, unless it has ended.

    Doing it twice does no harm: parameters that are there stay, attributes are replaced by themselves.
    """
    state = _locked_state(connection, trial_id)
    if state is not None and not state.is_finished():
        _write(connection, trial_id, writes)


def end_trial(connection: Connection, trial_id: int, writes: Writes, ending: Ending, *, repeated: bool = False) -> None:
    """Writes parameters, attributes and values of a trial, and ends it.

    Args:
        connection: In a transaction.
        trial_id: The trial.
        writes: What was not written yet.
        ending: How it ends.
        repeated: Whether this was tried before and the answer lost: a trial that has ended so already is left as it is.

    Raises:
        UpdateFinishedTrialError: It has ended already.
    """
    state = _locked_state(connection, trial_id)
    if state is not None and state.is_finished():
        if repeated and (state, _values(connection, trial_id)) == (ending.state, ending.values):
            return
        raise UpdateFinishedTrialError(f"the trial with the id {trial_id} has ended: {state.name}")
    _write(connection, trial_id, writes)
    rows = []
    for objective, value in enumerate(ending.values or ()):
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        rows.append({"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind})
    if rows:
        connection.execute(sqlalchemy.insert(_VALUES), rows)
    changes = {"state": ending.state, "datetime_complete": _utc(ending.moment)}
    connection.execute(sqlalchemy.update(_TRIALS).where(_TRIALS.c.trial_id == trial_id).values(changes))


def _locked_state(connection: Connection, trial_id: int) -> TrialState | None:
    chosen = sqlalchemy.select(_TRIALS.c.state).where(_TRIALS.c.trial_id == trial_id)
    found: TrialState | None = connection.execute(chosen.with_for_update()).scalar()
    return found


def _values(connection: Connection, trial_id: int) -> list[float] | None:
    chosen = sqlalchemy.select(_VALUES.c.value, _VALUES.c.value_type).where(_VALUES.c.trial_id == trial_id)
    rows = connection.execute(chosen.order_by(_VALUES.c.objective))
    return [models.TrialValueModel.stored_repr_to_value(*row) for row in rows] or None


def _write(connection: Connection, trial_id: int, writes: Writes) -> None:
    params = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": value,
            "distribution_json": _distribution_json(distribution),
        }
        for name, (value, distribution) in writes.params.items()
    ]
    if params:
        connection.execute(_insert_unless_there(connection, _PARAMS, ("trial_id", "param_name"), None), params)
    for table, attributes in ((_USER, writes.user), (_SYSTEM, writes.system)):
        if attributes:
            rows = [{"trial_id": trial_id, "key": key, "value_json": value} for key, value in attributes.items()]
            connection.execute(_insert_unless_there(connection, table, ("trial_id", "key"), "value_json"), rows)


def _insert_unless_there(connection: Connection, table: Any, unique: tuple[str, ...], replaced: str | None) -> Any:
    """An insertion that leaves rows alone that are there, or replaces one of their columns."""
    if connection.dialect.name in ("mysql", "mariadb"):
        statement = mysql.insert(table)
        column = replaced or unique[0]
        return statement.on_duplicate_key_update({column: statement.inserted[column] if replaced else table.c[column]})
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    insertion = dialect.insert(table)
    if replaced is None:
        return insertion.on_conflict_do_nothing(index_elements=list(unique))
    return insertion.on_conflict_do_update(
        index_elements=list(unique), set_={replaced: getattr(insertion.excluded, replaced)}
    )


def read_states(
    connection: Connection, study_id: int, later_than: int, among: Iterable[int]
) -> list[tuple[int, TrialState]]:
    """Returns ids and states of the trials with ids above ``later_than``, and of those ``among``, by id."""
    columns = sqlalchemy.select(_TRIALS.c.trial_id, _TRIALS.c.state).where(_TRIALS.c.study_id == study_id)
    rows = [tuple(row) for row in connection.execute(columns.where(_TRIALS.c.trial_id > later_than))]
    for chunk in _chunks(trial_id for trial_id in among if trial_id <= later_than):
        rows += [tuple(row) for row in connection.execute(columns.where(_TRIALS.c.trial_id.in_(chunk)))]
    return sorted(rows, key=lambda row: row[0])


def read_trials(connection: Connection, trial_ids: Iterable[int]) -> list[FrozenTrial]:
    """Returns trials by their ids, in rising order of these."""
    trials: list[FrozenTrial] = []
    for chunk in _chunks(sorted(trial_ids)):
        trials += _read_chunk(connection, chunk)
    return trials


def read_marks(connection: Connection, trial_ids: Iterable[int]) -> list[FrozenTrial]:
    """Returns trials that others run, with nothing but what tells their candidate, worker and generation."""
    trials: list[FrozenTrial] = []
    for chunk in _chunks(sorted(trial_ids)):
        heads = _heads(connection, chunk)
        user = _rows(connection, _USER, chunk, ("key", "value_json"), _USER.c.key.in_((TRIAL_KEY, TRIAL_WORKER)))
        system = _rows(connection, _SYSTEM, chunk, ("key", "value_json"), _SYSTEM.c.key == SAMPLER_GENERATION)
        for head in heads:
            marks = {key: json.loads(value) for key, value in user[head["trial_id"]]}
            trials.append(_trial(head, user_attrs=marks, system_attrs=_system(system[head["trial_id"]])))
    return trials


def _heads(connection: Connection, chunk: list[int]) -> list[dict[str, Any]]:
    chosen = sqlalchemy.select(_TRIALS).where(_TRIALS.c.trial_id.in_(chunk)).order_by(_TRIALS.c.trial_id)
    return [dict(row) for row in connection.execute(chosen).mappings()]


def _rows(
    connection: Connection, table: Any, chunk: list[int], columns: Sequence[str], *conditions: Any, order: str = ""
) -> dict[int, list[Any]]:
    """Returns columns of the rows that belong to trials, by trial."""
    chosen = sqlalchemy.select(table.c.trial_id, *(table.c[name] for name in columns))
    chosen = chosen.where(table.c.trial_id.in_(chunk), *conditions)
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(chosen.order_by(table.c[order]) if order else chosen):
        found[row[0]].append(row[1:])
    return found


def _trial(head: Mapping[str, Any], **parts: Any) -> FrozenTrial:
    nothing: dict[str, Any] = {
        "params": {},
        "distributions": {},
        "user_attrs": {},
        "system_attrs": {},
        "intermediate_values": {},
    }
    return FrozenTrial(
        number=head["number"],
        state=head["state"],
        value=None,
        datetime_start=_local(head["datetime_start"]),
        datetime_complete=_local(head["datetime_complete"]),
        trial_id=head["trial_id"],
        **{"values": None, **nothing, **parts},
    )


def _read_chunk(connection: Connection, chunk: list[int]) -> list[FrozenTrial]:
    # The states come first: what belongs to an ended trial was all there before it ended, and never changes after.
    heads = _heads(connection, chunk)
    pair = ("key", "value_json")
    params = _rows(connection, _PARAMS, chunk, ("param_name", "param_value", "distribution_json"), order="param_id")
    values = _rows(connection, _VALUES, chunk, ("value", "value_type"), order="objective")
    steps = _rows(connection, _STEPS, chunk, ("step", "intermediate_value", "intermediate_value_type"), order="step")
    user = _rows(connection, _USER, chunk, pair, order="trial_user_attribute_id")
    system = _rows(connection, _SYSTEM, chunk, pair, order="trial_system_attribute_id")
    value_of = models.TrialValueModel.stored_repr_to_value
    step_of = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
    trials = []
    for head in heads:
        trial_id = head["trial_id"]
        distributions = {name: _distribution(text) for name, _, text in params[trial_id]}
        trial = _trial(
            head,
            values=[value_of(*row) for row in values[trial_id]] or None,
            params={name: distributions[name].to_external_repr(value) for name, value, _ in params[trial_id]},
            distributions=distributions,
            user_attrs={key: json.loads(value) for key, value in user[trial_id]},
            system_attrs=_system(system[trial_id]),
            intermediate_values={step: step_of(value, kind) for step, value, kind in steps[trial_id]},
        )
        trials.append(trial)
    return trials


def _system(rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """Returns system attributes without the token of creation, which is the storage's own."""
    return {key: json.loads(value) for key, value in rows if key != TRIAL_TOKEN}


def _chunks(trial_ids: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(trial_ids)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _local(utc: datetime.datetime | None) -> datetime.datetime | None:
    """Optuna stores naive UTC and shows naive local time."""
    return None if utc is None else utc.replace(tzinfo=datetime.UTC).astimezone().replace(tzinfo=None)


def _utc(local: datetime.datetime) -> datetime.datetime:
    return local.astimezone(datetime.UTC).replace(tzinfo=None)


# A study has a few distributions, and every one of its trials repeats them all.
@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


@lru_cache(maxsize=4096)
def _distribution_json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)
