"""Addresses of the API. An id that cannot be one never reaches a view; anything unknown is a 404 in JSON."""

from django.urls import re_path

from backend.api import (
    budgets,
    charters,
    commons,
    contributions,
    distributions,
    events,
    ledger,
    log,
    me,
    payments,
    periods,
    pledges,
    shares,
)
from backend.api.views import Nowhere

_ID = "[0-9A-Z]{36}"

urlpatterns = [
    re_path(r"^commons$", commons.CommonsList.as_view()),
    re_path(rf"^commons/(?P<commons_id>com_{_ID})$", commons.CommonsOne.as_view()),
    re_path(r"^me$", me.Me.as_view()),
    re_path(r"^statement$", me.Statement.as_view()),
    re_path(r"^events$", events.EventList.as_view()),
    re_path(r"^budgets$", budgets.BudgetList.as_view()),
    re_path(rf"^budgets/(?P<budget_id>bud_{_ID})$", budgets.BudgetOne.as_view()),
    re_path(rf"^budgets/(?P<budget_id>bud_{_ID})/periods$", budgets.PeriodList.as_view()),
    re_path(rf"^budgets/(?P<budget_id>bud_{_ID})/estimate$", budgets.EstimateOne.as_view()),
    re_path(r"^shares$", shares.ShareList.as_view()),
    re_path(rf"^shares/(?P<share_id>shr_{_ID})$", shares.ShareOne.as_view()),
    re_path(r"^charter\.schema\.json$", charters.Schema.as_view()),
    re_path(rf"^budgets/(?P<budget_id>bud_{_ID})/charter$", charters.InForce.as_view()),
    re_path(rf"^budgets/(?P<budget_id>bud_{_ID})/charters$", charters.Versions.as_view()),
    re_path(r"^pledges$", pledges.PledgeList.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})$", pledges.PledgeOne.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/changes$", pledges.Change.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/cancellation$", pledges.Cancellation.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/payments$", payments.PaymentList.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/payments/(?P<payment_id>cko_{_ID})$", payments.PaymentOne.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/pause$", pledges.Pause.as_view()),
    re_path(rf"^pledges/(?P<pledge_id>plg_{_ID})/resumption$", pledges.Resumption.as_view()),
    re_path(r"^contributions$", contributions.ContributionList.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})$", contributions.ContributionOne.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})/reviews$", contributions.ReviewList.as_view()),
    re_path(rf"^contributions/(?P<contribution_id>ctr_{_ID})/withdrawal$", contributions.Withdrawal.as_view()),
    re_path(rf"^periods/(?P<period_id>per_{_ID})$", periods.PeriodOne.as_view()),
    re_path(rf"^periods/(?P<period_id>per_{_ID})/closure$", periods.Closure.as_view()),
    re_path(rf"^distributions/(?P<distribution_id>dis_{_ID})$", distributions.DistributionOne.as_view()),
    re_path(rf"^distributions/(?P<distribution_id>dis_{_ID})/trace$", distributions.TraceOne.as_view()),
    re_path(r"^log/heads$", log.HeadList.as_view()),
    re_path(r"^log/heads/latest$", log.HeadLatest.as_view()),
    re_path(r"^log/keys$", log.Keys.as_view()),
    re_path(rf"^log/entries/(?P<entry_id>ent_{_ID})/proof$", log.EntryProof.as_view()),
    re_path(r"^log/consistency$", log.Consistency.as_view()),
    re_path(r"^trial-balance$", ledger.TrialBalance.as_view()),
    re_path(r"^purses$", ledger.PurseList.as_view()),
    re_path(
        rf"^purses/(?P<kind>[a-z_]{{1,16}})/(?P<owner>[a-z]{{3}}_{_ID})/(?P<currency>[A-Z]{{3}})/postings$",
        ledger.PostingList.as_view(),
    ),
    re_path(rf"^entries/(?P<entry_id>ent_{_ID})$", ledger.EntryOne.as_view()),
    re_path(r"", Nowhere.as_view()),
]
