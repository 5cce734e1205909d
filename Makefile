# Short names for the commands of README and CONTRIBUTING.
.PHONY: demo test thorough coverage golden lint hooks bench checkov judges reference reader

demo: .venv
	.venv/bin/engang demo

test: .venv
	.venv/bin/pytest

thorough: .venv
	.venv/bin/pytest -m "not slow"

coverage: .venv
	.venv/bin/pytest -n 2 --cov= tests/contracts tests/unit tests/properties/transforms

golden: .venv
	RENEW_GOLDEN=1 .venv/bin/pytest tests/integration/cli/test_golden_output.py tests/integration/site/test_pictures.py

lint: .venv
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/codespell

hooks: .venv
	.venv/bin/pre-commit install

bench: .venv
	.venv/bin/python tests/bench/run.py

checkov: .venv
	.venv/bin/pytest -s -m slow tests/integration/deploy/test_deploy.py

judges: .venv
	.venv/bin/pytest -n 0 -m slow tests/integration/package/test_judges.py

reader:
	flows/site/reader/build.sh

reference: .venv
	.venv/bin/python -m schemas.reference

.venv: requirements-dev.txt
	python3 -m venv .venv && .venv/bin/python -m pip install -q uv==0.13.9
	.venv/bin/uv pip install -q --compile-bytecode --python .venv -r requirements-dev.txt
	.venv/bin/uv pip install -q --python .venv --no-deps -e .
	touch .venv
