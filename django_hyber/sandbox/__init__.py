"""A local stand-in for the Hyber platform, for development, demonstrations and tests. See docs/sandbox.rst."""

from django_hyber.sandbox.number_outcomes import DELIVERED, FAULT_OUTCOMES, OUTCOMES, NumberOutcome, outcome_for
from django_hyber.sandbox.server import Sandbox

__all__ = ["DELIVERED", "FAULT_OUTCOMES", "OUTCOMES", "NumberOutcome", "Sandbox", "outcome_for"]
