"""One BLAS thread inside, the caller's number outside, whatever happens in between."""

import inspect
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import wnlib as wn
from wnlib._threads import one_blas_thread

CONTROLLER = ThreadpoolController()


def numbers():
    """Return the numbers of threads of NumPy's and SciPy's BLAS."""
    return {pool["num_threads"] for pool in CONTROLLER.info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    """Let two be the number that the caller has chosen, and look for it at the end."""
    with CONTROLLER.limit(limits=2, user_api="blas"):
        assert numbers() == {2}
        yield
        assert numbers() == {2}


def test_there_is_one_thread_inside_also_when_nested():
    with one_blas_thread:
        assert numbers() == {1}
        with one_blas_thread:
            assert numbers() == {1}
        assert numbers() == {1}
    assert numbers() == {2}


def test_a_decorated_function_keeps_its_name_signature_and_result():
    @one_blas_thread
    def halved(number, by=2):
        """Return a part."""
        return number / by, numbers()

    assert halved(3) == (1.5, {1})
    assert (halved.__name__, halved.__doc__) == ("halved", "Return a part.")
    assert str(inspect.signature(halved)) == "(number, by=2)"
    assert numbers() == {2}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_number_comes_back_after_an_error(error):
    @one_blas_thread
    def fail():
        assert numbers() == {1}
        raise error("on the way")

    with pytest.raises(error, match="on the way"):
        fail()
    assert numbers() == {2}


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_last_of_two_overlapping_calls_restores(error):
    """The first to enter leaves first: what it found must wait for the second."""
    first_in, second_in, leave = (threading.Event() for _ in range(3))
    seen = []

    def first():
        try:
            with one_blas_thread:
                first_in.set()
                assert second_in.wait(10)
                if error:
                    raise error
        except (ValueError, KeyboardInterrupt) as raised:
            seen.append(type(raised))

    def second():
        assert first_in.wait(10)
        with one_blas_thread:
            second_in.set()
            assert leave.wait(10)
            seen.append(numbers())

    calls = [threading.Thread(target=call) for call in (first, second)]
    for call in calls:
        call.start()
    calls[0].join(10)
    assert numbers() == {1}
    leave.set()
    calls[1].join(10)
    assert seen == [error, {1}][error is None :]
    assert numbers() == {2}


def test_many_threads_that_come_and_go_restore():
    """Each leaves by a return or by an error; a number caught while another was inside stays 1."""

    @one_blas_thread
    def work(k):
        assert numbers() == {1}
        if k % 3 == 0:
            raise ArithmeticError
        return np.ones((k, k)) @ np.ones(k)

    def outcome(k):
        try:
            return work(k)[0]
        except ArithmeticError:
            return None

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(outcome, range(1, 400)))
    assert results == [None if k % 3 == 0 else k for k in range(1, 400)]
    assert numbers() == {2}


class Watched(wn.PlainFlow):
    """The plain flow, which notes the numbers of threads while it is followed."""

    def velocity(self, problem, x):
        SEEN.append(numbers())
        return super().velocity(problem, x)


SEEN = []


@pytest.mark.parametrize("road", ["descend"])
def test_roads_take_one_thread_and_restore(road):
    problem = wn.sparse_problem(3, 6, 2, seed=1)
    arguments = {"descend": (0.01, 3)}[road]
    SEEN.clear()
    getattr(wn, road)(Watched(2), problem, np.full(6, 0.3), *arguments)
    assert SEEN
    assert all(seen == {1} for seen in SEEN)
    assert numbers() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_its_threads_back():
    """The copy of a process inside a road is not inside: it has the caller's numbers again."""
    before = numbers()
    with one_blas_thread:
        child = os.fork()
        if child == 0:
            os._exit(0 if numbers() == before else 1)
    assert os.waitpid(child, 0)[1] == 0
