# Every permission is a file in policies/, rendered here with the names below and by tests/integration/deploy/test_policies.py
# with names of its own: what is tested is what is applied.

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  bucket_names = { for place in ["arrivals", "landing", "lake", "logs"] : place => "${var.name}-${place}-${local.account}" }
  queue_name   = "${var.name}-arrivals"
  dead_name    = "${var.name}-arrivals-dead"
  sender_path  = "/${var.name}/senders/"
  step_path    = "/${var.name}/steps/"

  # Of these, the workers of the cluster alone have no ledger.
  steps             = toset(["intake", "nightly", "backfill", "cluster", "reader", "operator"])
  steps_with_ledger = setsubtract(local.steps, ["cluster"])

  names = {
    account      = local.account
    region       = var.region
    arrivals     = "arn:aws:s3:::${local.bucket_names.arrivals}"
    landing      = "arn:aws:s3:::${local.bucket_names.landing}"
    lake         = "arn:aws:s3:::${local.bucket_names.lake}"
    logs         = "arn:aws:s3:::${local.bucket_names.logs}"
    queue        = "arn:aws:sqs:${var.region}:${local.account}:${local.queue_name}"
    dead_letters = "arn:aws:sqs:${var.region}:${local.account}:${local.dead_name}"
    sender_roles = "arn:aws:iam::${local.account}:role${local.sender_path}*"
  }

  names_and_keys = merge(local.names, { for use, key in aws_kms_key.this : "${use}_key" => key.arn })
}
