"""A network of faces to try: a DCGAN of 64 px, 13 MB, MIT licence, weights inside its package.

pip install --no-deps --ignore-requires-python gan-face-generate
ganwalk discover --generator examples.faces:faces --n-directions 8
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "gan_face_generate"


def faces() -> Any:
    """The network with its weights: codes (n, 100, 1, 1) to images (n, 3, 64, 64); needs none of its dependencies."""
    import torch
    from gan_face_generate import models

    network = models.Generator(ngpu=0, nc=3, nz=100, ngf=64)
    weights = Path(models.__file__).with_name("weights.tar")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["netG_state_dict"])
    return network.eval().requires_grad_(False)


def main() -> None:
    command = "ganwalk discover --generator examples.faces:faces --n-directions 8"
    if find_spec(PACKAGE) is None:
        command = f"pip install --no-deps --ignore-requires-python gan-face-generate && {command}"
    print(f"run: {command}")


if __name__ == "__main__":
    main()
