"""A reader changes a number and runs the chapter again: it must run to the end.

What the text claims of its numbers is printed by `holds`, which says if it is not so any more.
"""

import ast
import warnings

import matplotlib
import pytest
import twins

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CHAPTERS = {path.stem: path for path in twins.chapters()}

# Three changes for each chapter, of a seed, a scale, a ratio, a depth, a size: small, so that a
# rerun takes seconds.
SMALL = {"starts": 2, "n_steps": 300, "per_decade": 2, "n_problems": 1, "n_features": 50}
FEW = SMALL | {"explorer_scales": (0.1, 1.0), "explorer_ratios": (0.1, 1.0)}
FEW_SIGNED = SMALL | {"slider_scales": (0.1, 0.3), "slider_depths": (2, 3)}
QUICK = {
    "explorer_depths": (2, 3),
    "explorer_factors": (1.5,),
    "n_scales": 4,
    "survival_depths": (2, 3),
    "survival_measurements": (10, 20),
    "draws": 2,
}
TINY = {
    "n_draws": 1,
    "n_measurements": 10,
    "n_features": 20,
    "sparsity": 2,
    "n_scales": 3,
    "n_steps": 200,
    "depths": (2, 3),
    "sharp_scales": 5,
    "n_small": 1,
    "lengths": (0.8, 1.3, 1.6),
    "price_ratios": (2.0,),
}
RACE = {
    "n_draws": 1,
    "n_measurements": 10,
    "n_features": 20,
    "sparsity": 2,
    "scales": (1e-4, 0.1),
    "scales_deep": (0.1,),
    "scales_wn": (0.1,),
    "ratios": (0.5,),
    "steps": (0.1,),
    "n_steps": 200,
}
SMALL_RATIOS = {
    "n_measurements": 10,
    "n_features": 20,
    "sparsity": 2,
    "ratios": (0.1, 1, 10),
    "counts": (200, 400),
    "n_problems": 1,
}
CHANGES = {
    "cost": [
        {"accuracy": 1e-3, "accuracies": [0.3], "least": 1, "workers": []},
        {"accuracy": 1e-14, "accuracies": [1e-9, 1e-14], "least": 10**6, "block": 1},
        {"n_problems": 10, "block": 10**6, "workers": [1, 10**6]},
    ],
    "sparsity": [
        {"n_draws": 1, "sparsities": [2, 30], "n_steps": 500, "slider_sparsities": [3], "seed": 4},
        {"n_draws": 2, "sparsities": [1, 3, 8], "n_features": 20, "n_measurements": 8}
        | {"n_steps": 300, "slider_sparsities": [1, 9], "ratio": 100.0},
        {"n_draws": 1, "sparsities": [4], "scale": 3.0, "step": 5.0, "n_steps": 50}
        | {"slider_sparsities": [4]},
    ],
    "l1_solver": [
        {"seed": 3, "n_measurements": 12, "n_features": 20, "sparsity": 5, "depths": (3, 5)}
        | {"ratios": (1.0,), "walked": (5, 9, 2, 0), "deltas": (0.1, 1e-3), "path_depths": (2.5,)},
        {"beta": 2.0, "ratio": 100.0, "t_end": 1e-3, "columns": [1.0, -0.5, 0.2], "depth": 3}
        | {"depths": (4, 8), "small": (3, 6, 1, 2), "walked": (4, 8, 4, 1), "noise": 0.0},
        {"small": (8, 9, 4, 0), "depth": 2.2, "ratios": (0.01, 300.0), "depths": (8, 100)}
        | {"walked": (6, 6, 3, 0), "deltas": (10.0, 1e-9), "threads": "default", "noise": 30.0},
    ],
    "camera": [
        {"seed": 3, "fractions": [0.05, 0.1], "shown": 0.1, "horse_fractions": [0.05]}
        | {"tol": 0.05, "ratios": [1.0], "small_fraction": 0.1},
        {"fractions": [0.02], "horse_fractions": [0.03], "sky": 10.0, "tol": 0.1}
        | {"ratios": [], "small_fraction": 0.05},
        {"fractions": [0.03, 0.04, 0.05], "horse_fractions": [0.5], "tol": 0.2}
        | {"ratios": [10.0, 100.0], "scale": 1.0, "small_fraction": 0.1},
    ],
    "hubble": [
        {"fractions": [0.03, 0.05], "noisy_fractions": [], "n_steps": 50, "seed": 3},
        {"fractions": [0.04], "noisy_fractions": [0.04], "n_steps": 20, "sky": 20.0, "ratio": 10.0},
        {"fractions": [0.05], "noisy_fractions": [0.02], "n_steps": 20, "step": 5.0, "scale": 0.5}
        | {"n_draws": 2, "sky": 0.5},
    ],
    "speed": [
        RACE,
        RACE | {"seed": 3, "n_draws": 2, "ratios": (0.2, 5.0), "shared": 0.3},
        RACE | {"sparsity": 15, "scales": (1e-8, 1e-6, 1e-4, 1e-2, 3.0), "steps": (0.01, 2.0)},
    ],
    "figure_4": [
        TINY | {"seed": 3},
        TINY | {"depths": (2.5, 4), "ratio": 5.0, "small_depths": (2.5, 4)},
        TINY | {"n_measurements": 8, "sparsity": 6, "n_scales": 2, "price_depths": (4,)},
    ],
    "reach": [
        {
            "shapes": [(6, 14, 1)],
            "matrices": ["gaussian", "dct"],
            "steps": [0.01],
            "n_steps": 200,
            "seed": 5,
        },
        {
            "shapes": [(8, 20, 9)],
            "matrices": ["correlated"],
            "signals": ["signed"],
            "steps": [0.3, 0.01],
            "n_steps": 100,
            "ratios": [0.5, 0.05],
        },
        {
            "shapes": [(12, 16, 2)],
            "matrices": ["rademacher"],
            "signals": ["uniform"],
            "steps": [0.02],
            "n_steps": 50,
            "scale": 1.0,
            "ratios": [100.0, 10.0, 3.0],
        },
    ],
    "phase_transition": [
        {"n_features": 16, "n_draws": 2, "n_slice": 3, "deltas": [0.25, 0.5], "shares": [0.3, 0.6]},
        {
            "n_features": 12,
            "n_draws": 2,
            "ratios": [10.0],
            "deltas": [0.3, 0.8],
            "shares": [0.5],
            "scale": 0.5,
            "seed": 3,
        },
        {
            "n_features": 10,
            "n_draws": 1,
            "n_slice": 1,
            "deltas": [0.5, 0.9],
            "shares": [0.2, 1.0],
            "ratios": [1.0, 0.1, 0.03, 0.01],
            "tolerances": [1e-4],
        },
    ],
    "index": [
        {"seed": 7},
        {"ratio": 10.0, "scale": 0.3},
        {"depth": 3, "sparsity": 2, "n_features": 30, "n_measurements": 12},
    ],
    "introduction": [
        {"ratio": 0.001},
        {"depth": 3, "scale": 0.3},
        {"n_measurements": 4, "n_features": 9, "sparsity": 3, "scale": 0.001, "depth": 4},
    ],
    "checked": [
        {"n_steps": 300, "samples": 3, "label": "prop-plain-descent", "ratio": 10.0, "seed": 5},
        {
            "n_steps": 300,
            "samples": 3,
            "label": "prop-lp-certificate",
            "max_steps": 500,
            "depth": 3,
        },
        {"n_steps": 300, "samples": 3, "label": "prop-lp-certificate", "ratio": 10.0, "scale": 1.0},
    ],
    "sparse_recovery": [
        {"seed": 7, "signed": True, "draws": 2, "sparsities": [4, 13, 22]},
        {"sparsity": 60, "draws": 1, "sparsities": [5, 45, 120], "case_sparsities": [41]},
        {"n_measurements": 12, "n_features": 10, "sparsity": 10, "draws": 1, "sparsities": [40]},
    ],
    "polar": [
        {"seed": 2, "trap_scale": 0.1, "trap_ratio": 1.0, "ratios": [0.01], "n_times": 40},
        {"depth": 2.5, "start": [0.5, 2.0], "ratios": [], "trap_ratio": 0.02, "n_times": 40},
        {"trap_ratio": 0.001, "delta": 1e-3, "ratios": [10.0, 1e-3], "start": [1.5, 2.0]},
    ],
    "plain_flow": [
        {"seed": 7, "depth": 3},
        {"scale": 1.0, "depth": 2.5, "start": (1.0, 2.0)},
        {"row": (2.0, 3.0), "n_measurements": 4, "n_features": 9, "sparsity": 2, "t_end": 10.0},
    ],
    "plain_sparsity": [
        {"depths": (2, 4), "n_problems": 1, "n_scales": 3},
        {
            "sparsity": 12,
            "n_measurements": 14,
            "n_features": 24,
            "n_problems": 1,
            "n_scales": 3,
            "lean": 0.9,
            "lopsided": 0.2,
        },
        {
            "depths": (2,),
            "n_problems": 1,
            "n_scales": 2,
            "n_measurements": 3,
            "n_features": 4,
            "sparsity": 3,
        },
    ],
    "figure_1": [
        FEW | {"seed": 7},
        FEW | {"ratio": 1.0, "depth": 3},
        FEW | {"n_measurements": 12, "n_features": 30, "sparsity": 8, "scale": 0.3},
    ],
    "figure_5": [
        FEW_SIGNED | {"seed": 7},
        FEW_SIGNED | {"ratio": 1.0, "depth": 3},
        FEW_SIGNED | {"n_measurements": 12, "n_features": 30, "sparsity": 8, "scale": 0.3},
    ],
    "figure_3": [
        SMALL_RATIOS | {"seed": 7, "scales": (0.05,), "counts": (100, 300)},
        SMALL_RATIOS | {"depth": 3, "scales": (0.2, 0.9), "counts": (200,), "ratios": (0.05, 2)},
        SMALL_RATIOS | {"sparsity": 9, "starts": 2, "twin_ratios": (30.0,), "n_problems": 2},
    ],
    "figure_2": [
        {"n_steps": 500, "n_steps_wn": 300, "seed": 7, "starts": 2},
        {
            "n_steps": 500,
            "n_steps_wn": 300,
            "ratio": 1.0,
            "depth": 3,
            "scale": 0.5,
            "starts": 3,
            "step": 0.02,
        },
        {
            "n_steps": 500,
            "n_steps_wn": 300,
            "n_measurements": 12,
            "n_features": 30,
            "sparsity": 8,
            "drift_time": 5,
            "starts": 1,
        },
    ],
    "on_the_way": [
        {"second": 0.8, "n_draws": 1, "ratios": [0.1, 0.05], "explorer_ratios": (0.1,), "seed": 3},
        {
            "second": 0.3,
            "two_start": 0.3,
            "sparsities": [2],
            "n_draws": 1,
            "ratios": [0.05],
            "shown_ratio": 1.0,
            "explorer_ratios": (1.0, 0.3),
            "drawn": 4,
            "drawn_sparsity": 8,
        },
        {
            "n_measurements": 6,
            "n_features": 10,
            "sparsities": [2],
            "n_draws": 2,
            "ratios": [1.0, 0.1],
            "start": 0.3,
            "explorer_ratios": (0.2, 0.1),
        },
    ],
    "exact_limits": [
        {"depth": 3, "seed": 1},
        {"row": (1.0, -1.0), "start": (0.1, 0.4), "ratios": (0.1, 10.0)},
        {"signed": False, "sparsity": 8, "scale": 2.0, "ratio": 100.0, "depth": 3},
    ],
    "potential": [
        {"depths": (2.5,), "ratios": (0.01, 1.0), "n_points": 41, "start": [0.5, 0.1]},
        {"columns": [1.0, -1.0], "n_points": 41, "depths": (2, 4), "t_end": 100.0},
        {"columns": [2.0, 3.0], "n_points": 41, "ratios": (0.1,)},
    ],
    "convergence": [
        {
            "columns": [1.0, 0.5],
            "depth": 3,
            "ratios": (0.1, 1.0),
            "seed": 7,
            "scale": 0.1,
            "triangle_ratios": (1.0, 0.2),
        },
        {
            "triangle_columns": [1.0, 0.85, -0.7],
            "start": [0.3, 0.9],
            "depth": 3,
            "ratios": (0.3, 5.0),
            "ratio": 2.0,
            "random_depths": (4,),
            "t_end": 100.0,
        },
        {
            "start": [0.01, 0.4],
            "ratios": (5.0,),
            "seed": 3,
            "n_measurements": 4,
            "sparsity": 1,
            "triangle_start": [2.0, 0.1, 0.1],
            "triangle_ratios": (0.01,),
        },
    ],
    "rates": [
        {"seed": 3, "explorer_depths": (2, 3), "power_depths": (2.5,), "rate_depths": (2,)},
        {
            "depth": 3,
            "ratio": 5.0,
            "start": (1.0, 0.1),
            "explorer_depths": (2, 4),
            "power_depths": (3,),
            "rate_depths": (4,),
            "t_end": 1e6,
        },
        {
            "many": 4,
            "wide": 12,
            "few": 3,
            "scale": 2.0,
            "explorer_depths": (2, 5),
            "power_depths": (2, 5),
            "rate_depths": (2.1,),
            "tolerance": 1e-3,
        },
    ],
    "magnification": [
        {
            "seed": 9,
            "depths": (2.5,),
            "n_ratios": 3,
            "n_random": 20,
            "n_measured": 5,
            "mean_depth": 3.0,
        },
        {"scale": 2.0, "n_ratios": 2, "n_random": 10, "n_measured": 3, "max_steps": 50},
        {
            "seed": 2,
            "n_measurements": 5,
            "n_features": 8,
            "sparsity": 4,
            "n_ratios": 2,
            "n_random": 1,
            "n_measured": 1,
        },
    ],
    "robustness": [
        {
            "n_measurements": 10,
            "n_features": 30,
            "sparsity": 3,
            "seed": 7,
            "depths": (2.5,),
            "ratios": (1.0, 0.05),
            "n_lengths": 6,
            "n_problems": 1,
            "slider_lengths": (0.5, 1.5),
        },
        {
            "n_measurements": 12,
            "n_features": 30,
            "sparsity": 4,
            "n_lengths": 5,
            "depths": (4,),
            "ratios": (10.0,),
            "n_problems": 1,
            "lengths": (0.5, 1.5, 3.0),
            "slider_lengths": (1.0, 4.0),
        },
        {
            "n_measurements": 8,
            "n_features": 30,
            "sparsity": 8,
            "n_lengths": 4,
            "ratios": (0.01,),
            "n_problems": 1,
            "small_ratio": 10.0,
            "slider_lengths": (0.01, 1.0),
        },
    ],
    "stalls": [
        {
            "stall_ratios": (1.0,),
            "depths": (4,),
            "costs": (0.5, 3.0),
            "n_problems": 1,
            "n_slanted": 5,
            "seed": 7,
            "n_grid": 10,
            "every": 3,
            "n_ratios": 2,
            "n_trained": 2,
        },
        {
            "stall_ratios": (0.2,),
            "depths": (2.2,),
            "costs": (1.0, 100.0),
            "n_problems": 1,
            "edges": (1.0, 10.0),
            "n_slanted": 3,
            "n_grid": 6,
            "every": 9,
            "n_ratios": 2,
            "n_trained": 1,
            "max_steps": 20,
        },
        {
            "depths": (2,),
            "costs": (0.001, 1.0),
            "n_problems": 2,
            "edges": (0.01,),
            "n_slanted": 1,
            "n_grid": 8,
            "every": 3,
            "n_ratios": 3,
            "n_trained": 2,
        },
    ],
    "shape": [
        QUICK | {"columns": (1.0, 0.9, 0.5), "factor": 5.0, "depths": (2, 4), "seed": 7},
        QUICK
        | {"depths": (3.5,), "trained_scale": 0.1, "approach_depths": (2.2, 6), "factor": 0.3}
        | {"tie_depths": (2.2,)},
        QUICK
        | {
            "n_measurements": 6,
            "n_features": 7,
            "sparsity": 5,
            "unevenness": 1.0,
            "survival_measurements": (2, 13),
            "survival_size": (12, 11),
            "columns": (0.5, 2.0, 1.0),
        },
    ],
    "finite_steps": [
        {
            "start": [0.3, 0.2],
            "depth": 3,
            "steps": [0.2, 2.0],
            "slider_steps": [0.1, 3.0],
            "seed": 4,
            "n_draws": 1,
            "depths": (2.5,),
            "robust_steps": [0.1],
            "n_steps": 500,
        },
        {
            "columns": [1.0, -0.5],
            "steps": [50.0],
            "slider_steps": [0.1, 0.5],
            "ratio": 10.0,
            "scale": 1.5,
            "n_draws": 1,
            "depths": (4,),
            "robust_scales": [0.1, 0.2],
            "robust_steps": [2.0],
            "robust_time": 20,
            "help_steps": [5.0],
            "n_steps": 300,
        },
        {
            "n_measurements": 3,
            "n_features": 8,
            "sparsity": 1,
            "small_ratio": 0.01,
            "slider_steps": [0.1, 0.5],
            "share_steps": [0.1, 1.5],
            "n_draws": 2,
            "depths": (2,),
            "robust_steps": [0.05, 0.2],
            "robust_time": 40,
            "n_steps": 1000,
        },
    ],
    "lasso_path": [
        {
            "n_measurements": 5,
            "n_features": 9,
            "sparsity": 5,
            "seed": 3,
            "start": 5.0,
            "ratios": (1.0,),
            "deep_ratios": (1.0,),
            "deep": 4,
            "t_end": 30.0,
            "t_deep": 10.0,
            "shown": (0.5, 0.2),
            "noise": 0.0,
        },
        {
            "start": 1e-4,
            "ratio": 1.0,
            "ratios": (10.0, 0.5),
            "deep_ratios": (),
            "t_end": 1e4,
            "t_deep": 1e3,
            "shown": (0.9, 0.1),
            "noise": 1.0,
            "noisy": (20, 30, 3),
            "held_out": 5,
        },
        {
            "start": 50.0,
            "ratios": (0.1,),
            "deep": 2.5,
            "deep_ratios": (0.5,),
            "t_end": 1e3,
            "t_deep": 1e3,
            "shown": (1.0, 0.01),
            "columns": [[1.0, -2.0, -3.0]],
            "signal": [1.0, 0.0, 0.0],
        },
    ],
    "schedules": [
        {"seed": 7, "ratio": 0.5, "target": 2.0, "depths": (2.5,), "powers": (0.5, 2.0)},
        {
            "start_cured": (2.0, 0.5),
            "start": (1.5, 1.2),
            "waves": 0.0,
            "powers": (1.0, 3.0),
            "n_starts": 2,
            "n_targets": 3,
            "length": 0.5,
        },
        {
            "n_measurements": 4,
            "n_features": 6,
            "sparsity": 4,
            "depths": (4,),
            "powers": (0.1, 10.0),
            "n_starts": 2,
            "n_targets": 4,
        },
    ],
    "ledger": [
        {
            "samples": 1,
            "seed": 7,
            "n_starts": 3,
            "labels": ["prop-plain-descent", "prop-stall"],
            "attacked": ["prop-stall"],
            "budget": 3,
        },
        {
            "samples": 2,
            "label": "thm-magnification",
            "problem_seed": 5,
            "n_starts": 4,
            "labels": ["prop-lp-certificate"],
            "attacked": ["thm-plain-l1"],
            "budget": 0,
        },
        {
            "samples": 1,
            "label": "prop-stall",
            "n_starts": 1,
            "labels": ["lem-rescaled-rate"],
            "attacked": ["lem-rescaled-rate"],
        },
    ],
    "notation": [
        {"seed": 7, "n_features": 30, "n_measurements": 10, "starts": 1, "depth": 2},
        {"depth": 2.5, "ratio": 5.0, "scale": 2.0, "sparsity": 60, "n_steps": 20, "step": 0.5},
        {"n_measurements": 5, "n_features": 6, "sparsity": 1, "depth": 6, "ratio": 0.01},
    ],
}


def code_cells(chapter):
    return [cell for cell in twins.read(CHAPTERS[chapter]).cells if cell.cell_type == "code"]


def is_settings(cell):
    return "settings" in cell.metadata.get("tags", [])


def literals(cell):
    """Return what a cell of settings assigns, by name; an error if it does more than that."""
    assigned = {}
    for line in ast.parse(cell.source).body:
        assert isinstance(line, ast.Assign), ast.unparse(line)
        values = ast.literal_eval(line.value)
        (target,) = line.targets
        names = [name.id for name in getattr(target, "elts", [target])]
        assigned |= dict(zip(names, values if len(names) > 1 else [values], strict=True))
    return assigned


def rerun(chapter, changed):
    """Run a chapter with some of its settings changed."""
    space, left = {"__name__": "__main__"}, dict(changed)
    plt.close("all")  # what other tests have left open
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")  # a reader sees these and goes on
        for cell in code_cells(chapter):
            exec(compile(cell.source, chapter, "exec"), space)
            if is_settings(cell):
                space |= {name: left.pop(name) for name in literals(cell) if name in left}
            for number in plt.get_fignums():
                box = plt.figure(number).get_tightbbox()
                assert max(box.size) < 100, "a notebook would save a picture of so many inches"
            plt.close("all")
    assert not left, f"no settings of {chapter}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_begins_with_its_settings(chapter):
    first = code_cells(chapter)[0]
    assert is_settings(first) and literals(first)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_cell_asserts(chapter):
    """An assertion would end a changed notebook where `holds` says what is no longer so."""
    for cell in code_cells(chapter):
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(cell.source)))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_long_code_is_folded(chapter):
    """It never stands between a reader and the next sentence."""
    folded = {"hide-input", "hide-cell", "remove-cell", "settings"}
    for cell in code_cells(chapter):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 12 or folded & set(cell.metadata.get("tags", [])), cell.source


def test_each_chapter_is_rerun():
    assert CHANGES.keys() == CHAPTERS.keys()
    assert all(len(changes) == 3 for changes in CHANGES.values())


@pytest.mark.parametrize(
    ("chapter", "changed"),
    [(chapter, changed) for chapter in CHANGES for changed in CHANGES[chapter]],
    ids=str,
)
def test_a_changed_chapter_runs_to_the_end(chapter, changed):
    rerun(chapter, changed)
