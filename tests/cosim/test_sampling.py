"""The sample is spread as evenly as it can be, and is what it says it is."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snncircuit.cosim.sampling import STRATA, choose_images, sample, strata

COUNTS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=4)


def drawn_counts(shapes: list[tuple[int, int, int]], n_images: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        f"fc{k}": random.integers(0, most + 1, (n_images, neurons)).astype(float)
        for k, (_, neurons, most) in enumerate(shapes)
    }


@given(COUNTS, st.integers(1, 4), st.integers(1, 60), st.integers(0, 5))
def test_a_sample_is_of_the_run_and_even_over_layers_and_activity(
    shapes: list[tuple[int, int, int]], n_images: int, n: int, seed: int
) -> None:
    counts = drawn_counts(shapes, n_images, seed)
    images = tuple(range(3, 3 + 2 * n_images, 2))
    places = sample(counts, images, n, seed)
    assert len({(p.layer, p.index, p.image) for p in places}) == len(places)
    assert len(places) == min(n, sum(c.size for c in counts.values()))
    for place in places:
        assert place.spikes == counts[place.layer][images.index(place.image), place.index]
        assert (place.stratum == "silent") == (place.spikes == 0)
    assert sample(counts, images, n, seed) == places

    taken = Counter(p.layer for p in places)
    most = max(taken.values())
    for layer, count in counts.items():
        assert taken[layer] >= min(most - 1, count.size)
        which = Counter(STRATA[s] for s in strata(count, np.random.default_rng(0)).ravel())
        own = Counter(p.stratum for p in places if p.layer == layer)
        for stratum, members in which.items():
            assert own[stratum] >= min(max(own.values(), default=0) - 1, members)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(0, 5))
def test_strata_are_the_silent_ones_and_three_equal_parts_in_order(spikes: list[int], seed: int) -> None:
    counts = np.array([spikes], dtype=float)
    which = strata(counts, np.random.default_rng(seed))
    assert which.shape == counts.shape
    parts = [counts[which == s] for s in range(len(STRATA))]
    assert (parts[0] == 0).all()
    sizes = [part.size for part in parts[1:]]
    assert max(sizes) - min(sizes) <= 1
    for lower, upper in pairwise([part for part in parts if part.size]):
        assert lower.max() <= upper.min()


@pytest.mark.parametrize(("existing", "wanted"), [(100, 8), (3, 8), (1, 1)])
def test_images_are_drawn_once_and_repeat_with_their_seed(existing: int, wanted: int) -> None:
    images = choose_images(existing, wanted, 5)
    assert len(set(images)) == len(images) == min(existing, wanted)
    assert set(images) <= set(range(existing))
    assert list(images) == sorted(images)
    assert choose_images(existing, wanted, 5) == images
    assert existing < 10 or choose_images(existing, wanted, 6) != images
