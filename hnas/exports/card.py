"""The model card: what a model is, how good, how it was made, and how to run it."""

from __future__ import annotations

from typing import Any

from hnas.datasets import Task
from hnas.studies import Plan


def model_card(metrics: dict[str, Any], plan: Plan, task: Task) -> str:
    """Returns the card as Markdown; every number says where it comes from."""
    parts = [_head(metrics, plan, task), _scores(metrics), _costs(metrics), _making(metrics), _use(plan, task)]
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
    rows = [("this network", test["fused"]), ("late fusion of its backbones", test["late_fusion"])]
    rows += [(f"`{name}` alone", score) for name, score in test["unimodal"].items()]
    lines = "\n".join(_score_row(label, score, test["samples"]) for label, score in rows)
    paired = test["fused_against_late"]
    std = "" if search["score_std"] is None else f" (standard deviation {search['score_std']:.4f} over fresh seeds)"
    return f"""## Scores

On test ({test["samples"]} samples, one reading for all rows; metric: {test["metric"]}):

| | {test["metric"]} | 95 % interval | right |
| --- | --- | --- | --- |
{lines}

Against late fusion: {paired["only_first"]} samples only this network answers right, {paired["only_second"]} only late
fusion (McNemar's exact test: p = {paired["p_value"]:.3g}). Test was read {metrics["test_readings_of_study"]} time(s) in
this study so far, this one included.

In the search, on val ({search["samples"]} samples): {search["metric"]} {search["score"]:.4f}{std}.
"""


def _score_row(label: str, score: dict[str, Any], samples: int) -> str:
    interval = score.get("interval_95")
    shown = f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "-"
    return f"| {label} | {score['score']:.4f} | {shown} | {score['correct']} of {samples} |"


def _costs(metrics: dict[str, Any]) -> str:
    latency, energy = metrics["latency_ms"], metrics["energy_mj"]
    source = f"cost table of `{latency['device']}`, {', '.join(latency['provenance'])}"
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
    return "## Costs\n\n" + "\n".join(lines) + "\n"


def _making(metrics: dict[str, Any]) -> str:
    training = metrics["training"]
    recipe = ", ".join(f"{name} {value}" for name, value in training["recipe"].items())
    return f"""## How it was made

Trained whole from the supernets' weights on {", ".join(f"`{split}`" for split in training["splits"])}, seed
{training["seed"]}: {recipe}. Dataset `{metrics["dataset"]["name"]}`, content {metrics["dataset"]["sha256"][:16]}.
"""


def _use(plan: Plan, task: Task) -> str:
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
```

`model.onnx`, if it was written, takes the same values under the same names (modalities that the network does not read
are no inputs), with a free batch size.
"""
