# Short names for README's commands.
.PHONY: demo test lint bench checkov columns

demo: .venv
	.venv/bin/engang demo

test: .venv
	.venv/bin/pytest

lint: .venv
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: .venv
	.venv/bin/python tests/bench/run.py

checkov: .venv
	.venv/bin/pytest -s -m slow tests/integration/test_deploy.py

columns: .venv
	.venv/bin/python -m schemas.dictionary

.venv: requirements-dev.txt
	python3 -m venv .venv && .venv/bin/python -m pip install -q uv==0.13.9
	.venv/bin/uv pip install -q --compile-bytecode --python .venv -r requirements-dev.txt
	.venv/bin/uv pip install -q --python .venv --no-deps -e .
	touch .venv
