"""The runtime's memory plan: where every tensor lies, from when to when, and what that takes."""

from drqsim.memory.make import plan_memory
from drqsim.memory.plan import Block, MemoryPlan

__all__ = ["Block", "MemoryPlan", "plan_memory"]
