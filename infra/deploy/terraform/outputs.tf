output "settings" {
  description = "Environment variables of every worker."
  value = {
    ENGANG_ARRIVALS     = "s3://${module.arrivals.id}"
    ENGANG_LANDING      = "s3://${module.landing.id}"
    ENGANG_LAKE         = "s3://${module.lake.id}"
    ENGANG_QUEUE        = aws_sqs_queue.arrivals.url
    ENGANG_DEAD_LETTERS = aws_sqs_queue.dead.url
    AWS_REGION          = var.region
  }
}

output "step_roles" {
  description = "The task role of each step."
  value       = { for step, role in aws_iam_role.step : step => role.arn }
}

output "ledger_secrets" {
  description = "The secret in which to store each step's ENGANG_LEDGER."
  value       = { for step, secret in aws_secretsmanager_secret.ledger : step => secret.arn }
}

output "senders" {
  description = "What to send to each sender: its role, the external id to assume it with, and its place in the bucket."
  value = { for id, role in aws_iam_role.sender : id => {
    role        = role.arn
    external_id = "${var.name}-${id}"
    prefix      = "s3://${module.arrivals.id}/${id}/"
  } }
}

output "ledger_address" {
  description = "The ledger's host; port 5432, database engang."
  value       = aws_db_instance.ledger.address
}

output "cluster_security_group" {
  description = "The security group of scheduler, workers and the night, next to that of the machines; all listen on ports 8786 to 8986."
  value       = aws_security_group.cluster.id
}
