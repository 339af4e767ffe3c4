"""The exercises, and the judge of their solutions."""

from drqsim.exercises.catalogue import EXERCISES, find, skeleton
from drqsim.exercises.checking import check

__all__ = ["EXERCISES", "check", "find", "skeleton"]
