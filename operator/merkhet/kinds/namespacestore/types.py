"""What is read from the ConfigMap ``merkhet-store``, which stands for a namespace's store."""

from __future__ import annotations

from merkhet.api.base import StatusPart


class StoreSpec(StatusPart):
    """A ConfigMap has no spec."""


class StoreStatus(StatusPart):
    """A ConfigMap has no status."""
