"""An autoencoder whose 8 codes keep the shape of the data, as RTD-AE (Trofimov et al., ICLR 2023): digits.

python examples/rtd_autoencoder.py
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from ganwalk.rtd import RTDLoss, rtd_score


def train(digits: torch.Tensor, weight: float, steps: int = 300) -> torch.Tensor:
    """Codes (N, 8) of an autoencoder that is trained with RTD between data and codes, times `weight`."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8))
    decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    rtd = RTDLoss(minimax=False)
    for step in range(steps):
        batch = digits[torch.randperm(len(digits))[:64]]
        codes = encoder(batch)
        loss = nn.functional.mse_loss(decoder(codes), batch)
        if weight > 0 and step >= steps // 3:  # as in the paper, after a start on the reconstruction alone
            loss = loss + weight * rtd(batch, codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder(digits).detach()


if __name__ == "__main__":
    digits = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    for weight in (0.0, 0.03):
        score = rtd_score(digits, train(digits, weight), batch=200, repeats=5)
        print(f"weight {weight}: RTD of data and codes {score.mean:.2f} ± {score.half_width:.2f}")
