"""The grammar that our CRDs share."""
