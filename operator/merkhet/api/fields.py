"""Field types that several kinds use, each with the bound and pattern that its CRD carries."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

# A DNS label: names objects are referred to by.
Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
VersionName = Annotated[str, Field(min_length=1, max_length=52, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
# A column or table as SQL and data frames call it; quotes and control characters are refused.
ColumnName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\"'`;\\]+$")]
TableName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Description = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=8192)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
# Go's durations as far as anybody writes them: 90s, 1h30m.
Duration = Annotated[str, Field(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", max_length=32)]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=24)]
# Where data comes from. What the store holds is addressed as store://raw/….
Uri = Annotated[str, Field(max_length=1024, pattern=r"^(store://raw/|https://|s3://)[^\x00-\x20]+$")]
# A namespace or a Secret, as Kubernetes names them.
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")]
# Five fields as crontab has them, or @hourly, @daily, @weekly, @monthly, @yearly.
Schedule = Annotated[
    str, Field(min_length=6, max_length=128, pattern=r"^(@[a-z]+|[-0-9A-Za-z*/,#?]+( +[-0-9A-Za-z*/,#?]+){4})$")
]
TimeZone = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")]
# A Component's version.
ComponentVersion = Annotated[
    str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$")
]
Version = Annotated[int, Field(ge=1, le=1_000_000_000)]
Time = Annotated[str, Field(max_length=32)]
# Any JSON value; in a CRD: x-kubernetes-preserve-unknown-fields.
AnyValue = Any
