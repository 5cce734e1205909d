variable "name" {
  description = "The bucket's name."
  type        = string
}

variable "key_arn" {
  description = "The key that everything in it is encrypted with."
  type        = string
}

variable "policy" {
  description = "The bucket's policy, JSON."
  type        = string
}

variable "logs" {
  description = "The bucket that access to this one is logged to."
  type        = string
}

variable "lock" {
  description = "The retention that every object gets; null: none. It cannot be added to a bucket later."
  type        = object({ mode = string, days = number })
  default     = null
}

variable "replaced_for" {
  description = "Days that a replaced or deleted version is kept."
  type        = number
}

variable "expire_days" {
  description = "Days until an object is deleted; null: never."
  type        = number
  default     = null
}
