"""Tables, plots and figures of studies."""

from hnas.reports.evaluations import evaluation_rows
from hnas.reports.pareto import draw_pareto
from hnas.reports.published import published_rows
from hnas.reports.tables import baseline_rows
from hnas.reports.tables import front_rows
from hnas.reports.tables import reading_rows
from hnas.reports.tables import Table

__all__ = ["Table", "baseline_rows", "draw_pareto", "evaluation_rows", "front_rows", "published_rows", "reading_rows"]
