"""A local stand-in for the Hyber platform, for development, demonstrations and tests. See docs/sandbox.rst."""

from django_hyber.sandbox.outcomes import DELIVERED, OUTCOMES, Outcome, outcome_for
from django_hyber.sandbox.server import Sandbox

__all__ = ["DELIVERED", "OUTCOMES", "Outcome", "Sandbox", "outcome_for"]
