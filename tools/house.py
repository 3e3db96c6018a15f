"""Draw the house: rooms on their floors, and an arrow for every import between rooms.

    python tools/house.py                # writes docs/house.svg, prints rooms, arrows, circles

The picture is made from the imports alone, those inside functions included. tests/test_layering.py
holds the code to the floors that stand here.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reweightviz"
PICTURE = ROOT / "docs" / "house.svg"

FLOORS = (
    ("core",),
    ("numerics", "models"),
    ("figures",),
    (
        "readers",
        "features",
        "laws",
        "mixers",
        "scorers",
        "selectors",
        "reweighters",
        "training",
        "exporters",
    ),
    ("evaluation", "diagnostics"),
    ("proposals",),
    ("decision", "catalogue"),
    ("api",),
    ("apps", "cli"),
)
"""From the ground up. A room may import from every floor below its own, never from its own."""
WIDGETS = "widgets"
BELOW_WIDGETS = ("core", "numerics", "figures")
"""Widgets stand beside the floors: nouns, protocols and figures, never a method."""
NOTES = {
    "core": "the nouns, protocols, errors, files",
    "numerics": "pure functions on arrays",
    "models": "torch, once",
    "figures": "plotly figures and SVG",
    "readers": "documents, swarms, logs",
    "features": "one file a column",
    "laws": "loss of a mixture",
    "mixers": "weights of domains",
    "scorers": "worth of a document",
    "selectors": "which documents",
    "reweighters": "weights of examples",
    "training": "inside a training job",
    "exporters": "configs of trainers",
    "evaluation": "laws on trial",
    "diagnostics": "runs on trial",
    "proposals": "optimize, pareto, design",
    "decision": "the decision record",
    "catalogue": "every method in a table",
    "api": "the verbs, in five steps",
    "apps": "explorer, monitor, steering",
    "cli": "the command line",
    "widgets": "map, editor, curves, front",
}


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("reweightviz", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each dotted name that a file imports, and whether only the type checker does.

    A name from a module is given with that module: ``reweightviz.core.mixture.Mixture``. Relative
    imports are made absolute.
    """
    tree = ast.parse(path.read_text("utf-8"))
    here = ("reweightviz", *path.relative_to(PACKAGE).parts[:-1])
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in for_types
        elif isinstance(node, ast.ImportFrom):
            parts = [node.module or ""]
            if node.level:
                parts = [*here[: len(here) - node.level + 1], *parts]
            module = ".".join(parts).strip(".")
            for alias in node.names:
                yield f"{module}.{alias.name}", id(node) in for_types


def graph(*, types: bool = True) -> dict[str, set[str]]:
    """Return which modules each module imports, those for the type checker alone on demand."""
    known = modules()
    arrows: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for wanted, for_types in imports(path):
            target = wanted
            if wanted not in known:
                target = wanted.rpartition(".")[0]  # a name inside a module
            counts = types or not for_types
            if counts and target in known and target != name:
                arrows[name].add(target)
    return arrows


def room(module: str) -> str:
    """Return the room of a module: the folder or file right under the package.

    >>> room("reweightviz.laws.olmix")
    'laws'
    """
    package, _, inside = module.partition(".")
    return inside.partition(".")[0] or package


def rooms_below(name: str) -> frozenset[str]:
    """Return the rooms that a room may import."""
    if name == WIDGETS:
        return frozenset(BELOW_WIDGETS)
    floor = next(floor for floor, rooms in enumerate(FLOORS) if name in rooms)
    below = set().union(*FLOORS[:floor])
    # Only the top floor shows widgets: a verb must not need a notebook.
    if name in FLOORS[-1]:
        below.add(WIDGETS)
    return frozenset(below)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        path.append(module)
        for target in sorted(arrows[module]):
            if target not in order:
                visit(target)
            if target in path:
                lowest[module] = min(lowest[module], lowest[target])
        if lowest[module] == order[module]:
            group = path[path.index(module) :]
            del path[path.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(arrows):
        if module not in order:
            visit(module)
    return found


def arrows_between_rooms(arrows: dict[str, set[str]]) -> Counter[tuple[str, str]]:
    """Count the imports from one room to another; the package's own names are left out."""
    pairs: Counter[tuple[str, str]] = Counter()
    for module, targets in arrows.items():
        source = room(module)
        for target in map(room, targets):
            if source != target and "reweightviz" not in (source, target):
                pairs[source, target] += 1
    return pairs


def draw() -> str:
    """Return the picture as SVG: floors from the ground up, widgets beside them."""
    arrows = arrows_between_rooms(graph())
    files = Counter(map(room, modules()))
    places = _places(files)
    height = max(y for _, y, _ in places.values()) + BOX_HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for source, target in sorted(arrows):
        if target != "core":  # every room stands on the nouns
            parts.append(_arrow(places[source], places[target]))
    for name, (x, y, width) in places.items():
        plural = "file" if files[name] == 1 else "files"
        parts += [
            f'<rect x="{x}" y="{y}" width="{width}" height="{BOX_HEIGHT}" rx="5" fill="#f4f6f8" '
            'stroke="#6b7785"/>',
            f'<text x="{x + 8}" y="{y + 17}" font-weight="600" font-size="13" '
            f'fill="#1c2733">{name}'
            f'<tspan dx="6" font-weight="400" font-size="10" fill="#6b7785">{files[name]} {plural}'
            "</tspan></text>",
            f'<text x="{x + 8}" y="{y + 33}" fill="#46525e">{escape(NOTES[name])}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


WIDTH = 1400
BOX_HEIGHT = 42
FLOOR_HEIGHT = 78
WIDGETS_WIDTH = 190


def _places(files: Counter[str]) -> dict[str, tuple[float, float, float]]:
    """Return x, y and width of every room that has files; the highest floor is drawn first."""
    places: dict[str, tuple[float, float, float]] = {}
    floors = [[name for name in rooms if name in files] for rooms in FLOORS]
    room_width = WIDTH - WIDGETS_WIDTH - 60
    for level, rooms in enumerate(reversed(floors)):
        y = 16 + FLOOR_HEIGHT * level
        width = min(300.0, (room_width - 10 * (len(rooms) - 1)) / len(rooms))
        start = 20 + (room_width - width * len(rooms) - 10 * (len(rooms) - 1)) / 2
        for place, name in enumerate(rooms):
            places[name] = (round(start + place * (width + 10), 1), y, round(width, 1))
    # Widgets may use figures and what is below them, so they stand one floor higher.
    figures = next(level for level, rooms in enumerate(reversed(floors)) if "figures" in rooms)
    y = 16 + FLOOR_HEIGHT * (figures - 1)
    places[WIDGETS] = (WIDTH - WIDGETS_WIDTH - 20, y, WIDGETS_WIDTH)
    return places


def _arrow(source: tuple[float, float, float], target: tuple[float, float, float]) -> str:
    """Draw a line from the foot of one room to the head of another; red where it points up."""
    x1 = source[0] + source[2] / 2
    y1 = source[1] + BOX_HEIGHT
    x2 = target[0] + target[2] / 2
    y2 = target[1]
    colour = "#8fa3b8" if y2 > y1 else "#d1495b"
    bend = (y2 - y1) / 2
    return (
        f'<path d="M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} '
        f'{x2:.1f} {y2:.1f}" '
        f'fill="none" stroke="{colour}" stroke-opacity="0.7" '
        'stroke-width="1.2"/>'
    )


def main() -> None:
    """Write the picture and print the figures of the structure."""
    PICTURE.write_text(draw(), "utf-8")
    arrows = arrows_between_rooms(graph())
    inside = defaultdict(list)
    for name in modules():
        inside[room(name)].append(name)
    print(f"{len(inside)} rooms, {len(modules())} files, {len(arrows)} arrows between rooms")
    print(f"circles: {circles(graph(types=False)) or 0}")
    wrong = [pair for pair in arrows if pair[1] not in rooms_below(pair[0])]
    print(f"against the floors: {wrong or 0}")


if __name__ == "__main__":
    main()
