"""The closing table."""

from __future__ import annotations

from collections.abc import Iterator

from shop.demo.results import Results


def lines(results: Results, seconds: float) -> Iterator[str]:
    """Yield the table, and below it either the good news or what is wrong."""
    yield from _outcomes(results)
    yield from _figures(results)
    yield from _orders(results)
    yield from _closing(results, seconds)


def _outcomes(results: Results) -> Iterator[str]:
    yield f"{'Outcome at the sandbox':<24}{'Recipients':>12}  {'Must end as':<22}{'Ended so':>10}"
    for row in results.rows:
        yield f"{row.outcome:<24}{row.recipients:>12,}  {row.end!s:<22}{row.reached:>10,}"
    recipients = sum(row.recipients for row in results.rows)
    reached = sum(row.reached for row in results.rows)
    yield f"{'All':<24}{recipients:>12,}  {'':<22}{reached:>10,}"
    yield ""


def _figures(results: Results) -> Iterator[str]:
    yield f"{'Campaign and orders':<36}{'Sandbox':>12}{'Our rows':>12}"
    for figure in results.figures:
        yield f"{figure.name:<36}{figure.sandbox:>12,}{figure.ours:>12,}"
    yield ""


def _orders(results: Results) -> Iterator[str]:
    yield f"{'Shipped order':<24}{'Phone':<16}{'Must end as':<22}{'Noted on the order':<22}"
    for item in results.orders:
        yield f"{item.order!s:<24}{item.order.phone:<16}{item.end!s:<22}{item.noted!s:<22}"
    yield ""


def _closing(results: Results, seconds: float) -> Iterator[str]:
    if not results.problems:
        recipients = sum(row.recipients for row in results.rows)
        yield f"All {recipients:,} recipients and {len(results.orders)} orders ended as they must, in {seconds:.1f} s."
        return
    yield f"Not as it should be, after {seconds:.1f} s:"
    yield from (f"  - {problem}" for problem in results.problems)
