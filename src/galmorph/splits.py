"""Draw the galaxies that train and test, in each run of a condition.

Each run has one seeded permutation of each class, the same for all conditions. The common evaluation sets take their
galaxies from its front, that of uncertain galaxies too; each condition takes what follows: first its training part,
then its test part. How many of each class a natural draw has does not depend on what is reserved. If the epoch
is selected on a validation part, that is the end of the training part, class by class. No galaxy is in two of these
within one run, and conditions share as many galaxies as they can.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.settings.fields import CLASS_NAMES
from galmorph.settings.study import ConditionSettings, ProtocolSettings
from galmorph.training.protocol import EVALUATION_CLASSES, PHASES, UNCERTAIN_SET, generator


def apportion(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Share `total` among the classes in proportion to `weights`, by largest remainder.

    Examples
    --------
    >>> apportion(10, {"spiral": 272, "elliptical": 104})
    {'spiral': 7, 'elliptical': 3}
    """
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def evaluation_counts(available: Mapping[str, int], protocol: ProtocolSettings) -> dict[str, dict[str, int]]:
    """Return how many galaxies of each class each common evaluation set has."""
    if missing := [name for name in EVALUATION_CLASSES if not available[name]]:
        raise GalmorphError(f"the sample has no {missing[0]} galaxy: the study is about spirals and ellipticals")
    known: dict[str, int] = {name: available[name] for name in EVALUATION_CLASSES}
    counts = {
        "common_natural": apportion(protocol.evaluation.natural, known),
        "common_balanced": dict.fromkeys(known, protocol.evaluation.balanced // 2),
    }
    if (uncertain := protocol.evaluation.uncertain) is not None:
        if uncertain > available["uncertain"]:
            raise GalmorphError(
                f"protocol.evaluation.uncertain: asks for {uncertain} uncertain galaxies, the sample has "
                f"{available['uncertain']}; lower it, or make it null: the networks are then not asked about them"
            )
        counts[UNCERTAIN_SET] = {"uncertain": uncertain}
    return counts


def draw_counts(
    available: Mapping[str, int], condition: ConditionSettings, protocol: ProtocolSettings, phase: str, run: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many galaxies of each class a condition draws, and how many of those train.

    A natural draw has the multivariate hypergeometric counts of drawing `draw` galaxies at random, and splitting them
    at random. A balanced one has equal counts in both parts, and one of given counts splits each class likewise.
    """
    among = condition.drawn_among
    if isinstance(condition.mix, dict):
        given: dict[str, int] = {name: count for name, count in condition.mix.items()}  # noqa: C416, for its type
        return given, {name: int(protocol.train_fraction * count + 0.5) for name, count in given.items()}
    if condition.mix == "balanced":
        each = condition.draw // len(among)
        return dict.fromkeys(among, each), dict.fromkeys(among, int(protocol.train_fraction * each + 0.5))
    # Classes in their own order, so that the order in params.yaml does not change the draw.
    order = [name for name in CLASS_NAMES if name in among]
    rng = generator(protocol.seed, phase, run, f"natural draw of {condition.draw} among {' '.join(order)}")
    drawn = rng.multivariate_hypergeometric([available[name] for name in order], condition.draw)
    train = rng.multivariate_hypergeometric(drawn, int(protocol.train_fraction * condition.draw + 0.5))
    return dict(zip(order, drawn.tolist(), strict=True)), dict(zip(order, train.tolist(), strict=True))


def split_run(
    rows: Mapping[str, NDArray[np.int64]],
    key: str,
    condition: ConditionSettings,
    protocol: ProtocolSettings,
    phase: str,
    run: int,
) -> dict[str, dict[str, NDArray[np.int64]]]:
    """Draw one run of a condition: from the rows of each class, those of each part (part -> class -> rows).

    Raises
    ------
    GalmorphError
        If a class has too few galaxies, or a part would lack a class; the message names `key`.
    """
    available = {label: len(members) for label, members in rows.items()}
    order = {
        label: generator(protocol.seed, phase, run, f"order of {label}").permutation(members)
        for label, members in rows.items()
    }
    common = evaluation_counts(available, protocol)
    reserved = {label: max(counts.get(label, 0) for counts in common.values()) for label in rows}
    if condition.draw > (whole := sum(available[label] for label in condition.drawn_among)):
        raise GalmorphError(
            f"{key}.draw: asks for {condition.draw} galaxies among {', '.join(condition.drawn_among)}, "
            f"the sample has {whole}; lower it or enlarge the sample"
        )
    drawn, train = draw_counts(available, condition, protocol, phase, run)
    fraction = protocol.validation_fraction
    parts: dict[str, dict[str, NDArray[np.int64]]] = {"train": {}, "validation": {}, "test": {}}
    for label in condition.classes:
        end = reserved[label] + drawn[label]
        if end > available[label]:
            raise GalmorphError(
                f"{key}.draw: needs {drawn[label]} {label} galaxies beside the {reserved[label]} reserved "
                f"by protocol.evaluation, the sample has {available[label]}; lower one of the two or enlarge the sample"
            )
        held = 0 if fraction is None else int(fraction * train[label] + 0.5)
        bounds = [train[label] - held, train[label]]
        for part, members in zip(parts, np.split(order[label][reserved[label] : end], bounds), strict=True):
            parts[part][label] = members
    if fraction is None:
        del parts["validation"]
    for part, by_class in parts.items():
        if empty := [label for label, members in by_class.items() if not members.size]:
            raise GalmorphError(
                f"{key}.draw: in run {run} of the {phase} phase the {part} part has no {empty[0]} "
                f"galaxy; raise it (it is {condition.draw})"
                + ("" if fraction is None else f", or change protocol.validation_fraction (it is {fraction:g})")
            )
    # A condition without both classes cannot be tested on the common sets.
    if condition.tested_on_common_sets:
        for part, counts in common.items():
            if part == UNCERTAIN_SET and not condition.tested_on_uncertain:
                continue
            parts[part] = {label: order[label][:count] for label, count in counts.items()}
    return parts


def split_condition(
    galaxies: pd.DataFrame, key: str, condition: ConditionSettings, protocol: ProtocolSettings
) -> pd.DataFrame:
    """Draw all runs of both phases of a condition.

    Parameters
    ----------
    galaxies
        galaxies.parquet: columns objid and class; row i is image i.
    key
        Of the condition's block in params.yaml, for messages.

    Returns
    -------
    phase, run, row, objid, class, part; grouped by phase, run and part, classes in the condition's order.
    """
    labels = galaxies["class"].to_numpy(dtype=str)
    rows: dict[str, NDArray[np.int64]] = {label: np.flatnonzero(labels == label) for label in CLASS_NAMES}
    pieces = [
        pd.DataFrame({"phase": phase, "run": run, "row": np.concatenate(list(by_class.values())), "part": part})
        for phase in PHASES
        for run in range(1, protocol.runs + 1)
        for part, by_class in split_run(rows, key, condition, protocol, phase, run).items()
    ]
    table = pd.concat(pieces, ignore_index=True)
    table["objid"] = galaxies["objid"].to_numpy()[table["row"]]
    table["class"] = labels[table["row"]]
    return table[["phase", "run", "row", "objid", "class", "part"]]
