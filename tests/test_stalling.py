"""Whether a start stalls: against trained weights, at the boundary, by proofs, and in threads."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import linprog
from threadpoolctl import threadpool_info

import wnlib as wn
from wnlib.roads import _stalling


def trained(flow, problem, x0):
    """Tell whether the radius vanishes: ``(r^2, log u)`` by LSODA in the clock ``dC = r^L dt``.

    It knows nothing of mirror maps, and ends where ``|A x^L - b|^2 < 0.9 |b|^2``, too.
    """
    L, A, b = flow.depth, problem.network_matrix, problem.b
    r = np.linalg.norm(x0)

    def misfit(state):
        u = np.exp(state[1:] - state[1:].max())
        v = u / np.linalg.norm(u)
        q = A @ v**L
        return v, q, max(state[0], 0.0) ** (L / 2) * q - b

    def velocity(_, state):
        v, q, e = misfit(state)
        return np.append(-2 * flow.ratio * (q @ e), q @ e - (A.T @ e) * v ** (L - 2))

    def vanishes(_, state):
        return state[0]

    def converges(_, state):
        e = misfit(state)[-1]
        return e @ e - 0.9 * (b @ b)

    start = np.append(r**2, np.log(x0 / r))
    if converges(0, start) < 0:
        return False
    vanishes.terminal = converges.terminal = True
    vanishes.direction = converges.direction = -1
    atol = np.append(1e-10 * r**2, np.full(len(x0), 1e-10))
    with np.errstate(all="ignore"):
        run = solve_ivp(
            velocity, (0, 1e12), start, "LSODA", rtol=1e-9, atol=atol, events=[vanishes, converges]
        )
    assert run.status == 1, "the reference must end at an event"
    return len(run.t_events[0]) > 0


def large_start(seed):
    """Draw a start of 1, 3, 10 or 30 times the smallest solution, and a bounded ``S``."""
    rng = np.random.default_rng([seed, 77])
    while True:
        M = int(rng.integers(2, 6))
        N = M + int(rng.integers(1, M + 2))
        A, signal = rng.standard_normal((M, N)), np.zeros(N)
        support = rng.choice(N, int(rng.integers(1, M + 1)), replace=False)
        signal[support] = rng.uniform(0.5, 2, len(support))
        b = A @ signal
        if linprog(-np.ones(N), A_eq=A, b_eq=b).status == 0:
            break
    v = np.exp(rng.uniform(-1, 1, N))
    problem = wn.Problem(A, b, signal)
    R0 = rng.choice([1, 3, 10, 30]) * wn.min_l1(problem).norm
    flow = wn.WeightNormFlow([2, 2, 3, 4][seed % 4], 10 ** rng.uniform(-3, 0))
    return flow, problem, v * np.sqrt(R0 / (v @ v))


def opposed_start(seed):
    """Draw a start whose heavy weights oppose ``b``, of any radius; each fifth matrix of 0, 1."""
    rng = np.random.default_rng([seed, 78])
    M = int(rng.integers(1, 5))
    N = M + int(rng.integers(1, M + 3))
    A, signal = rng.standard_normal((M, N)), np.zeros(N)
    if seed % 5 == 0:
        A = np.sign(A) * (rng.random((M, N)) < 0.6)
        A[:, 0], signal[0] = 1, 1
    signal[rng.choice(N, int(rng.integers(1, M + 1)), replace=False)] = rng.uniform(0.5, 2)
    problem = wn.Problem(A, A @ signal, signal)
    flow = wn.WeightNormFlow([2, 2, 3, 4, 2.5, 6][seed % 6], 10 ** rng.uniform(-3, 1.5))
    pull = A.T @ problem.b
    v = np.exp(rng.uniform(-1, 1, N) - rng.choice([1, 3]) * np.sign(pull) * rng.random())
    R0 = flow.ratio * 10 ** rng.uniform(-2, 1.5) * (1e-10 if seed % 7 == 0 else 1)
    return flow, problem, v * np.sqrt(R0 / (v @ v))


@pytest.mark.parametrize("draw", [large_start, opposed_start])
def test_trained_weights_agree(draw):
    """None of 120 wrong, none undecided; and both answers occur where heavy weights oppose b."""
    answers = []
    for seed in range(120):
        flow, problem, x0 = draw(seed)
        answers.append(wn.stalls(flow, problem, x0))
        assert answers[-1] == trained(flow, problem, x0), f"seed {seed}"
    assert draw is large_start or 40 < sum(answers) < 80


HARD = (
    wn.WeightNormFlow(2, 0.001),
    wn.Problem([[0.979, 0.674, 0.813], [-0.280, -0.771, 0.648]], [1.0806, -0.3095]),
    np.array([1.350, 1.231, 2.775]),
)


def test_a_large_start_with_a_small_ratio_converges():
    """Log w moves by thousands: what counts is the absolute error."""
    assert not wn.stalls(*HARD)  # nothing opposes b
    with np.errstate(all="ignore"):
        for share in _stalling.TOLERANCES[:2]:
            assert _stalling._enters(*HARD, share, 1000)[0] is False
    end = wn.integrate(*HARD, 1e6, residual_tol=1e-9)
    assert end.status is wn.Status.CONVERGED
    np.testing.assert_allclose(end.effective, [0, 0.895, 0.587], atol=2e-3)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_boundary_is_sharp(depth):
    """Where trained weights change their answer with the radius, to one part in 10^4, so do we."""
    problem = wn.Problem([[1.0, -1.0, 0.3], [0.2, 0.5, -1.0]], [1.0, 0.1])
    v, flow = np.array([0.3, 0.9, 0.2]), wn.WeightNormFlow(depth, 0.3)
    low, high = 0.01, 3.0
    assert trained(flow, problem, low * v) and not trained(flow, problem, high * v)
    while high / low > 1 + 1e-4:
        middle = np.sqrt(low * high)
        low, high = (middle, high) if trained(flow, problem, middle * v) else (low, middle)
    assert wn.stalls(flow, problem, low / (1 + 1e-4) * v)
    assert not wn.stalls(flow, problem, high * (1 + 1e-4) * v)


def test_proofs_are_right():
    """Of a stall, and of none: neither speaks where the other side is true, both speak often."""
    stalled, converges = 0, 0
    for seed in range(150):
        flow, problem, x0 = opposed_start(seed)
        stalls = wn.stalls(flow, problem, x0)
        if _stalling.certainly_stalls(flow, problem, x0):
            stalled += 1
            assert stalls
        if _stalling.rules_out_stall(flow, x0, wn.min_l1(problem).z):
            converges += 1
            assert not stalls
    assert stalled > 15 and converges > 15


@pytest.mark.parametrize("depth", [2, 2.5, 3, 6])
def test_the_proof_of_convergence_is_the_lyapunov_function(depth):
    """V at the start against its smallest value on the sphere r = 0, both by brute force."""
    rng = np.random.default_rng(5)
    flow, outcomes = wn.WeightNormFlow(depth, 0.4), set()
    omega = (depth - 2) / (2 * flow.ratio)

    def lyapunov(z, v, R):
        if depth == 2:
            return -z @ np.log(v) + (R - z.sum()) ** 2 / (4 * flow.ratio)
        integral = 0.0
        if R > 0:
            integral = quad(lambda s: s ** (depth / 2) * np.exp(-omega * s), 0, R)[0]
        return np.exp(-omega * R) * (z @ v ** (2 - depth)) + omega * integral

    for _ in range(40):
        z, x0 = rng.uniform(0.1, 2, 2), np.exp(rng.uniform(-2, 1, 2))
        R = x0 @ x0
        angles = np.linspace(0, np.pi / 2, 1001)[1:-1]
        lowest = min(lyapunov(z, np.array([np.cos(a), np.sin(a)]), 0.0) for a in angles)
        proof = lyapunov(z, x0 / np.sqrt(R), R) - lowest
        if abs(proof) > 1e-3:
            outcomes.add(proof < 0)
            assert _stalling.rules_out_stall(flow, x0, z) == (proof < 0)
    assert outcomes == {True, False}


def test_nothing_overflows_in_a_proof():
    """Powers of entries e^46 apart, and e^{-omega R0} of a tiny ratio, leave the floats."""
    problem = wn.Problem([[1.0, -1.0]], [1.0])
    for depth in (2, 3, 20):
        for ratio in (1e-6, 1e6):
            flow, z = wn.WeightNormFlow(depth, ratio), np.array([1.0, 0.0])
            for x0 in ([1e-20, 1.0], [1.0, 1e-20], [1e-100, 1e-100], [1e3, 1e3]):
                x0 = np.array(x0)
                proofs = (
                    _stalling.rules_out_stall(flow, x0, z),
                    _stalling.certainly_stalls(flow, problem, x0),
                )
                assert proofs != (True, True)


@pytest.mark.parametrize(
    ("x0", "z", "words"),
    [
        ([0.1, 0.2], [1.0], "z must have one entry for each of 2 weights; got 1"),
        ([0.1, 0.0], [1.0, 1.0], "x0 must be positive in each entry"),
        ([0.1, 0.2], [1.0, -1.0], "z must be nonnegative and not zero"),
        ([0.1, 0.2], [0.0, 0.0], "z must be nonnegative and not zero"),
    ],
)
def test_what_proves_nothing_is_refused(x0, z, words):
    with pytest.raises(ValueError, match=words):
        wn.rules_out_stall(wn.WeightNormFlow(2, 0.1), x0, z)


def test_tiny_starts():
    flow, problem = wn.WeightNormFlow(2, 0.1), wn.Problem([[1.0]], [1.0])
    assert not wn.stalls(flow, problem, [1e-7])
    run = wn.integrate(flow, problem, [1e-7], 300.0)
    assert run.status is wn.Status.CONVERGED
    early = wn.integrate(flow, problem, [1e-7], 30.0)
    assert early.status is wn.Status.MAX_STEPS  # time ran out, and that is all


def test_a_candidate_spares_the_steps():
    problem = wn.sparse_problem(6, 12, 2, 5, signed=True)
    pull = problem.network_matrix.T @ problem.b
    v = np.where(pull < 0, 1.0, 0.8)
    flow, x0 = wn.WeightNormFlow(2, 0.01), 0.5 * v / np.linalg.norm(v)
    solution = wn.min_l1(problem).z
    stacked = problem.split(solution)
    assert _stalling.vanishing(flow, problem, x0, 0) is None
    assert _stalling.vanishing(flow, problem, x0, 0, [stacked]) is False


def test_too_few_steps_are_no_answer():
    with pytest.raises(RuntimeError, match="stalls is undecided: 2 integration steps"):
        wn.stalls(*opposed_start(2), max_steps=2)


def test_one_start_and_a_motion_that_is_known():
    flow, problem, x0 = HARD
    with pytest.raises(ValueError, match="call it once per row"):
        wn.stalls(flow, problem, [x0, x0])

    class Half(wn.PlainFlow):
        def velocity(self, problem, x):
            return super().velocity(problem, x) / 2

    with pytest.raises(TypeError, match="Half moves in a way of its own"):
        wn.stalls(Half(2), problem, x0)
    assert not wn.stalls(wn.PlainFlow(2), problem, x0)
    assert _stalling.rules_out_stall(wn.PlainFlow(2), x0, x0)
    assert not _stalling.certainly_stalls(wn.PlainFlow(2), problem, x0)


def test_nothing_global_is_changed():
    """Neither by what runs in threads nor, while it runs, for the others."""

    def numbers():
        return [pool["num_threads"] for pool in threadpool_info()]

    problem = wn.sparse_problem(4, 8, 2, 1)
    doubled = wn.Problem(np.vstack([problem.A, problem.A]), np.append(problem.b, problem.b))
    x0 = wn.initial_weights(problem, 0.5, 1)
    filters, errors, threads = list(warnings.filters), np.geterr(), numbers()
    seen = []

    def follow(k):
        flow = wn.WeightNormFlow(2 + k % 2, 0.3)
        wn.integrate(flow, doubled, x0, 1e3, form=("mirror", "weights")[k // 2 % 2], rtol=1e-6)
        wn.stalls(*large_start(0))
        seen.append((list(warnings.filters) == filters, np.geterr() == errors))

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(follow, k) for k in range(8)]
        while not all(run.done() for run in runs):
            assert list(warnings.filters) == filters and np.geterr() == errors
        for run in runs:
            run.result()
    assert seen == [(True, True)] * 8
    assert list(warnings.filters) == filters and numbers() == threads


def balanced(share, delta=1e-3):
    """Return a tiny start, ``share`` times what stalls: from there the dip is within a step."""
    v = np.sqrt([0.5 - delta / 2, 0.5 + delta / 2])
    edge = -0.5 * np.log1p(-(delta**2))  # R0 + ratio min_tau log sum v0^2 e^{2 tau A^T b} = 0
    return wn.WeightNormFlow(2, 1.0), wn.Problem([[1.0, -1.0]], [1.0]), v * np.sqrt(share * edge)


@pytest.mark.parametrize("delta", [0.1, 1e-3, 1e-5, 1e-6, 1e-8])
def test_the_edge_of_a_stall_at_any_size(delta):
    """The dip lies at ``log w = delta``, at the very beginning of a step, and decides."""
    for share in (0.9, 0.99, 1.01, 1.1):
        assert wn.stalls(*balanced(share, delta)) == (share < 1)


def test_what_rounding_of_the_start_decides_is_undecided():
    """Starts an ulp apart, with a radius far below the square of that: the pull has no sign."""
    x0 = np.full(4, 3.5e-84) * (1 + np.array([-1, 1, 0, 0]) * 2.0**-52)
    problem = wn.Problem([[-1.0, 1.0], [-3.0, -1.0]], [-1.0, 5.0], signed=True)
    with pytest.raises(RuntimeError, match="or rounding, leave it open"):
        wn.stalls(wn.WeightNormFlow(3, 1e3), problem, x0)


def test_a_dip_is_found_where_its_slope_is_rounding():
    """The slope changes sign at 1e-17 of a step, or by less than a digit at its end."""
    A = [
        [1, 0, 0],
        [-1, -1, 1],
        [1, 1, 1],
        [1.0000002023443955, 0.9999997855876053, 1.0000002295419053],
    ]
    x0 = np.full(6, 2.2532223706068533)
    x0[3], x0[4] = 2.253222370606853, 2.2532223706068537
    problem = wn.Problem(A, [1, -1, 1, 1.0000002023443955], signed=True)
    assert not wn.stalls(wn.WeightNormFlow(3, 1e6), problem, x0)
    problem = wn.Problem(
        [[0.0, 3000, 0, 0], [-1, 3072000, 2, -2]], [6.951585576946717e-28, 7.118421313598246e-25]
    )
    x0 = [
        1.6939513974585377e-15,
        1.6935549361225946e-15,
        1.6933640107836478e-15,
        1.693827221456296e-15,
    ]
    try:
        wn.stalls(wn.WeightNormFlow(2, 10.0), problem, x0)
    except RuntimeError as undecided:
        assert "stalls is undecided" in str(undecided)


def with_candidate(flow, problem, x0, max_steps):
    candidates = [] if problem.signed else [wn.min_l1(problem).z]
    return _stalling.vanishing(flow, problem, x0, max_steps, candidates)


def even_start():
    """Return a signed problem with ``A x0^L = 0``, where no candidate lies near."""
    problem = wn.sparse_problem(4, 8, 2, 1, signed=True)
    return wn.WeightNormFlow(6, 0.01), problem, np.full(problem.n_weights, 1e-30)


def refuse(*_):
    return False


# Name, what is taken out, what stands in its place, an instance, steps allowed, the right answer.
GUARDS = [
    ("beats zero", "_beats_zero", refuse, lambda: opposed_start(17), 0, False),
    ("nothing opposes", "_nothing_opposes", refuse, lambda: HARD, 0, False),
    ("a proof of a stall", "certainly_stalls", refuse, lambda: balanced(0.2), 0, True),
    ("a proof of none", "rules_out_stall", refuse, lambda: candidate_decides(), 0, False),
    ("the radius has grown", "_has_grown", refuse, lambda: opposed_start(29), 60, False),
    ("near the limit", "_stays", refuse, lambda: large_start(8), 60, False),
    ("the dip", "_dip", lambda frame, solver: solver.y, lambda: balanced(0.9), 100, True),
    ("tiny radii", "_scale", lambda flow, r: 1.0, lambda: balanced(0.9, 1e-6), 100, True),
    ("even starts", "_is_even", refuse, lambda: even_start(), 0, False),
    ("finer steps", "TOLERANCES", (1e-2,), lambda: opposed_start(6), 100, True),
    ("finest steps", "TOLERANCES", (1e-2, 1e-4), lambda: opposed_start(39), 400, True),
]


def candidate_decides():
    """Return a start where only the candidate decides without a step."""
    for seed in range(100):
        instance = opposed_start(seed)
        if _stalling.vanishing(*instance, 0) is None and with_candidate(*instance, 0) is False:
            return instance


@pytest.mark.parametrize("name, guard, without, instance, max_steps, right", GUARDS)
def test_guards_are_needed(monkeypatch, name, guard, without, instance, max_steps, right):
    start = instance()
    assert with_candidate(*start, max_steps) is right
    monkeypatch.setattr(_stalling, guard, without)
    assert with_candidate(*start, max_steps) is not right


@pytest.mark.parametrize("unit", [1e-100, 1e-82, 1e80, 1e100])
def test_units_decide_nothing(unit):
    """Products of A and b leave the range of floats; A and b times a unit are the same flow."""
    flow, x0 = wn.WeightNormFlow(2, 0.1), np.array([1.0, 2.0])
    converging = wn.Problem([[unit, -0.7 * unit]], [unit])
    assert not wn.stalls(flow, converging, x0)
    assert wn.limit(flow, converging, x0).status is wn.Status.CONVERGED
    assert wn.stalls(wn.WeightNormFlow(2, 1.0), wn.Problem([[unit, 2 * unit]], [-unit]), x0 / 4)
