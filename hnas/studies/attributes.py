"""The names and forms of everything hnas stores with studies and trials; no other module spells them."""

from __future__ import annotations

FORMAT = 1
"""Version of what is stored; a study of another format is refused."""

STUDY_FORMAT = "hnas:format"
STUDY_VERSION = "hnas:version"
STUDY_SETTINGS = "hnas:settings"
STUDY_DATASET_PATH = "hnas:dataset_path"
STUDY_TRIALS = "hnas:trials"
STUDY_METRIC = "hnas:metric"
STUDY_ACCOUNTING = "hnas:accounting"
STUDY_REFERENCE_POINT = "hnas:reference_point"
STUDY_ARTIFACTS = "hnas:artifacts"
STUDY_ARTIFACT_FOLDER = "hnas:artifact_folder"
STUDY_RESCORED_PREFIX = "hnas:rescored:"
STUDY_TEST_READING_PREFIX = "hnas:test_reading:"
STUDY_PAGE = "hnas:page"
STUDY_FIGURE_PREFIX = "dashboard:plot_data:"
"""A system attribute of optuna-dashboard's own, where it looks for figures."""

TRIAL_KEY = "key"
TRIAL_CANDIDATE = "candidate"
TRIAL_REUSED_FROM = "reused_from"
TRIAL_ARCHITECTURE = "architecture"
TRIAL_SCORE = "score"
TRIAL_LOG_LOSS = "log_loss"
TRIAL_ERRORS = "errors"
TRIAL_THRESHOLDS = "thresholds"
TRIAL_UNIMODAL = "unimodal_scores"
TRIAL_LATE = "late"
TRIAL_LATE_SCORE = "late_score"
TRIAL_LATE_LOG_LOSS = "late_log_loss"
TRIAL_LATE_VALUES = "late_values"
TRIAL_COSTS = "costs"
TRIAL_LAYERS = "costs_by_layer"
TRIAL_LATENCY = "latency_ms"
TRIAL_ENERGY = "energy_mj"
TRIAL_SECONDS = "seconds"
TRIAL_SEED = "seed"
TRIAL_FEASIBLE = "feasible"
TRIAL_SCREENED = "screened"
TRIAL_CONSTRAINT_PREFIX = "g/"
TRIAL_WORKER = "worker"
TRIAL_ENDED = "ended"
TRIAL_ERROR = "error"
TRIAL_GIVEN_UP = "given_up"
TRIAL_ATTEMPT = "attempt"
TRIAL_DEATHS = "deaths"
TRIAL_FAILED_BY = "failed_by"
TRIAL_RETRY_OF = "retry_of"
TRIAL_RESCUED_FROM = "rescued_from"
TRIAL_ENQUEUED = "enqueued"
STUDY_TOKEN = "hnas:token"
TRIAL_TOKEN = "hnas:token"
"""System attributes: tell what was created although the answer was lost from what others created."""

OPTUNA_ARTIFACT_PREFIX = "artifacts:"
OPTUNA_CONSTRAINT_PREFIX = "constraints:"
OPTUNA_OLD_CONSTRAINTS = "constraints"
"""System attributes of Optuna's own: a trial's files, its constraints, and all of these together before Optuna 5."""

SAMPLER_GENERATION = "NSGAIISampler:generation"
SAMPLER_PARENTS_PREFIX = "NSGAIISampler:parent:"
SAMPLER_CONSIDERED_PREFIX = "NSGAIISampler:considered:"

REPLAYED = (
    TRIAL_KEY,
    TRIAL_CANDIDATE,
    TRIAL_ARCHITECTURE,
    TRIAL_SCORE,
    TRIAL_LOG_LOSS,
    TRIAL_ERRORS,
    TRIAL_THRESHOLDS,
    TRIAL_UNIMODAL,
    TRIAL_LATE,
    TRIAL_LATE_SCORE,
    TRIAL_LATE_LOG_LOSS,
    TRIAL_LATE_VALUES,
    TRIAL_COSTS,
    TRIAL_LAYERS,
    TRIAL_SEED,
    TRIAL_FEASIBLE,
    TRIAL_SCREENED,
)
"""What a trial that answers from an earlier one repeats."""

REPLAYED_PREFIXES = (TRIAL_CONSTRAINT_PREFIX, TRIAL_LATENCY, TRIAL_ENERGY)
"""What it repeats, too, whatever follows these."""
