module "arrivals" {
  source = "./bucket"

  name         = local.bucket_names.arrivals
  key_arn      = aws_kms_key.this["arrivals"].arn
  policy       = templatefile("${path.module}/policies/arrivals-bucket.json.tftpl", local.names_and_keys)
  logs         = aws_s3_bucket.logs.id
  expire_days  = var.arrivals_days
  replaced_for = var.arrivals_days
}

module "landing" {
  source = "./bucket"

  name         = local.bucket_names.landing
  key_arn      = aws_kms_key.this["landing"].arn
  policy       = templatefile("${path.module}/policies/landing-bucket.json.tftpl", local.names_and_keys)
  logs         = aws_s3_bucket.logs.id
  lock         = { mode = var.retention_mode, days = var.retention_days }
  replaced_for = var.retention_days
}

module "lake" {
  source = "./bucket"

  name         = local.bucket_names.lake
  key_arn      = aws_kms_key.this["lake"].arn
  policy       = templatefile("${path.module}/policies/lake-bucket.json.tftpl", local.names_and_keys)
  logs         = aws_s3_bucket.logs.id
  replaced_for = 30
}

resource "aws_s3_bucket_notification" "arrivals" {
  bucket = module.arrivals.id

  queue {
    queue_arn = aws_sqs_queue.arrivals.arn
    events    = ["s3:ObjectCreated:*"]
  }

  depends_on = [aws_sqs_queue_policy.arrivals]
}

resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_18:this is where access is logged to; logging it to itself would never end
  #checkov:skip=CKV_AWS_144:access logs of one year; the buckets that they are about are kept by versions and object lock
  #checkov:skip=CKV_AWS_145:S3 delivers access logs only to buckets encrypted with its own keys (SSE-S3)
  #checkov:skip=CKV2_AWS_62:nothing acts on an access log as it comes
  bucket = local.bucket_names.logs

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket = aws_s3_bucket.logs.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "a-year"
    status = "Enabled"

    filter {}

    expiration {
      days = 365
    }

    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = templatefile("${path.module}/policies/logs-bucket.json.tftpl", local.names)

  depends_on = [aws_s3_bucket_public_access_block.logs]
}
