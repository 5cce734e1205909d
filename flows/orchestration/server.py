"""`python -m flows.prefect_server start ...`: `prefect server start ...`, with a scheduler that works.

Prefect 3.8 hands the computed properties of a run to SQLAlchemy along with its columns when it inserts scheduled runs.
SQLAlchemy 2.0 passed over them, 2.1 refuses them: the server then answers as ever and schedules nothing, no night
would come. So they are passed over here.
"""

import sys
from collections.abc import MutableMapping
from typing import Any


def _pass_over(cls: Any, mapping: MutableMapping[str, Any], value: Any) -> None:  # noqa: ANN401  SQLAlchemy's
    """Set nothing: the value is computed of columns."""


def mend() -> None:
    """Make the bulk inserts of Prefect's server pass over computed properties."""
    from prefect.server.database import orm_models  # noqa: PLC0415  takes seconds, and reads the environment
    from sqlalchemy.ext.hybrid import hybrid_property  # noqa: PLC0415  same

    for model in vars(orm_models).values():
        for found in vars(model).values() if isinstance(model, type) else ():
            if isinstance(found, hybrid_property) and found.bulk_dml_setter is None:
                found.bulk_dml_setter = _pass_over


def main() -> None:
    """Run Prefect's command line as `prefect server ...`, mended."""
    mend()
    from prefect.cli import app  # noqa: PLC0415  after it is mended

    sys.argv[:1] = ["prefect", "server"]
    app()


if __name__ == "__main__":
    main()
