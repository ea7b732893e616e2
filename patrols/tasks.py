"""Planning in the background."""

from celery import shared_task

from patrols import services
from patrols.models import MissionPlan, PresenceAccount


@shared_task(sent_again=True)  # type: ignore[untyped-decorator]  # celery ships no types
def plan_task(plan_id: int) -> None:
    services.plan_run(plan=MissionPlan.objects.get(pk=plan_id))


@shared_task  # type: ignore[untyped-decorator]
def plan_reasons_task(plan_id: int) -> None:
    services.plan_reasons_write(plan=MissionPlan.objects.get(pk=plan_id))


@shared_task  # type: ignore[untyped-decorator]
def run_shift_task(agency_id: int, shift_id: int, on: str, requested_by_id: int | None) -> None:
    services.shift_run(agency_id=agency_id, shift_id=shift_id, on=on, requested_by_id=requested_by_id)


@shared_task  # type: ignore[untyped-decorator]
def shift_planning_task(planning_id: int) -> None:
    services.planning_run(pk=planning_id)


@shared_task  # type: ignore[untyped-decorator]
def gunfire_decision_task(agency_id: int) -> None:
    services.gunfire_decision_run(agency_id=agency_id)


@shared_task  # type: ignore[untyped-decorator]
def notice_task(notice_id: int, attempt: int) -> None:
    services.notice_send(pk=notice_id, attempt=attempt)


@shared_task  # type: ignore[untyped-decorator]
def presence_task(account_id: int) -> None:
    services.shift_account(account=PresenceAccount.objects.get(pk=account_id))
