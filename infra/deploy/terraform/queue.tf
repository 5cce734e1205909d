resource "aws_sqs_queue" "arrivals" {
  name                       = local.queue_name
  visibility_timeout_seconds = 120
  receive_wait_time_seconds  = 20
  message_retention_seconds  = 1209600
  kms_master_key_id          = aws_kms_key.this["queue"].arn

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}

resource "aws_sqs_queue" "dead" {
  name                      = local.dead_name
  message_retention_seconds = 1209600
  kms_master_key_id         = aws_kms_key.this["queue"].arn
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [local.names.queue] })
}

resource "aws_sqs_queue_policy" "arrivals" {
  queue_url = aws_sqs_queue.arrivals.id
  policy    = templatefile("${path.module}/policies/queue.json.tftpl", local.names)
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = templatefile("${path.module}/policies/dead-letters.json.tftpl", local.names)
}
