"""The model card: what a model is, how good, how it was made, and how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hnas.datasets import Task
from hnas.studies import comparison_text
from hnas.studies import Plan
from hnas.studies import reading_text


def model_card(metrics: dict[str, Any], plan: Plan, task: Task) -> str:
    """Returns the card as Markdown; every number says where it comes from."""
    parts = [_head(metrics, plan, task), _scores(metrics), _costs(metrics), _making(metrics), _use(metrics, plan, task)]
    return "\n".join(parts)


def _head(metrics: dict[str, Any], plan: Plan, task: Task) -> str:
    backbones = "\n".join(f"- `{branch.modality}`: `{branch.architecture.key}`" for branch in plan.branches)
    return f"""# {metrics["study"]}, trial {metrics["trial"]}: a multimodal network for {task.name}

Made by hnas {metrics["hnas"]}. {task.outputs} outputs ({task.kind}), modalities and their backbones:

{backbones}

Fusion: `{plan.genotype.kind}`, drawn below. `architecture.json` holds the whole architecture.

![The fusion network](fusion.png)
"""


def _scores(metrics: dict[str, Any]) -> str:
    test, search = metrics["test"], metrics["search"]
    columns, rows = reading_text(test)
    lines = "\n".join(_row(cells) for cells in (columns, ["---"] * len(columns), *rows))
    std = "" if search["score_std"] is None else f" (standard deviation {search['score_std']:.4f} over fresh seeds)"
    return f"""## Scores

On test ({test["samples"]} samples, one reading for all rows; metric: {test["metric"]}):

{lines}

{comparison_text(test)}
Test was read {metrics["test_readings_of_study"]} time(s) in this study so far, this one included.

In the search, {search["scored_by"]}, {search["samples"]} samples: {search["score"]:.4f}{std}.
{_thresholds(metrics)}"""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _thresholds(metrics: dict[str, Any]) -> str:
    found = metrics["thresholds"]
    if found is None:
        return ""
    how = "Given in the settings of the search."
    if metrics["threshold"] == "fitted":
        how = (
            f"Fitted in the search to networks trained on `fit`: where {metrics['test']['metric']} is largest on\n"
            "`search`. Final training leaves no samples to fit them to anew."
        )
    return f"\nThresholds are the probabilities above which a label is said to be present.\n{how}\n"


def _costs(metrics: dict[str, Any]) -> str:
    latency, energy = metrics["latency_ms"], metrics["energy_mj"]
    table = f"cost table of `{latency['device']}`, {', '.join(latency['provenance'])}"
    source = f"{table}, {latency['accounting']} accounting"
    lines = [f"- latency, predicted: {latency['predicted']:.4g} ms ({source})"]
    if latency["measured"]:
        found = latency["measured"]
        lines.append(
            f"- latency, measured whole on the exporting machine: {found['median']:.4g} ms (median of "
            f"{found['repeats']}, interquartile range {found['iqr']:.3g} ms; {found['runtime']})"
        )
    if energy["predicted"] is None:
        lines.append("- energy: unknown, the cost table has none")
    else:
        lines.append(f"- energy, predicted: {energy['predicted']:.4g} mJ ({source})")
    if latency["not_charged"]:
        lines.append(f"- not charged in what is predicted: {', '.join(latency['not_charged'])}")
    return "## Costs\n\n" + "\n".join(lines) + "\n"


def _making(metrics: dict[str, Any]) -> str:
    training = metrics["training"]
    recipe = ", ".join(f"{name} {value}" for name, value in training["recipe"].items())
    return f"""## How it was made

Trained whole from the supernets' weights on {", ".join(f"`{split}`" for split in training["splits"])}, seed
{training["seed"]}: {recipe}. Dataset `{metrics["dataset"]["name"]}`, content {metrics["dataset"]["sha256"][:16]}.
"""


def _use(metrics: dict[str, Any], plan: Plan, task: Task) -> str:
    shapes = ", ".join(
        f"`{branch.modality}` (batch, {', '.join(map(str, branch.space.input_shape))})" for branch in plan.branches
    )
    arguments = ", ".join(branch.modality for branch in plan.branches)
    return f"""## How to run it

Inputs are the dataset file's values as float32, sample first: {shapes}. Normalisation is inside. The output `logits`
has one column a label: {", ".join(task.label_names[:25])}.

```python
import hnas

network = hnas.load_model("DIR")  # this folder
logits = network({arguments})
{_answer(metrics)}
```

`model.onnx`, if it was written, takes the same values under the same names (modalities that the network does not read
are no inputs), with a free batch size.
"""


def _answer(metrics: dict[str, Any]) -> str:
    if metrics["thresholds"] is None:
        return "label = logits.argmax(dim=1)"
    return f"present = logits.sigmoid() > network.threshold  # {metrics['thresholds']['fused']:.6g}"
