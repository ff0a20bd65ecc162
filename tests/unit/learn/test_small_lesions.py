"""Small lesions that training puts into crops."""

import torch

from msnode.learn.synth.small_lesions import CHANCE, CONTRAST, MIDDLE, put_in

LESION = 1


def crops(count: int = 200, room: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Even tissue, of which the left half of each crop has room."""
    images = torch.ones(count, 4, 40, 40)
    images[:, CONTRAST] = 0
    free = torch.zeros(count, 40, 40, dtype=torch.bool)
    free[:, :, :20] = room
    return images, torch.zeros(count, 40, 40, dtype=torch.uint8), free


def test_they_are_bright_labelled_and_where_there_is_room() -> None:
    torch.manual_seed(0)
    images, labels, room = crops()
    changed, taught = put_in(images, labels, room, LESION)
    lesion = taught == LESION
    assert 0.6 * CHANCE < lesion.flatten(1).any(1).float().mean() < 1.4 * CHANCE
    assert (changed[:, MIDDLE][lesion] > 1.05).all()
    assert (changed[:, CONTRAST][lesion] > 0.05).all(), "the local contrast follows"
    assert not lesion[..., 27:].any(), "middles lie in the left half, 5 pixels reach beyond it"
    assert torch.equal(images, crops()[0]), "the pool's own slices stay"
    neighbours = changed[:, [MIDDLE - 1, MIDDLE + 1]]
    assert (neighbours <= changed[:, MIDDLE, None] + 1e-6).all(), "brightest in its own slice"


def test_what_is_outlined_keeps_its_label() -> None:
    torch.manual_seed(0)
    images, labels, room = crops()
    labels[:] = 2
    assert torch.equal(put_in(images, labels, room, LESION)[1], labels)


def test_without_room_nothing_changes() -> None:
    torch.manual_seed(0)
    images, labels, room = crops(room=False)
    changed, taught = put_in(images, labels, room, LESION)
    assert torch.equal(changed, images)
    assert torch.equal(taught, labels)
