"""A whole training: data, loop, looks at it on the way, scores and pictures at the end."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganwalk.errors import GanwalkError
from ganwalk.files import write_json, write_text
from vae import parallel
from vae.checkpoints import CHECKPOINT_FILE, TrainingState
from vae.data import load_dataset
from vae.data.base import ImageData
from vae.evaluation import ModelScores, evaluate_model
from vae.metrics.scores import Level
from vae.run_folder import HISTORY_FILE, SCORES_FILE, save_model
from vae.run_folder import MODEL_FILE as MODEL_FILE
from vae.settings import CONFIG_FILE, TrainingSettings, to_json
from vae.training import Rhythm, train
