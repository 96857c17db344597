"""`ganwalk project`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganwalk.commands.options import External, external_options, force_option
from ganwalk.commands.suggestions import code_again, discovery_of
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options
from ganwalk.pictures.photos import find_photos, parse_crop
from ganwalk.progress.bars import progress_bar, say
from ganwalk.progress.estimates import announce
from ganwalk.projection.names import check_names, check_target, checkpoint_beside, without_projections
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.terminal import download_watch, quoted, set_up_torch, told_how_to_continue

# Of a progress bar, for each photo.
_PARTS = 1000
# A step is an image and its gradient: so many times an image alone.
_GRADIENT = 2.5


@click.command(epilog="Example: ganwalk project photo.jpg --generator ffhq.pkl")
@click.argument("photos", type=PATH, nargs=-1, required=True)
@click.option("-g", "--generator", "name", required=True, help="Checkpoint or name, as of discover.")
@click.option("-o", "--out", type=PATH, help="Folder for the results [default: beside each photo].")
@settings_options("settings", ProjectionSettings())
@click.option(
    "--crop",
    "crop_text",
    metavar="X,Y,SIZE",
    help="Part to take: left, top, larger side in pixels [default: the largest in the middle].",
)
@click.option(
    "--perceptual",
    metavar="FILE",
    help="Also compare features: of a TorchScript network (needs --trust), or of the package lpips, if that is given.",
)
@click.option("--resume", is_flag=True, help="Keep what is finished, and continue the projection that is not.")
@force_option
@common_options
@external_options
def project(
    photos: tuple[Path, ...],
    name: str,
    out: Path | None,
    settings: ProjectionSettings,
    crop_text: str | None,
    perceptual: str | None,
    resume: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Find the latents of PHOTOS, files or folders, so that they can be edited: photo.npz, and a picture of the fit.

    --latents photo.npz then shows the photo wherever --seeds shows samples. A photo should show what the generator
    shows, cropped as its training images were: no face is looked for. A first result is there early in the search,
    and gets better while the search goes on. The weights of the generator stay as they are: what it cannot draw stays
    away.
    """
    crop = None if crop_text is None else parse_crop(crop_text)
    paths = without_projections(find_photos(photos), photos)
    if crop is not None and len(paths) > 1:
        raise GanwalkError(f"--crop is of one photo, and {len(paths)} are given: project them one by one")
    set_up_torch(device, threads)
    from ganwalk.generators.loading import load_generator
    from ganwalk.generators.timing import seconds_per_latent
    from ganwalk.pictures.photos import read_photo
    from ganwalk.projection.files import project_photo
    from ganwalk.projection.perceptual import load_perceptual
    from ganwalk.projection.run import prepare

    targets = [(path.parent if out is None else out) / f"{path.stem}.npz" for path in paths]
    check_names(targets, paths)
    for target in targets:
        check_target(target, resume, force)
    with download_watch(quiet) as on_bytes:
        generator = load_generator(name, device, on_bytes, **external)
    resolved = settings.resolve(generator)
    network = None if perceptual is None else load_perceptual(perceptual, device, trust=external["trust"])
    # All before the first is projected: the last of many should not end a long run.
    for path in paths:
        for note in read_photo(path, generator.image_size, crop).notes:
            click.echo(f"note: {path}: {note}")
    assert resolved.steps is not None and resolved.candidates is not None
    if not quiet and not resume:
        images = resolved.candidates + _GRADIENT * resolved.steps * len(paths)
        remedy = "fewer --steps" + " or photos" * (len(paths) > 1) + " shorten it"
        announce("projecting", images * seconds_per_latent(generator), remedy, quiet)

    def tell_early(picture: Path) -> None:
        if not quiet:
            say(f"a first result is there, to look at while the search goes on: {picture}")

    with (
        told_how_to_continue([checkpoint_beside(target) for target in targets]),
        progress_bar(_PARTS * (len(paths) + 1), "projecting", quiet) as advance,
    ):
        prepared = prepare(
            generator, settings, perceptual=network, on_share=lambda share: advance(int(_PARTS * share), "samples")
        )
        found = []
        for k, (path, target) in enumerate(zip(paths, targets, strict=True), start=1):

            def on_share(share: float, k: int = k, path: Path = path) -> None:
                advance(int(_PARTS * (k + share)), path.name)

            photo = read_photo(path, generator.image_size, crop)
            found.append(project_photo(prepared, photo, target, resume=resume, on_share=on_share, on_early=tell_early))
    for target, projection in zip(targets, found, strict=True):
        if projection is None:
            click.echo(f"kept {target}: it is finished")
        else:
            click.echo(f"wrote {target}: RMS error {100 * float(projection.error[0]):.1f} % of the range of values")
    click.echo(f"next: {_next(generator, name, targets[0], external)}")


def _next(generator: Any, name: str, latents: Path, external: External) -> str:
    """Shows a photo along the directions that render would take, or finds some first, where these are of others."""
    from ganwalk.directions.files import newest_directions
    from ganwalk.discovery.subspace import resolve_space

    try:
        directions = newest_directions().directions
    except GanwalkError:
        return discovery_of(name, external)
    theirs = directions.generator
    if not theirs.same_network(generator.identity) or directions.space != resolve_space(generator, None):
        return discovery_of(name, external)
    moved = not theirs.interface and theirs.reference != generator.identity.reference
    again = f" --generator {quoted(name)}" if moved else code_again(generator, name, external)
    return f"ganwalk render{again} --latents {quoted(latents)} --direction 0"
