resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this["alarms"].arn
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = toset(var.alarm_addresses)

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  # What each alarm means and what to do: README.md of infra/deploy, under the same name.
  alarms = {
    dead-letters = {
      meaning = "Unreadable messages are in the dead-letter queue", namespace = "AWS/SQS"
      metric  = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", dimensions = { QueueName = aws_sqs_queue.dead.name }
      compare = "GreaterThanThreshold", threshold = 0, periods = 1, missing = "notBreaching"
    }
    queue-age = {
      meaning = "A message has waited for a quarter of an hour: nobody polls the queue", namespace = "AWS/SQS"
      metric  = "ApproximateAgeOfOldestMessage", statistic = "Maximum", dimensions = { QueueName = aws_sqs_queue.arrivals.name }
      compare = "GreaterThanThreshold", threshold = 900, periods = 3, missing = "notBreaching"
    }
    ledger-disk = {
      meaning = "The ledger's disk has less than 10 GiB left", namespace = "AWS/RDS"
      metric  = "FreeStorageSpace", statistic = "Minimum", dimensions = { DBInstanceIdentifier = aws_db_instance.ledger.identifier }
      compare = "LessThanThreshold", threshold = 10737418240, periods = 1, missing = "breaching"
    }
    ledger-busy = {
      meaning = "The ledger's CPU has been over 90 % for half an hour", namespace = "AWS/RDS"
      metric  = "CPUUtilization", statistic = "Average", dimensions = { DBInstanceIdentifier = aws_db_instance.ledger.identifier }
      compare = "GreaterThanThreshold", threshold = 90, periods = 6, missing = "breaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.meaning}. See infra/deploy/README.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  dimensions          = each.value.dimensions
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
