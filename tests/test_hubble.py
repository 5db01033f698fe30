"""The picture of galaxies: that it is the one, and what is made of it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from wnlib import pictures
from wnlib.figures import hubble
from wnlib.pictures import above_sky

FEW = {"fractions": [0.03, 0.05], "noisy_fractions": [0.03], "n_steps": 20}


@pytest.fixture(scope="module")
def few():
    return hubble.compute(**FEW)


def test_the_picture_is_grey_and_square():
    picture = pictures.hubble()
    assert picture.shape == (32, 32)
    assert 0 <= picture.min() < picture.max() <= 255


def test_another_picture_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.txt"
    other.write_text(pictures.FILE.read_text().replace("0", "1", 1))
    monkeypatch.setattr(pictures, "FILE", other)
    with pytest.raises(ValueError, match="not the picture that came with wnlib"):
        pictures.hubble()


def test_what_stands_out_from_the_sky_is_sparser_the_higher_the_sky():
    picture = pictures.hubble()
    counts = [np.count_nonzero(above_sky(picture, sky)) for sky in (0, 1, 3)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == pytest.approx(picture.size / 2, rel=0.05)
    assert above_sky(picture, 3).max() == 1
    assert above_sky(picture, 3).min() == 0


@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_the_unit_of_brightness_does_not_matter(factor):
    picture = pictures.hubble()
    np.testing.assert_allclose(above_sky(factor * picture, 3), above_sky(picture, 3), atol=1e-12)


def test_the_sky_is_measured_in_its_standard_deviations():
    noise = np.random.default_rng(0).normal(7.0, 3.0, (200, 200))
    for sky, share in ((1, 0.1587), (2, 0.0228)):
        assert np.mean(above_sky(noise, sky) > 0) == pytest.approx(share, rel=0.1)


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="lower sky"):
        above_sky(np.ones((4, 4)), 3)
    with pytest.raises(ValueError, match="sky must be nonnegative"):
        above_sky(pictures.hubble(), -1.0)
    with pytest.raises(ValueError, match="picture holds NaN"):
        above_sky(np.full((4, 4), np.nan), 3)


def test_a_problem_measures_the_picture():
    problem = hubble.problem(0.1, 3.0, 0, 0)
    assert problem.A.shape == (102, 1024)
    np.testing.assert_array_equal(problem.A @ problem.signal, problem.b)


def test_every_method_reconstructs(few):
    truth = above_sky(pictures.hubble(), 3.0)
    for method in hubble.METHODS:
        z = hubble.reconstructed(few, 0.05, method)
        assert (z >= 0).all()
        error = np.linalg.norm(z - truth) / np.linalg.norm(truth)
        assert hubble.error_at(few, 0.05, method) == pytest.approx(error, abs=0.01)


def test_the_noise_of_the_sky_is_left_in_without_pictures_and_steps(few):
    noisy = few.where(sky=0.0)
    assert not noisy["picture"].any()
    assert set(noisy["method"]) == set(hubble.METHODS) - {hubble.STEPS}
    with pytest.raises(ValueError, match="sky must be positive"):
        hubble.grid(sky=0.0)


def test_the_figures_draw_the_data(few):
    fig, ax = plt.subplots()
    hubble.draw(ax, few, 3.0)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), hubble.errors(few, 3.0, "GD")[:, 0])
    figure, text = hubble.page(few, 0.05, 3.0)
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, hubble.reconstructed(few, 0.05, "GD"))
    assert "WN-GD" in text
    plt.close(fig)
