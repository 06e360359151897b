"""Addresses of the API. An id that cannot be one never reaches a view; anything unknown is a 404 in JSON."""

from django.urls import re_path

from backend.api import commons, contributions, distributions, periods, pledges
from backend.api.views import Nowhere

_ID = "[0-9A-Z]{36}"

urlpatterns = [
    re_path(r"^commons$", commons.CommonsList.as_view()),
    re_path(rf"^commons/(?P<commons_id>com_{_ID})$", commons.CommonsOne.as_view()),
    re_path(r"^pledges$", pledges.PledgeList.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})$", pledges.PledgeOne.as_view()),
    re_path(r"^contributions$", contributions.ContributionList.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})$", contributions.ContributionOne.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})/reviews$", contributions.ReviewList.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})/withdrawal$", contributions.Withdrawal.as_view()),
    re_path(rf"^periods/(?P<period_id>per_{_ID})$", periods.PeriodOne.as_view()),
    re_path(rf"^periods/(?P<period_id>per_{_ID})/closure$", periods.Closure.as_view()),
    re_path(rf"^distributions/(?P<distribution_id>dis_{_ID})$", distributions.DistributionOne.as_view()),
    re_path(r"", Nowhere.as_view()),
]
