"""All that touches Kopf, the API server or the clock."""
