variable "name" {
  description = "Prefix of the names of all resources."
  type        = string
  default     = "engang"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name: 2 to 20 of a-z, 0-9 and -, beginning with a letter."
  }
}

variable "region" {
  description = "The region of all resources."
  type        = string
  default     = "eu-north-1"
}

variable "senders" {
  description = "Who may deliver: the sender's id, as in contracts, and the principals (ARNs) that may assume its role. A new sender is a line here."
  type        = map(list(string))

  validation {
    condition     = alltrue([for id in keys(var.senders) : can(regex("^[a-z0-9][a-z0-9._-]{0,39}$", id))])
    error_message = "senders: an id is 1 to 40 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit."
  }

  validation {
    condition     = alltrue([for arns in values(var.senders) : length(arns) > 0 && alltrue([for arn in arns : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])])
    error_message = "senders: every sender needs at least one principal, each the ARN of one role or user, without wildcards."
  }
}

variable "vpc_id" {
  description = "The network of the ledger."
  type        = string
}

variable "private_subnet_ids" {
  description = "Two or more private subnets, in different zones, for the ledger."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids: a ledger that outlives a zone needs two subnets."
  }
}

variable "worker_security_group_ids" {
  description = "The security groups of the machines that run workers: they alone reach the ledger."
  type        = list(string)
}

variable "alarm_addresses" {
  description = "E-mail addresses that alarms go to; each must confirm once."
  type        = list(string)
}

variable "retention_days" {
  description = "How long the object lock keeps a landed submission from being deleted."
  type        = number
  default     = 1826
}

variable "retention_mode" {
  description = "COMPLIANCE: nobody can shorten the retention, the account's root included. GOVERNANCE: an administrator who changes the bucket's policy first can."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.retention_mode)
    error_message = "retention_mode: GOVERNANCE or COMPLIANCE."
  }
}

variable "arrivals_days" {
  description = "How long an arrived object is kept; it is in the landing zone within minutes."
  type        = number
  default     = 400
}

variable "ledger_class" {
  description = "The ledger's machine."
  type        = string
  default     = "db.m7g.large"
}

variable "ledger_gibibytes" {
  description = "The ledger's disk at first; it grows by itself to four times that."
  type        = number
  default     = 100
}
