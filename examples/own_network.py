"""A network of your own with styles: w, layers and early features work for it as they do for StyleGAN2.

ganwalk discover --generator examples.own_network:Network --method pca --layers 1-2
"""

import torch
from torch import nn

import ganwalk


class Network(nn.Module):
    """z → a style w for each of four layers → images of 32 px; not trained, so as to be short."""

    num_layers = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mapping = nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(0.2), nn.Linear(32, 8))
        self.start = nn.Parameter(torch.randn(1, 12, 4, 4))
        self.scales = nn.ModuleList(nn.Linear(8, 12) for _ in range(4))
        self.convolutions = nn.ModuleList(nn.Conv2d(12, 3 if k == 3 else 12, 3, padding=1) for k in range(4))

    def synthesis(self, w: torch.Tensor, until: int | None = None) -> torch.Tensor:
        """Images (n, 3, 32, 32) of styles w (n, 4, 8), or the features after layer `until`."""
        x = self.start.expand(len(w), -1, -1, -1)
        for k, (scale, convolution) in enumerate(zip(self.scales, self.convolutions, strict=True)):
            x = convolution(x * (1 + scale(w[:, k]))[:, :, None, None])
            if k == until:
                return x
            x = nn.functional.interpolate(x.relu(), scale_factor=2) if k < 3 else x.tanh()
        return x


def main() -> None:
    generator = ganwalk.load_generator("own_network:Network")
    directions = ganwalk.discover(generator, n_directions=3, method="pca", layers=(1, 2))
    directions.save("directions.safetensors")
    print(directions)


if __name__ == "__main__":
    main()
