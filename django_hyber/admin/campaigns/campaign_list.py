from __future__ import annotations

from django.http import HttpRequest

from django_hyber.admin.common.lists import BigTableList
from django_hyber.statistics.progress import count_by_status


class CampaignList(BigTableList):
    """The list of campaigns; the numbers of a page are counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the recipients of the campaigns on this page only."""
        super().get_results(request)
        campaigns = list(self.result_list)
        counts = count_by_status(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            campaign.recipients = counts[campaign.pk].total
            campaign.delivered = counts[campaign.pk].delivered
        self.result_list = campaigns
