"""The audit log and what makes it a chain. Models of ``agencies.models``, which is where the rest imports them from."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from agencies.audit_words import action_words, subject_words
from agencies.engine.audit_chain import START, Row, row_hash
from missions_project.lib import walls
from missions_project.lib.seals import SEAL_LENGTH, seal

INSTALLATION = "installation"
"""The chain of events that are about no agency."""
ROW_SEAL, HEAD_SEAL, CHECKPOINT_SEAL = "audit row", "audit head", "audit checkpoint"


def chain_of(agency_id: int | None) -> str:
    """The name of an agency's chain; it outlives the agency."""
    return INSTALLATION if agency_id is None else f"agency:{agency_id}"


class AuditChain(models.Model):
    """Where an agency's chain ends now. Locked by whoever writes its next row; changed by ``AuditEvent.save`` only."""

    key = models.CharField(max_length=40, unique=True)
    length = models.BigIntegerField(default=0)
    head = models.CharField(max_length=64, default=START)
    seal = models.CharField(max_length=SEAL_LENGTH, blank=True)

    def __str__(self) -> str:
        return f"{self.key}, {self.length:,} rows"

    def sealed_text(self) -> bytes:
        return f"{self.key} {self.length} {self.head}".encode()


class AuditCheckpoint(models.Model):
    """The stub of rows that were retired: how far, and the fingerprint on which the next row stands. Written by
    ``agencies.services.audit_retire`` only; the database lets no audit row go that no checkpoint covers."""

    chain = models.CharField(max_length=40)
    sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    rows = models.BigIntegerField()
    oldest_at = models.DateTimeField()
    newest_at = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)
    why = models.CharField(max_length=200)
    seal = models.CharField(max_length=SEAL_LENGTH)

    class Meta:
        ordering = ["chain", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="one_checkpoint_per_place"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} up to row {self.sequence:,}"

    def sealed_text(self) -> bytes:
        times = (self.oldest_at, self.newest_at, self.made_at)
        stamps = " ".join(f"{at.timestamp():.6f}" for at in times)
        return f"{self.chain} {self.sequence} {self.hash} {self.rows} {stamps} {self.why}".encode()


class AuditEvent(models.Model):
    """Who saw, changed, exported, approved or overrode what, and why. Written by ``agencies.services.audit_record`` only.

    Never edited: the database refuses it, but for the person's row being deleted (the name stays). Deleted only up to a
    checkpoint. Each row stands on the one before it in its agency's chain.
    """

    agency = models.ForeignKey("agencies.Agency", null=True, on_delete=models.CASCADE)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    why = models.CharField(max_length=500, blank=True)
    model = models.CharField(max_length=80, blank=True)
    """Which table the row is of, e.g. "agencies.crimetype"; empty for events that are about no row."""
    row_id = models.BigIntegerField(null=True, blank=True)
    detail = models.JSONField(default=dict)
    actor_number = models.BigIntegerField(null=True, editable=False)
    actor_name = models.CharField(max_length=150, blank=True, editable=False)
    """Who it was, kept when the account is deleted."""
    chain = models.CharField(max_length=40, editable=False)
    sequence = models.BigIntegerField(editable=False)
    previous = models.CharField(max_length=64, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    seal = models.CharField(max_length=SEAL_LENGTH, editable=False)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["model", "row_id"], name="audit_event_by_row")]
        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="one_audit_event_per_place"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {action_words(self.action)}: {subject_words(self.action, self.subject)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Append the row to its chain, in the caller's transaction and under the chain's lock. Three queries."""
        if not self._state.adding:
            raise TypeError("An audit event is never edited.")
        # Rows about no agency are in nobody's reach, and everybody may cause one.
        reach = walls.EVERYTHING if self.agency_id is None else walls.scope()
        # Without a savepoint: what is not in the log must not have happened either.
        with transaction.atomic(savepoint=False), walls.within(reach):
            self.chain = chain_of(self.agency_id)
            head = chain_locked(self.chain)
            self._link(head)
            super().save(force_insert=True)
            head.length, head.head = self.sequence, self.hash
            AuditChain.objects.filter(pk=head.pk).update(
                length=head.length, head=head.head, seal=seal(HEAD_SEAL, head.sealed_text())
            )

    def _link(self, head: AuditChain) -> None:
        self.actor_number = self.actor_id
        self.actor_name = self.actor.get_username() if self.actor is not None else ""
        self.sequence, self.previous = head.length + 1, head.head
        self.hash = row_hash(self.as_row())
        self.seal = seal(ROW_SEAL, self.hash.encode())

    def as_row(self) -> Row:
        """The event as the engine sees it."""
        at: datetime = self.at
        return Row(
            self.chain, self.sequence, self.previous, at, self.actor_number, self.actor_name, self.action, self.subject,
            self.why, self.model, self.row_id, self.detail, self.hash, self.seal,
        )  # fmt: skip


def chain_locked(key: str) -> AuditChain:
    """The chain's end, locked until the transaction ends; made where it is new. One query, three for a new chain."""
    rows = AuditChain.objects.select_for_update()
    found = rows.filter(key=key).first()
    if found is None:
        # Two first writers at once: the slower one's row is left out, and it waits for the faster one's lock.
        AuditChain.objects.bulk_create([AuditChain(key=key)], ignore_conflicts=True)
        found = rows.get(key=key)
    return found
