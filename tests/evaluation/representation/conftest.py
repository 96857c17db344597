"""What is trained once for all tests."""

from types import SimpleNamespace

import pytest

from ganwalk.evaluation.representation.training import train_encoder
from ganwalk.evaluation.views import view_of
from ganwalk.generators.loading import load_generator
from tests.evaluation.known import axes_of

QUICK = {"pairs": 900, "steps": 120, "lr": 5e-3, "width": 12}


@pytest.fixture(scope="session")
def trained():
    """The generator "blobs", its true axes, and an encoder of them."""
    generator = load_generator("blobs")
    directions = axes_of(generator)
    view = view_of(generator, directions)
    return SimpleNamespace(
        generator=generator,
        directions=directions,
        view=view,
        encoder=train_encoder(generator, directions, view, **QUICK),
    )
