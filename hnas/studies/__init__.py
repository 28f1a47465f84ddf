"""The Optuna side: settings, storage, sampler, trials, workers, fronts."""

from hnas.studies.backbones import extracted_backbones
from hnas.studies.devices import price_plan
from hnas.studies.devices import profile_spaces
from hnas.studies.evaluation import Evaluator
from hnas.studies.evaluation import Score
from hnas.studies.features import FeatureStore
from hnas.studies.features import Tensors
from hnas.studies.front import entry
from hnas.studies.front import find_trial
from hnas.studies.front import front
from hnas.studies.front import FrontEntry
from hnas.studies.front import trial_plan
from hnas.studies.front import trial_points
from hnas.studies.front import TrialPoint
from hnas.studies.network import build_network
from hnas.studies.network import MultimodalNetwork
from hnas.studies.picking import Pick
from hnas.studies.picking import pick
from hnas.studies.plan import parse_plan
from hnas.studies.plan import Plan
from hnas.studies.plan import read_plan
from hnas.studies.presets import threads_for
from hnas.studies.problem import Problem
from hnas.studies.problem import require_same_task
from hnas.studies.readings import record_test_reading
from hnas.studies.readings import test_readings
from hnas.studies.resolution import recipes_for
from hnas.studies.session import list_studies
from hnas.studies.session import make_store
from hnas.studies.session import open_stored
from hnas.studies.session import resume
from hnas.studies.session import search
from hnas.studies.session import show
from hnas.studies.session import StudyLine
from hnas.studies.settings import FinalRecipe
from hnas.studies.settings import read_config
from hnas.studies.settings import SearchConfig
from hnas.studies.settings import Settings
from hnas.studies.storage import DEFAULT_STORAGE
from hnas.studies.stored import StoredStudy
from hnas.studies.strategy import strategies
from hnas.studies.strategy import Strategy
from hnas.studies.supernets import evaluate_supernets
from hnas.studies.supernets import train_supernets

__all__ = [
    "DEFAULT_STORAGE",
    "Evaluator",
    "FeatureStore",
    "FinalRecipe",
    "FrontEntry",
    "MultimodalNetwork",
    "Pick",
    "Plan",
    "Problem",
    "Score",
    "SearchConfig",
    "Settings",
    "StoredStudy",
    "Strategy",
    "StudyLine",
    "Tensors",
    "TrialPoint",
    "build_network",
    "entry",
    "evaluate_supernets",
    "extracted_backbones",
    "find_trial",
    "front",
    "list_studies",
    "make_store",
    "open_stored",
    "parse_plan",
    "pick",
    "price_plan",
    "profile_spaces",
    "read_config",
    "read_plan",
    "recipes_for",
    "record_test_reading",
    "require_same_task",
    "resume",
    "search",
    "show",
    "strategies",
    "test_readings",
    "threads_for",
    "train_supernets",
    "trial_plan",
    "trial_points",
]
