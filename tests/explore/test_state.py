"""What a page shows: it goes into the URL and comes back, and strangers' URLs do no harm."""

from urllib.parse import parse_qsl

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import Label
from ganwalk.explore.shelf import Shelf
from ganwalk.explore.state import MAX_SEEDS, REACH, History, State, from_query, key_of, to_query
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.samples import DrawnSamples, StoredSamples

LAYERS, CLASSES = 10, 7
NAMES = (Label("smile"), Label("a=b"), Label("x&y #1", starred=True), Label())


def directions(space="w", **settings):
    identity = GeneratorIdentity("toy", "0" * 64, "stylegan2", 16)
    return Directions(torch.eye(4), torch.ones(4), space, identity, labels=NAMES, settings=settings)


def written(state, sides):
    return to_query(state, sides, classes=CLASSES)


def read(query, sides):
    return from_query(dict(parse_qsl(query)), sides, classes=CLASSES, layers=LAYERS)


@st.composite
def moves(draw):
    first = draw(st.integers(0, LAYERS - 1))
    layers = draw(st.none() | st.integers(first, LAYERS - 1).map(lambda last: (first, last)))
    return draw(st.integers(-50, 50)) / 10, layers


@st.composite
def drawn_samples(draw):
    psi = draw(st.integers(-20, 20)) / 10
    return DrawnSamples(
        tuple(draw(st.lists(st.integers(0, 10**11), min_size=1, max_size=MAX_SEEDS))),
        psi,
        None if psi == 1 else draw(st.none() | st.integers(1, LAYERS - 1)),
        draw(st.none() | st.integers(0, CLASSES - 1)),
    )


@st.composite
def states(draw):
    state = State(
        draw(drawn_samples()),
        selected=draw(st.integers(0, 3)),
        side=draw(st.integers(0, 1)),
    )
    for side in (0, 1):
        for index, (amplitude, layers) in draw(st.dictionaries(st.integers(0, 3), moves())).items():
            state = state.moved(side, Move(index, amplitude, layers))
    return state


@given(states(), st.none() | st.integers(0, CLASSES - 1))
def test_a_url_holds_all_of_a_state(state, found):
    sides = (directions(class_index=found), directions())
    assert read(written(state, sides), sides) == state


def test_a_url_holds_numbers_rather_than_names_but_takes_both():
    state = State().moved(0, Move(0, 2.0, (1, 3)))
    assert written(state, (directions(),)) == "a=0=2@1-3"
    assert written(State(), (directions(),)) == ""
    assert read("a=smile=2@1-3", (directions(),)) == state


@given(
    st.dictionaries(st.sampled_from(["seeds", "psi", "cutoff", "class", "a", "b", "direction", "side", "x"]), st.text())
)
def test_no_url_is_an_error(query):
    state = from_query(query, (directions(), directions("z")), classes=CLASSES, layers=LAYERS)
    assert 1 <= len(state.samples) <= MAX_SEEDS and 0 <= state.selected < 4


@pytest.mark.parametrize(
    "query",
    [
        "seeds=-1", "seeds=", "psi=inf", "psi=3", "cutoff=2", "class=7", "class=0.5", "class=-1", "direction=4",
        "direction=1e400", "a=4=1", "a=0=nan", "a=nobody=1", "side=b", "b=0=1",
    ],
)  # fmt: skip
def test_what_cannot_be_is_left_as_at_the_start(query):
    assert read(query, (directions(),)) == State()


def test_samples_are_of_the_class_that_directions_were_discovered_in():
    found = (directions(class_index=3),)
    assert read("", found) == State().sampled(class_index=3) and written(State().sampled(class_index=3), found) == ""
    assert written(State(), found) == "class=any" and read("class=any", found) == State()
    for wrong in (CLASSES, -1, "3", True, None):
        assert read("", (directions(class_index=wrong),)) == State()


def test_what_is_too_much_is_cut():
    assert read("seeds=1-500", (directions(),)).samples.seeds == tuple(range(1, MAX_SEEDS + 1))
    assert read("a=0=99,1=-99", (directions(),)).edits[0] == (Move(0, REACH), Move(1, -REACH))
    assert read("a=0=1@8-12", (directions(),)).edits[0] == (Move(0, 1.0),)
    assert read("a=0=1@0-2", (directions("z"),)).edits[0] == (Move(0, 1.0),)


def test_a_cutoff_of_the_truncation_is_one_of_the_layers_and_goes_with_it():
    state = read("psi=0.5&cutoff=3", (directions(),))
    assert state.samples == DrawnSamples((1, 2, 3, 4), 0.5, 3) and written(state, (directions(),)) == "psi=0.5&cutoff=3"
    for query in ("cutoff=0", "cutoff=10", "cutoff=1.5", "cutoff=nan"):
        assert read(f"psi=0.5&{query}", (directions(),)).samples.truncation_cutoff is None
    assert state.sampled(truncation_psi=1.0) == State()


def stored(value, space="w", **options):
    shape = (1, LAYERS, 4) if space == "w" else (1, 4)
    return StoredSamples(torch.full(shape, float(value)), space, ("photo",), **options)


def test_a_url_holds_samples_that_are_no_seeds_by_a_key():
    shelf, sides = Shelf(), (directions(), directions())
    styles, codes = stored(1), stored(2, "z", truncation_psi=0.5, truncation_cutoff=3, class_index=2)
    for samples, query in ((styles, "latents={}"), (codes, "latents={}&psi=0.5&cutoff=3")):
        shelf.keep(samples)
        state = State(samples)
        assert written(state, sides) == query.format(key_of(samples))
        read_again = from_query(
            dict(parse_qsl(written(state, sides))), sides, classes=CLASSES, layers=LAYERS, find=shelf.find
        )
        assert read_again == state
        # Where it is not known, seeds are shown.
        assert isinstance(read(written(state, sides), sides).samples, DrawnSamples)
    # Truncation of styles, in a link of a stranger, is nothing.
    strange = {"latents": key_of(styles), "psi": "0.5", "cutoff": "2", "class": "1"}
    assert from_query(strange, sides, classes=CLASSES, layers=LAYERS, find=shelf.find) == State(styles)


def test_latents_that_were_given_are_what_a_page_shows_first():
    given, sides = stored(1), (directions(class_index=3),)
    options = {"classes": CLASSES, "latents": given}
    assert to_query(State(given), sides, **options) == ""
    assert from_query({}, sides, layers=LAYERS, **options) == State(given)
    drawn = State(given).seeded((1, 2, 3, 4), DrawnSamples((0,), class_index=3))
    assert to_query(drawn, sides, **options) == "seeds=1,2,3,4"
    assert from_query({"seeds": "1-4"}, sides, layers=LAYERS, **options) == drawn


def test_better_latents_take_the_place_of_the_old_ones():
    old, new, other = stored(1), stored(2), stored(3)
    history, shelf = History(), Shelf()
    for state in (State(old).moved(0, Move(1, 2.0)), State(other), State()):
        history.leave(state)
    history.exchange(old, new)
    assert history.undo(State()) == State()
    assert history.undo(State()) == State(other) and history.undo(State()) == State(new).moved(0, Move(1, 2.0))
    shelf.keep(old, files=("old.npz",))
    shelf.keep(new, instead_of=old)
    # The old address leads to the new latents, which are in no file.
    assert shelf.find(key_of(old)) == shelf.find(key_of(new)) == new and shelf.files(new) == ()
    for k in range(200):
        shelf.keep(stored(10 + k))
    assert shelf.find(key_of(new)) is None


def test_moves_are_kept_until_they_go_nowhere():
    state = State().moved(1, Move(2, 1.0)).moved(1, Move(0, 3.0))
    assert state.edits == ((), (Move(0, 3.0), Move(2, 1.0)))
    assert state.move(1, 2) == Move(2, 1.0) and state.move(0, 2) == Move(2, 0.0)
    # Layers that were chosen stay, also at amplitude 0.
    assert state.moved(1, Move(2, 0.0, (1, 2))).moved(1, Move(0, 0.0)).edits[1] == (Move(2, 0.0, (1, 2)),)
    assert state.reset().edits == ((), ())


def test_history_goes_back_and_forth():
    history = History()
    a, b, c = (State(DrawnSamples((seed,))) for seed in (1, 2, 3))
    assert not history.can_undo and history.undo(a) is a and history.redo(a) is a
    history.leave(a)
    history.leave(b)
    assert history.undo(c) == b and history.undo(b) == a and not history.can_undo
    assert history.redo(a) == b and history.redo(b) == c and not history.can_redo
    assert history.undo(c) == b
    history.leave(b)
    assert not history.can_redo, "a new change has no future"


def test_history_forgets_what_is_long_ago():
    history = History()
    for seed in range(1000):
        history.leave(State(DrawnSamples((seed,))))
    steps, state = 0, State(DrawnSamples((1000,)))
    while history.can_undo:
        state, steps = history.undo(state), steps + 1
    assert steps == 200 and state.samples.seeds == (800,)
