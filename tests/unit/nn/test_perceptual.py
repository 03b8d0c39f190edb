"""Promises of VGG-19, of the file that it takes weights from, and of the encoder that learns to predict labels."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from glioforge.core.errors import InputFileError
from glioforge.nn import perceptual
from glioforge.nn.perceptual import LabelEncoder, LabelReader, Vgg19, read_vgg19

GROUPS = ((2, 64), (2, 128), (4, 256), (4, 512), (2, 512))
PLACES = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30)
"""Places of the convolutions in torchvision's `features`."""


@pytest.fixture
def thin(monkeypatch):
    """VGG-19 at a hundredth of its size, for tests that read and write files."""
    monkeypatch.setattr(perceptual, "_GROUPS", tuple((n, width // 32) for n, width in perceptual._GROUPS))


def state():
    """Weights by torchvision's names, the classifier's with them."""
    torch.manual_seed(1)
    drawn = {name: torch.randn_like(value) for name, value in Vgg19().state_dict().items()}
    return {**drawn, "features.34.weight": torch.zeros(3), "classifier.0.weight": torch.zeros(2, 2)}


def test_layers_are_those_of_table_1_column_e():
    """Names, shapes and number of the parameters up to conv5_2, counted from the paper's table."""
    with torch.device("meta"):
        network = Vgg19()
    widths = [3, *(width for count, width in GROUPS for _ in range(count))]
    shapes = {f"features.{n}.weight": (b, a, 3, 3) for n, a, b in zip(PLACES, widths, widths[1:], strict=False)}
    shapes |= {f"features.{n}.bias": (b,) for n, b in zip(PLACES, widths[1:], strict=True)}
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == shapes
    assert sum(p.numel() for p in network.parameters()) == 15_304_768
    assert not any(p.requires_grad for p in network.parameters())


def test_features_are_taken_after_the_second_relu_of_each_group(thin):
    """By hand for the first two groups: the gray image three times, ImageNet's mean and deviation, no clipping."""
    network = Vgg19()
    image = torch.randn(2, 1, 20, 18)
    made = network(image)
    assert [tuple(f.shape[1:]) for f in made] == [(2, 20, 18), (4, 10, 9), (8, 5, 4), (16, 2, 2), (16, 1, 1)]
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = ((image + 3) / 8).expand(-1, 3, -1, -1)
    convolutions = [layer for layer in network.features if isinstance(layer, torch.nn.Conv2d)]
    x = functional.relu(convolutions[1](functional.relu(convolutions[0]((x - mean) / deviation))))
    torch.testing.assert_close(made[0], x)
    x = functional.max_pool2d(x, 2)
    torch.testing.assert_close(made[1], functional.relu(convolutions[3](functional.relu(convolutions[2](x)))))


def test_gradients_reach_the_image_and_one_voxel_is_enough(thin):
    """A loss can be taken on any grid."""
    torch.manual_seed(2)
    network = Vgg19()
    for grid in ((1, 1), (1, 9), (33, 17)):
        image = torch.randn(4, 1, *grid, requires_grad=True)
        sum(f.square().sum() for f in network(image)).backward()
        assert torch.isfinite(image.grad).all()
        assert image.grad.any()


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
def test_weights_are_read_from_either_kind_of_file(thin, tmp_path, form):
    """The same network; the name holds the file's SHA-256; half precision and other entries are taken."""
    path, tensors = tmp_path / "vgg", state()
    tensors["features.0.bias"] = tensors["features.0.bias"].half()
    if form == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=form == "zip")
    network, name = read_vgg19(path)
    assert name == "vgg19:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(network.state_dict()["features.30.weight"], tensors["features.30.weight"])
    assert not any(p.requires_grad for p in network.parameters())


def test_other_files_are_refused_with_what_is_wrong(thin, tmp_path):
    """Missing, truncated, hostile, of another network, of other shapes, or with NaN."""
    path, good = tmp_path / "vgg.pth", state()

    def refused(tensors, message):
        torch.save(tensors, path)
        with pytest.raises(InputFileError, match=message):
            read_vgg19(path)

    with pytest.raises(InputFileError, match="cannot read the file"):
        read_vgg19(path)
    refused({"a": torch.zeros(1)}, r"no features\.0\.weight, features\.0\.bias, .*28 of 28 tensors missing")
    refused({**good, "features.2.bias": "text"}, r"no features\.2\.bias \(1 of 28")
    refused([torch.zeros(1)], "a list; expected a state dictionary")
    refused({**good, "features.7.weight": torch.zeros(1, 2, 3, 3)}, r"features\.7\.weight of shape \(1, 2, 3, 3\)")
    refused({**good, "features.7.bias": torch.full((4,), torch.nan)}, r"features\.7\.bias with NaN or infinity")
    refused(Vgg19(), "neither safetensors nor a state dictionary of tensors")
    for data in (b"", b"12345678{", b"PK\x03\x04 cut short", path.read_bytes()[:500]):
        path.write_bytes(data)
        with pytest.raises(InputFileError, match="neither safetensors nor a state dictionary of tensors"):
            read_vgg19(path)


@pytest.mark.parametrize(("dims", "grid"), [(2, (13, 8)), (2, (1, 1)), (3, (5, 8, 7))])
def test_any_grid_comes_back_and_every_parameter_learns(dims, grid):
    """Logits on the image's grid."""
    torch.manual_seed(0)
    reader = LabelReader(7, (4, 6, 8), dims=dims)
    logits = reader(torch.randn(2, 1, *grid))
    assert logits.shape == (2, 7, *grid)
    logits.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in reader.parameters())


def test_features_halve_from_level_to_level_and_tell_brightness():
    """A brighter image has other features: nothing normalises it away."""
    torch.manual_seed(0)
    encoder = LabelEncoder((4, 6, 8), dims=2)
    image = torch.randn(1, 1, 16, 8)
    found = encoder(image)
    assert [tuple(f.shape) for f in found] == [(1, 4, 16, 8), (1, 6, 8, 4), (1, 8, 4, 2)]
    assert encoder.layers == ("level1", "level2", "level3")
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(found, encoder(image + 1), strict=True))


def test_it_learns_to_tell_labels_by_brightness():
    """Two classes of two brightnesses, in sixty steps."""
    torch.manual_seed(0)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:12, 3:9] = 1
    image = (2.0 * labels - 1)[:, None] + 0.2 * torch.randn(2, 1, 16, 16)
    reader = LabelReader(2, (4, 8, 8), dims=2)
    optimizer = torch.optim.Adam(reader.parameters(), 1e-2)
    for _ in range(60):
        loss = functional.cross_entropy(reader(image), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((reader(image).argmax(1) == labels).float().mean()) > 0.98
