"""The multimodal networks that Harmonic-NAS published: as said, as networks, and how their costs add up."""

from hnas.studies.published.figures import compare
from hnas.studies.published.figures import Comparison
from hnas.studies.published.figures import explain
from hnas.studies.published.figures import Explanation
from hnas.studies.published.figures import floored
from hnas.studies.published.models import published_model
from hnas.studies.published.models import published_models
from hnas.studies.published.models import PublishedModel
from hnas.studies.published.networks import named_plan
from hnas.studies.published.networks import NamedPlan
from hnas.studies.published.networks import published_macro
from hnas.studies.published.networks import published_plan
from hnas.studies.published.priced import price_published
from hnas.studies.published.priced import PricedModel
from hnas.studies.published.problems import published_problem

__all__ = [
    "Comparison",
    "Explanation",
    "NamedPlan",
    "PricedModel",
    "PublishedModel",
    "compare",
    "explain",
    "floored",
    "named_plan",
    "price_published",
    "published_macro",
    "published_model",
    "published_models",
    "published_plan",
    "published_problem",
]
