"""PremixDB: a Python module whose ``mixture(query)`` is a ``query.mix`` with weights of tokens.

Weights must be named for exactly the domains that the query holds, so those of weight 0 are named
too, and sum to 1. Documents are drawn up to a budget in tokens; nothing is repeated unless
``replacement=True``. The names are those of ``domains=``; without it PremixDB knows corpora by
their id. Read from the source of premixdb 0.1.3, which needs Python 3.12; not run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.units import SHARES

__all__ = ["SCRIPT", "Premixdb"]


SCRIPT = '''

def mixture(query, *, domains=None, tokens=TOKENS, **options):
    """The mixture of a PremixDB query; `domains` is the field whose values are the names in WEIGHTS."""
    return query.mix(domains=domains, weights=WEIGHTS, tokens=tokens, replacement=REPLACEMENT, seed=SEED, **options)
'''  # noqa: E501  the written module has a width of its own


class Premixdb(Exporter):
    """PremixDB: a Python module, `mixture(query)` is a `query.mix` with weights of tokens.

    Written by its source; it was not run.
    """

    name = "premixdb"
    title = "PremixDB"
    units = (SHARES,)
    suffix = ".py"
    name_pattern = r"(?s).+"
    writes_zeros = True
    traps = (
        "PremixDB takes weights for exactly the domains that the query holds, neither "
        "more nor fewer.",
        "PremixDB holds back 10 % of the documents for validation and 10 % for testing "
        "unless splits= says otherwise.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, seed: int = 0, replacement: bool | None = None
    ) -> dict[str, str]:
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            seed: of the draws.
            replacement: documents may be drawn again; without it, where the budget asks for more
                than one epoch of something.
        """
        constants = {
            "SEED": whole_number("seed", seed),
            "TOKENS": None if plan.tokens is None else round(plan.tokens),
            "REPLACEMENT": plan.has_repeats if replacement is None else bool(replacement),
            "WEIGHTS": plan.numbers,
        }
        comment = plan.comment("Training mixture for PremixDB")
        return {"": python_module.render(comment, constants, SCRIPT)}

    def parse(self, document: Document) -> Config:
        """Read the first ``mix(...)`` whose weights are a mapping that is written out."""
        python = document.python
        calls = [call for call in python.calls("mix") if "weights" in python.arguments(call)]
        for call in calls:
            weights = python.arguments(call)["weights"]
            if isinstance(weights, dict) and weights:
                numbers = {str(name): to_number(weight) for name, weight in weights.items()}
                return Config(
                    {0: numbers},
                    refused=tuple(_find_faults(numbers)),
                    traps=python_file.mention_others(calls, call, "mix(weights=...)"),
                )
        why = python.explain_calls(calls, "weights")
        raise WrongContent(
            path=document.path,
            reason=f"has no query.mix(weights={{...}}) that can be read without running it{why}",
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that calls ``mix`` with weights by name."""
        # Grain's mix takes a mapping too.
        if document.python.imports("grain"):
            return False
        given = document.python.call_arguments("mix")
        return any(isinstance(arguments.get("weights"), dict) for arguments in given)


def _find_faults(numbers: Numbers) -> Iterator[str]:
    # "not <=" finds nan too.
    bad = [name for name, value in numbers.items() if not value <= 1]
    total = math.fsum(numbers.values())
    if bad:
        yield f"the weights must be from 0 to 1; that of {list_names(bad)} is not."
    elif abs(total - 1) > 1e-12:
        yield f"the weights must sum to 1, to 12 places; they sum to {total:.13g}."
