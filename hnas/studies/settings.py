"""Settings: all a study needs to be run elsewhere.

What a user writes (a YAML file and options) is a `SearchConfig` with gaps; `resolve` fills them from the dataset's
preset and makes the identity `Settings`, which are fixed at a study's creation and stored with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Literal
from typing import TypeVar

import yaml
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator
from pydantic import ValidationError

from hnas.base import SettingsError
from hnas.fusion import SearchRecipe
from hnas.studies.storage.url import DEFAULT_STORAGE
from hnas.studies.threshold_setting import Threshold
from hnas.training import Recipe

M = TypeVar("M", bound=BaseModel)
Objective = Literal["score", "latency", "energy"]
MAX_NAME = 512
"""Letters in the name of a study: what Optuna's tables hold."""

ScoreName = Literal["metric", "log_loss"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BackboneSettings(_Model):
    """The search space of one modality's backbone."""

    space: str = "ofa_mobilenet_v3"
    variant: str


class FusionSettings(_Model):
    """The fusion spaces and their sizes.

    Attributes:
        kinds: Values of the gene ``fusion.kind``.
        channels: Channels of every state (C).
        length: Positions of every state (L), a square number.
        max_cells: Largest number of cells.
        max_nodes: Largest number of nodes in a cell.
    """

    kinds: tuple[str, ...] = Field(("late", "cells"), min_length=1)
    channels: int = Field(192, ge=1)
    length: int = Field(16, ge=1)
    max_cells: int = Field(4, ge=1)
    max_nodes: int = Field(4, ge=1)

    @field_validator("kinds")
    @classmethod
    def _once(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(kinds)) != len(kinds):
            raise ValueError("must name each kind once")
        return kinds

    @field_validator("length")
    @classmethod
    def _square(cls, length: int) -> int:
        if round(length**0.5) ** 2 != length:
            raise ValueError("must be a square number, such as 4 or 16: a feature map is pooled to that many cells")
        return length


class ScreeningSettings(_Model):
    """The rule by which candidates are screened out before a fusion search (`hnas.studies.scoring.screening`).

    Attributes:
        rule: ``like_earlier``: one more search changes late fusion as one of the earlier ones did.
        risk: A candidate is screened out if its estimated chance to reach the front is at most this.
    """

    rule: Literal["like_earlier"] = "like_earlier"
    risk: float = Field(0.1, gt=0, lt=1)


class FinalRecipe(Recipe):
    """How the chosen network is trained whole.

    Attributes:
        unimodal_weight: Weight of the losses of the backbones' own heads beside the fused loss.
        averaged: Fraction of the steps, at the end, over which the weights are averaged; 0 takes the last ones.
    """

    unimodal_weight: float = Field(0.5, ge=0)
    averaged: float = Field(0.0, ge=0, lt=1)


class Recipes(_Model):
    """How everything in a study is trained; supernets by modality."""

    supernets: dict[str, Recipe]
    search: SearchRecipe
    derived: Recipe
    final: FinalRecipe


class Settings(_Model):
    """The identity of a study: what every worker must agree on.

    Attributes:
        dataset: Name of the dataset.
        dataset_sha256: Hash of its content.
        device: Name of the device that the cost table describes.
        table_sha256: Hash of the cost table.
        objectives: What is optimised, ``score`` first.
        score: What ranks: the task's ``metric``, or ``log_loss``.
        threshold: Of a multilabel task's answers. None for multiclass tasks; in a multilabel study, that it was made
            before thresholds were recorded, with 0.5.
        max_latency_ms: Budget, or None.
        max_energy_mj: Budget, or None.
        backbones: Search space of each modality.
        fusion: Fusion spaces.
        strategy: How candidates are searched.
        screening: Which candidates are told without a search; None: none, as in studies made before there was a rule.
        population: Individuals a generation of NSGA-II.
        seed: Seeds everything.
        recipes: How everything is trained.
        supernet_sha256: Hash of each modality's supernet weights.
    """

    dataset: str
    dataset_sha256: str
    device: str
    table_sha256: str
    objectives: tuple[Objective, ...]
    score: ScoreName
    threshold: Threshold | None = None
    max_latency_ms: float | None
    max_energy_mj: float | None
    backbones: dict[str, BackboneSettings]
    fusion: FusionSettings
    strategy: str
    screening: ScreeningSettings | None = None
    population: int = Field(ge=2)
    seed: int
    recipes: Recipes
    supernet_sha256: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _one_recipe_for_all(cls, values: Any) -> Any:
        """Reads studies of before recipes of supernets were told apart by modality."""
        recipes = values.get("recipes") if isinstance(values, Mapping) else None
        if not isinstance(recipes, Mapping) or "supernet" not in recipes:
            return values
        rest = {name: recipe for name, recipe in recipes.items() if name != "supernet"}
        supernets = {modality: recipes["supernet"] for modality in values["backbones"]}
        return {**values, "recipes": {**rest, "supernets": supernets}}


class SearchConfig(_Model):
    """What a user may ask of a search; whatever is left out follows from the dataset and the device.

    Attributes:
        name: Name of the study, of at most 512 letters; the next free name by default.
        dataset: An embedded dataset's name, or a dataset file.
        device: ``host``, a device's name, or a cost-table file.
        storage: An SQLAlchemy URL, or a SQLite file.
        artifacts: Folder for what travels with the study; by default beside the SQLite file.
        trials: Trials with values that the study is to have in the end.
        timeout: Seconds after which no further trial is begun.
        objectives: What is optimised; by default all that the cost table can price.
        score: ``metric`` or ``log_loss``.
        threshold: Probability above which a label of a multilabel task is said to be present, or ``fitted``: on
            ``search``, to each network that is scored. Fitted by default; multiclass tasks have none.
        max_latency_ms: Budget in ms.
        max_energy_mj: Budget in mJ.
        backbones: Search spaces by modality.
        fusion: Changes to the preset's fusion settings.
        strategy: How candidates are searched.
        screening: Whether candidates that late fusion and price rule out are told without a search, or the rule's
            parameters.
        population: Individuals a generation; by default a fifth of the trials, 8 to 50.
        seed: Seeds everything.
        supernets: Supernet files by modality, to be used instead of training them; what an import left incomplete is
            trained from there.
        recipes: Changes to the preset's recipes, by recipe (``supernet``, ``search``, ``derived``, ``final``) and
            field; ``supernets`` holds those for single modalities.
        accelerator: Where PyTorch trains: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        jobs: Workers on this machine, each with its share of the cores (or accelerators).
        enqueue: Published networks or architecture files whose backbones and size of fusion are to be tried first.
    """

    name: str | None = Field(None, max_length=MAX_NAME)
    dataset: str = "digits"
    device: str = "host"
    storage: str = DEFAULT_STORAGE
    artifacts: str | None = None
    trials: int = Field(30, ge=1)
    timeout: float | None = Field(None, gt=0)
    objectives: tuple[Objective, ...] | None = None
    score: ScoreName = "metric"
    threshold: Threshold | None = None
    max_latency_ms: float | None = Field(None, gt=0)
    max_energy_mj: float | None = Field(None, gt=0)
    backbones: dict[str, BackboneSettings] | None = None
    fusion: dict[str, Any] = {}
    strategy: str = "joint"
    screening: bool | ScreeningSettings = False
    population: int | None = Field(None, ge=2)
    seed: int = Field(0, ge=0)
    supernets: dict[str, str] = {}
    recipes: dict[str, dict[str, Any]] = {}
    accelerator: str = "auto"
    jobs: int = Field(1, ge=1)
    enqueue: tuple[str, ...] = ()

    @field_validator("objectives")
    @classmethod
    def _score_first(cls, objectives: tuple[Objective, ...] | None) -> tuple[Objective, ...] | None:
        if objectives is not None and (objectives[:1] != ("score",) or len(set(objectives)) != len(objectives)):
            raise ValueError("must begin with 'score' and name each objective once")
        if objectives is not None and len(objectives) < 2:
            raise ValueError("must name a cost beside the score: latency, energy or both")
        return objectives


def read_config(path: Path | None, options: Mapping[str, Any]) -> SearchConfig:
    """Makes a configuration from defaults, then a YAML file, then options (those that are not None).

    Raises:
        SettingsError: The file cannot be read, or a setting is unknown or impossible; names it.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"cannot read the configuration '{path}': {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"the configuration '{path}' is not valid YAML: {error}") from error
        if document is not None and not isinstance(document, dict):
            raise SettingsError(f"the configuration '{path}' must be a mapping of settings to values")
        values |= document or {}
    values |= {name: value for name, value in options.items() if value is not None}
    return checked(SearchConfig, values, f"in '{path}' or the options" if path else "in the options")


def checked(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """Validates ``values`` as ``model``.

    Raises:
        SettingsError: Something does not fit; names the first settings that do not, and ``where``.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = []
        for fault in error.errors()[:3]:
            place = ".".join(str(part) for part in fault["loc"]) or "settings"
            known = (
                f" (known: {', '.join(_fields(model, fault['loc'][:-1]))})"
                if fault["type"] == "extra_forbidden"
                else ""
            )
            faults.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}{known}")
        raise SettingsError(f"bad setting {where}: {'; '.join(faults)}") from error


def _fields(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Returns the fields of the model found at a place inside ``model``."""
    for part in place:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return list(model.model_fields)


def differences(stored: Settings, asked: Settings) -> list[str]:
    """Returns, one line a setting, where two identities differ."""
    return _compare(stored.model_dump(), asked.model_dump(), "")


def _compare(stored: Any, asked: Any, place: str) -> list[str]:
    if isinstance(stored, dict) and isinstance(asked, dict):
        lines = []
        for name in sorted(stored.keys() | asked.keys()):
            lines += _compare(stored.get(name), asked.get(name), f"{place}.{name}" if place else name)
        return lines
    return [] if stored == asked else [f"{place}: the study has {stored}, asked for {asked}"]
