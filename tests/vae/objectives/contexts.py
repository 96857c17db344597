"""Contexts of a step for tests: of a small VAE, or of given codes alone."""

from dataclasses import replace

import torch

from vae.models import VAE, ModelConfig
from vae.objectives.base import Context, Encoded, Objective
from vae.training.stack import Stack
from vae.training.step import _encode


def model_context(z_dim=4, channels=1, resolution=32, n=8, seed=0, step=0, steps=10, objective=None):
    """A small VAE and a step of it, with codes such as the objective makes; the same for the same arguments."""
    objective = Objective() if objective is None else objective
    levels = getattr(getattr(objective, "settings", None), "levels", None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = VAE(ModelConfig(resolution, channels, z_dim, hidden=16, levels=levels))
    rng = torch.Generator().manual_seed(1000 * seed + step)
    images = (torch.rand(n, channels, resolution, resolution, generator=rng)[None] for _ in "ab")
    batch, second = (_encode(Stack([model]), [objective], found, [rng])[0] for found in images)
    batch = replace(batch, logits=model.decode(batch.z))
    return model, Context(batch, second, model.decode, step, steps, 1000, rng)


def code_context(mean, log_variance, z=None, *, second=None, step=0, steps=10, data_size=1000, seed=0):
    """A step of given posteriors (n, z_dim); z is the mean unless given. There are no images and no decoder."""
    z = mean if z is None else z
    other = z if second is None else second
    none = torch.zeros(0)
    return Context(
        Encoded(none, mean, log_variance, z),
        Encoded(none, other, torch.zeros_like(other), other),
        lambda codes: codes,
        step,
        steps,
        data_size,
        torch.Generator().manual_seed(seed),
    )
