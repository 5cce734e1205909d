"""The application: pages for people, `POST /check` for programs, and its description as OpenAPI."""

import re
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from flows.check_page.check import Checked, Upload, check_upload, for_checking
from flows.check_page.description import CHECK_OPERATION, PROBLEM_TYPE
from flows.check_page.fields import MOST_CHARACTERS, field_problems
from flows.check_page.gate import RETRY_SECONDS, Gate
from flows.check_page.guard import Guard
from flows.check_page.known import look_up
from flows.check_page.pages import PageRequest, Pages
from flows.check_page.texts import choose_language, texts_of
from flows.contracts.current import CurrentInstallation
from flows.installation import Installation
from infra import telemetry
from schemas.contract import Contract
from schemas.errors import BusyError, EngangError, SlowCheckError

AnswerOf: TypeAlias = Callable[[list[Checked]], Response]
"""Gives the answer that shows what was checked."""
STATIC_FOLDER: Final = Path(__file__).parent / "static"
CHECK_PATH: Final = "/check"
FIELD_BYTES: Final = 4096
MOST_FIELDS: Final = 8
STATED_FIELDS: Final = ("sender", "period")
ERROR_KEYS: Final = {404: "not_found", 405: "not_found", 413: "too_large", 422: "refused", 503: "slow", 500: "failed"}
"""HTTP status -> the text of its page; `bad_request` for any other."""
DETAILED: Final = ("refused", "bad_request")
"""The texts whose page shows what the error itself states; programs always get that."""
MISDIRECTED: Final = "this page answers as localhost only: a proxy before it must send `Host: localhost`"


def make_app(installation: Installation, *, local_only: bool = False) -> ASGIApp:
    """Return the application over an installation, of which it only reads; `local_only` as in `Guard`."""
    checking = for_checking(installation)
    # Read both now: the first sender would wait for them, and a wrong contract ends the start with its message.
    contracts, units = len(checking.contracts), len(checking.register.units)
    telemetry.log("check_page").info("ready", extra={"contracts": contracts, "units": units})
    return _CheckPage(checking).guarded(local_only=local_only)


class _CheckPage:
    """The routes, and what they share."""

    def __init__(self, installation: Installation) -> None:
        self._current = CurrentInstallation(installation)
        self._limits = installation.settings.check_page
        self._pages = Pages(self._limits)
        self._gate = Gate(self._limits.waiting)

    def guarded(self, *, local_only: bool) -> ASGIApp:
        """Return the application within its guard."""
        app = FastAPI(title="Engang check page", version=version("engang"), docs_url=None, redoc_url=None)
        app.add_api_route("/", self._start, include_in_schema=False, response_model=None)
        path = "/obligations/{contract}"
        app.add_api_route(path, self._form, include_in_schema=False, response_model=None)
        app.add_api_route(path, self._receipt, methods=["POST"], include_in_schema=False, response_model=None)
        if self._limits.known:
            app.add_api_route(f"{path}/known", self._known, include_in_schema=False, response_model=None)
        app.add_api_route(CHECK_PATH, self._check, methods=["POST"], response_model=None, **CHECK_OPERATION)
        app.mount("/static", StaticFiles(directory=STATIC_FOLDER))
        for kind in (HTTPException, EngangError, Exception):
            app.add_exception_handler(kind, self._failed)
        return Guard(app, self._limits, self._failure_of_scope, local_only=local_only)

    async def _start(self, request: Request) -> Response:
        return HTMLResponse(self._pages.start(_page(request), self._current.now().contracts.values()))

    async def _form(self, request: Request, contract: str) -> Response:
        found = self._contract(contract)
        stated = {name: request.query_params.get(name, "")[:MOST_CHARACTERS] for name in STATED_FIELDS}
        return HTMLResponse(self._pages.form(_page(request), found, stated, {}))

    async def _receipt(self, request: Request, contract: str) -> Response:
        found = self._contract(contract)
        file, stated = await _read_form(request)
        problems = field_problems(found, stated, has_file=file is not None)
        if problems or file is None:
            return HTMLResponse(self._pages.form(_page(request), found, stated, problems), status_code=422)
        page = _page(request, can_repeat=False)
        return await self._checked(
            found, file, stated, lambda results: HTMLResponse(self._pages.receipt(page, found, results))
        )

    async def _known(self, request: Request, contract: str) -> Response:
        found = self._contract(contract)
        asked = {name: request.query_params.get(name, "").strip()[:MOST_CHARACTERS] for name in ("unit", "period")}
        page, installation = _page(request), self._current.now()
        if not all(asked.values()):
            return HTMLResponse(self._pages.known(page, found, asked, None))
        return await self._gate.run(
            lambda: HTMLResponse(self._pages.known(page, found, asked, look_up(installation, found, asked)))
        )

    async def _check(self, request: Request) -> Response:
        file, stated = await _read_form(request)
        if file is None:
            raise HTTPException(422, "the form has no file: send it in the field `file`")
        found = self._contract(stated["contract"])
        problems = field_problems(found, stated, has_file=True)
        if problems:
            raise HTTPException(422, " ".join(texts_of("en")["problems"][key] for key in problems.values()))
        return await self._checked(
            found, file, stated, lambda results: JSONResponse([checked.as_dict() for checked in results])
        )

    def _contract(self, name: str) -> Contract:
        installation = self._current.now()
        if name not in installation.contracts:
            raise HTTPException(404, "no such contract: `engang contracts` lists them")
        return installation.contract(name)

    async def _checked(
        self, contract: Contract, file: tuple[str, bytes], stated: dict[str, str], answer: AnswerOf
    ) -> Response:
        """Return the answer to an upload; it is checked and its answer written in the gate's thread."""
        upload = Upload(*file, contract.contract, stated["sender"] or None, stated["period"] or None)
        installation = self._current.now()
        return await self._gate.run(lambda: answer(check_upload(installation, upload)))

    async def _failed(self, request: Request, error: Exception) -> Response:
        status, key, detail = _failure(error)
        return self._failure_answer(request, status, key, detail)

    async def _failure_of_scope(self, scope: Scope, status: int) -> Response:
        detail = MISDIRECTED if status == HTTPStatus.MISDIRECTED_REQUEST else None
        return self._failure_answer(Request(scope), status, ERROR_KEYS.get(status, "bad_request"), detail)

    def _failure_answer(self, request: Request, status: int, key: str, detail: str | None) -> Response:
        headers = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        if request.url.path == CHECK_PATH:
            title, text = self._pages.error_text("en", key)
            problem = {"type": "about:blank", "title": title, "status": status, "detail": detail or text}
            return JSONResponse(problem, status, headers, PROBLEM_TYPE)
        shown = detail if key in DETAILED else None
        page = self._pages.error(_page(request, can_repeat=False), key, shown)
        return HTMLResponse(page, status, headers)


def _failure(error: Exception) -> tuple[int, str, str | None]:
    """Return the HTTP status of an error, the key of its text, and what is shown of it: nothing of an unforeseen one.

    The errors that Engang raises on purpose quote no delivered cell.
    """
    if isinstance(error, HTTPException):
        key = ERROR_KEYS.get(error.status_code, "bad_request")
        return error.status_code, key, error.detail
    if isinstance(error, BusyError | SlowCheckError):
        return 503, "busy" if isinstance(error, BusyError) else "slow", None
    if isinstance(error, EngangError):
        return 422, "refused", str(error)
    return 500, "failed", None


def _page(request: Request, *, can_repeat: bool = True) -> PageRequest:
    language = choose_language(request.query_params.get("lang"), request.headers.get("accept-language"))
    path = request.url.path if re.fullmatch(r"/|/obligations/[a-z0-9._-]+(/known)?", request.url.path) else "/"
    return PageRequest(language, path, can_repeat)


async def _read_form(request: Request) -> tuple[tuple[str, bytes] | None, dict[str, str]]:
    """Return the file, as its name and bytes, and the stated fields of a form; None if no file was chosen."""
    async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES) as form:
        given: dict[str, Any] = {name: form.get(name) for name in ("file", "contract", *STATED_FIELDS)}
        stated = {name: value.strip() if isinstance(value, str) else "" for name, value in given.items()}
        del stated["file"]
        file = given["file"]
        if not isinstance(file, UploadFile) or not (file.filename or file.size):
            return None, stated
        return (file.filename or "", await file.read()), stated
