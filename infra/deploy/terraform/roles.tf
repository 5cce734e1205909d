# A sender's role: puts under its own prefix of the arrivals, and nothing else.
resource "aws_iam_role" "sender" {
  for_each = var.senders

  name                 = "${var.name}-sender-${each.key}"
  path                 = local.sender_path
  max_session_duration = 3600
  tags                 = { sender = each.key }

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheSender"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = each.value }
      Condition = { StringEquals = { "sts:ExternalId" = "${var.name}-${each.key}" } }
    }]
  })
}

resource "aws_iam_role_policy" "sender" {
  for_each = var.senders

  name   = "put-under-own-prefix"
  role   = aws_iam_role.sender[each.key].id
  policy = templatefile("${path.module}/policies/sender.json.tftpl", merge(local.names_and_keys, { sender = each.key }))
}

# A step's role: what that step needs. Workers run as tasks of ECS.
resource "aws_iam_role" "step" {
  for_each = local.steps

  name                 = "${var.name}-${each.key}"
  path                 = local.step_path
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TasksOfThisAccount"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:${var.region}:${local.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "step" {
  for_each = local.steps

  name   = each.key
  role   = aws_iam_role.step[each.key].id
  policy = templatefile("${path.module}/policies/${each.key}.json.tftpl", merge(local.names_and_keys, { secret = try(aws_secretsmanager_secret.ledger[each.key].arn, "") }))
}
