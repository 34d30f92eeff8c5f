"""Real and scripted peers for Waybill's tests.

Postfix, Exim and INetSim are unpacked by fetch-peer and never installed.
Every peer is given a directory of its own (room() makes one), listens on a
free loopback port, is a context manager, and is stopped by pid.
PeerMissing means that this machine cannot run it: skip the test.
"""

from . import clients
from .base import (PeerFailed, PeerMissing, free_port, is_alive, room,
                   session_members, tail, wait_until)
from .certs import Authority
from .exim import Exim
from .filter import ContentFilter
from .hops import RawMsa, StrictHop
from .inetsim import INetSim
from .postfix import Postfix
from .sasl import ImapBackend, Saslauthd, Sasldb

__all__ = ["Authority", "ContentFilter", "Exim", "INetSim", "ImapBackend", "PeerFailed",
           "PeerMissing", "Postfix", "RawMsa", "Saslauthd", "Sasldb",
           "StrictHop", "clients", "free_port", "is_alive", "room",
           "session_members", "tail", "wait_until"]
