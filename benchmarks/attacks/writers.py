"""Two and three processes that write one thing at once: nothing is lost without a sentence."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.children import Outcome, catch, run_child, start_child, wait_for, wait_for_go

__all__ = ["Done", "Shared", "attack_by_writers"]


@dataclass(frozen=True)
class Done:
    """What one writer did.

    Attributes:
        turns: numbers of the turns that ended without a sentence and without a warning.
        sentences: that it was told.
    """

    turns: list[int]
    sentences: list[str]


@dataclass(frozen=True)
class Shared:
    """One thing that several processes may write.

    Attributes:
        name: of the thing.
        make: writes the first state.
        begin: opens it in a process; its writers begin together after that.
        turn: writes once; takes what ``begin`` gave, the writer's number and the turn's.
        check: returns what is wrong in the end, in words; takes the folder and what each did.
        needs: a module without which there is nothing to attack.
    """

    name: str
    make: Callable[[Path], object]
    begin: Callable[[Path], Any]
    turn: Callable[[Any, int, int], object]
    check: Callable[[Path, list[Done]], list[str]]
    needs: str = ""


def attack_by_writers(shared: Shared, place: Path, *, writers: int, turns: int) -> dict[str, Any]:
    """Let so many processes write so many times each, all at once."""
    folder = place / f"{writers}"
    folder.mkdir(parents=True)
    made = run_child(lambda _: str(shared.make(folder)))
    if made.how != "value":
        return {"attacks": 0, "bad": 1, "faults": {"make": f"{made.how}: {made.value}"[:300]}}
    outcomes = _write_together(shared, folder, writers, turns)
    ends = Counter(outcome.how for outcome in outcomes)
    faults: dict[str, str] = {}
    dones = []
    for outcome in outcomes:
        if outcome.how != "value":
            faults[outcome.how] = f"{outcome.value}"[:300]
            dones.append(Done([], [f"{outcome.value}"]))
            continue
        done, raised = outcome.value
        dones.append(done)
        if raised:
            faults["raised"] = raised[0][:300]
    checked = run_child(lambda _: shared.check(folder, dones))
    if checked.how != "value":
        faults["unreadable"] = f"{checked.how}: {checked.value}"[:300]
    elif checked.value:
        faults["lost"] = "; ".join(checked.value)[:300]
    sentences = Counter(said for done in dones for said in done.sentences)
    return {
        "attacks": writers * turns,
        "fine": sum(len(done.turns) for done in dones),
        "told": sum(sentences.values()),
        "said": sentences.most_common(1)[0][0][:300] if sentences else "",
        "ends": dict(ends),
        "bad": int(bool(faults)),
        "faults": faults,
    }


def _write_together(shared: Shared, folder: Path, writers: int, turns: int) -> list[Outcome]:
    start, started = os.pipe()

    def work(go: Callable[[], None], who: int) -> tuple[Done, list[str]]:
        os.close(started)
        opened = catch(lambda: shared.begin(folder))
        go()
        os.read(start, 1)  # until the parent, and all writers, have closed the other end
        if opened.how != "value":
            return Done([], [str(opened.value)]), []
        return _take_turns(shared, opened.value, who, turns)

    children = [start_child(lambda go, who=who: work(go, who)) for who in range(writers)]
    for child in children:
        wait_for_go(child)
    os.close(started)
    outcomes = [wait_for(child) for child in children]
    os.close(start)
    return outcomes


def _take_turns(shared: Shared, state: Any, who: int, turns: int) -> tuple[Done, list[str]]:
    done = Done([], [])
    raised = []
    for turn in range(turns):
        outcome = catch(lambda turn=turn: shared.turn(state, who, turn))
        if outcome.how == "raised":
            raised.append(str(outcome.value))
        elif outcome.how == "sentence":
            done.sentences.append(str(outcome.value))
        elif outcome.said:
            done.sentences.extend(outcome.said)
        else:
            done.turns.append(turn)
    return done, raised
