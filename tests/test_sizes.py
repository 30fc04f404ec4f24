"""Images of any size: what is averaged first, what it costs, and that features stay."""

import numpy as np
import pytest
import torch
from sklearn import config_context
from torch.nn.functional import avg_pool2d

from sk_infomax import DeepInfoMaxTransformer, PatchEncoder, StridedEncoder
from sk_infomax._layout import Layout
from sk_infomax._scaling import _CHUNK_VALUES, Scaling, _coarse
from sk_infomax._training._batches import make_data

CPU = torch.device("cpu")
COARSE = Layout("image", (9, 14, 3), 2, coarse=4)


def pictures(n, *shape, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, *shape)).astype(np.uint8)


def enlarged(X, factor):
    """Each pixel as a square of equal ones."""
    return X.repeat(factor, 1).repeat(factor, 2)


def small(**settings):
    encoder = PatchEncoder(8, width=4, n_channels=4)
    return DeepInfoMaxTransformer(
        5, encoder=encoder, max_epochs=1, batch_size=10, random_state=0, **settings
    )


class Watched(np.ndarray):
    """Samples that remember how many of them were read at once."""

    most = 0

    def __getitem__(self, index):
        found = np.asarray(super().__getitem__(index))
        Watched.most = max(Watched.most, len(found))
        return found


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_squares_are_averaged_after_standardising(dtype):
    X = pictures(7, 9, 14, 3).astype(dtype)
    scaling = Scaling(COARSE).update(X)
    whole = Scaling(Layout("image", (9, 14, 3), 2)).update(X).apply(X)
    assert scaling.apply(X).shape == (7, 3, 2, 3)
    torch.testing.assert_close(scaling.apply(X), avg_pool2d(whole, 4))
    torch.testing.assert_close(scaling.apply(X, chosen=np.array([5, 2])), scaling.apply(X)[[5, 2]])


def test_streamed_images_are_those_that_are_held():
    X, order = pictures(30, 9, 14, 3), [torch.tensor([3, 1, 20]), torch.tensor([7])]
    scaling = Scaling(COARSE).update(X)
    held = list(make_data(X, scaling, CPU).take(order))
    with config_context(working_memory=0):
        streamed = list(make_data(X, scaling, CPU).take(order))
    for one, other in zip(held, streamed):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_no_copy_of_all_samples_as_floats():
    X, Watched.most = pictures(100, 256, 256).view(Watched), 0
    make_data(X, Scaling(Layout("image", (256, 256), None, coarse=8)).update(X), CPU)
    assert 1 <= Watched.most <= _CHUNK_VALUES // 256**2


@pytest.mark.parametrize("sides", [(32, 32), (33, 50)])
def test_enlarged_images_have_the_features_of_small_ones(sides):
    X = pictures(24, *sides, 3)
    twice = enlarged(X, 2)  # means of four equal values leave no rounding
    found = small().fit(twice).transform(twice)
    np.testing.assert_array_equal(found, small().fit(X).transform(X))


def test_the_map_does_not_grow_with_the_image():
    shapes = []
    for side in (32, 64, 512):
        model = small().fit(pictures(2, side, side))
        shapes.append([value.shape for value in model.net_.module_.state_dict().values()])
    assert shapes[0] == shapes[1] == shapes[2]


def test_other_encoders_see_every_pixel():
    X = pictures(6, 64, 64)
    model = DeepInfoMaxTransformer(4, encoder=StridedEncoder(2), max_epochs=1, random_state=0)
    assert model.fit(X).layout_.network_shape == (1, 64, 64)


def test_large_images_are_loaded_as_they_were_saved(tmp_path):
    X = pictures(12, 70, 130)
    model = small().fit(X)
    model.save(tmp_path / "model.safetensors")
    loaded = DeepInfoMaxTransformer.load(tmp_path / "model.safetensors")
    assert loaded.layout_ == model.layout_
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert np.isfinite(loaded.partial_fit(X).score(X))


@pytest.mark.parametrize(
    "shape", [(8, 8, 12), (9, 200, 1), (512, 16, 3), (100, 33, 2), (2, 90, 1), (63, 64, 1)]
)
@pytest.mark.parametrize("n", [2, 9])
def test_any_shape_has_finite_features(shape, n):
    X = pictures(n, *shape)
    found = small(channels="last").fit_transform(X)
    assert found.shape[0] == n
    assert np.isfinite(found).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_means_over_squares_are_those_of_float64(dtype):
    """Also where rows of bytes sum up to more than 16 bits hold, and where sides leave a rest."""
    for size, sides in ((2, (5, 6)), (3, (9, 10)), (258, (258, 520))):
        images = np.random.RandomState(0).randint(200, 256, (2, 3, *sides)).astype(dtype)
        images[0] = 255
        height, width = (side // size for side in sides)
        expected = [
            [images[:, :, i : i + size, j : j + size].mean((2, 3), dtype=float) for j in columns]
            for i, columns in ((k * size, range(0, width * size, size)) for k in range(height))
        ]
        for order in ("first", "last"):
            seen = images if order == "first" else images.transpose(0, 2, 3, 1).copy()
            seen = seen if order == "first" else seen.transpose(0, 3, 1, 2)
            found = _coarse(seen, size, np.float32)
            np.testing.assert_allclose(found, np.moveaxis(expected, (0, 1), (2, 3)), rtol=1e-5)
