"""What operators watch: status, obligations that are due, and the events about them."""
