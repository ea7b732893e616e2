"""Every audit event so far gets its place in its agency's chain, in the order in which they were written.

It proves nothing about the time before; from here on a change tells.
"""

from django.db import migrations

from agencies.engine.audit_chain import START, Row, row_hash
from missions_project.lib.seals import seal

COLUMNS = ["actor_number", "actor_name", "chain", "sequence", "previous", "hash", "seal"]


def chain_events(apps, schema_editor):
    event_model = apps.get_model("agencies", "AuditEvent")
    ends = {}
    batch = []
    events = event_model.objects.filter(sequence=0).select_related("actor").order_by("pk")
    for event in events.iterator(chunk_size=2_000):
        key = "installation" if event.agency_id is None else f"agency:{event.agency_id}"
        length, head = ends.get(key, (0, START))
        event.chain, event.sequence, event.previous = key, length + 1, head
        event.actor_number = event.actor_id
        event.actor_name = event.actor.username if event.actor_id else ""
        row = Row(
            key, event.sequence, head, event.at, event.actor_number, event.actor_name, event.action, event.subject,
            event.why, event.model, event.row_id, event.detail,
        )  # fmt: skip
        event.hash = row_hash(row)
        event.seal = seal("audit row", event.hash.encode())
        ends[key] = (event.sequence, event.hash)
        batch.append(event)
        if len(batch) >= 500:
            event_model.objects.bulk_update(batch, COLUMNS)
            batch = []
    event_model.objects.bulk_update(batch, COLUMNS)
    chain_model = apps.get_model("agencies", "AuditChain")
    for key, (length, head) in ends.items():
        sealed = seal("audit head", f"{key} {length} {head}".encode())
        chain_model.objects.create(key=key, length=length, head=head, seal=sealed)


def forget_chains(apps, schema_editor):
    apps.get_model("agencies", "AuditEvent").objects.update(sequence=0)
    apps.get_model("agencies", "AuditChain").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("agencies", "0005_audit_log_as_a_chain")]

    operations = [migrations.RunPython(chain_events, forget_chains)]
