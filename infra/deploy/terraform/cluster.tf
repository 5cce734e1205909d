# The cluster that reads deliveries: a scheduler, its workers, and the night that asks them. Each of them may run code on
# the others, so they talk among themselves alone, and by TLS (tls:// in ENGANG_CLUSTER).
resource "aws_security_group" "cluster" {
  #checkov:skip=CKV2_AWS_5:it is given to tasks of ECS, which this module does not define
  name        = "${var.name}-cluster"
  description = "Scheduler, workers and the night: reached by one another alone"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "cluster" {
  security_group_id            = aws_security_group.cluster.id
  description                  = "Dask, from scheduler, workers and the night"
  referenced_security_group_id = aws_security_group.cluster.id
  ip_protocol                  = "tcp"
  from_port                    = 8786
  to_port                      = 8986
}

resource "aws_vpc_security_group_egress_rule" "cluster" {
  security_group_id            = aws_security_group.cluster.id
  description                  = "Dask, to scheduler, workers and the night"
  referenced_security_group_id = aws_security_group.cluster.id
  ip_protocol                  = "tcp"
  from_port                    = 8786
  to_port                      = 8986
}
