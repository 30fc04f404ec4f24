"""
A folder of pictures, and what is near what
===========================================

A folder of photographs of mixed sizes, without labels, becomes features; neighbours in them are
pictures that look alike. The folder is made here, of pieces of the two photographs that
scikit-learn ships, so that a sub-folder says what a picture is a piece of.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from sk_infomax import DeepInfoMaxTransformer, ImageViews
from sk_infomax.datasets import load_image_folder
from sk_infomax.displays import EmbeddingDisplay, LocalInformationDisplay, NeighborsDisplay

SEED = 0
N_PICTURES = 120  # of each photograph


def make_folder(folder: Path) -> None:
    """Pieces of the photographs, of several sizes, in a sub-folder for each."""
    rng = np.random.RandomState(SEED)
    for name, photo in zip(["temple", "flower"], load_sample_images().images):
        (folder / name).mkdir()
        for i in range(N_PICTURES):
            side = rng.randint(80, 161)
            top = rng.randint(photo.shape[0] - side)
            left = rng.randint(photo.shape[1] - side)
            piece = photo[top : top + side, left : left + side]
            Image.fromarray(piece).save(folder / name / f"{i:03d}.jpg")


# %%
# Read
# ----
# Pictures are brought to one size. With ``cache="photos.npy"`` they would be kept in a file, and
# read from it batch by batch.

with TemporaryDirectory() as folder:
    make_folder(Path(folder))
    photos = load_image_folder(folder, size=48)
print(photos.images.shape, photos.target_names)

# %%
# Learn and look
# --------------
# Photographs may be mirrored. The embedding alone is made for distances.

dim = DeepInfoMaxTransformer(
    output="embedding", augmentation=ImageViews(flip=True), max_epochs=10, random_state=SEED
)
dim.fit(photos.images)
NeighborsDisplay.from_estimator(dim, photos.images, n_neighbors=7)

# %%
# A map, coloured by what the pictures are pieces of, which no fit has seen.

names = np.array(photos.target_names)[photos.target]
EmbeddingDisplay.from_estimator(dim, photos.images, names)

# %%
# Which places of a picture its features know most about: bright places tell it from the others.

LocalInformationDisplay.from_estimator(dim, photos.images, samples=[0, 60, 130, 200])
plt.show()
