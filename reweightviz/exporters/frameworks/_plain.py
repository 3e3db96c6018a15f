"""Formats of no framework: weights by domain in shares of tokens, or stages of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, list_names
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.validation import find_repeated, whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._published import Published, find_published
from reweightviz.exporters.frameworks._weights import find_invalid, is_mixture
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.reading_back import find_record
from reweightviz.exporters.units import SHARES

__all__ = ["UNIT", "PlainMixture", "check_form", "find_share_faults", "list_stages"]


UNIT = "share of training tokens"


class PlainMixture(Exporter):
    """A mapping with ``weights``, or with ``stages`` of them, in JSON or YAML."""

    units = (SHARES,)
    writes_zeros = True
    refuses_repeats = True
    takes_schedules = True

    def parse(self, document: Document) -> Config:
        """Read ``weights``, or ``stages``, or weights as they are published."""
        content = document.mapping
        published = find_published(content)
        if published is not None:
            return _read_published(published)
        stages = content.get("stages")
        if stages is None:
            if not isinstance(content.get("weights"), Mapping):
                raise WrongContent(
                    path=document.path,
                    reason=f"is no mixture ({self.title} with 'weights', which maps each domain to "
                    "its share) or schedule (with 'stages'); it has "
                    f"{list_names(content) or 'no keys'}",
                )
            stages = [{"step": 0, "weights": content["weights"]}]
        starts: list[Any] = []
        weights: list[dict[str, float]] = []
        try:
            for stage in stages:
                starts.append(stage["step"])
                weights.append(_read_weights(stage["weights"], document))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WrongContent(
                path=document.path,
                reason=f"is no mixture ({self.title} with 'weights') or schedule (with "
                f"'stages'): {error}",
            ) from error
        steps = [_read_step(start, document) for start in starts]
        found = dict(zip(steps, weights, strict=True))
        if len(found) < len(starts):
            raise UnreadableFile(
                path=document.path,
                reason=f"each stage must begin at a step of its own; got {starts[:12]}",
            )
        length = content.get("steps")
        return Config(
            found,
            steps=None if length is None else _read_step(length, document),
            refused=tuple(find_share_faults(found)),
        )

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Return the schedule; without a provenance its source is the one that the file names.

        ``Mixture.save`` and ``Schedule.save`` write such files.
        """
        found = super().to_schedule(config, document, sources)
        given = document.mapping.get("source")
        if "source" in find_record(document, config) or not isinstance(given, Mapping):
            return found
        whole = {start: Mixture(dict(stage), source=given) for start, stage in found.items()}
        return Schedule(whole, steps=found.steps, source=given)


def check_form(document: Document | None) -> None:
    """Refuse to merge into weights in a published form, which are read only.

    Raises:
        ReweightvizError: the file is in one.
    """
    if document is None:
        return
    published = find_published(document.mapping)
    if published is not None:
        raise ReweightvizError(
            f"{document.path} holds weights in {published.place}, a form that is read but not "
            "written: leave merge out, and write a new file."
        )


def list_stages(plan: Plan) -> list[dict[str, Any]]:
    """Return the stages of a plan as they stand in a file."""
    return [{"step": start, "weights": numbers} for start, numbers in plan.stages.items()]


def find_share_faults(stages: Mapping[int, Mapping[str, float]]) -> Iterator[str]:
    """Return a sentence for each stage whose weights are no shares.

    What other numbers would be scaled to is a guess.
    """
    for start, numbers in stages.items():
        where = "" if len(stages) == 1 else f" from step {start} on"
        bad = find_invalid(numbers)
        total = math.fsum(numbers.values())
        if bad:
            yield f"the weights{where} must be numbers >= 0; that of {bad[0][:60]!r} is not."
        elif not total > 0:
            yield f"at least one weight{where} must be above 0."
        elif not abs(total - 1) <= SUM_TOLERANCE:
            yield f"the weights{where} are shares and must sum to 1; they sum to {total:.9g}."


def _read_published(published: Published) -> Config:
    refused = []
    bad = find_invalid(published.numbers)
    if bad:
        refused.append(
            f"the weights in {published.place} must be numbers >= 0; that of {bad[0][:60]!r} is "
            "not."
        )
    elif not is_mixture(published.numbers):
        refused.append(f"at least one weight in {published.place} must be above 0.")
    return Config({0: published.numbers}, refused=tuple(refused), traps=published.traps)


def _read_weights(table: Mapping[Any, Any], document: Document) -> dict[str, float]:
    """Return domain to number; of YAML 1 and "1" are two keys, and would be one domain."""
    found = {str(name): to_number(weight) for name, weight in table.items()}
    if len(found) < len(table):
        twice = find_repeated(map(str, table))
        raise WrongContent(
            path=document.path, reason=f"names {list_names(twice)} twice, as text and as no text"
        )
    return found


def _read_step(value: object, document: Document) -> int:
    return whole_number(f"a step in {document.path}", value)
