# One key per bucket: a role that may write to one bucket can decrypt nothing of another.

locals {
  key_policies = {
    arrivals = "key-of-account"
    landing  = "key-of-account"
    lake     = "key-of-account"
    queue    = "key-of-queue"
    ledger   = "key-of-account"
    alarms   = "key-of-alarms"
  }
}

resource "aws_kms_key" "this" {
  for_each = local.key_policies

  description             = "${var.name}: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = templatefile("${path.module}/policies/${each.value}.json.tftpl", local.names)
}

resource "aws_kms_alias" "this" {
  for_each = local.key_policies

  name          = "alias/${var.name}-${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id
}
