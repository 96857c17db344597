"""Finds directions of the shipped generator in a short run, and draws them all.

    python examples/discover_and_render.py

Writes directions.safetensors and directions.png into this folder.
"""

import ganwalk
from ganwalk.pictures.sheets import save_picture
from ganwalk.rendering.grids import overview_grid
from ganwalk.samples import DrawnSamples


def main() -> None:
    generator = ganwalk.load_generator("scenes")  # or a path of your checkpoint
    # 200 steps of 64 images and normal effort are the default, and worth their time.
    directions = ganwalk.discover(generator, n_directions=4, steps=10, batch=16, effort="quick")
    directions.save("directions.safetensors")
    for index, effect in enumerate(directions.effects):
        print(f"direction {index} changes the image by {effect:.3f}")
    save_picture(overview_grid(generator, directions, DrawnSamples((1,)), steps=5), "directions.png")
    print("wrote directions.safetensors and directions.png")


if __name__ == "__main__":
    main()
