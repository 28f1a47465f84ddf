"""The Optuna side: settings, storage, sampler, trials, workers, fronts."""

from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.coverage import check_coverage
from hnas.studies.coverage import Coverage
from hnas.studies.devices import price_plan
from hnas.studies.devices import profile_spaces
from hnas.studies.fronts.front import entry
from hnas.studies.fronts.front import feasible_front
from hnas.studies.fronts.front import find_trial
from hnas.studies.fronts.front import front
from hnas.studies.fronts.front import FrontEntry
from hnas.studies.fronts.front import trial_plan
from hnas.studies.fronts.front import trial_points
from hnas.studies.fronts.front import TrialPoint
from hnas.studies.fronts.page import FIGURE_BYTES
from hnas.studies.fronts.page import keep_figure
from hnas.studies.fronts.page import page_states
from hnas.studies.fronts.page import PageState
from hnas.studies.fronts.picking import Pick
from hnas.studies.fronts.picking import pick
from hnas.studies.fronts.points import hypervolume_history
from hnas.studies.fronts.points import study_points
from hnas.studies.fronts.points import StudyPoint
from hnas.studies.network import build_network
from hnas.studies.network import MultimodalNetwork
from hnas.studies.overview import list_studies
from hnas.studies.overview import show
from hnas.studies.overview import StudyLine
from hnas.studies.plan import Branch
from hnas.studies.plan import fusion_inputs
from hnas.studies.plan import parse_plan
from hnas.studies.plan import Plan
from hnas.studies.plan import read_plan
from hnas.studies.presets import threads_for
from hnas.studies.problem import Problem
from hnas.studies.problem import require_same_task
from hnas.studies.published import compare
from hnas.studies.published import Comparison
from hnas.studies.published import explain
from hnas.studies.published import Explanation
from hnas.studies.published import floored
from hnas.studies.published import named_plan
from hnas.studies.published import NamedPlan
from hnas.studies.published import price_published
from hnas.studies.published import PricedModel
from hnas.studies.published import published_macro
from hnas.studies.published import published_model
from hnas.studies.published import published_models
from hnas.studies.published import published_plan
from hnas.studies.published import published_problem
from hnas.studies.published import PublishedModel
from hnas.studies.readings import comparison_text
from hnas.studies.readings import reading_text
from hnas.studies.readings import record_test_reading
from hnas.studies.readings import test_readings
from hnas.studies.resolution import recipes_for
from hnas.studies.scoring.backbones import plan_store
from hnas.studies.scoring.evaluation import Evaluator
from hnas.studies.scoring.evaluation import Score
from hnas.studies.scoring.features import batch_size
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.scoring.features import recalibration_rows
from hnas.studies.scoring.features import Tensors
from hnas.studies.scoring.supernets import evaluate_supernets
from hnas.studies.scoring.supernets import train_supernets
from hnas.studies.scoring.thresholds import plan_thresholds
from hnas.studies.scoring.thresholds import threshold_for
from hnas.studies.scoring.thresholds import Thresholds
from hnas.studies.session import open_stored
from hnas.studies.session import resume
from hnas.studies.session import search
from hnas.studies.settings import FinalRecipe
from hnas.studies.settings import read_config
from hnas.studies.settings import Recipes
from hnas.studies.settings import SearchConfig
from hnas.studies.settings import Settings
from hnas.studies.storage.check import check_database
from hnas.studies.storage.check import StorageCheck
from hnas.studies.storage.errors import storage_failure
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.opening import storage_url
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.storage.url import DEFAULT_STORAGE
from hnas.studies.storage.url import shown_storage
from hnas.studies.storage.viewing import ViewStorage
from hnas.studies.stored import open_study
from hnas.studies.stored import StoredStudy
from hnas.studies.strategy import strategies
from hnas.studies.strategy import Strategy
from hnas.studies.threshold_setting import scored_by
from hnas.studies.threshold_setting import Threshold
from hnas.studies.workers.running import make_store
from hnas.studies.workers.watching import Watcher

__all__ = [
    "DEFAULT_STORAGE",
    "FIGURE_BYTES",
    "Branch",
    "Comparison",
    "Coverage",
    "Evaluator",
    "Explanation",
    "FeatureStore",
    "FinalRecipe",
    "FrontEntry",
    "MultimodalNetwork",
    "NamedPlan",
    "PageState",
    "Pick",
    "Plan",
    "PricedModel",
    "Problem",
    "PublishedModel",
    "Recipes",
    "RetryingStorage",
    "Score",
    "SearchConfig",
    "Settings",
    "StorageCheck",
    "StoredStudy",
    "Strategy",
    "StudyArtifacts",
    "StudyLine",
    "StudyPoint",
    "Tensors",
    "Threshold",
    "Thresholds",
    "TrialPoint",
    "ViewStorage",
    "Watcher",
    "batch_size",
    "build_network",
    "check_coverage",
    "check_database",
    "compare",
    "comparison_text",
    "entry",
    "evaluate_supernets",
    "explain",
    "feasible_front",
    "find_trial",
    "floored",
    "front",
    "fusion_inputs",
    "hypervolume_history",
    "keep_figure",
    "list_studies",
    "make_store",
    "named_plan",
    "open_storage",
    "open_stored",
    "open_study",
    "page_states",
    "parse_plan",
    "pick",
    "plan_store",
    "plan_thresholds",
    "price_plan",
    "price_published",
    "profile_spaces",
    "published_macro",
    "published_model",
    "published_models",
    "published_plan",
    "published_problem",
    "read_config",
    "read_plan",
    "reading_text",
    "recalibration_rows",
    "recipes_for",
    "record_test_reading",
    "require_same_task",
    "resume",
    "scored_by",
    "search",
    "show",
    "shown_storage",
    "storage_failure",
    "storage_url",
    "strategies",
    "study_points",
    "test_readings",
    "threads_for",
    "threshold_for",
    "train_supernets",
    "trial_plan",
    "trial_points",
]
