"""Fixtures of the end-to-end tests: peers, and the daemons in front of
them.  waybill.py tells what a Waybill offers."""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from peers import (Authority, INetSim, PeerMissing, Postfix,  # noqa: E402
                   RawMsa, StrictHop, room)
from waybill import Waybill  # noqa: E402

LIVE = []		# the peers whose logs a failed test shows


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for peer in LIVE:
            report.sections.append((f"end of {peer.name}'s log",
                                    peer.log_tail()))


def started(peer):
    try:
        peer.start()
    except PeerMissing as missing:
        pytest.skip(str(missing))
    LIVE.append(peer)
    return peer


def ended(peer):
    if peer in LIVE:
        LIVE.remove(peer)
    peer.stop()


@pytest.fixture(scope="session", name="authority")
def fixture_authority():
    """One CA for all tests."""
    path = room("ca")
    yield Authority(path)
    shutil.rmtree(path)


@pytest.fixture(scope="module", name="module_space")
def fixture_module_space():
    path = room("mod")
    yield path
    shutil.rmtree(path)


@pytest.fixture(name="space")
def fixture_space():
    """A directory for one test, open to other users, with a short name."""
    path = room("e2e")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module", name="postfix")
def fixture_postfix(module_space):
    """One Postfix for a module: alice, bob and carol @example.test."""
    peer = started(Postfix(module_space / "postfix"))
    yield peer
    ended(peer)


@pytest.fixture(name="strict_hop")
def fixture_strict_hop(space):
    """A strict hop with MTRK; a test fails if it saw a violation that the
    test did not take away with hop.forgive()."""
    peer = started(StrictHop(space / "hop"))
    yield peer
    found = peer.unforgiven()
    ended(peer)
    assert found == []


@pytest.fixture(name="raw_msa")
def fixture_raw_msa(space):
    peer = started(RawMsa(space / "raw"))
    yield peer
    ended(peer)


@pytest.fixture(name="inetsim")
def fixture_inetsim(space):
    peer = started(INetSim(space / "inetsim"))
    yield peer
    ended(peer)


@pytest.fixture(name="start_peer")
def fixture_start_peer():
    """start_peer(peer) starts any peer and stops it after the test."""
    peers = []

    def start(peer):
        peers.append(started(peer))
        return peer

    yield start
    for peer in reversed(peers):
        ended(peer)


@pytest.fixture(name="start_waybill")
def fixture_start_waybill(space, authority):
    """start_waybill(msa, **options) gives a running Waybill; all are
    stopped after the test, which fails if one does not end cleanly."""
    running = []

    def start(msa=None, name=None, **options):
        waybill = Waybill(space / (name or f"wb{len(running)}"), msa,
                          authority=authority, **options)
        LIVE.append(waybill)
        running.append(waybill)
        waybill.start()
        return waybill

    yield start
    problems = []
    for waybill in reversed(running):
        try:
            ended(waybill)
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)
