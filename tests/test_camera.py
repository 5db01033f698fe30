"""The one-pixel camera: its pictures, what a trial returns, and what is drawn."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from wnlib import pictures
from wnlib.figures import camera
from wnlib.figures.camera import HORSE, SKY, SMALL
from wnlib.operators import haar

POINT = {"seed": 0, "sky": 0.0, "ratio": 0.0, "tol": 1e-3, "scale": 0.08}
FEW = {"fractions": [0.02, 0.04], "horse_fractions": [0.02], "tol": 0.1}
FEW |= {"small_fraction": 0.05, "ratios": [10.0]}


@pytest.fixture(scope="module")
def few():
    return camera.compute(**FEW)


def test_the_pictures_are_those_that_are_described():
    sky, horse = pictures.deep_field(), pictures.horse()
    assert sky.shape == (96, 96)
    assert 0 <= sky.min() < sky.max() <= 255
    np.testing.assert_allclose(9 * sky, np.rint(9 * sky), atol=1e-9)
    assert horse.shape == (128, 128)
    assert set(np.unique(horse)) == {0.0, 1.0}
    assert np.count_nonzero(haar(horse)) < 0.08 * horse.size


def test_other_pictures_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.npz"
    with np.load(pictures.LARGER) as file:
        np.savez(other, deep_field=file["deep_field"][::-1], horse=file["horse"])
    monkeypatch.setattr(pictures, "LARGER", other)
    with pytest.raises(ValueError, match="not the picture that came with wnlib"):
        pictures.deep_field()


def test_twenty_decibels_are_a_factor_of_ten():
    truth = np.array([[0.0, 4.0], [2.0, 1.0]])
    assert pictures.psnr(truth, truth) == np.inf
    assert pictures.psnr(truth + 0.4, truth) == pytest.approx(20)
    assert pictures.psnr(truth - 0.04, truth) == pytest.approx(40)
    assert pictures.psnr(3 * truth + 0.3, 3 * truth) == pytest.approx(20 * np.log10(40))
    with pytest.raises(ValueError, match=r"picture must have shape \(2, 2\)"):
        pictures.psnr(truth[0], truth)
    with pytest.raises(ValueError, match="truth is black"):
        pictures.psnr(truth, 0 * truth)


@pytest.mark.parametrize("scene", [SKY, SMALL, HORSE])
def test_a_picture_comes_back_from_what_is_sought(scene):
    picture = camera.truth(scene, 3.0)
    assert picture.max() == 1
    z = camera.unknowns(scene, picture)
    np.testing.assert_array_equal(camera.developed(scene, z), picture)
    A = camera.camera(scene, 0.1, 0)
    assert A.shape == (round(0.1 * picture.size), picture.size)
    np.testing.assert_allclose(A @ (A.T @ (A @ z)), A @ z, atol=1e-12)


def test_the_least_length_is_least_and_fits():
    picture, A = camera.truth(SKY, 0.0), camera.camera(SKY, 0.2, 1)
    shortest = camera.shortest(SKY, 0.0, 0.2, 1)
    np.testing.assert_allclose(A @ shortest.ravel(), A @ picture.ravel(), atol=1e-12)
    assert np.vdot(shortest, picture) == pytest.approx(np.vdot(shortest, shortest))


def test_a_horse_is_found_from_enough_numbers_and_not_from_few():
    enough, few = (camera.trial(scene=HORSE, fraction=f, **POINT) for f in (0.35, 0.1))
    assert enough["psnr"] > 40 > 20 > few["psnr"]
    assert enough["norm"] == pytest.approx(1, abs=1e-3)
    assert few["norm"] < 0.9
    assert few["shortest"] < few["psnr"]
    np.testing.assert_array_equal(enough["picture"].reshape(128, 128), pictures.horse())


def test_what_is_kept_are_levels(few):
    found = camera.row(few, scene=SKY, sky=0.0, fraction=0.04)
    assert found["picture"].shape == (96, 96)
    steps = camera.LEVELS * found["picture"]
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.1)
    assert pictures.psnr(found["picture"], camera.truth(SKY, 0.0)) == pytest.approx(
        found["psnr"], abs=0.1
    )
    with pytest.raises(ValueError, match="2 points have"):
        camera.row(few, scene=SMALL)


def test_a_picture_travels_as_a_text():
    picture = np.random.default_rng(0).integers(0, 256, (5, 5)) / 255
    text = json.loads(json.dumps(camera.packed(picture)))
    np.testing.assert_allclose(camera.unpacked(text), picture, atol=1e-15)
    np.testing.assert_array_equal(camera.unpacked(camera.packed(2 - picture)), 1)


def test_programs_are_judged_by_one_measure():
    for scene in SKY, HORSE:
        programs = camera.peers(scene)
        assert next(iter(programs)) == "wnlib"
        for row in programs.values():
            truth = camera.truth(scene, 0.0)
            assert row["picture"].shape == truth.shape
            seen = min(pictures.psnr(row["picture"], truth), camera.CEILING)
            assert seen == pytest.approx(row["psnr"], abs=1) or min(seen, row["psnr"]) > 45


def test_words_for_qualities():
    assert camera.decibels(33.333) == "33.3 dB"
    assert camera.decibels(camera.CEILING) == "exact"
    assert camera.proven(2e-10) == "gap < 10⁻⁹"
    assert camera.proven(0.0) == "gap < 10⁻¹⁵"
    assert camera.proven(np.nan) == camera.proven(2.0) == "unproven"


def test_the_figures_draw_the_data(few):
    fig, ax = plt.subplots()
    camera.draw(ax, few, 3.0)
    for line, (level, name) in zip(
        ax.lines, [(3.0, "psnr"), (3.0, "shortest"), (0.0, "psnr"), (0.0, "shortest")], strict=True
    ):
        np.testing.assert_array_equal(line.get_ydata(), few.where(scene=SKY, sky=level)[name])
    plt.close(fig)
    figure, text = camera.page(few, 0.02, 0)
    assert "dB" in text and "gap" in text
    shown = figure.axes[1].images[0].get_array()
    found = camera.row(few, scene=HORSE)["picture"]
    np.testing.assert_allclose(shown, 1 - found)


def test_a_gallery_holds_any_number_of_pictures():
    figure = plt.figure()
    camera.gallery(figure, dict.fromkeys("abc", np.eye(3)))
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", ""]
    plt.close(figure)


def test_the_sky_must_be_positive():
    with pytest.raises(ValueError, match="sky must be positive"):
        camera.grid(sky=0.0)
