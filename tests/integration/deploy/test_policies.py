"""The permissions that infra/deploy/terraform applies, evaluated: who may do what, over every role, action and place.

The documents are the files that Terraform renders, rendered here the same way; actions are all that botocore knows.
"""

import json
import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path
from string import Template
from typing import Any, Final

import botocore.session
import pytest

from tests.support.iam_evaluation import Document, Request, allowed
from tests.support.paths import ROOT

TERRAFORM: Final = ROOT / "infra" / "deploy" / "terraform"
SENDERS: Final = ("skatt", "skatteetaten", "skatt-1", "ssb")
"""Ids that begin with one another: a prefix without its slash would mix them up."""
STEPS: Final = ("intake", "nightly", "backfill", "cluster", "reader", "operator")
PLACES: Final = ("arrivals", "landing", "lake", "logs")
KEYS: Final = ("arrivals", "landing", "lake", "queue", "ledger", "alarms")
ACCOUNT: Final = "111122223333"
REGION: Final = "eu-north-1"
NAMES: Final = {
    "account": ACCOUNT,
    "region": REGION,
    **{place: f"arn:aws:s3:::engang-{place}-{ACCOUNT}" for place in PLACES},
    **{f"{key}_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}" for key in KEYS},
    "queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:engang-arrivals",
    "dead_letters": f"arn:aws:sqs:{REGION}:{ACCOUNT}:engang-arrivals-dead",
    "sender_roles": f"arn:aws:iam::{ACCOUNT}:role/engang/senders/*",
}
FOLDERS: Final = (
    *(f"{s}/" for s in SENDERS),
    "",
    "/",
    ".engang-probe/",
    "claims/_delta_log/",
    "claims/",
    "claims/partition=2024-01/",
    "incident_records/partition=all/",
    "observations/partition=2024-01/",
    "answers/",
    "SKATT/",
    "skat/",
)
ONLY_POLICY: Final = (
    *("s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:ListBucketVersions", "s3:ListBucket", "s3:PutObjectAcl"),
    *("s3:BypassGovernanceRetention", "s3:PutLifecycleConfiguration", "s3:PutEncryptionConfiguration"),
    *("s3:PutInventoryConfiguration", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"),
    *("s3:PutObjectVersionTagging", "s3:ReplicateObject", "s3:GetBucketVersioning", "s3:PutBucketPolicy"),
)
"""Actions of policies that no operation is named after."""
PUT: Final = {"s3:PutObject", "s3:AbortMultipartUpload"}
GET: Final = {"s3:GetObject", "s3:GetObjectVersion"}
LIST: Final = {"s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning"}
DELETE: Final = {"s3:DeleteObject"}


def rendered(name: str, **names: str) -> Document:
    text = (TERRAFORM / "policies" / f"{name}.json.tftpl").read_text()
    document: Document = json.loads(Template(text).substitute(NAMES | names))
    return document


def secret(step: str) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:engang/ledger/{step}-a1b2c3"


@cache
def of_role(role: str) -> Document:
    return rendered("sender", sender=role) if role in SENDERS else rendered(role, secret=secret(role))


@cache
def guards() -> dict[str, Document]:
    """Return the resource policies by what their resources' ARNs begin with."""
    keys = {
        key: "key-of-queue" if key == "queue" else "key-of-alarms" if key == "alarms" else "key-of-account"
        for key in KEYS
    }
    return {
        **{NAMES[place]: rendered(f"{place}-bucket") for place in PLACES},
        **{NAMES[f"{key}_key"]: rendered(policy) for key, policy in keys.items()},
        NAMES["dead_letters"]: rendered("dead-letters"),
        NAMES["queue"]: rendered("queue"),
    }


def principal(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/engang/{'senders' if role in SENDERS else 'steps'}/{role}"


def asked(role: str, action: str, resource: str, **context: str) -> Request:
    """Return a request as our software makes it: over TLS, a landed object only where none is, keys through S3."""
    request_context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "aws:PrincipalArn": principal(role)}
    if role in SENDERS:
        request_context["aws:PrincipalTag/sender"] = role
    if action == "s3:PutObject":
        request_context |= {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
    return Request(
        principal(role), action, resource, request_context | {k.replace("__", ":"): v for k, v in context.items()}
    )


def granted(request: Request, *more: Document) -> bool:
    role = request.principal.rsplit("/", 1)[-1]
    guard = [g for arn, g in guards().items() if request.resource == arn or request.resource.startswith(f"{arn}/")]
    return allowed(request, [of_role(role), *more], guard)


@cache
def actions(service: str) -> tuple[str, ...]:
    model = botocore.session.get_session().get_service_model(service)
    return tuple(
        sorted(
            {f"{service}:{name}" for name in model.operation_names} | {a for a in ONLY_POLICY if a.startswith(service)}
        )
    )


def objects() -> list[str]:
    return [f"{NAMES[place]}/{folder}x.csv" for place, folder in product(PLACES, FOLDERS)]


def buckets() -> list[str]:
    return [NAMES[place] for place in PLACES]


def can(role: str, *more: Document) -> set[tuple[str, str]]:
    """Return every S3 action on every place that a role is granted."""
    every = product(actions("s3"), [*objects(), *buckets()])
    return {(action, resource) for action, resource in every if granted(asked(role, action, resource), *more)}


@pytest.mark.parametrize("sender", SENDERS)
def test_a_sender_puts_under_its_own_prefix_and_nothing_else(sender: str) -> None:
    own = {(action, f"{NAMES['arrivals']}/{sender}/x.csv") for action in PUT}
    assert can(sender) == own
    every = [asked(sender, *each) for each in product(actions("s3"), [*objects(), *buckets()])]
    alone = {(r.action, r.resource) for r in every if allowed(r, [of_role(sender)], [])}
    assert alone == own, "the role's policy holds even without the buckets'"
    whatever: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    given = {(action, r) for action, r in can(sender, whatever) if not r.startswith(NAMES["logs"])}
    assert given == own, "the buckets' policies hold even if a role is given too much"


def test_a_sender_has_nothing_next_to_s3_but_its_key_through_s3() -> None:
    through = {"kms__ViaService": f"s3.{REGION}.amazonaws.com"}
    arns = [NAMES[f"{key}_key"] for key in KEYS] + [NAMES["queue"], NAMES["dead_letters"], *map(secret, STEPS), "*"]
    for sender, service in product(SENDERS, ("kms", "sqs", "secretsmanager", "sts", "iam", "rds")):
        found = {(a, r) for a, r in product(actions(service), arns) if granted(asked(sender, a, r, **through))}
        wanted = (
            {(f"kms:{a}", NAMES["arrivals_key"]) for a in ("Decrypt", "GenerateDataKey")} if service == "kms" else set()
        )
        assert found == wanted
        assert not any(granted(asked(sender, a, r)) for a, r in found), "the key by itself, past S3"


def _on(place: str, objects_: set[str], bucket: set[str], **narrower: set[str]) -> set[tuple[str, str]]:
    """Return what is expected in a place: on every object, on the bucket, and by folder."""
    found = {(a, r) for a, r in product(objects_, objects()) if r.startswith(f"{NAMES[place]}/")}
    return (
        found
        | {(a, NAMES[place]) for a in bucket}
        | {(a, f"{NAMES[place]}/{f}x.csv") for f, acts in narrower.items() for a in acts}
    )


def test_each_step_may_do_what_it_does_and_no_more() -> None:
    probe, log = {".engang-probe/": DELETE}, {"claims/_delta_log/": DELETE, ".engang-probe/": DELETE}
    takes_in = _on("arrivals", GET, LIST) | _on("landing", GET | PUT, LIST, **probe)
    writes_lake = _on("lake", GET | PUT | DELETE, LIST)
    assert can("intake") == takes_in | _on("lake", GET | PUT, LIST, **log)
    assert can("nightly") == takes_in | writes_lake
    assert can("backfill") == _on("landing", GET, LIST) | writes_lake
    written = {"claims/partition=2024-01/": PUT, "incident_records/partition=all/": PUT, "answers/": PUT}
    assert can("cluster") == _on("landing", GET, LIST) | _on("lake", GET, LIST, **written)
    assert can("reader") == _on("lake", GET, LIST)
    assert can("operator") == _on("lake", GET, LIST) | _on("landing", GET, LIST)


def test_each_step_has_its_own_ledger_address_and_its_own_queues_and_keys() -> None:
    polls = {f"sqs:{a}" for a in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")}
    counts, moves = {"sqs:GetQueueAttributes"}, {"sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks"}
    queues = {
        "intake": (polls, counts),
        "nightly": (counts, counts),
        "operator": (counts | {"sqs:SendMessage"}, polls | moves),
    }
    for step in STEPS:
        secrets = {
            (a, s) for a, s in product(actions("secretsmanager"), map(secret, STEPS)) if granted(asked(step, a, s))
        }
        assert secrets == ({("secretsmanager:GetSecretValue", secret(step))} if step != "cluster" else set())
        found = tuple(
            {a for a in actions("sqs") if granted(asked(step, a, NAMES[q]))} for q in ("queue", "dead_letters")
        )
        assert found == queues.get(step, (set(), set())), step
        for service in ("iam", "sts", "rds"):
            assert not [a for a in actions(service) if granted(asked(step, a, "*"))]


def test_keys_go_with_the_places_they_are_for() -> None:
    uses = {
        "intake": {"arrivals": "r", "landing": "rw", "lake": "rw", "queue": "r", "ledger": "r"},
        "nightly": {"arrivals": "r", "landing": "rw", "lake": "rw", "ledger": "r"},
        "backfill": {"landing": "r", "lake": "rw", "ledger": "r"},
        "cluster": {"landing": "r", "lake": "rw"},
        "reader": {"lake": "r", "ledger": "r"},
        "operator": {"landing": "r", "lake": "r", "queue": "rw", "ledger": "r"},
    }
    services = ("s3", "sqs", "secretsmanager")
    for step, key in product(STEPS, KEYS):
        through = [{"kms__ViaService": f"{service}.{REGION}.amazonaws.com"} for service in services]
        arn = NAMES[f"{key}_key"]
        found = {a for a, via in product(actions("kms"), through) if granted(asked(step, a, arn, **via))}
        wanted = {"kms:Decrypt" if letter == "r" else "kms:GenerateDataKey" for letter in uses[step].get(key, "")}
        assert found == wanted, (step, key)
        assert not any(granted(asked(step, a, arn)) for a in found), "a key by itself, past the service"


def test_plain_http_old_tls_and_other_keys_are_refused_to_everybody() -> None:
    owner: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    bad: tuple[dict[str, str], ...] = ({"aws__SecureTransport": "false"}, {"s3__TlsVersion": "1.1"})
    for role, resource, context in product(("skatt", "operator"), [*objects(), *buckets()], bad):
        if resource.startswith(NAMES["logs"]) and "s3__TlsVersion" in context:
            continue
        assert not any(
            granted(asked(role, a, resource, **context), owner)
            for a in ("s3:GetObject", "s3:PutObject", "s3:ListBucket")
        )
    header = "s3:x-amz-server-side-encryption"
    for place in ("arrivals", "landing", "lake"):
        resource, own = f"{NAMES[place]}/x.csv", NAMES[f"{place}_key"]
        contexts = ({}, {header: "aws:kms"}, {header: "aws:kms", f"{header}-aws-kms-key-id": own}, {header: "AES256"},
                {f"{header}-aws-kms-key-id": NAMES["queue_key"]})  # fmt: skip
        answers = [granted(asked("operator", "s3:PutObject", resource, **headers), owner) for headers in contexts]
        assert answers == [True, True, True, False, False]
    for queue in ("queue", "dead_letters"):
        assert granted(asked("operator", "sqs:SendMessage", NAMES[queue]), owner)
        assert not granted(asked("operator", "sqs:SendMessage", NAMES[queue], aws__SecureTransport="false"), owner)


def test_nobody_replaces_or_deletes_what_was_landed() -> None:
    owner: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    landed = f"{NAMES['landing']}/skatt/ssb/abc"
    for action in (
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
        "s3:PutObjectRetention",
    ):
        assert not granted(asked("operator", action, landed), owner)
    unconditional = asked("intake", "s3:PutObject", landed)
    part = Request(
        unconditional.principal,
        "s3:PutObject",
        landed,
        {**unconditional.context, "s3:ObjectCreationOperation": "false"},
    )
    whole = {k: v for k, v in unconditional.context.items() if k != "s3:if-none-match"}
    assert granted(unconditional)
    assert not granted(Request(unconditional.principal, "s3:PutObject", landed, whole))
    assert granted(
        Request(part.principal, part.action, landed, {k: v for k, v in part.context.items() if k != "s3:if-none-match"})
    )
    arrived = f"{NAMES['arrivals']}/skatt/x.csv"
    assert not any(granted(asked("operator", a, arrived), owner) for a in ("s3:DeleteObject", "s3:DeleteObjectVersion"))


@pytest.mark.parametrize(
    ("service", "action", "resource", "source", "account", "wanted"),
    [
        ("s3", "sqs:SendMessage", "queue", "arrivals", ACCOUNT, True),
        ("s3", "sqs:SendMessage", "queue", "landing", ACCOUNT, False),
        ("s3", "sqs:SendMessage", "queue", "arrivals", "999999999999", False),
        ("s3", "sqs:ReceiveMessage", "queue", "arrivals", ACCOUNT, False),
        ("s3", "sqs:SendMessage", "dead_letters", "arrivals", ACCOUNT, False),
        ("s3", "kms:GenerateDataKey", "queue_key", "arrivals", ACCOUNT, True),
        ("s3", "kms:GenerateDataKey", "lake_key", "arrivals", ACCOUNT, False),
        ("s3", "kms:GenerateDataKey", "queue_key", "arrivals", "999999999999", False),
        ("logging.s3", "s3:PutObject", "logs", "lake", ACCOUNT, True),
        ("logging.s3", "s3:PutObject", "logs", "queue", ACCOUNT, False),
        ("logging.s3", "s3:GetObject", "logs", "lake", ACCOUNT, False),
        ("cloudwatch", "kms:GenerateDataKey", "alarms_key", "arrivals", ACCOUNT, True),
        ("cloudwatch", "kms:GenerateDataKey", "ledger_key", "arrivals", ACCOUNT, False),
    ],
)  # fmt: skip
def test_services_act_for_our_own_places_only(
    service: str, action: str, resource: str, source: str, account: str, *, wanted: bool
) -> None:
    context = {"aws:SecureTransport": "true", "aws:SourceArn": NAMES[source], "aws:SourceAccount": account}
    arn = NAMES[resource] + ("/x" if resource == "logs" else "")
    request = Request(f"{service}.amazonaws.com", action, arn, context)
    guard = [g for at, g in guards().items() if arn == at or arn.startswith(f"{at}/")]
    assert allowed(request, [], guard) is wanted


def test_every_document_is_applied_and_is_sound() -> None:
    applied = "".join(path.read_text() for path in TERRAFORM.glob("*.tf"))
    by_name = {*STEPS}  # roles.tf names these by each.key
    for path in (TERRAFORM / "policies").iterdir():
        name = path.name.removesuffix(".json.tftpl")
        assert name in by_name or f"policies/{name}.json.tftpl" in applied or f'"{name}"' in applied, name
        document: dict[str, Any] = dict(rendered(name, sender="ssb", secret=secret("reader")))
        assert document["Version"] == "2012-10-17"
        sids = [s["Sid"] for s in document["Statement"]]
        assert len(set(sids)) == len(sids)
        assert all(sid.isalnum() for sid in sids)
        assert len(json.dumps(document)) < 10240, "an inline policy's limit"


def test_terraform_renders_the_same_documents(tmp_path: Path) -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("no terraform on this machine: the documents are rendered by Python's Template alone")
    names = NAMES | {"sender": "ssb", "secret": secret("reader")}
    paths = sorted((TERRAFORM / "policies").iterdir())
    (tmp_path / "names.json").write_text(json.dumps(names))
    expression = ", ".join(f'jsondecode(templatefile("{path}", jsondecode(file("names.json"))))' for path in paths)
    done = subprocess.run(
        [terraform, "console"],
        input=f"jsonencode([{expression}])\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(json.loads(done.stdout[done.stdout.index('"') :]))
    assert found == [json.loads(Template(path.read_text()).substitute(names)) for path in paths]
