"""NVIDIA's TensorFlow snapshots (ProGAN, StyleGAN, StyleGAN2, StyleGAN2-ADA): a pickle of three networks (G, D, Gs).

A network's state lists its variables by name, with arrays in TensorFlow's layout; `Gs`, the average, is wanted. Dense
weights are transposed here, convolutions become (out, in, k, k), and what TensorFlow applies as a transposed
convolution is flipped to the orientation of ours.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import DEFAULT_TAPS
from ganwalk.generators.checkpoints.genforce import AUTO_FUSED_RESOLUTION
from ganwalk.generators.checkpoints.stored import MAX_TENSORS, load_tensors, shape_of
from ganwalk.generators.progan import ProGANConfig
from ganwalk.generators.stylegan1 import StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields, first_size
from ganwalk.inert.numpy_values import plain_number, stored_array
from ganwalk.inert.pickle_reader import MAX_NAME, Global, Record
from ganwalk.inert.tensors import StoredTensor

_NETWORKS = ("dnnlib.tflib.network.Network", "tfutil.Network", "network.Network")
_MAX_TAPS = 32
# Options that change what is computed, and the only values of them that ours computes.
_FIXED: dict[str, tuple[Any, ...]] = {
    "nonlinearity": ("lrelu",),
    "mapping_nonlinearity": ("lrelu",),
    "use_wscale": (True,),
    "use_pixel_norm": (False,),
    "use_instance_norm": (True,),
    "use_styles": (True,),
    "const_input_layer": (True,),
    "use_leakyrelu": (True,),
    "pixelnorm_epsilon": (1e-8,),
    "kernel": (3,),
    "blur_filter": ((1.0, 2.0, 1.0),),
}


def is_tensorflow_snapshot(value: Any) -> bool:
    """Whether an inert pickle is a tuple of TensorFlow networks, or one of them."""
    return _network(value) is not None


def read_tensorflow(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Raises:
        GanwalkError: the network is no generator that is known, or an option makes it compute something ours does not.
    """
    state = _network(value)
    assert state is not None
    options = _options(state)
    variables = _variables(state)
    for component in ("mapping", "synthesis"):
        part = _items(state.get("components")).get(component)
        if part is not None:
            inner = _state_of(part)
            options = {**_options(inner), **options}
            variables |= {f"{component}/{name}": tensor for name, tensor in _variables(inner).items()}
    for name, allowed in _FIXED.items():
        if name in options and options[name] not in allowed:
            raise GanwalkError(f"is not supported: its option {name} is {options[name]!r:.40}, not {allowed[0]!r}")
    if "4x4/Dense/weight" in variables:
        return _progan(variables, options)
    if "synthesis/4x4/Const/StyleMod/weight" in variables:
        return _stylegan1(variables, options)
    if "synthesis/4x4/Conv/mod_weight" in variables:
        return _stylegan2(variables, options)
    raise GanwalkError("is a TensorFlow network of NVIDIA's, but none of ProGAN, StyleGAN and StyleGAN2")


def _network(value: Any) -> dict[str, Any] | None:
    """State of the network that is wanted: the last one of a tuple of three, or a single one."""
    if isinstance(value, tuple | list) and len(value) == 3:
        value = value[2]
    return _state_of(value) if _is_network(value) else None


def _is_network(value: Any) -> bool:
    if not isinstance(value, Record):
        return False
    cls = value.function
    if isinstance(cls, Global) and cls.path == "copyreg._reconstructor" and isinstance(value.arguments, tuple):
        cls = value.arguments[0] if value.arguments else None
    return isinstance(cls, Global) and cls.path in _NETWORKS


def _state_of(network: Any) -> dict[str, Any]:
    if not _is_network(network) or not isinstance(network.state, dict):
        raise GanwalkError("is damaged: a network has no state")
    if "version" not in network.state:
        raise GanwalkError(
            "is a ProGAN of the Theano version: get the TensorFlow version of the same network (its README links both)"
        )
    return network.state


def _items(value: Any) -> dict[Any, Any]:
    """A dict, or what was set on an instance of a dict-like class."""
    if isinstance(value, Record):
        return value.items
    return value if isinstance(value, dict) else {}


def _options(state: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the network that are plain values, or short lists of numbers or of such lists.

    Lists become tuples, those of anything else empty ones.
    """
    found: dict[str, Any] = {}
    for key, entry in _items(state.get("static_kwargs")).items():
        entry = plain_number(entry)
        if isinstance(entry, list):
            lines = tuple(map(_numbers, entry[:_MAX_TAPS]))
            entry = _numbers(entry) or (lines if all(lines) else ())
        if isinstance(key, str) and isinstance(entry, str | int | float | tuple | None):
            found[key] = entry
    return found


def _numbers(values: Any) -> tuple[float, ...]:
    """A short list of numbers as a tuple, anything else as an empty one."""
    if not isinstance(values, list) or len(values) > _MAX_TAPS or not all(isinstance(n, int | float) for n in values):
        return ()
    return tuple(map(float, values))


def _filter(option: Any) -> dict[str, Any]:
    """The fields of a configuration that give the up-sampling filter: taps, a kernel, or the default."""
    if option is None:
        return {"resample_filter": DEFAULT_TAPS}
    lines = option if isinstance(option, tuple) and option and isinstance(option[0], tuple) else (option,)
    if len({len(line) if isinstance(line, tuple) else 0 for line in lines} - {0}) != 1:
        raise GanwalkError("is not supported: its option resample_kernel is no filter")
    if lines is not option:
        return {"resample_filter": option}
    return {"resample_filter": tuple(n for line in lines for n in line), "resample_columns": len(lines[0])}


def _variables(state: dict[str, Any]) -> dict[str, StoredTensor]:
    variables = state.get("variables")
    found: dict[str, StoredTensor] = {}
    if isinstance(variables, list) and len(variables) > MAX_TENSORS:
        raise GanwalkError(f"is damaged: it holds more than {MAX_TENSORS} variables")
    for pair in variables if isinstance(variables, list) else []:
        named = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and len(pair[0]) <= MAX_NAME
        if not named:
            raise GanwalkError("is damaged: a variable has no name")
        tensor = stored_array(pair[1])
        if tensor is None and isinstance(pair[1], int | float):
            continue
        if tensor is None:
            raise GanwalkError(f"is damaged: the variable {pair[0]:.60} is no array")
        found[pair[0]] = tensor
    return found


def _number(options: dict[str, Any], name: str, default: float) -> float:
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GanwalkError(f"is damaged: its option {name} should be a number")
    return float(value)


def _flag(options: dict[str, Any], name: str, default: bool) -> bool:
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise GanwalkError(f"is damaged: its option {name} should be true or false")
    return value


def _lod(loaded: dict[str, Tensor], *names: str) -> float:
    """Level of detail; the networks' own variable where a component has one too."""
    values = [loaded.pop(name) for name in names if name in loaded]
    if not values:
        return 0.0
    if values[-1].numel() != 1:
        raise GanwalkError("is damaged: its level of detail is no number")
    return float(values[-1])


def _convolution(weight: Tensor) -> Tensor:
    """TensorFlow's (k, k, in, out) as (out, in, k, k)."""
    return weight.permute(3, 2, 0, 1) if weight.ndim == 4 else weight


def _block(resolution: str) -> int:
    """Number of the block of a scope such as 32x32, from 0 at 4 px."""
    return int(resolution).bit_length() - 3


def _blocks(variables: dict[str, StoredTensor], pattern: str) -> int:
    """How many blocks there are, from 4 px up; GanwalkError unless it is at least one."""
    sizes = [int(match[1]) for name in variables if (match := re.fullmatch(pattern, name))]
    if not sizes:
        raise GanwalkError("is damaged: it has no convolutions")
    return max(sizes).bit_length() - 2


def _progan(variables: dict[str, StoredTensor], options: dict[str, Any]) -> tuple[ProGANConfig, dict[str, Tensor]]:
    loaded = load_tensors(variables)
    lod = _lod(loaded, "lod")
    blocks = _blocks(variables, r"(\d{1,5})x\1/Conv1?/weight")
    width, _ = shape_of(variables, "4x4/Dense/weight", 2)
    z_dim = int(_number(options, "latent_size", width))
    tensors: dict[str, Tensor] = {}
    for name, tensor in loaded.items():
        match = re.fullmatch(r"(?:(\d{1,5})x\1/(Dense|Conv|Conv0|Conv0_up|Conv1)|ToRGB_lod(\d+))/(weight|bias)", name)
        if match is None:
            tensors[name] = tensor
            continue
        if match[3] is not None:
            tensors[f"output{blocks - 1 - int(match[3])}.{match[4]}"] = _convolution(tensor)
            continue
        first = match[2] in ("Dense", "Conv0", "Conv0_up")
        target = f"layer{2 * _block(match[1]) + (0 if first else 1)}.{match[4]}"
        if match[2] == "Dense":
            if match[4] == "bias":
                tensor = tensor.reshape(-1, 1, 1).repeat(1, 4, 4)
            elif tensor.ndim == 2 and tensor.shape[1] % 16 == 0:
                tensor = tensor.view(len(tensor), -1, 4, 4).transpose(0, 1).flip((2, 3))
        elif match[2] == "Conv0_up" and tensor.ndim == 4:
            # Stored (k, k, out, in), for a transposed convolution.
            tensor = tensor.permute(2, 3, 0, 1).flip((2, 3))
        else:
            tensor = _convolution(tensor)
        tensors[target] = tensor
    channels = []
    for block in range(blocks):
        name = "4x4/Conv/weight" if block == 0 else f"{4 * 2**block}x{4 * 2**block}/Conv1/weight"
        channels.append(shape_of(variables, name, 4)[3])
    config = ProGANConfig(
        resolution=4 * 2 ** (blocks - 1),
        block_channels=tuple(channels),
        z_dim=z_dim,
        c_dim=width - z_dim,
        img_channels=shape_of(variables, "ToRGB_lod0/weight", 4)[3],
        lod=lod,
        normalize_latents=_flag(options, "normalize_latents", True),
        pixel_norm=_flag(options, "use_pixelnorm", True),
        tanh=_flag(options, "tanh_at_end", False),
    )
    return config, tensors


def _stylegan1(
    variables: dict[str, StoredTensor], options: dict[str, Any]
) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    loaded = load_tensors(variables)
    lod = _lod(loaded, "lod", "synthesis/lod")
    blocks = _blocks(variables, r"synthesis/(\d{1,5})x\1/Conv1?/weight")
    fused = options.get("fused_scale", "auto")
    tensors: dict[str, Tensor] = {}
    for name, tensor in loaded.items():
        target, tensor = _stylegan1_tensor(name, tensor, blocks, fused)
        tensors[target] = tensor
    channels = []
    for block in range(blocks):
        name = "synthesis/4x4/Conv/weight" if block == 0 else f"synthesis/{4 * 2**block}x{4 * 2**block}/Conv1/weight"
        channels.append(shape_of(variables, name, 4)[3])
    layers = len([name for name in variables if re.fullmatch(r"mapping/Dense\d+/weight", name)])
    width, features = shape_of(variables, "mapping/Dense0/weight", 2)
    label = variables.get("mapping/LabelConcat/weight")
    c_dim, label_features = (0, None) if label is None else shape_of(variables, "mapping/LabelConcat/weight", 2)
    config = StyleGAN1Config(
        resolution=4 * 2 ** (blocks - 1),
        block_channels=tuple(channels),
        z_dim=width - (label_features or 0),
        w_dim=shape_of(variables, "synthesis/4x4/Const/StyleMod/weight", 2)[0],
        c_dim=c_dim,
        img_channels=shape_of(variables, "synthesis/ToRGB_lod0/weight", 4)[3],
        mapping_layers=layers,
        mapping_features=features if layers > 1 else None,
        mapping_lr=_number(options, "mapping_lrmul", 0.01),
        label_features=label_features,
        normalize_latents=_flag(options, "normalize_latents", True),
        lod=lod,
    )
    return config, tensors


def _stylegan1_tensor(name: str, tensor: Tensor, blocks: int, fused: Any) -> tuple[str, Tensor]:
    if match := re.fullmatch(r"mapping/Dense(\d+)/(weight|bias)", name):
        return f"mapping.fc{match[1]}.{match[2]}", tensor.T if tensor.ndim == 2 else tensor
    if name == "mapping/LabelConcat/weight":
        return "mapping.label_weight", tensor
    if name == "dlatent_avg":
        return "mapping.w_avg", tensor
    if match := re.fullmatch(r"synthesis/noise(\d+)", name):
        return f"synthesis.layer{match[1]}.noise_const", tensor[0, 0] if tensor.ndim == 4 else tensor
    if match := re.fullmatch(r"synthesis/ToRGB_lod(\d+)/(weight|bias)", name):
        return f"synthesis.output{blocks - 1 - int(match[1])}.{match[2]}", _convolution(tensor)
    match = re.fullmatch(r"synthesis/(\d{1,5})x\1/(Const|Conv|Conv0_up|Conv1)/(.+)", name)
    if match is None:
        return name, tensor
    k = 2 * _block(match[1]) + (0 if match[2] in ("Const", "Conv0_up") else 1)
    part = {"StyleMod/weight": "affine.weight", "StyleMod/bias": "affine.bias", "Noise/weight": "noise_strength"}.get(
        match[3], match[3]
    )
    if part == "affine.weight" and tensor.ndim == 2:
        tensor = tensor.T
    elif part == "weight" and tensor.ndim == 4:
        tensor = _convolution(tensor)
        if match[2] == "Conv0_up" and (int(match[1]) >= AUTO_FUSED_RESOLUTION if fused == "auto" else fused is True):
            tensor = tensor.flip((2, 3))
    return f"synthesis.layer{k}.{part}", tensor


def _stylegan2(
    variables: dict[str, StoredTensor], options: dict[str, Any]
) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    loaded = load_tensors(variables)
    lod = _lod(loaded, "lod", "synthesis/lod")
    # Configurations B to D were grown, and end in one projection to RGB: at full detail, the finest.
    grown = "synthesis/ToRGB_lod0/weight" in variables
    if grown and lod != 0:
        raise GanwalkError(f"is not supported: a StyleGAN2 at the level of detail {lod:g}, as training left it")
    blocks = _blocks(variables, r"synthesis/(\d{1,5})x\1/Conv1?/weight")
    last = 4 * 2 ** (blocks - 1)
    tensors: dict[str, Tensor] = {}
    for name, tensor in loaded.items():
        if grown and re.match(r"synthesis/ToRGB_lod[1-9]", name):
            continue
        target, tensor = _stylegan2_tensor(name.replace("/ToRGB_lod0/", f"/{last}x{last}/ToRGB/"), tensor)
        tensors[target] = tensor
    channels = {}
    for block in range(blocks):
        size = 4 * 2**block
        channels[size] = shape_of(variables, f"synthesis/{size}x{size}/Conv{'1' if block else ''}/weight", 4)[3]
    layers = len([name for name in variables if re.fullmatch(r"mapping/Dense\d+/weight", name)])
    width, features = shape_of(variables, "mapping/Dense0/weight", 2)
    embed = None
    concat = "mapping/LabelConcat/weight" in variables
    c_dim = 0
    for scope in ("LabelConcat", "LabelEmbed"):
        if f"mapping/{scope}/weight" in variables:
            c_dim, embed = shape_of(variables, f"mapping/{scope}/weight", 2)
    if _flag(options, "normalize_latents", True) is not True:
        raise GanwalkError("is not supported: its option normalize_latents is False")
    clamp = options.get("conv_clamp")
    architecture = "orig" if grown else options.get("architecture", "skip")
    final = "synthesis/ToRGB_lod0/weight" if grown else f"synthesis/{last}x{last}/ToRGB/weight"
    config = StyleGAN2Config(
        img_resolution=last,
        first_size=first_size(shape_of(variables, "synthesis/4x4/Const/const", 4)),
        z_dim=width - (embed or 0),
        w_dim=shape_of(variables, "synthesis/4x4/Conv/mod_weight", 2)[0],
        c_dim=c_dim,
        img_channels=shape_of(variables, final, 4)[3],
        mapping_layers=layers,
        mapping_features=features if layers > 1 else None,
        mapping_lr=_number(options, "mapping_lrmul", 0.01),
        embed_features=embed,
        label_concat=concat,
        architecture=str(architecture),
        conv_clamp=None if clamp is None else _number(options, "conv_clamp", 0.0),
        **_filter(options.get("resample_kernel")),
        use_noise=any(name.endswith("/noise_strength") for name in variables),
        **channel_fields(channels),
    )
    return config, tensors


def _stylegan2_tensor(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A variable of StyleGAN2 under NVIDIA's PyTorch name, in its orientation."""
    if match := re.fullmatch(r"mapping/(?:Dense(\d+)|LabelEmbed)/(weight|bias)", name):
        layer = "embed" if match[1] is None else f"fc{match[1]}"
        return f"mapping.{layer}.{match[2]}", tensor.T if tensor.ndim == 2 else tensor
    if name == "mapping/LabelConcat/weight":
        return "mapping.label_weight", tensor
    if name == "dlatent_avg":
        return "mapping.w_avg", tensor
    if name == "synthesis/4x4/Const/const":
        return "synthesis.b4.const", tensor[0] if tensor.ndim == 4 else tensor
    if match := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        k = int(match[1])
        layer = "b4.conv1" if k == 0 else f"b{4 * 2 ** ((k + 1) // 2)}.conv{(k + 1) % 2}"
        return f"synthesis.{layer}.noise_const", tensor[0, 0] if tensor.ndim == 4 else tensor
    match = re.fullmatch(r"synthesis/(\d{1,5})x\1/(Conv|Conv0_up|Conv1|Skip|ToRGB)/(.+)", name)
    if match is None:
        return name, tensor
    layer = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "Skip": "skip", "ToRGB": "torgb"}[match[2]]
    part = {"mod_weight": "affine.weight", "mod_bias": "affine.bias"}.get(match[3], match[3])
    if part == "affine.weight" and tensor.ndim == 2:
        tensor = tensor.T
    elif part == "affine.bias":
        tensor = tensor + 1
    elif part == "weight" and tensor.ndim == 4:
        tensor = _convolution(tensor)
        tensor = tensor.flip((2, 3)) if layer in ("conv0", "skip") else tensor
    return f"synthesis.b{match[1]}.{layer}.{part}", tensor
