from django_hyber.models import Message
from django_hyber.reports import ranks


def test_every_status_has_a_rank():
    assert set(ranks.RANKS) == set(Message.Status)
