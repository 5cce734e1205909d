resource "aws_db_subnet_group" "ledger" {
  name       = "${var.name}-ledger"
  subnet_ids = var.private_subnet_ids
}

resource "aws_security_group" "ledger" {
  name        = "${var.name}-ledger"
  description = "The ledger: reached by workers alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "ledger" {
  for_each = toset(var.worker_security_group_ids)

  security_group_id            = aws_security_group.ledger.id
  description                  = "PostgreSQL, from a worker"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_parameter_group" "ledger" {
  name   = "${var.name}-ledger"
  family = "postgres15"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_statement"
    value = "ddl"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "5000"
  }

  # No delivered data in logs: neither the values of statements nor those of failed ones.
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }
}

resource "aws_db_instance" "ledger" {
  identifier     = "${var.name}-ledger"
  engine         = "postgres"
  engine_version = "15"
  instance_class = var.ledger_class
  db_name        = "engang"

  # RDS creates the administrator's password and keeps it in a secret: it is neither here nor in the state.
  username                      = "engang_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.this["ledger"].arn

  iam_database_authentication_enabled = true

  allocated_storage     = var.ledger_gibibytes
  max_allocated_storage = 4 * var.ledger_gibibytes
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.this["ledger"].arn

  db_subnet_group_name   = aws_db_subnet_group.ledger.name
  vpc_security_group_ids = [aws_security_group.ledger.id]
  parameter_group_name   = aws_db_parameter_group.ledger.name
  publicly_accessible    = false
  multi_az               = true

  backup_retention_period    = 35
  backup_window              = "12:00-13:00"
  maintenance_window         = "sun:13:30-sun:14:30"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  deletion_protection        = true
  skip_final_snapshot        = false
  final_snapshot_identifier  = "${var.name}-ledger-last"

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.this["ledger"].arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role" "monitoring" {
  name = "${var.name}-ledger-monitoring"
  path = local.step_path

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheMonitorOfThisAccount"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# A step's own database user and password, as the URL that ENGANG_LEDGER takes. An operator sets the value.
resource "aws_secretsmanager_secret" "ledger" {
  #checkov:skip=CKV2_AWS_57:the secret is a URL that an operator sets; infra/deploy/README.md says how and when it is changed
  for_each = local.steps_with_ledger

  name                    = "${var.name}/ledger/${each.key}"
  description             = "ENGANG_LEDGER of ${each.key}"
  kms_key_id              = aws_kms_key.this["ledger"].arn
  recovery_window_in_days = 30
}
