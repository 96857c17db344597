"""The flow goes one way: imports, also those inside of functions, make no circle between rooms."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Of ganwalk, the lowest first.
ROOMS = [
    "files",
    "compute",
    "progress",
    "inert",
    "resuming",
    "options",
    "pictures",
    "ledger",
    "rtd",
    "generators",
    "directions",
    "discovery",
    "interchange",
    "evaluation",
]
ROOMS += ["video", "rendering", "animation", "projection", "naming", "calibration", "explore", "commands"]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for package in ("ganwalk", "vae") for path in (ROOT / package).rglob("*.py")}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


@functools.cache
def imports(name):
    """Modules of ours whose names a module imports; a package's face, which hands names on, stands for their homes."""
    if "_HOMES" in vars_of(name):
        return set()
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in FILES}
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in FILES:
            found |= {home(node.module, alias.name) for alias in node.names}
    return found - {name}


def reached(name):
    """Modules of ours that an import of this one may load, and for each the one that it is loaded by."""
    found, ahead = {}, [name]
    while ahead:
        loader = ahead.pop()
        parts = loader.split(".")
        packages = {".".join(parts[:count]) for count in range(1, len(parts))}
        for target in (imports(loader) | packages) - found.keys():
            found[target] = loader
            ahead.append(target)
    return found


def vars_of(name):
    """Names that a module assigns."""
    targets = [target for node in TREES[name].body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def home(module, name):
    if f"{module}.{name}" in FILES:
        return f"{module}.{name}"
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and node.module in FILES and name in [alias.name for alias in node.names]:
            return home(node.module, name)
    return module


def circles(graph):
    """Sets of more than one module that reach one another (Tarjan 1972)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            circle = set()
            while True:
                circle.add(stack.pop())
                if node in circle:
                    break
            if len(circle) > 1:
                found.append(circle)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def room(name):
    return FILES[name].parent


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert home("ganwalk.rtd", "RTDLoss") == "ganwalk.rtd.loss"


def test_no_circle_among_files_of_different_rooms():
    graph = {name: imports(name) for name in FILES}
    assert [circle for circle in circles(graph) if len({room(name) for name in circle}) > 1] == []


def test_rooms_import_downwards_only():
    """No room imports one that stands after it."""
    for name in FILES:
        for target in imports(name):
            ours, theirs = (part.split(".")[1:2] for part in (name, target))
            if name.startswith("ganwalk.") and ours and theirs and ours[0] in ROOMS and theirs[0] in ROOMS:
                assert ROOMS.index(theirs[0]) <= ROOMS.index(ours[0]), f"{name} imports {target}"


def test_every_room_has_its_place():
    assert {path.parent.name for path in (ROOT / "ganwalk").glob("*/__init__.py")} == set(ROOMS)


def test_single_files_lie_below_the_rooms():
    """What rooms share uses at most those of the lowest; all others are named here."""
    above = {"__main__": {"commands"}, "samples": {"generators"}}
    for name in FILES:
        package, *below = name.split(".")
        if package == "ganwalk" and len(below) == 1 and below[0] not in ROOMS:
            rooms = {target.split(".")[1] for target in imports(name) if target.count(".")} & set(ROOMS)
            assert rooms - {"files", "compute", "progress", "options"} == above.get(below[0], set()), name


def test_what_reads_files_inertly_uses_errors_and_files_alone():
    allowed = ("ganwalk.errors", "ganwalk.files.")
    for name in FILES:
        if name.startswith("ganwalk.inert"):
            for target in imports(name):
                assert target.startswith((*allowed, "ganwalk.inert.")), f"{name} imports {target}"


def test_vae_reaches_no_generator_and_no_room_above():
    # Its traversals are written as GIF, by a room that uses no other.
    closed = set(ROOMS[ROOMS.index("generators") :]) - {"video"}
    for name in FILES:
        if name.startswith("vae"):
            for target, loader in reached(name).items():
                package, *below = target.split(".")
                assert package == "vae" or not below or below[0] not in closed, f"{name} reaches {target} by {loader}"


def test_only_scores_of_representations_use_vae_and_of_it_no_model():
    """What `python -m vae.evaluate` measures codes by, and on: metrics and data sets."""
    allowed = ("vae.data", "vae.metrics")
    for name in FILES:
        for target in imports(name):
            if name.startswith("ganwalk.") and target.startswith("vae"):
                assert name.startswith("ganwalk.evaluation.representation."), f"{name} imports {target}"
                assert target.startswith(allowed), f"{name} imports {target}"
            if name.startswith(allowed):
                assert not target.startswith("vae") or target.startswith(allowed), f"{name} imports {target}"
